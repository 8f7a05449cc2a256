"""The flows that are measured, and flowlab's own contenders for each shape.

Not here: what they are compared with (`others`), how it is measured (`overhead`), single figures (`figures`).
"""

from __future__ import annotations

import array
import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation

ARRAYS, ARRAY_ITEMS = 8, 1_000_000
"""How many arrays go to processes in the shape `arrays`, and how many numbers of eight bytes each has."""

SIDE = 50
"""How long the sides of the grid are, whatever `--n` says."""
SHORT = 100
"""How long a chain is that is compared with engines which cannot do a longer one."""


@dataclass
class Contender:
    """Something that does the work of a shape once; `count` operations at a time.

    Attributes:
        children: The CPU of child processes counts too.
    """

    shape: str
    name: str
    call: Callable[[], object]
    count: int
    children: bool = False
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)


def step(x: int) -> int:
    """The trivial operation."""
    return x + 1


def plus(a: int, b: int) -> int:
    """The trivial operation of two."""
    return a + b & 1023


def first(a: Any) -> int:
    """The trivial operation of an array."""
    return int(a[0])


async def coroutine(x: int) -> int:
    """The trivial operation as a coroutine."""
    return x + 1


async def waiting(x: int) -> int:
    """The trivial operation as a coroutine that suspends once."""
    await asyncio.sleep(0)
    return x + 1


def chain_operations(n: int, function: Any) -> list[Any]:
    """n operations, each taking the last one's result."""
    return [operation(name=f"o{i}", inputs={"x": f"d{i}"}, outputs=f"d{i + 1}")(function) for i in range(n)]


def chain_flow(n: int, function: Any) -> DataFlow:
    """A flow of them."""
    return DataFlow(*chain_operations(n, function))


class Gather:
    """Takes n results, and crosses to a worker as its n, not as a description of n parameters."""

    def __init__(self, n: int) -> None:
        self.n = n
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(f"m{i}", kind) for i in range(n)])

    def __call__(self, *results: int) -> int:
        return len(results)

    def __reduce__(self) -> tuple[Any, ...]:
        return Gather, (self.n,)


def fan_flow(n: int, function: Any) -> DataFlow:
    """n operations that take the same input, and one that takes all their results."""
    made = [operation(name=f"o{i}", outputs=f"m{i}")(function) for i in range(n)]
    return DataFlow(*made, operation(name="gather", outputs="n")(Gather(n)))


def many_flow(function: Any) -> DataFlow:
    """One operation over a given many, and a collect."""
    return DataFlow(
        operation(outputs="y", inputs={next(iter(inspect.signature(function).parameters)): "x"})(function),
        operation(outputs="n", collect="y")(lambda y: len(y)),
        definitions=[Definition("x", many=True)],
    )


def expand_flow() -> DataFlow:
    """Expand, one operation an element, collect."""
    return DataFlow(
        operation(outputs="x", expand=True)(lambda count: range(count)),
        operation(outputs="y")(step),
        operation(outputs="n", collect="y")(lambda y: len(y)),
    )


def grid_flow(side: int) -> DataFlow:
    """side x side operations, each taking its left and upper neighbours' results."""
    return DataFlow(
        *[
            operation(
                name=f"g{i}_{j}",
                inputs={"a": f"v{i - 1}_{j}" if i else f"t{j}", "b": f"v{i}_{j - 1}" if j else f"l{i}"},
                outputs=f"v{i}_{j}",
            )(plus)
            for i in range(side)
            for j in range(side)
        ]
    )


def arrays() -> list[Any]:
    """Large arrays, of numpy if it is installed."""
    try:
        import numpy
    except ImportError:
        return [array.array("d", bytes(8 * ARRAY_ITEMS)) for _ in range(ARRAYS)]
    return [numpy.zeros(ARRAY_ITEMS) for _ in range(ARRAYS)]


async def drain(flow: DataFlow, n: int) -> None:
    """Take all results of a stream of n items."""
    async for run in flow.stream(({"d0": i} for i in range(n)), ["d3"]):
        run["d3"]


