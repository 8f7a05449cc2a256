"""The slope plot: what something cost before and after, a panel a notebook, a line a branch.

Drawing only. The invariant: every branch is drawn, also those that the reader did not take; whose figures a line shows
is told by colour, marker and line style; and every panel begins at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlab.errors import PlotError, SettingError, require
from flowlab.plots.chart import Chart, new_chart
from flowlab.plots.labels import name_points
from flowlab.plots.theme import BLACK, BLUE, GREEN, NARROW_IN, WIDE_IN, Theme, legend_above, new_figure
from flowlab.plots.wording import Quantity, listing, quantity, sentence_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHOSEN, OWN, ELSEWHERE = "chosen", "own", "elsewhere"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a line: the median of one way, and between which values, if that is known."""

    way: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Slope:
    """One line: a branch, from what it was held against to what it came to.

    Attributes:
        panel: What the line belongs to, such as a notebook.
        name: The branch.
        before, after: Its ends.
        known: "chosen" (the reader's path), "own" (measured here, another branch) or "elsewhere" (recorded).
        source: Where it was measured, in words.
    """

    panel: str
    name: str
    before: End
    after: End
    known: str
    source: str

    @property
    def ratio(self) -> float:
        """What it takes afterwards, divided by what it took before."""
        return self.after.value / self.before.value if self.before.value else float("nan")


@dataclass(frozen=True, slots=True)
class _Look:
    label: str
    colour: str
    marker: str
    line: Any
    width: float
    hollow: bool = False


LOOKS: Mapping[str, _Look] = {
    CHOSEN: _Look("your path", BLUE, "o", "-", 2.6),
    OWN: _Look("another branch, measured by you", GREEN, "s", (0, (5, 1.5)), 1.6),
    ELSEWHERE: _Look("another branch, recorded elsewhere", BLACK, "D", (0, (1.2, 1.6)), 1.2, hollow=True),
}


def slope(
    lines: Sequence[Slope], column: str = "wall_s", *, source: str = "", theme: str = "light", narrow: bool = False
) -> Chart:
    """Return what each line took before and after; a panel for each thing that lines belong to.

    Args:
        lines: What to draw.
        column: What their values are: wall_s, cpu_s, peak_bytes or energy_j.
        source: Where the figures are from, a sentence for the caption.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.

    Raises:
        SettingError: The column is unknown, or a line is known in no way there is.
        PlotError: There is no line.
    """
    this, lines = quantity(column), list(lines)
    if not lines:
        raise PlotError(f"there is no slope to draw: no branch has a {this.label} before and after.")
    for each in lines:
        if each.known not in LOOKS:
            raise SettingError(f"{each.known!r} is no way to know a line: choose one of {', '.join(LOOKS)}.")
    pandas = require("pandas", extra="demo", why="to keep a figure's data")

    def draw(look: Theme, small: bool) -> Figure:
        return _figure(this, lines, look, small)

    return new_chart(
        draw,
        alt=_alt(this, lines),
        caption=_caption(this, lines, source),
        data=pandas.DataFrame([_row(this, each) for each in lines]),
        theme=theme,
        narrow=narrow,
    )


def _row(this: Quantity, each: Slope) -> dict[str, object]:
    row: dict[str, object] = {"notebook": each.panel, "branch": each.name, "whose": LOOKS[each.known].label}
    for side, end in (("before", each.before), ("after", each.after)):
        shown = {"": end.value, " from": end.low, " to": end.high}
        row[side] = end.way
        row |= {f"{side}{k} [{this.unit}]": None if v is None else this.shown(v) for k, v in shown.items()}
        row[f"n {side}"] = end.n
    return {**row, "after / before": each.ratio, "where from": each.source}


def _alt(this: Quantity, lines: Sequence[Slope]) -> str:
    said = [f"{sentence_case(this.label)} before and after, in {len(_panels(lines))} panels, a line a branch."]
    for panel, group in _panels(lines).items():
        mine = [each for each in group if each.known == CHOSEN]
        rest = [each for each in group if each.known != CHOSEN]
        taken = "; ".join(f"your {each.name}: {_said(this, each)}" for each in mine) or "not walked"
        others = f"; others {listing([f'{each.name} {_times(each)}' for each in rest])}" if rest else ""
        said.append(f"{panel}, {taken}{others}.")
    return " ".join(said)


