"""Streams of plans that are plain functions called once: items go straight through, in small groups, on the caller's
thread.

The clock is read around every call; CPU is read once for a group of at most 64 items and shared out by wall time, so
it is marked "estimated". A run keeps its values and stamps and becomes a full one when more is asked of it. What
fails is handed to a full context with all that was made so far.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from flowlab.metrics.active import CALL, THREAD, Call
from flowlab.run.context import Context
from flowlab.run.inline import Inline, steps
from flowlab.run.log import Row
from flowlab.run.result import Run
from flowlab.run.session import Prepared
from flowlab.run.shapes import ROOT

GROUP = 64
LONG_NS = 1_000_000
"""A group that takes longer than this is made smaller, so that no result waits for others."""


class Path:
    """What all items with the same names share."""

    __slots__ = ("blank", "given", "kept", "prepared", "steps")

    def __init__(self, prepared: Prepared) -> None:
        layout = prepared.layout
        self.prepared = prepared
        self.steps = steps(layout)
        self.blank = [None] * len(layout.slots)
        self.given = tuple((name, layout.slot_of[name]) for name in layout.plan.given)
        self.kept = {slot.definition.name: slot.number for slot in layout.slots if slot.kept}


class Group:
    """The CPU of items that went through together, and their wall time, by which it is shared out."""

    __slots__ = ("cpu_ns", "wall_ns")

    def __init__(self) -> None:
        self.cpu_ns = self.wall_ns = 0


class QuickRun(Run):
    """A run of a straight item; everything but its values is worked out when asked for."""

    def __init__(
        self, path: Path, cells: list[Any], stamps: list[int], group: Group, quick: Quick, number: int
    ) -> None:
        self._path = path
        self._cells = cells
        self._stamps = stamps
        self._group = group
        self._quick = quick
        self._number = number

    def __getitem__(self, name: str) -> Any:
        try:
            return self._cells[self._path.kept[name]]
        except KeyError:
            return super().__getitem__(name)

    def __getattr__(self, name: str) -> Any:
        if name not in ("_context", "_values", "_records", "failures"):
            raise AttributeError(name)
        self._fill()
        return self.__dict__[name]

    def _fill(self) -> None:
        context = self._quick.context(self._path, self._number)
        group, stamps = self._group, self._stamps
        log = context.log
        log.estimated = True
        for at, step in enumerate(self._path.steps):
            started, ended = stamps[at], stamps[at + 1]
            cpu = group.cpu_ns * (ended - started) // group.wall_ns if group.wall_ns else 0
            log.quick += (step[3], 0, started, ended, cpu)
        _keep(context, self._cells)
        super().__init__(context)


def _keep(context: Context, cells: list[Any]) -> None:
    for slot in context.layout.slots:
        if slot.kept:
            context.state.cells[slot.number][ROOT] = cells[slot.number]


class Quick:
    """Takes items straight through.

    Args:
        run: The run's name.
        inline: Runs what fails, or cannot go straight.
    """

    def __init__(self, run: str, inline: Inline) -> None:
        self.run = run
        self.inline = inline
        self.tid = threading.get_native_id()
        self.paths: dict[Any, Path] = {}
        self.size = 1
        self.frame = Call(0)

    def context(self, path: Path, number: int) -> Context:
        """A full context for an item."""
        prepared = path.prepared
        return Context(prepared.layout, prepared.handlers, self.run, number, self.tid, self.inline.locks)

    def through(self, items: list[tuple[Path, Mapping[str, Any]]], number: int) -> Iterator[Run]:
        """Take a group of items through and give their runs."""
        clock, frame = time.perf_counter_ns, self.frame
        group = Group()
        runs: list[Run] = []
        token = CALL.set(frame)
        THREAD.calls.append(frame)
        used = time.thread_time_ns()
        began = at = clock()
        try:
            for path, values in items:
                cells = path.blank.copy()
                for name, slot in path.given:
                    cells[slot] = values[name]
                at = clock()
                stamps = [at]
                try:
                    for function, takes, out, _, pick in path.steps:
                        if type(takes) is int:
                            value = function(cells[takes])
                        else:
                            value = function(*[cells[slot] for slot in takes])
                        at = clock()
                        stamps.append(at)
                        if pick is None:
                            cells[out] = value
                        else:
                            for slot, part in zip(out, pick(value), strict=True):
                                cells[slot] = part
                except BaseException as error:
                    if self.inline.interrupts.own(error):
                        raise
                    runs.append(self._failed(path, values, cells, stamps, number, error))
                else:
                    run = QuickRun(path, cells, stamps, group, self, number)
                    runs.append(run)
                    if frame.custom is not None:
                        self._custom(run)
                number += 1
        finally:
            THREAD.calls.remove(frame)
            CALL.reset(token)
        group.cpu_ns = time.thread_time_ns() - used
        group.wall_ns = at - began
        if group.wall_ns > LONG_NS:
            self.size = max(1, self.size // 2)
        elif self.size < GROUP and len(items) == self.size:
            self.size *= 2
        return iter(runs)

    def _custom(self, run: Run) -> None:
        """An operation reported something: it goes to the item's last call."""
        context = run._context
        number, _, started, ended, spent = context.log.quick[-5:]
        del context.log.quick[-5:]
        name = context.layout.nodes[number].name
        context.log.order.append((started, name))
        extra = {"custom": self.frame.custom, "cpu_quality": "estimated"}
        context.log.rows.append(
            Row(name, "inline", 1, "ok", None, None, started, ended, spent, None, self.tid, None, extra)
        )
        self.frame.custom = None

    def _failed(
        self,
        path: Path,
        values: Mapping[str, Any],
        cells: list[Any],
        stamps: list[int],
        number: int,
        error: BaseException,
    ) -> Run:
        """Let a full context go on where an item failed."""
        context = self.context(path, number)
        done = min(len(stamps) - 1, len(path.steps) - 1)
        for at in range(done):
            context.log.quick += (path.steps[at][3], 0, stamps[at], stamps[at + 1], 0)
        frame = Call(0)
        self.inline.hand_over(context, values, cells, done, path.steps[done][3], stamps[done], error)
        self.inline.go_on(context, frame)
        return context.result()
