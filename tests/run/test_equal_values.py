"""Equal values of a unique definition that can be told apart: the first by position is kept, whoever ends first."""

import asyncio
import threading

import pytest

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation

every = pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
VALUES = [1, 1.0, True]


def told(v):
    return repr(v)


def flow_of(make, **settings):
    return DataFlow(
        operation(outputs="v", **settings)(make),
        operation(outputs="text")(told),
        operation(outputs="texts", collect="text")(lambda text: text),
        operation(outputs="vs", collect="v")(lambda v: repr(v)),
        definitions=[Definition("place", many=True), Definition("v", unique=True)],
    )


@every
@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_first_of_equal_values_is_kept_wherever_its_maker_ran(executor, expand, first):
    values = VALUES[first:] + VALUES[:first]

    def make(place):
        return [values[place]] if expand else values[place]

    run = flow_of(make, expand=expand).run({"place": [0, 1, 2]}, executor=executor, workers=3)
    assert run["texts"] == [repr(values[0])] and run["vs"] == repr([values[0]]) and repr(run["v"]) == run["vs"]
    assert run.calls.count("told") == 1


@pytest.mark.parametrize("form", ["coroutines", "threads"])
@pytest.mark.parametrize("expand", [False, True])
def test_the_first_of_equal_values_is_kept_though_its_maker_ends_last(form, expand):
    others, event = [], (asyncio.Event if form == "coroutines" else threading.Event)()

    def ended(place):
        others.append(place)
        if len(others) == 2:
            event.set()
        return [VALUES[place]] if expand else VALUES[place]

    async def coroutine(place):
        if place == 0:
            await asyncio.wait_for(event.wait(), 30)
        return ended(place)

    def function(place):
        assert place or event.wait(30)
        return ended(place)

    flow = flow_of(coroutine if form == "coroutines" else function, expand=expand)
    run = flow.run({"place": [0, 1, 2]}, executor=None if form == "coroutines" else form, workers=3)
    assert run["texts"] == ["1"] and run["vs"] == "[1]"


@every
def test_of_two_spellings_with_one_key_the_first_found_is_followed(executor):
    pages = {"home": ["b/A", "b/a"], "b/A": ["c/X"], "b/a": ["no"], "c/X": ["HOME"]}
    flow = DataFlow(
        operation(name="follow", outputs="url", expand=True)(lambda url: pages.get(url, [])),
        operation(outputs="urls", collect="url", inputs={"u": "url"})(lambda u: u),
        definitions=[Definition("url", unique=str.lower)],
    )
    run = flow.run({"url": ["home"]}, executor=executor, workers=2)
    assert run["urls"] == run["url"] == ["home", "b/A", "c/X"] and run.calls.count("follow") == 3


def test_what_a_generator_yields_flows_on_though_an_equal_value_may_come():
    seen = asyncio.Event()

    async def numbers(n):
        yield 1
        await asyncio.wait_for(seen.wait(), 30)
        yield 1.0
        yield 2

    async def mark(v):
        seen.set()
        return repr(v)

    flow = DataFlow(
        operation(outputs="v", expand=True)(numbers), operation(outputs="text")(mark),
        definitions=[Definition("v", unique=True)],
    )  # fmt: skip
    assert flow.run({"n": 0}, ["text"])["text"] == ["1", "2"]


def test_texts_flow_on_while_another_maker_still_runs():
    seen = asyncio.Event()

    async def make(place):
        if place == 0:
            await asyncio.wait_for(seen.wait(), 30)
        return f"text {place}"

    async def mark(v):
        seen.set()
        return v

    flow = DataFlow(
        operation(outputs="v")(make), operation(outputs="text")(mark),
        definitions=[Definition("place", many=True), Definition("v", unique=True)],
    )  # fmt: skip
    assert flow.run({"place": [0, 1]}, ["text"])["text"] == ["text 0", "text 1"]


