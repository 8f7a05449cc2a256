"""Notebook 01's laboratory: work whose cost is known, and what the probes say of it.

Here: a sleep, a spin, a block of memory, a lock and a crowded core; three probes for memory; a measured loop. Not here:
the branches (`probes`), and measuring itself (`metrics`). The invariant: what each piece of work costs is known
beforehand, so that a probe can be wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from flowlab.adventure.branches.races import Race, race
from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.metrics import Record, Recorder, measured

MB = 1_000_000
BLOCK_BYTES = 64 * MB
"""So large that the allocator asks the system for it, and gives it back at once."""
HOWS = ("asked for", "written", "written, dropped")
CALLS = 1000
LEVELS = ("off", "time", "full")
CAPTION = (
    "Where the wall time of each piece of work went: solid is CPU, barred is ready while others have the cores, "
    "hatched is blocked; pale was not divided. Each ran once, in this kernel, so there is no spread;"
)
_NEIGHBOUR = """
import os, sys, time
if sys.argv[1]:
    os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + 30
print("busy", flush=True)
while time.monotonic() < end:
    pass
"""


def cases(part_s: float) -> dict[str, Callable[[], object]]:
    """Return pieces of work by name: three that sleep, compute or wait for so many seconds, and a block of memory."""
    return {
        "sleep": lambda: time.sleep(part_s),
        "spin": lambda: spin(part_s),
        "lock": lambda: wait_for_lock(part_s),
        "allocate": lambda: len(bytearray(BLOCK_BYTES)),
    }


def spin(seconds: float) -> None:
    """Use so many seconds of this thread's CPU."""
    end = time.thread_time_ns() + int(seconds * 1e9)
    while time.thread_time_ns() < end:
        pass


def wait_for_lock(seconds: float) -> None:
    """Wait for a lock that another thread holds for so many seconds."""
    lock = threading.Lock()
    lock.acquire()
    timer = threading.Timer(seconds, lock.release)
    timer.start()
    with lock:
        timer.join()


@contextmanager
def crowded() -> Iterator[None]:
    """Have this thread share its core with another process that computes without pause, until the block ends.

    Where a thread cannot be kept to one core, every core gets such a neighbour.
    """
    pins = hasattr(os, "sched_setaffinity")
    cores: Any = os.sched_getaffinity(0) if pins else range(os.cpu_count() or 1)
    core = max(cores)
    with ExitStack() as stack:
        for _ in [core] if pins else cores:
            stack.enter_context(_neighbour(str(core) if pins else ""))
        if pins:
            os.sched_setaffinity(0, {core})
            stack.callback(os.sched_setaffinity, 0, cores)
        yield


@contextmanager
def _neighbour(core: str) -> Iterator[None]:
    command = [sys.executable, "-S", "-c", _NEIGHBOUR, core]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            if process.stdout is not None:
                process.stdout.readline()
            yield
        finally:
            process.kill()


def adds_up(record: Record) -> bool:
    """Return whether a record's wall time is its CPU, run-queue and blocked time, or those are not known here."""
    if record.runqueue_ns is None or record.blocked_ns is None:
        return record.blocked_ns is None
    return record.wall_ns == (record.cpu_ns or 0) + record.runqueue_ns + record.blocked_ns


def largest(record: Record) -> str:
    """Return what most of a record's wall time was: cpu, queue or blocked; queueing is blocked where it is not told."""
    wall, cpu, queue = record.wall_ns or 0, record.cpu_ns or 0, record.runqueue_ns or 0
    parts = {"cpu": cpu, "queue": queue, "blocked": wall - cpu - queue}
    return max(parts, key=lambda name: parts[name])


def times(record: Record, of: str = "cpu_ns") -> float:
    """Return how many times as long a call took as it had of one of its times: of the CPU, 1 for a spin left alone."""
    return (record.wall_ns or 0) / max(getattr(record, of) or 0, 1)


