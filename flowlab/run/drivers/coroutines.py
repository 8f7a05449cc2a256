"""Coroutines, generators and whatever else runs on the loop and may wait there.

Runners are asyncio tasks that take one call after the other, so a call that never waits costs no task of its own.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from flowlab.executors.task import OK, Outcome
from flowlab.metrics.active import CALL, THREAD
from flowlab.run.drivers.attempt import timed_out
from flowlab.run.drivers.pending import Pending
from flowlab.run.drivers.places import AHEAD, Places
from flowlab.run.drivers.stepping import Cost, said, stepped

_END: Any = object()


class Coroutines(Places):
    """Runs what waits on the loop."""

    async def _nested(self, call: Pending) -> Any:
        raise NotImplementedError

    async def _resource(self, call: Pending) -> None:
        raise NotImplementedError

    def _hire(self) -> None:
        """Start one more runner; it hires the next when its call waits and others are queued."""
        self.available += 1
        task = asyncio.Task(self._runner(), loop=self.loop)  # no child of the call that is running
        self.runners.add(task)
        task.add_done_callback(self.runners.discard)

    def _suspend(self) -> None:
        """A runner is about to wait: another has to look at the queue."""
        self.available -= 1
        if self.queue and not self.available:
            for _ in range(min(len(self.queue), len(self.runners))):
                self._hire()

    async def _runner(self) -> None:
        """Run calls of coroutines, one after the other, until none waits.

        `available` counts the runners that will look at the queue before they wait for anything.
        """
        queue, clock, cpu = self.queue, self.clock, time.thread_time_ns
        cost = Cost()
        frame = cost.frame
        frame.loop = self.loop
        CALL.set(frame)
        stack = THREAD.calls
        tid = THREAD.tid
        me = asyncio.current_task()
        while queue:
            call = queue.popleft()
            if call.stale:
                continue
            handler = call.handler
            if not handler.light or call.place != "asyncio" or not call.node.operation.is_async:
                await self._heavy(call)
                continue
            call.runner = me
            if frame.followers:  # a child of the last call goes on, and what it costs is that call's
                cost = Cost()
                frame = cost.frame
                frame.loop = self.loop
                CALL.set(frame)
            cost.cpu_ns, cost.steps = 0, 1
            frame.recorder, frame.about = call.context.log.nesting, call
            error: BaseException | None = None
            result: Any = None
            started = clock()
            try:
                body = handler.call(call.arguments)
                stack.append(frame)
                used = cpu()
                try:
                    asked = body.send(None)
                finally:
                    cost.pause(used)
                self._suspend()
                try:
                    result = await stepped(body, cost, asked)
                finally:
                    self.available += 1
            except StopIteration as stop:
                result = stop.value
            except asyncio.CancelledError as raised:
                if me is not None and me.cancelling():
                    raise
                error = raised
            except BaseException as raised:
                if self.interrupts.own(raised):
                    raise
                error = raised
            extra = said(frame, cost.cpu_ns)
            if cost.steps > 1 or extra:
                extra = {**(extra or {}), "steps": cost.steps}
            outcome = (call, OK, result, started, clock(), cost.cpu_ns, None, tid, extra)
            if error is None:
                self._good(call, outcome)
                self.pump(call.context)
            else:
                self._after(call, outcome, error)
        self.available -= 1

    async def _heavy(self, call: Pending) -> None:
        """Run a call that is more than a coroutine to be awaited."""
        self._suspend()
        if call.node.operation.scope is not None:
            try:
                await self._resource(call)
            finally:
                self.available += 1
            return
        try:
            outcome, error = await self._coroutine(call)
        finally:
            self.available += 1
        self._after(call, outcome, error)

    async def _coroutine(self, call: Pending) -> tuple[Outcome, BaseException | None]:
        cost = Cost()
        frame = cost.frame
        frame.loop, frame.recorder, frame.about = self.loop, call.context.log.nesting, call
        CALL.set(frame)
        operation = call.node.operation
        error: BaseException | None = None
        result: Any = None
        call.runner = asyncio.current_task()
        started = self.clock()
        try:
            if operation.timeout_s is None:
                result = await self._body(call, cost)
            else:
                async with asyncio.timeout(operation.timeout_s) as limit:
                    result = await self._body(call, cost)
                if self._late(call, started, self.clock()):
                    error = timed_out(operation)
        except TimeoutError as raised:
            expired = operation.timeout_s is not None and limit.expired()
            error = timed_out(operation) if expired else raised
        except asyncio.CancelledError as raised:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            error = raised
        except BaseException as raised:
            if self.interrupts.own(raised):
                raise
            error = raised
        extra: dict[str, Any] = {**(said(cost.frame, cost.cpu_ns) or {}), "steps": cost.steps}
        return (call, OK, result, started, self.clock(), cost.cpu_ns, None, THREAD.tid, extra), error

    async def _body(self, call: Pending, cost: Cost) -> Any:
        if call.node.operation.inner is not None:
            return await self._nested(call)
        if call.handler.streams:
            return await self._stream(call, cost)
        return await stepped(call.handler.call(call.arguments), cost)

    async def _stream(self, call: Pending, cost: Cost) -> None:
        generator = call.handler.call(call.arguments)
        if hasattr(generator, "__anext__"):
            try:
                while True:
                    try:
                        item = await stepped(generator.__anext__(), cost)
                    except StopAsyncIteration:
                        break
                    self._element(call, item)
                    if self.unstarted() >= AHEAD:
                        await self._room()
            finally:
                await generator.aclose()
            return
        while (item := self._step(generator, cost)) is not _END:
            self._element(call, item)
            await asyncio.sleep(0)
            while self.unstarted() >= AHEAD:
                await self._room()

    def _step(self, generator: Any, cost: Cost) -> Any:
        """The next element of a plain generator; _END at its end."""
        THREAD.calls.append(cost.frame)
        used = time.thread_time_ns()
        cost.resume()
        try:
            return next(generator, _END)
        finally:
            cost.pause(used)
            cost.steps += 1

    async def _room(self) -> None:
        future = self.loop.create_future()
        self.waiting_for_room.append(lambda: None if future.done() else future.set_result(None))
        await future

    def make_room(self) -> None:
        """Let paused generators go on if few calls wait now."""
        if self.waiting_for_room and self.unstarted() < AHEAD:
            waiting, self.waiting_for_room = self.waiting_for_room, []
            for go_on in waiting:
                go_on()
