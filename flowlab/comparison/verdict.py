"""What a comparison means, in sentences: what won, by how much, and what to run.

A difference counts only when the ranges of the runs do not meet; else it is "within the spread", and of the
strategies that no other one beats, and that beat serial, the simplest is advised. Every number in a sentence is
computed from the runs of that comparison.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from flowlab.comparison.pasting import code
from flowlab.comparison.result import Comparison, Spread, Verdict
from flowlab.comparison.wording import number

if TYPE_CHECKING:
    from flowlab.comparison.jobs import Job
    from flowlab.metrics import Record

SIMPLEST_FIRST = ("serial", "inline", "threads", "asyncio", "processes", "hybrid", "dataflow")
RESAMPLES = 2000
ENOUGH = 3
"""Runs of each strategy below which there is no spread to speak of."""


def sentence(comparison: Comparison) -> str:
    """What won at what and by how much, or that the difference is within the spread."""
    ended = [name for name in comparison.sound if comparison.spread(name, "wall_s")]
    if not ended:
        return "No strategy ended with an equal result every time, so nothing can be compared."
    if len(ended) == 1:
        wall = comparison.spread(ended[0], "wall_s")
        assert wall is not None
        return f"{ended[0]} took {number(wall.median)} s (n = {wall.n}); there is nothing to compare it with."
    parts = [_won(comparison, ended, "wall_s", "fastest", "s", 1.0)]
    parts.append(_won(comparison, ended, "peak_bytes", "smallest in memory", "MB", 1e6))
    parts.append(_won(comparison, ended, "energy_j", "most frugal by the estimate", "J", 1.0))
    if "serial" not in ended and "inline" not in comparison.strategies:
        why = "did not end with an equal result every time" if "serial" in comparison.strategies else "did not run"
        parts.append(f"There is no verdict on what to run, because serial {why}.")
    if comparison.n_repeats < ENOUGH:
        parts.append(
            f"With n = {comparison.n_repeats} there is no spread to hold a difference against: repeat {ENOUGH} times."
        )
    return " ".join(part for part in parts if part)


def _won(comparison: Comparison, names: Sequence[str], figure: str, title: str, unit: str, scale: float) -> str:
    spreads = {name: spread for name in names if (spread := comparison.spread(name, figure)) is not None}
    if len(spreads) < 2:
        return ""
    best = min(spreads, key=lambda name: spreads[name].median)
    tied = [name for name in unbeaten(spreads) if name != best]
    text = f"{best} was {title}: {number(spreads[best].median / scale)} {unit}"
    base = "serial" if "serial" in spreads and best != "serial" else None
    if base is None:
        base = max(spreads, key=lambda name: spreads[name].median)
    if base != best and not spreads[base].overlaps(spreads[best]):
        text += f" against {number(spreads[base].median / scale)} {unit} for {base} "
        text += f"({number(spreads[base].median / spreads[best].median)} times)"
    if tied:
        text += f"; {_listed(tied)} {'is' if len(tied) == 1 else 'are'} within the spread of it"
    return text + "."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def verdict(comparison: Comparison, workers: Mapping[str, int], job: Job | None = None) -> Verdict | None:
    """What to run; None without serial, with fewer than two strategies that are sound, or with fewer than 3 repeats.

    Args:
        workers: Strategy to its number of workers.
        job: The job of plain functions behind the comparison, for the projection and the code to paste.
    """
    walls = {name: wall for name in comparison.sound if (wall := comparison.spread(name, "wall_s")) is not None}
    if "serial" not in walls or len(walls) < 2 or comparison.n_repeats < ENOUGH:
        return None
    chosen, tied = _choice(walls)
    waiting, computing = shares(comparison.best("serial").records)
    gain, low, high = _gain(comparison, chosen)
    made = Verdict(
        strategy=chosen, workers=workers.get(chosen), gain=gain, gain_low=low, gain_high=high,
        extra_bytes=_extra_bytes(comparison, chosen), waiting=waiting, computing=computing,
        projected_s=_projected(comparison, chosen, job), text="",
        code=code(chosen, job.steps, workers, job.in_processes, _failed_with(comparison)) if job else None,
    )  # fmt: skip
    return replace(made, text=_text(made, tied, walls, job))


def _failed_with(comparison: Comparison) -> set[str]:
    """Types of the exceptions that items failed with."""
    return {kind for run in comparison.runs for _, kind in run.failures}


def unbeaten(spreads: Mapping[str, Spread]) -> list[str]:
    """Those that no other one beats by more than the spread: whose smallest is not above another one's largest."""
    reach = min(spread.high for spread in spreads.values())
    return [name for name, spread in spreads.items() if spread.low <= reach]


def _choice(walls: Mapping[str, Spread]) -> tuple[str, list[str]]:
    """The strategy to run, and those that are as fast within the spread."""
    equals = [name for name in unbeaten(walls) if name == "serial" or not walls[name].overlaps(walls["serial"])]
    equals = equals or ["serial"]
    ranked = sorted(
        equals, key=lambda name: SIMPLEST_FIRST.index(name) if name in SIMPLEST_FIRST else len(SIMPLEST_FIRST)
    )
    return ranked[0], ranked[1:]


