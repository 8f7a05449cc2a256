"""Reading an expand's generator on the caller's thread, one element at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowlabError
from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.metrics.probes import running_loop
from flowlab.run.drivers.attempt import wait_s
from flowlab.run.drivers.stepping import Cost
from flowlab.run.layout.layout import Node
from flowlab.run.outcome.context import Context

if TYPE_CHECKING:
    from flowlab.run.drivers.inline import Inline


class Reading:
    """An expand's generator that is being read."""

    def __init__(self, node: Node, element: int, arguments: tuple[Any, ...], generator: Any, started: int) -> None:
        self.node = node
        self.element = element
        self.arguments = arguments
        self.generator = generator
        self.started = started
        self.attempt = 1
        self.count = 0
        self.cost = Cost()
        self.shown: Call | None = None

    def advance(self, inline: Inline, context: Context) -> bool:
        """Take the next element; False at the end."""
        node, operation = self.node, self.node.operation
        handler = context.handlers[node.number]
        cost = self.cost
        cost.recorder = context.log.nesting
        error: BaseException | None = None
        try:
            item = self._next(cost)
            inline.check_time(node, self.started)
            values = handler.one(item)
        except StopIteration:
            pass
        except BaseException as raised:
            if inline.interrupts.own(raised):
                raise
            error = raised
            self.generator.close()
        else:
            try:
                context.state.emitted(node, self.element, self.count, values)
                self.count += 1
                return True
            except FlowlabError as raised:
                error = raised
                self.generator.close()
        inline.row(context, node, self.started, cost.cpu_ns, self.attempt, error, cost)
        if error is None:
            context.done(node, self.element, self.arguments, ())
            self._let_go(context)
            return False
        pause = None if self.count else wait_s(operation, self.attempt, error)
        if pause is None:
            context.fail(node, self.element, self.arguments, error)
            self._let_go(context)
            return False
        inline.sleep(pause)
        self.attempt += 1
        self.started = inline.clock()
        self.cost, self.shown = Cost(), None
        self.generator = handler.call(self.arguments)
        return True

    def _next(self, cost: Cost) -> Any:
        """Run the body to its next yield; spans that are open there pause with it."""
        outer = CALL.get()
        CALL.set(self.shown or cost)
        cost.loop = running_loop()
        driver = THREAD.calls[-1]
        inner_ns = driver.inner_ns
        THREAD.calls.append(cost)
        used = time.thread_time_ns()
        cost.resume()
        try:
            return next(self.generator)
        finally:
            cost.pause(used)
            driver.inner_ns = inner_ns  # its own clock is not running
            self.shown = CALL.get()
            CALL.set(outer)

    def _let_go(self, context: Context) -> None:
        if self.node.locks:
            context.state.release(self.node, self.element)
