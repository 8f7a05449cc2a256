"""Routes: how arrows run between the frames of the map.

Here: geometry only. Frames stand in columns and rows; arrows run in the corridors left of the columns and in the gaps
between the rows. The invariant: no arrow runs through a frame, and where several share a corridor, a gap or the side
of a frame, each has a lane of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Cell = tuple[int, int]
Point = tuple[float, float]
BOX = (1.72, 0.62)
STEP = (2.3, 1.0)
ROOM = {"corridor": 0.4, "gap": 0.22, "side": 0.36, "end": 0.8}
"""How far apart the outermost lanes may be, by kind of place."""


def place(cell: Cell) -> Point:
    """Return the middle of the frame in that column and row."""
    return cell[0] * STEP[0], -cell[1] * STEP[1]


@dataclass(frozen=True, slots=True)
class _Way:
    """One arrow: where it leaves and enters (-1 left, 1 right, 0 below or above), and what it runs through between."""

    start: Cell
    end: Cell
    leaves: int
    enters: int
    corridors: tuple[int, ...] = ()
    gap: int | None = None

    @property
    def shared(self) -> list[tuple[str, object]]:
        """What it shares with other arrows, each a kind of place and which one, in the order in which it meets them."""
        kind = "side" if self.corridors else "end"
        found: list[tuple[str, object]] = [(kind, (self.start, self.leaves)), (kind, (self.end, self.enters))]
        if not self.corridors:
            return [("end", frozenset((self.start, self.end)))]
        found += [("corridor", each) for each in self.corridors]
        return [*found, ("gap", self.gap)] if self.gap is not None else found


def routes(legs: Sequence[tuple[Cell, Cell]]) -> list[list[Point]]:
    """Return the corners of an arrow for every leg, from a frame to a frame."""
    ways = [_way(start, end) for start, end in legs]
    counts = Counter(each for way in ways for each in way.shared)
    taken: Counter[tuple[str, object]] = Counter()
    found = []
    for way in ways:
        lanes = []
        for each in way.shared:
            lanes.append(ROOM[each[0]] * ((taken[each] + 0.5) / counts[each] - 0.5))
            taken[each] += 1
        found.append(_corners(way, lanes))
    return found


def _way(start: Cell, end: Cell) -> _Way:
    (column, row), (aim, aimed_row) = start, end
    if column == aim:
        return _Way(start, end, 0, 0) if abs(row - aimed_row) == 1 else _Way(start, end, -1, -1, (column,))
    forward = aim > column
    leaves, enters = (1, -1) if forward else (-1, 1)
    first, last = (column + 1, aim) if forward else (column, aim + 1)
    if first == last:
        return _Way(start, end, leaves, enters, (first,))
    return _Way(start, end, leaves, enters, (first, last), max(aimed_row, 1))


def _corners(way: _Way, lanes: Sequence[float]) -> list[Point]:
    (x1, y1), (x2, y2) = place(way.start), place(way.end)
    half_width, half_height = BOX[0] / 2, BOX[1] / 2
    if not way.corridors:
        down = -1 if y2 < y1 else 1
        return [(x1 + lanes[0], y1 + down * half_height), (x1 + lanes[0], y2 - down * half_height)]
    y1, y2 = y1 + lanes[0], y2 + lanes[1]
    across = [_corridor(column) + lane for column, lane in zip(way.corridors, lanes[2:], strict=False)]
    start, end = (x1 + way.leaves * half_width, y1), (x2 + way.enters * half_width, y2)
    if way.gap is None:
        return [start, (across[0], y1), (across[0], y2), end]
    along = (0.5 - way.gap) * STEP[1] + lanes[-1]
    return [start, (across[0], y1), (across[0], along), (across[1], along), (across[1], y2), end]


def _corridor(column: int) -> float:
    """Return the middle of the corridor left of a column."""
    return column * STEP[0] - STEP[0] / 2
