"""The sampler's decisions, on processes made by hand: what is counted, what is read exactly, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowlab.metrics import sampling
from flowlab.metrics.sampling import Budget, ProcReader, Program, PsutilReader, Watch, reader_here

MB = 1 << 20


class Fakes:
    """A reader of processes that tests make, change and end."""

    def __init__(self) -> None:
        self.parents: dict[int, int] = {}
        self.rss: dict[int, int] = {}
        self.pss: dict[int, int | None] = {}
        self.cpu: dict[int, int] = {}
        self.read: list[int] = []

    def start(self, pid: int, parent: int = 0, mb: int = 10, pss_mb: int | None = 10, cpu: int = 0) -> None:
        self.parents[pid], self.rss[pid], self.cpu[pid] = parent, mb * MB, cpu
        self.pss[pid] = None if pss_mb is None else pss_mb * MB

    def end(self, pid: int) -> None:
        for kept in (self.parents, self.rss, self.pss, self.cpu):
            kept.pop(pid)

    def end_zombie(self, pid: int) -> None:
        for kept in (self.parents, self.pss, self.cpu):
            kept.pop(pid)

    def alive(self, pid: int) -> bool:
        return pid in self.rss

    def children(self, pid: int) -> list[int]:
        return [child for child, parent in self.parents.items() if parent == pid]

    def rss_bytes(self, pid: int) -> int | None:
        return self.rss.get(pid)

    def pss_bytes(self, pid: int) -> int | None:
        self.read.append(pid)
        return self.pss.get(pid)

    def cpu_ns(self, pid: int) -> int | None:
        return self.cpu.get(pid)


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.start(1, cpu=5_000_000_000)
    return fakes


def watching(fakes: Fakes) -> Watch:
    return Watch(1, fakes)  # type: ignore[arg-type]


def rich() -> Budget:
    budget = Budget(0.0)
    budget.left_s = 1e9
    return budget


def test_cpu_counts_from_the_watch_on_and_children_from_their_birth(fakes: Fakes) -> None:
    fakes.start(2, parent=1, cpu=3_000_000_000)
    watch = watching(fakes)
    watch.sample(0, rich())
    fakes.cpu[1] += 250_000_000
    fakes.start(3, parent=2, cpu=500_000_000)
    watch.sample(10**9, rich())
    assert watch.cpu_s == [0.0, 0.75]
    assert watch.processes == [2, 3]


def test_what_an_ended_process_used_stays_counted(fakes: Fakes) -> None:
    watch = watching(fakes)
    fakes.start(2, parent=1, cpu=100_000_000)
    watch.sample(0, rich())
    fakes.end(2)
    watch.sample(1, rich())
    assert watch.cpu_s == [0.1, 0.1]
    assert watch.processes == [2, 1]


def test_a_process_that_ended_and_was_not_waited_for_is_counted_once(fakes: Fakes) -> None:
    watch = watching(fakes)
    fakes.start(2, parent=1, cpu=100_000_000)
    watch.sample(0, rich())
    fakes.cpu[2] = 600_000_000
    fakes.rss.pop(2)
    for at in range(1, 5):
        watch.sample(at, rich())
    assert watch.cpu_s == [0.1, 0.6, 0.6, 0.6, 0.6]
    fakes.end_zombie(2)
    watch.sample(6, rich())
    fakes.start(2, parent=1, cpu=50_000_000)
    watch.sample(7, rich())
    assert watch.cpu_s[-2:] == [0.6, pytest.approx(0.65)]


def test_a_process_stays_known_when_the_one_that_started_it_ends(fakes: Fakes) -> None:
    watch = watching(fakes)
    fakes.start(2, parent=1)
    fakes.start(3, parent=2)
    watch.sample(0, rich())
    fakes.end(2)
    fakes.parents[3] = 999
    watch.sample(1, rich())
    assert watch.processes == [3, 2]


def test_a_pid_used_again_is_another_process(fakes: Fakes) -> None:
    watch = watching(fakes)
    fakes.start(2, parent=1, cpu=400_000_000)
    watch.sample(0, rich())
    fakes.start(2, parent=0, cpu=1_000_000)
    watch.sample(1, rich())
    assert (watch.processes, watch.cpu_s) == ([2, 1], [0.4, 0.4])


def test_memory_is_the_sum_over_the_tree_with_shared_pages_once(fakes: Fakes) -> None:
    fakes.start(2, parent=1, mb=300, pss_mb=40)
    watch = watching(fakes)
    watch.sample(0, rich())
    assert watch.memory_bytes == [50 * MB]
    assert watch.result()["method"] == "pss"


def test_where_pss_may_not_be_read_the_resident_set_stands_and_says_so(fakes: Fakes) -> None:
    fakes.start(2, parent=1, mb=300, pss_mb=None)
    watch = watching(fakes)
    watch.sample(0, rich())
    assert watch.memory_bytes == [310 * MB]
    assert watch.result()["method"] == "rss"


def test_between_exact_readings_memory_follows_the_resident_set(fakes: Fakes) -> None:
    fakes.rss[1], fakes.pss[1] = 100 * MB, 60 * MB
    watch, budget = watching(fakes), rich()
    watch.sample(0, budget)
    budget.left_s = -1.0
    fakes.rss[1], fakes.pss[1] = 150 * MB, 105 * MB
    watch.sample(1, budget)
    budget.left_s = 1.0
    watch.sample(2, budget)
    assert watch.memory_bytes == [60 * MB, 110 * MB, 105 * MB]


def test_a_process_that_does_not_change_is_read_exactly_once_a_second(fakes: Fakes) -> None:
    watch, budget = watching(fakes), rich()
    for tick in range(50):
        watch.sample(tick * 50_000_000, budget)
    assert len(fakes.read) == 3


def test_the_last_sample_is_exact_whatever_it_costs(fakes: Fakes) -> None:
    program = Program(os.getppid(), 50, fakes)  # type: ignore[arg-type]
    program.budget.left_s = -5.0
    assert program.answer(["watch", "7", "1"]) == {"watching": True}
    assert program.answer(["stop", "7"])["memory_bytes"] == [10 * MB, 10 * MB]
    assert fakes.read == [1, 1]
    assert program.watches == {}


def test_a_budget_grows_with_time_up_to_a_quarter_of_a_second() -> None:
    budget = Budget(0.0, share=0.1)
    budget.left_s = -1.0
    budget.grant(5.0)
    assert budget.left_s == pytest.approx(-0.5)
    budget.grant(1000.0)
    assert budget.left_s == 0.25


def test_samples_come_more_rarely_when_they_cost_more(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter(range(1000))
    monkeypatch.setattr(sampling.time, "thread_time", lambda: next(spent) * 0.01)
    program = Program(os.getppid(), 50, fakes)  # type: ignore[arg-type]
    program.watches["a"] = watching(fakes)
    for _ in range(60):
        program.budget.left_s = -1.0
        program.tick(program.budget.at_s)
    assert program.interval_s == pytest.approx(0.01 / sampling.TICK_SHARE, rel=0.01)


def test_an_endless_watch_keeps_a_bounded_number_of_samples_and_its_peak(fakes: Fakes) -> None:
    watch, budget = watching(fakes), rich()
    for tick in range(sampling.MOST_SAMPLES + 10):
        fakes.rss[1] = 500 * MB if tick == 1234 else 10 * MB
        fakes.pss[1] = fakes.rss[1]
        watch.sample(tick, budget)
    assert len(watch.times_ns) < sampling.MOST_SAMPLES
    assert max(watch.memory_bytes) == 500 * MB
    assert len(watch.times_ns) == len(watch.memory_bytes) == len(watch.cpu_s) == len(watch.processes)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A recorded /proc with one process, two threads, and a child of each."""
    for tid, children in (("7", "8 "), ("70", "9 ")):
        (tmp_path / "7/task" / tid).mkdir(parents=True)
        (tmp_path / "7/task" / tid / "children").write_text(children, encoding="utf-8")
    (tmp_path / "7/stat").write_text("7 (odd) name) S 1 7 7 0 -1 0 0", encoding="utf-8")
    (tmp_path / "7/statm").write_text("1000 300 100 1 0 200 0\n", encoding="utf-8")
    rollup = "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:     1200 kB\nPss:      640 kB\nPss_Dirty: 10 kB\n"
    (tmp_path / "7/smaps_rollup").write_text(rollup, encoding="utf-8")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/stat").write_text("8 (gone) Z 7 7 7", encoding="utf-8")
    return tmp_path


