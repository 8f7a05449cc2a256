"""Keeping: handing on what is measured in this process while it goes on.

Here is who follows the runs and recorders of a process and hands their records on twice a second; where they go - a
store's file, a line to the parent - is a subclass's. Not here: files. Invariant: a record is handed on for good once;
what is handed on of a flow's context before it ends is pending, and withdrawn in the same batch that brings the final
records.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flowlab.metrics import active
from flowlab.metrics.record import Record, as_dict, from_dict, plain

if TYPE_CHECKING:
    from flowlab.metrics.sampler import Samples

INTERVAL_S = 0.4
"""A kill loses what ended since the last batch; the promise is a second."""
AHEAD = 1000
"""How many steps may wait to be handed on; whoever adds the last of them hands them on, or they would grow for ever."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run began."""

    key: str
    kind: str
    name: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Added:
    """Records of a run; those with a `pending` number will be withdrawn under it."""

    key: str
    records: tuple[Record, ...]
    pending: int | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The records that were pending under a number are void."""

    key: str
    pending: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A run ended."""

    key: str
    status: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """Samples of a run, later than those before."""

    key: str
    samples: Samples


Step = Begun | Added | Withdrawn | Sampled | Ended


@dataclass(slots=True)
class _Followed:
    """The log of a context that runs now; a sub-flow's has one of its own."""

    log: Any
    going: Any
    pending: int


@dataclass(slots=True)
class _Context:
    """A context that runs now: its log and those of its sub-flows."""

    key: str
    ids: Any
    logs: list[_Followed] = field(default_factory=list)


@dataclass(slots=True)
class _Recorded:
    """A recorder, and how many of its records were handed on."""

    key: str
    seen: int = 0
    sampled_ns: int = -1
    begun: bool = False
    over: bool = False


