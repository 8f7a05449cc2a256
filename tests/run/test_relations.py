"""Random flows against their relational definition: definitions as tables, joined, multiplied and gathered all at once.

The reference here works operation by operation on whole tables, so it knows nothing of arrival, waiting or order of
completion; whatever the runtime starts too early, too late or for the wrong element differs from it.
"""

import inspect
import itertools
import random
import zlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError
from flowlab.graph import Definition, operation

NAMES = "cdefgh"


class Lost:
    """Why a row has no value; `serious` if a list without it fails."""

    def __init__(self, serious):
        self.serious = serious


def answer(spec, values):
    number = zlib.crc32(repr((values, spec["name"])).encode()) % 97
    if number % 7 in spec["wrong"]:
        raise ValueError(number)
    if spec["expand"]:
        return [(spec["name"], i, number % 5) for i in range(number % 3)]
    return () if number % 11 == 0 else (spec["name"], number)  # sometimes a condition that is false


def random_specs(rng):
    """Operations, each taking what was made before it, and what is given: one value, and two lists."""
    specs, known = [], ["a", "b", "k"]
    for name in NAMES:
        takes = rng.sample(known, min(len(known), rng.choice([1, 1, 2, 2, 3])))
        specs.append({
            "name": name, "takes": takes, "expand": rng.random() < 0.4,
            "collect": [taken for taken in takes if rng.random() < 0.4],
            "when": [rng.choice(takes)] if rng.random() < 0.2 else [],
            "wrong": set(rng.sample(range(7), rng.choice([0, 0, 0, 1]))),
            "on_error": rng.choice(["raise", "raise", "skip"]),
        })  # fmt: skip
        known.append(name)
    inputs = {"a": 1, "b": list(range(rng.randrange(4))), "k": list(range(rng.randrange(3)))}
    taken = {name for spec in specs for name in spec["takes"]}
    return specs, {name: value for name, value in inputs.items() if name in taken}


def agree(one, other):
    return all(one[axis] == other[axis] for axis in one.keys() & other.keys())


class Reference:
    """What a flow means, table by table: each a list of (places by axis, value)."""

    def __init__(self, specs, inputs):
        self.tables, self.axes, self.damage = {}, {}, {}
        self.calls, self.errors = Counter(), Counter()
        for name, value in inputs.items():
            self.axes[name] = [name] if name in "bk" else []
            self.tables[name] = [({name: at}, item) for at, item in enumerate(value)] if name in "bk" else [({}, value)]
        for spec in specs:
            self.add(spec)

    def add(self, spec):
        joined = [name for name in spec["takes"] if name not in spec["collect"]]
        axes = list(dict.fromkeys(axis for name in joined for axis in self.axes[name]))
        places = [{}]
        for name in joined:
            rows = [at for at, _ in self.tables[name]]
            places = [{**one, **other} for one in places for other in rows if agree(one, other)]
        made = f"axis of {spec['name']}"
        self.axes[spec["name"]] = [*axes, made] if spec["expand"] else axes
        table = self.tables[spec["name"]] = []
        for at in places:
            result = self.call(spec, at)
            if not spec["expand"]:
                table.append((at, result))
            elif type(result) is Lost:
                self.damage.setdefault(made, []).append((at, result))
            else:
                table.extend(({**at, made: place}, item) for place, item in enumerate(result))

    def call(self, spec, at):
        single = {
            name: next(value for other, value in self.tables[name] if other.items() <= at.items())
            for name in (*spec["takes"], *spec["when"]) if name in spec["when"] or name not in spec["collect"]
        }  # fmt: skip
        for name in spec["takes"]:
            if name not in spec["collect"] and type(single[name]) is Lost:
                return single[name]
        if any(type(single[name]) is Lost or not single[name] for name in spec["when"]):
            return Lost(False)
        arguments = [self.gathered(name, at) if name in spec["collect"] else single[name] for name in spec["takes"]]
        for value in arguments:
            if type(value) is Lost:
                return value
        self.calls[spec["name"]] += 1
        try:
            return answer(spec, tuple(arguments))
        except ValueError as error:
            self.errors[spec["name"], repr(error)] += 1
            return Lost(spec["on_error"] == "raise")

    def missing(self, name, at):
        """The serious losses of a definition's list, for an element."""
        rows = [value for other, value in self.tables[name] if agree(at, other) and type(value) is Lost]
        for axis in self.axes[name]:
            if axis not in at:
                rows += [lost for other, lost in self.damage.get(axis, ()) if agree(at, other)]
        return [lost for lost in rows if lost.serious]

    def gathered(self, name, at):
        missing = self.missing(name, at)
        if missing:
            return missing[0]
        rows = [(other, value) for other, value in self.tables[name] if agree(at, other) and type(value) is not Lost]
        rows.sort(key=lambda row: [row[0][axis] for axis in self.axes[name]])
        return [value for _, value in rows]

    def value(self, name):
        if self.axes[name]:
            return self.gathered(name, {})
        return self.tables[name][0][1]


def flow_of(specs, inputs):
    operations = []
    for spec in specs:

        def function(*values, spec=spec):
            return answer(spec, values)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in spec["takes"]])
        chosen = {key: spec[key] for key in ("expand", "collect", "when", "on_error")}
        operations.append(operation(name=spec["name"], outputs=spec["name"], **chosen)(function))
    return DataFlow(*operations, definitions=[Definition(name, many=True) for name in inputs if name in "bk"])


@pytest.mark.parametrize("executor", ["inline", "threads"])
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_random_flow_means_what_its_relations_say(executor, seed):
    specs, inputs = random_specs(random.Random(seed))
    inputs = dict(random.Random(seed).sample(list(inputs.items()), len(inputs)))
    try:
        run = flow_of(specs, inputs).run(inputs, executor=executor, workers=2, strict=False)
    except FlowError:  # a condition over more than the parameters
        assert any(set(spec["when"]) & set(spec["collect"]) for spec in specs)
        return
    expected = Reference(specs, inputs)
    values = {name: expected.value(name) for name in itertools.chain(inputs, NAMES)}
    assert run.values == {name: value for name, value in values.items() if type(value) is not Lost}
    assert Counter(run.calls) == expected.calls
    assert Counter((entry.operation, repr(entry.error)) for entry in run.errors) == expected.errors