def test_proc_files_are_read_as_they_are_written(proc: Path) -> None:
    reader = ProcReader(str(proc))
    assert (reader.alive(7), reader.alive(8), reader.alive(9)) == (True, False, False)
    assert sorted(reader.children(7)) == [8, 9]
    assert reader.rss_bytes(7) == 300 * sampling.PAGE
    assert reader.pss_bytes(7) == 640 * 1024
    assert (reader.rss_bytes(9), reader.pss_bytes(9), reader.children(9)) == (None, None, [])


@pytest.mark.parametrize("reader", [reader_here(), PsutilReader()], ids=["of this system", "psutil"])
def test_a_reader_knows_this_process_and_no_process_that_is_not_there(reader: ProcReader | PsutilReader) -> None:
    pid = os.getpid()
    assert reader.alive(pid)
    assert (reader.rss_bytes(pid) or 0) > 5 * MB
    assert (reader.cpu_ns(pid) or 0) > 10_000_000
    nobody = 2**22 - 3
    assert (reader.alive(nobody), reader.rss_bytes(nobody), reader.cpu_ns(nobody)) == (False, None, None)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="there is no such precedence here")
@pytest.mark.parametrize("error", [PermissionError, AttributeError])
def test_where_it_may_not_run_before_others_it_runs_as_they_do(error, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*how: object) -> None:
        asked.append(how)
        raise error

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    sampling.take_precedence()
    assert [how[:2] for how in asked] == [(0, os.SCHED_RR)] and os.sched_getscheduler(0) == before
