"""A run read back: the nouns alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from flowlab.machine import Machine
from flowlab.metrics.overhead import Overhead, overhead
from flowlab.metrics.record import Record, running_at_peak
from flowlab.metrics.sampler import Samples

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One stored run in a line.

    Attributes:
        id: What `fl.load` and `flowlab show` take.
        kind: "flow", "recorder", "comparison" or "strategy" (one run of a comparison).
        name: Of the flow, job or strategy.
        status: "ended", "failed", "running", "interrupted", or "lost" if its process is gone without a word.
        began_s: When, in seconds since 1970.
        took_s: From start to end; None if it did not end.
        calls: How many records it has, those of a comparison's runs included.
    """

    id: str
    kind: str
    name: str
    status: str
    began_s: float
    took_s: float | None
    calls: int

    @property
    def began(self) -> str:
        """When it began, in local time."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.began_s))

    @property
    def cells(self) -> tuple[str, ...]:
        """The run as the texts a person reads; `COLUMNS` are their titles."""
        took = "" if self.took_s is None else f"{self.took_s:.3g} s"
        return self.id, self.began, self.kind, self.name, self.status, took, f"{self.calls:,}"


COLUMNS = ("run", "began", "kind", "name", "status", "took", "calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(RunSummary):
    """A run from the store, with all that is known of it.

    Attributes:
        records: One record an attempt, in the order they were written; a comparison's are those of all its runs.
        samples: Memory and CPU of its process tree over time; None if it was not sampled.
        machine: Where it ran, as it was at the start.
        start, end: How busy the machine was: load, pressure, steal, free memory.
        process: flowlab's version, how processes were started, how many threads BLAS may use.
        epoch_ns: What to add to the records' stamps for nanoseconds since 1970.
        began_ns, ended_ns: Monotonic stamps, on the clock of the records.
        figures: What else was found, by name: a strategy's wall and CPU seconds, a comparison's sentence.
        runs: The runs of a comparison, in the order they ran.
        parent: The id of the comparison it is part of.
    """

    records: tuple[Record, ...] = ()
    samples: Samples | None = None
    machine: Machine
    start: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)
    process: Mapping[str, Any] = field(default_factory=dict)
    epoch_ns: int = 0
    began_ns: int = 0
    ended_ns: int | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[StoredRun, ...] = ()
    parent: str | None = None

    @property
    def at_peak(self) -> tuple[Record, ...]:
        """The calls that ran when memory was highest; none if that is not known or nothing ran then."""
        return running_at_peak(self.records, self.samples)

    @property
    def overhead(self) -> Overhead:
        """What measuring cost this run."""
        return overhead(self.records)

    def table(self, rows: str = "calls") -> DataFrame:
        """Return a pandas frame.

        Args:
            rows: "calls" (one row a record), "steps" (one row a phase or step of a call) or "samples".
        """
        from flowlab.metrics.tables import table

        return table(self, rows)

    def __str__(self) -> str:
        took = "" if self.took_s is None else f", {self.took_s:.3g} s"
        return f"{self.kind} {self.name!r} ({self.id}): {self.status}, began {self.began}{took}, {self.calls:,} calls"

    def __repr__(self) -> str:
        return f"StoredRun({self})"

    def _repr_html_(self) -> str:
        facts = {"run": str(self), "machine": self.machine.sentence(), **self.process}
        rows = "".join(f"<tr><th scope='row'>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
        return f"<table>{rows}</table>"
