"""Records arranged for drawing: which lane a call lies in, and how its time divides into computing and waiting.

Pure: records in, plain values out; nothing here draws. The invariants: calls in one lane at one depth never overlap,
and the shares of nested calls add up to the time of the outermost, so that no second is counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlab.metrics import Record


_Worker = tuple[Any, Any, Any]
"""Host, process and thread."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one call is drawn.

    Attributes:
        lane: Row, from 0 at the top.
        depth: 0, or how many calls in the same lane it is nested in.
    """

    record: Record
    lane: int
    depth: int


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes that belong to one worker: `first` to `last`, both included."""

    label: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Share:
    """How one call's own time divides; calls nested in it are left out.

    Attributes:
        own_ns: Time from start to end that no nested call covers.
        computing_ns: CPU time within it; None where it was not measured.
        ready_ns: Time it could have computed while others had the cores; None where it was not measured.
    """

    own_ns: int
    computing_ns: int | None
    ready_ns: int | None = None

    @property
    def waiting_ns(self) -> int | None:
        """What of it was neither computing nor known to be ready: network, locks, the interpreter lock."""
        return None if self.computing_ns is None else self.own_ns - self.computing_ns - (self.ready_ns or 0)


def timed(records: Iterable[Record]) -> list[Record]:
    """Return the records that started and ended, in the order they started, outer calls first."""
    whole = [record for record in records if record.wall_ns is not None]
    return sorted(whole, key=lambda record: (record.started_ns or 0, -(record.wall_ns or 0), record.id))


def arranged(records: Iterable[Record]) -> tuple[list[Group], list[Slot]]:
    """Return a lane for every call: one lane a worker (process and thread), more where its coroutines overlap."""
    workers = _workers(timed(records))
    labels = _labels(workers)
    workers = dict(sorted(workers.items(), key=lambda item: labels[item[0]].partition(" ")[0] == "process"))
    groups, slots = [], []
    first = 0
    for worker, calls in workers.items():
        placed = _lanes(calls, first)
        last = max(slot.lane for slot in placed)
        groups.append(Group(labels[worker], first, last))
        slots += placed
        first = last + 1
    return groups, slots


def _workers(calls: Sequence[Record]) -> dict[_Worker, list[Record]]:
    """Return the calls of each worker, in the order in which workers appear.

    A host or process that was not recorded is taken to be that of the other calls of the same thread.
    """
    hosts = {call.host for call in calls if call.host is not None}
    host = hosts.pop() if len(hosts) == 1 else None
    pids = {call.tid: call.pid for call in calls if call.pid is not None}
    workers: dict[_Worker, list[Record]] = defaultdict(list)
    for call in calls:
        pid = pids.get(call.tid) if call.pid is None else call.pid
        workers[call.host or host, pid, call.tid].append(call)
    return workers


def _lanes(calls: Sequence[Record], first: int) -> list[Slot]:
    """Place the calls of one worker: nested ones in their parent's lane, others in the first lane that is free."""
    free_at: list[int] = []
    slots: dict[tuple[str, int], Slot] = {}
    for record in calls:
        start, end = record.started_ns or 0, record.ended_ns or 0
        outer = slots.get((record.run, record.parent)) if record.parent is not None else None
        if outer is not None and _within(record, outer, slots):
            slots[record.run, record.id] = Slot(record, outer.lane, outer.depth + 1)
            continue
        lane = next((lane for lane, free in enumerate(free_at) if free <= start), len(free_at))
        free_at[lane : lane + 1] = [end]
        slots[record.run, record.id] = Slot(record, first + lane, 0)
    return list(slots.values())


def _within(record: Record, outer: Slot, slots: dict[tuple[str, int], Slot]) -> bool:
    """Whether the call lies within its parent's time, and beside no sibling that runs at the same time."""
    start, end = record.started_ns or 0, record.ended_ns or 0
    if end > (outer.record.ended_ns or 0):
        return False
    return not any(
        slot.depth == outer.depth + 1 and slot.lane == outer.lane and (slot.record.ended_ns or 0) > start
        for slot in slots.values()
    )


def _labels(workers: Mapping[_Worker, Sequence[Record]]) -> dict[_Worker, str]:
    """Name the workers; no process id is shown, so that runs read alike.

    The process whose call began first is the caller's; on Linux its first thread has the process's own id.
    """
    labels: dict[_Worker, str] = {}
    # A worker that is being started may be asked for before its caller does anything else.
    began = {
        worker: min(call.started_ns or 0 for call in calls if call.stage != "start")
        for worker, calls in workers.items()
        if any(call.stage != "start" for call in calls)
    }
    home = min(began or workers, key=lambda worker: began.get(worker, 0), default=(None, None, None))
    own = [worker for worker in workers if worker[:2] == home[:2]]
    # Where thread ids are not the kernel's, only a thread on its own is known to be the main one.
    main = next((worker for worker in own if worker[1] == worker[2]), home if len(own) == 1 else None)
    processes: dict[tuple[Any, Any], int] = {home[:2]: 0}
    threads: dict[tuple[Any, Any], int] = defaultdict(int)
    for worker, calls in workers.items():
        process = processes.setdefault(worker[:2], len(processes))
        threads[worker[:2]] += worker != main
        thread = threads[worker[:2]]
        if any(record.executor == "asyncio" for record in calls) and _overlap(calls):
            labels[worker] = "event loop"
        elif process == 0:
            labels[worker] = "main" if worker == main else f"thread {thread}"
        else:
            labels[worker] = f"process {process}" + (f".{thread}" if thread > 1 else "")
    return labels


def _overlap(calls: Sequence[Record]) -> bool:
    """Whether calls of one worker overlap without being nested."""
    return max(slot.lane for slot in _lanes(calls, 0)) > 0


def shares(records: Iterable[Record]) -> dict[tuple[str, int], Share]:
    """Return how the own time of every call divides, by (run, id)."""
    calls = timed(records)
    children: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in calls:
        if record.parent is not None:
            children[record.run, record.parent].append(record)
    return {(record.run, record.id): _share(record, children[record.run, record.id]) for record in calls}


def _share(record: Record, children: Sequence[Record]) -> Share:
    own = (record.wall_ns or 0) - _covered(record, children)
    cpu = record.cpu_ns if record.cpu_self_ns is None else record.cpu_self_ns
    if cpu is None:
        return Share(own, None)
    computing = max(0, min(cpu, own))
    if record.runqueue_ns is None:
        return Share(own, computing)
    ready = record.runqueue_ns - sum(child.runqueue_ns or 0 for child in children)
    return Share(own, computing, max(0, min(ready, own - computing)))


def _covered(record: Record, children: Sequence[Record]) -> int:
    """Return how much of the call's time its children cover, those that overlap counted once."""
    covered, reached, end = 0, record.started_ns or 0, record.ended_ns or 0
    for child in children:
        start = max(child.started_ns or 0, reached)
        stop = min(child.ended_ns or 0, end)
        if stop > start:
            covered += stop - start
            reached = stop
    return covered
