"""Curves: memory over time, and time and memory against the number of requests.

Drawing only. The invariant: memory is what was sampled from outside, at the moments it was sampled; nothing is
smoothed, and a strategy that was not sampled is said to be missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.comparison.wording import number
from flowlab.errors import PlotError, SettingError, require
from flowlab.plots.calls import timed
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.sources import Source, compared, each_of, opened, whence
from flowlab.plots.spread import median_interval
from flowlab.plots.theme import (
    FAINT,
    GHOST,
    NARROW_IN,
    PALE,
    WIDE_IN,
    Look,
    Theme,
    legend_above,
    new_figure,
    strategy_looks,
)
from flowlab.plots.wording import listing, quantity, seconds, sentence_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MB = 1e-6


@dataclass(frozen=True, slots=True)
class _Curve:
    """One run's or one strategy's line; `spans` are intervals of y at each x."""

    strategy: str
    repeat: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    shown: bool
    spans: tuple[tuple[float, float], ...] = ()


def memory(source: Source | Sequence[Source], *, theme: str = "light", narrow: bool = False) -> Chart:
    """Return the memory of all processes of each strategy over time, its peak named; one panel a strategy, one scale.

    Args:
        source: A comparison (the run of median wall time full, the others faint), one run, or several; stored or not.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        PlotError: No run was sampled.
    """
    given = each_of(source)
    source = opened(source) if len(given) == 1 else [opened(each) for each in given]
    curves, peaks = _memory_curves(source)
    if not curves:
        raise PlotError("there is no memory to draw: no run was sampled.")
    frame = _frame(curves, "time_s", "memory_bytes")
    methods = dict.fromkeys(run.memory_method for run in _runs(source) if run.memory_method)
    method = "/".join(name.upper() for name in methods)

    def draw(look: Theme, small: bool) -> Figure:
        return _memory_figure(curves, peaks, method, look, small)

    alt = "Memory over time, summed over all processes. " + "; ".join(
        f"{name}: peak {number(curve_peak * MB)} MB at {seconds(at)}{during}"
        for name, (at, curve_peak, during) in peaks.items()
    )
    caption = (
        f"Memory of all processes of a run together ({method}), sampled from another process; full: the run of median "
        f"wall time, faint: the other repeats. {whence(given[0])}"
    )
    return new_chart(draw, alt=alt + ".", caption=caption, data=frame, theme=theme, narrow=narrow)


def _runs(source: Any) -> list[StrategyRun]:
    if isinstance(source, Comparison):
        return list(source.runs)
    return [source] if isinstance(source, StrategyRun) else list(source)


def _memory_curves(source: Any) -> tuple[list[_Curve], dict[str, tuple[float, float, str]]]:
    """Return a curve for every sampled run, and for each strategy where the shown run's peak lies and what ran then."""
    curves: list[_Curve] = []
    peaks: dict[str, tuple[float, float, str]] = {}
    for strategy, runs in _by_strategy(source).items():
        sampled = sorted((run for run in runs if run.samples and run.samples.times_ns), key=lambda run: run.wall_s or 0)
        if not sampled:
            continue
        shown = sampled[(len(sampled) - 1) // 2]
        for run in sampled:
            assert run.samples is not None
            start = run.started_ns or run.samples.times_ns[0]
            times = tuple((stamp - start) / 1e9 for stamp in run.samples.times_ns)
            curves.append(
                _Curve(strategy, run.repeat, times, tuple(map(float, run.samples.memory_bytes)), run is shown)
            )
            if run is shown:
                peak = max(range(len(times)), key=run.samples.memory_bytes.__getitem__)
                peaks[strategy] = (
                    times[peak],
                    float(run.samples.memory_bytes[peak]),
                    _during(run, run.samples.times_ns[peak]),
                )
    return curves, peaks


def _by_strategy(source: Any) -> dict[str, list[StrategyRun]]:
    runs = [run for run in _runs(source) if run.error is None]
    order = source.strategies if isinstance(source, Comparison) else dict.fromkeys(run.strategy for run in runs)
    return {name: [run for run in runs if run.strategy == name] for name in order}


def _during(run: StrategyRun, stamp_ns: int) -> str:
    """Say which operation most calls were in at a moment; nothing if none was."""
    names = [r.operation for r in timed(run.records) if (r.started_ns or 0) <= stamp_ns <= (r.ended_ns or 0)]
    return f", during {max(dict.fromkeys(names), key=names.count)}" if names else ""


def _memory_figure(
    curves: Sequence[_Curve], peaks: dict[str, tuple[float, float, str]], method: str, theme: Theme, narrow: bool
) -> Figure:
    names = list(peaks)
    columns = min(len(names), 1 if narrow else 3)
    rows = -(-len(names) // columns)
    height = rows * (1.35 if narrow else 1.9) + 0.6 if len(names) > 1 else 3.2
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, height)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    looks = strategy_looks(names)
    for ax, name in zip(axes.flatten(), names, strict=False):
        _memory_panel(ax, name, [c for c in curves if c.strategy == name], peaks[name], looks[name], theme)
    for ax in axes.flatten()[len(names) :]:
        ax.set_axis_off()
    axes[0, 0].set_xlim(0, max(max(c.x) for c in curves))
    axes[0, 0].set_ylim(0, 1.4 * MB * max(max(c.y) for c in curves))
    figure.supxlabel("time since the run began [s]", fontsize=10)
    figure.supylabel(f"memory, {method} [MB]", fontsize=10)
    return figure


def _memory_panel(
    ax: Axes, name: str, curves: Sequence[_Curve], peak: tuple[float, float, str], look: Look, theme: Theme
) -> None:
    colour = theme.colour(look.colour)
    for curve in curves:
        y = [value * MB for value in curve.y]
        if curve.shown:
            ax.fill_between(
                curve.x,
                y,
                facecolor=theme.tint(colour, GHOST),
                edgecolor=theme.tint(colour, FAINT),
                hatch=look.hatch,
                linewidth=0,
            )
            ax.plot(curve.x, y, color=colour, linewidth=2, zorder=4)
        else:
            ax.plot(curve.x, y, color=theme.tint(colour, FAINT), linewidth=1, zorder=3)
    at, size, during = peak
    ax.plot(at, size * MB, marker=look.marker, color=colour, markeredgecolor=theme.ink, markersize=8, zorder=5)
    ax.set_title(f"{name}: peak {number(size * MB)} MB", fontsize=10)
    ax.text(0.98, 0.96, f"at {seconds(at)}{during}", transform=ax.transAxes, ha="right", va="top", color=theme.muted)


def requests(
    source: Source | Sequence[Source], *, y: str = "wall_s", theme: str = "light", narrow: bool = False
) -> Chart:
    """Return time or memory against the number of requests completed, one line a strategy.

    Args:
        source: One comparison (how far each run had got when), or several of jobs of different size (one mark each).
        y: "wall_s" (time) or "memory" (of all processes; over several comparisons its peak).
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        SettingError: `y` is neither of them.
        PlotError: No call reports how many requests it made.
    """
    if y not in ("wall_s", "memory"):
        raise SettingError(f"there is no {y!r} to draw against requests: choose wall_s or memory.")
    given = each_of(source)
    comparisons = [compared(each) for each in given]
    single = len(comparisons) == 1
    curves = _progress_curves(comparisons[0], y) if single else _size_curves(comparisons, y)
    if not curves:
        raise PlotError(
            f"there are no requests to draw {y} against: let the calls that make them report fl.metric(requests=1)."
        )
    labels = "requests completed", "time since the run began [s]" if y == "wall_s" else "memory [MB]"
    if not single:
        labels = "requests of the job", quantity("wall_s" if y == "wall_s" else "peak_bytes").axis
    frame = _frame(curves, "requests", "time_s" if y == "wall_s" else "memory_bytes")

    def draw(look: Theme, small: bool) -> Figure:
        return _requests_figure(curves, labels, 1.0 if y == "wall_s" else MB, look, small)

    caption = _requests_caption(single, y) + " " + whence(given[0])
    return new_chart(
        draw, alt=_requests_alt(curves, y, single), caption=caption, data=frame, theme=theme, narrow=narrow
    )


def _progress(run: StrategyRun) -> list[tuple[int, int]]:
    """Return (stamp, requests completed so far) for every call that reports requests, in the order they ended."""
    done = sorted((record.ended_ns or 0, int(record.custom.get("requests", 0))) for record in timed(run.records))  # type: ignore[call-overload]
    steps, total = [], 0
    for stamp_ns, count in done:
        if count:
            total += count
            steps.append((stamp_ns, total))
    return steps


def _progress_curves(comparison: Comparison, y: str) -> list[_Curve]:
    curves = []
    for strategy, runs in _by_strategy(comparison).items():
        for run in runs:
            steps = _progress(run)
            if not steps or run.started_ns is None or (y == "memory" and not (run.samples and run.samples.times_ns)):
                continue
            values = [(stamp - run.started_ns) / 1e9 if y == "wall_s" else _memory_at(run, stamp) for stamp, _ in steps]
            counts = tuple(float(total) for _, total in steps)
            curves.append(_Curve(strategy, run.repeat, counts, tuple(values), run is comparison.best(strategy)))
    return curves


def _memory_at(run: StrategyRun, stamp_ns: int) -> float:
    """Return the last sample at or before a moment (the first one, if none is)."""
    assert run.samples is not None
    return float(run.samples.memory_bytes[max(0, bisect_right(run.samples.times_ns, stamp_ns) - 1)])


def _size_curves(comparisons: Sequence[Comparison], y: str) -> list[_Curve]:
    """Return one line a strategy over comparisons of different size: the median and its interval at each."""
    column = "wall_s" if y == "wall_s" else "peak_bytes"
    found: dict[str, list[tuple[float, float, tuple[float, float]]]] = {}
    for comparison in comparisons:
        for strategy, runs in _by_strategy(comparison).items():
            counts = [steps[-1][1] for run in runs if (steps := _progress(run))]
            values = [float(value) for run in runs if (value := getattr(run, column)) is not None]
            if counts and values:
                found.setdefault(strategy, []).append((float(median(counts)), median(values), median_interval(values)))
    curves = []
    for strategy, points in found.items():
        points.sort()
        x, middle, spans = (tuple(part) for part in zip(*points, strict=True))
        curves.append(_Curve(strategy, 0, x, middle, True, spans))
    return curves


def _requests_caption(single: bool, y: str) -> str:
    what = "Time" if y == "wall_s" else "Memory of all processes"
    if single:
        return (
            f"{what} when that many requests had been completed; full: the run of median wall time, faint: the others."
        )
    what = "Wall time" if y == "wall_s" else "Peak memory"
    return f"{what} of jobs of different size: median and its 95 % bootstrap interval at each size."


def _requests_alt(curves: Sequence[_Curve], y: str, single: bool) -> str:
    parts = []
    for curve in (c for c in curves if c.shown):
        value = seconds(curve.y[-1]) if y == "wall_s" else f"{number(curve.y[-1] * MB)} MB"
        parts.append(f"{curve.strategy}: {curve.x[-1]:.0f} requests at {value}")
    names = listing([c.strategy for c in curves if c.shown])
    what = "time" if y == "wall_s" else "memory"
    of = "completed" if single else "of the job"
    return f"{sentence_case(what)} against the number of requests {of}, {names}. {'; '.join(parts)}."


def _requests_figure(
    curves: Sequence[_Curve], labels: tuple[str, str], scale: float, theme: Theme, narrow: bool
) -> Figure:
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, 3.4 if narrow else 3.9)
    ax = figure.subplots()
    looks = strategy_looks(dict.fromkeys(c.strategy for c in curves))
    for curve in sorted(curves, key=lambda c: c.shown):
        look = looks[curve.strategy]
        colour = theme.colour(look.colour)
        y = [value * scale for value in curve.y]
        if not curve.shown:
            ax.plot(curve.x, y, color=theme.tint(colour, PALE), linewidth=1, linestyle=look.line, zorder=2)
            continue
        ax.plot(
            curve.x, y, color=colour, linestyle=look.line, linewidth=2, marker=look.marker, markersize=7, zorder=4,
            markevery=max(1, len(y) // 6), markeredgecolor=theme.ink, markeredgewidth=0.8, label=curve.strategy,
        )  # fmt: skip
        for x, (low, high) in zip(curve.x, curve.spans, strict=False):
            ax.plot([x, x], [low * scale, high * scale], color=colour, linewidth=1.6, zorder=3)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.set_xlim(0, 1.02 * max(max(c.x) for c in curves))
    ax.set_ylim(0, 1.06 * scale * max(max(c.y) for c in curves))
    order = {name: place for place, name in enumerate(looks)}
    handles = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: order[pair[1]])
    legend_above(figure, [handle for handle, _ in handles], 3 if narrow else 6, length=3.2)
    return figure


def _frame(curves: Sequence[_Curve], x: str, y: str) -> Any:
    pandas = require("pandas", extra="demo", why="to keep a figure's data")
    return pandas.DataFrame(
        [
            {"strategy": curve.strategy, "repeat": curve.repeat, "median_run": curve.shown, x: a, y: b}
            for curve in curves
            for a, b in zip(curve.x, curve.y, strict=True)
        ]
    )
