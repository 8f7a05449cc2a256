"""Reading an expand's generator on the caller's thread, one element at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlab.metrics.active import Call
from flowlab.run.attempt import wait_s
from flowlab.run.context import Context
from flowlab.run.layout import Node

if TYPE_CHECKING:
    from flowlab.run.inline import Inline


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
        self.cpu_ns = 0

    def advance(self, inline: Inline, context: Context) -> bool:
        """Take the next element; False at the end."""
        node, operation = self.node, self.node.operation
        handler = context.handlers[node.number]
        used = inline.cpu()
        error: BaseException | None = None
        try:
            item = next(self.generator)
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
            self.cpu_ns += inline.cpu() - used
            context.state.emitted(node, self.element, self.count, values)
            self.count += 1
            return True
        self.cpu_ns += inline.cpu() - used
        inline.row(context, node, self.started, self.cpu_ns, self.attempt, error, Call(0))
        if error is None:
            context.state.done(node, self.element, ())
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
        self.generator = handler.call(self.arguments)
        return True

    def _let_go(self, context: Context) -> None:
        if self.node.locks:
            context.state.release(self.node, self.element)
