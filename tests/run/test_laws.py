"""Laws, by Hypothesis: the state alone, driven in random order, and whole runs under every executor."""

import itertools
import json
import random
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.run.layout.wiring import layout
from flowlab.run.outcome.context import make_handlers
from flowlab.run.outcome.outcome import value
from flowlab.run.state.locks import Locks
from flowlab.run.state.state import State

LISTS = st.lists(st.lists(st.integers(), max_size=3), max_size=4)
VECTORS = Path(__file__).parents[1] / "conformance"


def drive(flow, inputs, outputs, rng):
    """Run a state to its end, ending calls in random order, generators element by element; no driver, no clock."""
    made = layout(flow.graph, inputs, outputs)
    handlers = make_handlers(made)
    state = State(made)
    state.begin({name: list(item) if flow.graph.many(name) else item for name, item in inputs.items()})
    started, count = [], 0
    while True:
        started.extend((*call, None) for call in state.ready)
        state.ready.clear()
        if not started:
            if not state.advance():
                break
            continue
        node, element, arguments, reading = started.pop(rng.randrange(len(started)))
        handler = handlers[node.number]
        count += reading is None
        try:
            values = ()
            if handler.streams:
                reading = reading or enumerate(handler.call(arguments))
                place, item = next(reading, (None, None))
                if place is not None:
                    state.emitted(node, element, place, handler.one(item))
                    started.append((node, element, arguments, reading))
                    continue
            else:
                values = handler.values(handler.call(arguments))
        except Exception as error:
            state.failed(node, element, error)
        else:
            state.done(node, element, values)
        if node.locks:
            state.release(node, element)
    assert not state.locks.held and not state.parked and not (state.doubts and state.doubts.calls)
    return {name: value(state, name) for name in made.plan.wanted}, count, state


def crawler(links, generator=False):
    def generate(url):
        yield from links.get(url, ())

    return DataFlow(
        operation(outputs="url", expand=True, name="links")(generate if generator else lambda url: links.get(url, ())),
        operation(outputs="seen")(lambda url: url),
        operation(outputs="all", collect="seen")(lambda seen: seen),
        definitions=[Definition("url", unique=True)],
    )


def breadth_first(links, seeds):
    order, todo = [], list(dict.fromkeys(seeds))
    seen = set(todo)
    while todo:
        url = todo.pop(0)
        order.append(url)
        for found in links.get(url, ()):
            if found not in seen:
                seen.add(found)
                todo.append(found)
    return order


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=5), max_size=13),
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_a_crawl_is_breadth_first_in_every_order_of_completion(links, seeds, seed):
    found, count, _ = drive(crawler(links), {"url": seeds}, ["all"], random.Random(seed))
    expected = breadth_first(links, seeds)
    assert found["all"] == expected
    assert count == 2 * len(expected) + 1, "no operation runs twice on the same parameter set"


MIXED = st.builds(
    lambda number, kind: kind(number), st.integers(0, 6), st.sampled_from([int, float, complex, Fraction])
)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.integers(0, 6), st.lists(MIXED, max_size=5), max_size=7),
    st.lists(MIXED, min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_of_equal_values_that_differ_the_first_by_position_is_kept_in_every_order_of_completion(
    links, seeds, generator, seed
):
    flow = crawler(links, generator)
    flow = DataFlow(
        *flow.operations, operation(outputs="told", inputs={"u": "url"})(repr_of), definitions=flow.definitions
    )
    found, count, _ = drive(flow, {"url": seeds}, ["all", "told"], random.Random(seed))
    expected = [repr(url) for url in breadth_first(links, seeds)]
    assert found["told"] == expected and [repr(url) for url in found["all"]] == expected
    assert count == 3 * len(expected) + 1


def repr_of(u):
    return repr(u)


def generated(x):
    yield from x


def backwards(x):
    yield from reversed(x)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.one_of(MIXED, st.sampled_from(["t", "u"])), max_size=4), max_size=4),
    st.sampled_from(["value", "list", "generator", "nested", "two generators"]),
    st.integers(0, 10**6),
)
def test_whatever_finds_equal_values_that_differ_the_first_by_position_is_kept(lists, form, seed):
    first = operation(name="a_first", outputs="v", expand=form != "value")(
        {"value": lambda x: x[0] if x else None, "list": lambda x: x}.get(form, generated)
    )
    more = []
    if form == "two generators":
        more.append(operation(name="b_second", outputs="v", expand=True)(backwards))
    if form == "nested":
        first = operation(name="a_first", outputs="v", expand=True, inputs={"x": "y"})(generated)
        more.append(operation(name="halves", outputs="y", expand=True)(halves))
    flow = DataFlow(
        first, *more, operation(outputs="told", inputs={"u": "v"})(repr_of),
        operation(outputs="all", collect="told")(lambda told: told),
        definitions=[Definition("x", many=True), Definition("v", unique=True)],
    )  # fmt: skip
    found, _, _ = drive(flow, {"x": lists}, ["all", "v"], random.Random(seed))
    if form == "value":
        values = [x[0] if x else None for x in lists]
    else:
        values = [v for x in lists for v in x]
        values += [v for x in lists for v in reversed(x)] if form == "two generators" else []
    expected = list(dict.fromkeys(values))
    assert found["all"] == list(map(repr, expected)) == list(map(repr, found["v"]))


