"""What is shown: counts of calls, what follows from how they grow, and the picture of both.

Invariant: a remaining time is only there where it is known how many calls there will be; nothing is guessed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WINDOW_S = 20.0
"""A rate is that of the last so many seconds."""
STEP_S = 0.5
"""The readings it is worked out of are at least this far apart."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls of one operation there are.

    Attributes:
        final: No more calls can become known.
        inside: What the running calls said of themselves with `progress`: done and total, added up.
        note: A word about what runs.
    """

    name: str
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    final: bool = True
    inside: tuple[float, float | None] | None = None
    note: str = ""

    @property
    def total(self) -> int:
        """How many calls are known so far."""
        return self.done + self.running + self.waiting + self.failed

    @property
    def ended(self) -> float:
        """How many calls ended, those that run by the share they said."""
        ended = float(self.done + self.failed)
        if self.inside is not None and self.inside[1] and self.running:
            ended += self.running * min(1.0, self.inside[0] / self.inside[1])
        return ended

    @property
    def share(self) -> float:
        """The share of the known calls that ended, 0 to 1."""
        return min(1.0, self.ended / self.total) if self.total else 0.0


def merged(counts: Iterable[Count]) -> Count:
    """The counts of one operation in several runs as one."""
    first, *rest = counts
    for other in rest:
        inside = first.inside or other.inside
        first = Count(
            first.name, first.done + other.done, first.running + other.running, first.waiting + other.waiting,
            first.failed + other.failed, first.final and other.final, inside, other.note or first.note,
        )  # fmt: skip
    return first


@dataclass(frozen=True, slots=True)
class Line:
    """A count with its rate and remaining time, None where they are not known."""

    count: Count
    rate_hz: float | None
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown at one moment.

    Attributes:
        state: "running", "done", "failed" or "stopped".
        sections: The lines of each piece of work, by its title.
    """

    state: str
    elapsed_s: float
    sections: Mapping[str, tuple[Line, ...]]

    def left(self, title: str) -> tuple[float, bool] | None:
        """The remaining time of a section, and whether it is that of all that is left.

        It is the longest of its lines'; what has not begun has no rate, so then it is the least it can be.
        """
        if self.state != "running":
            return None
        lines = [line for line in self.sections[title] if line.left_s != 0]
        known = [line.left_s for line in lines if line.left_s is not None]
        return (max(known), len(known) == len(lines)) if known else None


class Rates:
    """How fast each count grows, from readings at moments that the caller gives."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, str], deque[tuple[float, float]]] = {}

    def line(self, title: str, count: Count, now_s: float) -> Line:
        """A count with its rate and remaining time now."""
        if not (count.running or count.done or count.failed):
            return Line(count, None, None)
        readings = self._readings.setdefault((title, count.name), deque())
        if not readings:
            readings.append((now_s, 0.0 if count.running else count.ended))
        while len(readings) > 1 and now_s - readings[0][0] > WINDOW_S:
            readings.popleft()
        since_s, before = readings[0]
        if now_s - readings[-1][0] >= STEP_S:
            readings.append((now_s, count.ended))
        grown, passed_s = count.ended - before, now_s - since_s
        rate = grown / passed_s if grown > 0 and passed_s > 0 else None
        left = count.total - count.ended
        if not left:
            return Line(count, rate, 0.0 if count.final else None)
        return Line(count, rate, left / rate if rate and count.final else None)
