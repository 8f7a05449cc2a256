"""What is claimed, picked and set side by side of notebook 02's roads, on figures made by hand."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import recorded, roads, surveys
from flowlab.adventure.branches.goals import code_lines
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, StrategyRun

MACHINE = SimpleNamespace(sentence=lambda: "a machine")
OPTIONS = list(CHAPTERS["02_login_crawl_parse"].decision.options)


def runs(strategy, walls, peak, joules=None):
    energy = joules and SimpleNamespace(total_j=joules, low_j=joules / 2, high_j=joules * 2, method="model")
    return [StrategyRun(strategy, i, i, wall_s=w, peak_bytes=peak, energy=energy) for i, w in enumerate(walls)]


@pytest.fixture
def comparison():
    made = [
        *runs("serial", [4.0, 4.4, 3.8], 50, 12.0),
        *runs("threads", [2.0, 2.1, 2.2], 60, 9.0),
        *runs("sorted search", [3.0, 3.0, 3.0], 40, 6.0),
        *runs("do less", [0.5, 0.5, 0.5], 30, 2.0),
    ]
    return Comparison("test", ("serial", "threads", "sorted search", "do less"), tuple(made), MACHINE)


def test_a_gain_is_median_against_median_and_the_noise_the_worst_spread(comparison):
    assert surveys.gain(comparison, "threads") == pytest.approx(4.0 / 2.1)
    assert surveys.noise(comparison) == pytest.approx(4.4 / 3.8)
    assert surveys.factor(comparison, "threads", "peak_bytes") == pytest.approx(60 / 50)


def test_time_spent_queueing_for_a_core_is_noise_too(comparison):
    record = SimpleNamespace(operation="parse", wall_ns=3_000, cpu_ns=1_000)
    waiting = SimpleNamespace(operation="download", wall_ns=9_000, cpu_ns=1)
    serial = StrategyRun("serial", 0, 0, wall_s=4.0, records=(record, waiting))
    assert surveys.noise(Comparison("test", ("serial",), (serial,), MACHINE)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("goal", "strategy"),
    [("fast", "threads"), ("small", "sorted search"), ("frugal", "sorted search"), ("simple", "sorted search")],
)
def test_the_goal_picks_among_the_roads_own_strategies(comparison, goal, strategy):
    assert roads.pick(comparison, goal) == strategy


def test_every_claim_is_about_a_road_there_is():
    assert list(roads.CLAIMS) == OPTIONS
    for road, claims in roads.CLAIMS.items():
        for _, strategy, figure, at_least in claims:
            assert strategy in recorded.recorded(roads.NOTEBOOK)["branches"][road]
            assert figure in surveys.KEPT
            assert at_least > 1


def test_an_empty_journal_shows_recorded_data_and_says_so(comparison, tmp_path):
    outcome = Outcome("road", "download", "line", value=comparison, facts=surveys.summary(comparison))
    table = roads.all_roads(outcome, Journal(tmp_path / "journal.jsonl"))
    sources = table.groupby("road")["where from"].unique()
    assert list(sources["download"]) == ["measured just now"]
    assert list(sources["parse"]) == [recorded.LABEL]
    assert roads.RECORDED.startswith("recorded elsewhere: 2 cores")
    assert table["n"].min() >= 3


def test_a_road_taken_before_comes_from_the_journal_with_its_date(comparison, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(
        "02_login_crawl_parse",
        "result",
        "road",
        "parse",
        summary=surveys.summary(comparison),
        parameters={"scale": "demo"},
    )
    outcome = Outcome("road", "download", "line", value=comparison, facts=surveys.summary(comparison))
    table = roads.all_roads(outcome, journal)
    [source] = table[table.road == "parse"]["where from"].unique()
    assert source.startswith("your journal, 20")
    assert source.endswith("scale demo")


def test_lines_of_code_are_counted_without_docstrings_comments_and_blanks():
    source = '"""Doc."""\n\n# why\ndef f(a,\n      b):\n    """Doc."""\n    return (a +\n            b)\n'
    assert code_lines(source) == 3
