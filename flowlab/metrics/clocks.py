"""The clocks: where wall, CPU, run-queue time and traced memory come from, and what reading them costs.

Here are the readings alone. Not here: the calls they are read around (`probes`). Invariant: each thread's CPU and
run-queue time are read by that thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from flowlab.metrics.active import THREAD

NEAR_NS = 10_000
"""Between two readings of a thread's clocks this near each other it ran: the second is worked out from the first."""
WAITED_NS = 20_000
"""The same for how long it waited for a core: what it can have waited in between is less than this."""


def runqueue_ns() -> int | None:
    """Return how long this thread has waited for a core so far, None where the system does not say.

    The thread's file stays open: opening costs far more than reading.

    Source: Linux, Documentation/scheduler/sched-stats.rst, second field of /proc/PID/task/TID/schedstat.
    """
    here = THREAD.here
    fd = here.schedstat
    if fd is None:
        fd = here.open_schedstat()
    if fd < 0:
        return None
    try:
        found = int(os.pread(fd, 64, 0).split()[1])
    except (OSError, IndexError):
        return None
    here.waited_ns = found
    here.waited_at = time.perf_counter_ns()
    return found


def runqueue_near(within_ns: int = WAITED_NS) -> int | None:
    """Return the same, or the last reading if that was less than `within_ns` ago, as for the start of a call."""
    here = THREAD.here
    if time.perf_counter_ns() - here.waited_at < within_ns:
        return here.waited_ns
    return runqueue_ns()


@dataclass(frozen=True, slots=True)
class Traced:
    """Reading traced memory: `read` returns (now, highest since `reset`) in bytes, as `tracemalloc` does."""

    read: Callable[[], tuple[int, int]]
    reset: Callable[[], object]


def tracemalloc_clocks(clocks: Clocks) -> Clocks:
    """Return the clocks with memory traced at the edges of steps: exact, and 1x to 14x slower code."""
    import tracemalloc

    return replace(clocks, memory=Traced(tracemalloc.get_traced_memory, tracemalloc.reset_peak), near=False)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from; tests pass their own.

    Attributes:
        near: Only this thread's real time is read, so that a reading a moment ago tells what it is now.
    """

    wall: Callable[[], int] = time.perf_counter_ns
    cpu: Callable[[], int] = time.thread_time_ns
    runqueue: Callable[[], int | None] | None = None
    cpu_method: str = "thread_time"
    memory: Traced | None = None
    near: bool = False


TIME = Clocks(near=True)
FULL = Clocks(runqueue=runqueue_ns, near=True)


def blocked_ns(wall_ns: int | None, cpu_ns: int | None, runqueue_ns: int | None) -> int | None:
    """Return what is left of a call's wall, None if not known or if its work ran on several cores at once."""
    if wall_ns is None or cpu_ns is None or runqueue_ns is None:
        return None
    left = wall_ns - cpu_ns - runqueue_ns
    return left if left >= -wall_ns // 100 else None


@dataclass(frozen=True, slots=True)
class Readings:
    """What reading each clock costs here, in nanoseconds."""

    wall: int
    cpu: int
    runqueue: int


@lru_cache(maxsize=1)
def readings_ns() -> Readings:
    """Return what reading each clock costs, the least of several tries."""

    def least(read: Callable[[], object]) -> int:
        found = []
        for _ in range(20):
            began = time.perf_counter_ns()
            read()
            found.append(time.perf_counter_ns() - began)
        return min(found)

    wall = least(time.perf_counter_ns) // 2  # that reading, and the one after it
    return Readings(wall, max(0, least(time.thread_time_ns) - wall), max(0, least(runqueue_ns) - wall))
