"""What the runtime costs per operation, beside plain loops and its peers, in one interleaved run.

    python benchmarks/overhead.py                 all that is installed, N = 1000
    python benchmarks/overhead.py --n 100000 --only flowlab,plain --shapes chain,expand

Every contender is called once per round, in shuffled order; minimum and median are over the rounds. CPU is of this
process and, for processes, of its children too. Read ratios within one run, never the absolute numbers of two.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import inspect
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation

GOALS = {
    ("chain", "flowlab inline", "plain loop, same clocks"): 2.0,
    ("fan", "flowlab inline", "plain loop, same clocks"): 2.0,
    ("grid", "flowlab inline", "plain loop, same clocks"): 2.0,
    ("chain", "flowlab inline", "schedula"): 0.1,
    ("chain", "flowlab inline", "pipefunc"): 0.1,
    ("chain", "flowlab inline", "hamilton"): 0.1,
    ("chain", "flowlab inline", "dask sync"): 0.1,
    ("chain", "flowlab coroutines", "asyncio tasks"): 1.3,
    ("fan", "flowlab coroutines", "asyncio tasks"): 1.3,
    ("fan", "flowlab threads", "ThreadPoolExecutor"): 0.6,
    ("fan", "flowlab processes", "ProcessPoolExecutor, a call each"): 1 / 15,
    ("chain", "flowlab processes", "ProcessPoolExecutor, a call each"): 1 / 4,
    ("stream", "flowlab stream", "asyncio.Queue(100)"): 1 / 1.5,
}
"""The highest ratio of CPU per operation that the project wants: (shape, ours, theirs)."""


@dataclass
class Contender:
    """Something that does the work of a shape once; `count` operations at a time."""

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


async def coroutine(x: int) -> int:
    """The trivial operation as a coroutine."""
    return x + 1


# what is measured


def chain_flow(n: int, function: Any) -> DataFlow:
    """n operations, each taking the last one's result."""
    return DataFlow(*[operation(name=f"o{i}", inputs={"x": f"d{i}"}, outputs=f"d{i + 1}")(function) for i in range(n)])


def fan_flow(n: int, function: Any) -> DataFlow:
    """n operations that take the same input, and one that takes all their results."""

    def gather(*results: int) -> int:
        return len(results)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    gather.__signature__ = inspect.Signature([inspect.Parameter(f"m{i}", kind) for i in range(n)])  # type: ignore[attr-defined]
    made = [operation(name=f"o{i}", outputs=f"m{i}")(function) for i in range(n)]
    return DataFlow(*made, operation(outputs="n")(gather))


