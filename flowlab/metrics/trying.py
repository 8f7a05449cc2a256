"""Trying: what measuring a call costs here, found out by measuring nothing a few times.

Not here: what it cost a run (`overhead`). Invariant: what is open on this thread is as it was afterwards.
"""

from __future__ import annotations

import time
from contextvars import Context
from typing import NamedTuple

from flowlab.metrics.active import THREAD
from flowlab.metrics.clocks import Clocks
from flowlab.metrics.probes import Measured


class Overhead(NamedTuple):
    """What measuring itself costs, in nanoseconds: a call, one whose CPU was `guessed`, and one more step of a call."""

    call: int
    guessed: int
    step: int


def overhead_ns(clocks: Clocks) -> Overhead:
    """Return what measuring itself costs, the least of several tries."""
    return _OVERHEAD.get(clocks) or _OVERHEAD.setdefault(clocks, Context().run(_try_overhead, clocks))


_OVERHEAD: dict[Clocks, Overhead] = {}


class Nobody:
    """Stands for a recorder where there is none: it keeps nothing."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks

    def next_id(self) -> int:
        """No id."""
        return 0

    def keep(self, call: Measured) -> None:
        """Forget a call."""


def _try_overhead(clocks: Clocks) -> Overhead:
    here, nobody = THREAD.here, Nobody(clocks)
    outer, here.calls[:] = here.calls[:], []
    whole: list[int] = []
    guessed: list[int] = []
    steps: list[int] = []
    try:
        for _ in range(50):
            for found in (whole, guessed):
                began = time.perf_counter_ns()
                call = Measured(nobody, "", None, None, True)
                call.stop()
                ended = time.perf_counter_ns()
                found.append(ended - began)
            call.resume()
            call.pause()
            steps.append(time.perf_counter_ns() - ended)
            here.read_at = -(1 << 60)
    finally:
        here.calls[:] = outer
    return Overhead(min(whole), min(guessed), min(steps))
