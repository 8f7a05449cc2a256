"""A context: one independent pass through the flow, with its state, its log and what failed in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any

from flowlab.errors import FlowlabError
from flowlab.graph.definition import MISSING
from flowlab.metrics.active import recorder
from flowlab.run.layout.handler import Handler
from flowlab.run.layout.layout import Layout, Node
from flowlab.run.layout.shapes import ROOT
from flowlab.run.layout.steps import straight
from flowlab.run.outcome.log import Log, Row
from flowlab.run.outcome.result import CallError, DeadLetter, Run
from flowlab.run.state.locks import Locks
from flowlab.run.state.state import State

_NUMBERS = itertools.count(1)


def run_name() -> str:
    """A name for a run that no other run of this process has."""
    return f"{os.getpid()}-{next(_NUMBERS)}"


class Context:
    """One pass: everything that is its own.

    Attributes:
        open: How many calls were taken from the state and have not ended.
        era: Counts up when the context is stopped, so that what was started before is known to be stale.
        late: The names that Inputs may still come for.
        waits: Inputs may still come.
        cells: The values by slot, if the context ran straight through.
        state: Made when it is first asked for; a context that ran straight through mostly needs none.
    """

    state: State

    __slots__ = (
        "calls",
        "cells",
        "dead",
        "era",
        "errors",
        "handlers",
        "late",
        "layout",
        "locks",
        "log",
        "open",
        "prefix",
        "state",
        "waits",
    )

    def __init__(
        self,
        layout: Layout,
        handlers: list[Handler],
        run: str,
        number: int | None,
        tid: int,
        locks: Locks | None = None,
        level: str = "time",
    ) -> None:
        self.layout = layout
        self.handlers = handlers
        self.locks = locks
        self.cells: Any = None
        self.log = Log(run, number, layout.nodes, tid, level)
        self.errors: list[CallError] = []
        self.dead: list[DeadLetter] = []
        self.prefix = ""
        self.open = 0
        self.era = 0
        self.calls: set[Any] = set()
        self.late: list[str] = []
        self.waits = False

    def __getattr__(self, name: str) -> Any:
        if name != "state":
            raise AttributeError(name)
        state = self.state = State(self.layout, self.locks)
        if self.cells is not None:
            for _, slot in straight(self.layout).kept:
                state.cells[slot][ROOT] = self.cells[slot]
        return state

    def done(self, node: Node, element: int, arguments: tuple[Any, ...], values: Any) -> None:
        """Let the state go on with what a call made; that it cannot be compared is the call's failure."""
        try:
            self.state.done(node, element, values)
        except FlowlabError as error:
            self.fail(node, element, arguments, error)

    def fail(self, node: Node, element: int, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Note that a call failed for good, and let the state go on."""
        self.errors.append(CallError(self.prefix + node.name, error))
        if node.operation.on_error == "dead-letter":
            self.dead.append(DeadLetter(self.prefix + node.name, error, parameters(node, arguments)))
        self.state.failed(node, element, error)

    def note(self, row: Row) -> None:
        """Keep what an attempt cost."""
        if self.log.keep:
            self.log.rows.append(row)

    def result(self) -> Run:
        """What came out."""
        if self.cells is not None:
            self.cells = {slot: self.cells[slot] for _, slot in straight(self.layout).kept}
            return Run(self)
        for problem in self.state.problems:
            if problem.error is not None:
                self.errors.append(CallError(self.prefix + problem.operation, problem.error))
        self.state.problems.clear()
        self.errors.sort(key=lambda entry: entry.operation)
        run = Run(self)
        self.state.forget()
        return run


def parameters(node: Node, arguments: tuple[Any, ...]) -> Mapping[str, Any]:
    """A call's parameter set, by parameter name."""
    whole = list(arguments)
    for position, value in node.constants:
        whole.insert(position, value)
    return {name: value for name, value in zip(node.operation.parameters, whole, strict=True) if value is not MISSING}


def make_handlers(layout: Layout) -> list[Handler]:
    """The handlers of a layout's nodes."""
    return [Handler(node, layout.slots) for node in layout.nodes]


def watched_handlers(layout: Layout) -> list[Handler]:
    """The same for level "full": what runs in this process is watched, its memory too if the active recorder traces."""
    from flowlab.metrics.watching import watched

    handlers = make_handlers(layout)
    active = recorder()
    memory = active.clocks.memory if active is not None else None
    for handler in handlers:
        if handler.node.operation.inner is None and handler.node.operation.scope is None:
            handler.call = watched(handler.call, handler.node.operation.kind, memory)
    return handlers
