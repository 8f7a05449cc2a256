"""Calls in worker processes that stay warm between runs.

A pool leases workers from those that are idle in this process, starts what is missing, and gives them back when
closed. One worker that dies costs exactly the call it was in. Short calls are sent ahead, many in one write, and
taken back if another worker has nothing to do; a long call has its worker to itself. Invariant: a worker belongs to
at most one pool at a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from operator import sub
from typing import Any

from flowlab.errors import WorkerLost
from flowlab.executors.child import Child, give_back
from flowlab.executors.failures import UnportableError, unpack_error
from flowlab.executors.feeding import BRIEF_NS, Feeding
from flowlab.executors.packing import beside, drop, unpack
from flowlab.executors.task import ERROR, OK, STOPPED, YIELD, Batch, Outcome, transfer
from flowlab.executors.wire import (
    CUSTOM,
    ERR,
    HELLO,
    NOTICE,
    OUT,
    PROGRESS,
    PROGRESS_BODY,
    RESULT,
    RESULT_HEAD,
    REVOKE,
    REVOKED,
)
from flowlab.executors.wire import ERROR as ERROR_FRAME
from flowlab.executors.wire import YIELD as YIELD_FRAME
from flowlab.metrics.active import count_bytes

PATIENCE_NS = 4_000_000
"""A worker that has not answered for this long gives back what it has not begun, if another is free."""
LATER_S = 0.001
"""How long results of short calls may gather."""


class Processes(Feeding):
    """A pool of worker processes; see `Feeding` for its settings."""

    # the executor's protocol

    def take(self) -> Iterator[Outcome]:
        """The outcomes there are, oldest first."""
        outcomes = self.outcomes
        while outcomes:
            yield outcomes.popleft()

    def take_short(self) -> Iterator[Batch]:
        """What came of short calls, many at a time."""
        batches = self.batches
        while batches:
            yield batches.popleft()

    def stop(self, task: Any) -> int | None:
        """Stop a task that runs, by ending its worker, and return that one's pid; a task that waits is forgotten."""
        task.gone = True
        for child in self.children:
            if any(other is task for other in child.tasks.values()):
                self._lost(child)
                return int(child.pid)
        return None

    def more(self, task: Any) -> None:
        """An element of a task that streams was taken in: its worker may send another."""
        for child in self.children:
            if any(other is task for other in child.tasks.values()):
                child.say(b"m")

    def close(self) -> None:
        """Give the workers back; those still busy are ended."""
        self.closed = True
        self.tasks.clear()
        if self.warming is not None:
            self.warming.close()
        for child in self.children:
            self.listen(child.fd, None, None)
            if child.dead:
                continue
            if child.tasks or child.out or child.pending is not None:
                child.stop(kill=True)
            else:
                give_back(child)
        self.children.clear()

    # reading

    def _read(self, child: Child) -> None:
        try:
            data = os.read(child.fd, child.reader.want)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(child)
            return
        count_bytes(len(data))
        self._drain(child)
        child.seen_ns = self.clock()
        if data == NOTICE and child.reader.idle():
            return
        for kind, payload in child.reader.frames(data):
            if kind == RESULT:
                self._result(child, payload)
            elif kind in (ERROR_FRAME, YIELD_FRAME):
                self._other(child, kind, payload)
            elif kind == PROGRESS:
                self._told(child, payload)
            elif kind == OUT:
                sys.stdout.write(str(payload, "utf-8", "replace"))
            elif kind == ERR:
                sys.stderr.write(str(payload, "utf-8", "replace"))
            elif kind == REVOKED:
                self._revoked(child, payload)
            elif kind == HELLO:
                self._hello(child, payload)

    def _told(self, child: Child, payload: bytes) -> None:
        """A call says how far it is."""
        number, done, total = PROGRESS_BODY.unpack(payload)
        task = child.tasks.get(number)
        if task is not None:
            task.tell(done, total if total == total else None)

    def _drain(self, child: Child) -> None:
        """Take the results that a worker left in its ring."""
        records, size = child.ring.read()
        if not records:
            return
        count_bytes(size)
        size //= len(records)
        child.seen_ns = now = self.clock()
        if len(records) == 1 and type(records[0][3]) is not tuple:
            ((number, begun, over, value),) = records
            cost = child.sent.pop(number)
            self._learn(cost[2], over - begun)
            extra = (child.ring.shared(), cost, now - over, size, over - begun)
            task = child.tasks.pop(number)
            self.outcomes.append((task, OK, value, begun, over, None, child.pid, child.pid, extra))
            return
        if any(type(record[3]) is tuple for record in records):
            for record in records:
                if type(record[3]) is tuple:
                    self._entry(child, record, now)
            records = [record for record in records if type(record[3]) is not tuple]
            if not records:
                return
        numbers, started, ended, values = zip(*records, strict=True)
        tasks = list(map(child.tasks.pop, numbers))
        costs = list(map(child.sent.pop, numbers))
        took = list(map(sub, ended, started))
        if costs[0][2] == costs[-1][2]:
            self._learn(costs[0][2], max(took) if max(took) > BRIEF_NS else sum(took) // len(took))
        else:
            for cost, wall in zip(costs, took, strict=True):
                self._learn(cost[2], wall)
        ways = (child.ring.shared(), now, size)
        self.batches.append(Batch(child.pid, tasks, values, started, ended, took, costs, ways))

    def _entry(self, child: Child, record: tuple[Any, ...], now: int) -> None:
        """Take a result that was packed by itself, and has its own CPU."""
        number, started, ended, (flags, spent, loading, dumping, body) = record
        task = child.tasks.pop(number, None)
        if task is not None:
            extra = (loading, dumping, now - ended, len(body), child.answered(number), "estimated")
            self._good(child, (task, number, flags), body, (started, ended, spent), extra)

    def wait_briefly(self) -> bool:
        """Wait a millisecond for a short call that is all that is out: whether anything came of it.

        It is for an event loop that has nothing else to do: going through the loop costs more than the call.
        """
        if self.tasks or self.outcomes or self.batches:
            return False
        busy = [child for child in self.children if child.tasks]
        if len(busy) != 1 or len(busy[0].tasks) != 1 or busy[0].pending is not None:
            return False
        child = busy[0]
        if not 0 <= self.means[next(iter(child.sent.values()))[2]] < BRIEF_NS or not child.poll.poll(1):
            return False
        self._read(child)
        return bool(self.batches or self.outcomes)

    def watch(self, child: Child) -> None:
        """Look into a worker's ring in a moment: short calls with others behind them announce nothing."""
        child.watched = True

        def look() -> None:
            child.watched = False
            if child.dead or self.closed:
                return
            self._drain(child)
            if len(child.tasks) > 1:
                self.watch(child)
            if self.outcomes or self.batches:
                self.wake()

        self.later(LATER_S, look)

    def _hello(self, child: Child, payload: bytes) -> None:
        child.seen_ns = self.clock()
        child.ready_ns = min(child.seen_ns, int.from_bytes(payload, "little"))
        for task in child.tasks.values():
            task.started_ns = child.ready_ns
        if child.ready_ns >= child.leased_ns:
            self.starts.append((child.pid, child.started_ns, child.ready_ns))

    def _result(self, child: Child, payload: bytes) -> None:
        number, flags, started, ended, spent, loading, dumping = RESULT_HEAD.unpack_from(payload)
        body = payload[RESULT_HEAD.size :]
        task = child.tasks.pop(number, None)
        if task is None:
            drop(body, flags, child.ring.blocks)
            return
        size = len(payload) + beside(body, flags)
        extra = (loading, dumping, child.seen_ns - ended, size, child.answered(number), "measured")
        self._good(child, (task, number, flags), body, (started, ended, spent), extra)

    def _good(
        self, child: Child, call: tuple[Any, int, int], body: bytes, times: tuple[int, int, int], extra: Any
    ) -> None:
        """A call ended well: unpack what it returned."""
        task, _, flags = call
        try:
            value = unpack(body, flags, child.ring.blocks)
            if flags & CUSTOM:
                value, told = value
                extra = {**transfer(extra), **told}
        except BaseException as error:
            self._unread(child, task, error, times, extra)
            return
        self._learn(extra[4][2] if type(extra) is tuple else self.numbers[id(task.parts()[0])], times[1] - times[0])
        self.outcomes.append((task, OK, value, *times, child.pid, child.pid, extra))

    def _unread(self, child: Child, task: Any, error: BaseException, times: tuple[int, int, int], extra: Any) -> None:
        problem = UnportableError(f"a result from a worker process cannot be read ({type(error).__name__})")
        problem.__cause__ = error
        self.outcomes.append((task, ERROR, problem, *times, child.pid, child.pid, transfer(extra)))

    def _learn(self, function: int, took: int) -> None:
        """Keep a mean of how long a function's calls take; one that is suddenly long counts at once."""
        mean = self.means[function]
        self.means[function] = took if mean < 0 or took > 4 * mean else 0.8 * mean + 0.2 * took

    def _other(self, child: Child, kind: int, payload: bytes) -> None:
        number, flags, started, ended, spent, loading, _ = RESULT_HEAD.unpack_from(payload)
        body = payload[RESULT_HEAD.size :]
        if kind == YIELD_FRAME:
            task = child.tasks.get(number)
            value = unpack(body, flags, child.ring.blocks)
            if task is not None:
                self.outcomes.append((task, YIELD, value, None, None, None, None, None, None))
            return
        task = child.tasks.pop(number, None)
        if task is None:
            return
        packing, size, _, sent_ns = child.answered(number)
        error, told = unpack_error(body)
        extra: dict[str, Any] = {
            "sent_ns": sent_ns, "packing_ns": packing, "deserialise_ns": loading, "serialise_ns": packing,
            "bytes_in": size, "bytes_out": len(payload),
            "cpu_method": "process_time",
        }  # fmt: skip
        if told:
            extra.update(told)
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
                child.answered(number)
                task.started_ns = None
                self.tasks.append(task)

    def _lost(self, child: Child) -> None:
        """A worker ended: the call it was in failed, those it had not begun go to others."""
        if child.dead:
            return
        self.listen(child.fd, None, None)
        child.process.kill()
        child.process.wait()
        self._drain(child)
        child.stop(kill=True)
        if child in self.children:
            self.children.remove(child)
        code = child.process.returncode
        for position, (number, task) in enumerate(child.tasks.items()):
            if position:
                task.started_ns = None
                self.tasks.append(task)
                continue
            error = WorkerLost(f"the worker process ended in the middle of a call (exit status {code})")
            self.outcomes.append(
                (
                    task,
                    STOPPED,
                    error,
                    task.started_ns or child.sent[number][3],
                    self.clock(),
                    None,
                    child.pid,
                    child.pid,
                    None,
                )
            )
        child.tasks.clear()
        self.wake()
