"""Notebook 04's branches: the survey's coroutines with the pages parsed on the loop, in threads, in processes.

Here: the three places, each with a probe of the loop's lag beside it, and what is claimed of them. The invariant: the
coroutines are the workload's own, and all reports are equal to the serial survey's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flowlab.adventure.branches.lags import Lags, probed
from flowlab.adventure.branches.roads import DO_LESS
from flowlab.adventure.branches.surveys import surveyed
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.metrics import Record, metric, span

if TYPE_CHECKING:
    from flowlab.workloads.loneliest import Report, Settings

PROBE = "loop lag"
LOOP, LESS, THREADS, PROCESSES = "on the loop", "less on the loop", "in threads", "in processes"

CLAIMS: Mapping[str, tuple[str, str, str, float]] = {
    "loop": ("a lighter parser and a better search keep the loop in time", LOOP, LESS, 1.5),
    "threads": ("parsing in threads keeps the loop in time", LOOP, THREADS, 1.3),
    "processes": ("parsing in processes keeps the loop in time", LOOP, PROCESSES, 1.5),
}
"""By branch: what is claimed, of which two ways' loop lag, and the least factor between them from demo on."""


def loop(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Parse where the waiting is done: on the loop, and there once more with less work to do."""
    return _placed("loop", LESS, settings, progress, site)


def threads(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Parse in threads, as many as there are cores."""
    return _placed("threads", THREADS, settings, progress, site)


def processes(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Parse in processes, as many as there are cores."""
    return _placed("processes", PROCESSES, settings, progress, site)


def watched(way: str, settings: Settings) -> Report:
    """Return the survey's report, from an event loop of its own; the loop's lag is left in a record called `PROBE`.

    Args:
        way: Where it computes, one of `LOOP`, `LESS`, `THREADS`, `PROCESSES`.
        settings: The job's.
    """
    from flowlab.workloads.loneliest import coroutines, hybrid

    found: dict[str, Callable[[Settings], Awaitable[Report]]] = {
        LOOP: coroutines.survey_async,
        LESS: coroutines.survey_async,
        THREADS: _in_threads,
        PROCESSES: hybrid.survey_async,
    }
    return asyncio.run(_probed(found[way], settings))


async def _probed(survey: Callable[[Settings], Awaitable[Report]], settings: Settings) -> Report:
    async with probed() as lags:
        report = await survey(settings)
    with span(PROBE):
        metric(lags_s=tuple(lags))
    return report


async def _in_threads(settings: Settings) -> Report:
    from flowlab.workloads.loneliest import hybrid
    from flowlab.workloads.loneliest.pools import thread_pool

    with thread_pool(settings.workers) as pool:
        return await hybrid.survey_with(pool, settings)


def lags_of(comparison: Comparison) -> Lags:
    """Return the loop lags of a branch's comparison, by way and run; of serial there are none, it has no loop."""
    runs = {
        way: [_lags_ms(run.records) for run in comparison.runs_of(way) if run.error is None]
        for way in comparison.strategies
        if way != "serial"
    }
    return Lags(runs)


def _lags_ms(records: Sequence[Record]) -> list[float]:
    [found] = [record.custom["lags_s"] for record in records if record.operation == PROBE]
    assert isinstance(found, tuple)
    return [1000 * lag for lag in found]


def _placed(option: str, way: str, settings: Mapping[str, Any], progress: Progress, site: Any) -> Outcome:
    from flowlab.machine import Machine
    from flowlab.workloads.loneliest import Settings

    told = {"url": site.url, "user": site.user, "password": site.password, "n_countries": settings["n_countries"]}
    ways = {
        name: partial(watched, name, Settings(**told, workers=Machine.detect().cores, **own))
        for name, own in {LOOP: {}, way: DO_LESS if way == LESS else {}}.items()
    }
    outcome = surveyed("place", option, {"serial": ("serial", {}), **ways}, settings, progress, site)
    lags = lags_of(outcome.value)
    facts = {name: {**row, **(lags.facts(name) if name in lags.runs else {})} for name, row in outcome.facts.items()}
    sentence = f"{outcome.sentence} {lags.sentence()}"
    return Outcome(outcome.key, option, outcome.line, sentence, outcome.value, facts)
