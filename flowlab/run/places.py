"""Where the event loop's driver has calls run: on the loop, in threads, in worker processes.

A place starts an attempt and reports with `_after`, exactly once, unless the attempt's context was stopped. Limits, retries and
what becomes of results are the driver's business (`loop`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import Any

from flowlab.executors.task import OK, YIELD, Outcome, Task
from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.run.attempt import timed_out
from flowlab.run.interrupt import Interrupts
from flowlab.run.pending import Pending
from flowlab.run.stepping import Cost, stepped

AHEAD = 1000
"""A generator pauses while this many calls are ready but not started."""


class Places:
    """Starts attempts and hears of their ends."""

    def __init__(self, workers: int | None, interrupts: Interrupts | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = time.perf_counter_ns
        self.workers = workers
        self.interrupts = interrupts or Interrupts()
        self.threads: Any = None
        self.processes: Any = None
        self.queue: deque[Pending] = deque()
        self.runners: set[asyncio.Task[None]] = set()
        self.available = 0
        self.waiting_for_room: list[Any] = []
        self.backlogged = 0
        self.frame = Call(0)
        self.in_body = False
        self.interrupts.in_body = lambda: self.in_body

    def _after(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        raise NotImplementedError

    def _element(self, call: Pending, item: Any) -> None:
        raise NotImplementedError

    async def _nested(self, call: Pending) -> Any:
        raise NotImplementedError

    async def _resource(self, call: Pending) -> None:
        raise NotImplementedError

    def place(self, call: Pending) -> None:
        """Start an attempt where it belongs."""
        operation = call.node.operation
        on_loop = call.place in ("inline", "asyncio")
        if operation.is_async or operation.scope is not None or operation.inner is not None or (on_loop and call.handler.streams):
            self.queue.append(call)
            if len(self.queue) > self.available:
                self.available += 1
                task = self.loop.create_task(self._runner())
                self.runners.add(task)
                task.add_done_callback(self.runners.discard)
        elif on_loop:
            self._inline(call)
        elif call.place == "threads":
            self._thread(call)
        else:
            self._process(call)

    # on the loop

    def _inline(self, call: Pending) -> None:
        frame = self.frame
        started, used = self.clock(), time.thread_time_ns()
        THREAD.calls.append(frame)
        token = CALL.set(frame)
        error: BaseException | None = None
        result: Any = None
        self.in_body = True
        try:
            result = call.handler.call(call.arguments)
        except BaseException as raised:
            if self.interrupts.own(raised):
                if self.interrupts.stop is None:
                    raise
                self.interrupts.stop()
                return
            error = raised
        finally:
            self.in_body = False
            THREAD.calls.pop()
            CALL.reset(token)
        spent, ended = time.thread_time_ns() - used, self.clock()
        extra = {"custom": frame.custom} if frame.custom else None
        frame.custom = None
        outcome = Outcome(call.task, OK, result, started, ended, spent, None, THREAD.tid, extra)
        if error is None and self._late(call, started, ended):
            error = timed_out(call.node.operation)
        self.loop.call_soon(self._after, call, outcome, error)

    def _late(self, call: Pending, started: int, ended: int) -> bool:
        timeout_s = call.node.operation.timeout_s
        return timeout_s is not None and ended - started > timeout_s * 1e9

    async def _runner(self) -> None:
        """Run calls of coroutines, one after the other, until none waits."""
        queue = self.queue
        while queue:
            call = queue.popleft()
            self.available -= 1
            if call.stale:
                self.available += 1
                continue
            if call.node.operation.scope is not None:
                await self._resource(call)
                self.available += 1
            else:
                outcome, error = await self._coroutine(call)
                self.available += 1
                self._after(call, outcome, error)
        self.available -= 1

    async def _coroutine(self, call: Pending) -> tuple[Outcome, BaseException | None]:
        cost = Cost()
        CALL.set(cost.frame)
        operation = call.node.operation
        error: BaseException | None = None
        result: Any = None
        call.task = asyncio.current_task()
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
        extra: dict[str, Any] = {"steps": cost.steps}
        if cost.frame.custom:
            extra["custom"] = cost.frame.custom
        return Outcome(call.task, OK, result, started, self.clock(), cost.cpu_ns, None, THREAD.tid, extra), error

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
        for item in generator:
            self._element(call, item)
            await asyncio.sleep(0)
            while self.unstarted() >= AHEAD:
                await self._room()

    def unstarted(self) -> int:
        """How many calls are ready but not started."""
        count = self.backlogged + len(self.queue)
        if self.threads is not None:
            count += len(self.threads.tasks)
        if self.processes is not None:
            count += len(self.processes.tasks)
        return count

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

    # threads and processes

    def _thread(self, call: Pending) -> None:
        if self.threads is None:
            from flowlab.executors.threads import Threads

            self.threads = Threads(self.workers or min(32, cores() + 4), self._wake_threads, self.clock)
        call.task = Task(call.handler.call, (call.arguments,), streams=call.handler.streams, owner=call)
        if call.node.operation.timeout_s is not None:
            self._watch(call)
        self.threads.submit(call.task)

    def _wake_threads(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._take_threads)
        except RuntimeError:
            pass  # the loop has closed: nobody waits for an abandoned thread

    def _take_threads(self) -> None:
        if self.threads is not None:
            self._take(self.threads)

    def _take(self, executor: Any) -> None:
        for outcome in executor.take():
            task = outcome.task
            call: Pending = task.owner
            if task.gone or call.task is not task or call.stale:
                continue
            if outcome.status == YIELD:
                self._yielded(executor, call, outcome)
            elif outcome.status == OK:
                late = outcome.started_ns is not None and self._late(call, outcome.started_ns, outcome.ended_ns)
                self._after(call, outcome, timed_out(call.node.operation) if late else None)
            else:
                self._after(call, outcome, outcome.value)

    def _yielded(self, executor: Any, call: Pending, outcome: Outcome) -> None:
        task = outcome.task
        try:
            self._element(call, outcome.value)
        except Exception as error:
            task.gone = True
            executor.stop(task)
            self._after(call, outcome, error)
            return
        if self.unstarted() >= AHEAD:
            self.waiting_for_room.append(lambda: executor.more(task))
        else:
            executor.more(task)

    def _process(self, call: Pending) -> None:
        if self.processes is None:
            from flowlab.executors.processes import Processes

            self.processes = Processes(
                self.workers or cores(), self._listen, lambda: self.loop.call_soon(self._take, self.processes), self.clock
            )
        operation, handler = call.node.operation, call.handler
        arguments, names = handler.flat(call.arguments)
        call.task = Task(operation.function, arguments, names, handler.streams, call, operation.timeout_s)
        if operation.timeout_s is not None:
            self._watch(call)
        self.processes.submit(call.task)

    def _listen(self, fd: int, readable: Any, writable: Any) -> None:
        if readable is None:
            self.loop.remove_reader(fd)
        else:
            self.loop.add_reader(fd, self._readable, readable)
        if writable is None:
            self.loop.remove_writer(fd)
        else:
            self.loop.add_writer(fd, writable)

    def _readable(self, read: Any) -> None:
        read()
        if self.processes is not None:
            self._take(self.processes)

    def _watch(self, call: Pending) -> None:
        """Have a look when the call's time may be over; it counts from the start of its body."""
        timeout_s = call.node.operation.timeout_s or 0.0
        started = call.task.started_ns
        left = timeout_s if started is None else timeout_s - (self.clock() - started) / 1e9
        call.timer = self.loop.call_later(max(0.0, left), self._expire, call, call.task)

    def _expire(self, call: Pending, task: Task) -> None:
        if call.task is not task or task.gone or call.stale:
            return
        started = task.started_ns
        now = self.clock()
        if started is None or not self._late(call, started, now):
            self._watch(call)
            return
        task.gone = True
        executor = self.processes if call.place == "processes" else self.threads
        executor.stop(task)
        error = timed_out(call.node.operation, call.place == "processes")
        self._after(call, Outcome(task, OK, None, started, now), error)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
