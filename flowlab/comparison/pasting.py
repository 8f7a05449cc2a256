"""The code a reader pastes to run their functions the chosen way, without flowlab where it is not needed.

It does what was measured: an async function away from asyncio runs on one event loop a worker, and where items failed
the rest go on. Where none failed nothing is caught: code that hides failures nobody has seen would be longer and worse.
Invariant: what is printed here runs as it stands where `items` is defined; the tests run it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import indent

from flowlab.comparison.strategies import Step


def code(
    strategy: str,
    steps: Sequence[Step],
    workers: Mapping[str, int],
    in_processes: frozenset[str],
    failed: Collection[str] = (),
) -> str:
    """Python source that runs the steps over `items` with the strategy and leaves a list named `results`.

    Args:
        strategy: One of fl.job's.
        steps: The functions.
        workers: Strategy to its number of workers.
        in_processes: Names of the steps that hybrid and dataflow send to worker processes.
        failed: Types of the exceptions that items failed with when they were measured.
    """
    heavy = frozenset(index for index, step in enumerate(steps) if step.name in in_processes)
    named = tuple(Step(_identifier(index, step), step.function) for index, step in enumerate(steps))
    return _WRITERS[strategy](_Given(named, workers, heavy, frozenset(failed)))


@dataclass(frozen=True, slots=True)
class _Given:
    """What a writer is told.

    Attributes:
        heavy: Indices of the steps that compute.
        failed: Types of the exceptions that items failed with.
    """

    steps: tuple[Step, ...]
    workers: Mapping[str, int]
    heavy: frozenset[int]
    failed: frozenset[str]

    @property
    def is_async(self) -> bool:
        return any(step.is_async for step in self.steps)


def _identifier(index: int, step: Step) -> str:
    """The name to call a step by: its function's own, else one the reader is asked to give it."""
    own = str(getattr(step.function, "__qualname__", ""))
    return own if own.isidentifier() else f"step_{index + 1}"


def _head(given: _Given, *imports: str) -> str:
    """The imports: the standard library's, then the reader's functions, or a word where one has no name."""
    logs = ["import logging"] if given.failed else []
    standard = sorted([*imports, *logs], key=lambda line: (line.startswith("from"), line))
    modules: dict[str, list[str]] = {}
    nameless = []
    for step in given.steps:
        module = str(getattr(step.function, "__module__", None))
        if getattr(step.function, "__qualname__", None) != step.name:
            nameless.append(f"# {step.name}: give your {type(step.function).__name__} this name")
        elif module not in ("None", "__main__", "builtins"):
            modules.setdefault(module, []).append(step.name)
    own = [f"from {module} import {', '.join(dict.fromkeys(names))}" for module, names in modules.items()]
    blocks = ["\n".join(lines) for lines in (standard, [*own, *nameless]) if lines]
    return "\n\n".join(blocks) + "\n\n\n" if blocks else ""


def _one(given: _Given, call: Callable[[int, Step], str]) -> str:
    """The body that takes `item` through all steps; where items failed, the others go on without it."""
    lines = ""
    for index, step in enumerate(given.steps):
        lines += f"value = {call(index, step)}\n".replace("VALUE", "value" if index else "item")
    lines += "return value\n"
    if given.failed:
        kinds = "(Exception, SystemExit)" if "SystemExit" in given.failed else "Exception"
        lines = f"try:\n{indent(lines, '    ')}except {kinds}:  # the other items go on; this one's result is None\n"
        lines += '    logging.exception("%r failed", item)\n    return None\n'
    return lines


def _sync_one(given: _Given, runner: str) -> str:
    """The same as a plain function; an async step runs on its worker's event loop."""
    body = _one(given, lambda _, step: f"{runner}.run({step.name}(VALUE))" if step.is_async else f"{step.name}(VALUE)")
    return f"def one(item):\n{indent(body, '    ')}\n\n"


def _async_one(given: _Given, parameters: str, before: str, elsewhere: Callable[[int, Step], str]) -> str:
    """The same as a coroutine function, with a bounded number under way; a sync step is called elsewhere."""
    body = _one(
        given, lambda index, step: f"await {step.name}(VALUE)" if step.is_async else f"await {elsewhere(index, step)}"
    )
    return f"async def one({parameters}):\n{before}    async with gate:\n{indent(body, ' ' * 8)}\n\n"


def _serial(given: _Given) -> str:
    results = "results = [one(item) for item in items]\n"
    if not given.is_async:
        return _head(given) + _sync_one(given, "") + results
    head = _head(given, "import asyncio")
    return f"{head}{_sync_one(given, 'runner')}with asyncio.Runner() as runner:\n    {results}"


