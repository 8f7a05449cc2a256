"""Streams: bounded, ordered or not, ending early or never, failing at either end."""

import asyncio
import gc
import itertools
import weakref
from contextlib import aclosing

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation, resource

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", [None, *EXECUTORS])


def triple(x):
    return 3 * x


FLOW = DataFlow(operation(outputs="y")(triple), operation(outputs="z")(lambda y: y + 1))
MANY = DataFlow(
    operation(outputs="part", expand=True)(lambda x: [x] * 3),
    operation(outputs="z", collect="part")(lambda part: sum(part) + 1),
)


def collect(stream, count=None):
    async def main():
        found = []
        async with aclosing(stream) as runs:
            async for run in runs:
                found.append(run)
                if count is not None and len(found) == count:
                    break
        return found

    return asyncio.run(main())


async def items(count, seen=None):
    for i in range(count):
        if seen is not None:
            seen.append(i)
        yield {"x": i}


@every
@pytest.mark.parametrize("source", ["list", "generator", "async"])
def test_a_stream_gives_a_run_an_item_in_order(executor, source):
    made = {
        "list": lambda: [{"x": i} for i in range(70)],
        "generator": lambda: ({"x": i} for i in range(70)),
        "async": lambda: items(70),
    }
    runs = collect(FLOW.stream(made[source](), ["z"], executor=executor, limit=8))
    assert [run["z"] for run in runs] == [3 * i + 1 for i in range(70)]


@every
def test_a_stream_without_order_gives_all(executor):
    runs = collect(FLOW.stream(items(30), ["z"], executor=executor, ordered=False))
    assert sorted(run["z"] for run in runs) == [3 * i + 1 for i in range(30)]


def test_without_order_a_fast_item_overtakes_a_slow_one():
    gate = asyncio.Event()

    async def wait(x):
        if x == 0:
            await gate.wait()
        else:
            gate.set()
        return x

    runs = collect(DataFlow(operation(outputs="y")(wait)).stream(items(2), ordered=False, limit=2))
    assert [run["y"] for run in runs] == [1, 0]


@pytest.mark.parametrize("limit", [1, 5])
def test_at_most_limit_items_are_in_flight(limit):
    active, most = [0], [0]

    async def step(x):
        active[0] += 1
        most[0] = max(most[0], active[0])
        for _ in range(50):
            await asyncio.sleep(0)
        active[0] -= 1

    collect(DataFlow(operation(outputs="y")(step)).stream(items(40), limit=limit))
    assert most[0] == limit


@every
def test_a_slow_consumer_holds_the_source_back(executor):
    seen = []
    collect(FLOW.stream(items(10**9, seen), ["z"], executor=executor, limit=4), count=3)
    assert len(seen) <= 3 + 4 + 1


@every
def test_a_consumer_that_stops_early_closes_the_source(executor):
    closed = []

    def source():
        try:
            for i in itertools.count():
                yield {"x": i}
        finally:
            closed.append(True)

    assert len(collect(FLOW.stream(source(), executor=executor, limit=4), count=5)) == 5
    assert closed == [True]


@every
def test_a_source_that_raises_ends_the_stream_after_its_items(executor):
    def source():
        yield {"x": 1}
        yield {"x": 2}
        raise OSError("gone")

    found = []

    async def main():
        async for run in FLOW.stream(source(), ["z"], executor=executor):
            found.append(run["z"])

    with pytest.raises(OSError, match="gone"):
        asyncio.run(main())
    assert found == [4, 7]


@every
def test_a_strict_stream_raises_at_the_failing_item(executor):
    def body(x):
        if x == 2:
            raise ValueError
        return x

    found = []

    async def main():
        async for run in DataFlow(operation(outputs="y")(body)).stream(items(10), executor=executor):
            found.append(run["y"])

    with pytest.raises(RunError):
        asyncio.run(main())
    assert found == [0, 1]


@every
def test_a_stream_that_is_not_strict_goes_on(executor):
    def body(x):
        if x == 2:
            raise ValueError
        return x

    runs = collect(DataFlow(operation(outputs="y")(body)).stream(items(5), executor=executor, strict=False))
    assert [run.values.get("y") for run in runs] == [0, 1, None, 3, 4]
    assert [len(run.errors) for run in runs] == [0, 0, 1, 0, 0]


@every
def test_a_result_that_cannot_be_taken_apart_fails_its_own_call(executor):
    flow = DataFlow(
        operation(name="two", outputs=["a", "b"])(lambda x: (x, x) if x != 1 else (x,)),
        operation(outputs="c")(lambda a, b: a + b),
    )
    runs = collect(flow.stream(items(4), executor=executor, strict=False))
    assert [run.values.get("c") for run in runs] == [0, None, 4, 6]
    assert [[error.operation for error in run.errors] for run in runs] == [[], ["two"], [], []]


