"""The store's file: what it is made of, and opening it.

Here are the tables, the marks by which a file is known for ours, and making and opening it. Not here: what is written
to it (`keeper`) and read from it (`listing`). Invariant: a file is there whole or not at all - it is made under another
name first -, and one that is not ours, or of a version we do not know, is not even opened by SQLite.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from flowlab.errors import StoreError
from flowlab.metrics.record import COLUMNS, Record

if TYPE_CHECKING:
    from sqlite3 import Connection

VERSION = 1
APPLICATION = 0x464C4F57
"""The file's application_id: "FLOW" in ASCII."""
BUSY_S = 10.0

_TYPES = {"int": "INTEGER", "int | None": "INTEGER", "float | None": "REAL"}
_COLUMNS = {entry.name: _TYPES.get(str(entry.type), "TEXT") for entry in fields(Record)}
SCHEMA = f"""
CREATE TABLE machine (number INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
CREATE TABLE stored (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    parent INTEGER REFERENCES stored (number) ON DELETE CASCADE,
    kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, host TEXT, pid INTEGER,
    epoch_ns INTEGER NOT NULL, began_ns INTEGER NOT NULL, ended_ns INTEGER,
    machine INTEGER REFERENCES machine (number), facts TEXT NOT NULL, figures TEXT NOT NULL
);
CREATE TABLE record (
    stored INTEGER NOT NULL REFERENCES stored (number) ON DELETE CASCADE, pending INTEGER,
    {", ".join(f"{name} {_COLUMNS[name]}" for name in (*COLUMNS, "custom"))}, more TEXT
);
CREATE INDEX record_of ON record (stored);
CREATE TABLE sample (
    stored INTEGER NOT NULL REFERENCES stored (number) ON DELETE CASCADE,
    time_ns INTEGER NOT NULL, memory_bytes INTEGER, cpu_s REAL, processes INTEGER
);
CREATE INDEX sample_of ON sample (stored);
"""
"""Version 1. `record` has a column a field of one value; other fields, and those of a later Record, go into `more`."""


def check(path: Path) -> bool:
    """Say whether there is a store at a path; nothing is written, locked or made.

    SQLite reads the marks, not we: closing a file of our own would drop the locks its connections hold (POSIX).

    Raises:
        StoreError: There is a file, and it is not a store, or one of a version this flowlab does not know.
    """
    import sqlite3

    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path.absolute().as_uri() + "?immutable=1", uri=True)) as connection:
            # Else a file that is shorter than it says, as while its log is being taken over, would not be read.
            connection.execute("PRAGMA writable_schema=ON")
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreError(f"the store {path} cannot be read ({error}): {_ELSEWHERE}") from error
    except sqlite3.DatabaseError:
        application = version = 0
    if application != APPLICATION:
        raise StoreError(f"{path} is not a store of flowlab, and was left as it is: {_ELSEWHERE}")
    if version != VERSION:
        raise StoreError(
            f"the store {path} is of format version {version}, and this flowlab knows version {VERSION}: it was left "
            f"as it is. Use the flowlab that wrote it, or {_ELSEWHERE}"
        )
    return True


_ELSEWHERE = "name another place with FLOWLAB_HOME=FOLDER, or fl.store(path)"


def connect(path: Path) -> Connection:
    """Return a connection to a store for reading and writing; one that is not there is made.

    Raises:
        StoreError: There is another file at that path.
        OSError, sqlite3.Error: It cannot be made or opened.
    """
    if not check(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
    return _opened(str(path))


def connect_to_read(path: Path) -> Connection:
    """Return a connection that cannot write, to a store that is there.

    Raises:
        StoreError: It is not a store, or cannot be read.
    """
    import sqlite3

    problem: Exception | None = None
    for options in ("", "?mode=ro", "?immutable=1"):  # the latter two for a folder we may not write in
        try:
            connection = _opened(path.absolute().as_uri() + options)
            connection.execute("SELECT count(*) FROM stored")
            connection.execute("PRAGMA query_only=1")
            return connection
        except sqlite3.Error as error:
            problem = error
    raise StoreError(f"the store {path} cannot be read ({problem}): {_ELSEWHERE}") from problem


def _opened(address: str) -> Connection:
    import sqlite3

    connection = sqlite3.connect(
        address, timeout=BUSY_S, uri=address.startswith("file:"), isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _make(path: Path) -> None:
    """Make an empty store; if another process was quicker, its is the one."""
    import sqlite3

    new = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("PRAGMA journal_mode=WAL")
        _put(new, path)
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                Path(f"{new}{ending}").unlink()


def _put(new: Path, path: Path) -> None:
    """Give a file its name, unless there is one of that name already."""
    try:
        os.link(new, path)
    except FileExistsError:
        check(path)
    except OSError:  # a file system without links
        if not check(path):
            new.rename(path)
