"""What a flow means, where neither a vector nor the life of a run shows it: one sentence a test."""

import asyncio
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation, resource
from flowlab.run.drivers.attempt import wait_s
from flowlab.run.layout.wiring import layout
from flowlab.run.outcome.context import make_handlers
from flowlab.run.state.state import State

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)
here = pytest.mark.parametrize("executor", EXECUTORS[:3])
MANY_X = [Definition("x", many=True)]


def kinds(entries):
    return sorted((entry.operation, type(entry.error).__name__) for entry in entries)


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, 5], ids=["text", "bytes", "mapping", "number"])
@pytest.mark.parametrize("declared", [True, False])
def test_one_value_for_a_many_is_an_error(value, declared):
    if declared:
        flow = DataFlow(operation(outputs="y")(lambda x: x), definitions=MANY_X)
    else:
        flow = DataFlow(operation(outputs="x", expand=True)(lambda n: n), operation(outputs="y")(lambda x: x))
    with pytest.raises(FlowError, match="'x'"):
        flow.run({"x": value})


@every
def test_a_list_waits_for_a_call_that_is_tried_again(executor, tmp_path):
    def body(x):
        mark = tmp_path / str(x)
        if x != 1 and not mark.exists():
            mark.touch()
            raise ValueError
        return x

    flow = DataFlow(
        operation(outputs="y", retries=1, backoff_s=0.01)(body), operation(outputs="all", collect="y")(lambda y: y),
        definitions=MANY_X,
    )  # fmt: skip
    run = flow.run({"x": [0, 1, 2]}, ["all"], executor=executor, workers=2)
    assert run["all"] == [0, 1, 2] and not run.errors and run.calls.count("body") == 3


@every
@pytest.mark.parametrize("many", [False, True])
def test_an_alternative_steps_in_for_what_takes_too_long(executor, many):
    def slow(x):
        if x == 1:
            time.sleep(1.2)
        return x

    flow = DataFlow(
        operation(name="slow", outputs="y", timeout_s=1, weight=1)(slow),
        operation(name="spare", outputs="y", weight=5)(lambda x: -x),
        definitions=[Definition("x", many=many)],
    )
    run = flow.run({"x": [0, 1, 2] if many else 1}, ["y"], executor=executor, workers=3)
    assert run["y"] == ([0, -1, 2] if many else -1) and kinds(run.errors) == [("slow", "CallTimeout")]


@every
def test_coroutines_are_on_the_loop_under_every_executor(executor):
    async def where(x):
        return threading.get_ident()

    run = DataFlow(operation(outputs="y")(where)).run({"x": 1}, executor=executor)
    assert run["y"] == threading.get_ident() and [r.executor for r in run.records] == ["asyncio"]


@every
def test_an_async_generator_expands_under_every_executor(executor):
    async def numbers(n):
        for i in range(n):
            yield i

    flow = DataFlow(
        operation(outputs="x", expand=True)(numbers), operation(outputs="y")(lambda x: x * 2),
        operation(outputs="all", collect="y")(lambda y: y),
    )  # fmt: skip
    assert flow.run({"n": 4}, ["all"], executor=executor)["all"] == [0, 2, 4, 6]


@pytest.mark.parametrize("form", [*EXECUTORS[:3], "coroutine"])
def test_children_that_need_a_generators_lock_wait_for_its_end_however_many(form):
    async def coroutine(account, n):
        for i in range(n):
            yield i

    def function(account, n):
        yield from range(n)

    flow = DataFlow(
        operation(outputs="x", expand=True)(coroutine if form == "coroutine" else function),
        operation(outputs="y")(lambda account, x: x), operation(outputs="count", collect="y")(lambda y: len(y)),
        definitions=[Definition("account", lock=True)],
    )  # fmt: skip
    executor = None if form == "coroutine" else form
    assert flow.run({"account": 1, "n": 2500}, ["count"], executor=executor)["count"] == 2500


def test_a_generator_in_a_worker_process_pauses_while_a_thousand_calls_wait(tmp_path):
    made = tmp_path / "made"

    def numbers(n):
        for i in range(n):
            made.write_text(str(i))
            yield i

    most, done = [0], [0]

    async def slow(x):
        most[0] = max(most[0], int(made.read_text() or 0) - done[0])
        await asyncio.sleep(0)
        done[0] += 1

    flow = DataFlow(
        operation(outputs="x", expand=True, runs="processes")(numbers), operation(outputs="y", workers=2)(slow),
        operation(outputs="count", collect="y")(lambda y: len(y)),
    )  # fmt: skip
    assert flow.run({"n": 2500}, ["count"])["count"] == 2500 and most[0] < 1500


