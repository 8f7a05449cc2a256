"""The map of the adventure: all notebooks, which are there, and where the reader's choices lead.

Here: one figure, drawn from the branch table and the journal. Not here: the table. The invariant: the map shows every
notebook, also those that are not there yet, and draws no road that the table does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from flowlab.adventure.chapters import Chapter
from flowlab.adventure.journals import Journal
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
BOX = (1.72, 0.62)
STEP = (2.3, 1.0)
LANES = (("#d55e00", "-"), ("#0072b2", (0, (4, 1.5))), ("#009e73", (0, (1, 1))))
STATES = {"here": "you are here", "been": "you were here", "ready": "ready", "later": "not there yet"}


@dataclass(frozen=True, slots=True)
class _Road:
    """One leg of a road: from a notebook to the next, on the way that an option began."""

    start: str
    option: str
    end: str
    first: bool


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
        return _figure(states, roads, look)

    return new_chart(draw, alt=_alt(states, roads), caption=CAPTION, data=data, theme=theme, narrow=False)


CAPTION = (
    "Full frames: notebooks that are there; dashed: not there yet; filled: where you are or were. Arrows: where your "
    "last choices lead. The data table has the roads you did not take."
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
                roads.append([_Road(start, branch.option, end, start == each.name) for start, end in legs])
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


def _places() -> dict[str, tuple[float, float]]:
    names = {each.number: each.name for each in CHAPTERS.values()}
    return {
        names[number]: (column * STEP[0], -row * STEP[1])
        for column, numbers in enumerate(PARTS.values())
        for row, number in enumerate(numbers)
    }


def _figure(states: Mapping[str, str], roads: Sequence[Sequence[_Road]], look: Theme) -> Figure:
    from flowlab.plots.theme import WIDE_IN, new_figure

    figure = new_figure(look, WIDE_IN, 4.4)
    axes = figure.subplots()
    axes.set_axis_off()
    places = _places()
    for lane, legs in enumerate(roads):
        for road in legs:
            _draw_road(axes, road, lane, places, look)
    for name, place in places.items():
        _draw_box(axes, CHAPTERS[name], states[name], place, look)
    for column, part in enumerate(PARTS):
        axes.text(column * STEP[0], 0.62, part, ha="center", weight="bold", size=11, color=look.ink)
    axes.set_xlim(-BOX[0] / 2 - 0.45, 3 * STEP[0] + BOX[0] / 2 + 0.1)
    axes.set_ylim(-3 * STEP[1] - BOX[1] / 2 - 0.1, 0.85)
    return figure


def _draw_box(axes: Axes, each: Chapter, state: str, place: tuple[float, float], look: Theme) -> None:
    patches = require("matplotlib.patches", extra="demo", why="to draw the map")
    from flowlab.plots.theme import BLUE, SKY

    x, y = place
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
        fill(each.title, 15),
        va="center",
        size=10,
        zorder=4,
        linespacing=1.05,
        color=look.muted if later else look.ink,
    )


def _draw_road(axes: Axes, road: _Road, lane: int, places: Mapping[str, tuple[float, float]], look: Theme) -> None:
    """Draw one leg, through the gaps between the frames; every road keeps a lane of its own in them."""
    colour, style = LANES[lane % len(LANES)]
    corners = _corners(places[road.start], places[road.end], 0.07 * (lane + 1) * (-1) ** lane)
    axes.plot(*zip(*corners[:-1], strict=True), color=colour, linestyle=style, linewidth=2.2, zorder=2)
    axes.annotate("", xy=corners[-1], xytext=corners[-2], zorder=2, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0,
    })  # fmt: skip
    if road.first:
        (x, y), right = corners[0], corners[1][0] > corners[0][0]
        axes.text(
            x + (0.03 if right else -0.03),
            y + 0.05,
            road.option,
            size=10,
            color=look.ink,
            zorder=5,
            ha="left" if right else "right",
            bbox={"facecolor": look.paper, "edgecolor": "none", "pad": 0.6},
        )


def _corners(start: tuple[float, float], end: tuple[float, float], lane: float) -> list[tuple[float, float]]:
    """Return the corners of a way from frame to frame: out at a side, along the gaps, in from the left."""
    (x1, y1), (x2, y2) = start, end
    half = BOX[0] / 2
    gap = (STEP[0] - BOX[0]) / 2
    before = x2 - half - gap + lane
    if x1 == x2:
        return [(x1 - half, y1), (before + gap / 3, y1), (before + gap / 3, y2), (x2 - half, y2)]
    y1 += lane
    out = x1 + half + gap + lane
    if x2 - x1 < 1.5 * STEP[0]:
        return [(x1 + half, y1), (before, y1), (before, y2 + lane), (x2 - half, y2 + lane)]
    above = y2 + STEP[1] / 2 + lane
    return [(x1 + half, y1), (out, y1), (out, above), (before, above), (before, y2 + lane), (x2 - half, y2 + lane)]
