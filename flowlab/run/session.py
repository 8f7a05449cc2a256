"""A session: one call of run, run_async or map, from checking what is given to handing out the runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowlab.errors import FlowError, RunError
from flowlab.graph.definition import MISSING
from flowlab.metrics import active
from flowlab.planning import explain_unreachable
from flowlab.run.drivers.blocking import blocking
from flowlab.run.drivers.interrupt import Interrupts, interrupts
from flowlab.run.layout.handler import Handler
from flowlab.run.layout.layout import Layout
from flowlab.run.layout.wiring import layout
from flowlab.run.outcome import going
from flowlab.run.outcome.context import Context, make_handlers, run_name, watched_handlers
from flowlab.run.outcome.headway import showing
from flowlab.run.outcome.result import Run, cause, check
from flowlab.run.state.locks import Locks


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: where, with how many workers, whether a missing output is an error, what is measured and shown."""

    executor: str | None = None
    workers: int | None = None
    strict: bool = True
    level: str = "time"
    progress: bool = False
    headway: Any = None


class Prepared:
    """A flow's layout for certain names, and how its nodes are called; kept with the flow."""

    __slots__ = ("defaults", "handlers", "has_coroutines", "layout", "placed")

    def __init__(self, made: Layout, defaults: Mapping[str, Any]) -> None:
        self.layout = made
        self.defaults = defaults
        self.handlers = make_handlers(made)
        operations = [node.operation for node in made.nodes]
        inner = [operation.inner for operation in operations if operation.inner is not None]
        self.has_coroutines = any(operation.is_async for operation in operations) or any(
            flow.has_coroutines for flow in inner
        )
        self.placed = any(operation.runs not in (None, "inline") for operation in operations) or any(
            f.placed for f in inner
        )

    def handlers_at(self, level: str) -> list[Handler]:
        """The handlers for a level of measuring."""
        return watched_handlers(self.layout) if level == "full" else self.handlers

    def context(self, run: str, number: int | None, locks: Locks, level: str, tid: int | None = None) -> Context:
        """A context of a run.

        Args:
            run: The run's name.
            number: Which of the run's contexts it is; None if it is the only one.
            locks: The driver's.
            level: The level of measuring.
            tid: The thread that runs it; None for this one.
        """
        tid = threading.get_native_id() if tid is None else tid
        return Context(self.layout, self.handlers_at(level), run, number, tid, locks, level)

    def inline(self, settings: Settings) -> bool:
        """Whether a run needs no event loop."""
        return not self.has_coroutines and not self.placed and settings.executor in (None, "inline")

    def place(self, settings: Settings) -> str:
        """Where plain functions run."""
        return settings.executor or ("threads" if self.has_coroutines else "inline")


def prepare(flow: Any, inputs: Mapping[str, Any], outputs: Iterable[str] | None) -> Prepared:
    """The layout for what is given and wanted.

    Raises:
        FlowError: A name is unknown, or a value does not fit.
        RunError: A wanted output cannot be reached.
    """
    if isinstance(outputs, str):
        raise FlowError(f"outputs is a list of names: say outputs=[{outputs!r}]")
    try:
        key = (tuple(inputs), None if outputs is None else tuple(outputs))
    except TypeError as error:
        raise unreadable(inputs) from error
    found: Prepared | None = flow._layouts.get(key)
    if found is None:
        given, wanted = flow._names(inputs, outputs)
        defaults = default_lists(flow.graph, given)
        given = (*given, *defaults)
        made = layout(flow.graph, given, wanted)
        if made.plan.unreachable:
            reasons = "; ".join(explain_unreachable(flow.graph, name, given) for name in made.plan.unreachable)
            raise RunError(f"flow {flow.name!r}: {reasons}")
        if len(flow._layouts) >= 32:
            flow._layouts.pop(next(iter(flow._layouts)))
        found = flow._layouts[key] = Prepared(made, defaults)
    return found


def unreadable(inputs: Any) -> FlowError:
    """What is said of inputs that are no mapping."""
    return FlowError(f"inputs are a mapping of names to values, not a {type(inputs).__name__}: give {{'name': value}}")


def default_lists(graph: Any, given: Iterable[str]) -> dict[str, Any]:
    """The defaults of lists that nothing makes and nobody gave: they are as if given."""
    return {
        name: definition.default
        for name, definition in graph.definitions.items()
        if definition.many and definition.default is not MISSING and name not in given and not graph.makers.get(name)
    }


