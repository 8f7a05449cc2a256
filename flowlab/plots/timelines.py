"""Timelines: who was busy when, one lane a worker.

Drawing only; which lane a call lies in is decided in `calls`. The invariant: all panels of one figure share one time
scale, and a bar's solid part is the share of the call spent computing, its hatched part the share spent waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.errors import PlotError, require
from flowlab.plots.calls import Group, Share, Slot, arranged, shares
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.sources import Source, opened, whence
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
from flowlab.plots.wording import counted, listing, percent, seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LANE_IN = 0.15
BAR = 0.84

_Box = tuple[float, float, float, float]
"""Left, right, top, bottom."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One run, arranged."""

    name: str
    start_ns: int
    wall_s: float
    groups: tuple[Group, ...]
    slots: tuple[Slot, ...]
    shares: Mapping[tuple[str, int], Share]

    @property
    def lanes(self) -> int:
        return self.groups[-1].last + 1 if self.groups else 1


def timeline(
    source: Source,
    *,
    until_s: float | None = None,
    theme: str = "light",
    narrow: bool = False,
) -> Chart:
    """Return the calls of a run over time, one lane a worker, waiting hatched and computing solid.

    Args:
        source: A run of any kind, a recorder, records, or a whole comparison (the run of median wall time of every
            strategy, one panel each); stored or not.
        until_s: Right end of the time axis, to give several timelines one scale; None fits the longest run.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        PlotError: There is no call to draw.
    """
    panels = _panels(opened(source))
    operations = _colours(panels)
    end_s = until_s or max(panel.wall_s for panel in panels)
    frame = require("pandas", extra="demo", why="to keep a figure's data").DataFrame(
        [row for panel in panels for row in _rows(panel)]
    )

    def draw(look: Theme, small: bool) -> Figure:
        return _figure(panels, operations, end_s, look, small)

    caption = (
        "Bars: calls, one lane a worker; the solid part of a bar's height is the share of the call spent computing, "
        f"the hatched part the share spent waiting (for the network, a lock or a core); x: a failed call. "
        f"{whence(source)}"
    )
    return new_chart(draw, alt=_alt(panels), caption=caption, data=frame, theme=theme, narrow=narrow)


def _panels(source: Comparison | StrategyRun) -> list[_Panel]:
    if isinstance(source, Comparison):
        ended = [name for name in source.strategies if any(run.wall_s is not None for run in source.runs_of(name))]
        runs = [source.best(name) for name in ended]
    else:
        runs = [source]
    panels = [panel for run in runs if (panel := _panel(run)) is not None]
    if not panels:
        raise PlotError(
            "there is no call to draw in a timeline: nothing was measured, or nothing both started and ended."
        )
    return panels


def _panel(run: StrategyRun) -> _Panel | None:
    groups, slots = arranged(run.records)
    if not slots:
        return None
    first_ns = min(slot.record.started_ns or 0 for slot in slots)
    start_ns = first_ns if run.started_ns is None else min(run.started_ns, first_ns)
    last_ns = max(slot.record.ended_ns or 0 for slot in slots)
    wall_s = run.wall_s or (last_ns - start_ns) / 1e9
    return _Panel(run.strategy, start_ns, wall_s, tuple(groups), tuple(slots), shares(run.records))


def _colours(panels: Sequence[_Panel]) -> dict[str, tuple[str, str]]:
    """Return for every operation the name it is drawn under, and its colour."""
    times: dict[str, float] = {}
    for panel in panels:
        for slot in panel.slots:
            name = slot.record.operation
            times[name] = times.get(name, 0.0) + _share(panel, slot).own_ns
    shown = shown_operations(times)
    colours = operation_colours(sorted(shown.values(), key=OTHER.__eq__))
    return {operation: (name, colours[name]) for operation, name in shown.items()}


def _rows(panel: _Panel) -> list[dict[str, object]]:
    labels = {lane: group.label for group in panel.groups for lane in range(group.first, group.last + 1)}
    return [
        {
            "strategy": panel.name,
            "worker": labels[slot.lane],
            "lane": slot.lane,
            "operation": slot.record.operation,
            "attempt": slot.record.attempt,
            "status": slot.record.status,
            "start_s": _since(panel, slot.record.started_ns),
            "end_s": _since(panel, slot.record.ended_ns),
            "computing_s": _in_s(_share(panel, slot).computing_ns),
            "ready_s": _in_s(_share(panel, slot).ready_ns),
            "waiting_s": _in_s(_share(panel, slot).waiting_ns),
        }
        for slot in panel.slots
    ]


def _share(panel: _Panel, slot: Slot) -> Share:
    return panel.shares[slot.record.run, slot.record.id]


def _since(panel: _Panel, stamp_ns: int | None) -> float:
    return ((stamp_ns or 0) - panel.start_ns) / 1e9


