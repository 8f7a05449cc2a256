"""What a picture may be drawn from: comparisons, runs of any kind, recorders, stored runs, bare records.

Here is the one place that brings them to two forms, a comparison or one run. Nothing here draws. The invariant: what
a source does not know stays None, so that a picture that needs it says what was not measured.
"""

from __future__ import annotations

from typing import Any

from flowlab.comparison.kept import comparison_of, strategy_run_of
from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.machine import Machine
from flowlab.metrics import Record
from flowlab.plots.wording import provenance
from flowlab.stored.run import StoredRun

Source = Any
"""A comparison, a run of one, a flow's run, a recorder, a stored run, or records."""


def each_of(source: Source) -> tuple[Source, ...]:
    """Return the sources in a sequence of them; what is one source, as records are, alone."""
    several = list(source) if isinstance(source, list | tuple) else []
    return tuple(several) if several and not isinstance(several[0], Record) else (source,)


def opened(source: Source) -> Comparison | StrategyRun:
    """Return a source as a comparison, or as one run."""
    if isinstance(source, Comparison | StrategyRun):
        return source
    if isinstance(source, StoredRun):
        return comparison_of(source) if source.kind == "comparison" else strategy_run_of(source)
    given: Any = source
    records = tuple(getattr(given, "records", given))
    starts = [record.started_ns for record in records if record.started_ns is not None]
    ends = [record.ended_ns for record in records if record.ended_ns is not None]
    start_ns, end_ns = min(starts, default=None), max(ends, default=None)
    name = getattr(source, "strategy", None) or next((each.strategy for each in records if each.strategy), None)
    return StrategyRun(
        strategy=str(name or "run"), repeat=0, order=0, records=records, started_ns=start_ns, ended_ns=end_ns,
        wall_s=None if start_ns is None or end_ns is None else (end_ns - start_ns) / 1e9,
    )  # fmt: skip


def compared(source: Source) -> Comparison:
    """Return a source as a comparison; one run is that of a single strategy."""
    found = opened(source)
    if isinstance(found, Comparison):
        return found
    machine = source.machine if isinstance(source, StoredRun) else Machine.detect()
    return Comparison(found.strategy, (found.strategy,), (found,), machine)


def whence(source: Source) -> str:
    """Return where the figures of a source come from, in a sentence or two."""
    if isinstance(source, StoredRun):
        return provenance(opened(source)) if source.kind == "comparison" else provenance(source)
    return provenance(source)