def given_values(prepared: Prepared, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, with iterables of a many as lists.

    Raises:
        FlowError: A many got one value, or a check refuses a value.
    """
    slots = prepared.layout.slots
    slot_of = prepared.layout.slot_of
    try:
        found = {**prepared.defaults, **inputs}
    except TypeError as error:
        raise unreadable(inputs) from error
    checked = False
    for name, value in found.items():
        slot = slots[slot_of[name]]
        checked = checked or slot.definition.check is not None
        if slot.order:
            if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
                raise FlowError(f"{name!r} is many and got a {type(value).__name__}: give a list of values")
            from flowlab.run.layout.handler import elements

            found[name] = list(elements(name, value))
    if checked:
        _check(prepared.layout, found)
    return found


def _check(made: Layout, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        slot = made.slots[made.slot_of[name]]
        for item in value if slot.order else (value,):
            refusal = slot.definition.refusal(item)
            if refusal:
                raise FlowError(f"a value given for {name!r} is refused: {refusal}")


def run(flow: Any, inputs: Mapping[str, Any] | None, outputs: Iterable[str] | None, settings: Settings) -> Run:
    """Run one context."""
    if settings.progress:
        with showing(flow.name) as headway:
            return run(flow, inputs, outputs, replace(settings, progress=False, headway=headway))
    inputs = {} if inputs is None else inputs
    outputs = outputs if outputs is None or isinstance(outputs, str) else tuple(outputs)
    prepared = prepare(flow, inputs, outputs)
    values = given_values(prepared, inputs)
    if prepared.inline(settings):
        return _run_inline(prepared, values, outputs, settings)
    return blocking(lambda interrupts: _run_loop(prepared, values, outputs, settings, interrupts))  # type: ignore[no-any-return]


async def run_async(
    flow: Any, inputs: Mapping[str, Any] | None, outputs: Iterable[str] | None, settings: Settings
) -> Run:
    """Run one context on the running event loop."""
    if settings.progress:
        with showing(flow.name) as headway:
            return await run_async(flow, inputs, outputs, replace(settings, progress=False, headway=headway))
    inputs = {} if inputs is None else inputs
    outputs = outputs if outputs is None or isinstance(outputs, str) else tuple(outputs)
    prepared = prepare(flow, inputs, outputs)
    values = given_values(prepared, inputs)
    return await _run_loop(prepared, values, outputs, settings, None)


def run_map(
    flow: Any, items: Iterable[Mapping[str, Any]], outputs: Iterable[str] | None, settings: Settings
) -> list[Run]:
    """Run one context an item."""
    if settings.progress:
        items = list(items)
        with showing(flow.name, len(items)) as headway:
            return run_map(flow, items, outputs, replace(settings, progress=False, headway=headway))
    outputs = outputs if outputs is None or isinstance(outputs, str) else tuple(outputs)
    todo = []
    for item in items:
        prepared = prepare(flow, item, outputs)
        todo.append((prepared, given_values(prepared, item)))
    if not todo:
        return []
    if all(prepared.inline(settings) for prepared, _ in todo):
        return _map_inline(todo, outputs, settings)
    return blocking(lambda interrupts: _map_loop(todo, outputs, settings, interrupts))  # type: ignore[no-any-return]


def finish(run: Run, outputs: Any, settings: Settings) -> Run:
    """Hand a finished run out: to the active recorder and the keeper, and to the caller, or raise."""
    going.ended(run)
    around = active.CALL.get()
    if around is not None and around.tid is not None:
        elsewhere = [r.cpu_self_ns or 0 for r in run.records if (r.pid, r.tid) != (os.getpid(), around.tid)]
        if elsewhere:
            around.add_away(sum(elsewhere))
    if settings.strict and run.failures:
        check(run, outputs is not None)
    return run


def _run_inline(prepared: Prepared, values: Mapping[str, Any], outputs: Any, settings: Settings) -> Run:
    from flowlab.run.drivers.inline import Inline

    with interrupts() as watch:
        inline = Inline(interrupts=watch)
        inline.headway = settings.headway
        context = prepared.context(run_name(), None, inline.locks, settings.level)
        try:
            inline.run(context, values)
        finally:
            inline.close("run")
    return finish(context.result(), outputs, settings)


def _map_inline(todo: list[tuple[Prepared, Any]], outputs: Any, settings: Settings) -> list[Run]:
    from flowlab.run.drivers.inline import Inline

    name, tid = run_name(), threading.get_native_id()
    contexts = []
    with interrupts() as watch:
        inline = Inline(interrupts=watch)
        inline.headway = settings.headway
        try:
            for number, (prepared, values) in enumerate(todo):
                context = prepared.context(name, number, inline.locks, settings.level, tid)
                contexts.append(context)
                inline.run(context, values)
        finally:
            inline.close("run")
    return _finish_all([context.result() for context in contexts], outputs, settings)


def _finish_all(runs: list[Run], outputs: Any, settings: Settings) -> list[Run]:
    failures = []
    for one in runs:
        try:
            finish(one, outputs, settings)
        except RunError as error:
            failures.append(error)
    going.over(runs[0]._context.log.run)
    if failures:
        count = f"{len(failures)} of {len(runs)} items failed; the first: "
        errors = tuple(entry for failure in failures for entry in failure.errors)
        failure = RunError(count + str(failures[0]), failures[0].run, errors)
        failure.runs = runs  # type: ignore[attr-defined]
        raise failure from cause([entry.error for entry in errors])
    return runs


async def _run_loop(
    prepared: Prepared, values: Mapping[str, Any], outputs: Any, settings: Settings, watch: Interrupts | None
) -> Run:
    from flowlab.run.drivers.loop import Loop

    driver = Loop(prepared.place(settings), settings.workers, watch)
    driver.headway = settings.headway
    context = prepared.context(run_name(), None, driver.locks, settings.level)
    try:
        await driver.run(context, values)
    finally:
        await driver.close()
    context.log.rows.extend(driver.start_rows())
    return finish(context.result(), outputs, settings)


async def _map_loop(
    todo: list[tuple[Prepared, Any]], outputs: Any, settings: Settings, watch: Interrupts | None
) -> list[Run]:
    import asyncio

    from flowlab.run.drivers.loop import Loop

    driver = Loop(todo[0][0].place(settings), settings.workers, watch)
    driver.headway = settings.headway
    driver.expected = len(todo)
    name, tid = run_name(), threading.get_native_id()
    contexts = [
        prepared.context(name, number, driver.locks, settings.level, tid) for number, (prepared, _) in enumerate(todo)
    ]
    try:
        async with asyncio.TaskGroup() as group:
            for context, (_, values) in zip(contexts, todo, strict=True):
                group.create_task(driver.run(context, values))
    except ExceptionGroup as group_error:  # the driver failed, which ends all items; no call's failure comes here
        first = group_error.exceptions[0]
        raise first from first.__cause__
    finally:
        await driver.close()
    contexts[0].log.rows.extend(driver.start_rows())
    return _finish_all([context.result() for context in contexts], outputs, settings)
