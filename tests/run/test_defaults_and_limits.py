"""Defaults of lists, makers that cannot stand in for each other, what is freed, what sub-flows lose."""

import asyncio
import gc
import weakref

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError
from flowlab.graph import Definition, operation

every = pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
here = pytest.mark.parametrize("executor", ["inline", "asyncio", "threads"])


@pytest.mark.parametrize("expand", [False, True])
def test_makers_over_different_lists_are_an_error_that_names_both(expand):
    one = operation(name="one", outputs="a", weight=2)(lambda k: k)
    many = operation(name="many", outputs="a", expand=expand)(lambda x: [x])
    flow = DataFlow(one, many, operation(outputs="b")(lambda a: a), definitions=[Definition("x", many=not expand)])
    with pytest.raises(FlowError, match=r"'many' and 'one' both make 'a'"):
        flow.run({"x": [1, 2], "k": 9}, ["b"])
    assert flow.run({"k": 9}, ["b"])["b"] == 9


@every
def test_the_default_of_a_many_is_collected_and_goes_element_by_element(executor):
    lists = [Definition("x", many=True, default=[1, 2, 3])]
    collected = DataFlow(operation(outputs="s", collect="x")(lambda x: sum(x)), definitions=lists)
    each = DataFlow(
        operation(outputs="y")(lambda x: 10 * x), operation(outputs="s", collect="y")(lambda y: y), definitions=lists
    )
    for flow, default, given in ((collected, 6, 4), (each, [10, 20, 30], [40])):
        assert flow.run({}, ["s"], executor=executor)["s"] == default
        assert flow.run({"x": [4]}, ["s"], executor=executor)["s"] == given
        assert [run["s"] for run in flow.map([{}, {"x": [4]}], ["s"], executor=executor)] == [default, given]


@every
def test_a_default_is_the_only_value_of_a_list_that_nothing_makes(executor):
    flow = DataFlow(
        operation(outputs="row")(lambda link: link),
        operation(outputs="s", collect="row")(lambda row: row),
        definitions=[Definition("row", default=-1)],
    )
    assert flow.run({}, ["s"], executor=executor)["s"] == [-1]
    assert flow.run({"link": 2}, ["s"], executor=executor)["s"] == [2]


class Value:
    """Something that can be referred to weakly."""


