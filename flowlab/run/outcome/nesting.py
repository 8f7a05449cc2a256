"""Spans and measured calls inside operation bodies: records of the run, with the call around them as their parent.

A driver uses one `Call` for many calls; it gets an id only when something nests in it. So what most calls never have
costs them nothing. Invariant: a nested record's parent is a record of the same run.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Any

from flowlab.metrics.active import CALL, Call
from flowlab.metrics.record import Record

HALF = 1 << 31
"""Ids of calls in which something nests, and of what nests in them, start here; all others count from one."""

_FIRST = Lock()
"""Held while what comes first in a run or in a call is made: an id, the recorder."""


class Nesting:
    """Who records what nests in the calls of one context; the recorder is made when it is first needed."""

    keeps_nested = True
    on = True
    __slots__ = ("context", "level", "parents", "recorder", "run")

    def __init__(self, run: str, context: int | None, level: str = "time") -> None:
        self.level = level
        self.run = run
        self.context = context
        self.recorder: Any = None
        self.parents: dict[int, int] = {}

    def next_id(self) -> int:
        """An id that no other record of the run has."""
        if self.recorder is None:
            self._make()
        return self.recorder.next_id()  # type: ignore[no-any-return]

    def _make(self) -> None:
        """Make the recorder, once, whichever thread's call is the first in which something nests."""
        from flowlab.metrics.recorder import Recorder

        first_id = ((self.context or 0) << 32) + HALF
        with _FIRST:
            if self.recorder is None:
                self.recorder = Recorder(level=self.level, run=self.run, first_id=first_id, keeps_nested=True)

    def open(self, operation: str, stage: str | None = None, executor: str | None = None, at_once: bool = False) -> Any:
        """Begin a call directly inside one of the run's calls."""
        if self.recorder is None:
            self._make()
        around = CALL.get()
        if around is not None and around.recorder is self:
            self._mark(around)
        call = self.recorder.open(operation, stage, executor, at_once)
        if around is not None and around.recorder is self:
            self.parents[call.id] = around.id
        return call

    def _mark(self, around: Call) -> None:
        """Something nests in a call: it has an id from now on, and its driver takes notice."""
        if around.id and around.custom is not None:
            return
        with _FIRST:  # threads of the user's own may be in one call at once
            if not around.id:
                around.id = self.recorder.next_id()
            if around.custom is None:
                around.custom = {}

    def finish(self, call: Any, error: BaseException | None = None) -> None:
        """End a call and keep it."""
        self.recorder.finish(call, error)

    def span(self, name: str, stage: str | None = None) -> Any:
        """A block to measure."""
        from flowlab.metrics.spans import Span

        return Span(self, name, stage)

    def records(self) -> list[Record]:
        """What nested in this process."""
        if self.recorder is None:
            return []
        return [
            replace(record, context=self.context, parent=self.parents.get(record.id, record.parent))
            for record in self.recorder.records
        ]

    def adopt(self, parent: int, records: list[dict[str, Any]]) -> list[Record]:
        """What nested in a worker process: the ids it gave are its own."""
        ids = {values["id"]: self.next_id() for values in records}
        return [
            Record(
                **{
                    **values,
                    "run": self.run,
                    "context": self.context,
                    "id": ids[values["id"]],
                    "parent": ids.get(values.get("parent"), parent),
                }
            )
            for values in records
        ]
