"""Notebook 06's branches: pages counted by two threads, the updates that get lost, and three ways to lose none.

Here: the tally, the meeting that makes a race certain, the remedies, what each costs, and a look at threads that are
stuck. The invariant: a race is forced by a meeting, never hoped for, and no wait here is without an end.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from queue import Queue
from statistics import median
from traceback import StackSummary, extract_stack
from types import FrameType
from typing import Any

from flowlab.adventure.branches.races import Race, race
from flowlab.adventure.branches.strips import Strip
from flowlab.adventure.outcomes import Outcome, Progress

BEFORE = "unguarded"
LONG_S, SHORT_S = 60.0, 0.05

CLAIMS: Mapping[str, tuple[str, str, str, float]] = {
    "lock": ("an update under a lock takes less than 3 times as long as one that may get lost", BEFORE, "lock", 0.33),
    "queue": ("an update through a queue costs more than one under a lock", "queue", "lock", 1.5),
    "confine": ("an update of what nobody shares costs less than one under a lock", "lock", "confine", 1.1),
}
"""By branch: what is claimed, of which two ways' time for an update, and the least factor from demo on."""


class Tally:
    """How many pages were counted, and how many airports were on them; safe for one thread at a time.

    >>> tally = Tally()
    >>> tally.add(3), tally.add(4), tally.pages, tally.airports
    (None, None, 2, 7)
    """

    def __init__(self) -> None:
        self.pages = 0
        self.airports = 0

    def add(self, airports: int, between: Callable[[], object] | None = None) -> None:
        """Count a page: read, let happen whatever happens between, write."""
        seen = self.pages, self.airports
        if between is not None:
            between()
        self.pages, self.airports = seen[0] + 1, seen[1] + airports


class Meeting:
    """Where two threads wait for each other, so that an order of steps that may happen does happen.

    Args:
        patience_s: How long one waits for the other. Who waited in vain goes on, and so does everybody after.
    """

    def __init__(self, patience_s: float = LONG_S) -> None:
        self._barrier = threading.Barrier(2, timeout=patience_s)

    def __call__(self) -> None:
        """Wait for the other thread."""
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait()

    @property
    def in_vain(self) -> bool:
        """Whether somebody has waited in vain, or was told that nobody else will come."""
        return self._barrier.broken

    def leave(self) -> None:
        """Say that nobody else will come."""
        self._barrier.abort()


Count = Callable[[Any], int]
Between = Callable[[], object] | None


def unguarded(shares: Sequence[Sequence[Any]], count: Count, between: Between = None) -> Tally:
    """Return the tally of all items, each share by a thread, the tally shared and nothing done about it."""
    return _shared(shares, count, between, nullcontext())


def lock(shares: Sequence[Sequence[Any]], count: Count, between: Between = None) -> Tally:
    """Return the tally of all items, each update from its read to its write under one lock."""
    return _shared(shares, count, between, threading.Lock())


def _shared(
    shares: Sequence[Sequence[Any]], count: Count, between: Between, guard: AbstractContextManager[Any]
) -> Tally:
    tally = Tally()

    def work(share: Sequence[Any]) -> None:
        for item in share:
            found = count(item)
            with guard:
                tally.add(found, between)

    _in_threads([partial(work, share) for share in shares], between)
    return tally


def queue(shares: Sequence[Sequence[Any]], count: Count, between: Between = None) -> Tally:
    """Return the tally of all items; threads put what they found in a queue, and only one thread counts it."""
    tally, box = Tally(), Queue[int | None]()

    def work(share: Sequence[Any]) -> None:
        try:
            for item in share:
                box.put(count(item))
        finally:
            box.put(None)  # that was all

    def collect() -> None:
        for _ in shares:
            while (found := box.get()) is not None:
                tally.add(found, between)

    _in_threads([collect, *(partial(work, share) for share in shares)], between)
    return tally


def confine(shares: Sequence[Sequence[Any]], count: Count, between: Between = None) -> Tally:
    """Return the tally of all items; every thread has a tally of its own, and they are added up when all have ended."""
    tallies = [Tally() for _ in shares]

    def work(own: Tally, share: Sequence[Any]) -> None:
        for item in share:
            own.add(count(item), between)

    _in_threads([partial(work, own, share) for own, share in zip(tallies, shares, strict=True)], between)
    together = Tally()
    together.pages = sum(own.pages for own in tallies)
    together.airports = sum(own.airports for own in tallies)
    return together


