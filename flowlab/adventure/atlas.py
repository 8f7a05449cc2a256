"""The map of the adventure: all notebooks, which are there, and where the reader's choices lead.

Here: one figure, drawn from the branch table and the journal. Not here: the table. The invariant: the map shows every
notebook, also those that are not there yet, and draws no road that the table does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from flowlab.adventure.chapters import Chapter
from flowlab.adventure.journals import Journal
from flowlab.adventure.routes import BOX, STEP, Cell, Point, place, routes
from flowlab.adventure.series import CHAPTERS
from flowlab.adventure.trips import current
from flowlab.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flowlab.plots.chart import Chart
    from flowlab.plots.theme import Theme

PARTS: Mapping[str, tuple[str, ...]] = {
    "Measure": ("00", "01", "02"),
    "Wait and work at once": ("03", "04", "05", "06"),
    "Wire and bound": ("07", "08", "09", "10"),
    "Choose": ("11", "12", "13", "14"),
}
LANES = (("#d55e00", "-"), ("#0072b2", (0, (4, 1.5))), ("#009e73", (0, (1, 1))))
STATES = {"here": "you are here", "been": "you were here", "ready": "ready", "later": "not there yet"}


@dataclass(frozen=True, slots=True)
class _Road:
    """One leg of a road: from a notebook to the next, on the way that an option began."""

    start: str
    option: str
    end: str


def draw_map(journal: Journal | None = None, *, here: str | None = None, theme: str = "light") -> Chart:
    """Return the map, with the roads the reader's last choices lead to.

    Args:
        journal: Where the choices are kept; default the notebook's.
        here: The notebook the reader is in; default the one under way.
        theme: "light" or "dark".
    """
    from flowlab.plots.chart import new_chart

    trip = current() if journal is None or here is None else None
    journal = trip.journal if trip and journal is None else journal or Journal(None)
    here = trip.chapter.name if trip and here is None else here or ""
    choices = {e.notebook: e.value for e in journal.entries("choice") if e.value is not None}
    for option in trip.choices.values() if trip else ():  # also where no journal is kept
        choices[here] = option
    states = {name: _state(each, here, journal) for name, each in CHAPTERS.items()}
    roads = _roads(choices)
    pandas = require("pandas", extra="demo", why="to keep a figure's data")
    data = pandas.DataFrame([_row(each, states[name], choices.get(name)) for name, each in CHAPTERS.items()])

    def draw(look: Theme, narrow: bool) -> Figure:
        return _figure(states, roads, choices, here, look)

    return new_chart(draw, alt=_alt(states, roads), caption=CAPTION, data=data, theme=theme, narrow=False)


CAPTION = (
    "Full frames: notebooks that are there; dashed: not there yet; filled: where you are or were; below a title: what "
    "you chose there last. Arrows: where a choice leads next, and from where you are also what comes after that. "
    "The data table has the roads you did not take."
)


def _state(each: Chapter, here: str, journal: Journal) -> str:
    if each.name == here:
        return "here"
    if not each.ready:
        return "later"
    return "been" if journal.last("result", each.name) else "ready"


def _roads(choices: Mapping[str, str]) -> list[list[_Road]]:
    """Return the legs of every road that a choice began."""
    roads = []
    for each in CHAPTERS.values():
        for branch in each.decision.branches if each.decision else ():
            if choices.get(each.name) == branch.option:
                stations = (each.name, *branch.then)
                legs = zip(stations, branch.then, strict=False)
                roads.append([_Road(start, branch.option, end) for start, end in legs])
    return roads


def _row(each: Chapter, state: str, choice: str | None) -> dict[str, str]:
    leads = each.decision.branches if each.decision else ()
    return {
        "notebook": each.name,
        "title": each.title,
        "state": STATES[state],
        "your choice": choice or "",
        "leads to": "; ".join(f"{b.option}: {', '.join(end[:2] for end in b.then)}" for b in leads),
    }


def _alt(states: Mapping[str, str], roads: Sequence[Sequence[_Road]]) -> str:
    ready = [name[:2] for name, state in states.items() if state != "later"]
    here = next((name[:2] for name, state in states.items() if state == "here"), "none")
    leads = [
        f"In {legs[0].start[:2]} you chose {legs[0].option}, which leads to "
        f"{', then '.join(leg.end[:2] for leg in legs)}."
        for legs in roads
    ]
    return (
        f"Map of {len(states)} notebooks in {len(PARTS)} columns: {', '.join(PARTS)}. There: {', '.join(ready)}; "
        f"the others are not there yet. You are in {here}. {' '.join(leads) or 'No choice is made yet.'}"
    )


def _cells() -> dict[str, Cell]:
    """Return the column and row of every notebook."""
    names = {each.number: each.name for each in CHAPTERS.values()}
    return {
        names[number]: (column, row) for column, part in enumerate(PARTS.values()) for row, number in enumerate(part)
    }


def shown(roads: Sequence[Sequence[_Road]], here: str) -> list[tuple[int, _Road]]:
    """Return the legs to draw, each with its road's number: of every road the first, of the reader's own all."""
    return [(n, leg) for n, legs in enumerate(roads) for leg in (legs if legs[0].start == here else legs[:1])]


def _figure(
    states: Mapping[str, str],
    roads: Sequence[Sequence[_Road]],
    choices: Mapping[str, str],
    here: str,
    look: Theme,
) -> Figure:
    from flowlab.plots.theme import WIDE_IN, new_figure

    figure = new_figure(look, WIDE_IN, 4.4)
    axes = figure.subplots()
    axes.set_axis_off()
    cells, legs = _cells(), shown(roads, here)
    ways = routes([(cells[leg.start], cells[leg.end]) for _, leg in legs])
    for (road, _), corners in zip(legs, ways, strict=True):
        _draw_leg(axes, corners, LANES[road % len(LANES)])
    for name, cell in cells.items():
        _draw_box(axes, CHAPTERS[name], states[name], choices.get(name), place(cell), look)
    for column, part in enumerate(PARTS):
        axes.text(column * STEP[0], 0.62, part, ha="center", weight="bold", size=11, color=look.ink)
    axes.set_xlim(-BOX[0] / 2 - 0.45, 3 * STEP[0] + BOX[0] / 2 + 0.1)
    axes.set_ylim(-3 * STEP[1] - BOX[1] / 2 - 0.1, 0.85)
    return figure


def _draw_leg(axes: Axes, corners: Sequence[Point], lane: tuple[str, Any]) -> None:
    colour, style = lane
    axes.plot(*zip(*corners[:-1], strict=True), color=colour, linestyle=style, linewidth=2.0, zorder=2)
    axes.annotate("", xy=corners[-1], xytext=corners[-2], zorder=2, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": 2.0, "shrinkA": 0, "shrinkB": 0,
    })  # fmt: skip


def _draw_box(axes: Axes, each: Chapter, state: str, choice: str | None, middle: Point, look: Theme) -> None:
    patches = require("matplotlib.patches", extra="demo", why="to draw the map")
    from flowlab.plots.theme import BLUE, SKY

    x, y = middle
    later = state == "later"
    axes.add_patch(patches.FancyBboxPatch(
        (x - BOX[0] / 2, y - BOX[1] / 2), *BOX, boxstyle="round,pad=0,rounding_size=0.08", zorder=3,
        facecolor=look.tint(SKY, 0.3) if state in ("here", "been") else look.paper,
        edgecolor=look.muted if later else look.colour(BLUE), linewidth=2.6 if state == "here" else 1.3,
        linestyle="--" if later else "-",
    ))  # fmt: skip
    axes.text(
        x - BOX[0] / 2 + 0.08,
        y,
        each.number,
        va="center",
        weight="bold",
        size=11,
        zorder=4,
        color=look.muted if later else look.ink,
    )
    axes.text(
        x - BOX[0] / 2 + 0.4,
        y,
        fill(each.title, 15) + (f"\n\u2192 {choice}" if choice else ""),
        va="center",
        size=10,
        zorder=4,
        linespacing=1.05,
        color=look.muted if later else look.ink,
    )
