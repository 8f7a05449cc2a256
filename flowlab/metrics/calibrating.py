"""Calibrating: reading a machine's energy counters under different loads, for a power profile of its own.

Here is making the loads and reading around them. Not here: the fit (`power`) and the counters (`rapl`). Invariant: what
it starts has ended when it returns.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowlab.errors import SettingError
from flowlab.machine import Machine, busy_s
from flowlab.metrics.power import Profile, Reading, fitted
from flowlab.metrics.rapl import Rapl

_SPIN = "while True: pass"


class Meter:
    """Reads the energy counters and the busy time of the machine around a piece of work.

    Args:
        rapl: The counters.
        root: The folder that holds `proc`; tests pass a fake one.
        clock: Where time comes from.
    """

    def __init__(
        self, rapl: Rapl | None = None, root: Path = Path("/"), clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.rapl = rapl or Rapl()
        self.root = root
        self.clock = clock
        self._before: tuple[dict[str, int], float | None, float] | None = None

    def start(self) -> None:
        """Begin."""
        self._before = (self.rapl.read(), busy_s(self.root), self.clock())

    def stop(self) -> Reading | None:
        """End, and return what was read; None where there are no counters, or busy time is not told.

        Memory that has a counter of its own is left out: it is another part of the sum.
        """
        before, self._before = self._before, None
        if before is None or not before[0]:
            return None
        counted, busy, wall_s = self.rapl.joules(before[0], self.rapl.read()), busy_s(self.root), self.clock()
        if busy is None or before[1] is None:
            return None
        joules = sum(value for name, value in counted.items() if name != "dram")
        return Reading(joules, wall_s - before[2], busy - before[1])


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep so many cores busy while the block lasts."""
    programs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", _SPIN]) for _ in range(cores)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()


def calibrate(step_s: float = 2.0, meter: Meter | None = None, sleep: Callable[[float], None] = time.sleep) -> Profile:
    """Return a power profile fitted to this machine: idle, then with one core busy and more, twice each.

    Args:
        step_s: How long each load lasts; the counters move every millisecond, the busy time every 10.
        meter: What reads; tests pass their own.
        sleep: Waits while a load lasts.

    Raises:
        SettingError: This machine has no energy counters that may be read.
    """
    meter = meter or Meter()
    if not meter.rapl.works:
        raise SettingError(
            "this machine has no energy counters that may be read (RAPL, often for root only): use a named profile"
        )
    cores = Machine.detect().cores
    readings = []
    for load in 2 * sorted({0, 1, cores // 2, cores}):
        with busy(load):
            meter.start()
            sleep(step_s)
            found = meter.stop()
        if found is not None:
            readings.append(found)
    return fitted(readings, cores=cores)
