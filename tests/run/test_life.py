"""Resources, cleanup, generators, locks, retries, late inputs, sub-flows: what holds over the life of a run."""

import asyncio
import itertools
import threading

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation, resource

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)


def opening(events, name, scope="run", asynchronous=False, **settings):
    if asynchronous:

        async def function():
            events.append(f"open {name}")
            yield name
            events.append(f"close {name}")
    else:

        def function():
            events.append(f"open {name}")
            yield name
            events.append(f"close {name}")

    return resource(function, scope=scope, name=name, **settings)


@every
@pytest.mark.parametrize("asynchronous", [False, True])
def test_resources_close_last_and_in_reverse(executor, asynchronous):
    events = []
    use = operation(outputs="y")(lambda a, b, x: events.append("use") or x)
    tidy = operation(name="tidy", stage="cleanup")(lambda a: events.append("tidy"))
    flow = DataFlow(
        opening(events, "a", asynchronous=asynchronous), opening(events, "b", "context", asynchronous), use, tidy
    )
    flow.run({"x": 1}, ["y"], executor=executor)
    assert sorted(events[:2]) == ["open a", "open b"]
    assert events[2:] == ["use", "tidy", "close b", "close a"]


@every
def test_resources_close_after_a_failure(executor):
    events = []

    def use(a, x):
        raise ValueError

    with pytest.raises(RunError):
        DataFlow(opening(events, "a"), operation(outputs="y")(use)).run({"x": 1}, executor=executor)
    assert events == ["open a", "close a"]


@every
def test_a_resource_of_scope_run_is_opened_once_for_a_map(executor):
    events = []
    flow = DataFlow(
        opening(events, "a"),
        opening(events, "b", "context"),
        operation(outputs="y", name="use")(lambda a, b, x: (a, b, x)),
    )
    runs = flow.map([{"x": i} for i in range(3)], ["y"], executor=executor)
    assert [run["y"] for run in runs] == [("a", "b", i) for i in range(3)]
    assert events.count("open a") == events.count("close a") == 1
    assert events.count("open b") == events.count("close b") == 3


@every
def test_items_that_ask_for_one_resource_with_different_inputs_are_told_so(executor):
    events = []

    @resource
    def site(url):
        events.append(url)
        yield url
        events.append("closed")

    flow = DataFlow(site, operation(outputs="y", name="use")(lambda site, x: (site, x)))
    same = flow.map([{"x": i, "url": "here"} for i in range(3)], ["y"], executor=executor)
    assert [run["y"] for run in same] == [("here", i) for i in range(3)]
    with pytest.raises(RunError) as raised:
        flow.map([{"x": i, "url": f"site {i % 2}"} for i in range(3)], ["y"], executor=executor)
    assert all("one for the whole run" in str(entry.error) for entry in raised.value.errors)
    assert {entry.operation for entry in raised.value.errors} == {"site"}
    assert len(events) == 4 and events.count("closed") == 2


@every
def test_a_resource_that_fails_to_open_is_an_error(executor):
    @resource
    def bad():
        raise OSError
        yield

    run = DataFlow(bad, operation(outputs="y")(lambda bad: 1)).run({}, ["y"], executor=executor, strict=False)
    assert [(e.operation, type(e.error)) for e in run.errors] == [("bad", OSError)]


@every
@pytest.mark.parametrize("kind", ["list", "tuple", "set", "generator", "iterator"])
def test_expands_of_every_iterable(executor, kind):
    def numbers(n):
        return {"list": list, "tuple": tuple, "set": set, "iterator": iter}[kind](range(n))

    def yielding(n):
        yield from range(n)

    flow = DataFlow(
        operation(outputs="x", expand=True)(yielding if kind == "generator" else numbers),
        operation(outputs="y")(lambda x: x * 2), operation(outputs="all", collect="y")(lambda y: y),
    )  # fmt: skip
    assert flow.run({"n": 4}, ["all"], executor=executor)["all"] == [0, 2, 4, 6]


def test_an_async_generator_flows_on_before_it_ends():
    seen = asyncio.Event()

    async def numbers(n):
        yield 1
        await asyncio.wait_for(seen.wait(), 10)
        yield 2

    async def mark(x):
        seen.set()
        return x

    flow = DataFlow(operation(outputs="x", expand=True)(numbers), operation(outputs="y")(mark))
    assert flow.run({"n": 0})["y"] == [1, 2]


