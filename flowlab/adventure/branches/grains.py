"""Notebook 07's branches: the survey as a flow of three grains, each against the hand-written hybrid.

Here: the two coarse flows, what each branch compares, and what the notebook measures of a call. Not here: the fine
flow; it is the workload's own. The invariant: all reports are equal to the serial survey's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from flowlab.adventure.branches.races import Race, race
from flowlab.adventure.branches.surveys import Ways, surveyed
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.metrics import Record

CALLS = 1000

CLAIMS: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "step": (("a flow of steps is faster than the serial survey", "wall_s", 1.15),),
    "country": (("threads, placed by a flow, wait at once", "wall_s", 1.1),),
    "worker": (("a flow in worker processes is paid for in memory", "peak_bytes", 1.5),),
}
"""By branch: what is claimed of its flow against serial, by which figure, and the least factor from demo on."""


def step(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Survey by the workload's own flow: an operation a step, each where it belongs."""
    return _grain("step", ("dataflow", {}), settings, progress, site)


def country(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Survey by a flow of one operation a country, in threads."""
    return _grain("country", partial(in_threads, _told(settings, site)), settings, progress, site)


def worker(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Survey by a flow of one operation a country, in worker processes."""
    return _grain("worker", partial(in_processes, _told(settings, site)), settings, progress, site)


def _grain(option: str, flow: Any, settings: Mapping[str, Any], progress: Progress, site: Any) -> Outcome:
    ways: Ways = {"serial": ("serial", {}), "hybrid": ("hybrid", {}), "dataflow": flow}
    return surveyed("grain", option, ways, settings, progress, site)


def _told(settings: Mapping[str, Any], site: Any) -> Any:
    from flowlab.machine import Machine
    from flowlab.workloads.loneliest import Settings

    count, cores = settings["n_countries"], Machine.detect().cores
    return Settings(url=site.url, user=site.user, password=site.password, n_countries=count, workers=cores)


def in_threads(settings: Any) -> Any:
    """Return the report: a call is a whole country, in a thread, with the client that all share."""
    from flowlab.workloads.loneliest import threads
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.saving import downloads_folder
    from flowlab.workloads.loneliest.steps import log_in, report

    flow = _by_country(threads.survey_country)
    with downloads_folder(settings.downloads) as folder, open_client(settings) as client:
        given = {"country": log_in(client, settings), "client": client, "settings": settings, "folder": folder}
        run = flow.run(given, outputs=["finding"], executor="threads", workers=settings.connections)
        return report(folder, run["finding"])


def in_processes(settings: Any) -> Any:
    """Return the report: a call is a whole country, in a worker process, with a client of its own."""
    from flowlab.workloads.loneliest import processes
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.saving import downloads_folder
    from flowlab.workloads.loneliest.steps import log_in, report

    flow = _by_country(processes.survey_country)
    with downloads_folder(settings.downloads) as folder:
        with open_client(settings) as client:
            countries, cookies = log_in(client, settings), dict(client.cookies)
        given = {"country": countries, "cookies": cookies, "settings": settings, "folder": folder}
        run = flow.run(given, outputs=["finding"], executor="processes", workers=settings.workers)
        return report(folder, run["finding"])


def _by_country(survey_country: Callable[..., Any]) -> DataFlow:
    made = operation(name="survey country", outputs="finding")(survey_country)
    return DataFlow(made, name="by country", definitions=[Definition("country", many=True)])


def overhead(repeats: int, calls: int = CALLS) -> Race:
    """Race a plain loop against a flow that calls the same tiny function as often."""
    flow = DataFlow(add_one, name="tiny calls", definitions=[Definition("number", many=True)])
    numbers = list(range(calls))
    return race(
        {
            "plain loop": lambda: [number + 1 for number in numbers],
            "flow": lambda: flow.run({"number": numbers}, outputs=["more"])["more"],
        },
        repeats,
    )


@operation(outputs="more")
def add_one(number: int) -> int:
    """Return one more."""
    return number + 1


def answer(each_s: float) -> str:
    """Return which answer a measured cost of a call makes right: free (below 1 us), little (below 100 us) or much."""
    return "free" if each_s < 1e-6 else "little" if each_s < 1e-4 else "much"


def beside(comparison: Comparison, way: str, other: str) -> str:
    """Return how a way's wall times lie beside another's: less or more (no runs overlap), or alike."""
    mine, others = comparison.spread(way, "wall_s"), comparison.spread(other, "wall_s")
    if mine is None or others is None:
        return "alike"
    return "less" if mine.high < others.low else "more" if mine.low > others.high else "alike"


def overlaps(records: tuple[Record, ...], operation: str) -> int:
    """Return how many calls of an operation began before the one that began before them had ended."""
    spans = sorted((r.started_ns or 0, r.ended_ns or 0) for r in records if r.operation == operation)
    return sum(later[0] < earlier[1] for earlier, later in pairwise(spans))
