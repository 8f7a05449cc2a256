"""Alternatives of a unique definition: one stands in for another element by element, as for any definition."""

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)


def tenfold(x):
    if x % 2 == 0:
        raise ValueError
    return x * 10


def odd(x):
    return x % 2 == 1


def negative(x):
    if x == 4:
        raise KeyError
    return -x


def flow_of(first=tenfold, second=negative, **settings):
    return DataFlow(
        operation(outputs="v", name="first", weight=1, **settings)(first),
        operation(outputs="v", name="second", weight=2)(second),
        operation(outputs="w", name="take")(lambda v: v),
        operation(outputs="r", name="gather", collect="w")(lambda w: w),
        definitions=[Definition("x", many=True), Definition("v", unique=True)],
    )


@every
def test_another_maker_of_a_unique_definition_steps_in_where_the_chosen_one_fails(executor):
    run = flow_of().run({"x": [1, 2, 3, 6]}, ["r", "v"], executor=executor)
    assert run["r"] == run["v"] == [10, -2, 30, -6]
    assert [(entry.operation, type(entry.error)) for entry in run.errors] == [("first", ValueError)] * 2


@every
def test_another_maker_of_a_unique_definition_steps_in_where_the_chosen_ones_domain_says_no(executor):
    run = flow_of(lambda x: x * 10, domain=odd).run({"x": [1, 2, 3]}, ["r"], executor=executor)
    assert run["r"] == [10, -2, 30] and not run.errors


@every
def test_equal_values_of_several_makers_of_a_unique_definition_are_one(executor):
    run = flow_of(second=lambda x: 10).run({"x": [2, 1, 4, 3]}, ["v"], executor=executor)
    assert run["v"] == [10, 30]


@every
def test_an_element_that_no_maker_of_a_unique_definition_makes_is_missed(executor):
    with pytest.raises(RunError) as raised:
        flow_of().run({"x": [1, 4]}, ["r"], executor=executor)
    assert [entry.operation for entry in raised.value.errors] == ["first", "second"]


@pytest.mark.parametrize("settings", [{"expand": True}, {"inputs": {"x": "z"}}], ids=["expands", "another list"])
def test_makers_of_a_unique_definition_over_different_lists_are_an_error_that_names_both(settings):
    flow = DataFlow(
        operation(outputs="v", name="first", weight=1, **settings)(lambda x: [x]),
        operation(outputs="v", name="second", weight=2)(lambda x: x),
        definitions=[Definition("x", many=True), Definition("v", unique=True)]
        + ([Definition("z", many=True)] if "inputs" in settings else []),
    )
    with pytest.raises(FlowError, match="'first' and 'second' both make 'v', but over different lists"):
        flow.run({"x": [1], **({"z": [1]} if "inputs" in settings else {})}, ["v"])