def test_a_thread_generator_flows_on_before_it_ends():
    seen = threading.Event()

    def numbers(n):
        yield 1
        assert seen.wait(10)
        yield 2

    flow = DataFlow(operation(outputs="x", expand=True)(numbers), operation(outputs="y")(lambda x: seen.set() or x))
    assert flow.run({"n": 0}, executor="threads", workers=2)["y"] == [1, 2]


def test_an_inline_generator_flows_on_before_it_ends():
    seen = []

    def numbers(n):
        yield 1
        yield len(seen)

    flow = DataFlow(operation(outputs="x", expand=True)(numbers), operation(outputs="y")(lambda x: seen.append(x) or x))
    assert flow.run({"n": 0})["y"] == [1, 1]


@every
def test_elements_yielded_before_a_failure_stand(executor):
    def numbers(n):
        yield 1
        yield 2
        raise ValueError

    flow = DataFlow(
        operation(outputs="x", expand=True, retries=3, on_error="skip")(numbers), operation(outputs="y")(lambda x: x)
    )
    run = flow.run({"n": 0}, ["y"], executor=executor)
    assert run["y"] == [1, 2] and [type(e.error) for e in run.errors] == [ValueError]
    assert run.calls.count("numbers") == 1 == len([r for r in run.records if r.operation == "numbers"])


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads"])
def test_a_generator_is_tried_again_before_its_first_yield(executor):
    tries = itertools.count()

    def numbers(n):
        if next(tries) < 2:
            raise ValueError
        yield 1

    flow = DataFlow(operation(outputs="x", expand=True, retries=2, backoff_s=0)(numbers))
    run = flow.run({"n": 0}, executor=executor)
    assert run["x"] == [1] and not run.errors


@pytest.mark.parametrize("form", ["async", "threads", "processes"])
def test_a_generator_pauses_while_a_thousand_calls_wait(form):
    made = [0]
    most = [0]
    if form == "async":

        async def numbers(n):
            for i in range(n):
                made[0] += 1
                yield i
    else:

        def numbers(n):
            for i in range(n):
                made[0] += 1
                yield i

    done = [0]

    async def slow(x):
        most[0] = max(most[0], made[0] - done[0])
        await asyncio.sleep(0)
        done[0] += 1
        return 0

    settings = {} if form == "async" else {"runs": form}
    flow = DataFlow(
        operation(outputs="x", expand=True, **settings)(numbers), operation(outputs="y", workers=2)(slow),
        operation(outputs="count", collect="y")(lambda y: len(y)),
    )  # fmt: skip
    assert flow.run({"n": 3000}, ["count"])["count"] == 3000
    assert most[0] <= 1000 + 64 + 3


@every
def test_retries_follow_the_exceptions_own_wait(executor, tmp_path):
    class Busy(Exception):
        retry_after_s = 0.0

    count = tmp_path / "count"

    def body(x):
        with count.open("a") as file:
            file.write("x")
        if count.stat().st_size < 3:
            raise Busy
        return x

    run = DataFlow(operation(outputs="y", retries=2, backoff_s=1000)(body)).run({"x": 1}, executor=executor)
    assert run["y"] == 1 and [r.attempt for r in run.records] == [1, 2, 3]


@pytest.mark.parametrize("executor", ["asyncio", "threads"])
def test_calls_that_hold_one_lock_never_overlap(executor):
    inside, most, guard = [0], [0], threading.Lock()

    async def touch(account, x):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0)
        inside[0] -= 1
        return x

    flow = DataFlow(
        operation(outputs="derived")(lambda account: account + 1),
        operation(outputs="y")(touch), operation(name="also", outputs="z", inputs={"account": "derived"})(touch),
        definitions=[Definition("account", lock=True), Definition("x", many=True)],
    )  # fmt: skip
    flow.run({"account": 1, "x": range(20)}, executor=executor)
    assert most[0] == 1
    del guard


def test_calls_on_different_inputs_of_a_lock_overlap():
    meeting = asyncio.Barrier(5)

    async def touch(account):
        await asyncio.wait_for(meeting.wait(), 20)

    flow = DataFlow(operation(outputs="y")(touch), definitions=[Definition("account", lock=True, many=True)])
    assert flow.run({"account": range(5)})["y"] == [None] * 5


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_generator_that_holds_a_lock_makes_its_children_wait_for_its_end(executor):
    events = []

    def walk(account):
        for i in range(3):
            events.append(f"yield {i}")
            yield i
        events.append("end")

    flow = DataFlow(
        operation(outputs="x", expand=True, runs="threads" if executor == "processes" else None)(walk),
        operation(outputs="y", runs="threads" if executor == "processes" else None)(
            lambda account, x: events.append(f"use {x}") or x
        ),
        definitions=[Definition("account", lock=True)],
    )
    assert flow.run({"account": 1}, ["y"], executor=executor)["y"] == [0, 1, 2]
    assert events.index("end") < events.index("use 0")


