"""Tables of calls: one row a record, missing where nothing was measured."""

from __future__ import annotations

import subprocess
import sys

import pandas

from flowlab.metrics import Record, Recorder
from flowlab.metrics.record import NAMES
from flowlab.metrics.tables import frame, steps_frame

RECORDS = (
    Record(operation="parse", id=1, started_ns=2**60, ended_ns=2**60 + 5, cpu_ns=3, custom={"rows": 7}),
    Record(operation="save", id=2, e_dyn_j=0.5),
)


def test_one_row_a_record_with_every_column() -> None:
    table = frame(RECORDS)
    assert len(table) == 2
    assert set(NAMES) - {"custom", "steps_at_ns"} <= set(table.columns)
    assert list(table["operation"]) == ["parse", "save"]


def test_whole_numbers_stay_exact_where_some_are_missing() -> None:
    table = frame(RECORDS)
    assert table["started_ns"][0] == 2**60
    assert table["wall_ns"][0] == 5
    assert table["cpu_ns"][1] is pandas.NA
    assert table["cpu_ns"].sum() == 3


def test_what_a_call_reported_is_a_column_of_its_own() -> None:
    table = frame(RECORDS)
    assert table["custom.rows"][0] == 7
    assert pandas.isna(table["custom.rows"][1])


def test_no_records_make_an_empty_table_with_the_same_columns() -> None:
    table = frame(())
    assert len(table) == 0
    assert list(table.columns) == list(frame([Record(operation="parse")]).columns)


def test_the_table_of_steps_has_the_phases_of_a_call_and_each_time_it_had_the_thread() -> None:
    call = Record(
        operation="fetch", id=3, started_ns=10, ended_ns=90, run_ns=80, queue_ns=4, steps_at_ns=(10, 15, 70, 90)
    )
    table = steps_frame([call, *RECORDS])
    assert list(table["step"]) == ["queue", "run", "step", "step"]
    assert list(table["position"]) == [0, 3, 0, 1]
    assert list(table["time_ns"]) == [4, 80, 5, 20]
    assert list(table["started_ns"].dropna()) == [10, 10, 70]
    assert list(table["ended_ns"].dropna()) == [90, 15, 90]
    assert set(table["id"]) == {3}


def test_a_recorder_shows_its_table() -> None:
    recorder = Recorder()
    with recorder.span("load"):
        pass
    assert list(recorder.table()["operation"]) == ["load"]


def test_importing_metrics_loads_nothing_heavy() -> None:
    heavy = ["pandas", "numpy", "psutil", "asyncio", "multiprocessing", "concurrent.futures", "sqlite3"]
    program = f"import sys, flowlab.metrics\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