class Keeper:
    """Follows what is measured in this process, from `start` to `close`; a subclass says where it goes (`write`)."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._pid = os.getpid()
        self._writing = threading.Lock()
        self._steps: list[Step] = []
        self._unwritten: list[Step] = []
        self._contexts: dict[tuple[str, int | None], _Context] = {}
        self._flows: dict[str, bool] = {}
        self._recorders: WeakKeyDictionary[Any, _Recorded] = WeakKeyDictionary()
        self._open: dict[int, Any] = {}
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.on = True

    def write(self, steps: list[Step]) -> None:
        """Hand steps on, all or none.

        Raises:
            TimeoutError: Not now: they are handed on with the next ones.
        """
        raise NotImplementedError

    # life

    def start(self) -> None:
        """Become this process's keeper, and begin to hand on."""
        active.keep(self)
        for recorder in active.recorders():
            self.record(recorder)
        self._thread = threading.Thread(target=self._work, name="flowlab-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hand on what is left; what is still going on counts as interrupted."""
        if os.getpid() != self._pid:  # a forked child's copy
            return
        active.unkeep(self)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self.lock:
            for recorder in list(self._open.values()):
                self._recorders[recorder].over = True
            steps = self._collect()
            going_on = {context.key for context in self._contexts.values()}
            for key, failed in self._flows.items():
                status = "interrupted" if key in going_on else "failed" if failed else "ended"
                steps.append(Ended(key, status, perf_counter_ns()))
            self._contexts.clear()
            self._flows.clear()
            self._steps = steps
        self.flush()

    def _work(self) -> None:
        while self.on and not self._stop.wait(INTERVAL_S):
            self.flush()

    def flush(self) -> None:
        """Hand on all there is now."""
        with self._writing:
            with self.lock:
                self._unwritten += self._collect()
            if not self._unwritten or not self.on:
                return
            try:
                self.write(self._unwritten)
            except TimeoutError:
                return
            self._unwritten = []

    # what happens in this process

    def follow(self, context: Any, going: Any) -> None:
        """A context begins to run.

        Args:
            context: The context of a flow's run.
            going: Tells what of its calls has ended: `going.new(ids)` gives the records since the last time, with ids
                of their own until the context ends, and `going.told` says whether it has given any.
        """
        log = context.log
        if not self.on:
            return
        with self.lock:
            place = (log.run, log.context)
            found = self._contexts.get(place)
            if found is None:
                recorder = active.recorder()
                key = self._flow(context) if recorder is None else self.record(recorder)
                found = self._contexts[place] = _Context(key, itertools.count(((log.context or 0) << 32) + 1))
            found.logs.append(_Followed(log, going, next(self._numbers)))

    def ended(self, run: Any, recorder: Any) -> None:
        """A context ended, and its records go to a recorder, if one is active, else to a run of their own."""
        log, records = run._context.log, run.records
        with self.lock:
            found = self._contexts.pop((log.run, log.context), None)
            if found is not None:
                for followed in found.logs:
                    self._withdraw(found.key, followed)
            if recorder is not None:
                recorder.extend(records)
            elif log.keep and self.on:
                key = self._flow(run._context)
                self._flows[key] = self._flows[key] or bool(run.failures)
                self._steps.append(Added(key, records))
                if log.context is None:
                    self.over(log.run)
            full = len(self._steps) >= AHEAD
        if full:
            self.flush()

    def merged(self, log: Any) -> None:
        """A sub-flow's log is taken over by the one around it (called with `lock` held)."""
        for context in self._contexts.values():
            for followed in context.logs:
                if followed.log is log:
                    context.logs.remove(followed)
                    self._withdraw(context.key, followed)
                    return

    def over(self, run: str) -> None:
        """All contexts of a run have ended."""
        with self.lock:
            if run in self._flows:
                status = "failed" if self._flows.pop(run) else "ended"
                self._steps.append(Ended(run, status, perf_counter_ns()))

    def record(self, recorder: Any) -> str:
        """A recorder was made or entered; return the key of its run."""
        with self.lock:
            found = self._recorders.get(recorder)
            if found is None:
                found = self._recorders[recorder] = _Recorded(f"recorder {next(self._numbers)}")
            found.over = False
            self._open[id(recorder)] = recorder
            return found.key

    def recorded(self, recorder: Any) -> None:
        """A recorder was left."""
        with self.lock:
            if recorder in self._recorders:
                self._recorders[recorder].over = True

    def _flow(self, context: Any) -> str:
        key: str = context.log.run
        if key not in self._flows:
            self._flows[key] = False
            self._steps.append(Begun(key, "flow", context.layout.graph.name, perf_counter_ns()))
        return key

    def _withdraw(self, key: str, followed: _Followed) -> None:
        if followed.going.told:
            self._steps.append(Withdrawn(key, followed.pending))

    def _collect(self) -> list[Step]:
        """Take what happened since the last time."""
        steps, self._steps = self._steps, []
        for recorder in list(self._open.values()):
            self._collect_recorder(recorder, self._recorders[recorder], steps)
        for context in self._contexts.values():
            for followed in context.logs:
                if records := followed.going.new(context.ids):
                    steps.append(Added(context.key, tuple(records), followed.pending))
        return steps

    def _collect_recorder(self, recorder: Any, found: _Recorded, steps: list[Step]) -> None:
        records = recorder.records
        inside = any(context.key == found.key for context in self._contexts.values())
        if not found.begun and (records or inside):
            found.begun = True
            steps.append(Begun(found.key, "recorder", recorder.strategy or "recorder", recorder.began_ns))
        if len(records) > found.seen:
            steps.append(Added(found.key, records[found.seen :]))
            found.seen = len(records)
        samples = recorder.samples_since(found.sampled_ns) if found.begun else None
        if samples is not None and samples.times_ns:
            found.sampled_ns = samples.times_ns[-1]
            steps.append(Sampled(found.key, samples))
        if found.over:
            del self._open[id(recorder)]
            if found.begun:
                steps.append(Ended(found.key, "ended", perf_counter_ns()))


class Handing(Keeper):
    """Hands one recorder's records to the parent process, as lines of a file; for a process that is measured.

    It needs no database, so that what is measured does not hold one.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)

    def record(self, recorder: Any) -> str:
        """Follow the first recorder; others are the job's own business."""
        if self._recorders and recorder not in self._recorders:
            return ""
        return super().record(recorder)

    def write(self, steps: list[Step]) -> None:
        """Append a line; the parent reads whole lines only."""
        told = [_told(step) for step in steps if isinstance(step, Added | Withdrawn) and step.key]
        line = json.dumps(told, default=plain, separators=(",", ":")) + "\n"
        try:
            os.write(self._fd, line.encode())
        except OSError:
            self.on = False

    def close(self) -> None:
        """Stop; whoever measures has the records from here on."""
        active.unkeep(self)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.on = False
        os.close(self._fd)


def _told(step: Added | Withdrawn) -> list[Any]:
    pending = step.pending or 0
    return [pending, [as_dict(record) for record in step.records]] if isinstance(step, Added) else [pending, None]


class Handed:
    """The parent's end of `Handing`: what it has not read yet."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = 0

    def steps(self, key: str) -> list[Step]:
        """Return what was handed since the last reading, as steps of a run; all of it is pending."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - no pathlib needed
                file.seek(self._at)
                text = file.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        found: list[Step] = []
        for line in whole.splitlines():
            for pending, records in json.loads(line):
                if records is None:
                    found.append(Withdrawn(key, pending))
                else:
                    found.append(Added(key, tuple(map(from_dict, records)), pending))
        return found