@pytest.mark.parametrize("form", ["coroutines", "threads"])
def test_of_what_generators_yield_at_once_the_first_by_position_is_kept(form):
    others, event = [], (asyncio.Event if form == "coroutines" else threading.Event)()

    def yielded(place):
        others.append(place)
        if len(others) == 2:
            event.set()

    async def coroutine(place):
        if place == 0:
            await asyncio.wait_for(event.wait(), 30)
        yield VALUES[place]
        yielded(place)

    def function(place):
        assert place or event.wait(30)
        yield VALUES[place]
        yielded(place)

    flow = flow_of(coroutine if form == "coroutines" else function, expand=True)
    run = flow.run({"place": [0, 1, 2]}, executor=None if form == "coroutines" else form, workers=3)
    assert run["texts"] == ["1"] and run["vs"] == "[1]"


def test_what_the_next_generator_yields_flows_on_when_those_before_it_have_ended():
    seen = asyncio.Event()

    async def numbers(place):
        yield place
        if place == 1:
            await asyncio.wait_for(seen.wait(), 30)
            yield 7

    async def mark(v):
        if v == 1:
            seen.set()
        return repr(v)

    flow = DataFlow(
        operation(outputs="v", expand=True)(numbers), operation(outputs="text")(mark),
        definitions=[Definition("place", many=True), Definition("v", unique=True)],
    )  # fmt: skip
    assert flow.run({"place": [0, 1, 2]}, ["text"])["text"] == ["0", "1", "7", "2"]


class Sulking:
    """Can be compared with nothing but itself."""

    def __hash__(self):
        return 1

    def __eq__(self, other):
        raise OSError("never equal, never different")


@every
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_value_that_waited_and_cannot_be_compared_fails_its_own_call_alone(executor, on_error):
    flow = DataFlow(
        operation(outputs="v", on_error=on_error)(lambda place: Sulking() if place else "text"),
        operation(outputs="one")(lambda v: 1), operation(outputs="count", collect="one")(lambda one: len(one)),
        definitions=[Definition("place", many=True), Definition("v", unique=True)],
    )  # fmt: skip
    run = flow.run({"place": [0, 1, 2]}, ["count"], executor=executor, strict=False)
    assert [(entry.operation, type(entry.error).__name__) for entry in run.errors] == [("v", "FlowError")]
    assert run.values.get("count") == (2 if on_error == "skip" else None) and len(run.lost) == (on_error == "skip")


@every
def test_a_unique_output_of_a_sub_flow_is_one_input_for_equal_values(executor):
    inner = DataFlow(operation(name="lower", outputs="word")(lambda text: text.lower()), name="inner")
    flow = DataFlow(
        inner, operation(name="take", outputs="z")(lambda word: word + "!"),
        definitions=[Definition("text", many=True), Definition("word", unique=True)],
    )  # fmt: skip
    run = flow.run({"text": ["B", "b", "a"]}, executor=executor)
    assert run["word"] == ["b", "a"] and run["z"] == ["b!", "a!"]
    assert sorted(run.calls) == ["inner/lower"] * 3 + ["take"] * 2


@every
def test_a_call_on_what_a_sub_flow_made_comes_after_the_sub_flows_call(executor):
    inner = DataFlow(operation(name="lower", outputs="word")(lambda text: text.lower()), name="inner")
    flow = DataFlow(inner, operation(name="take", outputs="z")(lambda word: word + "!"))
    assert flow.run({"text": "A"}, executor=executor).calls == ("inner/lower", "take")


@every
def test_what_is_not_a_number_is_one_input_of_a_unique_definition_whichever_object_it_is(executor):
    flow = DataFlow(
        operation(outputs="v")(lambda place: float("nan")), operation(outputs="text")(lambda v: str(v)),
        definitions=[Definition("place", many=True), Definition("v", unique=True)],
    )  # fmt: skip
    assert flow.run({"place": [0, 1]}, ["text"], executor=executor)["text"] == ["nan"]
