"""What befalls the file: kills at any moment, two writers, full disks, folders nobody can write in."""

from __future__ import annotations

import json
import os
import random
import select
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import flowlab as fl
from flowlab.stored import StoreWarning

LOSS_NS = 1_000_000_000
BEGIN = """
import os, sys, time, flowlab as fl
def say(n):
    os.write(1, f"{n} {time.perf_counter_ns()}\\n".encode())
"""
FLOW = """
@fl.operation(outputs="n", expand=True)
def numbers(): return range(100_000)
@fl.operation(outputs="done")
def step(n):
    time.sleep(0.005)
    fl.metric(n=n)
    say(n)
    return n
with fl.store(sys.argv[1]):
    fl.DataFlow(numbers, step, name="steps").run({}, outputs=["done"], executor=sys.argv[2], workers=2)
"""
RECORDER = """
with fl.store(sys.argv[1]), fl.Recorder():
    for n in range(100_000):
        with fl.span("step"):
            time.sleep(0.005)
            fl.metric(n=n)
            say(n)
"""
COMPARISON = """
pipe = sys.argv[2]
with fl.store(sys.argv[1]):
    def work(n):
        time.sleep(0.005)
        fl.metric(n=n)
        with open(pipe, "a") as file:
            print(n, time.perf_counter_ns(), file=file, flush=True)
    @fl.operation(outputs="n", expand=True)
    def numbers(): return range(100_000)
    fl.compare((fl.DataFlow(numbers, fl.operation(outputs="done", name="step")(work), name="steps"), {}),
               strategies=["inline"], repeats=1, say=lambda text: None)
"""


@contextmanager
def started(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def check_what_is_left(path: Path, told: list[tuple[int, int]], killed_ns: int) -> None:
    """All calls told a second before the kill are there; longer before, if the machine itself stood still meanwhile."""
    stood_still = max(
        (later[1] - earlier[1] for earlier, later in zip(told[-100:], told[-99:], strict=False)), default=0
    )
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = fl.load("last", path)
    there = [record.custom["n"] for record in found.records if record.operation == "step"]
    assert found.status == "lost"
    assert {n for n, at_ns in told if at_ns < killed_ns - LOSS_NS - stood_still} <= set(there)
    assert len(set(there)) == len(there)


@pytest.mark.parametrize(
    ("program", "executor", "seed"),
    [(FLOW, "inline", 1), (FLOW, "inline", 2), (FLOW, "threads", 3), (FLOW, "asyncio", 4), (RECORDER, "", 5)],
    ids=["inline", "inline again", "threads", "asyncio", "a recorder"],
)
def test_a_kill_at_any_moment_loses_at_most_the_last_second(path: Path, program: str, executor: str, seed: int) -> None:
    lines = random.Random(seed).randint(1, 500)
    with started(program, str(path), executor) as process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        killed_ns = time.perf_counter_ns()
        read += process.stdout.readlines()
    told = [(int(n), int(at)) for n, at in (line.split() for line in read if line.endswith("\n"))]
    check_what_is_left(path, told, killed_ns)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("seed", [6, 7])
def test_a_kill_in_the_middle_of_a_comparison_loses_at_most_the_last_second(
    path: Path, tmp_path: Path, seed: int
) -> None:
    pipe = tmp_path / "told"
    os.mkfifo(pipe)
    lines = random.Random(seed).randint(1, 400)
    with started(COMPARISON, str(path), str(pipe)) as process, Lines(pipe) as source:
        told = [source.next() for _ in range(lines)]
        process.kill()
        killed_ns = time.perf_counter_ns()
    found = fl.load("last", path)
    assert found.kind == "comparison" and found.runs[0].name == "inline" and found.runs[0].status == "lost"
    check_what_is_left(path, told, killed_ns)


class Lines:
    """The lines of a named pipe that is opened anew for each."""

    def __init__(self, pipe: Path) -> None:
        self.file = os.fdopen(os.open(pipe, os.O_RDWR), "rb", buffering=0)  # writers never wait for a reader to come
        self.rest = b""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def next(self) -> tuple[int, int]:
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.file], [], [], 60)
            assert ready, "nobody writes"
            self.rest += self.file.read(4096) or b""
        line, _, self.rest = self.rest.partition(b"\n")
        n, at_ns = line.split()
        return int(n), int(at_ns)


WRITER = """
double = fl.operation(outputs="b")(lambda a: 2 * a)
flow = fl.DataFlow(double, name=sys.argv[2])
with fl.store(sys.argv[1]) as opened:
    sys.stdin.readline()
    for n in range(60):
        flow.map([{"a": n} for n in range(20)])
        if n % 3 == 0:
            opened.ids
"""


