"""A job made of anyone's plain functions: every strategy is derived from them, nobody writes five versions.

`fl.job(fetch, parse, score, items=urls)` sends each item through the functions, one feeding the next. Sync and
async functions mix freely: under asyncio a sync one goes through `asyncio.to_thread`, elsewhere an async one runs
on one event loop a worker. A failing item is kept as a failure and the rest go on. Invariant: every strategy makes
the same calls.
"""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowlab.comparison import strategies
from flowlab.comparison.strategies import Plan, Results, Step
from flowlab.comparison.subjects import equal_values, send_by_value
from flowlab.errors import SettingError
from flowlab.machine import Machine

PLACED = ("hybrid", "dataflow")
"""The strategies whose functions are placed by what was measured."""

CALLS_AT_ONCE = 32  # what the standard library's thread pool allows at most by default


@dataclass(frozen=True, slots=True)
class Job:
    """Functions, items, and the strategies derived from them; made by `job`.

    Attributes:
        steps: The functions, in order, with the names their records have.
        items: What the strategies run on: all items, or a sample of them.
        n_all: How many items there are in all.
        indices: Where each item of a sample stands among all of them; None for all.
    """

    name: str
    steps: tuple[Step, ...]
    items: tuple[Any, ...]
    n_all: int
    workers: Mapping[str, int]
    in_processes: frozenset[str] = frozenset()
    same: Callable[[Any, Any], bool] | None = None
    indices: tuple[int, ...] | None = None

    @property
    def strategies(self) -> dict[str, Callable[[], Results]]:
        """Name to a function without arguments that does the whole job."""
        plan = Plan(self.steps, self.items, self.workers, self.in_processes)
        return {name: partial(run, plan) for name, run in strategies.ALL.items()}

    @property
    def settings(self) -> dict[str, object]:
        """What to print beside the result."""
        of_all = f" (a sample of {self.n_all})" if self.n_all > len(self.items) else ""
        return {
            "functions": ", ".join(step.name for step in self.steps),
            "items": f"{len(self.items)}{of_all}",
            "workers": ", ".join(f"{name} {count}" for name, count in self.workers.items()),
        }

    @property
    def calls(self) -> int:
        """How many calls of the functions one run makes, if none fails."""
        return len(self.steps) * len(self.items)

    def equal(self, one: Results, other: Results) -> bool:
        """Whether two strategies gave equal values for every item that neither failed on."""
        same = self.same or equal_values
        failed = {index for index, _ in (*one.failures, *other.failures)}
        return len(one.values) == len(other.values) and all(
            same(one.values[index], other.values[index]) for index in range(len(one.values)) if index not in failed
        )

    def sampled(self, n: int, seed: int = 0) -> Job:
        """The same job on `n` items drawn at random, in their order; on all of them if there are no more."""
        if n < 1:
            raise SettingError(f"sample={n} leaves nothing to run: give 1 or more")
        if n >= len(self.items):
            return self
        chosen = tuple(sorted(random.Random(seed).sample(range(len(self.items)), n)))
        return replace(self, items=tuple(self.items[index] for index in chosen), indices=chosen)

    def numbered(self, failures: Iterable[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
        """Failures with the items' places among all items instead of in the sample."""
        return tuple((index if self.indices is None else self.indices[index], error) for index, error in failures)

    def placed(self, computing: Mapping[str, float]) -> Job:
        """The same job with each function placed by what it was measured to do.

        Args:
            computing: Function name to the share of its wall time that was CPU time, 0 to 1.
        """
        heavy = frozenset(step.name for step in self.steps if not step.is_async and computing.get(step.name, 0.0) > 0.5)
        return replace(self, in_processes=heavy)

    def needs_trial(self, names: Iterable[str]) -> bool:
        """Whether a serial run must be made first, to place what hybrid or dataflow compute: serial is not chosen."""
        chosen = set(names)
        sync = any(not step.is_async for step in self.steps)
        return sync and "serial" not in chosen and not chosen.isdisjoint(PLACED)


def job(
    *functions: Callable[..., Any],
    items: Iterable[Any],
    equal: Callable[[Any, Any], bool] | None = None,
    workers: int | None = None,
    name: str | None = None,
) -> Job:
    """Make a job of plain functions, ready for `fl.compare`.

    Args:
        functions: Each takes one value, the first an item, the next what the one before returned; sync or async.
        items: What to run them on.
        equal: Tells whether two final values are equal, where `==` does not (arrays, floats from another order).
        workers: Processes to use; default is the cores this machine lets us use.
        name: What to call the job; default is the functions' names.

    Raises:
        SettingError: There is no function or no item, or a function cannot be called with one value.
    """
    if not functions:
        raise SettingError("a job needs at least one function: fl.job(fetch, parse, items=urls)")
    if isinstance(items, (str, bytes, Mapping)):
        raise SettingError(f"items is a {type(items).__name__}, which is one thing: give a list of items")
    given = tuple(items)
    if not given:
        raise SettingError("a job needs at least one item: items is empty")
    if workers is not None and workers < 1:
        raise SettingError(f"workers={workers}: give 1 or more")
    steps = _steps(functions)
    send_by_value(step.function for step in steps)
    send_by_value({type(item) for item in given})
    cores = workers or Machine.detect().cores
    at_once = min(CALLS_AT_ONCE, (os.cpu_count() or 1) + 4) if workers is None else workers
    counts = {
        "threads": min(at_once, len(given)), "asyncio": min(CALLS_AT_ONCE, len(given)), "processes": cores,
        "hybrid": cores, "dataflow": cores,
    }  # fmt: skip
    return Job(name or ", ".join(step.name for step in steps), steps, given, len(given), counts, same=equal)


def _steps(functions: tuple[Callable[..., Any], ...]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for function in functions:
        if not callable(function):
            raise SettingError(f"a job is made of functions, and {function!r} is not callable")
        name = str(getattr(function, "__name__", type(function).__name__)).strip("<>")
        _takes_one_value(name, function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise SettingError(f"function {name!r} is a generator, which no process can send: return a list instead")
        taken = sum(step.name == name or step.name.startswith(f"{name} ") for step in steps)
        steps.append(Step(f"{name} {taken + 1}" if taken else name, function))
    return tuple(steps)


def _takes_one_value(name: str, function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind(object())
    except ValueError:
        return  # a builtin that does not say what it takes
    except TypeError as error:
        raise SettingError(
            f"function {name!r} cannot be called with one value ({error}): each function of a job takes what the one "
            "before it returned; fix other arguments with functools.partial"
        ) from None
