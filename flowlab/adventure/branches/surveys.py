"""Surveys: strategies of the one job compared for a branch, and what a notebook reads off the comparison.

Here: the comparison with its check, gains and noise. Not here: which strategies a branch compares. The invariant: all
reports of a branch are equal, or the branch is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.comparison import Comparison, compare

Ways = Mapping[str, tuple[str, Mapping[str, Any]] | Callable[[], Any]]
"""What a branch compares, by name: a strategy of the job and the settings in which it differs, or a call of its own."""

KEPT = (
    "n", "wall_s", "wall_low_s", "wall_high_s", "speedup", "cpu_s", "peak_bytes", "energy_j", "energy_low_j",
    "energy_high_j",
)  # fmt: skip


def surveyed(
    key: str, option: str, ways: Ways, settings: Mapping[str, Any], progress: Progress, site: Any, **same: Any
) -> Outcome:
    """Return what came of surveying the site in several ways, each run in a fresh process, the repeats interleaved.

    Args:
        key: The decision.
        option: The branch.
        ways: What is compared, "serial" among it.
        settings: The notebook's; `n_countries` and `repeats` are read.
        progress: How far it is.
        site: Where the countries are.
        same: Settings of the job that all ways share.

    Raises:
        AssertionError: The reports differ.
    """
    from flowlab.workloads import loneliest

    count = settings["n_countries"]
    plain = loneliest.job(site, n_countries=count, **same)
    strategies = {
        name: way if callable(way) else loneliest.job(site, n_countries=count, **{**same, **way[1]}).strategies[way[0]]
        for name, way in ways.items()
    }
    comparison = compare(replace(plain, strategies=strategies), repeats=settings["repeats"], progress=progress)
    if not comparison.agree:
        raise AssertionError("; ".join(comparison.disagreements))
    digest = sha256(comparison.value.to_json().encode()).hexdigest()[:12]
    line = (
        f"{key} {option!r}: {', '.join(strategies)}; {count} countries, {plain.requests} requests a run; "
        f"all reports equal, digest {digest}."
    )
    return Outcome(key, option, line, comparison.sentence, comparison, summary(comparison))


def summary(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return what the journal keeps of a comparison: one row of figures a strategy."""
    return {str(row["strategy"]): {name: row[name] for name in KEPT} for row in comparison.strategy_rows()}


def noise(comparison: Comparison) -> float:
    """Return by what factor this machine's own unrest can move a time.

    It is the larger of two: how much longer the slowest of equal runs took than the fastest, at the worst of all
    strategies; and how much longer the serial survey's computing took than the CPU time it got.
    """
    spreads = [comparison.spread(strategy, "wall_s") for strategy in comparison.strategies]
    computing = [r for run in comparison.runs_of("serial") for r in run.records if r.operation in ("parse", "compute")]
    wall_ns = sum(record.wall_ns or 0 for record in computing)
    cpu_ns = sum(record.cpu_ns or 0 for record in computing)
    queueing = wall_ns / cpu_ns if cpu_ns else 1.0
    return max([queueing, *(spread.high / spread.low for spread in spreads if spread)])


def factor(comparison: Comparison, strategy: str, figure: str) -> float:
    """Return a strategy's gain over serial, or, of any figure but wall time, how many times serial's it takes."""
    if figure == "wall_s":
        return gain(comparison, strategy)
    serial, this = comparison.spread("serial", figure), comparison.spread(strategy, figure)
    return this.median / serial.median if serial and this else float("nan")


def gain(comparison: Comparison, strategy: str) -> float:
    """Return how many times as fast as serial a strategy is, median against median."""
    serial, this = comparison.spread("serial", "wall_s"), comparison.spread(strategy, "wall_s")
    return serial.median / this.median if serial and this else float("nan")
