"""The chart: a figure together with what it says in words and in numbers.

Making pictures of data lives elsewhere in this room. The invariant: no picture leaves without alt text computed from
its data, a caption and its data table, and the same chart gives the same bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from flowlab.errors import SettingError, require
from flowlab.plots.theme import THEMES, Theme, drawing, repainted, settle, theme_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from PIL.Image import Image

Draw = Callable[[Theme, bool], "Figure"]

PNG_DPI = 144
COLOURS = 128
ROWS_SHOWN = 100
_LONG_DECIMALS = re.compile(r"(\d\.\d\d)\d+")
_DARK = ("[data-jp-theme-light='false']", "[data-vscode-theme-kind='vscode-dark']", "html[data-theme='dark']")
"""What says in JupyterLab, in VS Code and on the series' site that the page is dark."""
_BY_THEME = "".join(
    f"{page} .flowlab-day{{display:none}}{page} .flowlab-night{{display:inline!important}}" for page in _DARK
)
_PATH = re.compile(r'(?<= d=")[^"]*')


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A figure, its alt text, caption and data; shown as all of these in a notebook.

    Attributes:
        figure: The matplotlib figure, known to no global state.
        alt: What the picture shows, computed from its data.
        caption: How to read it, with n, spread and machine.
        data: The numbers in it, one row a mark.
        theme: "light" or "dark".
        narrow: Whether it is drawn for a narrow screen.
    """

    figure: Figure = field(repr=False)
    alt: str
    caption: str
    data: DataFrame = field(repr=False)
    theme: str = "light"
    narrow: bool = False
    draw: Draw | None = field(default=None, repr=False)

    def redrawn(self, *, theme: str | None = None, narrow: bool | None = None) -> Chart:
        """Return the same chart in another theme or for another width."""
        theme = self.theme if theme is None else theme
        narrow = self.narrow if narrow is None else narrow
        if (theme, narrow) == (self.theme, self.narrow):
            return self
        if self.draw is None:
            raise SettingError("this chart does not know how it was drawn: call the function that made it once more.")
        return replace(self, figure=_drawn(self.draw, theme, narrow), theme=theme, narrow=narrow)

    def svg(self) -> str:
        """Return the figure as SVG; its text stays text."""
        backend = require("matplotlib.backends.backend_svg", extra="demo", why="to draw a figure")
        text, canvas = StringIO(), self.figure.canvas
        with drawing(theme_named(self.theme)):  # `savefig` would draw it once more, to lay out what is laid out
            backend.FigureCanvasSVG(self.figure).print_svg(text, metadata={"Date": None, "Creator": None})
        self.figure.set_canvas(canvas)
        return _shortened(text.getvalue())

    def png(self, dpi: float = PNG_DPI) -> bytes:
        """Return the figure as PNG, by default 1.5 times as fine as a plain screen; few colours make it small."""
        return _packed(self._few_colours(dpi))

    def _few_colours(self, dpi: float = PNG_DPI) -> Image:
        images = require("PIL.Image", extra="demo", why="to save a figure as PNG")
        image = BytesIO()
        with drawing(theme_named(self.theme)):
            self.figure.savefig(image, format="png", dpi=dpi, metadata={"Software": None})
        few: Image = images.open(image).convert("RGB").quantize(COLOURS, dither=0)
        return few

    def save(self, path: str | Path) -> Path:
        """Write the figure to `path`, as SVG or PNG by its ending, and return the path.

        Raises:
            SettingError: The ending is neither .svg nor .png.
        """
        path = Path(path)
        if path.suffix.lower() not in (".svg", ".png"):
            raise SettingError(f"a chart is saved as .svg or .png, and {path.name!r} ends in neither: choose one.")
        path.write_bytes(self.png() if path.suffix.lower() == ".png" else self.svg().encode())
        return path

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the figure on a screen, in CSS pixels."""
        width_in, height_in = self.figure.get_size_inches()
        return round(96 * width_in), round(96 * height_in)

    def _repr_html_(self) -> str:
        width, height = self.size_px
        image = self._few_colours()
        day = _packed(image)
        image.putpalette(repainted(image.getpalette() or (), THEMES[self.theme], THEMES["dark"]))
        rest = f"width='{width}' height='{height}'"
        return (
            f"<figure style='margin:0 0 1em'><style>{_BY_THEME}</style>"
            f"<img alt='{escape(self.alt)}' src='{address(day)}' {rest} class='flowlab-day dark-light' "
            "style='max-width:100%;height:auto'>"
            f"<img alt='{escape(self.alt)}' src='{address(_packed(image))}' {rest} class='flowlab-night dark-light' "
            "style='max-width:100%;height:auto;display:none'>"
            f"<figcaption style='max-width:60em'>{escape(self.caption)}</figcaption>{data_table(self.data)}</figure>"
        )


def address(picture: str | bytes) -> str:
    """Return a picture (SVG as text, PNG as bytes) as a data address, so that a page needs no second file."""
    kind, raw = ("svg+xml", picture.encode()) if isinstance(picture, str) else ("png", picture)
    return f"data:image/{kind};base64,{b64encode(raw).decode()}"


def new_chart(draw: Draw, *, alt: str, caption: str, data: DataFrame, theme: str, narrow: bool) -> Chart:
    """Return the chart that `draw` makes.

    Args:
        draw: Takes a theme and whether the screen is narrow, returns a new figure.
        alt: What the picture shows, in a few sentences.
        caption: How to read it.
        data: The numbers in it.
        theme: "light" or "dark".
        narrow: Whether to draw for a narrow screen.
    """
    return Chart(_drawn(draw, theme, narrow), alt, caption, data, theme, narrow, draw)


def data_table(data: DataFrame) -> str:
    """Return a collapsed HTML table of the first rows of `data`, saying how many there are."""
    shown = data.head(ROWS_SHOWN)
    rest = f", the first {ROWS_SHOWN} of {len(data)} rows" if len(data) > len(shown) else ""
    head = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in shown.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in shown.itertuples(index=False)
    )
    return (
        f"<details><summary>Data table{rest}</summary><div style='overflow-x:auto'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _shortened(svg: str) -> str:
    """Return the same picture in fewer bytes: coordinates to a hundredth of a point, paths without line breaks."""
    svg = re.sub(r"\n *", "\n", _LONG_DECIMALS.sub(r"\1", svg))
    return _PATH.sub(lambda path: re.sub(r"\s*([A-Za-z])\s*", r"\1", path[0].strip()).replace(" ", ","), svg)


def _cell(value: object) -> str:
    """Say one value of a table; what was not measured stays empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _packed(image: Image) -> bytes:
    """Return a picture of few colours as PNG."""
    packed = BytesIO()
    image.save(packed, "png", optimize=True)
    return packed.getvalue()


def _drawn(draw: Draw, theme: str, narrow: bool) -> Figure:
    look = theme_named(theme)
    with drawing(look):
        figure = draw(look, narrow)
        settle(figure)
    return figure
