"""Feeding worker processes: which of them gets which task, how many ahead, and the bytes that say so."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

from flowlab.executors import portable
from flowlab.executors.brief import plain
from flowlab.executors.child import Child, lease
from flowlab.executors.failures import UnportableError
from flowlab.executors.packing import pack
from flowlab.executors.task import ERROR, Batch, Outcome
from flowlab.executors.warming import Warming, enough
from flowlab.executors.wire import CALL, CALL_FRAME, CALL_HEAD, FULL, FUNCTION, GROUP, LOAD, NAMED, SETUP, STREAM, frame
from flowlab.metrics.active import SPOOL, count_bytes

AHEAD_NS = 2_000_000
"""A worker is sent calls worth this much time ahead."""
MOST = 256
"""A worker is sent at most this many calls ahead."""
MOST_LARGE = 2
"""A worker is sent at most this many large values ahead."""
BRIEF_NS = 100_000
"""Calls that take longer than this have their worker to themselves."""


class Feeding:
    """A pool of worker processes.

    Args:
        workers: How many processes there are at most.
        listen: Called with (fd, function or None, function or None): call them when the fd can be read, written.
        wake: Called when there are outcomes that no worker's bytes announced.
        later: Called with (seconds, function): call the function then.

    Attributes:
        full: Workers read run-queue time and memory of each call too.
    """

    def __init__(
        self,
        workers: int,
        listen: Callable[[int, Callable[[], None] | None, Callable[[], None] | None], None],
        wake: Callable[[], object],
        later: Callable[[float, Callable[[], None]], Any],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.limit = workers
        self.full = False
        self.listen = listen
        self.wake = wake
        self.later = later
        self.clock = clock
        self.children: list[Child] = []
        self.tasks: deque[Any] = deque()
        self.outcomes: deque[Outcome] = deque()
        self.batches: deque[Batch] = deque()
        self.starts: list[tuple[int, int, int]] = []
        self.numbers: dict[int, int] = {}
        self.dumped: list[tuple[Any, bytes]] = []
        self.means: list[float] = []
        self.next = 0
        self.settings: bytes | None = None
        self.called = False
        self.looking = False
        self.closed = False
        self.warming: Warming | None = None

    def _read(self, child: Child) -> None:
        """Take what a worker wrote."""
        raise NotImplementedError

    def _lost(self, child: Child) -> None:
        """A worker ended."""
        raise NotImplementedError

    def watch(self, child: Child) -> None:
        """Look into a worker's ring in a moment."""
        raise NotImplementedError

    def _look(self) -> None:
        """Take calls back from stragglers if another worker is free."""
        raise NotImplementedError

    def submit(self, task: Any) -> None:
        """Have a task run; the caller calls `feed` when it has submitted what it has now."""
        self.tasks.append(task)

    def feed(self) -> None:
        """Send tasks to workers that have room, the emptiest first."""
        self.called = False
        if self.closed:
            return
        tasks = self.tasks
        if len(tasks) == 1 and self._sent_alone(tasks[0]):
            return
        touched: dict[Child, None] = {}
        while tasks:
            if tasks[0].gone:
                tasks.popleft()
                continue
            child, count = self._room(tasks[0])
            if child is None or count < 1:
                break
            touched[child] = None
            self._fill(child, count)
        for child in touched:
            self._write(child)
            if len(child.tasks) > 1 and not child.watched:
                self.watch(child)
        if not tasks and len(self.children) > 1:
            for child in self.children:
                if len(child.tasks) > 1:
                    self._look()
                    break

    def _sent_alone(self, task: Any) -> bool:
        """Send the only task there is, a short call, if a worker that knows its function has nothing to do.

        So it is with every call of a chain: what `feed` does for many would be most of what one costs.
        """
        function, arguments, names = task.parts()
        number = self.numbers.get(id(function), -1)
        if number < 0 or not 0 <= self.means[number] <= BRIEF_NS:
            return False
        if names or task.gone or task.alone or self.full or not plain(arguments):
            return False
        for child in self.children:
            ready = not (child.tasks or child.out or child.dead or child.pending)
            if ready and number in child.functions:
                break
        else:
            return False
        self.tasks.clear()
        at = self.clock()
        self.next = name = self.next + 1 & 0xFFFFFFFF
        data = frame(GROUP, pickle.dumps((name, number, (arguments,)), 5))
        child.seen_ns = now = self.clock()
        child.tasks[name] = task
        child.sent[name] = (now - at, len(data), number, now)
        child.out.append(data)
        self._write(child)
        return True

    def _fill(self, child: Child, count: int) -> None:
        """Send a worker the next tasks, as long as they call the same function."""
        tasks = self.tasks
        function, _, _ = tasks[0].parts()
        mean = self._mean(tasks[0])
        short = mean is not None and mean <= BRIEF_NS and not self.full
        group: list[Any] = []
        values: list[tuple[Any, ...]] = []
        while count and tasks and len(child.large) < MOST_LARGE:
            task = tasks[0]
            called, arguments, names = parts = task.parts()
            if called is not function:
                break
            tasks.popleft()
            if task.gone:
                continue
            if short and not names and not task.alone and plain(arguments):
                group.append(task)
                values.append(arguments)
            else:
                if group:
                    self._send_group(child, function, group, values)
                    group, values = [], []
                self._send(child, task, parts)
            count -= 1
        if group:
            self._send_group(child, function, group, values)

    def _send_group(self, child: Child, function: Any, group: list[Any], values: list[tuple[Any, ...]]) -> None:
        """Send short calls of one function, their arguments packed together."""
        at = self.clock()
        number = self.numbers[id(function)]
        if number not in child.functions:
            self._function(child, function)
        count = len(group)
        if self.next + count > 0xFFFFFFFF:
            self.next = 0
        first = self.next + 1
        self.next += count
        data = frame(GROUP, pickle.dumps((first, number, values), 5))
        now = self.clock()
        if not child.tasks:
            child.seen_ns = now
        cost = ((now - at) // count, len(data) // count, number, now)
        names = range(first, first + count)
        child.tasks.update(zip(names, group, strict=True))
        child.sent.update(zip(names, repeat(cost, count), strict=True))
        child.out.append(data)

    def _room(self, task: Any) -> tuple[Child | None, int]:
        """The worker with most room, and how many tasks like this one it can be sent now."""
        best = min(
            (child for child in self.children if not child.dead), key=lambda child: len(child.tasks), default=None
        )
        if best is None or best.tasks:
            if self.warming is not None and self.warming.coming:
                return None, 0
            if len(self.children) < self.limit:
                return self._take_on(lease()), 1
            if best is None or best.revoking or task.streams or next(iter(best.tasks.values())).streams:
                return None, 0
        mean = self._mean(task)
        if len(best.large) >= MOST_LARGE:
            return None, 0
        if mean is None or mean > BRIEF_NS:
            return (None, 0) if best.tasks else (best, 1)
        share = max(1, len(self.tasks) // max(1, len(self.children)))
        return best, min(share, min(MOST, int(AHEAD_NS / max(mean, 1_000))) - len(best.tasks))

    def _mean(self, task: Any) -> float | None:
        """How long calls of this task's function take; None if none has ended, or if each needs a worker to itself."""
        if task.alone:
            return None
        number = self.numbers.get(id(task.parts()[0]))
        return None if number is None or self.means[number] < 0 else self.means[number]

    def warm(self, functions: Iterable[Any], count: int, soon: Callable[..., Any]) -> None:
        """Start workers in the background and have them load what they will run.

        Args:
            functions: What they will be asked to run.
            count: How many workers there will be work for.
            soon: Has a function called on this thread, from another.
        """
        count = min(count, self.limit)
        if self.warming is None and not self.children and not self.closed and not enough(count):
            self.warming = Warming(count, functions, soon, self._warm, self._load)

    def _warm(self, child: Child | None) -> None:
        if child is not None:
            self._write(self._take_on(child))
        self.feed()

    def _load(self, dumped: list[tuple[Any, bytes]]) -> None:
        """Have all workers load functions, and so import the modules they need."""
        if self.closed:
            return
        for function, data in dumped:
            if id(function) not in self.numbers:
                self._number(function, data)
        for child in list(self.children):
            if not child.dead:
                numbers = [self._function(child, function) for function, _ in dumped]
                child.out.append(frame(LOAD, b"".join(number.to_bytes(4, "little") for number in numbers)))
                self._write(child)

    def _take_on(self, child: Child) -> Child:
        self.children.append(child)
        self.listen(child.fd, lambda: self._read(child), None)
        if self.settings is None:
            found = {
                "path": list(sys.path), "folder": str(Path.cwd()), "spool": os.environ.get(SPOOL) or None,
                "full": self.full,
            }  # fmt: skip
            self.settings = pickle.dumps(found, 5)
        child.functions.clear()
        child.out.append(frame(SETUP, self.settings))
        return child

    def _send(self, child: Child, task: Any, parts: tuple[Any, Any, Any]) -> None:
        at = self.clock()
        try:
            function, arguments, names = parts
            number = self.numbers.get(id(function), -1)
            if number not in child.functions:
                number = self._function(child, function)
            data, flags, beside = pack((arguments, names) if names else arguments, child.ring.blocks)
        except BaseException as error:
            problem = UnportableError(
                f"an argument or the function cannot be sent to a worker process ({type(error).__name__}): take plain "
                f"data, or say runs='threads'"
            )
            problem.__cause__ = error
            self.outcomes.append((task, ERROR, problem, None, None, None, None, None, None))
            self.wake()
            return
        name = self.next = self.next + 1 & 0xFFFFFFFF
        if names:
            flags |= NAMED
        if task.streams:
            flags |= STREAM
        if self.full:
            flags |= FULL
        whole = CALL_FRAME.pack(CALL_HEAD.size + len(data), CALL, name, number, flags) + data
        now = self.clock()
        if not child.tasks:
            child.seen_ns = now
        if child.ready_ns is not None:
            task.started_ns = now
        child.tasks[name] = task
        child.sent[name] = (now - at, len(whole) + beside, number, now)
        if beside:
            child.large.add(name)
        child.out.append(whole)

    def _function(self, child: Child, function: Any) -> int:
        number = self.numbers.get(id(function))
        if number is None:
            number = self._number(function, portable.dump_function(function))
        if number not in child.functions:
            child.functions.add(number)
            child.out.append(frame(FUNCTION, number.to_bytes(4, "little") + self.dumped[number][1]))
        return number

    def _number(self, function: Any, data: bytes) -> int:
        number = self.numbers[id(function)] = len(self.dumped)
        self.dumped.append((function, data))
        self.means.append(-1.0)
        return number

    def _write(self, child: Child) -> None:
        if child.dead:
            return
        view = child.pending
        if view is None:
            if not child.out:
                return
            view = memoryview(child.out[0] if len(child.out) == 1 else b"".join(child.out))
            child.out.clear()
        waited = child.pending is not None
        try:
            while view:
                count = os.write(child.sink, view)
                count_bytes(count)
                view = view[count:]
        except BlockingIOError:
            pass
        except OSError:
            self._lost(child)
            return
        child.pending = view if view else None
        if child.pending is not None or waited:
            self.listen(child.sink, None, (lambda: self._write(child)) if child.pending is not None else None)
            if child.pending is None and child.out:
                self._write(child)
