"""What showing progress costs: the same run with and without it, interleaved, in CPU of the whole process.

    python benchmarks/live.py [--rounds N]

The picture is drawn as a notebook's HTML and as rich's text for a terminal, up to ten times a second, and sent nowhere.
"Tiny" calls return at once: the worst there is. Read the ratios, with their spread, never the absolute numbers.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from statistics import median
from unittest.mock import patch

import flowlab as fl
from flowlab.live import pages, showing, wording
from flowlab.live.showing import pause_after
from flowlab.machine import Machine


class Html:
    """Draws what a notebook is sent."""

    def draw(self, picture: pages.Picture) -> None:
        """Draw it."""
        wording.html(picture), wording.text(picture)

    close = draw


class Rich:
    """Draws what a terminal is sent."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(file=io.StringIO(), force_terminal=True, width=120)

    def draw(self, picture: pages.Picture) -> None:
        """Draw it."""
        self.console.print(pages._rich(picture))

    close = draw


def spin(n: int) -> int:
    """Work for about a millisecond."""
    return sum(range(40_000)) + n


def step(n: int) -> int:
    """The least work there is."""
    return n


def fan(body: Callable[[int], int], count: int, **settings: object) -> Callable[[bool], object]:
    """A flow that calls a function so often, and collects."""
    flow = fl.DataFlow(
        fl.operation(lambda k: list(range(k)), outputs="n", name="numbers", expand=True),
        fl.operation(body, outputs="m", name="body"),
        fl.operation(lambda m: len(m), outputs="all", name="count", collect="m"),
    )
    return lambda progress: flow.run({"k": count}, progress=progress, **settings)  # type: ignore[arg-type]


def many(body: Callable[[int], int], count: int) -> Callable[[bool], object]:
    """A flow of three calls, run once an item."""
    flow = fl.DataFlow(*(fl.operation(body, inputs={"n": a}, outputs=b, name=b) for a, b in ("ab", "bc", "cd")))
    items = [{"a": n} for n in range(count)]
    return lambda progress: flow.map(items, progress=progress)


SHAPES: dict[str, Callable[[bool], object]] = {
    "fan of 1,500 calls of about 1 ms, inline": fan(spin, 1_500),
    "fan of 1,500 calls of about 1 ms, threads": fan(spin, 1_500, executor="threads", workers=2),
    "fan of 1,500 calls of about 1 ms, processes": fan(spin, 1_500, executor="processes", workers=2),
    "map of 500 items of 3 calls of about 1 ms": many(spin, 500),
    "fan of 300,000 tiny calls, inline": fan(step, 300_000),
    "fan of 30,000 tiny calls, threads": fan(step, 30_000, executor="threads", workers=2),
    "map of 30,000 items of 3 tiny calls": many(step, 30_000),
}


def spent_s(run: Callable[[bool], object], progress: bool) -> tuple[float, float]:
    """CPU seconds of this process for one run (those of worker processes are not in it), and wall seconds."""
    used, began = time.process_time(), time.perf_counter()
    run(progress)
    return time.process_time() - used, time.perf_counter() - began


def measure(run: Callable[[bool], object], rounds: int, page: object) -> tuple[list[float], list[float]]:
    """For each round the share of a core that reading and drawing took, and all CPU with progress over that without."""
    shares, ratios = [], []
    drawn: list[float] = []

    def noted(cost_s: float) -> float:
        drawn.append(cost_s)
        return pause_after(cost_s)

    with patch.object(showing, "page_here", lambda keep: page), patch.object(showing, "pause_after", noted):
        run(True)
        for at in range(rounds):
            drawn.clear()
            first, second = (spent_s(run, bool(at % 2)), spent_s(run, not at % 2))
            shown, plain = (first, second) if at % 2 else (second, first)
            shares.append(sum(drawn) / shown[1])
            ratios.append(shown[0] / plain[0])
    return shares, ratios


def main() -> None:
    """Print one line a shape and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"CPU with progress / without, {options.rounds} rounds, on {Machine.detect().sentence()}")
    print("| shape | page | share of a core: median, most | all CPU, ratio: least, median, most |")
    print("|---|---|--:|--:|")
    for name, run in SHAPES.items():
        for page in (Html(), Rich()):
            shares, ratios = measure(run, options.rounds, page)
            spread = f"{min(ratios):.3f}, {median(ratios):.3f}, {max(ratios):.3f}"
            print(
                f"| {name} | {type(page).__name__.lower()} | {median(shares):.2%}, {max(shares):.2%} | {spread} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
