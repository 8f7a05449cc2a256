"""What the runtime can do, two things at a time: what holds for each alone holds for both."""

import asyncio
import threading
import time

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError
from flowlab.graph import Definition, operation, resource

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)
here = pytest.mark.parametrize("executor", EXECUTORS[:3])
MANY_X = [Definition("x", many=True)]


def names(entries):
    return [(entry.operation, type(entry.error).__name__) for entry in entries]


def slow_after_two(account):
    yield 1
    yield 2
    end = time.perf_counter() + 1.5
    while time.perf_counter() < end:
        pass
    yield 3


async def waits_after_two(account):
    yield 1
    yield 2
    await asyncio.sleep(60)
    yield 3


async def blocks_after_two(account):
    for item in slow_after_two(account):
        yield item


@pytest.mark.parametrize("form", [*EXECUTORS, "waits", "blocks"])
def test_a_generator_that_takes_too_long_keeps_what_it_yielded_and_lets_go_of_its_lock(form):
    walk = {"waits": waits_after_two, "blocks": blocks_after_two}.get(form, slow_after_two)
    flow = DataFlow(
        operation(name="walk", outputs="x", expand=True, timeout_s=1, on_error="skip", retries=3, backoff_s=0)(walk),
        operation(outputs="y")(lambda account, x: x), operation(outputs="z")(lambda account: "other"),
        definitions=[Definition("account", lock=True)],
    )  # fmt: skip
    run = flow.run({"account": 1}, ["x", "y", "z"], executor=form if form in EXECUTORS else None, workers=2)
    assert (run["x"], run["y"], run["z"]) == ([1, 2], [1, 2], "other")
    assert names(run.errors) == names(run.lost) == [("walk", "CallTimeout")] and run.calls.count("walk") == 1


def test_a_generator_on_the_loop_is_closed_when_its_time_is_over():
    closed = []

    def walk(n):
        try:
            yield from slow_after_two(n)
        finally:
            closed.append(n)

    flow = DataFlow(operation(outputs="x", expand=True, timeout_s=1)(walk))
    assert flow.run({"n": 1}, executor="asyncio", strict=False).errors and closed == [1]


@every
@pytest.mark.parametrize("how", ["map", "stream"])
def test_an_output_operation_runs_once_its_own_context_has_nothing_else_to_do(executor, how):
    flow = DataFlow(
        operation(outputs="y")(lambda x: x + 1),
        operation(name="out", outputs="o", stage="output", inputs={"a": "x"})(lambda a: a),
        operation(outputs="w")(lambda y: y + 1),
        operation(outputs="p")(lambda o: o * 10),
    )
    items = [{"x": i} for i in range(3)]
    if how == "map":
        runs = flow.map(items, executor=executor)
    else:

        async def main():
            return [run async for run in flow.stream(items, executor=executor)]

        runs = asyncio.run(main())
    assert [run["p"] for run in runs] == [0, 10, 20]
    assert {run.calls for run in runs} == {("y", "w", "out", "p")}


def test_an_output_operation_does_not_wait_for_other_contexts():
    written = asyncio.Event()

    async def work(x):
        if x == 0:
            await asyncio.wait_for(written.wait(), 30)
        return x

    async def write(y):
        written.set()
        return y

    flow = DataFlow(operation(outputs="y")(work), operation(outputs="o", stage="output")(write))
    assert [run["o"] for run in flow.map([{"x": 0}, {"x": 1}])] == [0, 1]


@every
def test_cleanup_runs_after_a_failure_once_a_context_and_its_own_failure_is_reported(executor):
    flow = DataFlow(
        operation(outputs="y")(lambda x: 1 / 0), operation(name="tidy", stage="cleanup", outputs="t")(lambda x: x),
        operation(name="bad", stage="cleanup", inputs={"a": "x"})(lambda a: 1 / 0),
        operation(name="broken", outputs="w")(lambda: 1 / 0), operation(name="without", stage="cleanup")(lambda w: w),
        operation(name="after", outputs="z")(lambda t: t),
        definitions=MANY_X,
    )  # fmt: skip
    run = flow.run({"x": [1, 2]}, ["y", "w"], executor=executor, strict=False)
    assert sorted(run.calls) == ["bad", "broken", "tidy", "y", "y"] and "z" not in run
    assert names(run.errors).count(("bad", "ZeroDivisionError")) == 1


