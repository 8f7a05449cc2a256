"""The log: what each attempt of each call cost, kept small while running and made into Records when asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any, NamedTuple

from flowlab.executors.task import transfer
from flowlab.metrics.clocks import blocked_ns, readings_ns
from flowlab.metrics.record import STEPS_AT, Record
from flowlab.run.outcome.nesting import Nesting
from flowlab.run.outcome.sharing import shares

_WIDTH = 5
SHARED_OUT = {"cpu_quality": "estimated"}


def host_name() -> str:
    """This computer's name."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


class Row(NamedTuple):
    """One attempt of one call, as the orchestrator noted it."""

    operation: str
    executor: str
    attempt: int
    status: str
    error_type: str | None
    submitted_ns: int | None
    started_ns: int | None
    ended_ns: int | None
    cpu_ns: int | None
    pid: int | None
    tid: int | None
    stage: str | None = None
    extra: Any = None


class Inside(list[str]):
    """The names of a sub-flow's calls, told to the log around it as they start: what takes its outputs starts later."""

    def __init__(self, around: Log) -> None:
        super().__init__()
        self._around = around

    def append(self, name: str) -> None:
        """Add a name here and in the log around."""
        super().append(name)
        self._around.names.append(name)


class Log:
    """The attempts of one context's calls.

    Attributes:
        level: "off" keeps only `names`; "time" wall and CPU; "full" also what `watched` handlers and workers read.
        keep: Records are wanted.
        quick: Five ints an attempt that ended well on the caller's thread: node, element, started, ended, CPU.
        rows: All other attempts, as `Row` or a plain tuple of the same: that is forgotten by the garbage collector.
        packed: What many short calls of a worker cost, until somebody asks: `unpack` makes rows of it.
        order: The start and name of each call that is not in `quick`.
        nesting: Who keeps the spans inside the calls.
        names: The names in start order, if an event loop's driver ran the context: it has no need of `order`.
        straight: The nodes of a straight run, and what the clocks said between its calls, as `shares` takes it.
        guessed: The starts of calls in `quick` whose CPU is a share of what was read for a few.
    """

    __slots__ = (
        "context", "estimated", "guessed", "keep", "level", "names", "nesting", "nodes", "order", "packed", "quick",
        "rows", "run", "straight", "tid",
    )  # fmt: skip

    def __init__(self, run: str, context: int | None, nodes: list[Any], tid: int, level: str = "time") -> None:
        self.level = level
        keep = self.keep = level != "off"
        self.run = run
        self.context = context
        self.nodes = nodes
        self.tid = tid
        self.estimated = False
        self.quick: list[int] = []
        self.rows: list[Any] = []
        self.packed: list[tuple[Any, ...]] = []
        self.order: list[tuple[int, str]] = []
        self.names: list[str] = []
        self.straight: tuple[list[int], list[int], list[int]] | None = None
        self.guessed: set[int] = set()
        self.nesting = Nesting(run, context, level) if keep else None

    def quick_rows(self) -> Iterator[tuple[int, int, int, int, int]]:
        """The rows of `quick`, and of a straight run."""
        if self.straight is not None:
            (nodes, *read), self.straight = self.straight, None
            for number, (started, ended, spent, guessed) in zip(nodes, shares(*read), strict=self.keep):
                self.add(number, started, ended, spent, guessed)
        numbers = iter(self.quick)
        return zip(numbers, numbers, numbers, numbers, numbers, strict=True)

    def add(self, number: int, started: int, ended: int, spent: int, guessed: bool) -> None:
        """Add a call of a straight run."""
        self.quick += (number, 0, started, ended, spent)
        if guessed:
            self.guessed.add(started)

    def unpack(self) -> list[Any]:
        """The rows, those of short calls in workers among them."""
        while self.packed:
            names, attempts, submitted, starts, ends, pid, costs, took, share, now, size = self.packed.pop(0)
            extras = zip(repeat(share), costs, [now - ended for ended in ends], repeat(size), took)
            fixed = repeat("ok"), repeat(None)
            self.rows.extend(
                zip(names, repeat("processes"), attempts, *fixed, submitted, starts, ends, repeat(None), repeat(pid),
                    repeat(pid), repeat(None), extras)
            )  # fmt: skip
        return self.rows

    def take(self, other: Log, prefix: str) -> None:
        """Take over what a sub-flow's log has, under names that say so."""
        if other.straight is not None and not other.keep:
            self.names += [prefix + other.nodes[number].name for number in other.straight[0]]
        for number, _, started, ended, cpu in other.quick_rows():
            name = prefix + other.nodes[number].name
            self.order.append((started, name))
            extra = SHARED_OUT if started in other.guessed else None
            self.rows.append(
                Row(name, "inline", 1, "ok", None, None, started, ended, cpu, None, other.tid, None, extra)
            )
        if type(other.names) is not Inside:
            self.names.extend(other.names)
        self.order.extend(other.order)
        self.rows.extend(other.unpack())

    def cpu_ns(self) -> int:
        """The CPU of the calls so far, on the caller's thread."""
        quick = sum(row[4] for row in self.quick_rows())
        return quick + sum(row[8] or 0 for row in self.rows if row[1] == "inline")

    def began(self, started: int, name: str) -> None:
        """Note that a call began, on the caller's thread."""
        if self.keep:
            self.order.append((started, name))
        else:
            self.names.append(name)

    def calls(self) -> tuple[str, ...]:
        """The names of the operations whose bodies ran, in start order, retries once."""
        if self.names:
            return tuple(self.names)
        nodes = self.nodes
        if self.straight is not None:
            return tuple([nodes[number].name for number in self.straight[0]])
        quick = [(row[2], nodes[row[0]].name) for row in self.quick_rows()]
        if not self.order:
            return tuple(name for _, name in quick)
        return tuple(name for _, name in sorted(quick + self.order, key=lambda entry: entry[0]))

    def records(self) -> tuple[Record, ...]:
        """One Record an attempt, in start order; none if they were not wanted."""
        if self.nesting is None:
            return ()
        nodes, run, context, tid, pid = self.nodes, self.run, self.context, self.tid, os.getpid()
        host, cost = host_name(), readings_ns()
        found = [
            Record(
                run=run, operation=nodes[number].name, context=context, executor="inline", host=host, pid=pid, tid=tid,
                started_ns=started, ended_ns=ended, run_ns=ended - started, cpu_ns=cpu, cpu_self_ns=cpu,
                cpu_method="thread_time",
                cpu_quality="estimated" if self.estimated or started in self.guessed else "measured",
                mem_method="none", mem_quality="unavailable",
                overhead_ns=cost.wall + (0 if started in self.guessed else cost.cpu),
            )
            for number, _, started, ended, cpu in self.quick_rows()
        ]  # fmt: skip
        for row in self.unpack():
            self._add(Row(*row), found)
        found.extend(self.nesting.records())
        found.sort(key=lambda record: record.started_ns or record.submitted_ns or 0)
        first = (context or 0) << 32
        return tuple(
            record if record.id else replace(record, id=first + number) for number, record in enumerate(found, 1)
        )

    def _add(self, row: Row, found: list[Record]) -> None:
        """Add the record of an attempt, and those of what nested in it in a worker process."""
        if row.extra and "nested" in row.extra and self.nesting is not None:
            extra = dict(row.extra)
            inside = extra.pop("nested")
            extra["id"] = self.nesting.next_id()
            found.extend(self.nesting.adopt(extra["id"], inside))
            row = row._replace(extra=extra)
        found.append(self.record(row))

    def record(self, row: Row) -> Record:
        """The record of an attempt; one without an id of its own gets it when the context has ended."""
        measured = row.cpu_ns is not None
        queue = (
            None if row.started_ns is None or row.submitted_ns is None else max(0, row.started_ns - row.submitted_ns)
        )
        values: dict[str, Any] = {
            "run": self.run, "operation": row.operation, "context": self.context, "executor": row.executor,
            "host": host_name(), "pid": row.pid or os.getpid(), "tid": row.tid or self.tid, "attempt": row.attempt,
            "status": row.status, "error_type": row.error_type,
            "stage": row.stage, "submitted_ns": row.submitted_ns, "started_ns": row.started_ns,
            "ended_ns": row.ended_ns,
            "queue_ns": queue, "cpu_ns": row.cpu_ns, "cpu_self_ns": row.cpu_ns,
            "cpu_method": "thread_time" if measured else "none",
            "cpu_quality": "measured" if measured else "unavailable",
            "mem_method": "none", "mem_quality": "unavailable",
        }  # fmt: skip
        if row.started_ns is not None and row.ended_ns is not None:
            values["run_ns"] = row.ended_ns - row.started_ns
        if row.extra:
            values.update(transfer(row.extra) if type(row.extra) is tuple else row.extra)
        if STEPS_AT in values:
            values[STEPS_AT] = tuple(values[STEPS_AT])
        if "bytes_in" in values and "input_size" not in values:
            values["input_size"], values["input_unit"] = values["bytes_in"], "bytes"
        _measuring(values, self.level)
        _phases(values)
        queued, wall = values.get("runqueue_ns"), values.get("run_ns")
        if queued and wall is not None and row.executor == "processes":  # read just outside the call's stamps
            values["runqueue_ns"] = min(queued, max(0, wall - values["cpu_ns"]))
        values["blocked_ns"] = blocked_ns(values.get("run_ns"), values["cpu_ns"], values.get("runqueue_ns"))
        return Record(**values)


