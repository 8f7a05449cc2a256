"""Notebook 09's branches: the survey of a site of few places by as many threads as cores, by enough, and by many more.

Here: sweeps over numbers of workers, what is read off them, and what each branch compares. Not here: the laws and
their fits (`flowlab.scaling`). The invariant: all reports of a branch are equal, or the branch is an error; and
"enough" is never a guess, but what the notebook's own fit said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import mean, median
from typing import Any

from flowlab.adventure.branches.races import Race, race
from flowlab.adventure.branches.roads import DO_LESS
from flowlab.adventure.branches.surveys import Ways, surveyed
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison
from flowlab.errors import require
from flowlab.metrics import Record
from flowlab.scaling import Fit, Law, Sweep

THREADS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of threads that the site is asked by."""

SERIAL, CORES, STOP, TWICE, MOST = "serial", "one a core", "enough", "twice as many", "sixteen"
WAYS = {"cores": (SERIAL, CORES, STOP), "knee": (SERIAL, STOP, TWICE), "many": (SERIAL, STOP, MOST)}
"""By branch, what it compares."""
OWN = {"cores": CORES, "knee": STOP, "many": MOST}
"""By branch, which of them is its own."""

Figure = Callable[[Comparison, Mapping[str, int]], float]
CLAIMS: Mapping[str, tuple[tuple[str, Figure, float], ...]] = {
    "cores": (("a thread a core is too few to wait with", lambda c, n: faster(c, STOP, CORES), 1.15),),
    "knee": (
        ("threads shorten the survey", lambda c, n: faster(c, STOP, SERIAL), 1.5),
        ("twice as many fall short of twice as fast, by this factor", lambda c, n: short(c, n, TWICE), 1.2),
        ("with twice as many a page takes longer", lambda c, n: page_ms(c, TWICE) / page_ms(c, STOP), 1.3),
    ),
    "many": (
        ("so many more fall far short of so many times as fast, by this factor", lambda c, n: short(c, n, MOST), 1.5),
        ("with so many a page takes far longer", lambda c, n: page_ms(c, MOST) / page_ms(c, STOP), 1.8),
    ),
}
"""By branch: what is claimed, of which figure of a comparison and its numbers of threads, and the least factor from
demo on."""


def cores(settings: Mapping[str, Any], progress: Progress, *, site: Any, sweep: Sweep) -> Outcome:
    """Survey with one thread a core, as one would for computing."""
    return _counted("cores", settings, progress, site, sweep)


def knee(settings: Mapping[str, Any], progress: Progress, *, site: Any, sweep: Sweep) -> Outcome:
    """Survey with as many threads as the fit to the sweep calls for."""
    return _counted("knee", settings, progress, site, sweep)


def many(settings: Mapping[str, Any], progress: Progress, *, site: Any, sweep: Sweep) -> Outcome:
    """Survey with the most threads of the sweep."""
    return _counted("many", settings, progress, site, sweep)


def better(sweep: Sweep) -> Fit:
    """Return the fit that misses the measured speed-ups by less: Amdahl's law or the Universal Scalability Law."""
    return min(sweep.amdahl(), sweep.usl(), key=lambda fit: fit.error)


def counts(sweep: Sweep) -> dict[str, int]:
    """Return how many threads each way takes, all but the doubled of them numbers that were measured."""
    from flowlab.machine import Machine

    stop = sweep.within(better(sweep).law.stop)
    return {
        SERIAL: 1,
        CORES: sweep.within(Machine.detect().cores),
        STOP: stop,
        TWICE: 2 * stop,
        MOST: sweep.levels[-1],
    }


def chosen(option: str, sweep: Sweep) -> int:
    """Return how many threads an option of the decision means."""
    return counts(sweep)[OWN[option]]


def _counted(option: str, settings: Mapping[str, Any], progress: Progress, site: Any, sweep: Sweep) -> Outcome:
    threads = {way: count for way, count in counts(sweep).items() if way in WAYS[option]}
    ways: Ways = {
        way: ("serial", {}) if way == SERIAL else ("threads", {"connections": count}) for way, count in threads.items()
    }
    outcome = surveyed("workers", option, ways, settings, progress, site, **DO_LESS)
    facts = {
        way: {
            "threads": threads[way],
            **row,
            "efficiency": row["speedup"] / threads[way],
            "page_ms": page_ms(outcome.value, way),
        }
        for way, row in outcome.facts.items()
    }
    said = ", ".join(f"{way} {count}" for way, count in threads.items() if way != SERIAL)
    return Outcome(outcome.key, option, outcome.line, f"Threads: {said}. {outcome.sentence}", outcome.value, facts)


def claims(option: str, comparison: Comparison, sweep: Sweep) -> list[tuple[str, float, float]]:
    """Return what is claimed of a branch: a sentence, the factor measured, and the least it should be.

    Where there are as many cores as threads are enough, nothing is claimed of a thread a core.
    """
    threads = counts(sweep)
    if option == "cores" and threads[CORES] >= threads[STOP]:
        return []
    return [(text, figure(comparison, threads), at_least) for text, figure, at_least in CLAIMS[option]]


def short(comparison: Comparison, threads: Mapping[str, int], way: str) -> float:
    """Return by what factor a way falls short: times the threads of where to stop, over times as fast as that."""
    return threads[way] / threads[STOP] / faster(comparison, way, STOP)


