"""The planner: equal to brute force on small flows, and the same whatever the order of operations."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlab.graph import Definition, operation, wire
from flowlab.planning import plan

NAMES = "abcdef"


@st.composite
def flows(draw):
    operations = []
    for number in range(draw(st.integers(1, 7))):
        takes = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
        makes = draw(st.sampled_from(NAMES))
        operations.append((f"o{number}", tuple(takes), makes, draw(st.integers(0, 4))))
    return operations


def graph_of(specs):
    made = []
    for name, takes, makes, weight in specs:
        scope = {}
        exec(f"def body({', '.join(takes)}): pass", scope)
        made.append(operation(name=name, outputs=makes, weight=weight)(scope["body"]))
    return wire(made)


def brute_force(specs, have):
    """Costs by trying again until nothing gets cheaper."""
    costs = dict.fromkeys(have, 0.0)
    for _ in range(len(specs) * len(NAMES) + 1):
        for _, takes, makes, weight in specs:
            if makes not in have and all(name in costs for name in takes):
                cost = weight + max((costs[name] for name in takes), default=0.0)
                costs[makes] = min(costs.get(makes, cost), cost)
    return costs


@settings(max_examples=300, deadline=None)
@given(flows(), st.sets(st.sampled_from(NAMES), max_size=3))
def test_the_planner_equals_brute_force(specs, have):
    graph = graph_of(specs)
    have = {name for name in have if name in graph.definitions}
    found = plan(graph, sorted(have))
    expected = brute_force(specs, have)
    assert dict(found.costs) == expected
    assert set(found.wanted) == {name for name in expected if name not in have}
    ready = set(have)
    for name in found.operations:
        assert set(graph.operations[name].takes) <= ready, "makers come before takers"
        ready |= set(graph.operations[name].makes)
    for name in found.wanted:
        (maker,) = found.makers[name]
        operation_ = graph.operations[maker]
        assert operation_.weight + max((expected[taken] for taken in operation_.takes), default=0) == expected[name]


def test_ties_between_makers_off_a_cycle_go_by_name():
    specs = [("o1", (), "a", 0), ("o0", (), "a", 0), ("o2", ("a",), "a", 0)]
    assert plan(graph_of(specs), []).makers == {"a": ("o0",)}


@settings(max_examples=60, deadline=None)
@given(flows(), st.sets(st.sampled_from(NAMES), max_size=3), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_operations(specs, have, random):
    shuffled = list(specs)
    random.shuffle(shuffled)
    plans = [plan(graph_of(each), sorted(have)) for each in (specs, shuffled)]
    assert plans[0].makers == plans[1].makers and plans[0].cost == plans[1].cost


def test_only_what_is_needed_is_planned_and_the_rest_is_an_alternative():
    specs = [("cheap", ("a",), "b", 1), ("dear", ("a",), "b", 2), ("aside", ("a",), "c", 1), ("last", ("b",), "d", 1)]
    found = plan(graph_of(specs), ["a"], ["d"])
    assert found.operations == ("cheap", "last") and found.cost == 2
    assert found.alternatives == {"b": ("dear",)} and found.reserve == ("dear",)


def test_costs_come_in_as_an_argument():
    specs = [("cheap", ("a",), "b", 1), ("dear", ("a",), "b", 2)]
    measured = {"cheap": 9.0, "dear": 3.0}
    assert plan(graph_of(specs), ["a"], ["b"], costs=lambda o: measured[o.name]).operations == ("dear",)


def test_forty_diamonds_in_a_row_are_linear():
    specs = []
    for i in range(40):
        specs += [
            (f"l{i}", (f"n{i}",), f"l{i}", 1),
            (f"r{i}", (f"n{i}",), f"r{i}", 1),
            (f"j{i}", (f"l{i}", f"r{i}"), f"n{i + 1}", 1),
        ]
    found = plan(graph_of(specs), ["n0"], ["n40"])
    assert len(found.operations) == 120 and found.cost == 80


def test_operations_left_out_are_not_used():
    specs = [("cheap", ("a",), "b", 1), ("dear", ("a",), "b", 2)]
    assert plan(graph_of(specs), ["a"], ["b"], without=frozenset({"cheap"})).operations == ("dear",)


def test_an_optional_input_on_a_cycle_with_its_own_result_stays_away():
    first = operation(name="f", outputs="c")(lambda a, b=0: a)
    second = operation(name="g", outputs="b")(lambda c: c)
    found = plan(wire([first, second], [Definition("a")]), ["a"])
    assert set(found.operations) == {"f", "g"} and found.idle == {("f", "b")}


def test_ties_go_by_name_in_every_order():
    specs = [("z", ("a",), "b", 1), ("m", ("a",), "b", 1), ("k", ("a",), "b", 1)]
    for order in itertools.permutations(specs):
        assert plan(graph_of(list(order)), ["a"], ["b"]).operations == ("k",)
