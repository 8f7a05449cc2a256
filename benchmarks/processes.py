"""Where the CPU of a short call in a worker process goes, in the caller and in the worker.

    python benchmarks/processes.py

The caller's parts are CPU of its thread between entering and leaving a function, without the parts inside it; the
worker's loop is run here, on calls that have arrived. Each is the run with the least in all of several.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shapes import chain_flow, fan_flow, many_flow, step

from flowlab.executors import brief
from flowlab.executors.processes import Processes
from flowlab.executors.ring import Ring, shared_file
from flowlab.executors.worker import Worker
from flowlab.run.drivers.loop import Loop
from flowlab.run.state.state import State

N, ROUNDS = 1000, 25
PARTS = {
    "begin": (State, "the state: what is given"), "pump": (Loop, "taking calls from the state"),
    "feed": (Processes, "choosing a worker, packing"), "_write": (Processes, "writing to the pipe"),
    "_read": (Processes, "reading from the pipe"), "_drain": (Processes, "reading results from the ring"),
    "_take_all": (Loop, "events into the state, rows of the log"),
}  # fmt: skip
spent: dict[str, int] = {}
inside: list[int] = []


def watched(name: str, function: Any) -> Any:
    """The function, with its CPU added to `spent`."""

    def call(*arguments: Any, **named: Any) -> Any:
        began = time.thread_time_ns()
        inside.append(0)
        try:
            return function(*arguments, **named)
        finally:
            took = time.thread_time_ns() - began
            spent[name] = spent.get(name, 0) + took - inside.pop()
            if inside:
                inside[-1] += took

    return call


def parts(name: str, run: Callable[[], object]) -> None:
    """Print what the parts of a run cost in the caller."""
    run()
    least: tuple[int, dict[str, int]] | None = None
    for _ in range(ROUNDS):
        spent.clear()
        began = time.thread_time_ns()
        run()
        total = time.thread_time_ns() - began
        if least is None or total < least[0]:
            least = total, dict(spent)
    assert least is not None
    total, found = least
    print(f"{name}, caller: {total / N / 1000:.2f} us a call")
    for part, took in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {took / N / 1000:6.2f}  {PARTS[part][1]}")
    print(f"  {(total - sum(found.values())) / N / 1000:6.2f}  the rest: the event loop, starting and ending the run")


def worker() -> None:
    """Print what the worker's loop costs a call."""
    fd = shared_file()
    one, other = Worker(0, 0, Ring(os.dup(fd))), Ring(fd)
    one.functions[0] = step
    least = 0
    for _ in range(ROUNDS):
        one.calls.extend((number, 0, (number,)) for number in range(128))
        began = time.thread_time_ns()
        brief.run(one)
        took = time.thread_time_ns() - began
        least = min(least or took, took)
        other.read()
    print(f"worker, 128 calls that have arrived: {least / 128 / 1000:.2f} us a call")


def main() -> None:
    """Print all of it."""
    worker()
    for name, (owner, _) in PARTS.items():
        setattr(owner, name, watched(name, getattr(owner, name)))
    where = {"executor": "processes", "workers": 2}
    parts("one operation", partial(many_flow(step).run, {"x": list(range(N))}, ["n"], **where))
    parts("fan", partial(fan_flow(N, step).run, {"x": 1}, ["n"], **where))
    parts("chain", partial(chain_flow(N, step).run, {"d0": 0}, [f"d{N}"], **where))


if __name__ == "__main__":
    main()
