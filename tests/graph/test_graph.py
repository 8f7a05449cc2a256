"""Building flows: wiring, types, cycles, names, and the errors they give."""

import functools

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, FlowlabError
from flowlab.graph import MISSING, Definition, operation, resource
from flowlab.graph.cycles import components
from flowlab.graph.definition import key_of


def f(a: int, b: str = "x", *, c=None) -> float:
    """Add."""
    return a


def test_an_operation_has_the_functions_parameters_and_defaults():
    made = operation(f)
    assert made.takes == ("a", "b", "c") and made.defaults == (MISSING, "x", None) and made.named == 1
    assert (made.name, made.makes, made.__doc__, made.kind) == ("f", ("f",), "Add.", "function")


def test_calling_an_operation_calls_its_function():
    assert operation(f)(7, c=1) == 7


def test_an_operation_of_an_operation_or_of_a_measured_function_is_of_the_function_itself():
    def measured(a):
        return a

    measured.__flowlab_measured__ = True
    measured.__wrapped__ = f
    assert operation(operation(f)).function is f
    assert operation(measured).function is f


@pytest.mark.parametrize(
    ("function", "kind"),
    [(lambda: 1, "function"), (functools.partial(f, 1), "function")],
    ids=["lambda", "partial"],
)
def test_every_callable_makes_an_operation(function, kind):
    assert operation(name="o", outputs="y")(function).kind == kind


def test_a_partials_given_arguments_are_optional_or_gone():
    assert operation(name="o")(functools.partial(f, 1)).takes == ("b", "c")


def test_configured_copies_with_other_settings():
    made = operation(f)
    assert made.configured(weight=3, timeout_s=2).weight == 3 and made.weight == 1
    with pytest.raises(FlowError, match="no setting 'wait'"):
        made.configured(wait=3)


BAD = [
    ({"stage": "late"}, "stage is one of"),
    ({"on_error": "ignore"}, "on_error is one of"),
    ({"join": "zip"}, "join is one of"),
    ({"runs": "gpu"}, "runs is one of"),
    ({"weight": -1}, "0 or more"),
    ({"timeout_s": 0}, "more than 0"),
    ({"workers": 0}, "at least 1"),
    ({"inputs": {"x": "y"}}, "no parameter 'x'"),
    ({"collect": "x"}, "collects 'x'"),
    ({"retry": 1}, "no setting 'retry'"),
    ({"outputs": ["a", "a"]}, "names an output twice"),
    ({"outputs": {"k": "a", "l": "a"}}, "name each of a, a once"),
    ({"outputs": ""}, "outputs are names of definitions"),
    ({"outputs": ["a", 3]}, "give strings that are not empty"),
    ({"when": 3}, "when are names of definitions"),
    ({"weight": float("nan")}, "retries and backoff_s are 0 or more"),
    ({"retries": "3"}, "are numbers"),
    ({"domain": 3}, "domain is a function"),
]


@pytest.mark.parametrize(("settings", "says"), BAD, ids=[says for _, says in BAD])
def test_a_bad_setting_says_what_is_allowed(settings, says):
    with pytest.raises(FlowError, match=says):
        operation(**settings)(f)


@pytest.mark.parametrize("setting", ["check", "combine", "unique"])
def test_a_definitions_functions_are_functions(setting):
    with pytest.raises(FlowError, match=f"{setting} is a function, not 3"):
        Definition("x", **{setting: 3})


def test_a_coroutine_runs_on_the_loop_and_nowhere_else():
    async def c(a): ...

    assert operation(runs="asyncio")(c).is_async
    with pytest.raises(FlowError, match="runs on the loop"):
        operation(runs="threads")(c)


def test_a_generator_needs_expand_and_a_resource_needs_a_generator():
    def g(a):
        yield a

    with pytest.raises(FlowError, match="expand=True"):
        operation(g)
    with pytest.raises(FlowError, match="yields once"):
        resource(f)
    with pytest.raises(FlowError, match="scope"):
        resource(scope="life")(g)


def typed(source, target, **settings):
    def make():
        return 1

    def take(value):
        return 1

    make.__annotations__ = {"return": source}
    take.__annotations__ = {"value": target}
    return DataFlow(operation(outputs="value", **settings)(make), operation(take))


FITS = [
    (int, int), (int, float), (bool, int), (list[int], list), (list[int], list[int]), (int, int | str),
    (int | None, int), ("Unknown", str), (dict, "dict[str, int]"), (object, object),
]  # fmt: skip
CLASHES = [(int, str), (list[int], list[str]), (str, int | float), (float, int), (dict, list)]


