"""What of a context's calls has ended while it still goes on: for whoever keeps records as they come.

Here is telling the process's keeper that a context began, was taken over, ended. Not here: what it does with that.
Invariant: reading changes nothing of the log, and every call that has ended is given once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowlab.metrics import active
from flowlab.metrics.record import Record
from flowlab.run.outcome.log import Row

if TYPE_CHECKING:
    from flowlab.run.outcome.context import Context
    from flowlab.run.outcome.log import Log
    from flowlab.run.outcome.result import Run

QUICK = 5


class Going:
    """The log of one context, and how far it was read.

    Attributes:
        told: Whether it has given any record.
    """

    def __init__(self, log: Log, prefix: str) -> None:
        self.log = log
        self.prefix = prefix
        self.told = False
        self._quick = self._rows = self._nested = 0

    def new(self, ids: Iterator[int]) -> list[Record]:
        """Return the records of what ended since the last time.

        Args:
            ids: Gives ids to those that get theirs only when the context has ended.
        """
        log, found = self.log, list[Record]()
        quick = log.quick[self._quick :]
        self._quick += len(quick) // QUICK * QUICK
        numbers = iter(quick)
        for number, _, started, ended, cpu in zip(numbers, numbers, numbers, numbers, numbers, strict=False):
            name = self.prefix + log.nodes[number].name
            found.append(log.record(Row(name, "inline", 1, "ok", None, None, started, ended, cpu, None, log.tid)))
        rows = log.unpack()[self._rows :]
        self._rows += len(rows)
        for row in rows:
            found += self._of(Row(*row), ids)
        if not self.prefix and log.nesting is not None:
            nested = log.nesting.records()
            found += nested[self._nested :]
            self._nested = len(nested)
        self.told = self.told or bool(found)
        return [record if record.id else replace(record, id=next(ids)) for record in found]

    def _of(self, row: Row, ids: Iterator[int]) -> list[Record]:
        """Return the record of an attempt, and those of what nested in it in a worker process."""
        if not isinstance(row.extra, dict) or "nested" not in row.extra:
            return [self.log.record(row)]
        extra = dict(row.extra)
        inside = extra.pop("nested")
        extra["id"] = next(ids)
        known = {values["id"]: next(ids) for values in inside}
        own = {"run": self.log.run, "context": self.log.context}
        return [
            self.log.record(row._replace(extra=extra)),
            *(
                Record(**{**v, **own, "id": known[v["id"]], "parent": known.get(v.get("parent"), extra["id"])})
                for v in inside
            ),
        ]


def began(context: Context) -> None:
    """Let this process's keeper, if there is one, follow a context that begins to run."""
    keeper = active.keeper()
    if keeper is not None and context.log.keep:
        keeper.follow(context, Going(context.log, context.prefix))


def taken(outer: Log, log: Log, prefix: str) -> None:
    """Let the log around a sub-flow's take it over; a keeper sees it in one of them, never in both."""
    keeper = active.keeper()
    if keeper is None:
        outer.take(log, prefix)
        return
    with keeper.lock:
        keeper.merged(log)
        outer.take(log, prefix)


def ended(run: Run) -> None:
    """Hand the records of a context that has ended to the active recorder, and to this process's keeper."""
    recorder, keeper = active.recorder(), active.keeper()
    if keeper is not None:
        keeper.ended(run, recorder)
    elif recorder is not None:
        recorder.extend(run.records)


def over(name: str) -> None:
    """Tell this process's keeper that no more contexts of a run will come."""
    keeper: Any = active.keeper()
    if keeper is not None:
        keeper.over(name)