def faster(comparison: Comparison, way: str, than: str) -> float:
    """Return how many times as fast as another a way is, median against median."""
    mine, other = comparison.spread(way, "wall_s"), comparison.spread(than, "wall_s")
    return other.median / mine.median if mine and other else float("nan")


def page_ms(comparison: Comparison, way: str) -> float:
    """Return how long a way's downloads took, the median over all runs, in milliseconds."""
    return download_ms([record for run in comparison.runs_of(way) for record in run.records])


def download_ms(records: Sequence[Record]) -> float:
    """Return how long a download took, the median, in milliseconds."""
    return median((record.wall_ns or 0) / 1e6 for record in records if record.operation == "download")


def costs(comparison: Comparison, sweep: Sweep) -> list[str]:
    """Return what the threads of each way cost, a sentence each: memory a thread more than serial, and CPU seconds."""
    threads, serial = counts(sweep), comparison.spread(SERIAL, "peak_bytes")
    said = []
    for each in comparison.strategies:
        peak, cpu = comparison.spread(each, "peak_bytes"), comparison.spread(each, "cpu_s")
        if peak and cpu and serial:
            more_mb = (peak.median - serial.median) / 1e6 / max(1, threads[each] - 1)
            memory = "" if each == SERIAL else f", {more_mb:.1f} MB more for every thread after the first"
            said.append(f"{each} ({threads[each]}): {cpu.median:.2f} s of CPU time{memory} (medians of {cpu.n})")
    return said


def swept(name: str, call: Callable[[int], Any], levels: Sequence[int], repeats: int) -> tuple[Sweep, Race]:
    """Return the times of a call by the number of workers it is given, and the race that they are from.

    Args:
        name: What the workers do.
        call: Takes the number of workers.
        levels: The numbers.
        repeats: How often each is timed, in turn with the others.
    """
    run = race({way(n): partial(call, n) for n in levels}, repeats)
    return Sweep(name, {n: run.walls_s[way(n)] for n in levels}), run


def foretold(law: Law) -> str:
    """Return what a law says of more and more workers: where it is fastest, or that it never gets slower.

    >>> foretold(Law(0.05, 0.01)), foretold(Law(0.1))
    ('fastest with 10, 4.3 times, then slower', 'never slower, and never more than 10.0 times')
    """
    if law.coherency:
        return f"fastest with {law.peak:.0f}, {law.most:.1f} times, then slower"
    return f"never slower, and never more than {law.most:.1f} times" if law.contention else "N times with N, for ever"


def way(workers: int) -> str:
    """Return what a number of workers is called in a race.

    >>> way(1), way(16)
    ('1 worker', '16 workers')
    """
    return f"{workers} worker{'' if workers == 1 else 's'}"


def around(cores: int) -> tuple[int, ...]:
    """Return numbers of processes to try with so many cores: below, about and above.

    >>> around(2), around(8)
    ((1, 2, 3, 4, 6, 8), (1, 2, 3, 4, 6, 8, 16))
    """
    return tuple(sorted({1, 2, 3, 4, 6, 8, max(8, 2 * cores)}))


def table(sweep: Sweep, run: Race) -> Any:
    """Return a sweep of downloads as a pandas frame, one row a number of workers.

    `in flight` is Little's law: pages a second times the mean of the seconds that a page takes.
    """
    pandas = require("pandas", extra="demo", why="to show a sweep as a table")
    rows = []
    for n in sweep.levels:
        records = [r for r in run.records[way(n)] if r.operation == "download"]
        rate, mean_s = len(records) / median(sweep.walls_s[n]), mean((r.wall_ns or 0) / 1e9 for r in records)
        rows.append(
            {
                "workers": n,
                "n": len(sweep.walls_s[n]),
                "time [ms]": 1000 * median(sweep.walls_s[n]),
                "least": 1000 * min(sweep.walls_s[n]),
                "most": 1000 * max(sweep.walls_s[n]),
                "speed-up": sweep.speedup(n),
                "efficiency": sweep.efficiency(n),
                "pages/s": rate,
                "ms a page": download_ms(records),
                "mean": 1000 * mean_s,
                "in flight": rate * mean_s,
            }
        )
    return pandas.DataFrame(rows).set_index("workers").round(2)


@contextmanager
def process_pools(levels: Sequence[int]) -> Iterator[dict[int, Executor]]:
    """Yield a pool of worker processes for every number of them, all started and ready to compute."""
    from flowlab.workloads.loneliest import stragglers
    from flowlab.workloads.loneliest.pools import process_pool

    with ExitStack() as stack:
        pools: dict[int, Executor] = {n: stack.enter_context(process_pool(n, stragglers.__name__)) for n in levels}
        for pool in pools.values():
            list(pool.map(len, [()]))
        yield pools


def process_mb() -> float:
    """Return the memory of a worker process of this one, in MB, the mean of all there are; PSS where it is known."""
    from multiprocessing import active_children

    from flowlab.adventure.branches.processes import memory_of

    held = memory_of([child.pid for child in active_children() if child.pid is not None])
    return mean(each.pss_bytes or each.rss_bytes for each in held) / 1e6


def times_of(speedup: float, workers: int) -> str:
    """Return which answer is right: all (three quarters of the workers or more), half (three eighths) or few."""
    share = speedup / workers
    return "all" if share >= 0.75 else "half" if share >= 0.375 else "few"
