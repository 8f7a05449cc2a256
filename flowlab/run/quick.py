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
from flowlab.run.drivers.inline import Inline
from flowlab.run.layout.steps import straight
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import SHARED_OUT, Row
from flowlab.run.outcome.nesting import Nesting
from flowlab.run.outcome.result import Run
from flowlab.run.session import Prepared

GROUP = 64
LONG_NS = 1_000_000
"""A group that takes longer than this is made smaller, so that no result waits for others."""


class Path:
    """What all items with the same names share."""

    __slots__ = ("blank", "dead", "given", "kept", "nodes", "prepared", "steps")

    def __init__(self, prepared: Prepared) -> None:
        layout = prepared.layout
        self.prepared = prepared
        plan = straight(layout)
        self.steps, self.nodes = plan.steps, plan.nodes
        self.blank = [None] * len(layout.slots)
        self.given = tuple((name, layout.slot_of[name]) for name in layout.plan.given)
        self.kept = dict(plan.kept)
        self.dead = plan.dead


class Group:
    """The CPU of items that went through together, and their wall time, by which it is shared out."""

    __slots__ = ("cpu_ns", "wall_ns")

    def __init__(self) -> None:
        self.cpu_ns = self.wall_ns = 0


class QuickRun(Run):
    """A run of a straight item; everything but its values is worked out when asked for.

    Args:
        went: The item's path, what its cells hold, the clock between its calls, its group, and its number.
    """

    _told: list[tuple[int, dict[str, Any]]] = []  # noqa: RUF012 - never changed: what a call reported is rare
    _nesting: Any = None

    def __init__(self, quick: Quick, went: tuple[Path, list[Any], list[int], Group, int]) -> None:
        self._quick = quick
        self._went = went

    def __getitem__(self, name: str) -> Any:
        went = self._went
        try:
            return went[1][went[0].kept[name]]
        except KeyError:
            return super().__getitem__(name)

    def __getattr__(self, name: str) -> Any:
        if name not in ("_context", "_values", "_records", "failures"):
            raise AttributeError(name)
        self._fill()
        return self.__dict__[name]

    def _fill(self) -> None:
        path, cells, stamps, group, number = self._went
        context = self._quick.context(path, number)
        context.cells = cells
        log = context.log
        log.estimated = True
        if not log.keep:
            log.straight = path.nodes, [], []
            super().__init__(context)
            return
        told = dict(self._told)
        if told:
            log.nesting = self._nesting
        for at, number in enumerate(path.nodes):
            started, ended = stamps[at], stamps[at + 1]
            cpu = group.cpu_ns * (ended - started) // group.wall_ns if group.wall_ns else 0
            if at not in told:
                log.quick += (number, 0, started, ended, cpu)
                continue
            inner = -told[at].get("cpu_self_ns", 0)
            cpu = max(cpu, inner)
            extra = {**told[at], "cpu_ns": cpu, "cpu_self_ns": cpu - inner, "cpu_quality": "estimated"}
            name = log.nodes[number].name
            log.order.append((started, name))
            log.rows.append(Row(name, "inline", 1, "ok", None, None, started, ended, cpu, None, log.tid, None, extra))
        super().__init__(context)


class Quick:
    """Takes items straight through.

    Args:
        run: The run's name.
        inline: Runs what fails, or cannot go straight.
        level: "off" keeps no records.
    """

    def __init__(self, run: str, inline: Inline, level: str = "time") -> None:
        self.level = level
        self.keep = level != "off"
        self.run = run
        self.inline = inline
        self.tid = threading.get_native_id()
        self.paths: dict[Any, Path] = {}
        self.size = 1
        self.frame = Call(0)
        self.nesting = Nesting(run, 0)

    def context(self, path: Path, number: int) -> Context:
        """A full context for an item."""
        return path.prepared.context(self.run, number, self.inline.locks, self.level, self.tid)

    def through(self, items: list[tuple[Path, Mapping[str, Any]]], number: int) -> Iterator[Run]:
        """Take a group of items through and give their runs."""
        clock, frame = time.perf_counter_ns, self.frame
        group = Group()
        runs: list[Run] = []
        told: list[tuple[int, dict[str, Any]]] = []
        frame.recorder = self.nesting if self.keep else None
        frame.custom = None  # the instance's own: reading what a class has costs more
        self.nesting.context = number
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
                    for function, first, second, out, pick in path.steps:
                        if second is None:
                            value = function(cells[first])
                        elif type(second) is int:
                            value = function(cells[first], cells[second])
                        else:
                            value = function(*[cells[slot] for slot in second])
                        at = clock()
                        if pick is not None:  # before the stamp: if it raises, the call did not end well
                            value = pick(value)
                        stamps.append(at)
                        if frame.custom is not None:
                            told.append((len(stamps) - 2, frame.take(0) or {}))
                        if pick is None:
                            cells[out] = value
                        else:
                            for slot, part in zip(out, value, strict=True):
                                cells[slot] = part
                    for slot in path.dead:
                        cells[slot] = None
                except BaseException as error:
                    if self.inline.interrupts.own(error):
                        raise
                    group.cpu_ns, group.wall_ns = time.thread_time_ns() - used, max(1, clock() - began)
                    runs.append(self._failed(path, values, cells, stamps, number, error, group))
                else:
                    run = QuickRun(self, (path, cells, stamps, group, number))
                    runs.append(run)
                    if told:
                        self._tell(run, told, number)
                        told = []
                number += 1
                self.nesting.context = number
        finally:
            THREAD.calls.remove(frame)
            CALL.reset(token)
        group.cpu_ns = time.thread_time_ns() - used
        group.wall_ns = at - began
        self._adapt(group, len(items))
        return iter(runs)

    def _tell(self, run: QuickRun, told: list[tuple[int, dict[str, Any]]], number: int) -> None:
        """Keep with a run what its calls reported."""
        run._told, run._nesting = told, self.nesting
        self.nesting = Nesting(self.run, number + 1)
        self.frame.recorder = self.nesting if self.keep else None

    def _adapt(self, group: Group, count: int) -> None:
        """Make the next group smaller if this one took long, larger if it was full."""
        if group.wall_ns > LONG_NS:
            self.size = max(1, self.size // 2)
        elif self.size < GROUP and count == self.size:
            self.size *= 2

    def _failed(
        self,
        path: Path,
        values: Mapping[str, Any],
        cells: list[Any],
        stamps: list[int],
        number: int,
        error: BaseException,
        group: Group,
    ) -> Run:
        """Let a full context go on where an item failed."""
        context = self.context(path, number)
        done = min(len(stamps) - 1, len(path.steps) - 1)
        if not self.keep:
            context.log.names += [context.layout.nodes[number].name for number in path.nodes[:done]]
        log = context.log
        for at in range(done if self.keep else 0):
            name, started, ended = log.nodes[path.nodes[at]].name, stamps[at], stamps[at + 1]
            cpu = group.cpu_ns * (ended - started) // group.wall_ns
            log.order.append((started, name))
            log.rows.append(
                Row(name, "inline", 1, "ok", None, None, started, ended, cpu, None, log.tid, None, SHARED_OUT)
            )
        frame = Call(0)
        context.log.nesting = frame.recorder = self.nesting if self.keep else None
        self.nesting = Nesting(self.run, number + 1)
        self.inline.hand_over(context, values, cells, done, stamps[done], error, None, frame)
        self.inline.go_on(context, frame)
        return context.result()
