"""What notebook 07 reads off its experiments, and its coarse flows on a real site."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches.grains import answer, beside, in_processes, in_threads, overhead, overlaps
from flowlab.comparison.result import Spread
from flowlab.executors import close
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import Settings, serial


def call(start, end, operation="note"):
    return SimpleNamespace(operation=operation, started_ns=start, ended_ns=end)


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([], 0),
        ([call(0, 5), call(5, 9)], 0),
        ([call(5, 9), call(0, 6)], 1),
        ([call(0, 9), call(1, 2, "other"), call(3, 4)], 1),
    ],
)
def test_overlaps_are_counted_between_calls_of_one_operation(calls, found):
    assert overlaps(calls, "note") == found


def test_a_measured_cost_makes_one_answer_right():
    assert [answer(each) for each in (1e-7, 5e-6, 1e-3)] == ["free", "little", "much"]


@pytest.mark.parametrize(
    ("mine", "found"), [([1, 2], "less"), ([1, 3], "alike"), ([5, 6], "alike"), ([7, 8], "more"), ([], "alike")]
)
def test_a_way_is_faster_only_if_no_runs_overlap(mine, found):
    spreads = {"dataflow": Spread.of(mine), "hybrid": Spread.of([3, 6])}
    comparison = SimpleNamespace(spread=lambda way, _figure: spreads[way])
    assert beside(comparison, "dataflow", "hybrid") == found


def test_the_flow_and_the_plain_loop_give_the_same():
    found = overhead(1, calls=20)
    assert found.values["plain loop"] == found.values["flow"] == list(range(1, 21))
    assert len(found.records["flow"]) == 20


def test_the_coarse_flows_report_what_the_serial_survey_reports():
    with loneliest.site(latency_ms=0) as site:
        settings = Settings(url=site.url, n_countries=3, workers=2)
        expected = serial.survey(settings)
        try:
            assert in_threads(settings) == expected
            assert in_processes(settings) == expected
        finally:
            close()
