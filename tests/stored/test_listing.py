"""Reading the store, and removing old runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import flowlab as fl
from flowlab.errors import SettingError
from flowlab.stored import prune


@pytest.fixture
def ids(flow: fl.DataFlow, path: Path) -> tuple[str, ...]:
    """Three runs."""
    with fl.store(path) as opened:
        for count in (1, 2, 3):
            flow.run({"count": count})
        return opened.ids


def test_runs_are_a_tuple_oldest_first_that_shows_itself_as_a_table(ids: tuple[str, ...], path: Path) -> None:
    found = fl.runs(path)
    assert isinstance(found, tuple) and tuple(run.id for run in found) == ids
    lines = repr(found).splitlines()
    assert lines[0].split() == ["run", "began", "kind", "name", "status", "took", "calls"]
    assert [line.split()[0] for line in lines[1:]] == list(ids)
    html = found._repr_html_()
    assert html.count("<tr>") == 4 and all(run in html for run in ids)
    assert list(found.table()["calls"]) == [4, 6, 8]


def test_listing_and_loading_need_no_pandas(ids: tuple[str, ...], path: Path) -> None:
    code = (
        "import sys, flowlab as fl\n"
        "print(fl.runs(sys.argv[1])); fl.runs(sys.argv[1])._repr_html_(); print(fl.load('last', sys.argv[1]).records)\n"
        "sys.exit('pandas' in sys.modules or 'matplotlib' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("how", ["id", "beginning", "last", "summary"])
def test_a_run_is_found_by_its_id_the_beginning_of_it_last_and_its_line(
    how: str, ids: tuple[str, ...], path: Path
) -> None:
    run = {"id": ids[2], "beginning": ids[2][:7], "last": "last", "summary": fl.runs(path)[2]}[how]
    assert fl.load(run, path).id == ids[2]


def test_an_unknown_run_names_the_nearest_and_an_unclear_one_all(ids: tuple[str, ...], path: Path) -> None:
    near = ids[1][:-1] + ("0" if ids[1][-1] != "0" else "1")
    with pytest.raises(SettingError, match=f"did you mean '{ids[1]}'"):
        fl.load(near, path)
    with pytest.raises(SettingError, match="flowlab runs"):
        fl.load("zzz", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE stored SET id = 'aaaa' || number")
        connection.commit()
    with pytest.raises(SettingError, match="aaaa1, aaaa2, aaaa3"):
        fl.load("aaaa", path)


def test_reading_makes_no_file(path: Path) -> None:
    assert fl.runs(path) == () and repr(fl.runs(path)) == "no runs"
    with pytest.raises(SettingError, match="nothing has been kept"):
        fl.load("last", path)
    assert prune(keep=0, path=path) == ()
    assert list(path.parent.iterdir()) == []


def test_pruning_keeps_the_newest_and_says_what_it_removed(ids: tuple[str, ...], path: Path) -> None:
    assert [run.id for run in prune(keep=1, path=path)] == list(ids[:2])
    assert [run.id for run in fl.runs(path)] == [ids[2]]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (8,)
        assert connection.execute("SELECT count(*) FROM machine").fetchone() == (1,)


def test_pruning_by_age_removes_what_began_longer_ago(ids: tuple[str, ...], path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE stored SET epoch_ns = epoch_ns - 3 * 86400000000000 WHERE id = ?", (ids[0],))
        connection.commit()
    assert [run.id for run in prune(older_than_days=2, path=path)] == [ids[0]]


def test_a_run_that_goes_on_is_not_removed(path: Path) -> None:
    removed: list[int] = []

    @fl.operation(outputs="c")
    def remove(b: int) -> int:
        removed.append(len(prune(keep=0, path=path)))
        return b

    with fl.store(path) as opened:
        fl.DataFlow(fl.operation(outputs="b", name="first")(lambda a: a), remove).run({"a": 1})
        assert removed == [0] and len(opened.ids) == 1
    assert fl.load("last", path).calls == 2


@pytest.mark.parametrize(
    ("keep", "days"), [(None, None), (1, 1.0), (-1, None), (None, -1.0)], ids=["neither", "both", "-1", "-1 days"]
)
def test_pruning_needs_to_know_what(keep: int | None, days: float | None, path: Path) -> None:
    with pytest.raises(SettingError):
        prune(keep, days, path)


def test_a_shrunk_store_gives_its_room_back(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        flow.run({"count": 3000})
    before = path.stat().st_size
    prune(keep=0, path=path)
    assert path.stat().st_size < before / 4
