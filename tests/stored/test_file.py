"""Where the store lies, and files that are not ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import flowlab as fl
from flowlab.errors import StoreError
from flowlab.metrics.record import COLUMNS, Record
from flowlab.stored import file, prune
from flowlab.stored.folder import store_file
from flowlab.stored.rows import Rows


@pytest.mark.parametrize(
    ("environ", "platform", "place"),
    [
        pytest.param({"FLOWLAB_HOME": "/x", "HOME": "/h"}, "linux", "/x/runs.db", id="FLOWLAB_HOME"),
        pytest.param({"HOME": "/h"}, "linux", "/h/.local/share/flowlab/runs.db", id="Linux"),
        pytest.param({"HOME": "/h", "XDG_DATA_HOME": "/d"}, "linux", "/d/flowlab/runs.db", id="XDG_DATA_HOME"),
        pytest.param(
            {"HOME": "/h", "XDG_DATA_HOME": "d"}, "linux", "/h/.local/share/flowlab/runs.db", id="a relative one"
        ),
        pytest.param({"HOME": "/h"}, "darwin", "/h/Library/Application Support/flowlab/runs.db", id="macOS"),
        pytest.param({"HOME": "/h", "LOCALAPPDATA": "/l"}, "win32", "/l/flowlab/runs.db", id="Windows"),
        pytest.param({"HOME": "/h"}, "win32", "/h/AppData/Local/flowlab/runs.db", id="Windows, nothing said"),
    ],
)
def test_the_store_is_in_the_users_data_folder_unless_flowlab_home_says_otherwise(
    environ: dict[str, str], platform: str, place: str
) -> None:
    assert store_file(environ, platform) == Path(place)


def make_other_version(path: Path) -> None:
    file.connect(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")


def make_other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
        connection.commit()


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a version we do not know": (make_other_version, "version 99"),
    "another database": (make_other_database, "not a store"),
    "a text": (lambda path: path.write_text("dear diary\n" * 500), "not a store"),
    "an empty file": (lambda path: path.write_bytes(b""), "not a store"),
}
USES: dict[str, Callable[[Path], object]] = {
    "store": fl.store,
    "runs": fl.runs,
    "load": lambda path: fl.load("last", path),
    "prune": lambda path: prune(keep=0, path=path),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(("make", "message"), OTHERS.values(), ids=OTHERS)
def test_a_file_that_is_not_ours_is_refused_and_not_a_byte_of_it_changes(
    path: Path, use: Callable[[Path], object], make: Callable[[Path], object], message: str
) -> None:
    make(path)
    before, there = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(StoreError, match=message) as caught:
        use(path)
    assert str(path) in str(caught.value) and "FLOWLAB_HOME" in str(caught.value)
    assert path.read_bytes() == before and sorted(path.parent.iterdir()) == there


def test_the_file_carries_our_marks_and_is_in_wal_mode(path: Path) -> None:
    with closing(file.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (file.APPLICATION,)
        assert connection.execute("PRAGMA user_version").fetchone() == (file.VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert [entry.name for entry in path.parent.iterdir()] == ["runs.db"]


def test_looking_at_an_open_store_does_not_take_its_locks_away(path: Path) -> None:
    """Closing a file drops all locks a process has on it, POSIX says; SQLite knows, so `check` asks SQLite."""
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "connection.execute('PRAGMA locking_mode=EXCLUSIVE')\n"
        "try:\n    connection.execute('BEGIN EXCLUSIVE'); print('got it')\n"
        "except sqlite3.OperationalError as error:\n    print(error)\n"
    )
    import subprocess
    import sys

    with closing(file.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert file.check(path)
        found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
        connection.execute("ROLLBACK")
    assert "locked" in found.stdout


def test_fields_that_a_file_has_no_column_for_come_back_too(path: Path) -> None:
    whole: dict[str, Any] = dict.fromkeys(("cpu_ns", "steps", "blocked_ns"), 7)
    record = Record(operation="parse", id=1, e_dyn_j=0.25, steps_at_ns=(1, 2, 5, 9), custom={"rows": 3}, **whole)
    with closing(file.connect(path)) as connection:
        connection.execute("ALTER TABLE record DROP COLUMN steps")
        connection.execute("INSERT INTO machine (facts) VALUES ('{}')")
        connection.execute(
            "INSERT INTO stored (id, kind, name, status, epoch_ns, began_ns, machine, facts, figures)"
            " VALUES ('x', 'flow', 'f', 'ended', 0, 0, 1, '{}', '{}')"
        )
        rows = Rows(connection)
        rows.add(1, [record], None)
        assert rows.records([1]) == (record,)


def test_every_field_of_a_record_that_has_one_value_has_a_column(path: Path) -> None:
    with closing(file.connect(path)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(record)")}
    assert {*COLUMNS, "custom"} <= columns
