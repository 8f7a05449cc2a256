"""A strip: every repeat of a few ways as a dot, the median marked.

Here: the noun and its figure. The invariant: no repeat is hidden, and n stands beside every median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from flowlab.comparison.wording import number
from flowlab.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flowlab.plots.chart import Chart
    from flowlab.plots.theme import Theme


@dataclass(frozen=True, slots=True)
class Strip:
    """One quantity of a few ways, every repeat kept.

    Attributes:
        quantity: What was measured.
        unit: Its unit.
        values: The repeats, by way.
    """

    quantity: str
    unit: str
    values: Mapping[str, Sequence[float]]

    def median(self, way: str) -> float:
        """Return the median of one way."""
        return median(self.values[way])

    def sentence(self) -> str:
        """Return medians, ranges and n in a sentence."""
        return f"{self.quantity[0].upper()}{self.quantity[1:]}: {'; '.join(map(self._say, self.values))}."

    def _say(self, way: str) -> str:
        values = self.values[way]
        said = f"{way} {number(self.median(way))} {self.unit}"
        if len(values) == 1:
            return said
        return f"{said} ({number(min(values))} to {number(max(values))}, n = {len(values)})"

    def chart(self, theme: str = "light") -> Chart:
        """Return the strip as a chart."""
        from flowlab.machine import Machine
        from flowlab.plots.chart import new_chart

        pandas = require("pandas", extra="demo", why="to keep a figure's data")
        rows = [
            {"way": way, "repeat": index, f"{self.quantity} [{self.unit}]": value}
            for way, values in self.values.items()
            for index, value in enumerate(values)
        ]
        caption = f"{self.quantity[0].upper()}{self.quantity[1:]}; a dot is one repeat, the line the median. "
        return new_chart(
            self._figure,
            alt=self.sentence(),
            caption=caption + Machine.detect().sentence() + ".",
            data=pandas.DataFrame(rows),
            theme=theme,
            narrow=False,
        )

    def _repr_html_(self) -> str:
        return self.chart()._repr_html_()

    def _figure(self, look: Theme, narrow: bool) -> Figure:
        from flowlab.plots.theme import BLUE, ORANGE, WIDE_IN, new_figure

        figure = new_figure(look, WIDE_IN, 0.9 + 0.42 * len(self.values))
        axes = figure.subplots()
        for row, (way, values) in enumerate(self.values.items()):
            axes.plot(values, [row] * len(values), "o", color=look.colour(BLUE), alpha=0.55, markersize=7, zorder=3)
            axes.plot([self.median(way)] * 2, [row - 0.28, row + 0.28], color=ORANGE, linewidth=3, zorder=4)
        axes.set_yticks(range(len(self.values)), list(self.values))
        axes.set_ylim(len(self.values) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{self.quantity} [{self.unit}]")
        return figure