def halves(x):
    yield x[: len(x) // 2]
    yield x[len(x) // 2 :]


def relation_flow():
    return DataFlow(
        operation(outputs="b", expand=True)(lambda a: a),
        operation(outputs="x")(lambda b: ("x", b)),
        operation(outputs="y")(lambda b: ("y", b)),
        operation(outputs="z")(lambda x, c, y: (x[1], c, y[1])),
        operation(outputs="t", collect="z")(lambda a, z: (a, z)),
        operation(outputs="all", collect="t")(lambda t: t),
        definitions=[Definition("a", many=True), Definition("c", many=True)],
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(), max_size=3), max_size=4),
    st.lists(st.integers(), max_size=3),
    st.integers(0, 10**6),
)
def test_the_lineage_join_equals_the_relational_definition(lists, cs, seed):
    found, _, _ = drive(relation_flow(), {"a": lists, "c": cs}, ["all"], random.Random(seed))
    assert found["all"] == [(a, [(b, c, b) for b in a for c in cs]) for a in lists]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=12), st.sets(st.integers(0, 20)), st.integers(0, 10**6))
def test_every_element_is_in_the_output_or_among_the_lost(items, wrong, seed):
    def body(x):
        if x in wrong:
            raise ValueError
        return x

    flow = DataFlow(
        operation(outputs="y", on_error="skip")(body), operation(outputs="all", collect="y")(lambda y: y),
        definitions=[Definition("x", many=True)],
    )  # fmt: skip
    found, _, state = drive(flow, {"x": items}, ["all"], random.Random(seed))
    assert found["all"] == [x for x in items if x not in wrong]
    assert len(found["all"]) + len(state.losses) == len(items)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=10), st.integers(0, 10**6))
def test_equal_values_of_a_unique_definition_are_one(items, seed):
    flow = DataFlow(operation(outputs="y")(lambda x: -x), definitions=[Definition("x", many=True, unique=True)])
    found, count, _ = drive(flow, {"x": items}, ["y"], random.Random(seed))
    assert found["y"] == [-x for x in dict.fromkeys(items)] and count == len(set(items))


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 5)), st.integers(0, 10**6))
def test_what_alternatives_give_does_not_depend_on_the_order_of_failures(wrong, seed):
    def maker(number):
        def body(a, x=0):
            if number in wrong:
                raise ValueError
            return (number, x)

        return body

    flow = DataFlow(
        operation(name="p1", outputs="x", weight=1, inputs={"x": "none"})(maker(0)),
        operation(name="p2", outputs="x", weight=5, inputs={"x": "none"})(maker(1)),
        operation(name="q1", outputs="y", weight=1, inputs={"x": "none"})(maker(2)),
        operation(name="m1", outputs="d", weight=1)(lambda x, y: ("m1", x, y)),
        operation(name="m2", outputs="d", weight=3)(maker(3)),
        operation(name="m3", outputs="d", weight=20)(maker(4)),
    )
    results = [drive(flow, {"a": 1}, ["d"], random.Random(seed + i)) for i in range(4)]
    values = {repr(found["d"]) if isinstance(found["d"], tuple) else "lost" for found, _, _ in results}
    failures = {
        frozenset(node.name for node in state.nodes if (node.number, 0) in state.choices.gone)
        for _, _, state in results
    }
    assert len(values) == len(failures) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=5), st.sampled_from([1, 2, 5]))
