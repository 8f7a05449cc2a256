"""Calls in worker processes that stay warm between runs.

A pool leases workers from those that are idle in this process, starts what is missing, and gives them back when closed. One
worker that dies costs exactly the call it was in. Short calls are sent ahead, many in one write, and taken back if another worker
has nothing to do; a long call has its worker to itself. Invariant: a worker belongs to at most one pool at a time.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from flowlab.errors import WorkerLost
from flowlab.executors import portable
from flowlab.executors.child import Child, give_back, lease
from flowlab.executors.failures import UnportableError, unpack_error
from flowlab.executors.packing import pack, unpack
from flowlab.executors.task import ERROR, OK, STOPPED, YIELD, Outcome
from flowlab.executors.wire import CALL, CALL_HEAD, CUSTOM, ERR, FUNCTION, HELLO, NAMED, OUT, RESULT, RESULT_HEAD, REVOKE, REVOKED
from flowlab.executors.wire import ERROR as ERROR_FRAME
from flowlab.executors.wire import SETUP, STREAM, frame
from flowlab.executors.wire import YIELD as YIELD_FRAME
from flowlab.metrics.active import SPOOL, count_bytes

AHEAD_NS = 2_000_000
"""A worker is sent calls worth this much time ahead."""
MOST = 128
PATIENCE_NS = 4_000_000
"""A worker that has not answered for this long gives back what it has not begun, if another is free."""
BRIEF_NS = 100_000
LATER_S = 0.001


class Processes:
    """A pool of worker processes.

    Args:
        workers: How many processes there are at most.
        listen: Called with (fd, function or None, function or None): call the functions when the fd can be read, written.
        wake: Called when there are outcomes that no worker's bytes announced.
        later: Called with (seconds, function): call the function then.
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
        self.listen = listen
        self.wake = wake
        self.later = later
        self.clock = clock
        self.children: list[Child] = []
        self.tasks: deque[Any] = deque()
        self.outcomes: deque[Outcome] = deque()
        self.starts: list[tuple[int, int, int]] = []
        self.numbers: dict[int, int] = {}
        self.dumped: list[tuple[Any, bytes]] = []
        self.means: list[float] = []
        self.next = 0
        self.settings: bytes | None = None
        self.feeding = False
        self.looking = False
        self.closed = False

    # the executor's protocol

    def submit(self, task: Any) -> None:
        """Have a task run; it is sent when the caller is done with what it does now."""
        self.tasks.append(task)
        if not self.feeding:
            self.feeding = True
            self.later(0, self._feed)

    def take(self) -> Iterator[Outcome]:
        """The outcomes there are, oldest first."""
        outcomes = self.outcomes
        while outcomes:
            yield outcomes.popleft()

    def stop(self, task: Any) -> None:
        """Stop a task that runs, by ending its worker; one that waits is forgotten."""
        task.gone = True
        for child in self.children:
            if any(other is task for other in child.tasks.values()):
                self._lost(child)
                return

    def more(self, task: Any) -> None:
        """An element of a task that streams was taken in: its worker may send another."""
        for child in self.children:
            if any(other is task for other in child.tasks.values()):
                child.say(b"m")

    def close(self) -> None:
        """Give the workers back; those still busy are ended."""
        self.closed = True
        self.tasks.clear()
        for child in self.children:
            self.listen(child.fd, None, None)
            if child.dead:
                continue
            if child.tasks or child.out or child.pending is not None or child.ready_ns is None or child.revoking:
                child.stop(kill=True)
            else:
                give_back(child)
        self.children.clear()

    # feeding

    def _feed(self) -> None:
        """Send tasks to workers that have room, the emptiest first."""
        self.feeding = False
        if self.closed:
            return
        tasks = self.tasks
        touched: dict[Child, None] = {}
        while tasks:
            if tasks[0].gone:
                tasks.popleft()
                continue
            child, count = self._room(tasks[0])
            if child is None or count < 1:
                break
            touched[child] = None
            function = tasks[0].parts()[0]
            while count and tasks and (task := tasks[0]).parts()[0] is function:
                tasks.popleft()
                if not task.gone:
                    self._send(child, task)
                    count -= 1
        for child in touched:
            self._write(child)
        if not tasks and len(self.children) > 1:
            self._look()

    def _room(self, task: Any) -> tuple[Child | None, int]:
        """The worker with most room, and how many tasks like this one it can be sent now."""
        best = min((child for child in self.children if not child.dead), key=lambda child: len(child.tasks), default=None)
        if best is None or best.tasks:
            if len(self.children) < self.limit:
                return self._lease(), 1
            if best is None or best.revoking or task.streams or next(iter(best.tasks.values())).streams:
                return None, 0
        mean = self._mean(task)
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

    def _lease(self) -> Child:
        child = lease()
        self.children.append(child)
        self.listen(child.fd, lambda: self._read(child), None)
        if self.settings is None:
            found = {"path": list(sys.path), "folder": os.getcwd(), "spool": os.environ.get(SPOOL) or None}
            self.settings = pickle.dumps(found, 5)
        child.functions.clear()
        child.out.append(frame(SETUP, self.settings))
        return child

    def _send(self, child: Child, task: Any) -> None:
        at = self.clock()
        try:
            function, arguments, names = task.parts()
            number = self._function(child, function)
            data, flags = pack((arguments, names) if names else arguments)
        except BaseException as error:
            problem = UnportableError(
                f"an argument or the function cannot be sent to a worker process ({type(error).__name__}): take plain data, or "
                f"say runs='threads'"
            )
            problem.__cause__ = error
            self.outcomes.append((task, ERROR, problem, None, None, None, None, None, None))
            self.wake()
            return
        self.next += 1
        if names:
            flags |= NAMED
        if task.streams:
            flags |= STREAM
        whole = frame(CALL, CALL_HEAD.pack(self.next & 0xFFFFFFFF, number, flags) + data)
        now = self.clock()
        if not child.tasks:
            child.seen_ns = now
        if child.ready_ns is not None:
            task.started_ns = now
        child.tasks[self.next & 0xFFFFFFFF] = task
        child.sent[self.next & 0xFFFFFFFF] = (now - at, len(whole), number)
        child.out.append(whole)

    def _function(self, child: Child, function: Any) -> int:
        number = self.numbers.get(id(function))
        if number is None:
            number = self.numbers[id(function)] = len(self.dumped)
            self.dumped.append((function, portable.dump_function(function)))
            self.means.append(-1.0)
        if number not in child.functions:
            child.functions.add(number)
            child.out.append(frame(FUNCTION, number.to_bytes(4, "little") + self.dumped[number][1]))
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
                count = child.socket.send(view)
                count_bytes(count)
                view = view[count:]
        except BlockingIOError:
            pass
        except OSError:
            self._lost(child)
            return
        child.pending = view if view else None
        if child.pending is not None or waited:
            writing = (lambda: self._write(child)) if child.pending is not None else None
            self.listen(child.fd, lambda: self._read(child), writing)
            if child.pending is None and child.out:
                self._write(child)

    # reading

    def _read(self, child: Child) -> None:
        try:
            data = child.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(child)
            return
        count_bytes(len(data))
        child.seen_ns = self.clock()
        for kind, payload in child.reader.frames(data):
            if kind == RESULT:
                self._result(child, payload)
            elif kind == ERROR_FRAME or kind == YIELD_FRAME:
                self._other(child, kind, payload)
            elif kind == OUT:
                sys.stdout.write(str(payload, "utf-8", "replace"))
            elif kind == ERR:
                sys.stderr.write(str(payload, "utf-8", "replace"))
            elif kind == REVOKED:
                self._revoked(child, payload)
            elif kind == HELLO:
                self._hello(child)
        if len(child.tasks) > 8:
            self._read_later(child)
        if self.tasks and not self.feeding:
            self.feeding = True
            self.later(0, self._feed)

    def _read_later(self, child: Child) -> None:
        """Let the results of short calls gather for a moment instead of waking up for each."""
        self.listen(child.fd, None, None)

        def again() -> None:
            if not (child.dead or self.closed) and child in self.children:
                self.listen(child.fd, lambda: self._read(child), (lambda: self._write(child)) if child.pending is not None else None)

        self.later(LATER_S, again)

    def _hello(self, child: Child) -> None:
        child.ready_ns = child.seen_ns = self.clock()
        for task in child.tasks.values():
            task.started_ns = child.ready_ns
        self.starts.append((child.pid, child.started_ns, child.ready_ns))

    def _result(self, child: Child, payload: bytes) -> None:
        number, flags, started, ended, spent, loading, dumping = RESULT_HEAD.unpack_from(payload)
        task = child.tasks.pop(number, None)
        if task is None:
            return
        packing, size, function = child.sent.pop(number)
        extra: dict[str, Any] = {
            "deserialise_ns": loading, "serialise_ns": dumping + packing, "bytes_in": size, "bytes_out": len(payload),
            "return_ns": max(0, child.seen_ns - ended - dumping), "cpu_method": "process_time",
        }  # fmt: skip
        try:
            value = unpack(payload[RESULT_HEAD.size :], flags)
            if flags & CUSTOM:
                value, extra["custom"] = value
        except BaseException as error:
            problem = UnportableError(f"a result from a worker process cannot be read ({type(error).__name__})")
            problem.__cause__ = error
            self.outcomes.append((task, ERROR, problem, started, ended, spent, child.pid, child.pid, extra))
            return
        took, mean = ended - started, self.means[function]
        self.means[function] = took if mean < 0 or took > 4 * mean else 0.8 * mean + 0.2 * took
        self.outcomes.append((task, OK, value, started, ended, spent, child.pid, child.pid, extra))

    def _other(self, child: Child, kind: int, payload: bytes) -> None:
        number, flags, started, ended, spent, loading, _ = RESULT_HEAD.unpack_from(payload)
        body = payload[RESULT_HEAD.size :]
        if kind == YIELD_FRAME:
            task = child.tasks.get(number)
            if task is not None:
                self.outcomes.append((task, YIELD, unpack(body, flags), None, None, None, None, None, None))
            return
        task = child.tasks.pop(number, None)
        if task is None:
            return
        packing, size, _ = child.sent.pop(number)
        error, custom = unpack_error(body)
        extra: dict[str, Any] = {
            "deserialise_ns": loading, "serialise_ns": packing, "bytes_in": size, "bytes_out": len(payload),
            "cpu_method": "process_time",
        }  # fmt: skip
        if custom:
            extra["custom"] = custom
        self.outcomes.append((task, ERROR, error, started, ended, spent, child.pid, child.pid, extra))

    # stragglers and losses

    def _look(self) -> None:
        """If a worker is free and another has not answered for a while, have that give back what it has not begun."""
        free = any(not child.tasks and not child.dead for child in self.children)
        behind = [child for child in self.children if len(child.tasks) > 1 and not child.revoking and not child.dead]
        if self.closed or not behind or self.tasks:
            return
        now = self.clock()
        if free:
            for child in behind:
                if now - child.seen_ns > PATIENCE_NS:
                    child.revoking = True
                    child.say(REVOKE)
        if not self.looking:
            self.looking = True

            def again() -> None:
                self.looking = False
                self._look()

            self.later(PATIENCE_NS / 1e9, again)

    def _revoked(self, child: Child, payload: bytes) -> None:
        child.revoking = False
        for at in range(len(payload) - 4, -1, -4):
            number = int.from_bytes(payload[at : at + 4], "little")
            task = child.tasks.pop(number, None)
            if task is not None:
                child.sent.pop(number)
                task.started_ns = None
                self.tasks.append(task)

    def _lost(self, child: Child) -> None:
        """A worker ended: the call it was in failed, those it had not begun go to others."""
        if child.dead:
            return
        self.listen(child.fd, None, None)
        child.stop(kill=True)
        if child in self.children:
            self.children.remove(child)
        code = child.process.returncode
        for position, task in enumerate(child.tasks.values()):
            if position:
                task.started_ns = None
                self.tasks.append(task)
                continue
            error = WorkerLost(f"the worker process ended in the middle of a call (exit status {code})")
            self.outcomes.append((task, STOPPED, error, task.started_ns, self.clock(), None, child.pid, child.pid, None))
        child.tasks.clear()
        if self.tasks and not self.feeding:
            self.feeding = True
            self.later(0, self._feed)
        self.wake()
