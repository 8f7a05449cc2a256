"""The code a reader pastes to run their functions the chosen way, without flowlab where it is not needed.

Invariant: what is printed here runs as it stands where `items` is defined; the tests run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent

from flowlab.comparison.strategies import Step


def code(strategy: str, steps: Sequence[Step], workers: Mapping[str, int], in_processes: frozenset[str]) -> str:
    """Python source that runs the steps over `items` with the strategy and leaves a list named `results`."""
    writers = {"serial": _serial, "threads": _threads, "asyncio": _asyncio, "processes": _processes}
    body = writers[strategy](steps, workers) if strategy in writers else _dataflow(steps, workers, in_processes)
    return _imports(steps) + body


def _name(step: Step) -> str:
    return str(getattr(step.function, "__qualname__", step.name)).rpartition(".")[2]


def _imports(steps: Sequence[Step]) -> str:
    modules: dict[str, list[str]] = {}
    for step in steps:
        module = getattr(step.function, "__module__", None)
        if module not in (None, "__main__", "builtins") and _name(step).isidentifier():
            modules.setdefault(str(module), []).append(_name(step))
    lines = [f"from {module} import {', '.join(dict.fromkeys(names))}\n" for module, names in modules.items()]
    unnamed = [step.name for step in steps if not _name(step).isidentifier()]
    if unnamed:
        lines.append(f"# give these functions a name first: {', '.join(unnamed)}\n")
    return "".join(lines)


def _is_async(steps: Sequence[Step]) -> bool:
    return any(step.is_async for step in steps)


def _one(steps: Sequence[Step]) -> str:
    """A function that takes one item through all steps, sync on the outside."""
    if not _is_async(steps):
        lines = "".join(f"value = {_name(step)}(value)\n" for step in steps)
        return f"def one(value):\n{indent(lines + 'return value', '    ')}\n\n\n"
    lines = "".join(f"value = {'await ' if step.is_async else ''}{_name(step)}(value)\n" for step in steps)
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
        f"value = await {_name(step)}(value)\n"
        if step.is_async
        else f"value = await asyncio.to_thread({_name(step)}, value)\n"
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


def _dataflow(steps: Sequence[Step], workers: Mapping[str, int], in_processes: frozenset[str]) -> str:
    """A flow: also what is pasted for the hybrid, which it is the short form of."""
    lines, taken = "", "item"
    for step in steps:
        where = "" if step.is_async else f', runs="{"processes" if step.name in in_processes else "threads"}"'
        made = f"{_name(step)}_result"
        lines += (
            f'    fl.operation(inputs={{{_parameter(step)!r}: "{taken}"}}, outputs="{made}"{where})({_name(step)}),\n'
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
