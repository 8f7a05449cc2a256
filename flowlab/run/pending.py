"""A call that the event loop's driver has taken from a state: it waits, runs, or is about to be tried again."""

from __future__ import annotations

from typing import Any

from flowlab.run.context import Context
from flowlab.run.layout import Node


class Pending:
    """One call, over all its attempts."""

    __slots__ = (
        "arguments", "attempt", "context", "count", "element", "era", "handler", "node", "place", "submitted_ns", "task", "timer",
    )  # fmt: skip

    def __init__(self, context: Context, node: Node, element: int, arguments: tuple[Any, ...], place: str, now: int) -> None:
        self.context = context
        self.era = context.era
        self.node = node
        self.handler = context.handlers[node.number]
        self.element = element
        self.arguments = arguments
        self.place = place
        self.attempt = 1
        self.count = 0
        self.submitted_ns = now
        self.task: Any = None
        self.timer: Any = None

    @property
    def stale(self) -> bool:
        """Whether its context was stopped since."""
        return self.era != self.context.era
