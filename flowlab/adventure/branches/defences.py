"""Notebook 13's branches: for each goal the strategies worth defending, the comparison as a flow, the reader's path.

Here: who competes for which goal, what is claimed of it, and the journal read back. The invariant: all reports are
equal, and nothing is said of a path that the journal does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from flowlab.adventure.branches.surveys import Ways, surveyed
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.dataflow import DataFlow
from flowlab.errors import require
from flowlab.graph import Definition, operation
from flowlab.plots.wording import listing

FIGURES: Mapping[str, str] = {"fast": "wall_s", "small": "peak_bytes", "frugal": "energy_j", "simple": "wall_s"}
"""By goal: the figure that decides, the least is best; simple is the fastest of those that need no second process."""

CLAIMS: Mapping[str, tuple[tuple[str, str, str, float], ...]] = {
    "fast": (("waiting and computing at once beat doing one thing at a time", "hybrid", "wall_s", 1.2),),
    "small": (("speed by processes is paid for in memory", "hybrid", "peak_bytes", 1.4),),
    "frugal": (("work spread over processes takes more CPU time", "processes", "cpu_s", 1.05),),
    "simple": (("a pool of threads is worth its few lines", "threads", "wall_s", 1.1),),
}
"""By goal: what is claimed, of which strategy against serial, by which figure, and the least factor from demo on."""


def fast(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Compare serial with the strategies that wait and compute at once."""
    return _defended("fast", ("serial", "threads", "hybrid", "dataflow"), settings, progress, site)


def small(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Compare serial with the strategies of one process, and with one of several."""
    return _defended("small", ("serial", "threads", "asyncio", "hybrid"), settings, progress, site)


def frugal(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Compare the energy estimates of one process and of several."""
    return _defended("frugal", ("serial", "asyncio", "processes", "hybrid"), settings, progress, site)


def simple(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Compare serial with what a few more lines give."""
    return _defended("simple", ("serial", "threads", "asyncio"), settings, progress, site)


def _defended(
    option: str, strategies: tuple[str, ...], settings: Mapping[str, Any], progress: Progress, site: Any
) -> Outcome:
    ways: Ways = {name: (name, {}) for name in strategies}
    return surveyed("goal", option, ways, settings, progress, site)


def winner(comparison: Comparison, goal: str) -> str:
    """Return the strategy whose median of the goal's figure is least."""
    spreads = {name: comparison.spread(name, FIGURES[goal]) for name in comparison.strategies}
    known = {name: spread.median for name, spread in spreads.items() if spread is not None}
    return min(known, key=lambda name: known[name])


def as_flow(job: Any) -> DataFlow:
    """Return the comparison as a flow: an operation a strategy, each making a report, all combined into one list.

    Args:
        job: What has `name` and `strategies`, callables by name, as `loneliest.job` returns it.
    """
    runs = [operation(name=name, outputs="reports")(call) for name, call in job.strategies.items()]
    return DataFlow(*runs, agree, definitions=[Definition("reports", combine=list)], name=f"compare {job.name}")


@operation(outputs="equal")
def agree(reports: list[Any]) -> bool:
    """Return whether all reports are equal."""
    return all(report == reports[0] for report in reports)


def path(journal: Journal) -> Any:
    """Return the reader's path as a pandas frame, a row a notebook: the last choice, and the predictions that held."""
    pandas = require("pandas", extra="demo", why="to show your path as a table")
    rows = []
    for notebook in dict.fromkeys(entry.notebook for entry in journal.entries()):
        choice = journal.last("choice", notebook)
        told = [e for e in journal.entries("prediction", notebook) if e.value is not None and e.facts.get("outcome")]
        rows.append(
            {
                "notebook": notebook,
                "you chose": choice.value if choice else "",
                "predictions": len(told),
                "of them right": sum(entry.value == entry.facts["outcome"] for entry in told),
            }
        )
    return pandas.DataFrame(rows, columns=["notebook", "you chose", "predictions", "of them right"])


def untold(comparison: Comparison, goal: str, chosen: str) -> list[str]:
    """Return the strategies but serial whose range of the goal's figure meets that of the chosen one."""
    own = comparison.spread(chosen, FIGURES[goal])
    others = {n: comparison.spread(n, FIGURES[goal]) for n in comparison.strategies if n not in (chosen, "serial")}
    return [name for name, each in others.items() if own and each and each.low <= own.high and own.low <= each.high]


def defence(comparison: Comparison, goal: str, chosen: str) -> str:
    """Return the case for a strategy, every figure of it from the comparison, and what speaks against it."""
    figures = {"wall_s": ("s", 1.0), "peak_bytes": ("MB", 1e-6), "energy_j": ("J, estimated", 1.0)}
    unit, factor = figures[FIGURES[goal]]
    own, serial = (comparison.spread(name, FIGURES[goal]) for name in (chosen, "serial"))
    memory, plain = (comparison.spread(name, "peak_bytes") for name in (chosen, "serial"))
    n = len(comparison.runs_of(chosen))
    if own is None or serial is None:
        return f"Of {chosen} or of serial the goal's figure was not measured here, so there is nothing to defend it by."
    said = (
        f"My goal is {goal}; I would ship {chosen}: {factor * own.median:.3g} {unit} "
        f"({factor * own.low:.3g} to {factor * own.high:.3g}, n = {n}), serial {factor * serial.median:.3g}."
    )
    bands = [run.energy for run in comparison.runs_of(chosen) if run.energy] if goal == "frugal" else []
    if bands:
        low_j, high_j = median(each.low_j for each in bands), median(each.high_j for each in bands)
        said += f" The estimate's band is {low_j:.3g} to {high_j:.3g} J, and moves all strategies together."
    if memory is not None and plain is not None:
        said += f" It takes {memory.median / plain.median:.2f} times serial's memory."
    if rivals := untold(comparison, goal, chosen):
        said += f" The ranges of {listing(rivals)} meet its own, so it is not shown to be better than they are."
    overlap = own.high >= serial.low and chosen != "serial"
    doubt = "the ranges overlap, so more runs are needed before anybody should believe it" if overlap else ""
    return f"{said} It was measured on {comparison.machine.sentence()}{f'; {doubt}' if doubt else ''}."