def _threads(given: _Given) -> str:
    pool, count = "from concurrent.futures import ThreadPoolExecutor", given.workers["threads"]
    mapped = "    results = list(pool.map(one, items))\n"
    if not given.is_async:
        return (
            f"{_head(given, pool)}{_sync_one(given, '')}with ThreadPoolExecutor(max_workers={count}) as pool:\n{mapped}"
        )
    return (
        f"{_head(given, 'import asyncio', 'import threading', pool)[:-1]}"
        "worker = threading.local()\n\n\n"
        "def start_worker():\n    worker.runner = asyncio.Runner()  # one event loop a worker\n\n\n"
        f"{_sync_one(given, 'worker.runner')}"
        f"with ThreadPoolExecutor(max_workers={count}, initializer=start_worker) as pool:\n{mapped}"
    )


def _processes(given: _Given) -> str:
    pool = "from concurrent.futures import ProcessPoolExecutor"
    head, loop = _head(given, pool), ""
    if given.is_async:
        head = _head(given, "import asyncio", pool)[:-1]
        loop = "runner = asyncio.Runner()  # one event loop a worker, made when it is first used\n\n\n"
    return (
        f"{head}{loop}{_sync_one(given, 'runner')}"
        'if __name__ == "__main__":\n'
        f"    with ProcessPoolExecutor(max_workers={given.workers['processes']}) as pool:\n"
        "        results = list(pool.map(one, items))\n"
    )


def _asyncio(given: _Given) -> str:
    one = _async_one(given, "item, gate", "", lambda _, step: f"asyncio.to_thread({step.name}, VALUE)")
    return (
        f"{_head(given, 'import asyncio')}{one}"
        "async def main():\n"
        f"    gate = asyncio.Semaphore({given.workers['asyncio']})\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        tasks = [group.create_task(one(item, gate)) for item in items]\n"
        "    return [task.result() for task in tasks]\n\n\n"
        "results = asyncio.run(main())\n"
    )


def _hybrid(given: _Given) -> str:
    if not given.heavy:
        return _asyncio(given)  # as it was measured: nothing computes

    def elsewhere(index: int, step: Step) -> str:
        if index in given.heavy:
            return f"loop.run_in_executor(pool, {step.name}, VALUE)"
        return f"asyncio.to_thread({step.name}, VALUE)"

    one = _async_one(given, "item, gate, pool", "    loop = asyncio.get_running_loop()\n", elsewhere)
    return (
        f"{_head(given, 'import asyncio', 'from concurrent.futures import ProcessPoolExecutor')}{one}"
        "async def main():\n"
        f"    gate = asyncio.Semaphore({given.workers['asyncio']})\n"
        f"    with ProcessPoolExecutor(max_workers={given.workers['hybrid']}) as pool:\n"
        "        async with asyncio.TaskGroup() as group:\n"
        "            tasks = [group.create_task(one(item, gate, pool)) for item in items]\n"
        "        return [task.result() for task in tasks]\n\n\n"
        'if __name__ == "__main__":\n    results = asyncio.run(main())\n'
    )


def _dataflow(given: _Given) -> str:
    lines, taken = "", "item"
    for index, step in enumerate(given.steps):
        where = "" if step.is_async else f', runs="{"processes" if index in given.heavy else "threads"}"'
        made = f"{step.name}_{index + 1}"
        lines += (
            f'    fl.operation(name="{made}", inputs={{"{_parameter(step)}": "{taken}"}}, outputs="{made}"{where})'
            f"({step.name}),\n"
        )
        taken = made
    result, lenient = f'run["{taken}"]', ""
    if given.failed:
        result, lenient = f"None if run.errors else {result}", "    strict=False,  # the other items go on\n"
    return (
        f"{_head(replace(given, failed=frozenset()), 'import flowlab as fl')[:-1]}"
        f"flow = fl.DataFlow(\n{lines})\n"
        "runs = flow.map(\n"
        '    [{"item": item} for item in items],\n'
        f'    outputs=["{taken}"],\n    workers={given.workers["dataflow"]},\n{lenient})\n'
        f"results = [{result} for run in runs]\n"
    )


def _parameter(step: Step) -> str:
    return next(iter(inspect.signature(step.function).parameters), "value")


_WRITERS: dict[str, Callable[[_Given], str]] = {
    "serial": _serial,
    "threads": _threads,
    "asyncio": _asyncio,
    "processes": _processes,
    "hybrid": _hybrid,
    "dataflow": _dataflow,
}
