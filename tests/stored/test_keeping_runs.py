"""What is measured while a store is open is in it, as it was."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import flowlab as fl
from flowlab.errors import RunError
from flowlab.metrics import active, keeping
from flowlab.stored.keeper import StoreKeeper


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
def test_the_records_of_a_flow_run_come_back_equal_from_every_executor(
    flow: fl.DataFlow, path: Path, executor: str
) -> None:
    with fl.store(path) as opened:
        run = flow.run({"count": 5}, executor=executor, workers=2)
        (kept,) = opened.ids
    found = fl.load(kept, path)
    assert found.records == run.records and found.calls == len(run.records) > 5
    assert (found.kind, found.name, found.status) == ("flow", "squares", "ended")


def test_a_recorder_is_one_run_and_what_it_measured_is_in_it_once(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        with fl.Recorder(strategy="mine") as recorder:
            flow.run({"count": 3})
            with fl.span("load"):
                pass
        assert [run.name for run in fl.runs()] == ["mine"]
    assert fl.load("last", path).records == recorder.records


def test_a_run_and_the_stored_run_know_where_they_ran(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        run = flow.run({"count": 1})
    for machine in (run.machine, fl.load("last", path).machine):
        assert machine.sentence() == fl.Machine.detect().sentence()


def test_the_samples_of_a_recorder_are_kept_too(path: Path) -> None:
    with fl.store(path), fl.Recorder(sample_hz=50) as recorder, fl.span("allocate"):
        held = bytearray(5_000_000)
        keeper = active.keeper()
        assert keeper is not None and held
        keeper.flush()
    found = fl.load("last", path)
    assert found.samples == recorder.samples and recorder.samples is not None
    assert len(found.table("samples")) == len(recorder.samples.times_ns) == len(recorder.table("samples"))
    assert found.at_peak == recorder.at_peak
    assert found.overhead == recorder.overhead


def test_a_recorder_that_is_never_entered_is_kept_too(path: Path) -> None:
    with fl.store(path):
        recorder = fl.Recorder()
        with recorder.span("load"):
            pass
    assert [record.operation for record in fl.load("last", path).records] == ["load"]


def test_a_recorder_that_measured_nothing_is_no_run(path: Path) -> None:
    with fl.store(path), fl.Recorder():
        pass
    assert fl.runs(path) == ()


def test_a_map_and_a_stream_are_one_run_each(flow: fl.DataFlow, path: Path) -> None:
    async def streamed() -> list[Any]:
        return [run async for run in flow.stream([{"count": 1}, {"count": 2}])]

    with fl.store(path):
        mapped = flow.map([{"count": 1}, {"count": 2}])
        of_stream = asyncio.run(streamed())
    first, second = (fl.load(run, path) for run in fl.runs(path))
    assert list(first.records) == [record for run in mapped for record in run.records]
    assert len(second.records) == sum(len(run.records) for run in of_stream)
    assert (first.status, second.status) == ("ended", "ended")


def test_a_stream_of_straight_items_is_kept(path: Path) -> None:
    flow = fl.DataFlow(fl.operation(outputs="b")(lambda a: a + 1), name="straight")

    async def streamed() -> int:
        return sum([run["b"] async for run in flow.stream({"a": number} for number in range(200))])

    with fl.store(path):
        assert asyncio.run(streamed()) == sum(range(1, 201))
    assert fl.load("last", path).calls == 200


def test_a_failed_run_is_kept_as_failed(path: Path) -> None:
    flow = fl.DataFlow(fl.operation(outputs="b")(lambda a: 1 // a), name="inverse")
    with fl.store(path), pytest.raises(RunError):
        flow.run({"a": 0}, outputs=["b"])
    found = fl.load("last", path)
    assert found.status == "failed" and [record.error_type for record in found.records] == ["ZeroDivisionError"]


def test_calls_are_in_the_file_while_the_run_goes_on_and_once_when_it_has_ended(path: Path) -> None:
    """The third call waits until another connection has seen the first two in the file."""
    seen: list[tuple[str, list[str]]] = []

    @fl.operation(outputs="c")
    def look(b: int) -> int:
        keeper = active.keeper()
        assert isinstance(keeper, StoreKeeper)
        keeper.flush()
        found = fl.load("last", path)
        seen.append((found.status, [record.operation for record in found.records]))
        return b

    first = fl.operation(outputs="a0")(lambda a: a)
    inner = fl.DataFlow(fl.operation(outputs="b0")(lambda a0: a0), name="inner")
    flow = fl.DataFlow(first, inner.as_operation(outputs={"b0": "b"}), look, name="outer")
    with fl.store(path):
        run = flow.run({"a": 1})
    assert seen[0][0] == "running" and len(seen[0][1]) == 2
    assert fl.load("last", path).records == run.records


def test_what_happens_in_a_sub_flow_that_goes_on_is_in_the_file(path: Path) -> None:
    seen: list[list[str]] = []

    def look(x: int) -> int:
        seen.append([record.operation for record in fl.load("last", path).records])
        return x

    inner = fl.DataFlow(
        fl.operation(outputs="x", name="make")(lambda a: a), fl.operation(outputs="y", name="look")(look), name="inner"
    )
    with fl.store(path):
        run = fl.DataFlow(inner, name="outer").run({"a": 1})
    assert seen == [["inner/make"]]
    assert sorted(record.operation for record in run.records) == ["inner/look", "inner/make"]
    assert fl.load("last", path).records == run.records


def test_without_a_store_nothing_is_written(flow: fl.DataFlow, tmp_path: Path) -> None:
    code = (
        "import sys, flowlab as fl\n"
        "double = fl.operation(outputs='b')(lambda a: 2 * a)\n"
        "with fl.Recorder():\n"
        "    fl.DataFlow(double).run({'a': 1})\n"
        "assert 'sqlite3' not in sys.modules\n"
    )
    home = {"HOME": str(tmp_path), "FLOWLAB_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={**os.environ, **home})
    assert list(tmp_path.iterdir()) == []


def test_runs_without_records_are_not_kept(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        flow.run({"count": 2}, level="off")
    assert fl.runs(path) == ()


def test_a_store_that_is_closed_keeps_nothing_more(flow: fl.DataFlow, path: Path) -> None:
    opened = fl.store(path)
    flow.run({"count": 1})
    opened.close()
    opened.close()
    flow.run({"count": 1})
    assert len(fl.runs(path)) == 1 and active.keeper() is None
    assert not any(thread.name == "flowlab-keeper" for thread in threading.enumerate())


def test_an_endless_stream_does_not_get_ahead_of_the_store_for_ever(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(keeping, "INTERVAL_S", 3600)  # so that nobody writes but whoever has too much to write
    next_one = fl.operation(name="next", inputs={"x": "x"}, outputs="y")(lambda x: x + 1)
    waiting = []

    async def streamed() -> None:
        async for _ in fl.DataFlow(next_one).stream(({"x": number} for number in range(2_500)), ["y"]):
            waiting.append(len(active.keeper()._steps))

    with fl.store(path):
        asyncio.run(streamed())
        assert max(waiting) < keeping.AHEAD + 100 and len(waiting) == 2_500
    assert fl.load("last", path).calls == 2_500


def test_a_store_opened_within_another_takes_what_happens_meanwhile(flow: fl.DataFlow, path: Path) -> None:
    other = path.with_name("other.db")
    with fl.store(path), fl.Recorder() as recorder:
        with recorder.span("before"):
            pass
        with fl.store(other):
            flow.run({"count": 1})
        with recorder.span("after"):
            pass
    assert fl.load("last", path).records == recorder.records
    assert len(fl.load("last", other).records) == len(recorder.records) - 1


def test_the_same_store_may_be_opened_within_itself(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        with fl.store(path):
            flow.run({"count": 1})
        flow.run({"count": 1})
    assert len(fl.runs(path)) == 2


def test_a_run_that_an_interrupt_ends_is_kept_as_interrupted(path: Path) -> None:
    def stop(b: int) -> int:
        signal.raise_signal(signal.SIGINT)
        return b

    flow = fl.DataFlow(fl.operation(outputs="b", name="start")(lambda a: a), fl.operation(outputs="c")(stop))
    with fl.store(path), pytest.raises(KeyboardInterrupt):
        flow.run({"a": 1})
    found = fl.load("last", path)
    assert found.status == "interrupted" and [record.operation for record in found.records] == ["start"]


def test_a_process_that_ends_without_closing_loses_nothing(path: Path) -> None:
    code = (
        "import sys, flowlab as fl\n"
        "fl.store(sys.argv[1])\n"
        "fl.DataFlow(fl.operation(outputs='b')(lambda a: 2 * a)).run({'a': 1})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert fl.load("last", path).status == "ended" and fl.load("last", path).calls == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_keeps_nothing_and_harms_nothing(path: Path) -> None:
    code = (
        "import os, sys, flowlab as fl\n"
        "flow = fl.DataFlow(fl.operation(outputs='b')(lambda a: 2 * a))\n"
        "with fl.store(sys.argv[1]) as opened:\n"
        "    flow.run({'a': 1}); opened.ids\n"
        "    if os.fork() == 0:\n"
        "        flow.run({'a': 1}); opened.close(); os._exit(0)\n"
        "    assert os.wait()[1] == 0\n"
        "    flow.run({'a': 1})\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(path)], check=True)
    assert [run.status for run in fl.runs(path)] == ["ended", "ended"]


def test_the_run_row_says_where_and_when_it_ran(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path):
        run = flow.run({"count": 2})
    found = fl.load("last", path)
    here = fl.Machine.detect()
    assert (found.machine.cores, found.machine.cpu_model, found.machine.python) == (
        here.cores,
        here.cpu_model,
        here.python,
    )
    assert found.machine.gil == here.gil and found.process["flowlab"]
    if here.load_1m is not None:
        assert "load_1m" in found.start and "load_1m" in found.end
    stamps = [record.started_ns for record in run.records if record.started_ns is not None]
    assert found.began_ns <= min(stamps) and found.ended_ns is not None and found.ended_ns >= max(stamps)
    assert found.took_s == (found.ended_ns - found.began_ns) / 1e9
    assert found.began_s == (found.epoch_ns + found.began_ns) / 1e9


def test_tables_of_a_run_its_recorder_and_its_stored_form_share_their_columns(flow: fl.DataFlow, path: Path) -> None:
    with fl.store(path), fl.Recorder() as recorder:
        run = flow.run({"count": 2}, executor="processes", workers=1)
    stored = fl.load("last", path)
    for rows in ("calls", "steps"):
        frames = [source.table(rows) for source in (run, recorder, stored)]
        assert {tuple(frame.columns) for frame in frames} == {tuple(frames[0].columns)}
        assert len({len(frame) for frame in frames}) == 1
    assert set(stored.table("steps")["step"]) >= {"queue", "run"}
    with pytest.raises(fl.FlowlabError, match="samples"):
        stored.table("samples")
    with pytest.raises(fl.FlowlabError, match="rows is one of"):
        stored.table("runs")


def test_the_facts_of_a_process_wait_for_what_another_thread_is_still_importing() -> None:
    program = """
import importlib.metadata
import sys
import threading
import time

from flowlab.stored import facts

assert "multiprocessing" not in sys.modules
found = []


class Slowly:
    def find_spec(self, name, *_):
        if name == "multiprocessing.context":
            asking.start()
            time.sleep(0.2)
        return None


asking = threading.Thread(target=lambda: found.append(facts.process_facts()))
sys.meta_path.insert(0, Slowly())
import multiprocessing

asking.join()
assert found and found[0]["start_method"] == multiprocessing.get_all_start_methods()[0], found
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