def _measuring(values: dict[str, Any], level: str) -> None:
    """Say what measuring cost; a worker says it itself at level "full"."""
    cost = readings_ns()
    if "overhead_ns" in values:
        values["overhead_ns"] += values["after_ns"]
    elif values["executor"] == "processes":
        values["overhead_ns"] = 2 * cost.cpu
    else:
        step = 2 * (cost.cpu + (cost.runqueue if level == "full" else 0))
        values["overhead_ns"] = 2 * cost.wall + step * (values.get("steps") or 1)


def _phases(values: dict[str, Any]) -> None:
    """Work out the phases of a process call; with what measuring took they last until its result came back.

    What it waits after it was sent, in the pipe or behind other calls of its worker, is its transfer.
    """
    sent, packing = values.pop("sent_ns", None), values.pop("packing_ns", 0)
    after, measuring = values.pop("after_ns", None), values["overhead_ns"]
    if sent is None or values["started_ns"] is None:
        return
    loading = values["deserialise_ns"]
    if after is None:  # the worker read its clocks while it unpacked and packed
        after = min(measuring // 2, values["serialise_ns"] - packing)
        before = min(measuring // 2, loading)
        values["deserialise_ns"] = loading - before
        values["overhead_ns"] = before + max(0, after)
        taken = values["started_ns"] - loading
    else:
        taken = values["started_ns"] - (measuring - after) - loading
    values["serialise_ns"] = max(0, values["serialise_ns"] - max(0, after))
    values["transfer_ns"] = max(0, taken - sent)
    if values["submitted_ns"] is not None:
        values["queue_ns"] = max(0, sent - packing - values["submitted_ns"])
