"""Running a context on the caller's thread, without an event loop.

A plan of plain functions that each run once takes the short cut in `straight`; here is everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flowlab.errors import FlowlabError
from flowlab.graph.definition import MISSING
from flowlab.metrics import active
from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.metrics.probes import running_loop
from flowlab.run.drivers.attempt import broken_off, timed_out, told_apart, wait_s
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.drivers.reading import Reading
from flowlab.run.drivers.stepping import said
from flowlab.run.drivers.straight import run_bare, run_straight
from flowlab.run.layout.handler import Handler
from flowlab.run.layout.layout import Node
from flowlab.run.layout.shapes import ROOT
from flowlab.run.layout.steps import straight
from flowlab.run.outcome import going
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import Row
from flowlab.run.outcome.outcome import cleanup
from flowlab.run.outcome.result import CallError
from flowlab.run.state.locks import Locks


class Inline:
    """Runs contexts on this thread.

    Args:
        clock, cpu: Where time comes from.
        sleep: Waits before a retry.
    """

    def __init__(
        self,
        clock: Callable[[], int] = time.perf_counter_ns,
        cpu: Callable[[], int] = time.thread_time_ns,
        sleep: Callable[[float], None] = time.sleep,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.clock = clock
        self.cpu = cpu
        self.sleep = sleep
        self.interrupts = interrupts or Interrupts()
        self.locks = Locks()
        self.headway: Any = None
        self.shared: dict[Any, Any] = {}
        self.open: list[tuple[Context, Node, Any]] = []

    def run(self, context: Context, inputs: Mapping[str, Any]) -> None:
        """Run a context to its end; resources of scope "context" are closed, and cleanup has run."""
        frame = Call(0)
        frame.recorder, frame.loop = context.log.nesting, running_loop()
        token = CALL.set(frame)
        THREAD.calls.append(frame)
        opened = len(self.open)
        if self.headway is not None:
            self.headway.began(context, self, frame)
        going.began(context)
        try:
            try:
                if context.layout.straight and context.log.level != "full" and not self.watched:
                    if (run_straight if context.log.keep else run_bare)(self, context, inputs, frame):
                        return
                    self._finish(context, frame)
                else:
                    self._finish(context, frame, inputs)
            finally:
                try:
                    self.clean(context, frame)
                finally:
                    self.close("context", opened)
        finally:
            THREAD.calls.remove(frame)
            CALL.reset(token)
            if self.headway is not None:
                self.headway.ended(context)
            if THREAD.calls and context.log.keep and not context.prefix:  # a sub-flow's calls are its flow's
                THREAD.calls[-1].inner_ns += context.log.cpu_ns()

    @property
    def watched(self) -> bool:
        """Whether somebody is shown each call, or keeps it when it ends."""
        return active.keeper() is not None or (self.headway is not None and self.headway.fine)

    def go_on(self, context: Context, frame: Call) -> None:
        """Run a context that was handed over to its end."""
        try:
            self._finish(context, frame)
        finally:
            self.clean(context, frame)

    def _finish(self, context: Context, frame: Call, inputs: Mapping[str, Any] | None = None) -> None:
        state = context.state
        try:
            if inputs is not None:
                state.begin(inputs)
            self.drain(context, frame)
            while state.advance():
                self.drain(context, frame)
        except FlowlabError:
            raise
        except Exception as error:
            raise broken_off(error) from error

    def _slow(self, context: Context, frame: Call, quick: list[int]) -> None:
        """Move the last call to the rows: it reported something."""
        number, _, started, ended, spent = quick[-5:]
        del quick[-5:]
        log = context.log
        name = context.prefix + log.nodes[number].name
        log.order.append((started, name))
        extra = said(frame, spent)
        log.rows.append(Row(name, "inline", 1, "ok", None, None, started, ended, spent, None, log.tid, None, extra))

    def hand_over(
        self, context: Context, inputs: Mapping[str, Any], cells: list[Any], done: int, started: int,
        error: BaseException, spent: int | None, frame: Call,
    ) -> None:  # fmt: skip
        """Bring the state to where a straight run failed.

        Args:
            done: How many of its calls ended well.
        """
        state, layout = context.state, context.layout
        plan = straight(layout)
        nodes = plan.nodes
        number = nodes[done]
        for name in inputs:
            state.preset(layout.slot_of[name], inputs[name])
        for slot, value in plan.held(cells, done):
            state.preset(slot, value)
        node = layout.nodes[number]
        self._error_row(context, node, error, started, spent, frame)
        state.resume({*nodes[:done], number})
        arguments = tuple(cells[plan.cell_of[take.slot]] for take in node.takes)
        context.fail(node, ROOT, arguments, error)

    def drain(self, context: Context, frame: Call) -> None:
        """Run calls until none is ready and no generator is open."""
        state = context.state
        ready, handlers = state.ready, context.handlers
        generators: list[Reading] = []
        clock, cpu, log = self.clock, self.cpu, context.log
        quick, keep = log.quick, log.keep
        if not keep:
            clock = cpu = int
        while ready or generators:
            if not ready:
                if not generators[-1].advance(self, context):
                    generators.pop()
                continue
            node, element, arguments = ready.popleft()
            handler = handlers[node.number]
            frame.node = node
            if handler.special:
                self.one(context, handler, node, element, arguments, frame, generators)
                continue
            started = clock()
            used = cpu()
            try:
                result = handler.call(arguments)
                spent = cpu() - used
                ended = clock()
                values = handler.values(result)
            except BaseException as error:
                if self.interrupts.own(error):
                    raise
                self._failed(context, node, element, arguments, error, started, cpu() - used, frame)
                if node.locks:
                    state.release(node, element)
                continue
            if keep:
                quick += (node.number, element, started, ended, spent)
                if frame.custom is not None or frame.inner_ns:
                    self._slow(context, frame, quick)
            else:
                log.names.append(context.prefix + handler.name)
                frame.custom, frame.inner_ns = None, 0
            try:
                state.done(node, element, values)
            except FlowlabError as error:
                context.fail(node, element, arguments, error)
            if node.locks:
                state.release(node, element)

    def one(
        self, context: Context, handler: Handler, node: Node, element: int, arguments: tuple[Any, ...], frame: Call,
        generators: list[Reading],
    ) -> None:  # fmt: skip
        """Run one call that is more than a plain function, and let go of its locks."""
        self._special(context, handler, node, element, arguments, frame, generators)
        if node.locks and not (generators and generators[-1].node is node and generators[-1].element == element):
            context.state.release(node, element)

    def _special(
        self, context: Context, handler: Handler, node: Node, element: int, arguments: tuple[Any, ...], frame: Call,
        generators: list[Reading],
    ) -> None:  # fmt: skip
        operation = node.operation
        if handler.domain is not None:
            try:
                inside = handler.domain(arguments)
            except Exception as error:
                context.fail(node, element, arguments, error)
                return
            if not inside:
                context.state.refused(node, element, "its domain says no")
                return
        if operation.inner is not None:
            operation.inner.run_inline(self, context, node, element, arguments)
            return
        if operation.scope == "run" and operation in self.shared:
            first, opened = self.shared[operation]
            refused = told_apart(operation, first, arguments)
            if refused is None:
                context.state.done(node, element, (opened,))
            else:
                context.fail(node, element, arguments, refused)
            return
        attempt = 1
        noted = False
        while True:
            started, used = self.clock(), self.cpu()
            if not noted:
                context.log.began(started, context.prefix + node.name)
                noted = True
            try:
                result = handler.call(arguments)
                if handler.streams:
                    generators.append(Reading(node, element, arguments, result, started))
                    return
                if operation.scope is not None:
                    result = self._open(context, node, result)
                    if operation.scope == "run":
                        self.shared[operation] = arguments, result
                self.check_time(node, started)
                values = handler.values(result)
            except BaseException as error:
                if self.interrupts.own(error):
                    raise
                pause = wait_s(operation, attempt, error)
                self.row(context, node, started, self.cpu() - used, attempt, error, frame)
                if pause is None:
                    if operation.stage == "cleanup":
                        context.errors.append(CallError(context.prefix + node.name, error))
                    else:
                        context.fail(node, element, arguments, error)
                    return
                self.sleep(pause)
                attempt += 1
                continue
            self.row(context, node, started, self.cpu() - used, attempt, None, frame)
            if operation.stage != "cleanup":
                context.done(node, element, arguments, values)
            return

    def check_time(self, node: Node, started: int) -> None:
        timeout_s = node.operation.timeout_s
        if timeout_s is not None and self.clock() - started > timeout_s * 1e9:
            raise timed_out(node.operation)

    def row(
        self,
        context: Context,
        node: Node,
        started: int,
        spent: int,
        attempt: int,
        error: BaseException | None,
        frame: Call,
    ) -> None:
        status = "ok" if error is None else "timeout" if isinstance(error, TimeoutError) else "error"
        kind = None if error is None else type(error).__name__
        extra = said(frame, spent)
        context.note(
            Row(
                context.prefix + node.name, "inline", attempt, status, kind, None, started, self.clock(), spent, None,
                context.log.tid, _stage(node), extra,
            )
        )  # fmt: skip

    def _failed(
        self,
        context: Context,
        node: Node,
        element: int,
        arguments: tuple[Any, ...],
        error: BaseException,
        started: int,
        spent: int,
        frame: Call,
    ) -> None:
        self._error_row(context, node, error, started, spent, frame)
        context.fail(node, element, arguments, error)

    def _error_row(
        self, context: Context, node: Node, error: BaseException, started: int, spent: int | None, frame: Call
    ) -> None:
        name, log = context.prefix + node.name, context.log
        log.began(started, name)
        extra = None if spent is None else said(frame, spent)
        ended, kind = self.clock(), type(error).__name__
        context.note(Row(name, "inline", 1, "error", kind, None, started, ended, spent, None, log.tid, None, extra))

    def _open(self, context: Context, node: Node, generator: Any) -> Any:
        value = next(generator, MISSING)
        if value is MISSING:
            raise RuntimeError(f"resource {node.name!r} did not yield: yield what it provides")
        self.open.append((context, node, generator))
        return value

    def close(self, scope: str, down_to: int = 0) -> None:
        """Close resources in reverse order: those of contexts, or all."""
        kept = []
        while len(self.open) > down_to:
            context, node, generator = self.open.pop()
            if scope == "context" and node.operation.scope == "run":
                kept.append((context, node, generator))
                continue
            try:
                next(generator, None)
            except Exception as error:
                context.errors.append(CallError(node.name, error))
        self.open.extend(reversed(kept))

    def clean(self, context: Context, frame: Call) -> None:
        """Run the cleanup operations whose inputs exist."""
        for node, element, arguments in cleanup(context.state) if context.layout.cleanups else ():
            self.one(context, context.handlers[node.number], node, element, arguments, frame, [])


def _stage(node: Node) -> str | None:
    return None if node.operation.stage == "processing" else node.operation.stage