def contenders(shape: str, n: int, where: set[str]) -> list[Contender]:
    """flowlab's contenders for a shape, called once so that everything is warm."""
    found = list(_SHAPES[shape](n, where))
    for one in found:
        one.call()
    return found


def _inline(shape: str, flow: DataFlow, given: dict[str, int], wanted: str, n: int) -> Iterator[Contender]:
    yield Contender(shape, "flowlab inline", partial(flow.run, given, [wanted]), n)
    yield Contender(shape, "flowlab inline, records off", partial(flow.run, given, [wanted], level="off"), n)


def _elsewhere(shape: str, flow: DataFlow, given: Any, wanted: str, n: int, where: set[str]) -> Iterator[Contender]:
    for executor in sorted(where & {"threads", "processes"}):
        run = partial(flow.run, given, [wanted], executor=executor, workers=2)
        yield Contender(shape, f"flowlab {executor}", run, n, executor == "processes")


def _chain(n: int, where: set[str]) -> Iterator[Contender]:
    flow, eager, short = chain_flow(n, step), chain_flow(n, coroutine), chain_flow(SHORT, step)
    yield from _inline("chain", flow, {"d0": 0}, f"d{n}", n)
    run = partial(short.run, {"d0": 0}, [f"d{SHORT}"])
    yield Contender("chain", f"flowlab inline, {SHORT} operations", run, SHORT)
    yield from _elsewhere("chain", flow, {"d0": 0}, f"d{n}", n, where)
    yield Contender("chain", "flowlab coroutines", partial(eager.run, {"d0": 0}, [f"d{n}"]), n)


def _fan(n: int, where: set[str]) -> Iterator[Contender]:
    flow, eager = fan_flow(n, step), fan_flow(n, coroutine)
    yield from _inline("fan", flow, {"x": 1}, "n", n)
    yield from _elsewhere("fan", flow, {"x": 1}, "n", n, where)
    yield Contender("fan", "flowlab coroutines", partial(eager.run, {"x": 1}, ["n"]), n)
    for one in _elsewhere("fan", many_flow(step), {"x": list(range(n))}, "n", n, where):
        one.name += ", one operation"
        yield one


def _suspend(n: int, where: set[str]) -> Iterator[Contender]:
    yield Contender("suspend", "flowlab coroutines", partial(fan_flow(n, waiting).run, {"x": 1}, ["n"]), n)


def _grid(n: int, where: set[str]) -> Iterator[Contender]:
    given = {**{f"t{j}": 1 for j in range(SIDE)}, **{f"l{i}": 1 for i in range(SIDE)}}
    yield from _inline("grid", grid_flow(SIDE), given, f"v{SIDE - 1}_{SIDE - 1}", SIDE * SIDE)


def _expand(n: int, where: set[str]) -> Iterator[Contender]:
    yield Contender("expand", "flowlab inline", partial(expand_flow().run, {"count": n}, ["n"]), n)


def _stream(n: int, where: set[str]) -> Iterator[Contender]:
    flow = chain_flow(3, step)
    yield Contender("stream", "flowlab stream", lambda: asyncio.run(drain(flow, n)), n)


def _build(n: int, where: set[str]) -> Iterator[Contender]:
    made = chain_operations(n, step)
    yield Contender("build", "flowlab decorate", lambda: chain_operations(n, step), n)
    yield Contender("build", "flowlab build", lambda: DataFlow(*made), n)


def _arrays(n: int, where: set[str]) -> Iterator[Contender]:
    run = partial(many_flow(first).run, {"x": arrays()}, ["n"], executor="processes", workers=2)
    yield Contender("arrays", "flowlab processes", run, ARRAYS, True)


_SHAPES: dict[str, Callable[[int, set[str]], Iterator[Contender]]] = {
    "chain": _chain, "fan": _fan, "suspend": _suspend, "grid": _grid, "expand": _expand, "stream": _stream,
    "build": _build, "arrays": _arrays,
}  # fmt: skip
SHAPES = tuple(_SHAPES)
