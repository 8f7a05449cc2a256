"""What fails between two calls: a value that cannot be compared, a fault of the runtime. The run ends with it."""

import asyncio
import threading
from itertools import product

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, FlowlabError, RunError
from flowlab.graph import Definition, operation, resource
from flowlab.run.drivers.loop import Loop
from flowlab.run.state.state import State

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)


class Unhashable:
    def __hash__(self):
        raise OSError("no hash today")


class Incomparable:
    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return 1

    def __eq__(self, other):
        raise OSError("never equal, never different")


class Undecided:
    def __bool__(self):
        raise OSError("neither true nor false")


def ending(flow, inputs, executor, outputs=None):
    """The error a run ends with; it has to end, and to leave no task."""

    async def main():
        try:
            await asyncio.wait_for(flow.run_async(inputs, outputs, executor=executor), 20)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with pytest.raises(FlowlabError) as raised:
        if executor == "inline":
            flow.run(inputs, outputs, executor=executor)
        else:
            asyncio.run(main())
    return raised.value


def chained(error):
    """All exceptions that an error has as its causes."""
    found = []
    todo = [error.__cause__]
    while todo:
        cause = todo.pop()
        if cause is not None:
            found.append(cause)
            todo += [cause.__cause__, *getattr(cause, "exceptions", ())]
    return found


@every
@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("made", [lambda x: [Unhashable()], lambda x: [Incomparable(x), Incomparable(x)]])
def test_values_that_raise_when_compared_end_the_run(executor, expand, made):
    if expand:
        maker = operation(outputs="v", name="make", expand=True)(made)
        inputs = {"x": 1}
    else:
        maker = operation(outputs="v", name="make")(lambda e: e)
        inputs = {"e": made(1) * 2}
    definitions = [Definition("v", unique=True)] + ([] if expand else [Definition("e", many=True)])
    flow = DataFlow(maker, operation(outputs="w", name="take")(lambda v: v), definitions=definitions)
    assert OSError in map(type, chained(ending(flow, inputs, executor)))


@every
def test_given_values_that_raise_when_compared_end_the_run(executor):
    flow = DataFlow(
        operation(outputs="w", name="take")(lambda v: v), definitions=[Definition("v", unique=True, many=True)]
    )
    assert OSError in map(type, chained(ending(flow, {"v": [Unhashable()]}, executor)))


@every
def test_a_condition_that_is_neither_true_nor_false_fails_what_it_is_a_condition_of(executor):
    decide = operation(outputs="c", name="decide")(lambda x: Undecided())
    flow = DataFlow(decide, operation(outputs="y", name="work", when="c")(lambda x: x))
    error = ending(flow, {"x": 1}, executor, ["y"])
    assert [(entry.operation, type(entry.error)) for entry in error.errors] == [("work", OSError)]


@every
def test_a_cleanups_condition_that_is_neither_true_nor_false_is_its_error_and_other_cleanups_run(executor):
    cleaned = []
    flow = DataFlow(
        operation(outputs="c", name="decide")(lambda x: Undecided()),
        operation(name="tidy", stage="cleanup", when="c", runs="inline")(lambda x: cleaned.append("tidy")),
        operation(name="sweep", stage="cleanup", runs="inline")(lambda x: cleaned.append("sweep")),
    )
    run = flow.run({"x": 1}, ["c"], executor=executor)
    assert cleaned == ["sweep"]
    assert [(entry.operation, type(entry.error)) for entry in run.errors] == [("tidy", OSError)]


def breaking(events):
    @resource
    def site():
        events.append("opened")
        yield "site"
        events.append("closed")

    def split(x, site):
        yield from range(x)

    return DataFlow(
        site,
        operation(outputs="e", name="split", expand=True)(split),
        operation(outputs="f", name="first")(lambda e: e + 1),
        operation(outputs="g", name="second", retries=1, backoff_s=0)(lambda f, site, lock: f),
        operation(outputs="h", name="wrong", on_error="skip")(lambda e: e / 0),
        operation(outputs="r", name="gather", collect=["g", "h"])(lambda g, h: (g, h)),
        operation(name="tidy", stage="cleanup")(lambda site: events.append("tidied")),
        definitions=[Definition("lock", lock=True)],
    )


