"""Traces: calls as slices on the threads they ran on, for Perfetto and chrome://tracing.

A call that lies in its thread's others as brackets do is an `X` slice; calls of coroutines that overlap on one thread
are async pairs `b` and `e` with an id of their own. `C` counts memory, and `s` and `f` lead from a call to those
started in it; not along data, since a record does not say which element its call was of. Invariant: the slices of a
thread nest or do not touch, every `b` has its `e`, and times begin at 0 and are in microseconds.

Source: Trace Event Format (Google, 2016); Perfetto's documentation, "Writing TrackEvent Protos Synthetically", on what
of it slices must keep.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowlab.metrics.record import Record, plain

Event = dict[str, Any]

_ARGUMENTS = (
    "context", "attempt", "status", "error_type", "executor", "cpu_ns", "cpu_self_ns", "runqueue_ns", "blocked_ns",
    "queue_ns", "transfer_ns", "bytes_in", "bytes_out", "mem_peak_bytes", "e_dyn_j", "steps",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Placed:
    """A call that started and ended, with its end not before its start."""

    record: Record
    start_ns: int
    end_ns: int

    @property
    def worker(self) -> tuple[Any, Any, Any]:
        """Host, process and thread."""
        return self.record.host, self.record.pid, self.record.tid


def trace_json(source: Any) -> str:
    """Return a run as a trace, a comparison with all its runs; what never ended is not in it.

    Args:
        source: Anything with `records`; its `samples`, or those of its `runs`, become counters.
    """
    return json.dumps({"traceEvents": list(events(source)), "displayTimeUnit": "ms"}, default=plain)


def events(source: Any) -> Iterator[Event]:
    """Yield the events of a trace, what names processes and threads first, then by time."""
    parts = tuple(getattr(source, "runs", ())) or (source,)
    placed = [call for part in parts for call in _placed(part.records)]
    sampled = [part.samples for part in parts if getattr(part, "samples", None) is not None]
    starts = [call.start_ns for call in placed] + [stamp for samples in sampled for stamp in samples.times_ns[:1]]
    zero = min(starts, default=0)
    pids = _pids(placed)
    yield from _names(placed, pids)
    found = [event for worker, calls in _by_worker(placed).items() for event in _slices(calls, pids[worker[:2]], zero)]
    found += _edges(placed, pids, zero)
    home = next(iter(pids.values()), 0)
    found += [event for samples in sampled for event in _counters(samples, home, zero)]
    # Of slices that begin together the outer one comes first; an arrow comes after the slice it is in.
    yield from sorted(found, key=lambda event: (event["ts"], "XbesfC".index(event["ph"]), -event.get("dur", 0)))


def _placed(records: Iterable[Record]) -> list[_Placed]:
    return [
        _Placed(record, record.started_ns, max(record.started_ns, record.ended_ns))
        for record in records
        if record.started_ns is not None and record.ended_ns is not None
    ]


def _by_worker(calls: Iterable[_Placed]) -> dict[tuple[Any, Any, Any], list[_Placed]]:
    found: dict[tuple[Any, Any, Any], list[_Placed]] = defaultdict(list)
    for call in calls:
        found[call.worker].append(call)
    return found


def _pids(calls: Iterable[_Placed]) -> dict[tuple[Any, Any], int]:
    """Return a number for every process: its id, or another where two hosts have the same."""
    found: dict[tuple[Any, Any], int] = {}
    for call in calls:
        process = call.worker[:2]
        if process not in found:
            number = process[1] or 0
            while number in found.values():
                number += 1 << 22  # beyond what Linux gives
            found[process] = number
    return found


def _names(calls: Sequence[_Placed], pids: Mapping[tuple[Any, Any], int]) -> Iterator[Event]:
    for worker, own in _by_worker(calls).items():
        host, pid, tid = worker
        strategy = own[0].record.strategy
        process = " ".join(str(word) for word in (strategy, "process", pid, host and f"on {host}") if word)
        for name, text in (("process_name", process), ("thread_name", "main" if pid == tid else f"thread {tid}")):
            event = {"ph": "M", "name": name, "pid": pids[worker[:2]], "tid": tid or 0, "ts": 0}
            yield {**event, "args": {"name": text}}


def _slices(calls: Sequence[_Placed], pid: int, zero: int) -> Iterator[Event]:
    """Yield the slices and async pairs of one thread's calls."""
    brackets = _nesting(calls)
    for number, call in enumerate(calls):
        record = call.record
        common = {"name": record.operation, "cat": record.stage or "call", "pid": pid, "tid": record.tid or 0}
        said = {name: value for name in _ARGUMENTS if (value := getattr(record, name)) is not None}
        start = {**common, "ts": _us(call.start_ns - zero), "args": {**said, **record.custom}}
        if number in brackets:
            yield {**start, "ph": "X", "dur": _us(call.end_ns - call.start_ns)}
        else:
            key = f"{record.run}/{record.id}/{record.attempt}"
            yield {**start, "ph": "b", "id": key}
            yield {**common, "ph": "e", "id": key, "ts": _us(call.end_ns - zero)}


def _nesting(calls: Sequence[_Placed]) -> set[int]:
    """Return which of one thread's calls (by place) nest or do not touch; the rest overlap others.

    Where coroutines overlap, all of them are told apart: one that happens to lie within another is not part of it.
    """
    order = sorted(range(len(calls)), key=lambda at: (calls[at].start_ns, -calls[at].end_ns, calls[at].record.id))
    overlapping = _overlap([calls[at] for at in order])
    found: set[int] = set()
    around: list[_Placed] = []
    for at in order:
        call = calls[at]
        if overlapping and call.record.executor == "asyncio":
            continue
        while around and around[-1].end_ns <= call.start_ns:
            around.pop()
        if not around or call.end_ns <= around[-1].end_ns:
            found.add(at)
            around.append(call)
    return found


def _overlap(calls: Sequence[_Placed]) -> bool:
    """Whether coroutines among calls sorted by start overlap without one being started in the other."""
    latest: _Placed | None = None
    for call in calls:
        if call.record.executor != "asyncio":
            continue
        if latest is not None and call.start_ns < latest.end_ns and call.record.parent != latest.record.id:
            return True
        if latest is None or call.end_ns > latest.end_ns:
            latest = call
    return False


def _edges(calls: Sequence[_Placed], pids: Mapping[tuple[Any, Any], int], zero: int) -> Iterator[Event]:
    """Yield an arrow from every slice to the slices of the calls started in it."""
    slices = {
        (call.record.run, call.record.id): call
        for own in _by_worker(calls).values()
        for at in _nesting(own)
        for call in (own[at],)
    }
    for number, call in enumerate(calls, 1):
        record = call.record
        outer = slices.get((record.run, record.parent)) if record.parent is not None else None
        if outer is None or slices.get((record.run, record.id)) is not call or outer.start_ns > call.start_ns:
            continue
        for kind, end in (("s", outer), ("f", call)):
            event = {"ph": kind, "name": "starts", "cat": "call", "id": number, "ts": _us(end.start_ns - zero)}
            place = {"pid": pids[end.worker[:2]], "tid": end.record.tid or 0}
            yield {**event, **place, **({"bp": "e"} if kind == "f" else {})}


def _counters(samples: Any, pid: int, zero: int) -> Iterator[Event]:
    for stamp, memory in zip(samples.times_ns, samples.memory_bytes, strict=True):
        at = max(0.0, _us(stamp - zero))
        yield {"ph": "C", "name": "memory", "pid": pid, "tid": 0, "ts": at, "args": {samples.method: memory}}


def _us(ns: int) -> float:
    return ns / 1000
