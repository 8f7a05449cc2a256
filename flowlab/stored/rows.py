"""Rows: records and samples as they lie in the store's tables. Invariant: what goes in comes out equal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from flowlab.metrics.record import NAMES, NOTHING, Record, from_dict, plain
from flowlab.metrics.sampler import Samples

if TYPE_CHECKING:
    from sqlite3 import Connection

SERIES = tuple(entry.name for entry in fields(Samples) if entry.name not in ("name", "method"))


class Rows:
    """The tables of records and samples of one open store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        there = [row[1] for row in connection.execute("PRAGMA table_info(record)")]
        self._columns = tuple(name for name in NAMES if name in there and name != "custom")
        self._values = attrgetter(*self._columns)
        self._more = tuple(name for name in NAMES if name not in there)
        names = ", ".join(("stored", "pending", *self._columns, "custom", "more"))
        marks = ", ".join("?" * (len(self._columns) + 4))
        self._insert = f"INSERT INTO record ({names}) VALUES ({marks})"
        self._select = f"SELECT {', '.join((*self._columns, 'custom', 'more'))} FROM record WHERE stored IN"

    def add(self, stored: int, records: Iterable[Record], pending: int | None) -> None:
        """Append records to a run."""
        self._connection.executemany(self._insert, (self._row(stored, record, pending) for record in records))

    def withdraw(self, stored: int, pending: int) -> None:
        """Remove the records that were pending under a number."""
        self._connection.execute("DELETE FROM record WHERE stored = ? AND pending = ?", (stored, pending))

    def clear(self, stored: int) -> None:
        """Remove all records and samples of a run."""
        self._connection.execute("DELETE FROM record WHERE stored = ?", (stored,))
        self._connection.execute("DELETE FROM sample WHERE stored = ?", (stored,))

    def add_samples(self, stored: int, samples: Samples) -> None:
        """Append samples to a run."""
        columns = (samples.times_ns, samples.memory_bytes, samples.cpu_s, samples.processes)
        rows = ((stored, *row) for row in zip(*columns, strict=True))
        self._connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", rows)

    def records(self, stored: Sequence[int]) -> tuple[Record, ...]:
        """Return the records of runs, run by run, each in the order they were written."""
        marks = ", ".join("?" * len(stored))
        found = self._connection.execute(f"{self._select} ({marks}) ORDER BY stored, rowid", tuple(stored))
        return tuple(self._record(row) for row in found)

    def samples(self, stored: int, name: str, method: str) -> Samples | None:
        """Return the samples of a run, None if it has none."""
        query = "SELECT time_ns, memory_bytes, cpu_s, processes FROM sample WHERE stored = ? ORDER BY time_ns, rowid"
        found = self._connection.execute(query, (stored,)).fetchall()
        return Samples(name, method, *zip(*found, strict=True)) if found else None

    def _row(self, stored: int, record: Record, pending: int | None) -> tuple[Any, ...]:
        custom = json.dumps(dict(record.custom), default=plain) if record.custom else None
        later = {name: value for name in self._more if (value := getattr(record, name)) is not None}
        more = json.dumps(later, default=plain) if later else None
        return stored, pending, *self._values(record), custom, more

    def _record(self, row: Sequence[Any]) -> Record:
        values = dict(zip(self._columns, row, strict=False))
        values["custom"] = json.loads(row[-2]) if row[-2] else NOTHING
        if row[-1]:
            values |= json.loads(row[-1])
            return from_dict(values)
        return Record(**values)
