"""The tradeoff: two costs against each other, and what each strategy pays in energy.

Drawing only. The invariant: every repeat is shown, a median never stands without its interval, and energy is never
shown without its band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.errors import PlotError, SettingError, require
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.labels import name_points
from flowlab.plots.sources import Source, compared, whence
from flowlab.plots.spread import median_interval
from flowlab.plots.theme import (
    FAINT,
    NARROW_IN,
    PALE,
    SOFT,
    VERMILLION,
    WIDE_IN,
    Look,
    Theme,
    new_figure,
    strategy_looks,
)
from flowlab.plots.wording import Quantity, listing, quantity, sentence_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class _Point:
    """One strategy in the plane of two quantities; `band` is what a model says of its y, if y comes from a model."""

    strategy: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[float, float] | None = None

    @property
    def middle(self) -> tuple[float, float]:
        return median(self.x), median(self.y)


def tradeoff(
    source: Source,
    *,
    x: str = "wall_s",
    y: str = "peak_bytes",
    chosen: str | None = None,
    theme: str = "light",
    narrow: bool = False,
) -> Chart:
    """Return two costs of every strategy against each other, and `x` against the energy estimate beside it.

    Every repeat is a faint mark, the median a full one with its 95 % bootstrap interval; a step line joins the
    strategies that none beats in both (the Pareto frontier).

    Args:
        source: A comparison, or a run that was sampled; stored or not.
        x, y: What to compare by: wall_s, cpu_s, start_s, peak_bytes, bytes_moved or energy_j.
        chosen: The reader's choice of strategy, ringed.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        SettingError: `x`, `y` or `chosen` is unknown.
        PlotError: No strategy has both quantities.
    """
    comparison = compared(source)
    if chosen is not None and chosen not in comparison.strategies:
        raise SettingError(f"no strategy {chosen!r} to mark: this comparison has {', '.join(comparison.strategies)}.")
    facets = [(quantity(y), _points(comparison, x, y))]
    if "energy_j" not in (x, y) and (points := _points(comparison, x, "energy_j")):
        facets.append((quantity("energy_j"), points))
    if not facets[0][1]:
        raise PlotError(f"no strategy has both {x} and {y} in a run that ended, so there is no point to draw.")
    frame = require("pandas", extra="demo", why="to keep a figure's data").DataFrame(
        [_row(run, dict.fromkeys([x, y, "energy_j"])) for run in _ended(comparison)]
    )

    def draw(look: Theme, small: bool) -> Figure:
        return _figure(quantity(x), facets, strategy_looks(comparison.strategies), chosen, look, small)

    return new_chart(
        draw,
        alt=_alt(quantity(x), facets, chosen),
        caption=_caption(comparison, facets, whence(source)),
        data=frame,
        theme=theme,
        narrow=narrow,
    )


def value_of(run: StrategyRun, column: str) -> float | None:
    """Return one quantity of one run; None if it was not measured."""
    if column == "energy_j":
        return run.energy.total_j if run.energy else None
    value: float | None = getattr(run, column)
    return value


def _ended(comparison: Comparison) -> list[StrategyRun]:
    return [run for run in comparison.runs if run.error is None]


def _points(comparison: Comparison, x: str, y: str) -> list[_Point]:
    quantity(x), quantity(y)
    points = []
    for strategy in comparison.strategies:
        runs = [run for run in comparison.runs_of(strategy) if run.error is None]
        both = [
            (run, a, b) for run in runs if (a := value_of(run, x)) is not None and (b := value_of(run, y)) is not None
        ]
        if not both:
            continue
        energies = [run.energy for run, _, _ in both if run.energy] if y == "energy_j" else []
        band = (median(e.low_j for e in energies), median(e.high_j for e in energies)) if energies else None
        points.append(_Point(strategy, tuple(a for _, a, _ in both), tuple(b for _, _, b in both), band))
    return points


def _row(run: StrategyRun, columns: Mapping[str, None]) -> dict[str, object]:
    row: dict[str, object] = {"strategy": run.strategy, "repeat": run.repeat}
    row |= {column: value_of(run, column) for column in columns}
    if run.energy:
        row |= {"energy_low_j": run.energy.low_j, "energy_high_j": run.energy.high_j}
    return row


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other beats in both coordinates (less is better), from left to right.

    >>> frontier([(1, 5), (2, 3), (3, 4), (4, 1)])
    [0, 1, 3]
    """
    best: list[int] = []
    for index in sorted(range(len(points)), key=lambda index: points[index]):
        if not best or points[index][1] < points[best[-1]][1]:
            best.append(index)
    return best


def _alt(x: Quantity, facets: Sequence[tuple[Quantity, list[_Point]]], chosen: str | None) -> str:
    y, points = facets[0]
    least_x, least_y = min(points, key=lambda p: p.middle[0]), min(points, key=lambda p: p.middle[1])
    each = "; ".join(f"{p.strategy} {x.say(p.middle[0])}, {y.say(p.middle[1])}" for p in points)
    front = [points[index].strategy for index in frontier([p.middle for p in points])]
    said = [
        f"{x.label} against {y.label} of {len(points)} strategies, medians: {each}.",
        f"Least {x.label}: {least_x.strategy}; least {y.label}: {least_y.strategy}.",
        f"Beaten by none in both: {listing(front)}.",
    ]
    for z, others in facets[1:]:
        low, high = min(others, key=lambda p: p.middle[1]), max(others, key=lambda p: p.middle[1])
        said.append(
            f"{z.label}: from {z.say(low.middle[1])} ({low.strategy}) to {z.say(high.middle[1])} ({high.strategy})."
        )
    if chosen is not None:
        said.append(f"Your choice: {chosen}.")
    return " ".join(sentence_case(part) for part in said)


