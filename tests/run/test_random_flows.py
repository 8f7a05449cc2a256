"""Random flows: whatever a flow is made of, every executor and every order of completion give the same answer."""

import asyncio
import inspect
import random
import time
import zlib

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation

NAMES = "cdefgh"
FORMS = [
    ("generator", "inline"), ("plain", "asyncio"), ("slow", "threads"), ("generator", "threads"), ("coroutine", None),
    ("async generator", None),
]  # fmt: skip
KINDS = [int, float, complex]


def random_settings(rng, parameters, expand):
    found = {"weight": rng.choice([1, 2, 3])}
    if expand:
        found["expand"] = True
    if rng.random() < 0.3:
        found["collect"] = [rng.choice(parameters)]
    if rng.random() < 0.15:
        found["when"] = [rng.choice(parameters)]
    if rng.random() < 0.2:
        found["join"] = "product"
    if rng.random() < 0.3:
        found["on_error"] = rng.choice(["skip", "dead-letter"])
    if rng.random() < 0.15:
        found["domain"] = rng.choice([_third, _fourth])
    if rng.random() < 0.1:
        found.update(retries=1, backoff_s=0)
    if rng.random() < 0.08:
        found["stage"] = "output"
    return found


def _third(*values):
    return len(repr(values)) % 3 != 0


def _fourth(*values):
    return len(repr(values)) % 4 != 1 or 1 / 0


def random_definition(rng, name, expand, makers):
    if rng.random() < 0.15:
        return Definition(name, unique=True)
    if makers > 1 and not expand and rng.random() < 0.3:
        return Definition(name, combine=lambda values: tuple(map(repr, values)))
    if rng.random() < 0.1:
        return Definition(name, default=("default", name))
    return Definition(name, lock=rng.random() < 0.1)


def random_parts(rng):
    """Operations as (name, output, parameters, settings, what fails), and definitions."""
    many = rng.random() < 0.7
    two = rng.random() < 0.3
    definitions = [Definition("a", many=two), Definition("b", many=many, unique=many and rng.random() < 0.3)]
    parts, known = [], ["a", "b"]
    for at, name in enumerate(NAMES):
        makers = 1 + (rng.random() < 0.35) + (rng.random() < 0.1)
        expand = rng.random() < 0.3
        for _ in range(makers):
            later = [rng.choice(NAMES[at + 1 :])] if at + 1 < len(NAMES) and rng.random() < 0.12 else []
            parameters = rng.sample(known + later, min(len(known), rng.choice([1, 1, 2, 2, 3])))
            wrong = set(rng.sample(range(7), rng.choice([0, 0, 1, 2])))
            parts.append((f"o{len(parts)}", name, parameters, random_settings(rng, parameters, expand), wrong))
        definitions.append(random_definition(rng, name, expand, makers))
        known.append(name)
    taken = {parameter for _, _, parameters, _, _ in parts for parameter in parameters}
    definitions = [found for found in definitions if found.name != "a" or "a" in taken]
    return parts, definitions, {
        "a": [1, 2] if two else 1, "b": [1, 2, 2, 3][: rng.randrange(3 if two else 5)] if many else 2,
    }  # fmt: skip


def body(name, unique, expand, wrong):
    def answer(values):
        number = zlib.crc32(repr((values, "" if unique else name)).encode()) % 97
        if number % 7 in wrong:
            raise (ValueError if number % 2 else KeyError)(number)
        if not expand:
            return KINDS[number % 3](number % 4) if unique else (name, number % 11)
        if unique:
            return [KINDS[number % 2 + k](number * k % 5) for k in (0, 1)]
        return [(name, i, number % 3) for i in range(number % 3)]

    return answer


def function_of(form, answer, expand, rng):
    if form == "async generator" and expand:

        async def function(*values):
            for value in answer(values):
                await asyncio.sleep(0)
                yield value
    elif form in ("coroutine", "async generator"):

        async def function(*values):
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            return answer(values)
    elif form == "generator" and expand:

        def function(*values):
            yield from answer(values)
    else:

        def function(*values):
            if form == "slow" and rng.random() < 0.2:
                time.sleep(rng.random() / 1000)  # not to wait for anything: to end in another order
            return answer(values)

    return function


def made(parts, definitions, form):
    rng = random.Random(form)
    unique = {definition.name for definition in definitions if definition.unique}
    operations = []
    for name, output, parameters, chosen, wrong in parts:
        answer = body(name, output in unique, "expand" in chosen, wrong)
        function = function_of(form, answer, "expand" in chosen, rng)
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        function.__signature__ = inspect.Signature([inspect.Parameter(p, kind) for p in parameters])
        operations.append(operation(name=name, outputs=output, **chosen)(function))
    return DataFlow(*operations, definitions=definitions)


def outcome(flow, given_values, outputs, executor):
    try:
        run = flow.run(given_values, outputs, executor=executor, workers=3, strict=False)
    except (FlowError, RunError) as error:
        return type(error), str(error)
    return {
        "values": {name: repr(value) for name, value in run.values.items()},
        "errors": sorted((entry.operation, repr(entry.error)) for entry in run.errors),
        "lost": sorted((entry.operation, repr(entry.error)) for entry in run.lost),
        "calls": sorted(run.calls),
        "dead": sorted((entry.operation, repr(sorted(entry.parameters.items()))) for entry in run.dead_letters),
        "lineage": {name: str(run.lineage(name)) for name in run.values},
    }


def random_case(seed, outputs):
    """The parts, definitions and inputs of a random flow, and what comes of it inline; no example if it is refused."""
    parts, definitions, inputs = random_parts(random.Random(seed))
    try:
        flow = made(parts, definitions, "plain")
    except FlowError:
        reject()
    return parts, definitions, inputs, outcome(flow, inputs, outputs, "inline")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([None, ["h"], ["g", "h"], ["f"]]))
def test_a_random_flow_gives_the_same_under_every_executor_and_order(seed, outputs):
    parts, definitions, inputs, expected = random_case(seed, outputs)
    for form, executor in FORMS:
        assert outcome(made(parts, definitions, form), inputs, outputs, executor) == expected, (form, executor)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([None, ["h"], ["g", "h"]]), st.sampled_from(["plain", "generator"]))
def test_a_random_flow_gives_the_same_in_worker_processes(seed, outputs, form):
    parts, definitions, inputs, expected = random_case(seed, outputs)
    assert outcome(made(parts, definitions, form), inputs, outputs, "processes") == expected
