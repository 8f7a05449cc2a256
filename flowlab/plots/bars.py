"""Stacked bars: what the calls of each strategy spent their time on.

Drawing and adding up. The invariant: a nested call's time is counted once, in the innermost call; what was not
measured is a part of its own, never taken for waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.errors import PlotError, SettingError, require
from flowlab.plots.calls import shares, timed
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.sources import Source, compared, whence
from flowlab.plots.theme import (
    NARROW_IN,
    OTHER,
    WIDE_IN,
    Theme,
    legend_above,
    new_figure,
    operation_colours,
    shown_operations,
)
from flowlab.plots.wording import listing, percent, seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flowlab.metrics import Record

OUTSIDE, START, ALL = "outside calls", "start workers", "all calls"
KINDS = {
    "computing": ("", "solid computes"),
    "not divided": ("", "pale is not known to compute or wait"),
    "no core free": ("|||||", "barred is ready to compute while others have the cores"),
    "waiting": ("/////", "hatched waits"),
    "queue": ("-----", "lined is queueing"),
    "overhead": ("xxxx", "crossed is moving to and from workers"),
    "worker start": ("\\\\\\\\\\", "hatched grey is starting workers"),
}
"""What time is spent on: its hatch, and how a caption explains it."""

_OVERHEAD = ("transfer_ns", "deserialise_ns", "serialise_ns", "return_ns")


@dataclass(frozen=True, slots=True)
class _Part:
    """One piece of one bar."""

    strategy: str
    operation: str
    kind: str
    time_s: float


@dataclass(frozen=True, slots=True)
class _Walls:
    """The wall times of a strategy: of the run the bar shows, and of every repeat."""

    shown_s: float
    repeats_s: tuple[float, ...]


def breakdown(source: Source, *, parts: str = "calls", theme: str = "light", narrow: bool = False) -> Chart:
    """Return what the time of all calls of each strategy was spent on, as stacked bars.

    Args:
        source: A comparison, of which the run of median wall time of each strategy is shown, or a run of any kind, a
            recorder, or records; stored or not.
        parts: "calls" divides each operation into computing and waiting; "overhead" adds, a strategy as a whole, what
            calls waited in the queue and what moving arguments and results to other processes took.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        SettingError: `parts` is neither of them.
        PlotError: No call was measured.
    """
    if parts not in ("calls", "overhead"):
        raise SettingError(f"there is no division {parts!r}: choose calls or overhead.")
    comparison = compared(source)
    ended = [name for name in comparison.strategies if any(run.error is None for run in comparison.runs_of(name))]
    shown = {name: comparison.best(name) for name in ended}
    pieces = [piece for run in shown.values() for piece in _parts(run, queue=parts == "overhead")]
    if not pieces:
        raise PlotError("there are no bars to draw: no call was measured.")
    walls = {name: _Walls(run.wall_s or 0, _walls(comparison, name)) for name, run in shown.items()}
    frame = require("pandas", extra="demo", why="to keep a figure's data").DataFrame(
        [{"strategy": p.strategy, "operation": p.operation, "kind": p.kind, "time_s": p.time_s} for p in pieces]
        + [{"strategy": name, "operation": "", "kind": "wall", "time_s": wall.shown_s} for name, wall in walls.items()]
    )

    def draw(look: Theme, small: bool) -> Figure:
        return _figure(_drawn(pieces), walls, look, small)

    return new_chart(
        draw, alt=_alt(pieces, walls), caption=_caption(source, pieces), data=frame, theme=theme, narrow=narrow
    )


def _walls(comparison: Comparison, name: str) -> tuple[float, ...]:
    return tuple(run.wall_s for run in comparison.runs_of(name) if run.wall_s is not None and run.error is None)


def _parts(run: StrategyRun, *, queue: bool) -> list[_Part]:
    """Return the pieces of one bar."""
    calls = [record for record in timed(run.records) if record.stage != "start"]
    divided = shares(calls)
    sums: dict[tuple[str, str], float] = {}
    for record in calls:
        share = divided[record.run, record.id]
        kinds = {"computing": share.computing_ns, "no core free": share.ready_ns, "waiting": share.waiting_ns}
        if share.computing_ns is None:
            kinds = {"not divided": share.own_ns}
        for kind, value_ns in kinds.items():
            key = record.operation, kind
            sums[key] = sums.get(key, 0.0) + (value_ns or 0) / 1e9
    computing = sum(value for (_, kind), value in sums.items() if kind == "computing")
    if run.cpu_s is not None and any(kind == "computing" for _, kind in sums):
        sums[OUTSIDE, "computing"] = max(0.0, run.cpu_s - computing)
    if queue:
        sums |= _phases(calls)
    if run.start_s:
        sums[START, "worker start"] = run.start_s
    return [_Part(run.strategy, operation, kind, value) for (operation, kind), value in sums.items() if value > 0]


def _phases(calls: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Return the time all calls together spent in the queue, and on their way to and from other processes."""
    queue = sum(record.queue_ns or 0 for record in calls)
    moving = sum(getattr(record, phase) or 0 for record in calls for phase in _OVERHEAD)
    return {(ALL, "queue"): queue / 1e9, (ALL, "overhead"): moving / 1e9}


