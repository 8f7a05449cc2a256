"""How pictures look: two themes, and one fixed look for every name.

Colours (Okabe-Ito, told apart by every common kind of colour vision), markers, hatches and line styles live here.
Nothing here draws data. The invariant: a strategy or operation flowlab knows looks the same in every picture ever
made, so that pictures can be compared across notebooks; other names take what is left, in the order in which they
come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from flowlab.errors import SettingError, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#e69f00", "#56b4e9", "#009e73"
YELLOW, BLUE, VERMILLION, PURPLE = "#f0e442", "#0072b2", "#d55e00", "#cc79a7"
GREY = "#8a94a0"

GHOST, PALE, FAINT, SOFT = 0.15, 0.3, 0.45, 0.6

WIDE_IN = 9.0
NARROW_IN = 4.1


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one theme; `ink` stands in for Okabe-Ito's black."""

    name: str
    paper: str
    ink: str
    muted: str
    grid: str

    def colour(self, colour: str) -> str:
        """Return `colour` as it is drawn in this theme: black becomes ink, which shows on dark paper too."""
        return self.ink if colour == BLACK else colour

    def tint(self, colour: str, strength: float = PALE) -> str:
        """Return `colour` mixed into the paper, an opaque stand-in for transparency.

        Args:
            colour: One of the colours above.
            strength: GHOST, PALE, FAINT or SOFT, so that every tint is known when a picture changes its theme.

        >>> THEMES["light"].tint("#0072b2", SOFT)
        '#66aad1'
        """
        parts = zip(_channels(self.colour(colour)), _channels(self.paper), strict=True)
        return "#" + "".join(f"{round(strength * ours + (1 - strength) * paper):02x}" for ours, paper in parts)


THEMES = {
    "light": Theme("light", paper="#ffffff", ink="#1f2328", muted="#565f6a", grid="#dde2e7"),
    "dark": Theme("dark", paper="#161b21", ink="#e8ebee", muted="#a7b0ba", grid="#333c46"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one name is drawn: told by colour, and again by marker, hatch and line style.

    Hatches are of lines: dots and rings become hundreds of curves, each colour of them 100 kB of SVG.
    """

    colour: str
    marker: str
    hatch: str
    line: Any


STRATEGY_LOOKS = {
    "serial": Look(BLACK, "o", "", "-"),
    "threads": Look(ORANGE, "s", "//", (0, (5, 1.5))),
    "asyncio": Look(SKY, "^", "\\\\", (0, (1.2, 1.2))),
    "processes": Look(GREEN, "D", "xx", (0, (6, 1.5, 1.2, 1.5))),
    "hybrid": Look(PURPLE, "v", "||", (0, (3, 1, 1, 1, 1, 1))),
    "dataflow": Look(BLUE, "P", "--", "-"),
}
_SPARE_LOOKS = (
    Look(VERMILLION, "X", "++", (0, (8, 2))),
    Look(GREY, "h", "/|", (0, (4, 1, 1, 1))),
    Look(VERMILLION, "*", "x|", ":"),
    Look(GREY, "<", "\\|", "--"),
    Look(YELLOW, "p", "+", (0, (2, 2))),  # last, because a yellow line hardly shows on white
    Look(YELLOW, ">", "/-", "-."),
)

OPERATION_COLOURS = {
    "log in": YELLOW,
    "download": SKY,
    "parse": ORANGE,
    "compute": VERMILLION,
    "save": GREEN,
    "check": PURPLE,
    "report": BLUE,
    "other": BLACK,
    "start workers": GREY,
    "outside calls": GREY,
    "all calls": GREY,
}
MOST_OPERATIONS = 8
OTHER = "other"
_SPARE_COLOURS = (BLUE, PURPLE, GREEN, SKY, ORANGE, VERMILLION, YELLOW, BLACK)


def theme_named(name: str) -> Theme:
    """Return the theme called `name`.

    Raises:
        SettingError: There is no such theme.
    """
    if name not in THEMES:
        raise SettingError(f"there is no theme {name!r}: choose one of {', '.join(THEMES)}.")
    return THEMES[name]


def strategy_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for every strategy: its fixed one, or one of the spare ones in the order of `names`."""
    return _dealt(names, STRATEGY_LOOKS, _SPARE_LOOKS)


def operation_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for every operation: its fixed one, or a spare one, unused ones first."""
    names = tuple(dict.fromkeys(names))
    taken = {OPERATION_COLOURS[name] for name in names if name in OPERATION_COLOURS}
    spare = sorted(_SPARE_COLOURS, key=lambda colour: colour in taken)
    return _dealt(names, OPERATION_COLOURS, tuple(spare))


def shown_operations(times: Mapping[str, float]) -> dict[str, str]:
    """Return under which name each operation is drawn: its own, or "other" for the least of too many.

    Args:
        times: Operation to the time spent in it, in the order in which they appear.
    """
    coloured = [name for name in times if OPERATION_COLOURS.get(name) != GREY]
    if len(coloured) <= MOST_OPERATIONS:
        return {name: name for name in times}
    least = sorted(coloured, key=lambda name: -times[name])[MOST_OPERATIONS - 1 :]
    return {name: OTHER if name in least else name for name in times}


def _dealt(names: Iterable[str], fixed: dict[str, Any], spare: tuple[Any, ...]) -> dict[str, Any]:
    """Give every name its fixed thing, and the others the spare ones in turn."""
    dealt: dict[str, Any] = {}
    strangers = 0
    for name in dict.fromkeys(names):
        if name in fixed:
            dealt[name] = fixed[name]
        else:
            dealt[name] = spare[strangers % len(spare)]
            strangers += 1
    return dealt


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def recoloured(svg: str, old: Theme, new: Theme) -> str:
    """Return a picture drawn in one theme in the colours of another, without drawing it again."""
    table = translation(old, new)
    return re.sub("#[0-9a-f]{6}", lambda found: table.get(found[0], found[0]), svg)


def repainted(colours: Sequence[int], old: Theme, new: Theme) -> list[int]:
    """Return the palette of a picture drawn in one theme as it would be in another.

    An edge between two colours that we draw with is a blend of them: it becomes the same blend of their translations.

    Args:
        colours: Red, green and blue of every colour, 0 to 255, one after the other.
        old: The theme that it was drawn in.
        new: The other.
    """
    import numpy as np

    table = {_channels(ours): _channels(theirs) for ours, theirs in translation(old, new).items()}
    ours, theirs = np.array(list(table), float), np.array(list(table.values()), float)
    paper = list(table).index(_channels(old.paper))
    first, second = np.triu_indices(len(table))
    across = ours[second] - ours[first]
    found = np.array(colours, float).reshape(-1, 1, 3)
    length = np.maximum((across**2).sum(1), 1e-9)
    part = np.clip(((found - ours[first]) * across).sum(2) / length, 0, 1)[..., None]
    far = np.abs(found - ours[first] - part * across).sum(2)
    far += 2.0 * ((first != paper) & (second != paper))  # nearly every edge is one with the paper
    best = far.argmin(1)
    share = part[np.arange(len(best)), best]
    mixed = (1 - share) * theirs[first[best]] + share * theirs[second[best]]
    return [int(channel) for channel in np.rint(mixed).ravel()]


@cache
def translation(old: Theme, new: Theme) -> dict[str, str]:
    """Return what every colour of one theme is in another."""
    table = {getattr(old, name): getattr(new, name) for name in ("paper", "ink", "muted", "grid")}
    for colour in (BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE, GREY):
        table[old.colour(colour)] = new.colour(colour)
        table |= {old.tint(colour, strength): new.tint(colour, strength) for strength in (GHOST, PALE, FAINT, SOFT)}
    return table | {old.tint(old.muted): new.tint(new.muted)}


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Have matplotlib draw in `theme` within the block, and leave its settings as they were."""
    matplotlib = require("matplotlib", extra="demo", why="to draw a figure")
    with matplotlib.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Bitstream Vera Sans", "sans-serif"],
            "font.size": 10.0,
            "text.color": theme.ink,
            "axes.edgecolor": theme.muted,
            "axes.labelcolor": theme.ink,
            "axes.facecolor": theme.paper,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11.0,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlecolor": theme.ink,
            "axes.labelsize": 10.0,
            "grid.color": theme.grid,
            "grid.linewidth": 0.8,
            "xtick.color": theme.muted,
            "ytick.color": theme.muted,
            "xtick.labelcolor": theme.ink,
            "ytick.labelcolor": theme.ink,
            "xtick.labelsize": 10.0,
            "ytick.labelsize": 10.0,
            "legend.fontsize": 10.0,
            "legend.frameon": False,
            "legend.labelcolor": theme.ink,
            "hatch.linewidth": 0.9,
            "figure.facecolor": theme.paper,
            "savefig.facecolor": theme.paper,
            "svg.fonttype": "none",
            "svg.hashsalt": "flowlab",
        }
    ):
        yield


