"""The same pipeline of functions, run six ways.

Each strategy takes a Plan and returns Results: one value an item, in the order of the items, and the failures. All
go through `_call`, so that every call is measured and named alike; they differ only in where calls happen and how
many at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowlab.metrics import measured, span

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flowlab.comparison.lasting import LastingPool

FAILING = (Exception, SystemExit)
"""What costs an item and not the strategy: `sys.exit` in somebody's function is a failure of that call."""

Failure = tuple[int, str]
"""An item's index and the type of its exception. Never its message: that may hold the item."""


@dataclass(frozen=True, slots=True)
class Step:
    """A function and the name its records have."""

    name: str
    function: Callable[[Any], Any]

    @property
    def is_async(self) -> bool:
        """Whether calling it gives something to await."""
        function = self.function
        while hasattr(function, "func"):  # functools.partial
            function = function.func
        call = vars(type(function)).get("__call__")  # of an object with an async __call__
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, on what, and with how many workers.

    Attributes:
        in_processes: Names of the steps that compute: hybrid and dataflow send these to worker processes.
    """

    steps: tuple[Step, ...]
    items: tuple[Any, ...]
    workers: Mapping[str, int]
    in_processes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Results:
    """One value an item, in order (None where it failed), and the failures."""

    values: tuple[Any, ...]
    failures: tuple[Failure, ...] = ()

    def portable(self) -> Results:
        """The same, with values that cannot be sent between processes as failures."""
        import cloudpickle

        failures, values = dict(self.failures), list(self.values)
        for index, value in enumerate(self.values):
            try:
                cloudpickle.dumps(value)
            except Exception as error:
                failures[index], values[index] = type(error).__name__, None
        return Results(tuple(values), tuple(sorted(failures.items())))


@dataclass(slots=True)
class _Collected:
    n: int
    values: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, index: int, value: Any, failure: str | None) -> None:
        if failure is None:
            self.values[index] = value
        else:
            self.failures[index] = failure

    def results(self) -> Results:
        values = tuple(self.values.get(index) for index in range(self.n))
        return Results(values, tuple(sorted(self.failures.items())))


class _Line:
    """The steps as one function for one worker: async steps run on this worker's own event loop."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        self._runner: Any = None
        if any(step.is_async for step in steps):
            import asyncio

            self._runner = asyncio.Runner()

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.close()

    def __call__(self, item: Any) -> tuple[Any, str | None]:
        """The last step's value, or the type of the exception that stopped the item."""
        value = item
        try:
            for step in self.steps:
                value = self._on_the_loop(step, value) if step.is_async else _call(step, value)
        except FAILING as error:
            return None, type(error).__name__
        return value, None

    def _on_the_loop(self, step: Step, value: Any) -> Any:
        value, error = self._runner.run(_caught(step, value))
        if error is not None:
            raise error
        return value


def _call(step: Step, value: Any) -> Any:
    with span(step.name):
        return step.function(value)


async def _call_async(step: Step, value: Any) -> Any:
    async def call() -> Any:
        return await step.function(value)

    return await measured(step.name)(call)()


async def _caught(step: Step, value: Any) -> tuple[Any, BaseException | None]:
    """The value or the exception: a SystemExit that leaves a task goes through its event loop."""
    try:
        return await _call_async(step, value), None
    except FAILING as error:
        return None, error


def serial(plan: Plan) -> Results:
    """One item after the other."""
    collected = _Collected(len(plan.items))
    with _Line(plan.steps) as line:
        for index, item in enumerate(plan.items):
            collected.add(index, *line(item))
    return collected.results()


def threads(plan: Plan) -> Results:
    """A pool of threads; each takes the next item and sees it through."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Lock

    collected, waiting, lock = _Collected(len(plan.items)), enumerate(plan.items), Lock()

    def work() -> None:
        with _Line(plan.steps) as line:
            while True:
                with lock:
                    taken = next(waiting, None)
                if taken is None:
                    return
                collected.add(taken[0], *line(taken[1]))

    with ThreadPoolExecutor(plan.workers["threads"]) as pool:
        for done in [pool.submit(work) for _ in range(plan.workers["threads"])]:
            done.result()
    return collected.results()


def coroutines(plan: Plan) -> Results:
    """One event loop; a bounded number of items under way at once; sync functions in threads."""
    import asyncio

    async def in_thread(step: Step, value: Any) -> Any:
        return await asyncio.to_thread(_call, step, value)

    return _on_a_loop(plan, plan.workers["asyncio"], in_thread)


def _on_a_loop(plan: Plan, at_once: int, elsewhere: Callable[[Step, Any], Awaitable[Any]]) -> Results:
    import asyncio

    collected = _Collected(len(plan.items))

    async def one(index: int, item: Any, gate: asyncio.Semaphore) -> None:
        async with gate:
            value = item
            try:
                for step in plan.steps:
                    value = await (_call_async(step, value) if step.is_async else elsewhere(step, value))
            except FAILING as error:
                collected.add(index, None, type(error).__name__)
            else:
                collected.add(index, value, None)

    async def survey() -> None:
        gate = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as group:
            for index, item in enumerate(plan.items):
                group.create_task(one(index, item, gate))

    asyncio.run(survey())
    return collected.results()


_line: _Line | None = None  # in a worker process: its steps, loaded once


def _start_worker(blob: bytes, asked_ns: int) -> None:
    import pickle

    from flowlab.metrics.starts import worker_ready

    global _line
    _line = _Line(pickle.loads(blob))
    worker_ready(asked_ns)


Worked = tuple[bytes | None, str | None]
"""An item's pickled value, or the type of the exception that stopped it."""


