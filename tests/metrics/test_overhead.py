"""What measuring cost, said beside the results."""

from __future__ import annotations

import asyncio

import pytest

import flowlab as fl
from flowlab.metrics import Record
from flowlab.metrics.overhead import overhead


def test_it_is_the_sum_of_the_records_and_their_share_of_the_whole() -> None:
    records = [
        Record(operation="a", started_ns=1_000, ended_ns=5_000, overhead_ns=30),
        Record(operation="b", started_ns=2_000, ended_ns=9_000, overhead_ns=50),
        Record(operation="never ran"),
    ]
    found = overhead(records)
    assert (found.measuring_ns, found.wall_ns, found.calls, found.share) == (80, 8_000, 3, 0.01)
    assert str(found) == "measuring 3 calls took 8e-05 ms, 1 % of its wall time"


def test_of_nothing_it_is_nothing() -> None:
    found = overhead(())
    assert (found.measuring_ns, found.wall_ns, found.share, found.calls) == (0, None, None, 0)


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
def test_every_call_of_a_run_says_what_measuring_it_cost(executor: str) -> None:
    @fl.operation(outputs="y")
    def double(x):
        return 2 * x

    @fl.operation(outputs="z")
    async def wait(y):
        await asyncio.sleep(0)
        return y

    flow = fl.DataFlow(double) if executor == "inline" else fl.DataFlow(double, wait)
    cheap, dear = (flow.run({"x": 1}, executor=executor, level=level) for level in ("time", "full"))
    for run in (cheap, dear):
        assert all(record.overhead_ns for record in run.records if record.stage is None)
        assert run.overhead.measuring_ns == sum(record.overhead_ns or 0 for record in run.records)
        assert str(run.overhead).removeprefix("measuring ") in run._repr_html_()
    assert cheap.overhead.measuring_ns < dear.overhead.measuring_ns
    assert flow.run({"x": 1}, executor=executor, level="off").overhead.calls == 0


def test_a_recorder_says_it_too() -> None:
    with fl.Recorder() as recorder:
        for _ in range(3):
            with fl.span("load"):
                pass
    assert recorder.overhead.measuring_ns == sum(record.overhead_ns or 0 for record in recorder.records) > 0
