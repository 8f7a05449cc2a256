"""Speed-up and efficiency against the number of workers, with both laws fitted.

Drawing only. The invariant: every repeat is shown, a law never stands without the band of its resampled fits, and a
sweep of too few numbers of workers is refused, as its fits are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from flowlab.comparison.wording import number
from flowlab.errors import SettingError, require
from flowlab.machine import Machine
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.spread import median_interval
from flowlab.plots.theme import (
    BLACK,
    BLUE,
    GHOST,
    NARROW_IN,
    ORANGE,
    PALE,
    SOFT,
    VERMILLION,
    WIDE_IN,
    Theme,
    legend_above,
    new_figure,
)
from flowlab.plots.wording import counted, listing, seconds
from flowlab.scaling import Fit, Law, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Figures = Callable[[Law, float], float]

LAW_LOOKS: Mapping[str, tuple[str, Any]] = {"Amdahl": (ORANGE, (0, (5, 2))), "USL": (BLUE, "-")}
FINE = 60


def scaling(
    sweep: Sweep,
    *,
    chosen: int | None = None,
    limit: float | None = None,
    theme: str = "light",
    narrow: bool = False,
) -> Chart:
    """Return the speed-up and, beside it, the efficiency of every number of workers, with both laws fitted.

    Every repeat is a faint mark, the median a full one with its 95 % bootstrap interval. A fitted law is a line in
    the band of its resampled fits.

    Args:
        sweep: What was measured.
        chosen: The number of workers to mark as the reader's choice.
        limit: The speed-up that something outside allows, such as a site's capacity.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        SettingError: Too few numbers of workers were measured, or not the one chosen.
    """
    if chosen is not None and chosen not in sweep.levels:
        raise SettingError(f"{chosen} workers were not measured: choose one of {', '.join(map(str, sweep.levels))}.")
    fits = {"Amdahl": sweep.amdahl(), "USL": sweep.usl()}

    def draw(look: Theme, small: bool) -> Figure:
        return _figure(sweep, fits, chosen, limit, look, small)

    return new_chart(
        draw, alt=_alt(sweep, fits, chosen, limit), caption=_caption(sweep, limit), data=_frame(sweep, fits),
        theme=theme, narrow=narrow,
    )  # fmt: skip


def _alt(sweep: Sweep, fits: Mapping[str, Fit], chosen: int | None, limit: float | None) -> str:
    levels = sweep.levels
    each = [f"{n}: {number(sweep.speedup(n))} and {sweep.efficiency(n):.0%}" for n in levels]
    said = [
        f"Speed-up and efficiency of {sweep.name} with {listing(list(map(str, levels)))} workers",
        f"One worker takes {seconds(median(sweep.walls_s[1]))}",
        f"Workers, speed-up and efficiency (medians): {'; '.join(each)}",
        *(fit.sentence() for fit in fits.values()),
    ]
    if limit is not None:
        said.append(f"A line marks what is allowed from outside: {number(limit)} times")
    if chosen is not None:
        said.append(f"Your choice: {counted(chosen, 'worker')}")
    return ". ".join(said).replace("%", " %") + "."


def _caption(sweep: Sweep, limit: float | None) -> str:
    outside = "; dash-dotted: what is allowed from outside" if limit is not None else ""
    return (
        "Times as fast as one worker, and that per worker. Faint: every repeat; full: the median with its 95 % "
        "bootstrap interval (with n = 3 the full range); lines: the laws nearest to the medians, in the band of their "
        f"fits to resampled repeats; dotted: N workers give N times{outside}. n = "
        f"{counted(sweep.repeats, 'run')} a number of workers, taken in turn; {Machine.detect().sentence()}."
    )


def _frame(sweep: Sweep, fits: Mapping[str, Fit]) -> Any:
    pandas = require("pandas", extra="demo", why="to keep a figure's data")
    return pandas.DataFrame(
        [
            {
                "workers": workers,
                "repeat": repeat,
                "wall_s": sweep.walls_s[workers][repeat],
                "speedup": speedup,
                "efficiency": speedup / workers,
                **{f"speedup_{name.lower()}": fit.law.speedup(workers) for name, fit in fits.items()},
            }
            for workers in sweep.levels
            for repeat, speedup in enumerate(sweep.speedups(workers))
        ]
    )


def _figure(
    sweep: Sweep, fits: Mapping[str, Fit], chosen: int | None, limit: float | None, theme: Theme, narrow: bool
) -> Figure:
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, 6.2 if narrow else 3.7)
    speed, share = figure.subplots(2 if narrow else 1, 1 if narrow else 2, squeeze=False).flatten()
    most = sweep.levels[-1]
    across = [1 + (most - 1) * step / FINE for step in range(FINE + 1)]
    panels: tuple[tuple[Axes, Figures, Callable[[float], float]], ...] = (
        (speed, Law.speedup, lambda workers: workers),
        (share, Law.efficiency, lambda workers: 1.0),
    )
    for ax, figure_of, ideal in panels:
        ax.plot(across, list(map(ideal, across)), color=theme.muted, linestyle=":", linewidth=1.4,
                label="N workers, N times")  # fmt: skip
        _draw_laws(ax, fits, figure_of, across, theme)
        _draw_measured(ax, sweep, per_worker=ax is share, theme=theme)
        if limit is not None:
            allowed = [min(limit, n) / (n if ax is share else 1) for n in across]
            ax.plot(across, allowed, color=theme.muted, linestyle="-.", linewidth=1.4, label="allowed from outside")
        if chosen is not None:
            height = sweep.efficiency(chosen) if ax is share else sweep.speedup(chosen)
            ax.plot(
                chosen, height, "o", markersize=18, markerfacecolor="none", markeredgecolor=VERMILLION,
                markeredgewidth=2.2, zorder=6, label="your choice",
            )  # fmt: skip
        ax.set_xlabel("workers")
        ax.set_xlim(0, most + 0.6)
        ax.set_xticks(_ticks(sweep.levels))
    _scale(speed, share, sweep, limit)
    legend_above(figure, speed.get_legend_handles_labels()[0], 2 if narrow else 6, length=2.8)
    return figure


def _ticks(levels: Sequence[int]) -> list[int]:
    """Return the numbers of workers that are far enough from the one before to be written below the axis."""
    ticks = [levels[0]]
    for level in levels[1:]:
        if level - ticks[-1] >= levels[-1] / 18:
            ticks.append(level)
    return ticks


def _scale(speed: Axes, share: Axes, sweep: Sweep, limit: float | None) -> None:
    speed.set(ylabel="speed-up", title="Speed-up")
    share.set(ylabel="efficiency (speed-up per worker)", title="Efficiency")
    highest = max(speedup for workers in sweep.levels for speedup in sweep.speedups(workers))
    speed.set_ylim(0, 1.3 * max(highest, limit or 0))
    share.set_ylim(0, 1.15 * max(1.0, *(s / n for n in sweep.levels for s in sweep.speedups(n))))


def _draw_laws(ax: Axes, fits: Mapping[str, Fit], figure_of: Figures, across: list[float], theme: Theme) -> None:
    for name, fit in fits.items():
        colour, line = LAW_LOOKS[name]
        spans = [fit.interval(lambda law, n=n: figure_of(law, n)) for n in across]  # type: ignore[misc]
        lows, highs = zip(*spans, strict=True)
        ax.fill_between(across, lows, highs, color=theme.tint(colour, GHOST), linewidth=0, zorder=1)
        ax.plot(across, [figure_of(fit.law, n) for n in across], color=theme.colour(colour), linestyle=line,
                linewidth=2, zorder=3, label=f"{name} fitted")  # fmt: skip


def _draw_measured(ax: Axes, sweep: Sweep, *, per_worker: bool, theme: Theme) -> None:
    ink = theme.colour(BLACK)
    for place, workers in enumerate(sweep.levels):
        values = [value / (workers if per_worker else 1) for value in sweep.speedups(workers)]
        ax.plot(
            [workers] * len(values), values, linestyle="none", marker="o", markersize=5,
            markerfacecolor=theme.tint(BLACK, PALE), markeredgecolor=theme.tint(BLACK, SOFT), zorder=4,
        )  # fmt: skip
        ax.plot([workers] * 2, median_interval(values), color=ink, linewidth=1.6, zorder=5)
        ax.plot(workers, median(values), "D", color=ink, markersize=6.5, zorder=5,
                label="measured (median)" if place == 0 else None)  # fmt: skip
