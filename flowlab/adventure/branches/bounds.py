"""Notebook 08's branches: a feed taken with one item in the system at a time, with sixteen, and with no bound.

Here: the ways of taking the feed, what each branch compares, and how many items were in the system when, read off
records. Not here: the feed and the slow store (workloads). The invariant: every way stores every item once, so that all
digests are equal, or the branch is an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from flowlab.adventure.branches.strips import Strip
from flowlab.adventure.branches.surveys import summary
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison, compare
from flowlab.dataflow import DataFlow
from flowlab.graph import operation
from flowlab.metrics import Record

MB = 1_000_000
MORE_MB, MORE_IN_POOL_MB = 80, 60
LIMIT = 16
NO_BOUND, BOUNDED, ONE, POOL = "no bound", f"bound of {LIMIT}", "bound of 1", "thread pool"
WAYS = {"one": (BOUNDED, ONE), "sixteen": (NO_BOUND, BOUNDED), "unbounded": (BOUNDED, NO_BOUND, POOL)}
"""By branch, what it compares."""

CLAIMS: Mapping[str, tuple[tuple[str, Callable[[Comparison], float], float], ...]] = {
    "one": (("with one item at a time the store stands idle", lambda c: slower(c, ONE, BOUNDED), 1.25),),
    "sixteen": (
        (f"without a bound the peak is {MORE_MB} MB higher", lambda c: higher(c, NO_BOUND) / MORE_MB, 1.0),
        ("a bound of sixteen costs no time", lambda c: slower(c, NO_BOUND, BOUNDED), 0.8),
    ),
    "unbounded": (
        (f"without a bound the peak is {MORE_MB} MB higher", lambda c: higher(c, NO_BOUND) / MORE_MB, 1.0),
        (f"in a pool of threads it is {MORE_IN_POOL_MB} MB higher", lambda c: higher(c, POOL) / MORE_IN_POOL_MB, 1.0),
    ),
}
"""By branch: what is claimed, of which figure, and the least factor from demo on."""


def one(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Take the feed with one item in the system at a time."""
    return _bounded("one", settings, progress, site)


