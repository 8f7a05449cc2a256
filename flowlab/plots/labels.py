"""Names beside points, placed so that none covers another.

The invariant: a name is never dropped; where room is scarce it moves away from its point, and a thin line leads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlab.plots.theme import Theme, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIRECTIONS = ((1, 0.0), (1, 0.9), (1, -0.9), (-1, 0.0), (-1, 0.9), (-1, -0.9), (0, 1.0), (0, -1.0))
_GAPS = (2.0, 10.0, 22.0, 38.0, 58.0)
_NAME, _POINT, _MARK = 20.0, 4.0, 1.0  # how bad it is to cover one
_FAR = 4.0  # square points a name may cover to be one point nearer to its own
_SIDES = {1: "left", -1: "right", 0: "center"}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; all lengths here are points (1/72 inch)."""

    left: float
    low: float
    right: float
    high: float

    @classmethod
    def around(cls, x: float, y: float, radius: float) -> Box:
        """Return the square around a place."""
        return cls(x - radius, y - radius, x + radius, y + radius)

    def overlap(self, other: Box) -> float:
        """Return the area both cover.

        >>> Box(0, 0, 2, 2).overlap(Box(1, 1, 3, 3))
        1
        """
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.high, other.high) - max(self.low, other.low)
        return max(0, width) * max(0, height)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a name goes, seen from its point: `across` is 1 (right), -1 (left) or 0."""

    across: int
    up: float
    distance: float

    def box(self, x: float, y: float, width: float, height: float) -> Box:
        """Return the box of a name of that size beside the point at x, y."""
        left = x + self.across * self.distance - width * {1: 0.0, -1: 1.0, 0: 0.5}[self.across]
        rise = {1: 0.0, -1: 1.0, 0: 0.5}[0 if abs(self.up) < 1 else int(self.up)]
        low = y + self.up * self.distance - height * rise
        return Box(left, low, left + width, low + height)


def best_spot(
    x: float, y: float, radius: float, size: tuple[float, float], taken: Sequence[tuple[Box, float]], frame: Box
) -> Spot:
    """Return the spot where a name of `size` covers least and leaves the frame least, without going far for it.

    Args:
        x, y, radius: The point the name belongs to.
        size: Width and height of the name.
        taken: What had better not be covered, each with its weight.
        frame: Where the name should stay.
    """
    spots = [Spot(across, up, radius + gap) for gap in _GAPS for across, up in _DIRECTIONS]

    def cost(spot: Spot) -> float:
        box = spot.box(x, y, *size)
        outside = box.area - box.overlap(frame)
        return round(
            sum(weight * box.overlap(other) for other, weight in taken) + 3 * outside + _FAR * spot.distance, 3
        )

    return min(spots, key=cost)


def name_points(
    ax: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    theme: Theme,
    *,
    radii: Sequence[float],
    marks: Iterable[tuple[float, float]] = (),
) -> None:
    """Write each name beside its point, clear of the other names, the points and the marks.

    Args:
        points: In data coordinates.
        names: One a point.
        radii: How far each point's mark reaches, in points (1/72 inch).
        marks: Other places, in data coordinates, that had better not be covered.
    """
    figure: Any = ax.figure
    settle(figure)
    scale = 72 / figure.dpi
    frame = _box(ax.get_window_extent(), scale)
    places = [_place(ax, point, scale) for point in points]
    taken = [(Box.around(x, y, radius), _POINT) for (x, y), radius in zip(places, radii, strict=True)]
    taken += [(Box.around(x, y, 3), _MARK) for x, y in (_place(ax, mark, scale) for mark in marks)]
    for point, (x, y), name, radius in zip(points, places, names, radii, strict=True):
        box = _box(ax.text(*point, name).get_window_extent(), scale)
        ax.texts[-1].remove()  # it was there to be measured
        size = box.right - box.left + 2, box.high - box.low + 1  # a little air
        spot = best_spot(x, y, radius, size, taken, frame)
        taken.append((spot.box(x, y, *size), _NAME))
        _write(ax, name, point, spot, radius, theme)


def _write(ax: Axes, name: str, point: tuple[float, float], spot: Spot, radius: float, theme: Theme) -> None:
    far = spot.distance > radius + _GAPS[0]
    line = {"arrowstyle": "-", "color": theme.muted, "linewidth": 0.8, "shrinkA": 0, "shrinkB": radius}
    ax.annotate(
        name, point, xytext=(spot.across * spot.distance, spot.up * spot.distance), textcoords="offset points",
        ha=_SIDES[spot.across], va="center" if abs(spot.up) < 1 else "bottom" if spot.up > 0 else "top", zorder=9,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        arrowprops=line if far else None,
    )  # fmt: skip


def _place(ax: Axes, point: tuple[float, float], scale: float) -> tuple[float, float]:
    x, y = ax.transData.transform(point)
    return scale * float(x), scale * float(y)


def _box(extent: Any, scale: float) -> Box:
    return Box(scale * extent.x0, scale * extent.y0, scale * extent.x1, scale * extent.y1)