@here
@pytest.mark.parametrize("many", [False, True])
def test_values_nobody_asked_for_are_freed(executor, many):
    made = []

    def make(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    flow = DataFlow(
        operation(outputs="value")(make),
        operation(outputs="left")(lambda value: 1),
        operation(outputs="right")(lambda value: 2),
        definitions=[Definition("x", many=many)],
    )
    run = flow.run({"x": [1, 2] if many else 1}, ["left", "right"], executor=executor)
    gc.collect()
    assert run["right"] and made and [ref() for ref in made] == [None] * len(made)
    run = flow.run({"x": [1, 2] if many else 1}, executor=executor)
    assert run["value"] and all(ref() is not None for ref in made[len(made) // 2 :])


@here
def test_an_element_is_freed_while_others_still_run(executor):
    made, alive = [], []

    def make(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    def summarise(size):
        gc.collect()
        alive.append(sum(ref() is not None for ref in made))
        return sum(size)

    flow = DataFlow(
        operation(outputs="value")(make), operation(outputs="size")(lambda value: 1),
        operation(outputs="sum", collect="size")(summarise), definitions=[Definition("x", many=True)],
    )  # fmt: skip
    assert flow.run({"x": range(100)}, ["sum"], executor=executor)["sum"] == 100
    assert alive[0] < 20


def freeing(made, many):
    """A flow in which `count` tells how many of the values made before it are alive, once two took each."""

    def make(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    def count(done):
        gc.collect()
        return sum(ref() is not None for ref in made)

    return DataFlow(
        operation(name="one", outputs="p")(make),
        operation(name="two", outputs="q")(make),
        operation(name="merge", outputs="m")(lambda p, q: 1),
        operation(name="again", outputs="n")(lambda m, p: 1),
        operation(name="last", outputs="done", collect="n")(lambda n: len(n))
        if many
        else operation(name="last", outputs="done")(lambda n: n),
        operation(outputs="alive")(count),
        definitions=[Definition("x", many=many)],
    )


@pytest.mark.parametrize("form", ["inline", "asyncio", "threads", "off", "stream"])
@pytest.mark.parametrize("many", [False, True])
def test_a_value_is_freed_when_the_last_of_its_consumers_has_ended(form, many):
    made = []
    flow, given = freeing(made, many), {"x": range(20) if many else 1}
    if form == "stream":
        run = asyncio.run(anext(flow.stream([given], ["alive"])))
    elif form == "off":
        run = flow.run(given, ["alive"], level="off")
    else:
        run = flow.run(given, ["alive"], executor=form, workers=1)
    assert run["alive"] == 0 and len(made) == (40 if many else 2)


@pytest.mark.parametrize("form", ["inline", "asyncio", "threads", "coroutine"])
@pytest.mark.parametrize("outer", [False, True])
def test_what_many_calls_or_a_list_take_is_freed_when_the_list_is_complete(form, outer):
    made = []

    def tracked():
        value = Value()
        made.append(weakref.ref(value))
        return value

    def scalar(x):
        return tracked()

    def elements(x):
        return [tracked() for _ in range(5)]

    def summed(used):
        return len(used)

    def alive(passed):
        gc.collect()
        return sum(ref() is not None for ref in made)

    async def later(passed):
        return alive(passed)

    flow = DataFlow(
        operation(scalar), operation(outputs="value", expand=True)(elements),
        operation(outputs="used", when="scalar")(lambda scalar, value: 1),
        operation(outputs="sum", collect="used")(lambda x, used: len(used)) if outer
        else operation(outputs="sum", collect="used")(summed),
        operation(outputs="both", collect="value")(lambda sum, x, value: len(value)) if outer
        else operation(outputs="both", collect="value")(lambda sum, value: len(value)),
        operation(outputs="passed")(lambda sum, both: 1),
        operation(outputs="alive", collect="passed")(later if form == "coroutine" else alive),
        definitions=[Definition("x", many=outer)],
    )  # fmt: skip
    executor = None if form == "coroutine" else form
    run = flow.run({"x": range(4) if outer else 1}, ["alive"], executor=executor, workers=1)
    assert len(made) == (24 if outer else 6) and run["alive"] == 0


@here
def test_what_a_call_that_never_ran_would_have_taken_is_freed(executor):
    made = []

    def make(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    def alive(x):
        gc.collect()
        return sum(ref() is not None for ref in made)

    flow = DataFlow(
        operation(outputs="value")(make), operation(outputs="bad")(lambda x: 1 / 0),
        operation(outputs="none")(lambda value, bad: 1), operation(outputs="other")(lambda x: 1),
        operation(outputs="alive", stage="output")(alive),
    )  # fmt: skip
    run = flow.run({"x": 1}, executor=executor, workers=1, strict=False)
    assert run["value"] and run["alive"] == 1
    assert flow.run({"x": 1}, ["none", "other", "alive"], executor=executor, workers=1, strict=False)["alive"] == 1


@every
def test_why_a_value_is_missing_is_told_though_a_default_served_in_its_place(executor):
    flow = DataFlow(operation(outputs="x")(lambda a: 1 / 0), operation(outputs="y")(lambda a, x=5: x))
    run = flow.run({"a": 1}, ["y"], executor=executor)
    assert run["y"] == 5 and run.explain("x") == "'x' was not made: operation 'x' failed with ZeroDivisionError."


@here
def test_what_an_alternative_may_still_need_is_not_freed(executor):
    def fail(m):
        raise ValueError

    flow = DataFlow(
        operation(outputs="p")(lambda x: [x]),
        operation(outputs="m")(lambda p: 1),
        operation(name="chosen", outputs="c")(fail),
        operation(name="spare", outputs="c", weight=9)(lambda p: p),
    )
    run = flow.run({"x": 1}, ["c"], executor=executor, strict=False)
    assert run["c"] == [1] and run.calls.count("p") == 1


@here
def test_a_failure_late_in_a_plan_finds_all_that_was_made_before(executor):
    def fail(b):
        raise ValueError

    flow = DataFlow(
        operation(outputs="a")(lambda x: x + 1), operation(outputs="b")(lambda a: a + 1),
        operation(outputs="c", on_error="dead-letter")(fail), operation(outputs="d")(lambda b, x: b + x),
        operation(outputs="e")(lambda a, d: a + d), operation(outputs="f")(lambda c: c),
    )  # fmt: skip
    run = flow.run({"x": 1}, ["e", "f"], executor=executor, strict=False)
    assert run["e"] == 6 and "f" not in run and dict(run.dead_letters[0].parameters) == {"b": 3}
    assert sorted(run.calls) == ["a", "b", "d", "e", "fail"]


def test_the_runs_of_a_stream_hold_nothing_that_was_not_asked_for():
    made = []

    def make(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    flow = DataFlow(
        operation(outputs="a")(make), operation(outputs="b")(lambda a: a), operation(outputs="c")(lambda b: 1)
    )

    async def main():
        return [run async for run in flow.stream(({"x": i} for i in range(50)), ["c"])]

    runs = asyncio.run(main())
    gc.collect()
    assert len(runs) == len(made) == 50 and not any(ref() is not None for ref in made)


def test_a_sub_flows_output_is_used_once_though_it_came_before_the_sub_flow_ended():
    seen = []

    async def main():
        event = asyncio.Event()

        async def second(s):
            await asyncio.wait_for(event.wait(), 30)
            return s

        async def outside(s):
            seen.append(s)
            event.set()
            return s

        inner = DataFlow(operation(outputs="s")(lambda a: a), operation(outputs="t")(second))
        flow = DataFlow(
            inner.as_operation("inner", outputs={"s": "s", "t": "t"}), operation(outputs="u")(outside),
            definitions=[Definition("a", many=True)],
        )  # fmt: skip
        return await flow.run_async({"a": [1, 2]}, ["u", "t"])

    assert asyncio.run(main())["u"] == [1, 2] and sorted(seen) == [1, 2]


@every
@pytest.mark.parametrize("on_error", ["raise", "skip", "dead-letter"])
def test_a_list_inside_a_sub_flow_goes_on_as_on_error_says(executor, on_error):
    def row(x):
        if x == 1:
            raise ValueError
        return x

    part = DataFlow(
        operation(outputs="row", on_error=on_error)(row), operation(outputs="rows", collect="row")(lambda row: row),
        definitions=[Definition("x", many=True)], name="part",
    )  # fmt: skip
    run = DataFlow(part, operation(name="z")(lambda rows: len(rows))).run(
        {"x": [0, 1, 2]}, executor=executor, strict=False
    )
    went_on = on_error != "raise"
    assert run.values.get("rows") == ([0, 2] if went_on else None)
    assert [e.operation for e in run.lost] == (["part/row"] if went_on else [])
    assert "part/row" in [e.operation for e in run.errors]
    letters = [(letter.operation, dict(letter.parameters)) for letter in run.dead_letters]
    assert letters == ([("part/row", {"x": 1})] if on_error == "dead-letter" else [])