def test_the_result_is_the_same_under_every_executor_and_number_of_workers(lists, workers):
    flow = DataFlow(
        operation(outputs="b", expand=True)(lambda a: a), operation(outputs="c")(lambda b: b * b),
        operation(outputs="s", collect="c")(lambda a, c: (len(a), sum(c))),
        operation(outputs="all", collect="s")(lambda s: s),
        definitions=[Definition("a", many=True)],
    )  # fmt: skip
    results = [
        flow.run({"a": lists}, ["all"], executor=e, workers=workers)["all"] for e in ("inline", "asyncio", "threads")
    ]
    assert results == [[(len(a), sum(b * b for b in a)) for a in lists]] * 3


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
def test_ten_thousand_linked_pages_are_crawled_in_one_order(executor):
    count = 10_000

    def links(url):
        return [(url * 7 + k) % count for k in (1, 2, 3)]

    flow = DataFlow(
        operation(outputs="url", expand=True, name="follow")(links),
        operation(outputs="all", collect="url", inputs={"u": "url"})(lambda u: u),
        definitions=[Definition("url", unique=True)],
    )
    run = flow.run({"url": [0]}, ["all"], executor=executor, workers=2)
    expected = breadth_first({url: links(url) for url in range(count)}, [0])
    assert run["all"] == expected and run.calls.count("follow") == len(expected)


def test_ten_thousand_random_schedules_of_locks_never_deadlock_and_never_overlap():
    rng = random.Random(7)
    for _ in range(10_000):
        locks, names = Locks(), "abc"
        waiting = {
            n: tuple((rng.choice(names), rng.choice([None, 0, 1])) for _ in range(rng.randint(1, 3)))
            for n in range(rng.randint(2, 6))
        }
        waiting = {n: tuple(dict.fromkeys(keys)) for n, keys in waiting.items()}
        waiting = {n: tuple(k for k in keys if k[1] is None or (k[0], None) not in keys) for n, keys in waiting.items()}
        asked, running, done = list(waiting), [], 0
        while asked or running:
            if asked and (not running or rng.random() < 0.6):
                owner = asked.pop()
                if locks.take(owner, waiting[owner]):
                    running.append(owner)
            else:
                owner = running.pop(rng.randrange(len(running)))
                done += 1
                running.extend(locks.free(owner))
            for one, other in itertools.combinations(running, 2):
                for (a, i), (b, j) in itertools.product(waiting[one], waiting[other]):
                    assert a != b or (i is not None and j is not None and i != j)
            assert asked or running or done == len(waiting), "nobody waits for ever"
        assert done == len(waiting) and not locks.held and not locks.queues and not locks.waiting


def test_a_list_for_each_of_many_elements_costs_no_more_for_more_of_them():
    def looked_at(count):
        flow = DataFlow(
            operation(outputs="x", expand=True)(lambda n: range(n)),
            operation(outputs="z", expand=True)(lambda x: [x, x]),
            operation(outputs="s", collect="z")(lambda x, z: sum(z)),
        )
        made = layout(flow.graph, ["n"], ["s"])
        state = Counting(made)
        handlers = make_handlers(made)
        state.begin({"n": count})
        while state.ready:
            node, element, arguments = state.ready.popleft()
            handler = handlers[node.number]
            state.done(node, element, handler.values(handler.call(arguments)))
        assert value(state, "s") == [2 * x for x in range(count)]
        return state.listed_elements / count

    assert looked_at(400) == looked_at(40)


class Counting(State):
    listed_elements = 0

    def listed(self, number, shape=0, element=0, among=None):
        self.listed_elements += len(self.cells[number]) if among is None and shape else len(among or ())
        return super().listed(number, shape, element, among)


def test_vectors_are_data():
    cases = [case for path in VECTORS.glob("*.json") for case in json.loads(path.read_text())]
    assert len(cases) >= 100 and len({case["name"] for case in cases}) == len(cases)
