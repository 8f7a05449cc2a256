"""What is read off notebook 05's branches, on runs made by hand, and what shares work within one process."""

import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import processes
from flowlab.adventure.branches.processes import Held
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, StrategyRun
from flowlab.metrics import Record

S = 1_000_000_000
OPTIONS = list(CHAPTERS["05_processes"].decision.options)


def call(pid, started, ended, **more):
    return Record(operation="compute", pid=pid, started_ns=int(started * S), ended_ns=int(ended * S), **more)


def run(strategy, repeat, wall_s, moved, *ends):
    """A run in which a worker each is done so many seconds after the first call began, at second 3."""
    starts = [call(pid, 0, 3, stage="start") for pid, _ in enumerate(ends, 10)]
    works = [call(pid, 3 + (pid - 10) / 100, 3 + end) for pid, end in enumerate(ends, 10)]
    callers = [call(1, 0, 99)]
    return StrategyRun(strategy, repeat, repeat, wall_s=wall_s, bytes_moved=moved,
                       records=(*callers, *starts, *works))  # fmt: skip


@pytest.fixture
def comparison():
    made = [StrategyRun("serial", 0, 0, wall_s=8.0, bytes_moved=0)]
    made += [run("as listed", n, 6.0, 100, 2.0, last) for n, last in enumerate((4.0, 5.0, 9.0))]
    made += [run("row blocks", 0, 4.0, 250, 3.0, 3.75)]
    return Comparison("test", ("serial", "as listed", "row blocks"), tuple(made), SimpleNamespace())


def test_only_the_workers_calls_say_when_they_were_done(comparison):
    assert processes.ends_s(comparison.runs_of("row blocks")[0]) == [3.0, 3.75]


def test_how_uneven_a_way_is_is_the_median_of_last_over_first(comparison):
    assert processes.uneven(comparison, "as listed") == pytest.approx(2.5)
    assert processes.evener(comparison, "row blocks") == pytest.approx(2.5 / 1.25)
    assert processes.more_bytes(comparison, "row blocks") == pytest.approx(2.5)


def test_every_branch_has_a_claim_that_can_be_read_off_its_comparison(comparison):
    assert list(processes.CLAIMS) == OPTIONS == list(processes.WAYS)
    for option in ("listed", "blocks"):
        found = [(figure(comparison), at_least) for _, figure, at_least in processes.CLAIMS[option]]
        assert all(measured > at_least > 1 for measured, at_least in found)


def test_an_answer_is_right_by_what_was_measured():
    assert [processes.when_first(ratio) for ratio in (1.0, 1.5, 2.0)] == ["end", "late", "half"]
    assert [processes.started(ratio) for ratio in (0.5, 1.0, 30.0)] == ["faster", "same", "slower"]
    assert [processes.held(share) for share in (0.95, 0.7, 0.4)] == ["all", "most", "part"]


def test_memory_is_read_of_any_process_and_added_up():
    [mine] = processes.memory_of([os.getpid()])
    assert mine.rss_bytes >= (mine.pss_bytes or 0)
    frame = processes.memory_table([Held(30_000_000, 10_000_000), Held(20_000_000, 15_000_000)])
    assert frame.loc["together"].tolist() == [50.0, 25.0]
    assert frame.index.tolist() == ["worker 1", "worker 2", "together"]


def test_memory_that_the_system_does_not_tell_is_not_a_number():
    frame = processes.memory_table([Held(30_000_000, None)])
    assert frame["PSS [MB]"].isna().all()


def test_what_is_not_here_is_said_and_what_is_here_is_tried(monkeypatch):
    monkeypatch.setattr(processes, "interpreter_pool", lambda: None)
    said = processes.within_one_process(abs, [-1, 2], 2)
    assert said[0] == "Interpreters: not available here (InterpreterPoolExecutor came with Python 3.14)."
    monkeypatch.setattr(processes, "interpreter_pool", lambda: ThreadPoolExecutor)
    assert processes.within_one_process(abs, [-1, 2], 2)[0].endswith("2 workers (n = 1), equal results: True.")


def test_a_package_that_refuses_a_second_interpreter_stops_nothing(monkeypatch):
    def refusing(workers):
        raise ImportError("module x does not support loading in subinterpreters")

    monkeypatch.setattr(processes, "interpreter_pool", lambda: refusing)
    said = processes.within_one_process(abs, [1], 2)[0]
    assert said.startswith("Interpreters: there, but it did not work (ImportError: module x")