def _said(this: Quantity, each: Slope) -> str:
    before, after = each.before, each.after
    return f"{before.way} {this.say(before.value)}, {after.way} {this.say(after.value)}, {_times(each)}"


def _times(each: Slope) -> str:
    return f"{each.ratio:.2f} times"


def _caption(this: Quantity, lines: Sequence[Slope], source: str) -> str:
    parts = [
        f"Left: the median {this.label} of what a branch was held against; right: of its best other way. Down is less. "
        "Every panel has a scale of its own, from zero; a bar at an end is the range of its repeats"
        f"{', of energy the band of the estimate' if this.column == 'energy_j' else ''}."
    ]
    if any(end.low is None for each in lines for end in (each.before, each.after)):
        parts.append("Where there is no bar, the range was not kept.")
    counts = sorted({end.n for each in lines for end in (each.before, each.after) if end.n})
    if counts:
        parts.append(f"n = {counts[0]}{f' to {counts[-1]}' if counts[1:] else ''} runs an end.")
    return " ".join([*parts, source]).strip()


def _panels(lines: Sequence[Slope]) -> dict[str, list[Slope]]:
    return {panel: [each for each in lines if each.panel == panel] for panel in dict.fromkeys(e.panel for e in lines)}


def _figure(this: Quantity, lines: Sequence[Slope], theme: Theme, narrow: bool) -> Figure:
    panels = _panels(lines)
    columns = min(len(panels), 1 if narrow else 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(theme, NARROW_IN if narrow else WIDE_IN, 2.0 * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for ax, (panel, group) in zip(axes, panels.items(), strict=False):
        _panel(ax, this, panel, group, theme)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supylabel(this.axis, fontsize=10)
    shown = [look for known, look in LOOKS.items() if any(each.known == known for each in lines)]
    legend_above(figure, [_handle(look, theme) for look in shown], 1 if narrow else 3, length=2.6)
    for ax, group in zip(axes, panels.values(), strict=False):
        ends = [(1.0, this.shown(each.after.value)) for each in group]
        marks = [(step / 12, this.shown(_along(each, step / 12))) for each in group for step in range(13)]
        names = [f"{each.name}{' (you)' if each.known == CHOSEN else ''}" for each in group]
        name_points(ax, ends, names, theme, radii=[4.5] * len(group), marks=marks)
    return figure


def _along(each: Slope, share: float) -> float:
    return each.before.value + share * (each.after.value - each.before.value)


def _panel(ax: Axes, this: Quantity, panel: str, group: Sequence[Slope], theme: Theme) -> None:
    for each in sorted(group, key=lambda each: list(LOOKS).index(each.known), reverse=True):
        look, ends = LOOKS[each.known], (each.before, each.after)
        colour = theme.colour(look.colour)
        ax.plot(
            [0, 1], [this.shown(end.value) for end in ends], color=colour, marker=look.marker, linestyle=look.line,
            linewidth=look.width, markerfacecolor=theme.paper if look.hollow else colour, markersize=7,
            zorder=5 if each.known == CHOSEN else 3,
        )  # fmt: skip
        for x, end in enumerate(ends):
            if end.low is not None and end.high is not None:
                ax.plot([x, x], [this.shown(end.low), this.shown(end.high)], color=colour, linewidth=1.4, zorder=2)
    highest = max(max(end.value, end.high or 0) for each in group for end in (each.before, each.after))
    ax.set_ylim(0, 1.12 * this.shown(highest) or 1)
    ax.set_xlim(-0.15, 1.95)
    ax.set_xticks([0, 1], ["before", "after"])
    ax.grid(axis="x", visible=False)
    ax.set_title(panel, fontsize=10)


def _handle(look: _Look, theme: Theme) -> Any:
    colour = theme.colour(look.colour)
    return require("matplotlib.lines", extra="demo", why="to draw a figure").Line2D(
        [], [], color=colour, marker=look.marker, linestyle=look.line, linewidth=look.width,
        markerfacecolor=theme.paper if look.hollow else colour, label=look.label,
    )  # fmt: skip