def many_flow(function: Any) -> DataFlow:
    """One operation over a given many, and a collect."""
    return DataFlow(
        operation(outputs="y", inputs={"x": "x"})(function),
        operation(outputs="n", collect="y")(lambda y: len(y)),
        definitions=[Definition("x", many=True)],
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


def flowlab(shape: str, n: int, where: set[str]) -> list[Contender]:
    """Our own contenders."""
    found: list[Contender] = []

    def add(name: str, call: Callable[[], object], count: int = n, children: bool = False) -> None:
        call()
        found.append(Contender(shape, name, call, count, children))

    if shape == "chain":
        flow = chain_flow(n, step)
        for executor in where - {"asyncio"}:
            label = f"flowlab {executor}"
            add(
                label,
                lambda e=executor: flow.run({"d0": 0}, [f"d{n}"], executor=e, workers=2),
                n,
                executor == "processes",
            )
        eager = chain_flow(n, coroutine)
        add("flowlab coroutines", lambda: eager.run({"d0": 0}, [f"d{n}"]))
    elif shape == "fan":
        flow, eager, many = fan_flow(n, step), fan_flow(n, coroutine), many_flow(step)
        items = list(range(n))
        for executor in where - {"asyncio"}:
            label = f"flowlab {executor}"
            add(label, lambda e=executor: flow.run({"x": 1}, ["n"], executor=e, workers=2), n, executor == "processes")
        add("flowlab coroutines", lambda: eager.run({"x": 1}, ["n"]))
        for executor in where & {"threads", "processes"}:
            label = f"flowlab {executor}, one operation"
            run = partial(many.run, {"x": items}, ["n"], executor=executor, workers=2)
            add(label, run, n, executor == "processes")
    elif shape == "grid":
        side = max(2, int(n**0.5))
        flow = grid_flow(side)
        given = {**{f"t{j}": 1 for j in range(side)}, **{f"l{i}": 1 for i in range(side)}}
        add("flowlab inline", lambda: flow.run(given, [f"v{side - 1}_{side - 1}"]), side * side)
    elif shape == "expand":
        flow = DataFlow(
            operation(outputs="x", expand=True)(lambda count: range(count)),
            operation(outputs="y")(step),
            operation(outputs="n", collect="y")(lambda y: len(y)),
        )
        add("flowlab inline", lambda: flow.run({"count": n}, ["n"]))
    elif shape == "stream":
        flow = chain_flow(3, step)

        async def drain() -> None:
            async for run in flow.stream(({"d0": i} for i in range(n)), ["d3"]):
                run["d3"]

        add("flowlab stream", lambda: asyncio.run(drain()))
    elif shape == "build":
        add("flowlab decorate and build", lambda: chain_flow(n, step))
    return found


# what it is measured against


def plain(shape: str, n: int) -> list[Contender]:
    """Loops and the standard library."""
    found: list[Contender] = []

    def add(name: str, call: Callable[[], object], children: bool = False) -> None:
        found.append(Contender(shape, name, call, n, children))

    if shape in ("chain", "fan", "grid", "expand"):
        add("plain loop", lambda: [step(i) for i in range(n)])
        add("plain loop, same clocks", lambda: clocked(n))
    if shape == "chain":
        add("graphlib", lambda: sorter({i: [i - 1] for i in range(1, n)}))

        async def tasks() -> None:
            value = 0
            for _ in range(n):
                value = await asyncio.create_task(coroutine(value))

        add("asyncio tasks", lambda: asyncio.run(tasks()))
        add("ThreadPoolExecutor", lambda: with_threads(chain_in, n))
        warm = warm_pool()
        add("ProcessPoolExecutor, a call each", lambda: chain_in(warm, n), True)
    if shape == "fan":
        add("graphlib", lambda: sorter({n: list(range(n))}))

        async def gather() -> None:
            await asyncio.gather(*[asyncio.create_task(coroutine(i)) for i in range(n)])

        add("asyncio tasks", lambda: asyncio.run(gather()))
        add("ThreadPoolExecutor", lambda: with_threads(fan_in, n))
        pool = warm_pool()
        add("ProcessPoolExecutor, a call each", lambda: fan_in(pool, n), True)
        add("ProcessPoolExecutor, chunked", lambda: list(pool.map(step, range(n), chunksize=max(1, n // 8))), True)
    if shape == "stream":
        add("asyncio.Queue(100)", lambda: asyncio.run(queues(n)))
    return found


def clocked(n: int) -> list[tuple[int, int, int, int]]:
    """A plain loop that reads the same clocks and keeps a record of each call."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    value, records = 0, []
    for i in range(n):
        started = wall()
        used = cpu()
        value = step(value)
        spent = cpu() - used
        records.append((i, started, wall(), spent))
    return records


def sorter(edges: dict[int, list[int]]) -> None:
    """Run a graph with graphlib."""
    graph = TopologicalSorter(edges)
    graph.prepare()
    while graph.is_active():
        for node in graph.get_ready():
            step(node)
            graph.done(node)


def warm_pool() -> ProcessPoolExecutor:
    """A pool whose two workers have started."""
    pool = ProcessPoolExecutor(2)
    list(pool.map(step, range(100)))
    return pool


def with_threads(work: Callable[[Any, int], int], n: int) -> int:
    """Work done with a pool of two threads, made for it."""
    with ThreadPoolExecutor(2) as pool:
        return work(pool, n)


def chain_in(pool: Any, n: int) -> int:
    """A call each, one after the other."""
    value = 0
    for _ in range(n):
        value = pool.submit(step, value).result()
    return value


def fan_in(pool: Any, n: int) -> int:
    """A call each, all submitted at once."""
    return len([future.result() for future in [pool.submit(step, i) for i in range(n)]])


async def queues(n: int) -> None:
    """Three stages joined by bounded queues."""
    pipes: list[asyncio.Queue[int | None]] = [asyncio.Queue(100) for _ in range(4)]

    async def source() -> None:
        for i in range(n):
            await pipes[0].put(i)
        await pipes[0].put(None)

    async def stage(take: asyncio.Queue[int | None], give: asyncio.Queue[int | None]) -> None:
        while (item := await take.get()) is not None:
            await give.put(step(item))
        await give.put(None)

    async def sink() -> None:
        while await pipes[3].get() is not None:
            pass

    await asyncio.gather(source(), *[stage(pipes[i], pipes[i + 1]) for i in range(3)], sink())


def peers(shape: str, n: int) -> list[Contender]:
    """The other engines that are installed; each runs what it built before."""
    makers = {
        "schedula": schedula_chain,
        "pipefunc": pipefunc_chain,
        "hamilton": hamilton_chain,
        "dask sync": dask_chain,
    }
    if shape != "chain":
        return []
    found = []
    for name, make in makers.items():
        if importlib.util.find_spec(name.split()[0]) is None:
            continue
        small = min(n, 100 if name == "pipefunc" else n)
        try:
            call = make(small)
            call()
        except Exception as error:
            print(f"{name} cannot do a chain of {small}: {type(error).__name__}", file=sys.stderr)
            continue
        found.append(Contender(shape, name, call, small))
    return found


def schedula_chain(n: int) -> Callable[[], object]:
    """A schedula dispatcher."""
    import schedula

    dispatcher = schedula.Dispatcher()
    for i in range(n):
        dispatcher.add_function(f"o{i}", step, inputs=[f"d{i}"], outputs=[f"d{i + 1}"])
    return lambda: dispatcher.dispatch({"d0": 0})


def pipefunc_chain(n: int) -> Callable[[], object]:
    """A pipefunc pipeline; building is super-linear, so it is kept short."""
    from pipefunc import PipeFunc, Pipeline

    functions = [PipeFunc(step, f"d{i + 1}", renames={"x": f"d{i}"}) for i in range(n)]
    pipeline = Pipeline(functions)
    return lambda: pipeline.run(f"d{n}", kwargs={"d0": 0})


def hamilton_chain(n: int) -> Callable[[], object]:
    """A Hamilton driver over a module made for it."""
    import types

    from hamilton import driver

    module = types.ModuleType("chain_module")
    lines = [f"def d{i + 1}(d{i}: int) -> int:\n    return d{i} + 1\n" for i in range(n)]
    exec("\n".join(lines), module.__dict__)
    for name, value in list(vars(module).items()):
        if callable(value):
            value.__module__ = "chain_module"
            module.__dict__[name] = value
    sys.modules["chain_module"] = module
    made = driver.Builder().with_modules(module).build()
    return lambda: made.execute([f"d{n}"], inputs={"d0": 0})


def dask_chain(n: int) -> Callable[[], object]:
    """dask.delayed with the synchronous scheduler."""
    import dask

    lazy = dask.delayed(step)
    value: Any = 0
    for _ in range(n):
        value = lazy(value)
    return lambda: value.compute(scheduler="sync")


# measuring


def cpu_s(children: bool) -> float:
    """CPU of this process, and of its children that live if asked: pools are warm, and their start is not counted."""
    total = time.process_time()
    for task in Path("/proc/self/task").iterdir() if children else ():
        for pid in (task / "children").read_text().split():
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return total


def measure(contenders: list[Contender], rounds: int) -> None:
    """Call every contender once a round, in shuffled order."""
    rng = random.Random(0)
    for _ in range(rounds):
        for contender in rng.sample(contenders, len(contenders)):
            gc.collect()
            used, began = cpu_s(contender.children), time.perf_counter()
            contender.call()
            contender.wall_us.append((time.perf_counter() - began) / contender.count * 1e6)
            contender.cpu_us.append((cpu_s(contender.children) - used) / contender.count * 1e6)


def report(contenders: list[Contender]) -> None:
    """Print a table, then every goal with the ratio that was reached."""
    print(f"{'shape':8}{'contender':36}{'n':>8}{'cpu us min':>12}{'median':>9}{'wall us min':>13}{'median':>9}")
    best: dict[tuple[str, str], float] = {}
    for one in contenders:
        best[one.shape, one.name] = min(one.cpu_us)
        figures = (min(one.cpu_us), statistics.median(one.cpu_us), min(one.wall_us), statistics.median(one.wall_us))
        print(
            f"{one.shape:8}{one.name:36}{one.count:8}{figures[0]:12.2f}{figures[1]:9.2f}{figures[2]:13.2f}{figures[3]:9.2f}"
        )
    print("\ngoals (ratio of CPU per operation, least of the rounds)")
    for (shape, ours, theirs), goal in GOALS.items():
        if (shape, ours) in best and (shape, theirs) in best:
            ratio = best[shape, ours] / best[shape, theirs]
            print(
                f"{'held  ' if ratio <= goal else 'MISSED'} {shape}: {ours} / {theirs} = {ratio:.3f}, wanted {goal:.3f}"
            )


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", default="chain,fan,grid,expand,stream,build")
    parser.add_argument("--only", default="flowlab,plain,peers")
    parser.add_argument("--executors", default="inline,threads,processes")
    parser.add_argument("--json", type=Path, help="also write all rounds here")
    settings = parser.parse_args()
    contenders: list[Contender] = []
    for shape in settings.shapes.split(","):
        if "flowlab" in settings.only:
            contenders += flowlab(shape, settings.n, set(settings.executors.split(",")))
        if "plain" in settings.only:
            contenders += plain(shape, settings.n)
        if "peers" in settings.only:
            contenders += peers(shape, settings.n)
    measure(contenders, settings.rounds)
    report(contenders)
    if settings.json:
        rows = [
            {"shape": c.shape, "name": c.name, "n": c.count, "cpu_us": c.cpu_us, "wall_us": c.wall_us}
            for c in contenders
        ]
        settings.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
