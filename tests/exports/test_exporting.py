"""Runs as files that other tools read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas
import pytest

import flowlab as fl
from flowlab.errors import MissingPackageError, SettingError
from flowlab.metrics.record import COLUMNS, from_dict


@pytest.fixture
def run() -> Any:
    @fl.operation(outputs="number", expand=True)
    def numbers(count: int) -> range:
        return range(count)

    @fl.operation(outputs="half")
    def halve(number: int) -> float:
        fl.metric(rows=number, name="x" if number else 2)
        return number / 2

    return fl.DataFlow(numbers, halve, name="halves").run({"count": 3})


@pytest.fixture
def carriers(run: Any, tmp_path: Path) -> dict[str, Any]:
    recorder = fl.Recorder()
    with fl.store(tmp_path / "runs.db"):
        recorder = fl.Recorder()
        recorder.extend(run.records)
    return {"run": run, "recorder": recorder, "stored": fl.load("last", tmp_path / "runs.db")}


@pytest.mark.parametrize("carrier", ["run", "recorder", "stored"])
def test_lines_of_json_hold_every_record_whatever_carries_them(
    carrier: str, carriers: dict[str, Any], tmp_path: Path
) -> None:
    path = fl.export(carriers[carrier], tmp_path / "calls.jsonl")
    lines = path.read_text().splitlines()
    assert tuple(from_dict(json.loads(line)) for line in lines) == carriers["run"].records


def test_a_csv_has_a_row_a_call_and_nothing_where_nothing_was_measured(run: Any, tmp_path: Path) -> None:
    with fl.export(run, tmp_path / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["operation"] for row in rows] == [record.operation for record in run.records]
    assert set(COLUMNS) <= set(rows[0]) and rows[0]["transfer_ns"] == ""
    assert int(rows[1]["started_ns"]) == run.records[1].started_ns and rows[1]["custom.rows"] != ""


@pytest.mark.parametrize("carrier", ["run", "recorder", "stored"])
def test_a_csv_may_be_of_the_steps_of_calls(carrier: str, carriers: dict[str, Any], tmp_path: Path) -> None:
    with fl.export(carriers[carrier], tmp_path / "steps.csv", rows="steps").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(carriers[carrier].table("steps")) > 0
    assert {"run", "id", "step", "time_ns"} <= set(rows[0])
    assert not (tmp_path / "samples.csv").exists()
    with pytest.raises(SettingError, match="no samples"):
        fl.export(carriers[carrier], tmp_path / "samples.csv", rows="samples")
    assert not (tmp_path / "samples.csv").exists()


def test_only_tables_have_a_choice_of_rows(run: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="has a line a call"):
        fl.export(run, tmp_path / "calls.jsonl", rows="steps")


def test_parquet_gives_the_table_back(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="it is heavy, and in an extra of its own")
    found = pandas.read_parquet(fl.export(run, tmp_path / "calls.parquet"))
    table = run.table()
    assert list(found.columns) == list(table.columns)
    for name in ("operation", "started_ns", "cpu_ns", "custom.rows"):
        assert (
            found[name].astype(object).where(found[name].notna(), None).tolist()
            == table[name].astype(object).where(table[name].notna(), None).tolist()
        )


def test_without_pyarrow_the_error_names_the_extra(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"flowlab\[parquet\]"):
        fl.export(run, tmp_path / "calls.parquet")
    assert not (tmp_path / "calls.parquet").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("calls.xlsx", "choose one"), ("calls", "choose one"), ("missing/calls.jsonl", "give another path")],
)
def test_a_file_that_cannot_be_written_is_refused_with_the_way_out(
    run: Any, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        fl.export(run, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