def _in_s(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / 1e9


def _alt(panels: Sequence[_Panel]) -> str:
    parts = []
    for panel in panels:
        known = [share for share in panel.shares.values() if share.computing_ns is not None]
        own = sum(share.own_ns for share in known)
        computing = percent(sum(share.computing_ns or 0 for share in known), own)
        calls, lanes = counted(len(panel.slots), "call"), counted(panel.lanes, "lane")
        split = f", {computing} of call time computing" if own else ""
        parts.append(f"{panel.name}: {calls} in {lanes}, {seconds(panel.wall_s)}{split}")
    operations = dict.fromkeys(slot.record.operation for panel in panels for slot in panel.slots)
    return f"Timeline of calls by worker. {'; '.join(parts)}. Operations: {listing(list(operations))}."


def _figure(
    panels: Sequence[_Panel], operations: Mapping[str, tuple[str, str]], end_s: float, theme: Theme, narrow: bool
) -> Figure:
    lanes = [panel.lanes for panel in panels]
    lane_in = LANE_IN if sum(lanes) > 12 else 2 * LANE_IN
    height_in = 0.55 + sum(max(lane_in * each, 0.2) for each in lanes) + 0.34 * len(panels)
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, height_in)
    axes = figure.subplots(
        len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [max(n, 1.4) for n in lanes]}
    )
    for panel, ax in zip(panels, axes[:, 0], strict=True):
        _draw_panel(ax, panel, operations, theme, titled=len(panels) > 1)
    axes[-1, 0].set_xlim(0, end_s * 1.01)
    axes[-1, 0].set_xlabel("time since the run began [s]")
    _legend(figure, operations, theme, narrow)
    return figure


def _draw_panel(
    ax: Axes, panel: _Panel, operations: Mapping[str, tuple[str, str]], theme: Theme, *, titled: bool
) -> None:
    if titled:
        ax.set_title(f"{panel.name}, {seconds(panel.wall_s)}", pad=3)
    ax.axvline(panel.wall_s, color=theme.muted, linewidth=1, linestyle=":")
    for operation, (_, colour) in operations.items():
        mine = [slot for slot in panel.slots if slot.record.operation == operation]
        for depth in {slot.depth for slot in mine}:
            _bars(ax, panel, [slot for slot in mine if slot.depth == depth], colour, theme)
    failed = [slot for slot in panel.slots if slot.record.status != "ok"]
    ax.plot(
        [_since(panel, slot.record.ended_ns) for slot in failed], [slot.lane for slot in failed],
        linestyle="none", marker="x", markersize=6, markeredgewidth=1.8, color=theme.ink, zorder=5,
    )  # fmt: skip
    ax.set_ylim(panel.lanes - 0.5, -0.5)
    ax.set_yticks([(group.first + group.last) / 2 for group in panel.groups], [group.label for group in panel.groups])
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    for group in panel.groups[1:]:
        ax.axhline(group.first - 0.5, color=theme.grid, linewidth=0.8)


def _bars(ax: Axes, panel: _Panel, slots: Sequence[Slot], colour: str, theme: Theme) -> None:
    """Draw calls of one operation: the solid lower part computes, the hatched upper part waits."""
    solid: list[_Box] = []
    hatched: list[_Box] = []
    plain: list[_Box] = []
    for slot in slots:
        left, right = _since(panel, slot.record.started_ns), _since(panel, slot.record.ended_ns)
        height = BAR * 0.7**slot.depth
        bottom = slot.lane + BAR / 2
        top = bottom - height
        share = _share(panel, slot)
        if share.computing_ns is None:
            plain.append((left, right, top, bottom))
            continue
        middle = bottom - height * (share.computing_ns / share.own_ns if share.own_ns else 1)
        solid.append((left, right, middle, bottom))
        hatched.append((left, right, top, middle))
    for boxes, face, hatch in (
        (hatched, theme.tint(colour), "/////"),
        (solid, theme.colour(colour), ""),
        (plain, theme.tint(colour), ""),
    ):
        if boxes:
            _boxes(ax, boxes, face, theme.colour(colour), hatch, zorder=3 + slots[0].depth)


def _boxes(ax: Axes, boxes: Sequence[_Box], face: str, edge: str, hatch: str, zorder: float) -> None:
    """Draw many rectangles as one shape: thousands of shapes would make a page heavy."""
    module = require("matplotlib.path", extra="demo", why="to draw a figure")
    patches = require("matplotlib.patches", extra="demo", why="to draw a figure")
    corners = [
        corner
        for left, right, top, bottom in boxes
        for corner in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    ]
    path = module.Path
    codes = [path.MOVETO, path.LINETO, path.LINETO, path.LINETO, path.CLOSEPOLY] * len(boxes)
    shape = patches.PathPatch(
        path(corners, codes), facecolor=face, edgecolor=edge, linewidth=0.5, hatch=hatch or None, zorder=zorder
    )
    ax.add_artist(shape)


def _legend(figure: Figure, operations: Mapping[str, tuple[str, str]], theme: Theme, narrow: bool) -> None:
    patches = require("matplotlib.patches", extra="demo", why="to draw a figure")
    handles = [
        patches.Patch(facecolor=theme.colour(colour), edgecolor=theme.ink, linewidth=0.5, label=name)
        for name, colour in sorted(dict(operations.values()).items(), key=lambda item: item[0] == OTHER)
    ]
    handles += [
        patches.Patch(facecolor=theme.muted, edgecolor=theme.muted, label="computing"),
        patches.Patch(facecolor=theme.tint(theme.muted), edgecolor=theme.muted, hatch="/////", label="waiting"),
    ]
    legend_above(figure, handles, 3 if narrow else 8)
