"""Figures that are no cost per call: import time, bytes an element, flat streams, growth with size.

Each function returns one `Figure`: what was measured in every round, and the highest value that is wanted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shapes import chain_flow, expand_flow, fan_flow, step

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """Something measured a few times; its least value is held against the goal."""

    name: str
    values: tuple[float, ...]
    goal: float
    unit: str


def import_time(rounds: int) -> Figure:
    """CPU of `import flowlab` in a fresh interpreter beyond that of a bare one, in turns.

    The modules are compiled already, as they are from the second import on: into a cache of this measurement's own, so
    that neither what ran before nor a PYTHONDONTWRITEBYTECODE makes a difference.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def cpu_ms(code: str) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3

        cpu_ms("import flowlab")
        bare, full = zip(*[(cpu_ms("pass"), cpu_ms("import flowlab")) for _ in range(2 * rounds)], strict=True)
    return Figure("import flowlab (compiled), CPU beyond bare Python", tuple(one - min(bare) for one in full), 60, "ms")


def element_bytes(rounds: int, n: int = 10_000) -> Figure:
    """The peak of traced memory of expand, operation, collect, beyond that of the same values in lists, an element."""
    flow = expand_flow()
    flow.run({"count": 10}, ["n"])

    def peak(call: Callable[[], object]) -> int:
        gc.collect()
        tracemalloc.start()
        kept = call()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del kept
        return found

    def values() -> list[list[int]]:
        made = list(range(n))
        return [made, [step(x) for x in made]]

    found = [(peak(lambda: flow.run({"count": n}, ["n"])) - peak(values)) / n for _ in range(min(rounds, 2))]
    return Figure("expand, operation, collect: memory beyond the values", tuple(found), 600, "bytes an element")


def flat_stream(rounds: int, n: int = 1_000_000) -> Figure:
    """How much the memory of a fresh process grows between the 100,000th item of a stream and its last."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import figures; figures.stream_growth({n})"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return Figure(f"stream of {n:,} items: resident memory, last item against the 100,000th", (float(answer.stdout),),
                  1.02, "times")  # fmt: skip


def stream_growth(n: int) -> None:
    """Print resident memory at the end of a stream over that at its 100,000th item."""
    flow = chain_flow(3, step)
    seen: list[int] = []

    def pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    async def all_of_it() -> None:
        count = 0
        async for run in flow.stream(({"d0": i} for i in range(n)), ["d3"]):
            assert run["d3"] == count + 3
            count += 1
            if count == 100_000:
                seen.append(pages())

    asyncio.run(all_of_it())
    print(pages() / seen[0])


def _cost(call: Callable[[], object], times: int) -> float:
    gc.collect()
    used = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - used) / times


def _growth(name: str, sizes: tuple[int, int], goal: float, make: Callable[[int], Callable[[], object]],
            bare: Callable[[int], object], rounds: int) -> Figure:  # fmt: skip
    """Cost of an operation at the large size over that at the small one, over the same ratio of a plain loop."""
    small, large = sizes
    calls = {n: make(n) for n in sizes}
    for call in calls.values():
        call()
    found, loops = [], []
    for _ in range(rounds):
        found.append({n: _cost(calls[n], large // n) / n for n in sizes})
        loops.append({n: _cost(lambda n=n: bare(n), large // n) / n for n in sizes})  # type: ignore[misc]
    least = {n: min(one[n] for one in found) for n in sizes}
    loop = min(one[large] for one in loops) / min(one[small] for one in loops)
    ratios = [least[large] / least[small] / loop] + [one[large] / one[small] / loop for one in found]
    return Figure(name, tuple(ratios), goal, "times the cost an operation")


def growth(rounds: int) -> list[Figure]:
    """Chain, fan and expand of 100,000 operations against 1,000."""
    sizes = (1_000, 100_000)

    def loop(n: int) -> object:
        return [step(i) for i in range(n)]

    def chain(n: int) -> Callable[[], object]:
        flow = chain_flow(n, step)
        return lambda: flow.run({"d0": 0}, [f"d{n}"])

    def fan(n: int) -> Callable[[], object]:
        flow = fan_flow(n, step)
        return lambda: flow.run({"x": 1}, ["n"])

    def expand(n: int) -> Callable[[], object]:
        flow = expand_flow()
        return lambda: flow.run({"count": n}, ["n"])

    return [
        _growth(f"growth of {name}, 100,000 against 1,000", sizes, 1.3, make, loop, min(rounds, 3))
        for name, make in {"chain": chain, "fan": fan, "expand": expand}.items()
    ]


def _crawl(n: int) -> Callable[[], object]:
    """A crawler over n linked pages, each linking to two further ones and back to the first."""

    def fetch(url: int) -> list[int]:
        return [found for found in (2 * url + 1, 2 * url + 2, 0) if found < n]

    flow = DataFlow(
        operation(outputs="page", inputs={"url": "url"})(fetch),
        operation(outputs="url", expand=True, name="links")(lambda page: page),
        operation(outputs="n", collect="page")(lambda page: len(page)),
        definitions=[Definition("url", many=True, unique=True)],
    )

    def call() -> None:
        assert flow.run({"url": [0]}, ["n"])["n"] == n

    return call


def _diamonds(n: int) -> Callable[[], object]:
    """n diamonds in a row: a value splits in two and joins again."""
    made = []
    for i in range(n):
        made.append(operation(name=f"l{i}", inputs={"x": f"d{i}"}, outputs=f"l{i}")(step))
        made.append(operation(name=f"r{i}", inputs={"x": f"d{i}"}, outputs=f"r{i}")(step))
        made.append(
            operation(name=f"j{i}", inputs={"a": f"l{i}", "b": f"r{i}"}, outputs=f"d{i + 1}")(lambda a, b: max(a, b))
        )

    def call() -> None:
        flow = DataFlow(*made)
        assert flow.run({"d0": 0}, [f"d{n}"])[f"d{n}"] == n

    return call


def linear(rounds: int) -> list[Figure]:
    """A crawler and diamonds in a row (built, planned, run) at two sizes, cost a page and a diamond."""
    return [
        _growth("growth of a crawler, 10,000 pages against 1,000", (1_000, 10_000), 1.3, _crawl, range, min(rounds, 3)),
        _growth("growth of diamonds, 40 in a row against 10", (10, 40), 1.3, _diamonds, range, rounds),
    ]


def all_figures(rounds: int) -> list[Figure]:
    """All of them."""
    return [import_time(rounds), element_bytes(rounds), flat_stream(rounds), *growth(rounds), *linear(rounds)]
