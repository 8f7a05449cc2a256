"""Notebook 03's branches: the survey with few threads, with enough, and with one for every country.

Here: how many threads each branch takes, and what the notebook's own experiments need. The invariant: all reports are
equal to the serial survey's; however many threads there are, each has a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from statistics import median
from typing import Any

from flowlab.adventure.branches.surveys import Ways, factor, gain, surveyed
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.metrics import Record

ENOUGH = "enough"

CLAIMS: Mapping[str, tuple[tuple[str, Callable[[Comparison], float], float], ...]] = {
    "cores": (("a thread a core already waits better than one thread", lambda c: gain(c, "threads"), 1.1),),
    "rule": (("enough threads shorten the survey", lambda c: gain(c, "threads"), 1.15),),
    "all": (
        ("a thread for every country shortens the survey", lambda c: gain(c, "threads"), 1.15),
        ("enough threads are as good", lambda c: gain(c, ENOUGH) / gain(c, "threads"), 0.75),
        ("a thread more takes memory", lambda c: factor(c, "threads", "peak_bytes") / factor(c, ENOUGH, "peak_bytes"),
         1.02),
    ),
}  # fmt: skip
"""By branch: what is claimed of its threads, what must be that large, and the least factor from demo on."""


def cores(settings: Mapping[str, Any], progress: Progress, *, site: Any, records: Sequence[Record]) -> Outcome:
    """Survey with one thread for every core."""
    from flowlab.machine import Machine

    return _counted("cores", max(2, Machine.detect().cores), settings, progress, site)


def rule(settings: Mapping[str, Any], progress: Progress, *, site: Any, records: Sequence[Record]) -> Outcome:
    """Survey with as many threads as the waiting and working just recorded call for."""
    return _counted("rule", max(2, by_rule(records)), settings, progress, site)


def everyone(settings: Mapping[str, Any], progress: Progress, *, site: Any, records: Sequence[Record]) -> Outcome:
    """Survey with one thread for every country, and with as many as the rule says beside it."""
    return _counted("all", max(2, settings["n_countries"]), settings, progress, site, max(2, by_rule(records)))


def by_rule(records: Sequence[Record]) -> int:
    """Return how many threads keep one core busy: a call's waiting over its working, and one more, rounded up.

    Args:
        records: Calls of `download` (what they wait) and of `parse` (what they work), made one after the other.
    """
    waiting = median((r.wall_ns or 0) - (r.cpu_ns or 0) for r in records if r.operation == "download")
    working = median((r.cpu_ns or 0) for r in records if r.operation == "parse")
    return 1 + ceil(waiting / max(working, 1))


def times(ratio: float) -> str:
    """Return which answer a measured ratio makes right: same (below 1.5), double (below 3) or more."""
    return "same" if ratio < 1.5 else "double" if ratio < 3 else "more"


def _counted(
    option: str, threads: int, settings: Mapping[str, Any], progress: Progress, site: Any, few: int = 0
) -> Outcome:
    ways: Ways = {"serial": ("serial", {}), "threads": ("threads", {})}
    if few:
        ways = {**ways, ENOUGH: ("threads", {"connections": few})}
    outcome = surveyed("count", option, ways, settings, progress, site, connections=threads)
    counts = {"serial": 1, "threads": threads, ENOUGH: few}
    facts = {name: {**row, "threads": counts[name]} for name, row in outcome.facts.items()}
    sentence = f"With {threads} threads: {outcome.sentence}"
    return Outcome(outcome.key, option, outcome.line, sentence, outcome.value, facts)