def _drawn(pieces: Sequence[_Part]) -> list[_Part]:
    """Return the pieces as they are drawn: the least of too many operations as one, and the same order in every bar.

    Computing comes first, so that it lines up across strategies.
    """
    times: dict[str, float] = {}
    for piece in pieces:
        times[piece.operation] = times.get(piece.operation, 0.0) + piece.time_s
    shown = shown_operations(times)
    sums: dict[tuple[str, str, str], float] = {}
    for piece in pieces:
        key = piece.strategy, shown[piece.operation], piece.kind
        sums[key] = sums.get(key, 0.0) + piece.time_s
    kinds, names = list(KINDS), list(dict.fromkeys(shown.values()))
    last = {OTHER: len(names), OUTSIDE: len(names) + 1}
    order = {name: last.get(name, place) for place, name in enumerate(names)}
    drawn = [_Part(*key, time_s) for key, time_s in sums.items()]
    return sorted(drawn, key=lambda piece: (kinds.index(piece.kind), order[piece.operation]))


def _alt(pieces: Sequence[_Part], walls: Mapping[str, _Walls]) -> str:
    said = []
    for name, wall in walls.items():
        mine = [p for p in pieces if p.strategy == name]
        total = sum(p.time_s for p in mine)
        waiting = percent(sum(p.time_s for p in mine if p.kind == "waiting"), total)
        largest = max(mine, key=lambda p: p.time_s, default=None)
        if largest:
            said.append(
                f"{name}: {seconds(total)} in a wall time of {seconds(wall.shown_s)}, {waiting} waiting, "
                f"most of it {largest.operation} ({largest.kind}, {seconds(largest.time_s)})"
            )
    return f"Stacked bars of the time in calls, {listing(list(walls))}. {'; '.join(said)}."


def _caption(source: Source, pieces: Sequence[_Part]) -> str:
    present = {piece.kind for piece in pieces}
    explained = listing([words for kind, (_, words) in KINDS.items() if kind in present])
    said = [
        f"Bars: time of all calls added up, of the run of median wall time: {explained}.",
        "Diamond: wall time of that run, small marks: of every repeat; a bar longer than that is work done at once.",
    ]
    if any(piece.operation == OUTSIDE for piece in pieces):
        said.append("Outside calls: CPU time of the run in no measured call (imports in workers, pools, the runtime).")
    return " ".join([*said, whence(source)])


def _figure(pieces: Sequence[_Part], walls: Mapping[str, _Walls], theme: Theme, narrow: bool) -> Figure:
    names = list(walls)
    colours = operation_colours(p.operation for p in pieces)
    height_in = 0.65 + 0.46 * len(names)
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, height_in)
    ax = figure.subplots()
    for row, name in enumerate(names):
        left = 0.0
        for piece in (p for p in pieces if p.strategy == name):
            _bar(ax, row, left, piece, theme.colour(colours[piece.operation]), theme)
            left += piece.time_s
        wall = walls[name]
        ax.plot(
            wall.repeats_s,
            [row] * len(wall.repeats_s),
            "|",
            color=theme.ink,
            markersize=13,
            markeredgewidth=1.2,
            zorder=5,
        )
        ax.plot(
            wall.shown_s,
            row,
            "D",
            color=theme.paper,
            markeredgecolor=theme.ink,
            markersize=7,
            markeredgewidth=1.5,
            zorder=6,
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.set_xlim(0, 1.03 * max(ax.dataLim.x1, 1e-9))
    ax.set_xlabel("time, all calls added up [s]")
    _legend(figure, colours, pieces, theme, narrow)
    return figure


def _bar(ax: Axes, row: int, left: float, piece: _Part, colour: str, theme: Theme) -> None:
    solid = piece.kind == "computing"
    face, edge = (colour, theme.ink) if solid else (theme.tint(colour), colour)
    ax.barh(
        row,
        piece.time_s,
        left=left,
        height=0.66,
        color=face,
        edgecolor=edge,
        linewidth=0.5,
        hatch=KINDS[piece.kind][0],
        zorder=3,
    )


def _legend(figure: Figure, colours: Mapping[str, str], pieces: Sequence[_Part], theme: Theme, narrow: bool) -> None:
    patches = require("matplotlib.patches", extra="demo", why="to draw a figure")
    lines = require("matplotlib.lines", extra="demo", why="to draw a figure")
    handles = [
        patches.Patch(facecolor=theme.colour(colour), edgecolor=theme.ink, linewidth=0.5, label=name)
        for name, colour in colours.items()
        if name not in (START, ALL)
    ]
    for kind in [kind for kind in KINDS if any(p.kind == kind for p in pieces)]:
        face = theme.muted if kind == "computing" else theme.tint(theme.muted)
        handles.append(patches.Patch(facecolor=face, edgecolor=theme.muted, hatch=KINDS[kind][0], label=kind))
    edge = {"color": theme.paper, "markeredgecolor": theme.ink, "markeredgewidth": 1.5}
    handles.append(lines.Line2D([], [], linestyle="none", marker="D", label="wall time", **edge))
    legend_above(figure, handles, 3 if narrow else 7)
