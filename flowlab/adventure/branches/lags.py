"""Loop lag: how much later than due an event loop comes to what is due, and its picture.

Here: the probe, the noun, its figure. Not here: what keeps a loop busy (coroutines). The invariant: every moment that
was due counts once, also those that passed while the loop was blocked; a probe that only sleeps and looks would see a
block of a second once, and a thousand calm milliseconds a thousand times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from flowlab.comparison.wording import number
from flowlab.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flowlab.plots.chart import Chart
    from flowlab.plots.theme import Look, Theme

PERIOD_S = 0.005
FLOOR_MS = 0.1


@asynccontextmanager
async def probed(period_s: float = PERIOD_S, clock: Callable[[], float] | None = None) -> AsyncIterator[list[float]]:
    """Watch the running loop within the block; yield the lags so far, in seconds, to which more are added.

    Args:
        period_s: The time from one due moment to the next.
        clock: What tells the time; the loop's own if None.
    """
    now = clock or asyncio.get_running_loop().time
    due = now() + period_s
    lags: list[float] = []

    def look() -> None:
        nonlocal due
        at = now()
        while due <= at:
            lags.append(at - due)
            due += period_s

    async def probe() -> None:
        while True:
            await asyncio.sleep(max(0.0, due - now()))
            look()

    task = asyncio.create_task(probe(), name="lag probe")
    try:
        yield lags
    finally:
        look()  # what came due while the loop was blocked to the end
        task.cancel()
        await asyncio.wait([task])


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of the values do not exceed.

    >>> percentile([3, 1, 2, 4], 50), percentile([3, 1, 2, 4], 95)
    (2, 4)
    """
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Lags:
    """The loop lags of a few ways, every run kept.

    Attributes:
        runs: By way, a run's lags in milliseconds, one for every moment that was due.
    """

    runs: Mapping[str, Sequence[Sequence[float]]]

    def tail_ms(self, way: str) -> list[float]:
        """Return, by run, the lag that one moment in twenty exceeds."""
        return [percentile(run, 95) for run in self.runs[way]]

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times the tail of one way is that of another, median run against median run."""
        return median(self.tail_ms(slow)) / median(self.tail_ms(fast))

    @property
    def noise(self) -> float:
        """By what factor the tails of equal runs differed, at the worst of all ways."""
        return max(max(tails) / min(tails) for tails in map(self.tail_ms, self.runs))

    def facts(self, way: str) -> dict[str, float]:
        """Return what the journal keeps of a way."""
        together = [lag for run in self.runs[way] for lag in run]
        return {
            "lag_median_ms": median(together),
            "lag_95_ms": median(self.tail_ms(way)),
            "lag_longest_ms": max(together),
        }

    def sentence(self) -> str:
        """Return the tails, the longest lags and n in a sentence."""
        return f"Loop lag that one moment in twenty exceeds: {'; '.join(map(self._say, self.runs))}."

    def _say(self, way: str) -> str:
        tails, facts = self.tail_ms(way), self.facts(way)
        spread = f" ({number(min(tails))} to {number(max(tails))}, n = {len(tails)})" if len(tails) > 1 else ""
        return f"{way} {number(facts['lag_95_ms'])} ms{spread}, at worst {number(facts['lag_longest_ms'])} ms"

    def chart(self, theme: str = "light") -> Chart:
        """Return the share of moments at which the loop was no later than so much, as a chart."""
        from flowlab.machine import Machine
        from flowlab.plots.chart import new_chart

        pandas = require("pandas", extra="demo", why="to keep a figure's data")
        rows = [
            {"way": way, "run": index, "moments": len(run)}
            | {f"{percent} % [ms]": round(percentile(run, percent), 2) for percent in (50, 75, 90, 95, 99, 100)}
            for way, runs in self.runs.items()
            for index, run in enumerate(runs)
        ]
        caption = (
            "Share of the moments that were due at which the loop was no later than so much: a line is one run, the "
            "thick one the run of median tail. Further left is better. "
        )
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
        from flowlab.plots.theme import WIDE_IN, legend_above, new_figure, strategy_looks

        figure = new_figure(look, WIDE_IN, 3.6)
        axes = figure.subplots()
        looks = strategy_looks(LOOKS.get(way, way) for way in self.runs)
        for way in self.runs:
            self._draw(axes, way, looks[LOOKS.get(way, way)], look)
        axes.axhline(95, color=look.muted, linewidth=0.8, linestyle=":")
        axes.set(xscale="log", ylim=(0, 101), xlabel="loop lag [ms]", ylabel="share of moments [%]")
        axes.set_xlim(left=FLOOR_MS)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        handles, _ = axes.get_legend_handles_labels()
        legend_above(figure, handles, 4, length=3.2)
        return figure

    def _draw(self, axes: Any, way: str, dress: Look, look: Theme) -> None:
        """Draw a way's runs, that of median tail thick."""
        from flowlab.plots.theme import PALE

        colour, tails = look.colour(dress.colour), self.tail_ms(way)
        shown = sorted(range(len(tails)), key=tails.__getitem__)[len(tails) // 2]
        for index, run in enumerate(self.runs[way]):
            x = [max(lag, FLOOR_MS) for lag in sorted(run)]
            y = [100 * (place + 1) / len(x) for place in range(len(x))]
            if index != shown:
                axes.plot(x, y, drawstyle="steps-post", color=look.tint(colour, PALE), linewidth=1, zorder=2)
                continue
            axes.plot(
                x, y, drawstyle="steps-post", color=colour, linewidth=2.2, linestyle=dress.line, zorder=4,
                marker=dress.marker, markevery=max(1, len(x) // 6), markeredgecolor=look.ink, label=way,
            )  # fmt: skip


LOOKS: Mapping[str, str] = {"on the loop": "asyncio", "in threads": "threads", "in processes": "hybrid"}
"""By way, the strategy in whose colour and marker it is drawn, as everywhere in the series."""
