"""Notebook 02's branches: three roads that shorten the survey, each measured against the serial one.

Here: what each road compares, what is claimed of it, and the roads side by side. Not here: the strategies themselves
(workloads) and how they are timed (comparison). The invariant: every road's reports are equal to the serial survey's,
or the road is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowlab.adventure.branches.recorded import known, where
from flowlab.adventure.branches.surveys import Ways, surveyed
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.errors import require

DO_LESS: Mapping[str, Any] = {"parser": "stdlib", "compute": "sorted"}

NOTEBOOK = "02_login_crawl_parse"
RECORDED = where(NOTEBOOK)

CLAIMS: Mapping[str, tuple[tuple[str, str, str, float], ...]] = {
    "download": (
        ("threads wait for many pages at once", "threads", "wall_s", 1.15),
        ("so does one event loop", "asyncio", "wall_s", 1.15),
    ),
    "parse": (
        ("a lighter parser shortens the survey on one core", "stdlib parser", "wall_s", 1.15),
        ("processes are paid for in memory", "processes", "peak_bytes", 1.5),
    ),
    "algorithm": (
        ("a better search shortens the survey on one core", "sorted search", "wall_s", 1.15),
        ("a loop with processes shortens it, with all the work done", "hybrid", "wall_s", 1.15),
    ),
}
"""By road: what is claimed, of which strategy, by which figure, and the least factor from scale demo on."""


def download(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Wait for many pages at once: threads and asyncio against serial."""
    return _road("download", settings, progress, site, {"threads": ("threads", {}), "asyncio": ("asyncio", {})})


def parse(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Parse on all cores, or parse with less: processes and the standard library's parser against serial."""
    ways: Ways = {"processes": ("processes", {}), "stdlib parser": ("serial", {"parser": "stdlib"})}
    return _road("parse", settings, progress, site, ways)


def algorithm(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Compute less: the sorted search with a cut-off, against serial and against the careful engineer's hybrid."""
    ways: Ways = {"hybrid": ("hybrid", {}), "sorted search": ("serial", {"compute": "sorted"})}
    return _road("algorithm", settings, progress, site, ways)


def _road(option: str, settings: Mapping[str, Any], progress: Progress, site: Any, ways: Ways) -> Outcome:
    """Compare the ways of one road with the serial survey, and with doing less and waiting at once."""
    ways = {"serial": ("serial", {}), **ways, "do less": ("asyncio", DO_LESS)}
    return surveyed("road", option, ways, settings, progress, site)


def pick(comparison: Comparison, goal: str) -> str:
    """Return the strategy of a road that serves a goal best; `do less` does not compete.

    Args:
        comparison: One road's.
        goal: "fast" is least wall time, "small" least memory, "frugal" least energy; "simple" is the fastest of those
            that need no concurrency.
    """
    rows = [row for row in comparison.strategy_rows() if row["strategy"] != "do less"]
    if goal == "simple":
        rows = [row for row in rows if row["strategy"] in ("serial", "stdlib parser", "sorted search")]
    column = {"small": "peak_bytes", "frugal": "energy_j"}.get(goal, "wall_s")
    known: list[Any] = [row for row in rows if row[column] is not None] or rows[:1]
    return str(min(known, key=lambda row: row[column])["strategy"])


def all_roads(outcome: Outcome, journal: Journal) -> Any:
    """Return the three roads side by side: yours now, yours from the journal, or else the recorded one, labelled."""
    pandas = require("pandas", extra="demo", why="to show the roads as a table")
    found = known(NOTEBOOK, outcome, journal)
    return pandas.DataFrame([row for each in found for row in _rows(each.option, each.facts, each.source)])


def _rows(road: str, facts: Mapping[str, Mapping[str, Any]], source: str) -> list[dict[str, Any]]:
    serial = facts["serial"]
    return [
        {
            "road": road,
            "strategy": name,
            "n": row["n"],
            "times as fast as serial": round(row["speedup"], 2),
            "times serial's memory": round(row["peak_bytes"] / serial["peak_bytes"], 2) if row["peak_bytes"] else None,
            "where from": source,
        }
        for name, row in facts.items()
        if name != "serial"
    ]
