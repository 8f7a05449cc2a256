"""The tables: records and samples as pandas frames.

Here is the one shape every table of calls has, and the long tables of their steps and of samples. Not here: what is
kept (`record`) and what is drawn (plots). Invariant: one row a record, every column of `Record`, and what was not
measured is a missing value, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from flowlab.errors import SettingError, require
from flowlab.metrics.record import COLUMNS, Record

if TYPE_CHECKING:
    import pandas

    from flowlab.metrics.sampler import Samples

INTEGERS = tuple(entry.name for entry in fields(Record) if entry.type in ("int", "int | None"))
REALS = tuple(entry.name for entry in fields(Record) if entry.type in ("float", "float | None"))
PHASES = ("queue_ns", "transfer_ns", "deserialise_ns", "run_ns", "serialise_ns", "return_ns")
"""The phases of a call, in their order."""


def table(source: Any, rows: str = "calls") -> pandas.DataFrame:
    """Return a frame of a run, recorder or stored run.

    Args:
        source: Anything with `records`, and `samples` if it was sampled.
        rows: "calls" (one row a record), "steps" (one row a step of a call) or "samples" (one row a sample).

    Raises:
        SettingError: There is no such table, or it was not sampled.
    """
    if rows == "calls":
        return frame(source.records)
    if rows == "steps":
        return steps_frame(source.records)
    if rows != "samples":
        raise SettingError(f"no table of {rows!r}: rows is one of calls, steps, samples")
    samples = getattr(source, "samples", None)
    if samples is None:
        raise SettingError("there are no samples: only the runs of a comparison are watched from outside")
    return samples_frame(samples)


def steps_frame(records: Iterable[Record]) -> pandas.DataFrame:
    """Return a frame with one row a step of a call that was measured.

    `run` and `id` tell whose step it is. `step` is a phase of the call (queue, transfer, deserialise, run, serialise,
    return), and "step" each time that a coroutine or generator had the thread, at level "full"; `position` is its
    place among them, and `started_ns` and `ended_ns` are there where they were read.
    """
    library: Any = require("pandas", extra="demo", why="to show a table")
    columns = ("run", "context", "id", "attempt", "operation", "position", "step", "time_ns", "started_ns", "ended_ns")
    rows = [
        (row.run, row.context, row.id, row.attempt, row.operation, *step) for row in records for step in _steps(row)
    ]
    found = library.DataFrame(rows, columns=list(columns))
    whole = dict.fromkeys(("context", "id", "attempt", "position", "time_ns", "started_ns", "ended_ns"), "Int64")
    return cast("pandas.DataFrame", found.astype(whole))


def _steps(row: Record) -> Iterator[tuple[Any, ...]]:
    """Yield the phases of a call, then its steps: position, name, time, and from when to when."""
    for position, name in enumerate(PHASES):
        time_ns = getattr(row, name)
        if time_ns is not None:
            when = (row.started_ns, row.ended_ns) if name == "run_ns" else (None, None)
            yield position, name.removesuffix("_ns"), time_ns, *when
    stamps = row.steps_at_ns or ()
    for position, (started, ended) in enumerate(zip(stamps[::2], stamps[1::2], strict=True)):
        yield position, "step", ended - started, started, ended


def samples_frame(samples: Samples) -> pandas.DataFrame:
    """Return a frame with one row a sample of a process tree."""
    library: Any = require("pandas", extra="demo", why="to show a table")
    return cast("pandas.DataFrame", library.DataFrame({
        "time_ns": samples.times_ns, "memory_bytes": samples.memory_bytes, "memory_method": samples.method,
        "cpu_s": samples.cpu_s, "processes": samples.processes,
    }))  # fmt: skip


def frame(records: Iterable[Record]) -> pandas.DataFrame:
    """Return a frame with one row a record; what a call reported itself is in columns named `custom.NAME`.

    Whole numbers stay whole numbers where some are missing (dtype Int64). `wall_ns` is there too.
    """
    library: Any = require("pandas", extra="demo", why="to show a table")
    rows = tuple(records)
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    table = library.DataFrame(columns, columns=list(COLUMNS))
    table.insert(COLUMNS.index("ended_ns") + 1, "wall_ns", [row.wall_ns for row in rows])
    table = table.astype(dict.fromkeys((*INTEGERS, "wall_ns"), "Int64") | dict.fromkeys(REALS, "float64"))
    reported = dict.fromkeys(name for row in rows for name in row.custom)
    for name in reported:
        table[f"custom.{name}"] = [row.custom.get(name) for row in rows]
    return cast("pandas.DataFrame", table)
