"""What a list has in it, and when: several makers, axes of its own, joins below one element, products on cycles."""

import asyncio

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError
from flowlab.graph import Definition, operation

every = pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])


@every
def test_two_lists_made_from_one_element_pair_up_within_it_only(executor):
    flow = DataFlow(
        operation(outputs="x", expand=True)(lambda url: [f"{url}x{i}" for i in range(2)]),
        operation(outputs="y", expand=True)(lambda url: [f"{url}y{i}" for i in range(2)]),
        operation(outputs="z")(lambda x, y: x + y), operation(outputs="all", collect="z")(lambda url, z: z),
        definitions=[Definition("url", many=True)],
    )  # fmt: skip
    run = flow.run({"url": ["a", "b"]}, ["z", "all"], executor=executor)
    one, two = ([f"{u}x{i}{u}y{j}" for i in range(2) for j in range(2)] for u in "ab")
    assert run["z"] == one + two and run["all"] == [one, two]


async def first_late(b):
    await asyncio.sleep(0.02 if b == 1 else 0)
    return [("one", b)]


@pytest.mark.parametrize("form", ["inline", "asyncio", "threads", "processes", "coroutine"])
def test_a_list_of_several_expands_for_each_element_has_what_every_element_added(form):
    flow = DataFlow(
        operation(name="one", outputs="c", expand=True)(first_late if form == "coroutine" else lambda b: [("one", b)]),
        operation(name="two", outputs="c", expand=True)(lambda b: [("two", b)]),
        operation(outputs="d", collect="c")(lambda c, b: (b, c)), definitions=[Definition("b", many=True)],
    )  # fmt: skip
    whole = [("one", 1), ("one", 2), ("two", 1), ("two", 2)]
    run = flow.run({"b": [1, 2]}, ["d"], executor=None if form == "coroutine" else form)
    assert run["d"] == [(1, whole), (2, whole)]


@pytest.mark.parametrize("late", ["first", "second"])
def test_what_two_operations_find_on_a_cycle_goes_by_the_finders_name(late):
    def finder(name):
        async def find(n):
            for _ in range(9 if name == late else 0):
                await asyncio.sleep(0)
            return [f"{n}{name[0]}"] if len(n) < 3 else []

        return operation(name=name, outputs="n", expand=True)(find)

    flow = DataFlow(finder("second"), finder("first"), definitions=[Definition("n", unique=True)])
    assert flow.run({"n": ["-"]}, ["n"])["n"] == ["-", "-f", "-s", "-ff", "-fs", "-sf", "-ss"]


@every
def test_a_product_on_a_cycle_has_an_order(executor):
    flow = DataFlow(
        operation(name="step", outputs="n", expand=True, join="product", inputs={"a": "n", "b": "n"})(
            lambda a, b: [a + b] if a + b < 12 else []
        ),
        definitions=[Definition("n", unique=True)],
    )
    expected = [1, 5, 2, 6, 10, 3, 7, 4, 11, 8, 9]
    assert flow.run({"n": [1, 5]}, ["n"], executor=executor, workers=3)["n"] == expected


@every
def test_a_list_waits_for_an_output_call_that_adds_to_it(executor):
    flow = DataFlow(
        operation(name="now", outputs="g", expand=True)(lambda a: [1]),
        operation(name="then", outputs="g", expand=True, stage="output")(lambda a: [2]),
        operation(outputs="all", collect="g")(lambda g: g), operation(outputs="after")(lambda all: len(all)),
    )  # fmt: skip
    assert flow.run({"a": 1}, ["after"], executor=executor)["after"] == 2


def test_combined_makers_range_over_the_same():
    flow = DataFlow(
        operation(name="each", outputs="c")(lambda x: x), operation(name="once", outputs="c")(lambda k: k),
        operation(outputs="all", collect="c")(lambda c: c),
        definitions=[Definition("x", many=True), Definition("c", combine=sum)],
    )  # fmt: skip
    with pytest.raises(FlowError, match="both make 'c', but over different lists"):
        flow.run({"x": [1], "k": 2}, ["all"])


@every
def test_what_was_used_and_let_go_is_not_made_again_by_an_alternative(executor):
    flow = DataFlow(
        operation(name="a1", outputs="a", weight=1)(lambda x: ("a1", x)),
        operation(name="a2", outputs="a", weight=2)(lambda x: ("a2", x)),
        operation(outputs="used")(lambda a: a), operation(name="b1", outputs="b", weight=1)(lambda used: 1 / 0),
        operation(name="b2", outputs="b", weight=9)(lambda x: ("b2", x)),
        operation(outputs="end")(lambda used, b: (used, b)), definitions=[Definition("x", many=True)],
    )  # fmt: skip
    run = flow.run({"x": [1, 2]}, ["end"], executor=executor)
    assert run["end"] == [(("a1", x), ("b2", x)) for x in (1, 2)]
    assert run.calls.count("a1") == run.calls.count("used") == 2 and "a2" not in run.calls


@every
def test_a_list_for_each_of_a_growing_many_waits_for_those_still_to_come_if_they_add_to_it(executor):
    flow = DataFlow(
        operation(name="now", outputs="d", expand=True)(lambda a: [1]),
        operation(name="then", outputs="d", expand=True, stage="output")(lambda a: [2]),
        operation(name="one", outputs="e", expand=True)(lambda d: [("one", d)]),
        operation(name="two", outputs="e", expand=True)(lambda a: ["two"]),
        operation(outputs="g", collect="e")(lambda d, e: (d, e)),
    )
    whole = [("one", 1), ("one", 2), "two"]
    assert flow.run({"a": 0}, ["g"], executor=executor)["g"] == [(1, whole), (2, whole)]
