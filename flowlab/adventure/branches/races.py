"""Races: a few ways of doing the same, in this process, one after the other and over again.

Here: the noun and how it is run. Not here: whole jobs, which get a fresh process each (comparison). The invariant: the
ways take turns, so that a busy moment of the machine meets all of them, and every repeat is kept.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from flowlab.adventure.branches.strips import Strip
from flowlab.metrics import Record, Recorder


@dataclass(frozen=True, slots=True)
class Race:
    """What came of a race.

    Attributes:
        walls_s: Wall times in seconds, by way, in the order they were run.
        records: By way, the records of its run of median wall time.
        values: By way, what its last run returned.
    """

    walls_s: Mapping[str, tuple[float, ...]]
    records: Mapping[str, tuple[Record, ...]]
    values: Mapping[str, Any]

    def median_s(self, way: str) -> float:
        """Return the median wall time of a way, in seconds."""
        return median(self.walls_s[way])

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times as long one way takes as another, median against median."""
        return self.median_s(slow) / self.median_s(fast)

    @property
    def noise(self) -> float:
        """By what factor the slowest of equal runs was slower than the fastest, at the worst of all ways."""
        return max(max(walls) / min(walls) for walls in self.walls_s.values())

    @property
    def strip(self) -> Strip:
        """Every repeat as a dot."""
        return Strip("wall time", "ms", {way: [1000 * wall for wall in walls] for way, walls in self.walls_s.items()})


Runs = dict[str, list[tuple[float, tuple[Record, ...]]]]


def race(ways: Mapping[str, Callable[[], Any]], repeats: int) -> Race:
    """Run every way `repeats` times, in turn, after once for nothing, and return what it took.

    Args:
        ways: By name, what to call; what they call that is measured leaves its records.
        repeats: How often each is timed.
    """
    runs: Runs = {way: [] for way in ways}
    values = {way: call() for way, call in ways.items()}
    for _ in range(repeats):
        for way, call in ways.items():
            with _timed(way, runs):
                values[way] = call()
    return _race(runs, values)


async def race_async(ways: Mapping[str, Callable[[], Awaitable[Any]]], repeats: int) -> Race:
    """Do what `race` does, for ways that are awaited on the loop that is running."""
    runs: Runs = {way: [] for way in ways}
    values = {way: await call() for way, call in ways.items()}
    for _ in range(repeats):
        for way, call in ways.items():
            with _timed(way, runs):
                values[way] = await call()
    return _race(runs, values)


@contextmanager
def _timed(way: str, runs: Runs) -> Iterator[None]:
    with Recorder(strategy=way) as recorder:
        started = time.perf_counter()
        yield
        wall_s = time.perf_counter() - started
    runs[way].append((wall_s, recorder.records))


def _race(runs: Runs, values: Mapping[str, Any]) -> Race:
    middle = {way: sorted(found, key=lambda run: run[0])[len(found) // 2] for way, found in runs.items()}
    walls_s = {way: tuple(wall_s for wall_s, _ in found) for way, found in runs.items()}
    return Race(walls_s, {way: records for way, (_, records) in middle.items()}, values)