def test_cpu_that_is_shared_out_says_so_also_where_an_item_failed():
    flow = DataFlow(
        operation(outputs="y")(lambda x: sum(range(1000))), operation(outputs="z")(lambda y, x: 1 // (x - 5))
    )
    runs = collect(flow.stream(items(10), strict=False))
    found = [(record.operation, record.status, record.cpu_quality) for record in runs[5].records]
    assert found == [("y", "ok", "estimated"), ("z", "error", "unavailable")]
    assert runs[5].records[0].cpu_ns > 0
    assert {record.cpu_quality for run in runs[:5] for record in run.records} == {"estimated"}


@every
def test_resources_live_as_long_as_the_stream(executor):
    events = []

    @resource
    def opened():
        events.append("open")
        yield 5
        events.append("close")

    flow = DataFlow(opened, operation(outputs="y")(lambda opened, x: opened + x))
    runs = collect(flow.stream(items(5), ["y"], executor=executor))
    assert [run["y"] for run in runs] == [5, 6, 7, 8, 9] and events == ["open", "close"]


def test_cancelling_a_stream_stops_its_calls():
    stopped = []

    async def hang(x):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(x)

    async def main():
        async def consume():
            async for _ in DataFlow(operation(outputs="y")(hang)).stream(items(100), limit=3):
                pass

        task = asyncio.create_task(consume())
        while not asyncio.all_tasks() or len(asyncio.all_tasks()) < 5:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(stopped) <= 3


def test_items_never_mix():
    async def one(x):
        await asyncio.sleep(0)
        return x

    flow = DataFlow(
        operation(outputs="a")(one),
        operation(name="two", outputs="b")(one),
        operation(outputs="pair")(lambda a, b: (a, b)),
    )
    runs = collect(flow.stream(items(100), ["pair"], limit=10))
    assert [run["pair"] for run in runs] == [(i, i) for i in range(100)]


@every
def test_many_and_collect_work_within_an_item(executor):
    flow = DataFlow(operation(outputs="t", collect="x")(lambda x: sum(x)), definitions=[Definition("x", many=True)])
    runs = collect(flow.stream([{"x": [1, 2]}, {"x": []}, {"x": [5]}], ["t"], executor=executor))
    assert [run["t"] for run in runs] == [3, 0, 5]


def test_a_stream_can_be_made_outside_a_loop_and_refuses_bad_arguments():
    stream = FLOW.stream([{"x": 1}])
    assert [run["z"] for run in collect(stream)] == [4]
    with pytest.raises(FlowError, match="limit"):
        collect(FLOW.stream([], limit=0))
    with pytest.raises(FlowError, match="iterable"):
        collect(FLOW.stream(5))


@pytest.mark.parametrize("count", [20_000])
def test_an_endless_source_keeps_memory_flat(count):
    import tracemalloc

    async def main():
        marks = []
        number = 0
        async with aclosing(FLOW.stream(({"x": i} for i in itertools.count()), ["z"])) as runs:
            async for _ in runs:
                number += 1
                if number % (count // 4) == 0:
                    marks.append(tracemalloc.get_traced_memory()[0])
                if number == count:
                    break
        return marks

    tracemalloc.start()
    try:
        marks = asyncio.run(main())
    finally:
        tracemalloc.stop()
    assert marks[-1] < marks[1] * 1.2 + 100_000


class Large:
    """Something one would not like to keep."""


def test_a_run_that_was_handed_out_is_not_kept_by_the_stream():
    made = []

    async def make(x):
        await asyncio.sleep(0)
        large = Large()
        made.append(weakref.ref(large))
        return large

    async def main():
        flow = DataFlow(operation(outputs="y")(make))
        async for _ in flow.stream(({"x": i} for i in range(12)), ["y"], limit=12):
            gc.collect()
            alive.append(sum(ref() is not None for ref in made))

    alive = []
    asyncio.run(main())
    assert alive[9] <= 3


@every
@pytest.mark.parametrize("item", [{"xx": 1}, 7], ids=["unknown name", "a number"])
@pytest.mark.parametrize("flow", [FLOW, MANY], ids=["straight", "many"])
def test_an_item_that_does_not_fit_the_flow_ends_the_stream_after_the_items_before_it(executor, item, flow):
    seen = []

    async def main():
        source = [{"x": i} for i in range(1, 60)] + [item, {"x": 1}]
        async with aclosing(flow.stream(source, ["z"], executor=executor, limit=8)) as runs:
            async for run in runs:
                seen.append(run["z"])

    with pytest.raises(FlowError, match=r"given is 'xx'|mapping of names to values"):
        asyncio.run(main())
    assert seen == [3 * i + 1 for i in range(1, 60)]


@every
@pytest.mark.parametrize("item", [7, "x", ["x"]], ids=["a number", "a text", "a list"])
def test_a_streams_item_that_is_no_mapping_is_an_error_after_those_before_it(executor, item):
    seen = []

    async def main():
        async for run in FLOW.stream([{"x": 1}, {"x": 2}, item], ["z"], executor=executor):
            seen.append(run["z"])

    with pytest.raises(FlowError, match="mapping of names to values"):
        asyncio.run(main())
    assert len(seen) == 2


@every
@pytest.mark.parametrize("inputs", [7, "x", [1]], ids=["a number", "a text", "a list"])
def test_inputs_that_are_no_mapping_are_an_error_that_says_so(executor, inputs):
    for start in (FLOW.run, lambda inputs, outputs, **how: FLOW.map([inputs], outputs, **how)):
        with pytest.raises(FlowError, match=r"mapping of names to values|given is 1"):
            start(inputs, ["z"], executor=executor)
