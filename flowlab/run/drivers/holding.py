"""Resources on the event loop: each is opened and closed in a task of its own, and shared if its scope is the run."""

from __future__ import annotations

import asyncio
from typing import Any

from flowlab.executors.task import OK
from flowlab.metrics.active import THREAD
from flowlab.run.drivers.attempt import told_apart
from flowlab.run.drivers.coroutines import Coroutines
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.drivers.pending import Pending
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.result import CallError


class Holding(Coroutines):
    """Opens resources for calls, and closes them, the last opened first."""

    def __init__(self, workers: int | None, interrupts: Interrupts | None) -> None:
        super().__init__(workers, interrupts)
        self.open: list[tuple[Context, Any, Any]] = []
        self.shared: dict[Any, tuple[tuple[Any, ...], asyncio.Future[Any]]] = {}

    async def _resource(self, call: Pending) -> None:
        started = self.clock()
        error: BaseException | None = None
        result: Any = None
        operation = call.node.operation
        first, shared = self.shared.get(operation, (call.arguments, None))
        if shared is None:
            shared = self.loop.create_future()
            shared.add_done_callback(lambda future: future.cancelled() or future.exception())
            if operation.scope == "run":
                self.shared[operation] = call.arguments, shared
            closing = asyncio.Event()
            task = asyncio.Task(self._hold(call, shared, closing), loop=self.loop)
            self.open.append((call.context, call.node, (closing, task)))
        try:
            result = await asyncio.shield(shared)
            error = told_apart(operation, first, call.arguments)
        except Exception as raised:
            error = raised
            if self.shared.get(operation, (first, None))[1] is shared:
                del self.shared[operation]
        self._after(call, (call, OK, result, started, self.clock(), None, None, THREAD.tid, None), error)

    async def _hold(self, call: Pending, opened: asyncio.Future[Any], closing: asyncio.Event) -> None:
        """Open a resource, keep it open, and close it in the same task."""
        generator = call.handler.call(call.arguments)
        plain = not hasattr(generator, "__anext__")
        try:
            timeout_s = call.node.operation.timeout_s
            async with asyncio.timeout(timeout_s):
                value = next(generator) if plain else await generator.__anext__()
        except BaseException as error:
            if isinstance(error, (StopIteration, StopAsyncIteration)):
                error = RuntimeError(f"resource {call.node.name!r} did not yield: yield what it provides")
            if not opened.done():
                opened.set_exception(error)
            return
        opened.set_result(value)
        try:
            await closing.wait()
        finally:
            try:
                if plain:
                    next(generator, None)
                else:
                    await anext(generator, None)
            except Exception as error:
                call.context.errors.append(CallError(call.context.prefix + call.node.name, error))

    async def close_resources(self, context: Context | None) -> None:
        """Close a context's own resources, or all of them, the last opened first."""
        for entry in reversed(self.open.copy()):
            owner, node, (closing, task) = entry
            if context is None or (owner is context and node.operation.scope == "context"):
                self.open.remove(entry)
                closing.set()
                await asyncio.wait([task])