@pytest.mark.parametrize(("source", "target"), FITS, ids=str)
def test_types_that_fit_are_accepted(source, target):
    assert typed(source, target).plan([], outputs=["take"]).operations == ("make", "take")


@pytest.mark.parametrize(("source", "target"), CLASHES, ids=str)
def test_types_that_clash_are_an_error_with_both_names(source, target):
    with pytest.raises(FlowError, match=r"operation 'make' makes .* operation 'take' wants"):
        typed(source, target)


def test_the_element_type_counts_for_expand_and_collect():
    typed(list[int], int, expand=True)
    with pytest.raises(FlowError, match="'value' does not fit"):
        typed(list[str], int, expand=True)

    def make() -> int:
        return 1

    def gather(value: list[str]) -> int:
        return 1

    with pytest.raises(FlowError, match="'value' does not fit"):
        DataFlow(operation(outputs="value")(make), operation(collect="value")(gather))


def test_each_of_several_outputs_has_its_type():
    def pair() -> tuple[int, str]:
        return 1, ""

    def take(b: int) -> None: ...

    with pytest.raises(FlowError, match="makes str"):
        DataFlow(operation(outputs=["a", "b"])(pair), operation(take))


def test_a_definitions_type_is_checked_too():
    def take(a: str) -> None: ...

    with pytest.raises(FlowError, match="its definition"):
        DataFlow(operation(take), definitions=[Definition("a", int)])


def test_a_definition_nobody_uses_is_an_error_with_the_nearest_name():
    with pytest.raises(FlowError, match="did you mean 'alpha'"):
        DataFlow(operation(name="x")(lambda alpha: 1), definitions=[Definition("alpa")])


def test_a_plain_function_among_operations_is_an_error_with_the_way_out():
    with pytest.raises(FlowError, match=r"decorate it with fl\.operation"):
        DataFlow(f)


def test_every_error_is_a_flowlab_error_and_a_value_error():
    assert issubclass(FlowError, FlowlabError) and issubclass(FlowError, ValueError)


def test_a_cycle_with_expand_and_no_unique_names_the_operation():
    with pytest.raises(FlowError, match="operation 'grow' expands on a cycle"):
        DataFlow(operation(outputs="x", expand=True, name="grow")(lambda x: [x]))


def test_a_chain_of_a_hundred_thousand_builds_plans_and_runs_without_recursion():
    count = 100_000

    def step(x):
        return x + 1

    flow = DataFlow(*[operation(name=f"o{i}", inputs={"x": f"d{i}"}, outputs=f"d{i + 1}")(step) for i in range(count)])
    assert flow.run({"d0": 0}, [f"d{count}"])[f"d{count}"] == count


def test_a_long_chain_that_fails_at_its_start_ends_without_recursion():
    def step(x):
        return x / 0

    count = 5000
    flow = DataFlow(*[operation(name=f"o{i}", inputs={"x": f"d{i}"}, outputs=f"d{i + 1}")(step) for i in range(count)])
    run = flow.run({"d0": 1}, [f"d{count}"], strict=False)
    assert run.calls == ("o0",) and run.explain(f"d{count}").startswith(f"'d{count}' was not made: operation 'o0'")


def test_components_are_those_of_a_small_graph():
    found = components({1: [2], 2: [3], 3: [1, 4], 4: [5], 5: [4], 6: [6], 7: [1]})
    groups = {}
    for node, number in found.items():
        groups.setdefault(number, set()).add(node)
    assert sorted(map(sorted, groups.values())) == [[1, 2, 3], [4, 5], [6]]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([1, [2]], [1, [2]], True),
        ({"a": [1]}, {"a": [1]}, True),
        ({1, 2}, {2, 1}, True),
        ([1], (1,), False),
        ("a", "a", True),
    ],
    ids=str,
)
def test_unique_keys_compare_by_content(one, other, same):
    definition = Definition("x", unique=True)
    assert (key_of(definition, one) == key_of(definition, other)) is same


def test_what_cannot_be_compared_asks_for_a_key():
    class Odd:
        __hash__ = None

    with pytest.raises(FlowError, match="unique=function"):
        key_of(Definition("x", unique=True), Odd())
    assert key_of(Definition("x", unique=lambda odd: 1), Odd()) == 1