def test_two_processes_write_at_once_and_nothing_is_lost(path: Path) -> None:
    with started(WRITER, str(path), "one") as first, started(WRITER, str(path), "two") as second:
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        while first.poll() is None and second.poll() is None:
            fl.runs(path)  # and a third reads
        assert (first.wait(), second.wait()) == (0, 0)
    found = fl.runs(path)
    assert sorted(run.name for run in found) == ["one"] * 60 + ["two"] * 60
    assert {(run.calls, run.status) for run in found} == {(20, "ended")}


def test_many_processes_make_the_file_at_once_and_it_is_one(path: Path) -> None:
    code = "sys.stdin.readline()\nwith fl.store(sys.argv[1]):\n    fl.Recorder().measured(len)('')\n"
    processes = [
        subprocess.Popen([sys.executable, "-c", BEGIN + code, str(path)], stdin=subprocess.PIPE) for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 4 and len(fl.runs(path)) == 4
    assert {entry.name for entry in path.parent.iterdir()} <= {"runs.db", "runs.db-wal", "runs.db-shm"}


FULL = """
import resource
double = fl.operation(outputs="b")(lambda a: 2 * a)
opened = fl.store(sys.argv[1])
with opened:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for _ in range(3):
        runs = fl.DataFlow(double).map([{"a": n} for n in range(2000)])
        opened.ids
print(sum(run["b"] for run in runs))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits here")
def test_a_full_disk_is_one_warning_and_the_run_goes_on(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BEGIN + FULL, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(2 * sum(range(2000)))
    assert done.stderr.count("StoreWarning") == 1 and "the run goes on" in done.stderr and str(path) in done.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_file_whose_log_was_taken_over_in_part_is_still_a_store(flow: fl.DataFlow, path: Path) -> None:
    """So a disk that gets full leaves it, or a kill: the first page tells of pages that are in the log alone."""
    with fl.store(path):
        flow.run({"count": 3})
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.executemany("INSERT INTO sample VALUES (1, ?, 0, 0, 1)", ((n,) for n in range(2000)))
        before, logged = path.read_bytes(), log.read_bytes()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        after = path.read_bytes()
    assert len(before) < len(after)
    path.write_bytes(after[:4096] + before[4096:])
    log.write_bytes(logged)
    assert [run.calls for run in fl.runs(path)] == [8]
    with fl.store(path):
        flow.run({"count": 3})
    assert [run.calls for run in fl.runs(path)] == [8, 8]
    samples = fl.load(fl.runs(path)[0], path).samples
    assert samples is not None and len(samples.times_ns) == 2000


@pytest.mark.parametrize("folder", ["a file", "/proc", "read-only"])
def test_a_folder_nobody_can_write_in_is_one_warning_and_the_run_goes_on(
    flow: fl.DataFlow, tmp_path: Path, folder: str
) -> None:
    if folder == "a file":
        (tmp_path / "file").write_text("mine")
        place = tmp_path / "file"
    elif folder == "/proc":
        if not Path("/proc/self").exists():
            pytest.skip("there is no /proc here")
        place = Path("/proc/flowlab-test")
    else:
        if not hasattr(os, "geteuid") or os.geteuid() == 0:
            pytest.skip("this user may write everywhere")
        place = tmp_path / "closed"
        place.mkdir(mode=0o500)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with fl.store(place / "runs.db") as opened:
            assert flow.run({"count": 3})["total"] == 5
            with fl.Recorder().span("load"):
                pass
        assert opened.ids == ()
    assert [warning.category for warning in said] == [StoreWarning]


def test_a_store_held_by_another_process_is_written_to_when_it_lets_go(flow: fl.DataFlow, path: Path) -> None:
    from flowlab.stored import file

    with fl.store(path) as opened:
        assert opened.ids == ()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            keeper = opened._keeper
            assert keeper._connection is not None
            keeper._connection.execute("PRAGMA busy_timeout=1")
            flow.run({"count": 3})
            keeper.flush()
            other.execute("COMMIT")
        assert file.BUSY_S > 1
    assert [run.calls for run in fl.runs(path)] == [8]


def test_a_value_no_database_has_is_kept_as_text(path: Path) -> None:
    with fl.store(path):
        recorder = fl.Recorder()
        with recorder.span("load"):
            fl.metric(rows=2**70, when=Path("x"), pair=(1, 2))
    (record,) = fl.load("last", path).records
    assert json.loads(json.dumps(dict(record.custom))) == {"rows": 2**70, "when": "x", "pair": [1, 2]}
