"""A run without records: the same values, calls and errors, and nothing kept of what they cost."""

import asyncio

import pytest

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.metrics import Recorder, metric, span

every = pytest.mark.parametrize("executor", [None, "inline", "asyncio", "threads", "processes"])


def add(x):
    metric(seen=x)
    with span("inner"):
        return x + 1


def fail(y):
    raise ValueError


def double(y):
    return 2 * y


async def later(y):
    await asyncio.sleep(0)
    return y


def numbers(y):
    yield from range(y)


def total(n):
    return sum(n)


STRAIGHT = (operation(outputs="y")(add), operation(outputs="z")(double))
FLOWS = {
    "straight": DataFlow(*STRAIGHT),
    "many": DataFlow(*STRAIGHT, definitions=[Definition("x", many=True)]),
    "coroutine": DataFlow(*STRAIGHT, operation(outputs="w")(later)),
    "fails": DataFlow(*STRAIGHT, operation(outputs="f")(fail)),
    "retries": DataFlow(operation(outputs="y", retries=1)(add), operation(outputs="f", retries=1, backoff_s=0)(fail)),
    "expands": DataFlow(
        STRAIGHT[0], operation(outputs="n", expand=True)(numbers), operation(outputs="t", collect="n")(total)
    ),
    "nested": DataFlow(DataFlow(*STRAIGHT, name="part"), operation(outputs="e", inputs={"y": "z"})(double)),
}


def same(run, full):
    assert run.records == () and full.records
    assert run.values == full.values
    assert sorted(run.calls) == sorted(full.calls) and (run.calls[0] == full.calls[0])
    assert [(e.operation, type(e.error)) for e in run.errors] == [(e.operation, type(e.error)) for e in full.errors]
    assert repr(run) and run._repr_html_() and len(run.table()) == 0
    assert [run.explain(name) for name in full.values] == [full.explain(name) for name in full.values]


@every
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_all_but_the_records_is_the_same(flow, executor):
    given = {"x": [1, 2] if flow is FLOWS["many"] else 3}
    runs = [flow.run(given, executor=executor, strict=False, level=level) for level in ("off", "time")]
    same(*runs)


@every
def test_map_stream_start_and_run_async_take_it_too(executor):
    flow = FLOWS["straight"]
    settings = {"executor": executor, "level": "off"}

    async def streamed():
        return [run async for run in flow.stream([{"x": 1}, {"x": 2}], ["z"], **settings)]

    with flow.start({"x": 1}, **settings) as started:
        pass
    runs = [
        *flow.map([{"x": 1}], **settings),
        *asyncio.run(streamed()),
        asyncio.run(flow.run_async({"x": 1}, **settings)),
    ]
    assert [run["z"] for run in runs] == [4, 4, 6, 4] and started["z"] == 4
    for run in (*runs, started):
        assert run.records == () and run.calls == ("add", "double")


@every
def test_a_stream_without_records_goes_on_after_a_failure(executor):
    async def streamed():
        source = [{"x": 1}, {"x": 2}]
        return [r async for r in FLOWS["fails"].stream(source, executor=executor, strict=False, level="off")]

    for run in asyncio.run(streamed()):
        assert run["z"] and sorted(run.calls) == ["add", "double", "fail"] and len(run.errors) == 1


def test_an_active_recorder_gets_no_calls_of_a_run_without_records():
    with Recorder() as recorder:
        FLOWS["straight"].run({"x": 1}, level="off")
    assert {record.operation for record in recorder.records} <= {"inner"}


@every
def test_spans_within_a_run_without_records_harm_nothing_while_a_store_is_open(tmp_path, executor):
    from flowlab.stored import store

    flow = DataFlow(operation(outputs="y")(add))
    with store(tmp_path / "runs.db"), Recorder():
        assert flow.run({"x": 1}, outputs=["y"], level="off", executor=executor)["y"] == 2
