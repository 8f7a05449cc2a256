"""Notebook 05's branches: the computing shared out to worker processes as listed, largest first, in blocks of rows.

Here: what each branch compares, how uneven the workers' loads are, and what the notebook's own experiments read. Not
here: the sharing out itself (workloads). The invariant: all reports of a branch are equal, or the branch is an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from statistics import median
from typing import Any

from flowlab.adventure.branches.surveys import gain, summary
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison, StrategyRun, compare
from flowlab.errors import require

LISTED = "as listed"
WAYS = {"listed": LISTED, "largest": "largest first", "blocks": "row blocks"}
"""What each branch's own way is called."""

CLAIMS: Mapping[str, tuple[tuple[str, Callable[[Comparison], float], float], ...]] = {
    "listed": (
        ("as listed, the last worker is done far later than the first", lambda c: uneven(c, LISTED), 1.4),
        ("two workers fall short of twice as fast, by this factor", lambda c: 2 / gain(c, LISTED), 1.2),
    ),
    "largest": (
        ("largest first, the workers are done more nearly at once", lambda c: evener(c, WAYS["largest"]), 1.2),
    ),
    "blocks": (
        ("in blocks, the workers are done more nearly at once", lambda c: evener(c, WAYS["blocks"]), 1.3),
        ("blocks are paid for in bytes that travel", lambda c: more_bytes(c, WAYS["blocks"]), 1.5),
    ),
}
"""By branch: what is claimed, of which figure, and the least factor from demo on."""


def listed(settings: Mapping[str, Any], progress: Progress, *, countries: Any) -> Outcome:
    """Hand out whole countries in the order of the list."""
    return _shared_out("listed", settings, progress, countries)


def largest(settings: Mapping[str, Any], progress: Progress, *, countries: Any) -> Outcome:
    """Hand out whole countries, those with most airports first."""
    return _shared_out("largest", settings, progress, countries)


def blocks(settings: Mapping[str, Any], progress: Progress, *, countries: Any) -> Outcome:
    """Hand out blocks of a country's rows, as listed."""
    return _shared_out("blocks", settings, progress, countries)


def _shared_out(option: str, settings: Mapping[str, Any], progress: Progress, countries: Any) -> Outcome:
    """Compare serial, as listed, and the branch's own way, each run in a fresh process."""
    from flowlab.workloads.loneliest import stragglers

    workers, rows = settings["n_workers"], settings["rows"]
    calls = {
        "listed": partial(stragglers.listed, countries, workers),
        "largest": partial(stragglers.largest_first, countries, workers),
        "blocks": partial(stragglers.in_blocks, countries, workers, rows),
    }
    ways = {"serial": partial(stragglers.serially, countries), LISTED: calls["listed"], WAYS[option]: calls[option]}
    comparison = compare(ways, repeats=settings["repeats"], progress=progress)
    if not comparison.agree:
        raise AssertionError("; ".join(comparison.disagreements))
    count = len(stragglers.blocks_of(countries, rows)) if option == "blocks" else len(countries)
    digest = sha256(comparison.value.to_json().encode()).hexdigest()[:12]
    line = (
        f"order {option!r}: {', '.join(ways)}; {len(countries)} countries, {comparison.value.n_airports:,} airports, "
        f"{count} calls for {workers} workers; all reports equal, digest {digest}."
    )
    return Outcome("order", option, line, _said(comparison), comparison, _facts(comparison))


def _said(comparison: Comparison) -> str:
    ended = "; ".join(
        f"{way}: the last of the workers is done {uneven(comparison, way):.2f} times as late as the first"
        for way in comparison.strategies
        if way != "serial"
    )
    return f"{comparison.sentence} {ended[0].upper()}{ended[1:]} (median)."


def _facts(comparison: Comparison) -> dict[str, dict[str, Any]]:
    facts = summary(comparison)
    for way, row in facts.items():
        row["bytes_moved"] = _bytes(comparison, way)
        row["last_over_first"] = None if way == "serial" else uneven(comparison, way)
    return facts


def ends_s(run: StrategyRun) -> list[float]:
    """Return, by worker, when it was done for good: seconds since the first call in any of them began, in order."""
    workers = {record.pid for record in run.records if record.stage == "start"}
    calls = [r for r in run.records if r.pid in workers and r.stage != "start" and r.wall_ns is not None]
    began = min((r.started_ns or 0) for r in calls)
    last = {pid: max((r.ended_ns or 0) for r in calls if r.pid == pid) for pid in {r.pid for r in calls}}
    return sorted((ended - began) / 1e9 for ended in last.values())


