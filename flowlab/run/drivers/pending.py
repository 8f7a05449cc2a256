"""A call that the event loop's driver has taken from a state: it waits, runs, or is about to be tried again.

It is also the task that executors run; each attempt is a new one, so that what an abandoned attempt reports is told
apart.
"""

from __future__ import annotations

from typing import Any

from flowlab.run.layout.handler import Handler
from flowlab.run.layout.layout import Node
from flowlab.run.outcome.context import Context


class Pending:
    """One attempt of a call. What most calls never have is a default of the class: making one costs less.

    Attributes:
        count: How many elements a generator has yielded.
        lingers: It was given up, but its body goes on in a thread, and its locks stay until that ends.
        runner: The asyncio task that runs it.
        started_ns, gone, gate, streams, alone, told: See `flowlab.executors.task.Task`.
    """

    attempt: int = 1
    count: int = 0
    started_ns: int | None = None
    gone: bool = False
    alone: bool = False
    streams: bool = False
    gate: Any = None
    runner: Any = None
    timer: Any = None
    lingers: bool = False
    told: tuple[float, float | None] | None = None

    def __init__(
        self,
        context: Context,
        handler: Handler,
        node: Node,
        element: int,
        arguments: tuple[Any, ...],
        place: str,
        now: int,
    ) -> None:
        self.context = context
        self.era = context.era
        self.handler = handler
        self.node = node
        self.element = element
        self.arguments = arguments
        self.place = place
        self.submitted_ns = now
        if not handler.light:
            self.alone = True
            self.streams = handler.streams

    @property
    def stale(self) -> bool:
        """Whether its context was stopped since."""
        return self.era != self.context.era

    @property
    def recorder(self) -> Any:
        """Who keeps the spans inside it."""
        return self.context.log.nesting

    def again(self, now: int) -> Pending:
        """The next attempt."""
        call = Pending(self.context, self.handler, self.node, self.element, self.arguments, self.place, now)
        call.attempt = self.attempt + 1
        return call

    def tell(self, done: float, total: float | None) -> None:
        """It says how far it is."""
        self.told = done, total

    def run(self) -> Any:
        """Call the operation's function."""
        return self.handler.call(self.arguments)

    def parts(self) -> tuple[Any, tuple[Any, ...], tuple[str, ...]]:
        """The function, its arguments, and the names of those at the end that go by name."""
        handler = self.handler
        if handler.flatless:
            return handler.function, self.arguments, ()
        arguments, names = handler.flat(self.arguments)
        return handler.function, arguments, names