METHODS = ["begin", "done", "made", "emitted", "failed", "release", "admit", "advance", "unfeed", "_put", "_attempt"]
FAULTS = [
    (executor, method, nth)
    for executor, method, nth in product(EXECUTORS, METHODS, (1, 4))
    if not (nth > 1 and method in ("begin", "advance"))  # they are not called so often
    and not (method == "made" and executor in ("inline", "asyncio"))  # nor that one at all
]


@pytest.mark.parametrize(("executor", "method", "nth"), FAULTS)
def test_a_fault_of_the_state_ends_the_run(executor, method, nth, monkeypatch):
    events, calls = [], []
    good = getattr(State, method)

    def once(self, *arguments):
        calls.append(method)
        if len(calls) == nth:
            raise OSError("a fault")
        return good(self, *arguments)

    monkeypatch.setattr(State, method, once)
    flow, inputs = breaking(events), {"x": 5, "lock": 1}
    error = ending(flow, inputs, executor, ["r"])
    assert OSError in map(type, chained(error))
    if (method, nth) == ("done", 1):
        assert events == ["opened", "closed"]  # what cleanup needs never came to be
    else:
        assert events in ([], ["opened", "tidied", "closed"])
    assert not [thread for thread in threading.enumerate() if thread.name == "flowlab-run"]


DRIVEN = [
    (executor, method)
    for executor in ("asyncio", "threads", "processes")
    for method in ("pump", "_after", "_good", "_take_all", "_element", "end", "admit", "start")
    if executor != "asyncio" or method not in ("_good", "_take_all")  # calls on the loop do not come there
]


@pytest.mark.parametrize(("executor", "method"), DRIVEN)
def test_a_fault_of_the_driver_ends_the_run(executor, method, monkeypatch):
    events, calls = [], []
    good = getattr(Loop, method)

    def once(self, *arguments, **settings):
        calls.append(method)
        if len(calls) == 2:
            raise OSError("a fault")
        return good(self, *arguments, **settings)

    monkeypatch.setattr(Loop, method, once)
    error = ending(breaking(events), {"x": 5, "lock": 1}, executor, ["r"])
    assert OSError in map(type, chained(error))
    assert events.count("closed") == events.count("opened")


@pytest.mark.parametrize("executor", ["asyncio", "threads"])
def test_a_fault_while_coroutines_end_ends_the_run_the_map_and_the_stream(executor, monkeypatch):
    calls = []
    good = State.failed

    def once(self, *arguments):
        calls.append(1)
        if len(calls) % 2:
            raise OSError("a fault")
        good(self, *arguments)

    monkeypatch.setattr(State, "failed", once)

    @operation(outputs="y")
    async def divide(x):
        await asyncio.sleep(0)
        return 1 / x

    flow = DataFlow(divide)
    items = [{"x": 1}, {"x": 0}, {"x": 2}]

    async def streamed():
        return [run async for run in flow.stream(items, ["y"], executor=executor)]

    assert OSError in map(type, chained(ending(flow, {"x": 0}, executor)))
    calls.clear()
    with pytest.raises(RunError) as raised:
        flow.map(items, ["y"], executor=executor)
    assert OSError in map(type, chained(raised.value))
    calls.clear()
    with pytest.raises(RunError) as raised:
        asyncio.run(asyncio.wait_for(streamed(), 60))
    assert OSError in map(type, chained(raised.value))


def test_a_late_value_that_cannot_be_compared_ends_the_run():
    flow = DataFlow(
        operation(outputs="r", name="gather", collect="v")(lambda v: v),
        definitions=[Definition("v", unique=True, many=True)],
    )
    with pytest.raises(FlowError) as raised, flow.start({}) as run:
        run.add("v", Unhashable())
    assert OSError in map(type, chained(raised.value))
