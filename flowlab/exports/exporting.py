"""Exporting: a run, recorder or stored run as one file, its form chosen by the file's ending."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from flowlab.errors import SettingError, require
from flowlab.exports.trace import trace_json
from flowlab.files import write_whole
from flowlab.metrics.record import as_dict, plain
from flowlab.metrics.tables import table


def export(source: Any, path: str | PathLike[str], rows: str = "calls") -> Path:
    """Write what a run's calls cost to a file, and return its path.

    Args:
        source: A run, recorder, stored run or comparison: anything with `records`.
        path: Its ending says in which form: .csv and .parquet, a table; .jsonl, a line of JSON a record; .json, a
            trace for Perfetto (https://ui.perfetto.dev) and chrome://tracing.
        rows: What a table has a row of: "calls", "steps" or "samples", as in `run.table(rows)`.

    Raises:
        SettingError: The ending is none of these, there is no such table, or the file cannot be written.
        MissingPackageError: Parquet needs pyarrow, tables need pandas.
    """
    path = Path(path)
    write = FORMS.get(path.suffix.lower())
    if write is None:
        raise SettingError(
            f"runs are exported as {', '.join(FORMS)}, and {path.name!r} ends in none of them: choose one"
        )
    if rows != "calls" and write not in (_csv, _parquet):
        raise SettingError(f"{path.name!r} has a line a call: for {rows} give a name that ends in .csv or .parquet")
    try:
        write(source, path, rows)
    except OSError as error:
        raise SettingError(f"cannot write {path} ({error.strerror}): give another path") from error
    return path


def _csv(source: Any, path: Path, rows: str) -> None:
    write_whole(path, table(source, rows).to_csv(index=False, lineterminator="\n"))


def _lines(source: Any, path: Path, _: str) -> None:
    lines = (json.dumps(as_dict(record), default=plain) + "\n" for record in source.records)
    write_whole(path, "".join(lines))


def _trace(source: Any, path: Path, _: str) -> None:
    write_whole(path, trace_json(source))


def _parquet(source: Any, path: Path, rows: str) -> None:
    require("pyarrow", extra="parquet", why="to write Parquet")
    found = table(source, rows)
    for name in found.columns:
        if name.startswith("custom.") and found[name].dtype == object:
            found[name] = _one_type(found[name])
    held = io.BytesIO()
    found.to_parquet(held, engine="pyarrow", index=False)
    write_whole(path, held.getvalue())


def _one_type(column: Any) -> Any:
    """Return what calls reported under one name as one type: as it is if it has one, else as text."""
    kinds = {type(value) for value in column.dropna()}
    return column if len(kinds) == 1 and kinds <= {str, int, float, bool} else column.map(str, na_action="ignore")


FORMS: dict[str, Callable[[Any, Path, str], None]] = {
    ".csv": _csv, ".parquet": _parquet, ".jsonl": _lines, ".json": _trace,
}  # fmt: skip
"""What writes a file of each ending."""