@pytest.mark.parametrize("form", [*EXECUTORS, "coroutine"])
def test_what_is_derived_from_a_lock_over_many_steps_holds_it_and_a_failure_lets_it_go(form, tmp_path):
    mark = tmp_path / "inside"

    def inside(value):
        mark.touch(exist_ok=False)
        mark.unlink()
        if value == 3:
            raise ValueError
        return value

    async def awaited(value):
        mark.touch(exist_ok=False)
        await asyncio.sleep(0)
        mark.unlink()
        if value == 3:
            raise ValueError
        return value

    body = awaited if form == "coroutine" else inside
    flow = DataFlow(
        operation(outputs="b", expand=True)(lambda account: range(8)),
        operation(outputs="c")(lambda b: b), operation(outputs="d", on_error="skip", inputs={"value": "c"})(body),
        operation(name="other", outputs="e", inputs={"value": "account"})(body),
        operation(outputs="ds", collect="d")(lambda d: d), definitions=[Definition("account", lock=True)],
    )  # fmt: skip
    run = flow.run({"account": 9}, ["ds", "e"], executor=None if form == "coroutine" else form, workers=4)
    assert run["ds"] == [0, 1, 2, 4, 5, 6, 7] and run["e"] == 9 and len(run.errors) == 1


def test_pauses_double_and_are_jittered_and_the_exceptions_own_wins():
    made = operation(outputs="y", retries=4, backoff_s=0.1)(lambda x: x)
    pauses = [[wait_s(made, attempt, ValueError()) for _ in range(200)] for attempt in (1, 2, 3)]
    for number, found in enumerate(pauses):
        middle = 0.1 * 2**number
        assert 0.75 * middle <= min(found) < 0.9 * middle and 1.1 * middle < max(found) <= 1.25 * middle
    busy = ValueError()
    busy.retry_after_s = 7
    assert wait_s(made, 1, busy) == 7 and wait_s(made, 5, busy) is None


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_timeout_counts_from_the_start_of_the_body_not_from_when_it_had_to_wait(executor):
    flow = DataFlow(operation(outputs="y", timeout_s=1)(lambda x: time.sleep(0.25) or x), definitions=MANY_X)
    assert flow.run({"x": range(5)}, executor=executor, workers=1)["y"] == [0, 1, 2, 3, 4]


@every
def test_a_timeout_counts_for_each_attempt(executor, tmp_path):
    mark = tmp_path / "tried"

    def body(x):
        if not mark.exists():
            mark.touch()
            time.sleep(1.2)
        return x

    flow = DataFlow(operation(outputs="y", timeout_s=1, retries=1, backoff_s=0)(body))
    run = flow.run({"x": 1}, executor=executor, workers=2)
    assert run["y"] == 1 and [r.status for r in run.records if r.operation == "body"] == ["timeout", "ok"]


@every
def test_each_call_of_a_sub_flow_has_its_own_unique_values_and_lists(executor):
    inner = DataFlow(
        operation(outputs="word", expand=True)(lambda line: line.split()), operation(outputs="seen")(lambda word: word),
        operation(outputs="words", collect="seen")(lambda seen: seen),
        definitions=[Definition("word", unique=True)], name="inner",
    )  # fmt: skip
    flow = DataFlow(inner, definitions=[Definition("line", many=True)])
    run = flow.run({"line": ["a b a", "b a"]}, executor=executor)
    assert run["words"] == [["a", "b"], ["b", "a"]] and run.calls.count("inner/seen") == 4


@every
def test_a_sub_flows_retries_and_alternatives_are_those_of_any_operation(executor, tmp_path):
    mark = tmp_path / "tried"

    def body(x):
        if not mark.exists():
            mark.touch()
            raise ValueError
        return x

    inner = DataFlow(operation(outputs="y")(body), name="inner")
    assert DataFlow(inner.as_operation(retries=1, backoff_s=0)).run({"x": 1}, executor=executor)["y"] == 1
    mark.unlink()
    spare = operation(name="spare", outputs="y", weight=9)(lambda x: -x)
    run = DataFlow(inner.as_operation(), spare).run({"x": 1}, executor=executor)
    assert run["y"] == -1 and kinds(run.errors) == [("inner", "RunError"), ("inner/body", "ValueError")]


@every
def test_resources_open_before_their_first_use_and_only_if_something_uses_them(executor):
    events = []

    @resource
    def used():
        events.append("used")
        yield 1

    @resource
    def unused():
        events.append("unused")
        yield 1

    flow = DataFlow(
        used, unused, operation(outputs="y")(lambda used, x: events.append("body") or x),
        operation(outputs="z")(lambda unused: 1),
    )  # fmt: skip
    flow.run({"x": 1}, ["y"], executor=executor)
    assert events == ["used", "body"]


@every
def test_a_collect_lacking_an_element_fails_and_other_elements_run(executor):
    flow = DataFlow(
        operation(outputs="y")(lambda x: 1 // x), operation(outputs="z")(lambda y: y + 1),
        operation(outputs="all", collect="z")(lambda z: z), definitions=MANY_X,
    )  # fmt: skip
    with pytest.raises(RunError) as caught:
        flow.run({"x": [1, 0, 1]}, executor=executor)
    run = caught.value.run
    assert run.calls.count("z") == 2 and "all" not in run.calls and "z" not in run
    assert kinds(run.errors) == [("y", "ZeroDivisionError")] and run.lost == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=6), st.sets(st.integers(0, 3)), st.integers(0, 10**6))
