"""The semantic cases of `*.json`, run under every executor."""

import inspect
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation

BODIES = {
    "add": lambda *xs: sum(xs),
    "increment": lambda x: x + 1,
    "double": lambda x: x * 2,
    "negate": lambda x: -x,
    "echo": lambda x: x,
    "list": lambda *xs: list(xs),
    "split": lambda x: x.split(),
    "upper": lambda x: x.upper(),
    "join": lambda xs: "+".join(xs),
    "total": lambda xs: sum(xs),
    "pair": lambda x: (x, x + 1),
    "keyed": lambda x: {"p": x, "q": x + 1},
    "one": lambda: 1,
    "yes": lambda *x: True,
    "no": lambda *x: False,
    "is_even": lambda x: x % 2 == 0,
    "range": lambda x: list(range(x)),
    "numbers": lambda x: [x * 10 + i for i in range(3)],
    "add_total": lambda x, ys: x + sum(ys),
    "pairs": lambda n: [(i, i + 1) for i in range(n)],
    "lower": lambda x: x.lower(),
    "yield": lambda x: x,
}
SETTINGS = [
    "inputs",
    "outputs",
    "expand",
    "collect",
    "join",
    "weight",
    "when",
    "stage",
    "retries",
    "backoff_s",
    "on_error",
]
FOLDER = Path(__file__).parent
FORMS = ("inline", "asyncio", "threads", "processes", "coroutine")
CASES = [
    pytest.param(case, form, id=f"{path.stem}: {case['name']}-{form}")
    for path in sorted(FOLDER.glob("*.json"))
    for case in json.loads(path.read_text())
    for form in FORMS
    if form != "processes" or not case.get("here")  # its body counts calls in the calling process
]


def body(does: str, spec: dict[str, Any]) -> Any:
    if does == "fail":
        return lambda *xs: [][1] if False else _raise()
    if does == "fail_on":
        wrong = spec["on"]
        return lambda x: _raise() if x in wrong else x * 2
    if does == "fail_for":
        return lambda x: _raise() if x in spec["on"] else x
    if does == "fail_for_range":
        return lambda x: _raise() if x in spec["on"] else range(x)
    if does == "table":
        table = spec["table"]
        return lambda x: table[x]
    if does == "flaky":
        left = [spec["times"]]

        def flaky(x: Any) -> Any:
            if left[0]:
                left[0] -= 1
                _raise()
            return x

        return flaky
    return BODIES[does]


def _raise() -> Any:
    raise ValueError("as asked")


def generator(form: str) -> Any:
    def function(x: Any) -> Any:
        yield from x

    async def coroutine(x: Any) -> Any:
        for item in x:
            yield item

    return coroutine if form == "coroutine" else function


def made(spec: dict[str, Any], form: str) -> Any:
    kernel = body(spec["does"], spec)
    if spec["does"] == "yield":
        function = generator(form)
    elif form == "coroutine":

        async def function(*args: Any) -> Any:
            return kernel(*args)
    else:

        def function(*args: Any) -> Any:
            return kernel(*args)

    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD) if isinstance(p, str)
            else inspect.Parameter(p[0], inspect.Parameter.POSITIONAL_OR_KEYWORD, default=p[1])
            for p in spec["parameters"]
        ]
    )  # fmt: skip
    settings = {key: spec[key] for key in SETTINGS if key in spec}
    if "domain" in spec:
        settings["domain"] = body(spec["domain"], spec)
    return operation(name=spec["name"], **settings)(function)


def flow_of(case: dict[str, Any], form: str) -> DataFlow:
    definitions = []
    for name, settings in case.get("definitions", {}).items():
        settings = dict(settings)
        for key in ("check", "combine", "unique"):
            if isinstance(settings.get(key), str):
                settings[key] = BODIES[settings[key]]
        definitions.append(Definition(name, **settings))
    return DataFlow(*(made(spec, form) for spec in case["operations"]), definitions=definitions)


def pairs(entries: Any) -> Counter[tuple[str, str]]:
    return Counter((entry.operation, type(entry.error).__name__) for entry in entries)


def expected(case: dict[str, Any], key: str) -> Counter[tuple[str, str]]:
    return Counter((name, kind) for name, kind in case[key])


def judge(case: dict[str, Any], run: Any) -> None:
    for name, value in {**case.get("values", {}), **case.get("partial", {})}.items():
        assert run[name] == value, name
    if "exactly" in case:
        assert run.values == case["exactly"]
    for name in case.get("absent", ()):
        assert name not in run.values
    if case.get("calls") is not None:
        assert Counter(run.calls) == Counter(case["calls"])
    for key in ("errors", "lost"):
        if key in case:
            assert pairs(getattr(run, key)) == expected(case, key)
    if "dead" in case:
        assert [[entry.operation, dict(entry.parameters)] for entry in run.dead_letters] == case["dead"]
    if "order" in case:
        assert list(run.calls) == case["order"]
    if "cost" in case:
        assert run._context.layout.plan.cost == case["cost"]
    for name in run._context.layout.graph.definitions:
        assert run.explain(name).endswith(".")


@pytest.mark.parametrize(("case", "form"), CASES)
def test_a_vector_gives_what_it_says(case, form):
    executor = None if form == "coroutine" else form
    outputs = case["outputs"]
    if "raises" not in case:
        run = flow_of(case, form).run(case["given"], outputs, executor=executor, workers=2)
        judge(case, run)
        return
    error = {"FlowError": FlowError, "RunError": RunError}[case["raises"]]
    with pytest.raises(error) as caught:
        flow_of(case, form).run(case["given"], outputs, executor=executor, workers=2)
    assert case["says"] in str(caught.value)
    if getattr(caught.value, "run", None) is not None:
        judge(case, caught.value.run)
    else:
        assert case.get("calls") is None
