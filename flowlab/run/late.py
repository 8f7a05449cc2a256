"""A run that takes late Inputs: it goes on in a thread of its own while the block that started it adds more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from flowlab.errors import FlowError
from flowlab.graph.definition import MISSING
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.layout.wiring import default_list
from flowlab.run.outcome.context import Context, run_name
from flowlab.run.outcome.headway import showing
from flowlab.run.outcome.result import Run
from flowlab.run.session import Settings, default_lists, finish, given_values, prepare


class Started:
    """A run that is under way inside its `with` block, and what came out after it."""

    def __init__(
        self, flow: Any, inputs: Mapping[str, Any] | None, outputs: Iterable[str] | None, settings: Settings
    ) -> None:
        self._flow = flow
        self._settings = settings
        self._outputs = None if outputs is None else tuple(outputs)
        given = dict(inputs or {})
        graph = flow.graph
        self._late = [
            name for name, definition in graph.definitions.items()
            if (name in given and graph.many(name))
            or (name not in given and not graph.makers.get(name)
            and (definition.many or definition.default is not MISSING or _needed(graph, name)))
        ]  # fmt: skip
        self._open = [name for name in self._late if name not in given and not graph.many(name)]
        self._defaults = {name: default for name, default in default_lists(graph, given).items() if name in self._late}
        for name in self._late:
            if graph.many(name):
                given.setdefault(name, [])
        whole = {**given, **dict.fromkeys(self._open)}
        self._prepared = prepare(flow, whole, self._outputs)
        self._values = {
            name: value for name, value in given_values(self._prepared, whole).items() if name not in self._open
        }
        self._places = {name: len(self._values[name]) for name in self._late if name in self._values}
        self._ready = threading.Event()
        self._outcome: list[tuple[bool, Any]] = []
        self._loop: Any = None
        self._main: Any = None
        self._run: Run | None = None
        self._context: Context | None = None
        self._driver: Any = None
        self._thread: threading.Thread | None = None
        self._showing = ExitStack()

    def __enter__(self) -> Started:
        if self._settings.progress:
            headway = self._showing.enter_context(showing(self._flow.name))
            self._settings = replace(self._settings, progress=False, headway=headway)
        self._thread = threading.Thread(target=self._work, name="flowlab-start", daemon=True)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._showing:
            self._exit(error)

    def _exit(self, error: BaseException | None) -> None:
        assert self._thread is not None
        if self._thread.is_alive() and self._loop is not None:
            self._call(self._main.cancel if error is not None else self._finish)
        self._thread.join()
        good, value = self._outcome[0]
        if error is not None:
            return
        if not good:
            raise value
        self._run = finish(value, self._outputs, self._settings)

    def add(self, name: str, value: Any) -> None:
        """Add one more value of a many, or the value of a definition that was not given.

        Raises:
            FlowError: The flow cannot take it now.
        """
        self._flow.graph.known(name, "added is")
        if name not in self._late:
            raise FlowError(
                f"{name!r} was given as one value, is made by the flow, or only parameters with a default take it: "
                "only a many, or what is open, is added to; give it when starting, or declare Definition(default=)"
            )
        if self._context is None or self._run is not None or not self._thread or not self._thread.is_alive():
            raise FlowError(f"{name!r} comes too late: add inside the with block")
        refusal = self._flow.graph.definitions[name].refusal(value)
        if refusal:
            raise FlowError(f"a value given for {name!r} is refused: {refusal}")
        if name in self._open:
            self._open.remove(name)
        place = self._places[name] = self._places.get(name, 0) + 1
        self._call(self._give, name, value, place - 1)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_run") is None:
            raise AttributeError(f"{name!r}: a started run has results after its with block")
        return getattr(self._run, name)

    def __getitem__(self, name: str) -> Any:
        if self._run is None:
            raise KeyError(f"{name!r}: a started run has results after its with block")
        return self._run[name]

    def _call(self, function: Any, *arguments: Any) -> None:
        try:
            self._driver.threadsafe(function, *arguments)
        except RuntimeError as error:
            raise FlowError("the run has ended: add inside the with block") from error

    def _give(self, name: str, value: Any, place: int) -> None:
        context = self._context
        assert context is not None
        if context.waits:
            context.state.give(context.layout.slot_of[name], value, place)
            self._driver.pump(context)

    def _finish(self) -> None:
        context = self._context
        assert context is not None
        if context.waits:
            context.waits = False
            for name, default in self._defaults.items():
                if not self._places[name]:  # nothing was added, so its default serves
                    for place, value in enumerate(default_list(default)):
                        context.state.give(context.layout.slot_of[name], value, place)
            context.state.hold(context.late, -1)
            self._driver.pump(context)

    def _work(self) -> None:
        try:
            self._outcome.append((True, asyncio.run(self._serve())))
        except BaseException as error:
            self._outcome.append((False, error))
        finally:
            self._ready.set()

    async def _serve(self) -> Run:
        from flowlab.run.drivers.loop import Loop

        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        prepared, settings = self._prepared, self._settings
        driver = self._driver = Loop(prepared.place(settings), settings.workers, Interrupts())
        driver.headway = settings.headway
        context = self._context = prepared.context(run_name(), None, driver.locks, settings.level)
        context.late = list(self._late)
        context.late = [name for name in context.late if name in prepared.layout.slot_of]
        context.waits = True
        self._loop.call_soon(self._ready.set)
        try:
            await driver.run(context, self._values)
        finally:
            await driver.close()
        context.log.rows.extend(driver.start_rows())
        return context.result()


def _needed(graph: Any, name: str) -> bool:
    """Whether an operation cannot do without a definition."""
    for taker in graph.takers.get(name, ()):
        operation = graph.operations[taker]
        for taken, default in zip(operation.takes, operation.defaults, strict=True):
            if taken == name and default is MISSING:
                return True
        if name in operation.when:
            return True
    return False
