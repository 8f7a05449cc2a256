"""The tables: records as pandas frames.

Here is the one shape every table of calls has. Not here: what is kept (`record`) and what is drawn (plots).
Invariant: one row a record, every column of `Record`, and what was not measured is a missing value, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from flowlab.errors import require
from flowlab.metrics.record import NAMES, Record

if TYPE_CHECKING:
    import pandas

COLUMNS = tuple(name for name in NAMES if name != "custom")
INTEGERS = tuple(entry.name for entry in fields(Record) if entry.type in ("int", "int | None"))
REALS = tuple(entry.name for entry in fields(Record) if entry.type in ("float", "float | None"))


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
