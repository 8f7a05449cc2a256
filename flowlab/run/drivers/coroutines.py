"""Coroutines, generators and whatever else runs on the loop and may wait there.

Runners are asyncio tasks that take one call after the other, so a call that never waits costs no task of its own.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from flowlab.executors.task import OK, Outcome
from flowlab.metrics.active import CALL, THREAD
from flowlab.metrics.probes import pause_above
from flowlab.run.drivers.attempt import timed_out
from flowlab.run.drivers.pending import Pending
from flowlab.run.drivers.places import AHEAD, Places
from flowlab.run.drivers.stepping import Cost, said, stepped

_END: Any = object()
GROUP, GROUP_NS = 64, 100_000
"""What calls that never waited made is told after so many, or after so long."""


class Coroutines(Places):
    """Runs what waits on the loop."""

    async def _nested(self, call: Pending) -> Any:
        raise NotImplementedError

    async def _resource(self, call: Pending) -> None:
        raise NotImplementedError

    def _hire(self) -> None:
        """Start one more runner; it hires the next when its call waits and others are queued."""
        self.available += 1
        me: list[asyncio.Task[None]] = []
        me.append(asyncio.Task(self._runner(me), loop=self.loop))  # no child of the call that is running
        self.runners.add(me[0])

    def _suspend(self) -> None:
        """A runner is about to wait: another has to look at the queue."""
        self.available -= 1
        if self.queue and not self.available:
            for _ in range(min(len(self.queue), len(self.runners))):
                self._hire()

    async def _runner(self, itself: list[asyncio.Task[None]]) -> None:
        """Run calls of coroutines, one after the other, until none waits.

        `available` counts the runners that will look at the queue before they wait for anything.
        """
        queue, cost, me = self.queue, self._cost(), itself[0]
        try:
            while queue:
                if cost.followers:  # a child of the last call goes on, and what it costs is that call's
                    cost = self._cost()
                waits = self._run_short(cost, me)
                if waits is None:
                    continue
                call, started, body, asked = waits
                if body is None:
                    await self._heavy(call)
                    continue
                self._suspend()
                error: BaseException | None = None
                result: Any = None
                try:
                    result = await stepped(body, cost, asked)
                except BaseException as raised:
                    if self.interrupts.own(raised) or _cancelled(raised, me):
                        raise
                    error = raised
                finally:
                    self.available += 1
                self._waited(call, cost, result, started, error)
        except Exception as error:
            self.break_off(error)
        finally:
            self.runners.discard(me)
            self.available -= 1  # also when it is cancelled: it would be counted on, and what waits never started

    def _cost(self) -> Cost:
        """What a runner keeps of the call it is in."""
        cost = Cost()
        cost.loop = self.loop
        CALL.set(cost)
        return cost

    def _waited(self, call: Pending, cost: Cost, result: Any, started: int, error: BaseException | None) -> None:
        """A call that waited at least once ended."""
        call.runner = None  # it knows its call too: nothing is to be left to the garbage collector
        extra: Any = said(cost, cost.cpu_ns)
        extra = (cost.steps,) if extra is None else {**extra, "steps": cost.steps}
        outcome = (call, OK, result, started, self.clock(), cost.cpu_ns, None, THREAD.tid, extra)
        if error is not None:
            self._after(call, outcome, error)
            return
        self._good(call, outcome)
        context = call.context
        if context.state.ready or not context.open:
            self.pump(context)

    def _run_short(self, cost: Cost, me: asyncio.Task[Any]) -> tuple[Pending, int, Any, Any] | None:
        """Run calls that never wait, up to the first that does or is more than a coroutine to be awaited.

        What they made is told in groups; so the CPU clock is read once between two calls, as little lies between them.

        Returns:
            The call that waits: its start, its body (None if it has to be run in another way) and what that asks for.
        """
        queue, clock, cpu, tid = self.queue, self.clock, time.thread_time_ns, THREAD.tid
        stack = THREAD.calls
        ended: list[Outcome] = []
        latest = clock() + GROUP_NS
        read: int | None = None
        try:
            while queue:
                call = queue.popleft()
                context = call.context
                if call.era != context.era:
                    continue
                handler = call.handler
                if not handler.stepped:
                    return call, 0, None, None
                call.runner = me
                cost.recorder, cost.about = context.log.nesting, call
                started = clock()
                used = cpu() if read is None else read
                stack.append(cost)
                result = asked = None
                error: BaseException | None = None
                try:
                    body = handler.call(call.arguments)
                    asked = body.send(None)
                except StopIteration as stop:
                    result, body = stop.value, None
                except BaseException as raised:
                    error, body = raised, None
                read = cpu()
                spent = read - used
                inside = None if stack[-1] is cost else pause_above(cost, read)
                stack.pop()
                if stack:
                    stack[-1].inner_ns += spent
                if body is not None:
                    cost.cpu_ns, cost.steps, cost.inside = spent, 1, inside
                    return call, started, body, asked
                ended_ns = clock()
                extra = None if cost.custom is None and not cost.inner_ns else said(cost, spent)
                outcome = (call, OK, result, started, ended_ns, spent, None, tid, extra)
                if error is not None:
                    if self.interrupts.own(error) or _cancelled(error, me):
                        raise error
                    self._after(call, outcome, error)
                    return None
                ended.append(outcome)
                if ended_ns > latest or len(ended) == GROUP or cost.followers:
                    return None
        finally:
            self._tell(ended)
        return None

    def _tell(self, ended: list[Outcome]) -> None:
        """Calls ended well."""
        last = None
        for outcome in ended:
            call = outcome[0]
            if call.context is not last and last is not None:
                self.pump(last)
            last = call.context
            self._good(call, outcome)
        if last is not None:
            self.pump(last)

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
        cost.loop, cost.recorder, cost.about = self.loop, call.context.log.nesting, call
        CALL.set(cost)
        operation = call.node.operation
        error: BaseException | None = None
        result: Any = None
        call.runner = asyncio.current_task()
        call.started_ns = started = self.clock()
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
        extra: dict[str, Any] = {**(said(cost, cost.cpu_ns) or {}), "steps": cost.steps}
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
                    self._in_time(call)
                    self._element(call, item)
                    if self.unstarted() >= AHEAD:
                        await self._room()
            finally:
                await generator.aclose()
            return
        try:
            while (item := self._step(generator, cost)) is not _END:
                self._in_time(call)
                self._element(call, item)
                await asyncio.sleep(0)
                while self.unstarted() >= AHEAD:
                    await self._room()
        finally:
            generator.close()

    def _in_time(self, call: Pending) -> None:
        """Refuse what a generator yields after its time was over: nothing stops a body that does not wait."""
        if call.started_ns is not None and self._late(call, call.started_ns, self.clock()):
            raise timed_out(call.node.operation)

    def _step(self, generator: Any, cost: Cost) -> Any:
        """The next element of a plain generator; _END at its end."""
        THREAD.calls.append(cost)
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


def _cancelled(error: BaseException, me: asyncio.Task[Any]) -> bool:
    """Whether a body ended because its runner is being cancelled; else it raised that by itself."""
    return isinstance(error, asyncio.CancelledError) and me.cancelling() > 0