def test_no_lock_is_held_at_the_end_in_whatever_order_calls_end_or_fail(items, wrong, seed):
    def touch(a, x):
        if x in wrong:
            raise ValueError
        return x

    flow = DataFlow(
        operation(outputs="y", on_error="skip")(touch),
        operation(name="swap", outputs="z", inputs={"a": "b", "b": "a"}, on_error="skip")(lambda a, b, x: touch(a, x)),
        operation(outputs="w")(lambda y, z: (y, z)),
        operation(outputs="ws", collect="w")(lambda w: w),
        definitions=[Definition("a", lock=True), Definition("b", lock=True), Definition("x", many=True, lock=True)],
    )
    made = layout(flow.graph, ["a", "b", "x"], ["ws"])
    state, handlers, rng, started = State(made), make_handlers(made), random.Random(seed), []
    state.begin({"a": 1, "b": 2, "x": items})
    while True:
        started.extend(state.ready)
        state.ready.clear()
        assert sum(any(name == "a" for name, *_ in node.locks) for node, *_ in started) <= 1, "one holds a at a time"
        if not started:
            if not state.advance():
                break
            continue
        node, element, arguments = started.pop(rng.randrange(len(started)))
        try:
            state.done(node, element, handlers[node.number].values(handlers[node.number].call(arguments)))
        except ValueError as error:
            state.failed(node, element, error)
        if node.locks:
            state.release(node, element)
    locks = state.locks
    assert not (locks.held or locks.queues or locks.waiting or locks.owners or state.parked)
    kept = [x for x in items if x not in wrong]
    assert state.cells[made.slot_of["ws"]][0] == [(x, x) for x in kept]


def test_what_ranges_over_what_is_worked_out_once_for_each_set_of_names(monkeypatch):
    from flowlab.run import session

    worked_out = []
    monkeypatch.setattr(session, "layout", lambda *names: worked_out.append(names[1]) or layout(*names))
    flow = DataFlow(
        operation(outputs="x", expand=True)(lambda n: range(n)), operation(outputs="y")(lambda x: -x),
    )  # fmt: skip
    assert [flow.run({"n": n}, ["y"])["y"] for n in (2, 3)] == [[0, -1], [0, -1, -2]]
    assert [flow.run({"x": x}, ["y"])["y"] for x in ([5], [6, 7])] == [[-5], [-6, -7]]
    assert worked_out == [("n",), ("x",)]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_workers_is_how_many_threads_or_processes_there_are(executor):
    flow = DataFlow(operation(outputs="y")(lambda x: x), definitions=MANY_X)
    run = flow.run({"x": range(40)}, executor=executor, workers=2)
    where = {(record.pid, record.tid) for record in run.records if record.operation == "y"}
    assert run["y"] == list(range(40)) and 1 <= len(where) <= 2


@every
def test_what_a_sub_flow_made_stands_though_its_call_fails(executor):
    inner = DataFlow(
        operation(outputs="b")(lambda a: a + 1), operation(outputs="c")(lambda b: b if b != 2 else 1 / 0), name="inner"
    )
    flow = DataFlow(
        inner.as_operation(outputs={"b": "b", "c": "c"}, on_error="skip"),
        operation(outputs="all", collect=["b", "c"])(lambda b, c: (b, c)), definitions=[Definition("a", many=True)],
    )  # fmt: skip
    run = flow.run({"a": [0, 1, 2]}, ["all"], executor=executor)
    assert run["all"] == ([1, 2, 3], [1, 3])
    assert kinds(run.errors) == [("inner", "RunError"), ("inner/c", "ZeroDivisionError")]


@every
def test_a_sub_flow_whose_time_is_over_leaves_nothing_whatever_it_had_made(executor):
    inner = DataFlow(
        operation(outputs="b")(lambda a: a + 1), operation(outputs="c")(lambda b: time.sleep(1.2) or b), name="inner"
    )
    flow = DataFlow(
        inner.as_operation(outputs={"b": "b", "c": "c"}, timeout_s=1, on_error="skip"),
        operation(outputs="all", collect=["b", "c"])(lambda b, c: (b, c)), definitions=[Definition("a", many=True)],
    )  # fmt: skip
    run = flow.run({"a": [0]}, ["all"], executor=executor)
    assert run["all"] == ([], []) and kinds(run.errors) == [("inner", "CallTimeout")]


def test_a_resource_of_scope_run_takes_nothing_there_are_many_of():
    @resource
    def connection(x):
        yield x

    flow = DataFlow(connection, operation(outputs="y")(lambda connection: connection), definitions=MANY_X)
    with pytest.raises(FlowError, match="'connection' is opened once"):
        flow.run({"x": [1, 2]}, ["y"])
    assert flow.run({"x": []}, ["x"])["x"] == []
