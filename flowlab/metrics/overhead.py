"""What measuring itself cost a run, as its records say.

Here is the sum alone; each record's part is worked out where the clocks are read. Invariant: what is said is what
reading the clocks and the marks took, so it is part of the run's wall and never subtracted from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowlab.metrics.record import Record


@dataclass(frozen=True, slots=True)
class Overhead:
    """What measuring cost.

    Attributes:
        measuring_ns: Time spent on measuring, over all processes and threads.
        wall_ns: From the first call's start to the last one's end; None if no call ended.
        calls: How many records there are.
    """

    measuring_ns: int
    wall_ns: int | None
    calls: int

    @property
    def share(self) -> float | None:
        """Measuring as a share of the wall time; at most that much longer did the run take for it."""
        return self.measuring_ns / self.wall_ns if self.wall_ns else None

    def __str__(self) -> str:
        share = "" if self.share is None else f", {100 * self.share:.2g} % of its wall time"
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        return f"measuring {calls} took {self.measuring_ns / 1e6:.3g} ms{share}"


def overhead(records: Iterable[Record]) -> Overhead:
    """Return what measuring cost the calls of these records.

    >>> str(overhead([Record(operation="parse", started_ns=0, ended_ns=1_000_000, overhead_ns=2_000)]))
    'measuring 1 call took 0.002 ms, 0.2 % of its wall time'
    """
    rows = tuple(records)
    started = [row.started_ns for row in rows if row.started_ns is not None]
    ended = [row.ended_ns for row in rows if row.ended_ns is not None]
    wall = max(ended) - min(started) if started and ended else None
    return Overhead(sum(row.overhead_ns or 0 for row in rows), wall, len(rows))
