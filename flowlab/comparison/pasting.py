"""The code a reader pastes to run their functions the chosen way, without flowlab where it is not needed.

Invariant: what is printed here runs as it stands where `items` is defined; the tests run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent

from flowlab.comparison.strategies import Step


def code(strategy: str, steps: Sequence[Step], workers: Mapping[str, int], in_processes: frozenset[str]) -> str:
    """Python source that runs the steps over `items` with the strategy and leaves a list named `results`."""
    heavy = frozenset(index for index, step in enumerate(steps) if step.name in in_processes)
    named = [Step(_identifier(index, step), step.function) for index, step in enumerate(steps)]
    writers = {"serial": _serial, "threads": _threads, "asyncio": _asyncio, "processes": _processes}
    if strategy in writers:
        return _imports(named) + writers[strategy](named, workers)
    return _imports(named) + (_hybrid if strategy == "hybrid" else _dataflow)(named, workers, heavy)


def _identifier(index: int, step: Step) -> str:
    """The name to call a step by: its function's own, else one the reader is asked to give it."""
    own = str(getattr(step.function, "__qualname__", ""))
    return own if own.isidentifier() else f"step_{index + 1}"


def _imports(steps: Sequence[Step]) -> str:
    modules: dict[str, list[str]] = {}
    lines = []
    for step in steps:
        module = str(getattr(step.function, "__module__", None))
        if getattr(step.function, "__qualname__", None) != step.name:
            lines.append(f"# {step.name}: give your {type(step.function).__name__} this name\n")
        elif module not in ("None", "__main__", "builtins"):
            modules.setdefault(module, []).append(step.name)
    found = [f"from {module} import {', '.join(dict.fromkeys(names))}\n" for module, names in modules.items()]
    return "".join([*found, *lines])


def _is_async(steps: Sequence[Step]) -> bool:
    return any(step.is_async for step in steps)


def _one(steps: Sequence[Step]) -> str:
    """A function that takes one item through all steps, sync on the outside."""
    if not _is_async(steps):
        lines = "".join(f"value = {step.name}(value)\n" for step in steps)
        return f"def one(value):\n{indent(lines + 'return value', '    ')}\n\n\n"
    lines = "".join(f"value = {'await ' if step.is_async else ''}{step.name}(value)\n" for step in steps)
    inner = f"async def one_async(value):\n{indent(lines + 'return value', '    ')}\n\n\n"
    return f"{inner}def one(value):\n    return asyncio.run(one_async(value))\n\n\n"


def _serial(steps: Sequence[Step], workers: Mapping[str, int]) -> str:
    head = "import asyncio\n\n\n" if _is_async(steps) else "\n\n"
    return f"{head}{_one(steps)}results = [one(item) for item in items]\n"


def _threads(steps: Sequence[Step], workers: Mapping[str, int]) -> str:
    head = "import asyncio\n" if _is_async(steps) else ""
    return (
        f"{head}from concurrent.futures import ThreadPoolExecutor\n\n\n{_one(steps)}"
        f"with ThreadPoolExecutor(max_workers={workers['threads']}) as pool:\n"
        "    results = list(pool.map(one, items))\n"
    )


def _processes(steps: Sequence[Step], workers: Mapping[str, int]) -> str:
    head = "import asyncio\n" if _is_async(steps) else ""
    return (
        f"{head}from concurrent.futures import ProcessPoolExecutor\n\n\n{_one(steps)}"
        'if __name__ == "__main__":\n'
        f"    with ProcessPoolExecutor(max_workers={workers['processes']}) as pool:\n"
        "        results = list(pool.map(one, items))\n"
    )


def _asyncio(steps: Sequence[Step], workers: Mapping[str, int]) -> str:
    lines = "".join(
        f"value = await {step.name}(value)\n"
        if step.is_async
        else f"value = await asyncio.to_thread({step.name}, value)\n"
        for step in steps
    )
    return (
        "import asyncio\n\n\n"
        f"async def one(value, gate):\n    async with gate:\n{indent(lines + 'return value', '        ')}\n\n\n"
        "async def main():\n"
        f"    gate = asyncio.Semaphore({workers['asyncio']})\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        tasks = [group.create_task(one(item, gate)) for item in items]\n"
        "    return [task.result() for task in tasks]\n\n\n"
        "results = asyncio.run(main())\n"
    )


def _hybrid(steps: Sequence[Step], workers: Mapping[str, int], heavy: frozenset[int]) -> str:
    lines = ""
    for index, step in enumerate(steps):
        if step.is_async:
            lines += f"value = await {step.name}(value)\n"
        elif index in heavy:
            lines += f"value = await loop.run_in_executor(pool, {step.name}, value)\n"
        else:
            lines += f"value = await asyncio.to_thread({step.name}, value)\n"
    return (
        "import asyncio\nfrom concurrent.futures import ProcessPoolExecutor\n\n\n"
        "async def one(value, gate, pool):\n    loop = asyncio.get_running_loop()\n"
        f"    async with gate:\n{indent(lines + 'return value', '        ')}\n\n\n"
        "async def main():\n"
        f"    gate = asyncio.Semaphore({workers['asyncio']})\n"
        f"    with ProcessPoolExecutor(max_workers={workers['hybrid']}) as pool:\n"
        "        async with asyncio.TaskGroup() as group:\n"
        "            tasks = [group.create_task(one(item, gate, pool)) for item in items]\n"
        "        return [task.result() for task in tasks]\n\n\n"
        'if __name__ == "__main__":\n    results = asyncio.run(main())\n'
    )


def _dataflow(steps: Sequence[Step], workers: Mapping[str, int], heavy: frozenset[int]) -> str:
    lines, taken = "", "item"
    for index, step in enumerate(steps):
        where = "" if step.is_async else f', runs="{"processes" if index in heavy else "threads"}"'
        made = f"{step.name}_{index + 1}"
        lines += (
            f'    fl.operation(name="{made}", inputs={{{_parameter(step)!r}: "{taken}"}}, outputs="{made}"{where})'
            f"({step.name}),\n"
        )
        taken = made
    return (
        "import flowlab as fl\n\n\n"
        f"flow = fl.DataFlow(\n{lines})\n"
        f'runs = flow.map([{{"item": item}} for item in items], outputs=["{taken}"], workers={workers["dataflow"]})\n'
        f'results = [run["{taken}"] for run in runs]\n'
    )


def _parameter(step: Step) -> str:
    import inspect

    return next(iter(inspect.signature(step.function).parameters), "value")
