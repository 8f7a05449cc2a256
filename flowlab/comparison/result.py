"""What a comparison found: every run that was made, and the summaries drawn from them.

Nothing here runs anything. A summary is a median with the smallest and the largest beside it, never a bare mean;
what was not measured is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from statistics import median
from typing import TYPE_CHECKING, Any

from flowlab.comparison.wording import COLUMNS, html_row, told
from flowlab.errors import SettingError, require
from flowlab.metrics.overhead import Overhead, overhead
from flowlab.metrics.record import Record, running_at_peak

if TYPE_CHECKING:
    import pandas as pd

    from flowlab.machine import Machine
    from flowlab.metrics.power import Energy, Profile
    from flowlab.metrics.sampler import Samples


@dataclass(frozen=True, slots=True)
class StrategyRun:
    """One strategy, run once in a fresh process.

    Attributes:
        strategy: Its name.
        repeat: Which repeat this is, from 0.
        order: Its place among all runs of the comparison, from 0.
        wall_s: From the call of the strategy to its return, worker start included.
        cpu_s: CPU seconds of its process and of all processes it started.
        start_s: Time until its workers were ready (part of `wall_s`); None if it starts none.
        peak_bytes: Largest memory of all its processes together, sampled from another process.
        memory_method: "pss" (shared pages counted once) or "rss"; None if not sampled.
        bytes_moved: What its processes sent each other, and what its calls report as `net_bytes` or, if it
            stayed on this machine and cost no energy of a network, `loopback_bytes`.
        energy: An estimate with its band, or None.
        records: One record a call.
        samples: Memory and CPU of the tree over time.
        started_ns, ended_ns: Monotonic stamps, on the clock of the records.
        failures: Items that failed, as (index, exception type).
        error: Why the strategy as a whole failed, as the last line of its traceback; None if it ended.
        equal: Whether its result equals the reference's; None if there was nothing to compare.
        output: What it printed.
        cores: Cores it could use.
        machine_cpu_s: CPU seconds the whole machine was busy meanwhile; None if that is not told.
        profile: The power profile that energy counters gave during the run; None where there are none.
    """

    strategy: str
    repeat: int
    order: int
    wall_s: float | None = None
    cpu_s: float | None = None
    start_s: float | None = None
    peak_bytes: int | None = None
    memory_method: str | None = None
    bytes_moved: int | None = None
    energy: Energy | None = None
    records: tuple[Record, ...] = ()
    samples: Samples | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    failures: tuple[tuple[int, str], ...] = ()
    error: str | None = None
    equal: bool | None = None
    output: str = ""
    cores: int | None = None
    machine_cpu_s: float | None = None
    profile: Profile | None = None

    @property
    def overhead(self) -> Overhead:
        """What measuring cost this run."""
        return overhead(self.records)

    @property
    def at_peak(self) -> tuple[Record, ...]:
        """The calls that ran when memory was highest; none if that is not known or nothing ran then."""
        return running_at_peak(self.records, self.samples)

    def table(self, rows: str = "calls") -> pd.DataFrame:
        """One row a call, all columns of a record; `rows` may be "steps" or "samples" too."""
        from flowlab.metrics.tables import table

        return table(self, rows)


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """What a service the job talks to (the site) used during one run; never part of the strategy's own figures."""

    service: str
    strategy: str
    repeat: int
    cpu_s: float | None = None
    peak_bytes: int | None = None
    memory_method: str | None = None
    energy: Energy | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs: median, smallest, largest, and how many."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: list[float | None]) -> Spread | None:
        """The spread of the values that were measured, or None if none was.

        >>> Spread.of([3.0, 1.0, None, 2.0])
        Spread(median=2.0, low=1.0, high=3.0, n=3)
        """
        known = [float(value) for value in values if value is not None]
        return cls(median(known), min(known), max(known), len(known)) if known else None

    def overlaps(self, other: Spread) -> bool:
        """Whether the two ranges meet: then the difference is within the spread."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to run, and why.

    Attributes:
        strategy: The strategy to use; "serial" when nothing beats it by more than the spread.
        workers: How many it used; None if that means nothing for it.
        gain: Times as fast as serial, median; `gain_low` and `gain_high` bound it (95 % bootstrap interval).
        extra_bytes: Peak memory beyond serial's.
        waiting, computing: Shares of the serial run's wall time, 0 to 1.
        projected_s: Time for all items with this strategy, an extrapolation; None if all were run.
        text: The verdict in sentences.
        code: Code to paste, or None where the job is not made of plain functions.
    """

    strategy: str
    workers: int | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    extra_bytes: int | None
    waiting: float | None
    computing: float | None
    projected_s: float | None
    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same job, run with several strategies, repeats interleaved, each run in a fresh process.

    Attributes:
        runs: Every run, in the order they ran; none is dropped.
        services: What the services used during each run.
        agree: Whether all results are equal.
        disagreements: One sentence for each difference found.
        sentence: What won at what and by how much, or that the difference is within the spread.
        trial: A serial run made first, to place what others compute, where serial is not chosen; in no table.
    """

    name: str
    strategies: tuple[str, ...]
    runs: tuple[StrategyRun, ...]
    machine: Machine
    services: tuple[ServiceUse, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    question: str | None = None
    answer: str | None = None
    agree: bool = True
    disagreements: tuple[str, ...] = ()
    sentence: str = ""
    verdict: Verdict | None = None
    value: Any = None
    took_s: float | None = None
    trial: StrategyRun | None = None

    def runs_of(self, strategy: str) -> tuple[StrategyRun, ...]:
        """The runs of one strategy, in order."""
        if strategy not in self.strategies:
            raise SettingError(f"no strategy {strategy!r} in this comparison: it has {', '.join(self.strategies)}")
        return tuple(run for run in self.runs if run.strategy == strategy)

    def best(self, strategy: str) -> StrategyRun:
        """The run of a strategy that has the (lower) median wall time: the one to look at closely."""
        ended = sorted(
            (run for run in self.runs_of(strategy) if run.wall_s is not None), key=lambda run: run.wall_s or 0
        )
        if not ended:
            raise SettingError(f"no run of strategy {strategy!r} ended, so none can be shown")
        return ended[(len(ended) - 1) // 2]

    @property
    def sound(self) -> tuple[str, ...]:
        """The strategies whose every run ended with an equal result: the only ones that can win."""
        failed = {run.strategy for run in self.runs if run.error is not None or run.equal is False}
        return tuple(name for name in self.strategies if name not in failed)

    def spread(self, strategy: str, figure: str) -> Spread | None:
        """The spread of one figure (`wall_s`, `cpu_s`, `peak_bytes`, ...) over a strategy's runs that ended."""
        return Spread.of(
            [_figure(run, figure) for run in self.runs_of(strategy) if run.error is None and run.equal is not False]
        )

    @property
    def n_repeats(self) -> int:
        """How many times each strategy ran."""
        return 1 + max((run.repeat for run in self.runs), default=-1)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of all calls of all runs."""
        return tuple(record for run in self.runs for record in run.records)

    @property
    def measuring(self) -> str:
        """What measuring cost the runs, as a sentence; empty if no calls were recorded."""
        shares = [run.overhead.share for run in self.runs if run.overhead.share is not None]
        if not shares:
            return ""
        n = len(self.records)
        calls = "1 call" if n == 1 else f"{n:,} calls"
        return f"Measuring {calls} took at most {100 * max(shares):.2g} % of a run's wall time."

    @property
    def estimating(self) -> str:
        """How energy was found, how sure it is and from which coefficients, as a sentence; empty if there is none."""
        energies = [run.energy for run in self.runs if run.energy]
        if not energies:
            return ""
        ways = " and ".join(sorted({", ".join(dict.fromkeys((e.method, e.profile))) for e in energies}))
        band = f"+-{max(e.uncertainty_rel for e in energies):.0%}"
        if all(e.method == "rapl" for e in energies):
            said = f"Energy was read from the machine's counters ({ways}, {band}) and shared out by CPU time"
        else:
            said = f"Energy is an estimate ({ways}, {band}), not a measurement"
        sources = {e.source for e in energies}  # what counters read differs from run to run
        return f"{said}: {sources.pop()}." if len(sources) == 1 else f"{said}."

    def table(self, rows: str = "strategies") -> pd.DataFrame:
        """The comparison as a frame.

        Args:
            rows: "strategies" (one row each), "services", "runs" (one row each) or "calls" (one row a record).
        """
        if rows == "calls":
            from flowlab.metrics.tables import frame

            return frame(self.records)
        tables = {"strategies": self.strategy_rows, "services": self.service_rows, "runs": self.run_rows}
        if rows not in tables:
            raise SettingError(f"no table of {rows!r}: rows is one of strategies, services, runs, calls")
        pandas = require("pandas", extra="demo", why="to show a table")
        frame_: pd.DataFrame = pandas.DataFrame(tables[rows]())
        return frame_

    def strategy_rows(self) -> list[dict[str, object]]:
        """One dict a strategy: medians, with the spread of the wall time."""
        serial = self.spread("serial", "wall_s") if "serial" in self.strategies else None
        return [_strategy_row(self, strategy, serial) for strategy in self.strategies]

    def service_rows(self) -> list[dict[str, object]]:
        """One dict a service: medians over all runs of what it used during one."""
        names = dict.fromkeys(use.service for use in self.services)
        return [_service_row(name, [use for use in self.services if use.service == name]) for name in names]

    def run_rows(self) -> list[dict[str, object]]:
        """One dict a run, in the order they ran."""
        return [_run_row(run) for run in self.runs]

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {len(self.strategies)} strategies, n = {self.n_repeats} each, {self.machine.sentence()}"
        ]
        lines += [f"  {row['strategy']:<10} {told(row)}" for row in self.strategy_rows()]
        notes = [self.sentence, *self.disagreements, self.estimating, self.measuring]
        lines += [*notes, self.verdict.text if self.verdict else ""]
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        rows = "".join(html_row(str(row["strategy"]), row) for row in self.strategy_rows())
        rows += "".join(html_row(f"({row['service']})", row) for row in self.service_rows())
        head = "".join(f"<th scope='col'>{title}</th>" for title in ("strategy", *COLUMNS))
        verdict = self.verdict.text if self.verdict else ""
        notes = [self.sentence, *self.disagreements, self.answer or "", verdict, self.estimating, self.measuring]
        prose = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
        caption = (
            f"{self.name}: medians of n = {self.n_repeats} runs each (smallest to largest); {self.machine.sentence()}"
        )
        table = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        return f"<table><caption>{escape(caption)}</caption>{table}</table>{prose}"


def _figure(run: StrategyRun, figure: str) -> float | None:
    if figure == "energy_j":
        return run.energy.total_j if run.energy else None
    value: float | None = getattr(run, figure)
    return value


def _median(comparison: Comparison, strategy: str, figure: str) -> float | None:
    spread = comparison.spread(strategy, figure)
    return spread.median if spread else None


def _strategy_row(comparison: Comparison, strategy: str, serial: Spread | None) -> dict[str, object]:
    runs = comparison.runs_of(strategy)
    wall = comparison.spread(strategy, "wall_s")
    energies = [run.energy for run in runs if run.energy]
    peak = _median(comparison, strategy, "peak_bytes")
    moved = _median(comparison, strategy, "bytes_moved")
    return {
        "strategy": strategy,
        "n": wall.n if wall else 0,
        "wall_s": wall.median if wall else None,
        "wall_low_s": wall.low if wall else None,
        "wall_high_s": wall.high if wall else None,
        "speedup": serial.median / wall.median if serial and wall and wall.median else None,
        "cpu_s": _median(comparison, strategy, "cpu_s"),
        "start_s": _median(comparison, strategy, "start_s"),
        "peak_bytes": None if peak is None else int(peak),
        "memory_method": next((run.memory_method for run in runs if run.memory_method), None),
        "bytes_moved": None if moved is None else int(moved),
        "energy_j": median(energy.total_j for energy in energies) if energies else None,
        "energy_low_j": median(energy.low_j for energy in energies) if energies else None,
        "energy_high_j": median(energy.high_j for energy in energies) if energies else None,
        "energy_method": energies[0].method if energies else None,
        "failures": max((len(run.failures) for run in runs), default=0),
        "errors": sum(run.error is not None for run in runs),
    }


def _service_row(name: str, uses: list[ServiceUse]) -> dict[str, object]:
    cpu = Spread.of([use.cpu_s for use in uses])
    peak = Spread.of([use.peak_bytes for use in uses])
    energies = [use.energy for use in uses if use.energy]
    return {
        "service": name,
        "n": len(uses),
        "cpu_s": cpu.median if cpu else None,
        "cpu_low_s": cpu.low if cpu else None,
        "cpu_high_s": cpu.high if cpu else None,
        "peak_bytes": int(peak.high) if peak else None,
        "memory_method": next((use.memory_method for use in uses if use.memory_method), None),
        "energy_j": median(energy.total_j for energy in energies) if energies else None,
        "energy_low_j": median(energy.low_j for energy in energies) if energies else None,
        "energy_high_j": median(energy.high_j for energy in energies) if energies else None,
        "energy_method": energies[0].method if energies else None,
    }


def _run_row(run: StrategyRun) -> dict[str, object]:
    energy = run.energy
    return {
        "strategy": run.strategy,
        "repeat": run.repeat,
        "order": run.order,
        "wall_s": run.wall_s,
        "cpu_s": run.cpu_s,
        "start_s": run.start_s,
        "peak_bytes": run.peak_bytes,
        "memory_method": run.memory_method,
        "bytes_moved": run.bytes_moved,
        "energy_j": energy.total_j if energy else None,
        "energy_low_j": energy.low_j if energy else None,
        "energy_high_j": energy.high_j if energy else None,
        "energy_method": energy.method if energy else None,
        "failures": len(run.failures),
        "error": run.error,
    }
