"""Where the event loop's driver has calls run: on the loop, in threads, in worker processes.

A place starts an attempt and reports with `_after`, exactly once, unless the attempt's context was stopped. Limits,
retries and what becomes of results are the driver's business (`loop`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flowlab.executors.task import OK, YIELD, Batch, Outcome
from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.run.drivers.attempt import timed_out
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.drivers.pending import Pending
from flowlab.run.drivers.stepping import said
from flowlab.run.outcome.context import Context

TURN_NS = 1_000_000
"""How long one short call after the other may be waited for before the loop turns."""
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
        self.pools: dict[str, Any] = {}
        self.full = False
        self.stalled: dict[str, deque[Any]] = {"threads": deque(), "processes": deque()}
        self.queue: deque[Pending] = deque()
        self.runners: set[asyncio.Task[None]] = set()
        self.available = 0
        self.taking = False
        self.waiting_for_room: list[Any] = []
        self.backlogged = 0
        self.frame = Call(0)
        self.frame.loop = self.loop
        self.in_body = False
        self.headway: Any = None
        self.interrupts.in_body = lambda: self.in_body
        self.idle: dict[Context, asyncio.Future[None]] = {}
        self.broken: Exception | None = None

    def guard(self, function: Callable[..., Any], *arguments: Any) -> None:
        """What the loop calls back: what fails there ends the run, as else nobody would go on with it."""
        try:
            function(*arguments)
        except Exception as error:
            self.break_off(error)

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the loop call back."""
        self.loop.call_soon(self.guard, function, *arguments)

    def threadsafe(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have the loop call back, asked from another thread."""
        self.loop.call_soon_threadsafe(self.guard, function, *arguments)

    def later(self, delay_s: float, function: Callable[..., Any], *arguments: Any) -> asyncio.TimerHandle:
        """Have the loop call back after a time."""
        return self.loop.call_later(delay_s, self.guard, function, *arguments)

    def break_off(self, error: Exception) -> None:
        """Something failed between two calls: every context ends with it."""
        self.broken = self.broken or error
        for future in self.idle.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # or it would be complained about if nobody waits any more

    def _after(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        raise NotImplementedError

    def _good(self, call: Pending, outcome: Outcome) -> None:
        raise NotImplementedError

    def _lingered(self, call: Pending) -> None:
        """The body of a call that was given up has ended."""
        raise NotImplementedError

    def _good_all(self, batch: Batch, touched: dict[Context, Context]) -> None:
        """Short calls ended well; those contexts have to be pumped."""
        raise NotImplementedError

    def pump(self, context: Context) -> None:
        """Start what the context's state says may start."""
        raise NotImplementedError

    def _element(self, call: Pending, item: Any) -> None:
        raise NotImplementedError

    def _hire(self) -> None:
        """Have one more runner look at the queue of coroutines."""
        raise NotImplementedError

    def place(self, call: Pending) -> None:
        """Start an attempt where it belongs."""
        operation = call.node.operation
        on_loop = call.place in ("inline", "asyncio")
        if (
            operation.is_async
            or operation.scope is not None
            or operation.inner is not None
            or (on_loop and call.handler.streams)
        ):
            self.queue.append(call)
            if not self.available:
                self._hire()
        elif on_loop:
            self._inline(call)
        elif call.place == "threads":
            self._thread(call)
        else:
            self._process(call)

    # on the loop

    def _inline(self, call: Pending) -> None:
        frame = self.frame
        frame.recorder, frame.about = call.context.log.nesting, call
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
        if THREAD.calls:
            THREAD.calls[-1].inner_ns += spent
        extra = said(frame, spent)
        if error is None and self._late(call, started, ended):
            error = timed_out(call.node.operation)
        self.soon(self._after, call, (call, OK, result, started, ended, spent, None, THREAD.tid, extra), error)

    def _late(self, call: Pending, started: int, ended: int) -> bool:
        timeout_s = call.node.operation.timeout_s
        return timeout_s is not None and ended - started > timeout_s * 1e9

    def unstarted(self) -> int:
        """How many calls are ready but not started."""
        count = self.backlogged + len(self.queue) + len(self.stalled["threads"]) + len(self.stalled["processes"])
        if self.threads is not None:
            count += len(self.threads.tasks)
        if self.processes is not None:
            count += len(self.processes.tasks)
        return count

    # threads and processes

    def _thread(self, call: Pending) -> None:
        if self.threads is None:
            from flowlab.executors.threads import Threads

            self.threads = Threads(self.workers or min(32, cores() + 4), self._wake_threads, self.clock)
            self.pools["threads"] = self.threads
        if call.node.operation.timeout_s is not None:
            self._watch(call)
        self.threads.submit(call)

    def _wake_threads(self) -> None:
        with suppress(RuntimeError):  # a closed loop: nobody waits for an abandoned thread
            self.threadsafe(self._take_threads)

    def _take_threads(self) -> None:
        if self.threads is not None:
            self._take(self.threads)

    def _take(self, executor: Any) -> None:
        self.taking = True
        try:
            self._take_all(executor)
        finally:
            self.taking = False
        if self.processes is not None and self.processes.tasks:
            self.processes.feed()

    def _take_all(self, executor: Any) -> None:
        touched: dict[Context, Context] = {}
        last = None
        if executor is self.processes:
            for batch in executor.take_short():
                self._good_all(batch, touched)
        for outcome in executor.take():
            call: Pending = outcome[0]
            context = call.context
            if call.gone or call.era != context.era:
                if call.lingers and outcome[1] != YIELD:
                    self._lingered(call)
                continue
            status = outcome[1]
            if status == OK:
                if call.handler.light:
                    self._good(call, outcome)
                    if context is not last:
                        last = touched[context] = context
                    continue
                late = outcome[3] is not None and self._late(call, outcome[3], outcome[4])
                self._after(call, outcome, timed_out(call.node.operation) if late else None)
            elif status == YIELD:
                self._yielded(executor, call, outcome)
            else:
                self._after(call, outcome, outcome[2])
        place = "threads" if executor is self.threads else "processes"
        if self.stalled[place]:
            self.refill(place)
        for context in touched:
            self.pump(context)

    def refill(self, place: str) -> None:
        """Submit calls that stalled because enough were waiting at a place."""
        raise NotImplementedError

    def _yielded(self, executor: Any, call: Pending, outcome: Outcome) -> None:
        try:
            self._element(call, outcome[2])
        except Exception as error:
            executor.stop(call)
            self._after(call, outcome, error)
            return
        if self.unstarted() >= AHEAD:
            self.waiting_for_room.append(lambda: executor.more(call))
        else:
            executor.more(call)

    def pool(self) -> Any:
        """The pool of worker processes, made when first asked for."""
        if self.processes is None:
            from flowlab.executors.processes import Processes

            self.processes = Processes(
                self.workers or cores(), self._listen, lambda: self.soon(self._take, self.processes), self.later,
                self.clock,
            )  # fmt: skip
            self.processes.full = self.full
            self.pools["processes"] = self.processes
        return self.processes

    def _process(self, call: Pending) -> None:
        if call.node.operation.timeout_s is not None:
            self._watch(call)
        self.pool().submit(call)
        self.feed_soon()

    def feed_soon(self) -> None:
        """Have tasks sent to worker processes once what happens now is over; many go in one write."""
        pool = self.processes
        if pool is not None and pool.tasks and not self.taking and not pool.called:
            pool.called = True
            self.soon(pool.feed)

    def _listen(self, fd: int, readable: Any, writable: Any) -> None:
        if readable is None:
            self.loop.remove_reader(fd)
        else:
            self.loop.add_reader(fd, self.guard, self._readable, readable)
        if writable is None:
            self.loop.remove_writer(fd)
        else:
            self.loop.add_writer(fd, self.guard, writable)

    def _readable(self, read: Any) -> None:
        read()
        pool = self.processes
        if pool is None:
            return
        self._take(pool)
        if pool.children and self.available == len(self.runners):
            until = self.clock() + TURN_NS
            while pool.wait_briefly():
                self._take(pool)
                if self.clock() > until:
                    break

    def _watch(self, call: Pending) -> None:
        """Have a look when the call's time may be over; it counts from the start of its body."""
        timeout_s = call.node.operation.timeout_s or 0.0
        started = call.started_ns
        left = timeout_s if started is None else timeout_s - (self.clock() - started) / 1e9
        call.timer = self.later(max(0.0, left), self._expire, call)

    def _expire(self, call: Pending) -> None:
        if call.gone or call.stale:
            return
        started, now = call.started_ns, self.clock()
        if started is None or not self._late(call, started, now):
            self._watch(call)
            return
        executor = self.processes if call.place == "processes" else self.threads
        pid = executor.stop(call)
        call.lingers = call.place == "threads" and bool(call.node.locks)
        error = timed_out(call.node.operation, call.place == "processes")
        self._after(call, (call, OK, None, started, now, None, pid, pid, None), error)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