def _caption(comparison: Comparison, facets: Sequence[tuple[Quantity, list[_Point]]], origin: str) -> str:
    parts = [
        "Faint: every repeat; full: the median, with its 95 % bootstrap interval (with n = 3 the full range); "
        "stepped line: the strategies that none beats in both; lower left is better."
    ]
    if any(each.column == "energy_j" for each, _ in facets):
        parts.append(
            f"{comparison.estimating} Its band is mostly the same doubt for all strategies, so it moves them together."
        )
    if any(run.memory_method == "rss" for run in comparison.runs):
        parts.append("Memory is RSS, which counts pages shared between processes once for each of them.")
    return " ".join([*parts, origin])


def _figure(
    x: Quantity,
    facets: Sequence[tuple[Quantity, list[_Point]]],
    looks: Mapping[str, Look],
    chosen: str | None,
    theme: Theme,
    narrow: bool,
) -> Figure:
    count = len(facets)
    width, height = (NARROW_IN, 3.5 * count) if narrow else (WIDE_IN, 4.3)
    figure = new_figure(theme, width, height)
    axes = figure.subplots(count if narrow else 1, 1 if narrow else count, squeeze=False).flatten()
    for ax, (y, points) in zip(axes, facets, strict=True):
        _facet(ax, x, y, points, looks, chosen, theme)
    for ax, (y, points) in zip(axes, facets, strict=True):
        marks = [(x.shown(a), y.shown(b)) for p in points for a, b in zip(p.x, p.y, strict=True)]
        marks += [(x.shown(p.middle[0]), y.shown(value)) for p in points for value in _along(p.band)]
        middles = [(x.shown(p.middle[0]), y.shown(p.middle[1])) for p in points]
        said = " (your choice)" if ax is axes[0] else ""
        names = [p.strategy + said * (p.strategy == chosen) for p in points]
        radii = [12.0 if p.strategy == chosen else 5.5 for p in points]
        name_points(ax, middles, names, theme, radii=radii, marks=marks)
    return figure


def _along(band: tuple[float, float] | None) -> list[float]:
    """Return values along a band, close enough together that no name fits between them."""
    return [band[0] + (band[1] - band[0]) * step / 15 for step in range(16)] if band else []


def _facet(
    ax: Axes,
    x: Quantity,
    y: Quantity,
    points: Sequence[_Point],
    looks: Mapping[str, Look],
    chosen: str | None,
    theme: Theme,
) -> None:
    ax.set(xlabel=x.axis, ylabel=y.axis)
    ax.set_title(sentence_case(f"{y.label} against {x.label}"))
    for point in points:
        _draw_point(ax, x, y, point, looks[point.strategy], theme, ringed=point.strategy == chosen)
    front = [points[index].middle for index in frontier([p.middle for p in points])]
    if len(front) > 1:
        ax.step(
            [x.shown(a) for a, _ in front], [y.shown(b) for _, b in front], where="post",
            color=theme.muted, linewidth=1, linestyle="--", zorder=2,
        )  # fmt: skip
    ax.set_xlim(0, 1.12 * max(x.shown(value) for p in points for value in p.x))
    ax.set_ylim(0, 1.12 * max(y.shown(value) for p in points for value in (*p.y, *(p.band or ()))))


def _draw_point(ax: Axes, x: Quantity, y: Quantity, point: _Point, look: Look, theme: Theme, *, ringed: bool) -> None:
    colour = theme.colour(look.colour)
    a, b = x.shown(point.middle[0]), y.shown(point.middle[1])
    ax.plot(
        [x.shown(v) for v in point.x], [y.shown(v) for v in point.y], linestyle="none", marker=look.marker,
        markersize=6, markerfacecolor=theme.tint(colour, PALE), markeredgecolor=theme.tint(colour, SOFT), zorder=3,
    )  # fmt: skip
    if point.band:
        low, high = (y.shown(v) for v in point.band)
        ax.plot([a, a], [low, high], color=theme.tint(colour, FAINT), linewidth=5, solid_capstyle="butt", zorder=2)
    across, up = median_interval(point.x), median_interval(point.y)
    ax.plot([x.shown(v) for v in across], [b, b], color=colour, linewidth=1.6, zorder=4)
    ax.plot([a, a], [y.shown(v) for v in up], color=colour, linewidth=1.6, zorder=4)
    ax.plot(
        a, b, marker=look.marker, markersize=9, color=colour, markeredgecolor=theme.ink, markeredgewidth=0.9, zorder=5
    )
    if ringed:
        ax.plot(
            a,
            b,
            marker="o",
            markersize=20,
            markerfacecolor="none",
            markeredgecolor=VERMILLION,
            markeredgewidth=2.2,
            zorder=6,
        )