def test_a_lock_on_a_run_resource_is_one_for_all_contexts():
    inside, most = [0], [0]

    @resource
    async def session():
        yield 1

    async def touch(session, x):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0)
        inside[0] -= 1

    flow = DataFlow(session, operation(outputs="y")(touch), definitions=[Definition("session", lock=True)])
    flow.map([{"x": i} for i in range(10)], ["y"])
    assert most[0] == 1


def test_opposite_lock_orders_do_not_deadlock():
    async def both(p, q, x):
        await asyncio.sleep(0)
        return x

    flow = DataFlow(
        operation(outputs="y")(both), operation(name="other", outputs="z", inputs={"p": "q", "q": "p"})(both),
        definitions=[Definition("p", lock=True), Definition("q", lock=True), Definition("x", many=True)],
    )  # fmt: skip
    run = flow.run({"p": 1, "q": 2, "x": range(50)}, ["y", "z"])
    assert run["y"] == run["z"] == list(range(50))


def test_a_lock_is_free_while_a_retry_waits():
    events = []

    async def first(account, x):
        events.append("first")
        if len(events) == 1:
            raise ValueError
        return x

    async def second(account, x):
        events.append("second")
        return x

    flow = DataFlow(
        operation(outputs="y", retries=1, backoff_s=0.01)(first), operation(outputs="z")(second),
        definitions=[Definition("account", lock=True)],
    )  # fmt: skip
    run = flow.run({"account": 1, "x": 1})
    assert events == ["first", "second", "first"] and run["y"] == 1


LATE = DataFlow(
    operation(outputs="row")(lambda url: url.upper()), operation(outputs="report", collect="row")(lambda row: row),
    definitions=[Definition("url", many=True)],
)  # fmt: skip


@every
def test_late_inputs_are_part_of_collects(executor):
    with LATE.start({"url": ["u1"]}, executor=executor) as run:
        run.add("url", "u2")
        run.add("url", "u3")
    assert run["report"] == ["U1", "U2", "U3"] and run.calls.count("row") == 3


def test_late_inputs_may_be_all_there_is():
    with LATE.start() as run:
        run.add("url", "a")
    assert run["report"] == ["A"]


def test_a_late_value_of_a_single_definition():
    flow = DataFlow(operation(outputs="c")(lambda a, b: a + b))
    with flow.start({"a": 1}) as run:
        run.add("b", 2)
    assert run["c"] == 3


@every
def test_a_late_value_comes_before_its_definitions_default_which_serves_if_none_was_added(executor):
    flow = DataFlow(operation(outputs="c", name="add")(_plus), definitions=[Definition("b", default=5)])
    with flow.start({"a": 1}, executor=executor) as run:
        run.add("b", 2)
    assert run["c"] == 3
    with flow.start({"a": 1}, executor=executor) as run:
        pass
    assert run["c"] == 6
    with flow.start({"a": 1, "b": 3}, executor=executor) as run, pytest.raises(FlowError, match="given as one value"):
        run.add("b", 2)
    assert run["c"] == 4


def test_what_only_optional_parameters_take_is_given_when_starting():
    flow = DataFlow(operation(outputs="c", name="add")(_with_default))
    with flow.start({"a": 1}) as run, pytest.raises(FlowError, match="give it when starting"):
        run.add("k", 2)
    assert run["c"] == 11


@every
def test_a_lists_default_serves_if_nothing_was_added(executor):
    flow = DataFlow(*LATE.operations, definitions=[Definition("url", many=True, default=["home", "next"])])
    with flow.start(executor=executor) as run:
        pass
    assert run["report"] == ["HOME", "NEXT"] and run.values["url"] == ["home", "next"]
    with flow.start(executor=executor) as run:
        run.add("url", "a")
    assert run["report"] == ["A"]
    with flow.start({"url": []}, executor=executor) as run:
        pass
    assert run["report"] == []


def test_what_was_never_added_is_missing():
    flow = DataFlow(operation(outputs="c")(lambda a, b: a + b))
    with pytest.raises(RunError, match="never given"), flow.start({"a": 1}, outputs=["c"]):
        pass


def test_adding_after_the_block_or_to_one_value_is_an_error():
    with LATE.start({"url": ["u1"]}) as run, pytest.raises(FlowError, match="did you mean 'url'"):
        run.add("ur", 1)
    with pytest.raises(FlowError, match="too late"):
        run.add("url", "x")


