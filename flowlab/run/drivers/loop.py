"""Running contexts on an event loop: which calls start when, how often they are tried, and what becomes of their
results.

The states say which calls may start; `places` has them run. Invariant: when `close` has returned, nothing the driver
started is left: no task, no thread with a call waiting, no leased worker, no open resource, no lock held. Only the
body of a call that timed out or was stopped in a thread may go on, as nothing ends it. Its locks stay until it ends, so
a run waits for it as long as calls wait for its locks, but those fail after `LINGER_S`; nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flowlab.errors import FlowlabError
from flowlab.metrics.follow import follow
from flowlab.run.drivers.attempt import broken_off
from flowlab.run.drivers.ending import Ending
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.drivers.pending import Pending
from flowlab.run.layout.distance import far
from flowlab.run.layout.layout import Layout
from flowlab.run.outcome import going
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import Row
from flowlab.run.outcome.outcome import cleanup

WINDOW = 256
"""How many calls wait in an executor's queue; the others are kept small until there is room."""


class Loop(Ending):
    """Runs contexts on the running event loop.

    Args:
        executor: Where plain functions run.
        workers: How many threads and processes there are at most; None for as many as this machine has cores.
        interrupts: Says which interrupts are the user's.

    Attributes:
        expected: How many contexts there may be at once.
    """

    def __init__(self, executor: str, workers: int | None, interrupts: Interrupts | None = None) -> None:
        super().__init__(workers, interrupts)
        self.executor = executor
        self.expected = 1
        self.warmed: set[int] = set()

    # contexts

    async def run(self, context: Context, inputs: Mapping[str, Any]) -> None:
        """Run a context to its end; cleanup has run and resources of scope "context" are closed."""
        state = context.state
        self.states[state] = context
        if self.headway is not None:
            self.headway.began(context, self)
        going.began(context)
        self.full = self.full or context.log.level == "full"
        if context.log.keep:
            follow(self.loop)
        try:
            if context.late:
                state.hold(context.late, 1)
            state.begin(inputs)
            self.warm(context.layout)
            await self._until_idle(context)
            while state.advance():
                await self._until_idle(context)
        except FlowlabError:
            raise
        except Exception as error:
            raise broken_off(error) from error
        finally:
            try:
                await asyncio.shield(self._clean(context, *self.abort(context)))
            finally:
                self.states.pop(state, None)
                if self.headway is not None:
                    self.headway.ended(context)

    def warm(self, layout: Layout) -> None:
        """Have worker processes started, if a layout needs some, while other calls begin."""
        if id(layout) in self.warmed:
            return
        self.warmed.add(id(layout))
        functions, count = far(layout, self.executor)
        if functions:
            self.pool().warm(functions, count * self.expected, self.threadsafe)

    async def _until_idle(self, context: Context, cleaning: bool = False) -> None:
        if self.broken is not None and not cleaning:
            raise self.broken
        future = self.idle[context] = self.loop.create_future()
        self.pump(context)
        await future

    async def _clean(self, context: Context, stopping: list[asyncio.Task[None]], stopped: list[Pending]) -> None:
        if stopping:
            await asyncio.wait(stopping)
        for call in stopped:  # only now: what a cancelled body does at its end must not overlap with what comes next
            if call.node.locks:
                self._release(call)
            if call.handler.limit is not None:
                self._next(call.node.operation)
        try:
            calls = cleanup(context.state)
            if calls:
                context.state.ready.clear()
                context.state.ready.extend(calls)
                await self._until_idle(context, cleaning=True)
        finally:
            self.abort(context)
            await self.close_resources(context)
            self.idle.pop(context, None)

    def abort(self, context: Context) -> tuple[list[asyncio.Task[None]], list[Pending]]:
        """Stop what a context still runs or waits for, nothing if it is done.

        Returns:
            The tasks that are about to end, and the calls that were stopped.
        """
        state = context.state
        context.waits = False
        if not (context.open or state.parked or state.ready):
            return [], []
        stopping = []
        stopped = []
        queued = {call for waiting in self.backlog.values() for call in waiting}
        context.era += 1
        for place, stalled in self.stalled.items():
            self.stalled[place] = deque(entry for entry in stalled if entry[0] is not context)
        context.open = 0
        state.ready.clear()
        for call in list(context.calls):
            if call not in queued:
                stopped.append(call)
            if call.place == "processes" and self.processes is not None:
                self.processes.stop(call)
            elif call.place == "threads" and self.threads is not None:
                operation = call.node.operation
                call.lingers = bool(call.node.locks) and operation.inner is None and operation.scope is None
                with suppress(ValueError):
                    self.threads.tasks.remove(call)
                    call.lingers = False
                self.threads.stop(call)
            runner = call.runner
            if runner is not None and runner is not asyncio.current_task():
                runner.cancel()
                stopping.append(runner)
        for node, element, _ in list(state.parked.values()):
            del state.parked[node.number, element]
            self.paused.pop((context, node.number, element), None)
            self._let_go(state, node, element)
        context.calls.clear()
        return stopping, stopped

    def pump(self, context: Context) -> None:
        """Start what the context's state says may start."""
        state = context.state
        ready = state.ready
        handlers, executor, running, broken = context.handlers, self.executor, self.running, self.broken is not None
        pools, prefix, now = self.pools, context.prefix, self.clock()
        while ready:
            node, element, arguments = ready.popleft()
            context.open += 1
            if self.paused and (call := self.paused.pop((context, node.number, element), None)) is not None:
                self.start(call)
                continue
            handler = handlers[node.number]
            place = "inline" if broken else handler.place or executor  # cleanup, then: no pool is to be relied on
            if place == "processes" and context.layout.resources and context.layout.nearby(node):
                place = "threads"
            if handler.light and handler.limit is None and place in pools:
                pool = pools[place]
                if place == "threads" and len(pool.tasks) >= WINDOW:
                    self.stalled[place].append((context, node, element, arguments, now))
                    continue
                call = Pending(context, handler, node, element, arguments, place, now)
                context.calls.add(call)
                context.log.names.append(prefix + handler.name if prefix else handler.name)
                pool.submit(call)
                continue
            call = Pending(context, handler, node, element, arguments, place, self.clock())
            context.calls.add(call)
            if not handler.stepped:
                self.admit(call)
                continue
            count = running.get(node.operation, 0)
            if count >= handler.limit:  # type: ignore[operator]  # a coroutine's is never None
                self.admit(call)
                continue
            running[node.operation] = count + 1
            context.log.names.append(prefix + handler.name if prefix else handler.name)
            self.queue.append(call)
            if not self.available:
                self._hire()
        if self.processes is not None:
            self.feed_soon()
        if not context.open and not state.parked and not context.waits:
            future = self.idle.get(context)
            if future is not None and not future.done():
                future.set_result(None)

    def refill(self, place: str) -> None:
        """Submit calls that stalled because enough were waiting at a place."""
        stalled, pool = self.stalled[place], self.pools[place]
        while stalled and len(pool.tasks) < WINDOW:
            context, node, element, arguments, now = stalled.popleft()
            handler = context.handlers[node.number]
            call = Pending(context, handler, node, element, arguments, place, now)
            context.calls.add(call)
            context.log.names.append(context.prefix + handler.name if context.prefix else handler.name)
            pool.submit(call)

    def admit(self, call: Pending) -> None:
        """Start a call, or keep it until its operation has room."""
        operation = call.node.operation
        limit = call.handler.limit
        if limit is not None:
            count = self.running.get(operation, 0)
            if count >= limit:
                self.backlog.setdefault(operation, deque()).append(call)
                self.backlogged += 1
                return
            self.running[operation] = count + 1
        self.start(call)

    def start(self, call: Pending) -> None:
        """Start an attempt of a call."""
        handler = call.handler
        if call.attempt == 1:
            if handler.domain is not None:
                try:
                    inside = handler.domain(call.arguments)
                except Exception as error:
                    self.end(call, error)
                    return
                if not inside:
                    self.end(call, None, refused="its domain says no")
                    return
            if call.node.operation.inner is None:
                call.context.log.names.append(call.context.prefix + call.node.name)
        self.place(call)

    # sub-flows and elements

    async def _nested(self, call: Pending) -> Any:
        return await call.node.operation.inner.run(self, call)

    def _element(self, call: Pending, item: Any) -> None:
        values = call.handler.one(item)
        try:
            call.context.state.emitted(call.node, call.element, call.count, values)
            call.count += 1
            self.pump(call.context)
        except FlowlabError:
            raise
        except Exception as error:
            self.break_off(error)

    # what came of a call

    async def close(self) -> None:
        """End everything that was started, resources last, in reverse."""
        for timer in self.retrying:
            timer.cancel()
        self.queue.clear()
        runners = [task for task in self.runners if task is not asyncio.current_task()]
        for task in runners:
            task.cancel()
        if runners:
            await asyncio.wait(runners)
        await self.close_resources(None)
        if self.threads is not None:
            self.threads.close()
            self.threads = None
        if self.processes is not None:
            self.processes.close()

    def start_rows(self) -> list[Row]:
        """What starting worker processes cost."""
        if self.processes is None:
            return []
        pid, tid = os.getpid(), threading.get_native_id()
        return [
            Row(
                "start workers", "processes", 1, "ok", None, began, began, ready, None, pid, tid, "start",
                {"custom": {"worker": worker}},
            )
            for worker, began, ready in self.processes.starts
        ]  # fmt: skip