def sixteen(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Take the feed with at most sixteen items in the system."""
    return _bounded("sixteen", settings, progress, site)


def unbounded(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Take the feed as fast as it comes, and let what the store has no time for wait."""
    return _bounded("unbounded", settings, progress, site)


def _bounded(option: str, settings: Mapping[str, Any], progress: Progress, site: Any) -> Outcome:
    n_items, hold_s = settings["n_items"], settings["hold_ms"] / 1000
    told = _told(site)
    calls = {
        NO_BOUND: partial(in_stream, told, n_items, hold_s, max(n_items, 1)),
        BOUNDED: partial(in_stream, told, n_items, hold_s, LIMIT),
        ONE: partial(in_stream, told, n_items, hold_s, 1),
        POOL: partial(in_pool, told, n_items, hold_s),
    }
    comparison = compare({way: calls[way] for way in WAYS[option]}, repeats=settings["repeats"], progress=progress)
    if not comparison.agree:
        raise AssertionError("; ".join(comparison.disagreements))
    line = (
        f"bound {option!r}: {', '.join(WAYS[option])}; {n_items} items of {settings['item_bytes']:,} bytes; "
        f"all digests equal, {comparison.value}."
    )
    return Outcome("bound", option, line, said(comparison), comparison, _facts(comparison, n_items))


def _told(site: Any) -> Any:
    from flowlab.workloads.loneliest import Settings

    return Settings(url=site.url, user=site.user, password=site.password)


def in_stream(told: Any, n_items: int, hold_s: float, limit: int) -> str:
    """Return the digest of the feed, taken by a flow that has at most `limit` items in flight."""
    return asyncio.run(_in_stream(told, n_items, hold_s, limit))


async def _in_stream(told: Any, n_items: int, hold_s: float, limit: int) -> str:
    from flowlab.workloads.loneliest.feeding import Store
    from flowlab.workloads.loneliest.fetching import open_async_client
    from flowlab.workloads.loneliest.steps import log_in_async

    store = Store(hold_s)
    async with open_async_client(told) as client:
        await log_in_async(client, told)
        source = ({"client": client, "number": number} for number in range(n_items))
        async for run in fetching().stream(source, outputs=["item", "number"], limit=limit):
            await store.store_async(run["number"], run["item"])
    return store.digest()


def fetching() -> DataFlow:
    """Return a flow of one operation, which asks for an item of the feed."""
    from flowlab.workloads.loneliest.feeding import fetch_item_async

    return DataFlow(operation(name="fetch", outputs="item")(fetch_item_async), name="feed")


def in_pool(told: Any, n_items: int, hold_s: float) -> str:
    """Return the digest of the feed, all of it asked for at once by a pool of threads, whose queue has no end."""
    from flowlab.workloads.loneliest.feeding import Store, fetch_item
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.pools import thread_pool
    from flowlab.workloads.loneliest.steps import log_in

    store = Store(hold_s)
    with open_client(told) as client, thread_pool(told.connections) as pool:
        log_in(client, told)
        futures = deque(pool.submit(fetch_item, client, number) for number in range(n_items))
        for number in range(n_items):
            store.store(number, futures.popleft().result())
    return store.digest()


def peak_mb(comparison: Comparison, way: str) -> float:
    """Return the median peak memory of a way's runs, in MB."""
    spread = comparison.spread(way, "peak_bytes")
    return spread.median / MB if spread else float("nan")


def higher(comparison: Comparison, way: str) -> float:
    """Return by how many MB a way's peak is higher than that of the bound of sixteen, median against median."""
    return peak_mb(comparison, way) - peak_mb(comparison, BOUNDED)


def slower(comparison: Comparison, way: str, than: str) -> float:
    """Return how many times as long as another a way takes, median against median."""
    mine, other = comparison.spread(way, "wall_s"), comparison.spread(than, "wall_s")
    return mine.median / other.median if mine and other else float("nan")


def noise(comparison: Comparison, hold_s: float) -> float:
    """Return by what factor this machine's own unrest can move these figures.

    It is the larger of two: how far equal runs lie apart in time or in peak memory, at the worst of all ways; and how
    much longer than it meant to the store held an item, which is the time it stood in line for a core.
    """
    spreads = [comparison.spread(way, figure) for way in comparison.strategies for figure in ("wall_s", "peak_bytes")]
    held_s = [(r.wall_ns or 0) / 1e9 for run in comparison.runs for r in run.records if r.operation == "store"]
    late = sum(held_s) / len(held_s) / hold_s if held_s and hold_s else 1.0
    return max([late, *(spread.high / spread.low for spread in spreads if spread)])


def throughput(comparison: Comparison, n_items: int) -> Strip:
    """Return the items stored a second, every run of every way as a dot."""
    rates = {
        way: [n_items / run.wall_s for run in comparison.runs_of(way) if run.wall_s] for way in comparison.strategies
    }
    return Strip("throughput", "items/s", rates)


def said(comparison: Comparison) -> str:
    """Return what each way took, in a sentence."""
    walls = {way: comparison.spread(way, "wall_s") for way in comparison.strategies}
    each = [f"{way} {walls_s.median:.2f} s, {peak_mb(comparison, way):.0f} MB" for way, walls_s in walls.items()
            if walls_s]  # fmt: skip
    return f"Time and peak memory (medians): {'; '.join(each)}."


def _facts(comparison: Comparison, n_items: int) -> dict[str, dict[str, Any]]:
    facts = summary(comparison)
    rates = throughput(comparison, n_items)
    for way, row in facts.items():
        del row["speedup"]
        row["items_per_s"] = rates.median(way)
    return facts


@dataclass(frozen=True, slots=True)
class Stays:
    """When each item of a run came into the system and left it.

    Attributes:
        spans_ns: From being asked for to being stored, an item each.
    """

    spans_ns: tuple[tuple[int, int], ...]

    @property
    def most(self) -> int:
        """How many items were in the system at once, at most."""
        return max(self.at(came) for came, _ in self.spans_ns)

    @property
    def rate_per_s(self) -> float:
        """How many items a second went through."""
        return len(self.spans_ns) / ((self._last - self._first) / 1e9)

    @property
    def time_s(self) -> float:
        """How long an item was in the system: the mean, which is what Little's law is about."""
        return sum(left - came for came, left in self.spans_ns) / len(self.spans_ns) / 1e9

    def at(self, moment_ns: int) -> int:
        """Return how many items were in the system at a moment."""
        return sum(came <= moment_ns < left for came, left in self.spans_ns)

    def counted(self, looks: int = 1000) -> float:
        """Return how many items were in the system, the mean of that many looks at even distances."""
        step = (self._last - self._first) / looks
        return sum(self.at(int(self._first + (look + 0.5) * step)) for look in range(looks)) / looks

    @property
    def _first(self) -> int:
        return min(came for came, _ in self.spans_ns)

    @property
    def _last(self) -> int:
        return max(left for _, left in self.spans_ns)


def stays(records: Sequence[Record]) -> Stays:
    """Return when each item was in the system: from the start of its fetch to the end of its store."""
    came = {r.custom["item"]: r.started_ns or 0 for r in records if r.operation == "fetch"}
    left = {r.custom["item"]: r.ended_ns or 0 for r in records if r.operation == "store"}
    return Stays(tuple((came[item], left[item]) for item in left))


def alone_ms(records: Sequence[Record], operation: str) -> float:
    """Return how many milliseconds a call of an operation takes, the median."""
    return median((r.wall_ns or 0) / 1e6 for r in records if r.operation == operation)


def waiting(most: int, n_items: int) -> str:
    """Return which answer is right: few (below a quarter of all items), half (below three quarters) or most."""
    return "few" if most < n_items / 4 else "half" if most < 3 * n_items / 4 else "most"


def sooner(ratio: float) -> str:
    """Return which answer is right, given how many times as long as the other way the bounded one takes."""
    return "slower" if ratio >= 1.2 else "same" if ratio > 0.8 else "faster"