def _gain(comparison: Comparison, strategy: str) -> tuple[float, float, float]:
    """Times as fast as serial: ratio of medians, and its 95 % bootstrap interval."""
    serial = [run.wall_s for run in comparison.runs_of("serial") if run.wall_s and run.error is None]
    chosen = [run.wall_s for run in comparison.runs_of(strategy) if run.wall_s and run.error is None]
    draw = random.Random(0)
    ratios = sorted(
        median(draw.choices(serial, k=len(serial))) / median(draw.choices(chosen, k=len(chosen)))
        for _ in range(RESAMPLES)
    )
    return median(serial) / median(chosen), ratios[int(0.025 * RESAMPLES)], ratios[int(0.975 * RESAMPLES)]


def _extra_bytes(comparison: Comparison, strategy: str) -> int | None:
    peak, base = comparison.spread(strategy, "peak_bytes"), comparison.spread("serial", "peak_bytes")
    return int(peak.median - base.median) if peak and base else None


def _projected(comparison: Comparison, strategy: str, job: Job | None) -> float | None:
    """Worker start once, the rest in proportion to the number of items."""
    wall = comparison.spread(strategy, "wall_s")
    if job is None or wall is None or job.n_all <= len(job.items):
        return None
    start = comparison.spread(strategy, "start_s")
    once = start.median if start else 0.0
    return once + (wall.median - once) * job.n_all / len(job.items)


def shares(records: Sequence[Record]) -> tuple[float | None, float | None]:
    """Shares of the measured calls' wall time that were spent waiting and computing, 0 to 1; None if not measured.

    The rest is time in which a call was ready to run and the machine ran something else.
    """
    known = [record for record in records if record.parent is None and record.cpu_ns is not None and record.wall_ns]
    wall_ns = sum(record.wall_ns or 0 for record in known)
    if not wall_ns:
        return None, None
    computing = sum(record.cpu_ns or 0 for record in known)
    queued = sum(record.runqueue_ns or 0 for record in known)
    return max(0.0, (wall_ns - computing - queued) / wall_ns), min(1.0, computing / wall_ns)


def computing_by_operation(records: Sequence[Record]) -> dict[str, float]:
    """Operation to the share of its wall time that was CPU time, 0 to 1.

    Time in which it was ready to run and the machine ran something else is left out: a busy machine would otherwise
    make what computes look like what waits.
    """
    wall_ns: dict[str, int] = {}
    cpu_ns: dict[str, int] = {}
    for record in records:
        if record.wall_ns and record.cpu_ns is not None:
            own_ns = max(record.wall_ns - (record.runqueue_ns or 0), record.cpu_ns)
            wall_ns[record.operation] = wall_ns.get(record.operation, 0) + own_ns
            cpu_ns[record.operation] = cpu_ns.get(record.operation, 0) + record.cpu_ns
    return {name: cpu_ns[name] / wall_ns[name] for name in wall_ns if wall_ns[name]}


def _text(made: Verdict, tied: Sequence[str], walls: Mapping[str, Spread], job: Job | None) -> str:
    parts = [_stay(walls) if made.strategy == "serial" else _change(made, walls[made.strategy].n)]
    if tied and made.strategy != "serial":
        parts.append(f"As fast within the spread, and less simple: {_listed(tied)}.")
    if made.waiting is not None and made.computing is not None:
        rest = 1 - made.waiting - made.computing
        queued = f", and {rest:.0%} ready to run while the machine was busy" if rest >= 0.05 else ""
        parts.append(f"Run serially, its calls are {made.waiting:.0%} waiting, {made.computing:.0%} computing{queued}.")
    if made.projected_s is not None and job is not None:
        parts.append(
            f"All {job.n_all:,} items would take about {number(made.projected_s)} s "
            f"(an extrapolation from {len(job.items)})."
        )
    return " ".join(parts)


def _stay(walls: Mapping[str, Spread]) -> str:
    best = min((name for name in walls if name != "serial"), key=lambda name: walls[name].median)
    text = f"Stay serial: the best of the others, {best}, took {number(walls[best].median)} s "
    text += f"against serial's {number(walls['serial'].median)} s"
    return text + (", a difference within the spread." if walls[best].overlaps(walls["serial"]) else ".")


def _change(made: Verdict, n: int) -> str:
    count = f" with {made.workers} workers" if made.workers else ""
    text = f"Run it with {made.strategy}{count}: {number(made.gain or 0)} times as fast as serial "
    text += f"(95 % interval {number(made.gain_low or 0)} to {number(made.gain_high or 0)}, n = {n})"
    if made.extra_bytes is not None:
        more = "more" if made.extra_bytes >= 0 else "less"
        text += f", for {number(abs(made.extra_bytes) / 1e6)} MB {more} memory"
    return text + "."
