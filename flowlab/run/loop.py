"""Running contexts on an event loop: coroutines on the loop, the rest inline, in threads or in worker processes.

The states say which calls may start; here they are placed, limited, timed, retried and stopped. Invariant: when `Loop.close`
has returned, nothing it started is left: no task, no thread with a call waiting, no leased worker.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from flowlab.executors.task import OK, YIELD, Outcome, Task
from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.run.attempt import timed_out, wait_s
from flowlab.run.context import Context
from flowlab.run.handler import Handler
from flowlab.run.layout import Node
from flowlab.run.log import Row
from flowlab.run.outcome import cleanup
from flowlab.run.result import CallError
from flowlab.run.stepping import Cost, stepped

COROUTINES = 100
"""How many calls of one coroutine operation run at most, unless its `workers` says otherwise."""


class Pending:
    """A call that waits, runs or is about to be tried again."""

    __slots__ = ("arguments", "attempt", "context", "count", "element", "handler", "node", "place", "submitted_ns", "task", "timer")

    def __init__(self, context: Context, node: Node, element: int, arguments: tuple[Any, ...], place: str, now: int) -> None:
        self.context = context
        self.node = node
        self.handler: Handler = context.handlers[node.number]
        self.element = element
        self.arguments = arguments
        self.place = place
        self.attempt = 1
        self.count = 0
        self.submitted_ns = now
        self.task: Any = None
        self.timer: Any = None


class Loop:
    """Runs contexts on the running event loop.

    Args:
        executor: Where plain functions run; None puts them in threads.
        workers: How many threads and processes there are at most; None for as many as this machine has cores.
    """

    def __init__(self, executor: str | None, workers: int | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.executor = executor or "threads"
        self.workers = workers
        self.clock = time.perf_counter_ns
        self.threads: Any = None
        self.processes: Any = None
        self.running: dict[str, int] = {}
        self.backlog: dict[str, deque[Pending]] = {}
        self.queue: deque[Pending] = deque()
        self.runners: set[asyncio.Task[None]] = set()
        self.coroutines = 0
        self.contexts: dict[Context, asyncio.Future[None]] = {}
        self.open: list[tuple[Context, Node, Any]] = []
        self.retrying: set[Any] = set()
        self.marks: dict[Context, int] = {}
        self.frame = Call(0)

    # contexts

    async def run(self, context: Context, inputs: Mapping[str, Any]) -> None:
        """Run a context to its end; cleanup has run and resources of scope "context" are closed."""
        future = self.contexts[context] = self.loop.create_future()
        try:
            context.state.begin(inputs)
            self.pump(context)
            await future
            while context.state.advance():
                future = self.contexts[context] = self.loop.create_future()
                self.pump(context)
                await future
        finally:
            await asyncio.shield(self._clean(context))
            self.contexts.pop(context, None)

    async def _clean(self, context: Context) -> None:
        calls = cleanup(context.state)
        if calls:
            future = self.contexts[context] = self.loop.create_future()
            context.state.ready.clear()
            context.state.ready.extend(calls)
            self.pump(context)
            await future
        await self.close_resources(context)

    def pump(self, context: Context) -> None:
        """Start what the context's state says may start."""
        ready = context.state.ready
        while ready:
            node, element, arguments = ready.popleft()
            context.open += 1
            place = node.operation.runs or ("asyncio" if node.operation.is_async else self.executor)
            if place == "processes" and context.layout.nearby(node):
                place = "threads"
            self.admit(Pending(context, node, element, arguments, place, self.clock()))
        if not context.open:
            future = self.contexts.get(context)
            if future is not None and not future.done():
                future.set_result(None)

    def admit(self, call: Pending) -> None:
        """Start a call, or keep it until its operation has room."""
        operation = call.node.operation
        limit = operation.workers or (COROUTINES if operation.is_async else None)
        if limit is not None:
            name = operation.name
            count = self.running.get(name, 0)
            if count >= limit:
                self.backlog.setdefault(name, deque()).append(call)
                return
            self.running[name] = count + 1
        self.start(call)

    def start(self, call: Pending) -> None:
        """Start an attempt of a call."""
        handler, operation = call.handler, call.node.operation
        if handler.domain is not None and call.attempt == 1:
            try:
                inside = handler.domain(call.arguments)
            except Exception as error:
                self.end(call, error)
                return
            if not inside:
                self.end(call, None, refused="its domain says no")
                return
        if call.attempt == 1 and operation.inner is None:
            call.context.log.order.append((self.clock(), call.context.prefix + call.node.name))
        if operation.is_async or operation.scope is not None:
            self.queue.append(call)
            if self.coroutines < len(self.queue) + len(self.runners):
                task = self.loop.create_task(self._runner())
                self.runners.add(task)
                task.add_done_callback(self.runners.discard)
        elif call.place in ("inline", "asyncio"):
            self._inline(call)
        elif call.place == "threads":
            self._thread(call)
        else:
            self._process(call)

    # inline

    def _inline(self, call: Pending) -> None:
        frame = self.frame
        started, used = self.clock(), time.thread_time_ns()
        THREAD.calls.append(frame)
        token = CALL.set(frame)
        error: BaseException | None = None
        result: Any = None
        try:
            result = call.handler.call(call.arguments)
            if call.handler.streams:
                result = [call.handler.one(item) for item in result]
        except BaseException as raised:
            if isinstance(raised, (KeyboardInterrupt, asyncio.CancelledError)):
                raise
            error = raised
        finally:
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

    # coroutines

    async def _runner(self) -> None:
        """Run calls of coroutines, one after the other, until none waits."""
        queue = self.queue
        while queue:
            call = queue.popleft()
            if call.node.operation.scope is not None:
                await self._resource(call)
            else:
                await self._coroutine(call)

    async def _coroutine(self, call: Pending) -> None:
        cost = Cost()
        CALL.set(cost.frame)
        operation = call.node.operation
        error: BaseException | None = None
        result: Any = None
        started = self.clock()
        try:
            async with asyncio.timeout(operation.timeout_s) as limit:
                if call.handler.streams:
                    await self._stream(call, cost)
                else:
                    result = await stepped(call.handler.call(call.arguments), cost)
        except TimeoutError as raised:
            error = timed_out(operation) if limit.expired() else raised
        except asyncio.CancelledError as raised:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                self._note(call, Outcome(None, OK, None, started, self.clock(), cost.cpu_ns), raised)  # type: ignore[arg-type]
                raise
            error = raised
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
        extra: dict[str, Any] = {"steps": cost.steps}
        if cost.frame.custom:
            extra["custom"] = cost.frame.custom
        outcome = Outcome(call.task, OK, result, started, self.clock(), cost.cpu_ns, None, THREAD.tid, extra)
        self._after(call, outcome, error)

    async def _stream(self, call: Pending, cost: Cost) -> None:
        generator = call.handler.call(call.arguments)
        try:
            if hasattr(generator, "__anext__"):
                while True:
                    try:
                        item = await stepped(generator.__anext__(), cost)
                    except StopAsyncIteration:
                        break
                    self._element(call, item)
        finally:
            await generator.aclose()

    def _element(self, call: Pending, item: Any) -> None:
        values = call.handler.one(item)
        call.context.state.emitted(call.node, call.element, call.count, values)
        call.count += 1
        self.pump(call.context)

    # resources

    async def _resource(self, call: Pending) -> None:
        opened: asyncio.Future[Any] = self.loop.create_future()
        closing = asyncio.Event()
        task = self.loop.create_task(self._hold(call, opened, closing))
        started = self.clock()
        error: BaseException | None = None
        result: Any = None
        try:
            result = await opened
        except Exception as raised:
            error = raised
        else:
            self.open.append((call.context, call.node, (closing, task)))
        self._after(call, Outcome(call.task, OK, result, started, self.clock(), None, None, THREAD.tid), error)

    async def _hold(self, call: Pending, opened: asyncio.Future[Any], closing: asyncio.Event) -> None:
        """Open a resource, keep it open, and close it in the same task."""
        generator = call.handler.call(call.arguments)
        plain = not hasattr(generator, "__anext__")
        try:
            value = next(generator) if plain else await generator.__anext__()
        except BaseException as error:
            if not opened.done():
                if isinstance(error, (StopIteration, StopAsyncIteration)):
                    error = RuntimeError(f"resource {call.node.name!r} did not yield: yield what it provides")
                opened.set_exception(error)
            return
        opened.set_result(value)
        await closing.wait()
        try:
            if plain:
                next(generator, None)
            else:
                await anext(generator, None)
        except Exception as error:
            call.context.errors.append(CallError(call.node.name, error))

    async def close_resources(self, context: Context | None) -> None:
        """Close a context's own resources, or all of them, the last opened first."""
        for entry in reversed(self.open.copy()):
            owner, node, (closing, task) = entry
            if context is None or (owner is context and node.operation.scope == "context"):
                self.open.remove(entry)
                closing.set()
                await asyncio.wait([task])

    # threads and processes

    def _thread(self, call: Pending) -> None:
        if self.threads is None:
            from flowlab.executors.threads import Threads

            count = self.workers or min(32, (os.cpu_count() or 1) + 4)
            self.threads = Threads(count, self._wake_threads, self.clock)
        task = call.task = Task(call.handler.call, (call.arguments,), streams=call.handler.streams, owner=call)
        if call.node.operation.timeout_s is not None:
            self._watch(call)
        self.threads.submit(task)

    def _wake_threads(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._take_threads)
        except RuntimeError:
            pass

    def _take_threads(self) -> None:
        if self.threads is not None:
            self._take(self.threads)

    def _take(self, executor: Any) -> None:
        for outcome in executor.take():
            call: Pending = outcome.task.owner
            if outcome.task.gone or call.task is not outcome.task:
                continue
            if outcome.status == YIELD:
                try:
                    self._element(call, outcome.value)
                except Exception as error:
                    outcome.task.gone = True
                    self._after(call, outcome, error)
            elif outcome.status == OK:
                late = outcome.started_ns is not None and self._late(call, outcome.started_ns, outcome.ended_ns)
                self._after(call, outcome, timed_out(call.node.operation) if late else None)
            else:
                self._after(call, outcome, outcome.value)

    def _process(self, call: Pending) -> None:
        if self.processes is None:
            from flowlab.executors.processes import Processes

            self.processes = Processes(self.workers or cores(), self._listen, self.clock)
            self.processes._wake = lambda: self.loop.call_soon(self._take, self.processes)
        operation, handler = call.node.operation, call.handler
        arguments, names = handler.flat(call.arguments)
        call.task = Task(operation.function, arguments, names, handler.streams, call)
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
        self._take(self.processes)

    def _watch(self, call: Pending) -> None:
        timeout_s = call.node.operation.timeout_s
        assert timeout_s is not None
        started = call.task.started_ns
        if call.place == "threads" and started is None:
            call.timer = self.loop.call_later(min(timeout_s, 0.05), self._watch_again, call, call.task)
            return
        left = timeout_s if started is None else timeout_s - (self.clock() - started) / 1e9
        call.timer = self.loop.call_later(max(0.0, left), self._expire, call, call.task)

    def _watch_again(self, call: Pending, task: Task) -> None:
        if call.task is task and not task.gone:
            self._watch(call)

    def _expire(self, call: Pending, task: Task) -> None:
        if call.task is not task or task.gone:
            return
        if call.place == "processes" and not self.processes.begun(task):
            self._watch(call)
            return
        task.gone = True
        if call.place == "processes":
            self.processes.stop(task)
        now = self.clock()
        timeout_s = call.node.operation.timeout_s or 0.0
        started = task.started_ns or now - int(timeout_s * 1e9)
        self._after(call, Outcome(task, OK, None, started, now), timed_out(call.node.operation, call.place == "processes"))

    # what came of a call

    def _note(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        status = "ok"
        if error is not None:
            timeout = isinstance(error, TimeoutError)
            status = "timeout" if timeout else "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        stage = call.node.operation.stage
        call.context.note(
            Row(
                call.context.prefix + call.node.name, call.place, call.attempt, status,
                None if error is None else type(error).__name__, call.submitted_ns, outcome.started_ns, outcome.ended_ns,
                outcome.cpu_ns, outcome.pid, outcome.tid, None if stage == "processing" else stage, outcome.extra,
            )
        )  # fmt: skip

    def _after(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        """An attempt ended: note it, then go on, try again or give up."""
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        values: Any = ()
        if error is None and not call.handler.streams:
            try:
                values = outcome.value if call.node.operation.inner else call.handler.values(outcome.value)
            except Exception as raised:
                error = raised
        elif error is None and call.place in ("inline", "asyncio") and not call.node.operation.is_async:
            values = outcome.value
        self._note(call, outcome, error)
        if error is not None:
            pause = None if call.count else wait_s(call.node.operation, call.attempt, error)
            if pause is not None:
                call.attempt += 1
                call.submitted_ns = self.clock()
                timer: Any = None

                def again() -> None:
                    self.retrying.discard(timer)
                    self.start(call)

                timer = self.loop.call_later(pause, again)
                self.retrying.add(timer)
                return
        self.end(call, error, values)

    def end(self, call: Pending, error: BaseException | None, values: Any = (), refused: str = "") -> None:
        """A call ended for good."""
        context, node = call.context, call.node
        context.open -= 1
        if refused:
            context.state.refused(node, call.element, refused)
        elif error is not None:
            context.fail(node, call.element, call.arguments, error)
        else:
            try:
                context.state.done(node, call.element, values)
            except Exception as raised:
                context.fail(node, call.element, call.arguments, raised)
        operation = node.operation
        if operation.workers or operation.is_async:
            waiting = self.backlog.get(operation.name)
            if waiting:
                self.start(waiting.popleft())
            else:
                self.running[operation.name] -= 1
        self.pump(context)

    async def close(self) -> None:
        """End everything that was started, resources last, in reverse."""
        for timer in self.retrying:
            timer.cancel()
        self.queue.clear()
        runners = list(self.runners)
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
            Row("start workers", "processes", 1, "ok", None, began, began, ready, None, pid, tid, "start", {"custom": {"pid": worker}})
            for worker, began, ready in self.processes.starts
        ]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
