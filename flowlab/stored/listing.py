"""Reading the store: which runs it has, one of them with all it knows, and removing old ones.

Invariant: reading changes nothing, and makes no file; a run that is going on is never removed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlab.errors import SettingError, require
from flowlab.graph.names import nearest
from flowlab.metrics import active
from flowlab.stored.facts import machine_of
from flowlab.stored.file import check, connect, connect_to_read
from flowlab.stored.folder import store_file
from flowlab.stored.keeper import host_name
from flowlab.stored.rows import Rows
from flowlab.stored.run import COLUMNS, RunSummary, StoredRun

if TYPE_CHECKING:
    from sqlite3 import Connection

    from pandas import DataFrame

LAST = "last"
_SUMMARY = """
SELECT number, id, kind, name, status, host, pid, epoch_ns, began_ns, ended_ns,
    (SELECT count(*) FROM record WHERE record.stored = stored.number OR record.stored IN
        (SELECT inner.number FROM stored AS inner WHERE inner.parent = stored.number)) AS calls
FROM stored
"""


class StoredRuns(tuple[RunSummary, ...]):
    """The runs of a store, oldest first: a tuple that shows itself as a table."""

    __slots__ = ()

    def table(self) -> DataFrame:
        """Return a pandas frame with one row a run."""
        pandas = require("pandas", extra="demo", why="to show a table")
        names = ("id", "kind", "name", "status", "began_s", "took_s", "calls")
        frame: DataFrame = pandas.DataFrame([[getattr(run, name) for name in names] for run in self], columns=names)
        return frame

    def __repr__(self) -> str:
        if not self:
            return "no runs"
        rows = [COLUMNS, *(run.cells for run in self)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
        right = (len(COLUMNS) - 2, len(COLUMNS) - 1)
        lines = (
            "  ".join(cell.rjust(widths[at]) if at in right else cell.ljust(widths[at]) for at, cell in enumerate(row))
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col'>{title}</th>" for title in COLUMNS)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in run.cells)}</tr>" for run in self
        )  # fmt: skip
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def runs(path: str | PathLike[str] | None = None) -> StoredRuns:
    """Return the runs of a store, oldest first; the runs of a comparison are in it (`fl.load(id).runs`).

    Args:
        path: The file; None for the store that is open, else this user's own. None is made.

    Raises:
        StoreError: The file is not a store, or cannot be read.
    """
    with _reading(path) as connection:
        if connection is None:
            return StoredRuns()
        found = connection.execute(f"{_SUMMARY} WHERE parent IS NULL ORDER BY number")
        return StoredRuns(RunSummary(**_summary(row)) for row in found)


def load(run: str | RunSummary, path: str | PathLike[str] | None = None) -> StoredRun:
    """Return a run with its records, samples and facts.

    Args:
        run: Its id, the beginning of its id, "last", or an entry of `fl.runs()`.
        path: As in `runs`.

    Raises:
        SettingError: There is no such run, or several; the message names the nearest.
        StoreError: The file is not a store, or cannot be read.
    """
    wanted = run.id if isinstance(run, RunSummary) else str(run)
    with _reading(path) as connection:
        if connection is None:
            raise SettingError(f"no run {wanted!r}: nothing has been kept yet in {_place(path)}")
        return _load(connection, _number(connection, wanted, _place(path)))


def prune(
    keep: int | None = None, older_than_days: float | None = None, path: str | PathLike[str] | None = None
) -> StoredRuns:
    """Remove old runs from a store, and return what was removed; runs that are going on stay.

    Args:
        keep: How many of the newest runs stay.
        older_than_days: Remove those that began longer ago than this.
        path: As in `runs`.

    Raises:
        SettingError: Neither or both are given, or a number is negative.
        StoreError: The file is not a store, or cannot be read.
    """
    if (keep is None) == (older_than_days is None):
        raise SettingError("say which runs to remove: keep=N keeps the newest N, older_than_days=D removes older ones")
    if min(keep or 0, older_than_days or 0) < 0:
        raise SettingError("a negative number of runs or days cannot be kept: give 0 or more")
    there = runs(path)
    before_s = time.time() - (older_than_days or 0) * 86_400
    old = there[: max(0, len(there) - keep)] if keep is not None else [run for run in there if run.began_s < before_s]
    found = StoredRuns(run for run in old if run.status != "running")
    if found:
        _remove(_place(path), [run.id for run in found])
    return found


def _remove(path: Path, ids: Iterable[str]) -> None:
    import sqlite3

    with closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM stored WHERE id = ?", [(each,) for each in ids])
        connection.execute("DELETE FROM machine WHERE number NOT IN (SELECT machine FROM stored)")
        connection.execute("COMMIT")
        with suppress(sqlite3.OperationalError):  # somebody else has it open, or there is no room: another time
            connection.execute("VACUUM")


def _place(path: str | PathLike[str] | None) -> Path:
    if path is not None:
        return Path(path).expanduser().absolute()
    keeper = active.keeper()
    return getattr(keeper, "path", None) or store_file()


@contextmanager
def _reading(path: str | PathLike[str] | None) -> Iterator[Connection | None]:
    """A connection that cannot write, with all that this process measured so far in the file; None for no file."""
    place, keeper = _place(path), active.keeper()
    if keeper is not None and getattr(keeper, "path", None) == place:
        keeper.flush()
    if not check(place):
        yield None
        return
    with closing(connect_to_read(place)) as connection:
        connection.execute("BEGIN")  # one moment's view, whoever writes meanwhile
        yield connection


def _number(connection: Connection, wanted: str, path: Path) -> int:
    """Return the number of the run that is meant."""
    if wanted == LAST:
        row = connection.execute("SELECT max(number) FROM stored WHERE parent IS NULL").fetchone()
        if row[0] is None:
            raise SettingError(f"no run {wanted!r}: nothing has been kept yet in {path}")
        return int(row[0])
    ids = dict(connection.execute("SELECT id, number FROM stored ORDER BY number").fetchall())
    if wanted in ids:
        return int(ids[wanted])
    beginning = [each for each in ids if wanted and each.startswith(wanted)]
    if len(beginning) == 1:
        return int(ids[beginning[0]])
    if beginning:
        raise SettingError(f"run {wanted!r} may be any of {', '.join(beginning[:5])}: give more of its id")
    near = nearest(wanted, (*ids, LAST)) or "."
    raise SettingError(f"no run {wanted!r} in {path}{near} `flowlab runs` lists them, and {LAST!r} is the newest")


def _summary(row: tuple[Any, ...]) -> dict[str, Any]:
    _, id, kind, name, status, host, pid, epoch_ns, began_ns, ended_ns, calls = row
    if status == "running" and host == host_name() and not _alive(pid):
        status = "lost"
    took_s = None if ended_ns is None else (ended_ns - began_ns) / 1e9
    return {
        "id": id, "kind": kind, "name": name, "status": status, "began_s": (epoch_ns + began_ns) / 1e9,
        "took_s": took_s, "calls": calls,
    }  # fmt: skip


def _alive(pid: int) -> bool:
    import psutil

    return pid == os.getpid() or bool(psutil.pid_exists(pid))


def _load(connection: Connection, number: int) -> StoredRun:
    row = connection.execute(f"{_SUMMARY} WHERE number = ?", (number,)).fetchone()
    query = "SELECT parent, machine, facts, figures FROM stored WHERE number = ?"
    parent, machine, facts, figures = connection.execute(query, (number,)).fetchone()
    (described,) = connection.execute("SELECT facts FROM machine WHERE number = ?", (machine,)).fetchone()
    known, found = json.loads(facts), json.loads(figures)
    inner = connection.execute("SELECT number FROM stored WHERE parent = ? ORDER BY number", (number,)).fetchall()
    below = tuple(_load(connection, each) for (each,) in inner)
    rows = Rows(connection)
    of = connection.execute("SELECT id FROM stored WHERE number = ?", (parent,)).fetchone()
    return StoredRun(
        **_summary(row),
        records=rows.records([number]) + tuple(record for run in below for record in run.records),
        samples=rows.samples(number, found.get("sampled_as", row[2]), found.get("memory_method") or "pss"),
        machine=machine_of(described, known.get("start", {})),
        start=known.get("start", {}), end=known.get("end", {}), process=known.get("process", {}),
        epoch_ns=row[7], began_ns=row[8], ended_ns=row[9], figures=found, runs=below, parent=of[0] if of else None,
    )  # fmt: skip