def _work(item: bytes) -> Worked:
    import pickle

    import cloudpickle

    assert _line is not None
    value, failure = _line(pickle.loads(item))
    try:
        return None if failure else cloudpickle.dumps(value), failure
    except Exception as error:
        return None, type(error).__name__


def _work_step(name: str, blob: bytes) -> bytes:
    import pickle

    import cloudpickle

    assert _line is not None
    step = next(step for step in _line.steps if step.name == name)
    result: bytes = cloudpickle.dumps(_call(step, pickle.loads(blob)))
    return result


def _pool(steps: tuple[Step, ...], workers: int) -> LastingPool:
    """A pool of fresh processes that know the steps; functions of notebooks and lambdas included (cloudpickle)."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from time import perf_counter_ns

    import cloudpickle

    from flowlab.comparison.lasting import LastingPool

    fresh = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context, blob = multiprocessing.get_context(fresh), cloudpickle.dumps(steps)

    def start(count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(count, context, _start_worker, (blob, perf_counter_ns()))

    return LastingPool(start, workers)


def processes(plan: Plan) -> Results:
    """A pool of processes; each takes whole items."""
    import pickle

    import cloudpickle

    collected = _Collected(len(plan.items))
    with _pool(plan.steps, plan.workers["processes"]) as pool:
        waiting = [pool.submit(_work, cloudpickle.dumps(item)) for item in plan.items]
        for index, done in enumerate(waiting):
            blob, failure = _worked(pool, done, plan.items[index])
            collected.add(index, None if blob is None else pickle.loads(blob), failure)
    return collected.results()


def _worked(pool: LastingPool, done: Future[Worked], item: Any) -> Worked:
    """What `_work` returned, or that it ended its worker."""
    from concurrent.futures.process import BrokenProcessPool

    import cloudpickle

    from flowlab.errors import WorkerLost

    try:
        return done.result()
    except BrokenProcessPool:
        pass
    try:
        return pool.again(_work, cloudpickle.dumps(item))  # type: ignore[no-any-return]
    except WorkerLost as error:
        return None, type(error).__name__


def hybrid(plan: Plan) -> Results:
    """One event loop for what waits, a pool of processes for the steps that compute."""
    import asyncio
    import pickle
    from concurrent.futures.process import BrokenProcessPool

    import cloudpickle

    heavy = tuple(step for step in plan.steps if step.name in plan.in_processes)
    if not heavy:
        return coroutines(plan)
    with _pool(heavy, plan.workers["hybrid"]) as pool:

        async def elsewhere(step: Step, value: Any) -> Any:
            if step.name not in plan.in_processes:
                return await asyncio.to_thread(_call, step, value)
            call = (_work_step, step.name, cloudpickle.dumps(value))
            try:
                return pickle.loads(await asyncio.wrap_future(pool.submit(*call)))
            except BrokenProcessPool:
                return pickle.loads(await asyncio.to_thread(pool.again, *call))

        return _on_a_loop(plan, plan.workers["asyncio"], elsewhere)


def dataflow(plan: Plan) -> Results:
    """A flow with one operation a function; each item is one context."""
    from flowlab.dataflow import DataFlow

    names = ["item", *(step.name for step in plan.steps)]
    operations = [_operation(step, taken, plan) for step, taken in zip(plan.steps, names, strict=False)]
    flow = DataFlow(*operations, name="job")
    runs = flow.map(
        [{"item": item} for item in plan.items], outputs=names[-1:], workers=plan.workers["dataflow"], strict=False
    )
    collected = _Collected(len(plan.items))
    for index, run in enumerate(runs):
        failure = type(run.errors[0].error).__name__ if run.errors else None
        collected.add(index, None if failure else run[names[-1]], failure)
    return collected.results()


def _operation(step: Step, taken: str, plan: Plan) -> Any:
    from flowlab.graph import operation

    function = step.function
    settings: dict[str, Any] = {"name": step.name, "inputs": {"value": taken}, "outputs": step.name}
    if step.is_async:

        async def awaited(value: Any) -> Any:
            return await function(value)

        return operation(**settings)(awaited)

    def called(value: Any) -> Any:
        return function(value)

    return operation(**settings, runs="processes" if step.name in plan.in_processes else "threads")(called)


ALL: dict[str, Callable[[Plan], Results]] = {
    "serial": serial,
    "threads": threads,
    "asyncio": coroutines,
    "processes": processes,
    "hybrid": hybrid,
    "dataflow": dataflow,
}