def _in_threads(calls: Sequence[Callable[[], None]], between: Between) -> None:
    """Run all calls at the same time; whoever has ended keeps nobody waiting at the meeting."""

    def leaving(call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            if isinstance(between, Meeting):
                between.leave()

    with ThreadPoolExecutor(len(calls), thread_name_prefix="tally") as pool:
        for future in [pool.submit(leaving, call) for call in calls]:
            future.result()


WAYS: Mapping[str, Callable[..., Tally]] = {BEFORE: unguarded, "lock": lock, "queue": queue, "confine": confine}


@dataclass(frozen=True, slots=True)
class Found:
    """What came of counting in a few ways.

    Attributes:
        lost: Updates lost, by way and run.
        costs: What it took to make many updates, by way and run.
        updates: How many those were.
    """

    lost: Strip
    costs: Race
    updates: int

    @property
    def cost(self) -> Strip:
        """What one update took, by way and run."""
        each_us = {way: [1e6 * s / self.updates for s in walls] for way, walls in self.costs.walls_s.items()}
        return Strip("time for one update", "µs", each_us)

    def _repr_html_(self) -> str:
        return self.lost._repr_html_()


def by_lock(settings: Mapping[str, Any], progress: Progress, *, client: Any, countries: Sequence[str]) -> Outcome:
    """Guard the tally by a lock."""
    return _remedied("lock", ("lock",), settings, progress, client, countries)


def by_queue(settings: Mapping[str, Any], progress: Progress, *, client: Any, countries: Sequence[str]) -> Outcome:
    """Give the tally to one thread, and send it what there is to count."""
    return _remedied("queue", ("queue", "lock"), settings, progress, client, countries)


def by_confining(settings: Mapping[str, Any], progress: Progress, *, client: Any, countries: Sequence[str]) -> Outcome:
    """Give every thread a tally of its own."""
    return _remedied("confine", ("confine", "lock"), settings, progress, client, countries)


def shared_out(items: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return two shares of the items, every second one each."""
    return items[::2], items[1::2]


def _remedied(
    option: str, ways: Sequence[str], settings: Mapping[str, Any], progress: Progress, client: Any, countries: Any
) -> Outcome:
    from flowlab.workloads.loneliest.computing import parse
    from flowlab.workloads.loneliest.steps import country_path, download

    def airports(country: str) -> int:
        return len(parse(download(client, country_path(country)), "stdlib").airports)

    names, repeats = (BEFORE, *ways), settings["repeats"]
    expected, shares = sum(map(airports, countries)), shared_out(countries)
    tallies: dict[str, list[Tally]] = {name: [] for name in names}
    for turn in range(repeats):
        for place, name in enumerate(names):
            progress(turn * len(names) + place, repeats * len(names) + 1, f"pages counted, {name}")
            between = Meeting(LONG_S if name == BEFORE else SHORT_S)
            tallies[name].append(WAYS[name](shares, airports, between))
    progress(repeats * len(names), repeats * len(names) + 1, "updates timed")
    found = _found(tallies, len(countries), names, settings)
    progress(repeats * len(names) + 1, repeats * len(names) + 1, "")
    for name in ways:
        if any(tally.airports != expected for tally in tallies[name]):
            raise AssertionError(f"{name} counted other airports than one thread alone")
    right = [tally.airports == expected for tally in tallies[BEFORE]]
    line = (
        f"remedy {option!r}: {len(countries)} pages by 2 threads; unguarded {_counts(found, BEFORE)} updates lost and "
        f"the airports right {sum(right)} times, with {option} {_counts(found, option)} lost and all airports right."
    )
    return Outcome("remedy", option, line, f"{found.lost.sentence()} {found.cost.sentence()}", found, _facts(found))


def _counts(found: Found, way: str) -> str:
    return " and ".join(f"{each:.0f}" for each in sorted(set(found.lost.values[way])))


def _found(
    tallies: Mapping[str, Sequence[Tally]], pages: int, names: Iterable[str], settings: Mapping[str, Any]
) -> Found:
    shares = (range(settings["n_updates"]),) * 2
    ways = {name: partial(WAYS[name], shares, _one) for name in names}
    lost = {name: [pages - tally.pages for tally in found] for name, found in tallies.items()}
    return Found(Strip("lost updates", f"of {pages}", lost), race(ways, settings["repeats"]), 2 * settings["n_updates"])


def _one(item: object) -> int:
    return 1


def _facts(found: Found) -> dict[str, dict[str, float]]:
    cost = found.cost
    return {
        way: {
            "n": len(lost),
            "lost_updates": median(lost),
            "update_us": cost.median(way),
            "update_low_us": min(cost.values[way]),
            "update_high_us": max(cost.values[way]),
        }
        for way, lost in found.lost.values.items()
    }


def said(lost: int, of: int) -> str:
    """Return which answer so many lost updates make right: none, some, or half (four in ten or more)."""
    return "none" if lost == 0 else "some" if lost < 0.4 * of else "half"


def plain(each: int) -> int:
    """Return how many updates get lost if two threads say `n += 1` so often each, on one variable."""
    n = 0

    def work() -> None:
        nonlocal n
        for _ in range(each):
            n += 1

    _in_threads([work, work], None)
    return 2 * each - n


def waits_in(threads: Sequence[threading.Thread], text: str, patience_s: float = LONG_S) -> dict[str, str]:
    """Return, by thread, the line of code it is in, once every one of them is in a line that has this text.

    Raises:
        TimeoutError: They did not come there.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = {thread.name: _line(sys._current_frames().get(thread.ident or 0)) for thread in threads}
        if all(text in line for line in found.values()):
            return found
        time.sleep(0.01)
    raise TimeoutError(f"not every thread came to a line with {text!r} within {patience_s:g} s")


def _line(frame: FrameType | None) -> str:
    stack: StackSummary | list[Any] = [] if frame is None else extract_stack(frame)
    return stack[-1].line or "" if stack else ""