def uneven(comparison: Comparison, way: str) -> float:
    """Return how many times as late as the first worker the last one is done, the median over runs."""
    ends = [ends_s(run) for run in comparison.runs_of(way) if run.error is None]
    return median(each[-1] / each[0] for each in ends)


def evener(comparison: Comparison, way: str) -> float:
    """Return how many times as uneven as this way the list's order is."""
    return uneven(comparison, LISTED) / uneven(comparison, way)


def more_bytes(comparison: Comparison, way: str) -> float:
    """Return how many times the bytes of the list's order this way sends."""
    return _bytes(comparison, way) / _bytes(comparison, LISTED)


def _bytes(comparison: Comparison, way: str) -> float:
    return median(run.bytes_moved or 0 for run in comparison.runs_of(way))


def when_first(ratio: float) -> str:
    """Return which answer is right: how much of the time was over when the first worker was done."""
    return "end" if 1 / ratio >= 0.9 else "late" if 1 / ratio >= 0.6 else "half"


def started(ratio: float) -> str:
    """Return which answer is right, given how many times as long as serial the started processes took."""
    return "faster" if ratio < 0.8 else "same" if ratio < 1.25 else "slower"


def held(share: float) -> str:
    """Return which answer is right, given what share of the sum of RSS the workers really hold."""
    return "all" if share >= 0.9 else "most" if share >= 0.6 else "part"


@dataclass(frozen=True, slots=True)
class Held:
    """The memory of one process.

    Attributes:
        rss_bytes: All its pages, also those that others share.
        pss_bytes: The same with each shared page divided by the number that share it; None where the system does not
            say.
    """

    rss_bytes: int
    pss_bytes: int | None


def memory_of(pids: Sequence[int]) -> list[Held]:
    """Return what memory these processes hold now."""
    import psutil

    read = [psutil.Process(pid).memory_full_info() for pid in pids]
    return [Held(each.rss, getattr(each, "pss", None)) for each in read]


def memory_table(found: Sequence[Held]) -> Any:
    """Return the memory of workers as a pandas frame in MB, the sum last."""
    pandas = require("pandas", extra="demo", why="to show memory as a table")
    rows = [{"RSS [MB]": each.rss_bytes / 1e6, "PSS [MB]": (each.pss_bytes or float("nan")) / 1e6} for each in found]
    frame = pandas.DataFrame(rows, index=[f"worker {n}" for n in range(1, len(rows) + 1)])
    frame.loc["together"] = frame.sum(min_count=1)
    return frame.round(1)


def interpreter_pool() -> Any:
    """Return the standard library's pool of interpreters, or None: it is there from Python 3.14 on."""
    from concurrent import futures

    return getattr(futures, "InterpreterPoolExecutor", None)


def within_one_process(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> list[str]:
    """Return what came of sharing work out without processes, a sentence each: by interpreters, by threads.

    Threads count where there is no GIL. Where a way is not there, its sentence says so.
    """
    from flowlab.machine import Machine

    started = time.perf_counter()
    expected = [function(item) for item in items]
    serial_s = time.perf_counter() - started
    threads = ThreadPoolExecutor if Machine.detect().gil is False else None
    ways = (
        ("Interpreters", interpreter_pool(), "InterpreterPoolExecutor came with Python 3.14"),
        ("Threads without the GIL", threads, "this Python has its GIL"),
    )
    return [f"{name}: {_tried(pool, function, items, workers, expected, serial_s, why)}." for name, pool, why in ways]


def _tried(
    pool_type: Any, function: Callable[[Any], Any], items: Sequence[Any], workers: int, expected: list[Any],
    serial_s: float, why: str,
) -> str:  # fmt: skip
    if pool_type is None:
        return f"not available here ({why})"
    started = time.perf_counter()
    try:
        with pool_type(workers) as pool:
            found = list(pool.map(function, items))
    except Exception as error:  # a package may refuse to be loaded by a second interpreter
        return f"there, but it did not work ({type(error).__name__}: {error})"
    faster = serial_s / (time.perf_counter() - started)
    return f"{faster:.2f} times as fast as serial with {workers} workers (n = 1), equal results: {found == expected}"