def settle(figure: Figure) -> None:
    """Lay the figure out, once and for all: from here on its axes stay where they are."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def new_figure(theme: Theme, width_in: float, height_in: float) -> Figure:
    """Return an empty figure of its own, known to no global state."""
    module = require("matplotlib.figure", extra="demo", why="to draw a figure")
    agg = require("matplotlib.backends.backend_agg", extra="demo", why="to draw a figure")
    figure: Figure = module.Figure(figsize=(width_in, height_in), facecolor=theme.paper, layout="constrained")
    agg.FigureCanvasAgg(figure)  # measures text, whatever backend the session uses
    return figure


def legend_above(figure: Figure, handles: Sequence[Any], most: int, *, length: float = 1.6) -> None:
    """Put a legend above the axes, to be read row by row, and make the figure higher by it.

    Args:
        figure: Its height so far is that of the axes.
        handles: What the legend explains, in reading order.
        most: How many columns there may be; fewer where they would not fit.
        length: Length of a sample, in letters.
    """
    for columns in range(most, 0, -1):
        rows = -(-len(handles) // columns)
        legend = _legend(figure, handles, rows, -(-len(handles) // rows), length)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width or columns == 1:
            figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)
            return
        legend.remove()


def _legend(figure: Figure, handles: Sequence[Any], rows: int, columns: int, length: float) -> Any:
    blank = require("matplotlib.lines", extra="demo", why="to draw a figure").Line2D(
        [], [], linestyle="none", label=" "
    )
    padded = [*handles, *[blank] * (rows * columns - len(handles))]
    ordered = [padded[row * columns + column] for column in range(columns) for row in range(rows)]
    return figure.legend(
        handles=ordered, loc="outside upper left", ncols=columns, columnspacing=1.1, handlelength=length,
        handletextpad=0.6, borderaxespad=0.1,
    )  # fmt: skip