def test_an_exception_in_the_block_stops_the_run():
    with pytest.raises(ZeroDivisionError), LATE.start({"url": ["u1"]}):
        _ = 1 / 0


def nested_flow():
    return DataFlow(
        operation(outputs="part", expand=True)(lambda text: text.split()),
        operation(outputs="size")(lambda part: len(part)),
        operation(outputs="total", collect="size")(lambda size: sum(size)),
        name="measure",
    )


@every
def test_a_sub_flow_is_one_context_a_call(executor):
    outer = DataFlow(
        nested_flow().as_operation("measure", inputs={"text": "line"}, outputs={"total": "length"}),
        operation(outputs="longest", collect="length")(lambda length: max(length)),
        definitions=[Definition("line", many=True)],
    )
    run = outer.run({"line": ["a bb", "ccc dd e"]}, executor=executor)
    assert run["length"] == [3, 6] and run["longest"] == 6
    assert run.calls.count("measure/part") == 2 and run.calls.count("measure/size") == 5


@every
def test_calls_of_a_sub_flow_are_named_after_it(executor):
    inner = DataFlow(operation(outputs="s")(_plus))
    run = DataFlow(inner.as_operation("nested")).run({"a": 1, "b": 2}, executor=executor)
    assert run["s"] == 3 and run.calls == ("nested/_plus",)
    assert [r.operation for r in run.records if r.stage is None] == ["nested/_plus"]


def _plus(a, b):
    return a + b


def test_an_output_of_a_sub_flow_flows_on_before_it_ends():
    seen = asyncio.Event()

    async def first(a):
        return a

    async def second(s):
        await asyncio.wait_for(seen.wait(), 10)
        return s

    async def outside(s):
        seen.set()
        return s

    inner = DataFlow(operation(outputs="s")(first), operation(outputs="t")(second))
    outer = DataFlow(inner.as_operation("inner", outputs={"s": "s", "t": "t"}), operation(outputs="u")(outside))
    assert outer.run({"a": 1}).values == {"a": 1, "s": 1, "t": 1, "u": 1}


@every
def test_a_failing_sub_flow_fails_its_call_with_its_own_errors_listed(executor):
    def fail(a):
        raise ValueError

    outer = DataFlow(DataFlow(operation(outputs="s")(fail)).as_operation("inner"))
    run = outer.run({"a": 1}, executor=executor, strict=False)
    assert {(e.operation, type(e.error).__name__) for e in run.errors} == {
        ("inner/fail", "ValueError"),
        ("inner", "RunError"),
    }


@every
def test_a_sub_flows_optional_input_may_stay_away(executor):
    inner = DataFlow(operation(outputs="s")(_with_default))
    assert DataFlow(inner.as_operation("inner")).run({"a": 1}, executor=executor)["s"] == 11
    assert DataFlow(inner).run({"a": 1, "k": 2}, executor=executor)["s"] == 3


def _with_default(a, k=10):
    return a + k


@every
def test_collected_values_keep_their_order_in_sub_flows(executor):
    inner = DataFlow(
        operation(name="words", outputs="w", expand=True)(lambda t: t.split()),
        operation(name="all", outputs="ws", collect="w")(lambda w: w),
    )
    outer = DataFlow(inner.as_operation("i"), definitions=[Definition("t", many=True)])
    assert outer.run({"t": ["b a", "d c"]}, executor=executor)["ws"] == [["b", "a"], ["d", "c"]]


def test_a_failed_map_raises_at_its_end_with_all_runs():
    def body(x):
        if x == 1:
            raise ValueError
        return x

    with pytest.raises(RunError, match="1 of 3 items failed") as caught:
        DataFlow(operation(outputs="y")(body)).map([{"x": i} for i in range(3)])
    assert ["y" in run for run in caught.value.runs] == [True, False, True]


def test_run_errors_never_show_values_or_the_causes_messages():
    def body(password):
        raise ValueError(f"bad {password}")

    with pytest.raises(RunError) as caught:
        DataFlow(operation(outputs="y")(body)).run({"password": "secret1"})
    assert "secret1" not in str(caught.value) and "body" in str(caught.value) and "ValueError" in str(caught.value)


def test_every_cause_is_chained():
    def body(x):
        raise ValueError(x)

    with pytest.raises(RunError) as caught:
        DataFlow(operation(outputs="y")(body), definitions=[Definition("x", many=True)]).run({"x": [1, 2]})
    assert [str(e) for e in caught.value.__cause__.exceptions] == ["1", "2"]
