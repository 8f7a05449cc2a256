"""What flowlab is compared with: plain loops, the standard library, and the peers that are installed."""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import pickle
import sys
import time
import types
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from graphlib import TopologicalSorter
from typing import Any

from shapes import ARRAYS, SHORT, SIDE, Contender, arrays, coroutine, first, plus, step, waiting


def plain(shape: str, n: int) -> Iterator[Contender]:
    """Loops and the standard library."""
    if shape in ("chain", "fan", "expand"):
        yield Contender(shape, "plain loop", lambda: [step(i) for i in range(n)], n)
        yield Contender(shape, "plain loop, same clocks", partial(clocked, n), n)
        yield Contender(shape, "plain loop, clocks read once between calls", partial(stamped, n), n)
        yield Contender(shape, "plain loop, CPU clock read once for 64 calls", partial(grouped, n), n)
    if shape == "chain":
        yield Contender(shape, "graphlib", partial(sorter, {i: [i - 1] for i in range(1, n)}), n)
        yield Contender(shape, "asyncio tasks", lambda: asyncio.run(chained(n)), n)
        yield Contender(shape, "ThreadPoolExecutor", partial(with_threads, chain_in, n), n)
        yield Contender(shape, "ProcessPoolExecutor, a call each", partial(chain_in, warm_pool(), n), n, True)
    if shape == "fan":
        pool = warm_pool()
        chunk = max(1, n // 8)
        yield Contender(shape, "graphlib", partial(sorter, {n: list(range(n))}), n)
        yield Contender(shape, "asyncio tasks", lambda: asyncio.run(gathered(coroutine, n)), n)
        yield Contender(shape, "ThreadPoolExecutor", partial(with_threads, fan_in, n), n)
        yield Contender(shape, "ProcessPoolExecutor, a call each", partial(fan_in, pool, n), n, True)
        chunked = partial(chunks_in, pool, n, chunk)
        yield Contender(shape, "ProcessPoolExecutor, chunked", chunked, n, True)
    if shape == "grid":
        edges = {i * SIDE + j: [i * SIDE + j - 1] * (j > 0) + [(i - 1) * SIDE + j] * (i > 0)
                 for i in range(SIDE) for j in range(SIDE)}  # fmt: skip
        size = SIDE * SIDE
        yield Contender(shape, "plain loop", grid_bare, size)
        yield Contender(shape, "plain loop, same clocks", grid_clocked, size)
        yield Contender(shape, "plain loop, clocks read once between calls", grid_stamped, size)
        yield Contender(shape, "plain loop, CPU clock read once for 64 calls", grid_grouped, size)
        yield Contender(shape, "graphlib", partial(sorter, edges), size)
    if shape == "suspend":
        yield Contender(shape, "asyncio tasks", lambda: asyncio.run(gathered(waiting, n)), n)
        yield Contender(shape, "asyncio tasks, same clocks", lambda: asyncio.run(gathered(stepped, n)), n)
    if shape == "stream":
        yield Contender(shape, "asyncio.Queue(100)", lambda: asyncio.run(queues(n)), n)
    if shape == "arrays":
        given = arrays()
        yield Contender(
            shape, "pickling once", lambda: [first(pickle.loads(pickle.dumps(a, 5))) for a in given], ARRAYS
        )
        each = partial(mapped_in, warm_pool(), given)
        yield Contender(shape, "ProcessPoolExecutor, a call each", each, ARRAYS, True)


def clocked(n: int) -> list[tuple[int, int, int, int]]:
    """A plain loop that reads the same clocks around each call and keeps a record of it."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    value, records = 0, []
    for i in range(n):
        started = wall()
        used = cpu()
        value = step(value)
        spent = cpu() - used
        records.append((i, started, wall(), spent))
    return records


def stamped(n: int) -> list[tuple[int, int, int, int]]:
    """The same, but one call's end is the next one's start."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    value, records = 0, []
    started, used = wall(), cpu()
    for i in range(n):
        value = step(value)
        ended, read = wall(), cpu()
        records.append((i, started, ended, read - used))
        started, used = ended, read
    return records


def grouped(n: int) -> list[tuple[int, int, int]]:
    """The same, but the CPU clock is read once for 64 calls, to be shared out by who wants to know."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    value, records, reads = 0, [], [cpu()]
    started = wall()
    for i in range(n):
        value = step(value)
        ended = wall()
        records.append((i, started, ended))
        started = ended
        if not i & 63:
            reads.append(cpu())
    return records


def grid_bare() -> int:
    """A plain loop over the grid: what a person would write who knows its shape."""
    above = [1] * SIDE
    for _ in range(SIDE):
        left = 1
        for j in range(SIDE):
            left = above[j] = plus(above[j], left)
    return left


def grid_clocked() -> list[tuple[int, int, int, int]]:
    """The same with the clocks read around each call, and a record of it."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    above, records = [1] * SIDE, []
    for i in range(SIDE):
        left = 1
        for j in range(SIDE):
            started = wall()
            used = cpu()
            left = above[j] = plus(above[j], left)
            spent = cpu() - used
            records.append((i * SIDE + j, started, wall(), spent))
    return records


def grid_stamped() -> list[tuple[int, int, int, int]]:
    """The same, but one call's end is the next one's start."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    above, records = [1] * SIDE, []
    started, used = wall(), cpu()
    for i in range(SIDE):
        left = 1
        for j in range(SIDE):
            left = above[j] = plus(above[j], left)
            ended, read = wall(), cpu()
            records.append((i * SIDE + j, started, ended, read - used))
            started, used = ended, read
    return records


def grid_grouped() -> list[tuple[int, int, int]]:
    """The same, but the CPU clock is read once for 64 calls."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    above, records, reads = [1] * SIDE, [], [cpu()]
    started = wall()
    for i in range(SIDE):
        left = 1
        for j in range(SIDE):
            left = above[j] = plus(above[j], left)
            ended = wall()
            records.append((i * SIDE + j, started, ended))
            started = ended
            if not j & 63:
                reads.append(cpu())
    return records


def sorter(edges: dict[int, list[int]]) -> None:
    """Run a graph with graphlib."""
    graph = TopologicalSorter(edges)
    graph.prepare()
    while graph.is_active():
        for node in graph.get_ready():
            step(node)
            graph.done(node)


async def chained(n: int) -> None:
    """A task each, one after the other."""
    value = 0
    for _ in range(n):
        value = await asyncio.create_task(coroutine(value))


async def gathered(function: Any, n: int) -> None:
    """A task each, all at once."""
    await asyncio.gather(*[asyncio.create_task(function(i)) for i in range(n)])


async def stepped(x: int) -> int:
    """A coroutine that suspends, with the clocks read around each of its steps, and a record."""
    record: list[int] = []
    value: int = await driven(waiting(x), record)
    return value


@types.coroutine
def driven(body: Any, record: list[int]) -> Generator[Any, Any, Any]:
    """Step a coroutine and note its wall time and the CPU of its steps."""
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    started, spent, steps, value = wall(), 0, 0, None
    while True:
        used = cpu()
        try:
            asked = body.send(value)
        except StopIteration as stop:
            spent += cpu() - used
            record += (started, wall(), spent, steps + 1)
            return stop.value
        spent += cpu() - used
        steps += 1
        value = yield asked


@cache
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


def chunks_in(pool: Any, n: int, size: int) -> int:
    """Chunks of calls: a worker that dies costs all of its chunk."""
    return len(list(pool.map(step, range(n), chunksize=size)))


def mapped_in(pool: Any, items: list[Any]) -> int:
    """An array each."""
    return len([future.result() for future in [pool.submit(first, item) for item in items]])


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


def peers(shape: str, n: int) -> Iterator[Contender]:
    """The other engines that are installed; each runs the chain it built before, as long a one as it can do."""
    for name, (make, most) in _PEERS.items() if shape == "chain" else ():
        if importlib.util.find_spec(name.split()[0]) is None:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        size = min(n, most)
        call = make(size)
        call()
        yield Contender(shape, name, call, size)


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
    """A Hamilton driver over a module made for it; it recurses, so a long chain is beyond it."""
    from hamilton import driver

    module = types.ModuleType("chain_module")
    lines = [f"def d{i + 1}(d{i}: int) -> int:\n    return d{i} + 1\n" for i in range(n)]
    sys.modules["chain_module"] = module
    exec("\n".join(lines), module.__dict__)
    made = driver.Builder().with_modules(module).build()
    return lambda: made.execute([f"d{n}"], inputs={"d0": 0})


def dask_chain(n: int, scheduler: str) -> Callable[[], object]:
    """dask.delayed."""
    import dask

    lazy = dask.delayed(step)
    value: Any = 0
    for _ in range(n):
        value = lazy(value)
    return lambda: value.compute(scheduler=scheduler)


def distributed_chain(n: int) -> Callable[[], object]:
    """dask.distributed with its scheduler and one worker in this process, two threads."""
    from distributed import Client

    client = Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None)
    atexit.register(client.close)

    def call() -> object:
        value: Any = client.submit(step, 0, pure=False)
        for _ in range(n - 1):
            value = client.submit(step, value, pure=False)
        return value.result()

    return call


_PEERS: dict[str, tuple[Callable[[int], Callable[[], object]], int]] = {
    "schedula": (schedula_chain, 1000),
    "pipefunc": (pipefunc_chain, SHORT),
    "hamilton": (hamilton_chain, SHORT),
    "dask sync": (partial(dask_chain, scheduler="sync"), 1000),
    "dask threads": (partial(dask_chain, scheduler="threads"), 1000),
    "distributed": (distributed_chain, SHORT),
}