def bars(records: Sequence[Record]) -> Any:
    """Return the records as stacked bars, one bar a record: computing, waiting for a core, blocked."""
    from flowlab.comparison import Comparison
    from flowlab.comparison.result import StrategyRun
    from flowlab.machine import Machine
    from flowlab.plots import breakdown

    runs = tuple(
        StrategyRun(record.operation, 0, order, wall_s=(record.wall_ns or 0) / 1e9, records=(record,))
        for order, record in enumerate(records)
    )
    machine = Machine.detect()
    chart = breakdown(Comparison("known costs", tuple(run.strategy for run in runs), runs, machine))
    return replace(chart, caption=f"{CAPTION} {machine.sentence()}.")


def allocate(how: str, n_bytes: int) -> object:
    """Return a block of memory that was only asked for, or one that was written; a dropped one is given back before.

    `bytes(n)` asks the system for zeroed memory and writes none of it; `bytearray(n)` writes every byte.
    """
    if how == "asked for":
        return bytes(n_bytes)
    block = bytearray(n_bytes)
    return block if how == "written" else len(block)


def memory_told(n_bytes: int = BLOCK_BYTES) -> dict[str, dict[str, int | None]]:
    """Return what three probes say of a block, in bytes: by how it was allocated, by probe; None is not known.

    The probes: tracemalloc's peak of Python's own allocations; the growth of this process's resident set, read before
    and after; the high-water mark of a worker process that does nothing else meanwhile.
    """
    worker = _worker_told(n_bytes)
    return {
        how: {
            "tracemalloc": _traced(how, n_bytes),
            "resident set": _resident(how, n_bytes),
            "high-water mark": worker[how],
        }
        for how in HOWS
    }


def sees(told: int | None, n_bytes: int = BLOCK_BYTES) -> bool:
    """Return whether a probe saw a block: it told of more than half of it."""
    return told is not None and told > n_bytes / 2


def memory_answer(told: Mapping[str, Mapping[str, int | None]]) -> str:
    """Return who saw a block that was asked for and not written: python, system, both or neither."""
    python, system = sees(told["asked for"]["tracemalloc"]), sees(told["asked for"]["resident set"])
    return "both" if python and system else "python" if python else "system" if system else "neither"


def _traced(how: str, n_bytes: int) -> int:
    tracemalloc.start()
    try:
        kept = allocate(how, n_bytes)
        peak = tracemalloc.get_traced_memory()[1]
        del kept
        return peak
    finally:
        tracemalloc.stop()


def _resident(how: str, n_bytes: int) -> int | None:
    from flowlab.metrics.sampling import reader_here

    reader, pid = reader_here(), os.getpid()
    before = reader.rss_bytes(pid)
    kept = allocate(how, n_bytes)
    after = reader.rss_bytes(pid)
    del kept
    return None if before is None or after is None else after - before


@operation(outputs="held")
def hold(how: str, n_bytes: int) -> bool:
    """Allocate a block in a worker process, and let it go."""
    return allocate(how, n_bytes) is not None


def _worker_told(n_bytes: int) -> dict[str, int | None]:
    flow = DataFlow(hold, name="one block", definitions=[Definition("how", many=True)])
    given: dict[str, Any] = {"how": ["written", *HOWS], "n_bytes": n_bytes}  # the first warms the worker up
    run = flow.run(given, outputs=["held"], executor="processes", workers=1, level="full")
    calls = sorted((r for r in run.records if r.operation == "hold"), key=lambda record: record.started_ns or 0)
    return {how: record.mem_peak_bytes for how, record in zip(HOWS, calls[1:], strict=True)}


@measured
def tiny(number: int) -> int:
    """Return one more: a call that costs next to nothing."""
    return number + 1


def observers(repeats: int, calls: int = CALLS) -> Race:
    """Race a loop of tiny measured calls under every level of measuring against itself."""

    def loop(level: str) -> tuple[int, int]:
        with Recorder(level=level) as recorder:
            total = sum(tiny(number) for number in range(calls))
        return total, len(recorder.records)

    return race({level: lambda level=level: loop(level) for level in LEVELS}, repeats)  # type: ignore[misc]


def cost_answer(each_s: float) -> str:
    """Return which answer a measured cost of a call makes right: free (below 0.1 us), little (below 100 us) or much."""
    return "free" if each_s < 1e-7 else "little" if each_s < 1e-4 else "much"