@pytest.mark.parametrize("executor", ["asyncio", "threads", "processes"])
@pytest.mark.parametrize("how", ["run", "stream"])
def test_cleanup_runs_and_resources_close_when_a_run_is_cancelled(executor, how, tmp_path):
    began = asyncio.Event()
    events = []

    @resource(scope="context")
    async def opened(x):
        events.append("open")
        yield x
        events.append("close")

    async def hang(opened):
        began.set()
        await asyncio.Event().wait()

    def tidy(x):
        (tmp_path / f"tidied {x}").touch()

    flow = DataFlow(opened, operation(outputs="y")(hang), operation(name="tidy", stage="cleanup")(tidy))

    async def main():
        if how == "run":
            task = asyncio.ensure_future(flow.run_async({"x": 7}, ["y"], executor=executor))
        else:
            task = asyncio.ensure_future(anext(flow.stream([{"x": 7}], ["y"], executor=executor)))
        await asyncio.wait_for(began.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (tmp_path / "tidied 7").exists() and events == ["open", "close"]


@every
def test_no_call_runs_twice_on_a_cycle_that_is_collected_and_multiplied(executor):
    links = {"a": ["b", "c"], "b": ["a", "c", "c"], "c": ["d"], "d": ["a"]}
    flow = DataFlow(
        operation(name="load", outputs="html")(lambda url: url),
        operation(name="follow", outputs="url", expand=True)(lambda html: links.get(html, [])),
        operation(name="pair", join="product", inputs={"a": "url", "b": "url"})(lambda a, b: (a, b)),
        operation(name="all", collect="html")(lambda html: html),
        operation(name="count", collect="pair")(lambda pair: len(pair)),
        definitions=[Definition("url", unique=True)],
    )
    run = flow.run({"url": ["a"]}, ["all", "count"], executor=executor, workers=2)
    assert run["all"] == ["a", "b", "c", "d"] and run["count"] == 16
    assert [run.calls.count(name) for name in ("load", "follow", "pair", "all", "count")] == [4, 4, 16, 1, 1]


@every
def test_a_sub_flow_may_be_on_a_cycle(executor):
    links = {"a": ["b", "c"], "b": ["a"], "c": ["d"]}
    page = DataFlow(
        operation(outputs="html")(lambda url: url),
        operation(name="find", outputs="found")(lambda html: links.get(html, [])),
        name="page",
    )
    flow = DataFlow(
        page.as_operation(outputs={"found": "found", "html": "html"}),
        operation(name="each", outputs="url", expand=True)(lambda found: found),
        operation(name="all", collect="html")(lambda html: html),
        definitions=[Definition("url", unique=True)],
    )
    run = flow.run({"url": ["a"]}, ["all"], executor=executor)
    assert run["all"] == ["a", "b", "c", "d"] and run.calls.count("page/html") == 4


@every
def test_a_sub_flow_may_be_an_interdependent_formula(executor):
    forth = DataFlow(operation(outputs="b")(lambda a: a + 1), name="forth")
    flow = DataFlow(forth, operation(name="back", outputs="a")(lambda b: b - 1))
    assert flow.run({"a": 1}, executor=executor).values == {"a": 1, "b": 2}
    assert flow.run({"b": 2}, executor=executor).values == {"b": 2, "a": 1}


@every
@pytest.mark.parametrize("fails", [False, True])
def test_resources_in_sub_flows_close_with_their_call_or_with_the_run(executor, fails):
    events = []

    @resource(scope="context")
    def near():
        events.append("open near")
        yield 5
        events.append("close near")

    @resource
    def far():
        events.append("open far")
        yield 7
        events.append("close far")

    def use(near, far, x):
        if fails and x == 2:
            raise ValueError
        return near + far + x

    inner = DataFlow(near, far, operation(outputs="y")(use), name="inner")
    flow = DataFlow(
        inner.as_operation(outputs={"y": "y"}, on_error="skip"), operation(outputs="s", collect="y")(lambda y: y),
        definitions=MANY_X,
    )  # fmt: skip
    run = flow.run({"x": [1, 2, 3]}, ["s"], executor=executor)
    assert run["s"] == ([13, 15] if fails else [13, 14, 15])
    assert events.count("open near") == events.count("close near") == 3
    assert events.count("open far") == 1 and events[-1] == "close far"


@every
def test_conditions_go_element_by_element_and_what_they_refuse_is_left_out_of_lists(executor):
    flow = DataFlow(
        operation(name="even")(lambda x: x % 2 == 0), operation(outputs="y", when=["even", "wanted"])(lambda x: x * 10),
        operation(outputs="s", collect="y")(lambda y: y), definitions=MANY_X,
    )  # fmt: skip
    run = flow.run({"x": range(5), "wanted": True}, ["s", "y"], executor=executor)
    assert run["s"] == run["y"] == [0, 20, 40] and not run.errors and not run.lost and run.calls.count("y") == 3
    assert flow.run({"x": range(5), "wanted": False}, ["s"], executor=executor)["s"] == []


def test_a_condition_that_ranges_over_more_than_the_parameters_is_an_error():
    flow = DataFlow(operation(outputs="y", when="flag")(lambda a: a), definitions=[Definition("flag", many=True)])
    with pytest.raises(FlowError, match="condition 'flag', which ranges over more"):
        flow.run({"flag": [True], "a": 1})


@here
def test_a_generator_tried_again_holds_its_lock_only_while_it_runs(executor):
    inside, attempts, guard = [], [], threading.Lock()

    def walk(account):
        assert guard.acquire(blocking=False)
        attempts.append(1)
        guard.release()
        if len(attempts) == 1:
            raise ValueError
        yield from range(3)

    def use(account):
        assert guard.acquire(blocking=False)
        inside.append(1)
        guard.release()

    flow = DataFlow(
        operation(outputs="x", expand=True, retries=1, backoff_s=0)(walk), operation(outputs="z")(use),
        definitions=[Definition("account", lock=True)],
    )  # fmt: skip
    run = flow.run({"account": 1}, executor=executor, workers=4)
    assert run["x"] == [0, 1, 2] and len(attempts) == 2 and inside == [1]
