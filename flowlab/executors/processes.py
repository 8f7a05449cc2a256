"""Calls in worker processes that stay warm between runs.

A pool leases workers from those that are idle in this process, starts what is missing, and gives them back when closed. One
worker that dies costs exactly the call it was in. Invariant: a worker belongs to at most one pool at a time.
"""

from __future__ import annotations

import atexit
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from flowlab.errors import WorkerLost
from flowlab.executors import portable
from flowlab.executors.failures import UnportableError, unpack_error
from flowlab.executors.task import ERROR, OK, STOPPED, YIELD, Outcome, Task
from flowlab.executors.wire import CALL, CALL_HEAD, CUSTOM, ERR, FUNCTION, HELLO, OUT, RESULT, RESULT_HEAD, SETUP, STREAM, Reader, frame
from flowlab.executors.wire import ERROR as ERROR_FRAME
from flowlab.executors.wire import YIELD as YIELD_FRAME
from flowlab.executors.worker import loads, pack
from flowlab.metrics.active import SPOOL, count_bytes

_IDLE: list[Worker] = []
_LOCK = threading.Lock()
_START = (
    "import sys; sys.path[:] = {path!r}; "
    "from flowlab.executors.worker import main; main({fd}, {lifeline})"
)


class Worker:
    """A worker process, as its caller sees it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        read, self.lifeline = os.pipe()
        code = _START.format(path=sys.path, fd=theirs.fileno(), lifeline=read)
        self.started_ns = time.perf_counter_ns()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(), read), close_fds=True
            )
        except BaseException:
            ours.close()
            os.close(self.lifeline)
            raise
        finally:
            theirs.close()
            os.close(read)
        self.socket = ours
        ours.setblocking(False)
        self.fd = ours.fileno()
        self.pid = self.process.pid
        self.reader = Reader()
        self.ready_ns: int | None = None
        self.told = False
        self.out: deque[memoryview] = deque()
        self.functions: dict[int, int] = {}
        self.settings: Any = None
        self.tasks: dict[int, Task] = {}
        self.sent: dict[int, tuple[int, int]] = {}
        self.dead = False

    def stop(self, kill: bool = False) -> None:
        """Have the process end, and wait until it has."""
        self.dead = True
        self.socket.close()
        if kill:
            self.process.kill()
        try:
            self.process.wait(timeout=None if kill else 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


class Processes:
    """A pool of worker processes.

    Args:
        workers: How many processes there are at most.
        wake: Called when there are outcomes that no worker's bytes announced.
        listen: Called with (fd, function or None, function or None): call the functions when the fd can be read, written.
    """

    def __init__(
        self,
        workers: int,
        listen: Callable[[int, Callable[[], None] | None, Callable[[], None] | None], None],
        wake: Callable[[], object],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.limit = workers
        self.listen = listen
        self._wake = wake
        self.clock = clock
        self.workers: list[Worker] = []
        self.tasks: deque[Task] = deque()
        self.outcomes: deque[Outcome] = deque()
        self.starts: list[tuple[int, int, int]] = []
        self.numbers: dict[int, int] = {}
        self.dumped: dict[int, bytes] = {}
        self.next = 0
        self.settings: Any = None

    # the executor's protocol

    def submit(self, task: Task) -> None:
        """Have a task run."""
        self.tasks.append(task)
        self._feed()

    def take(self) -> Iterable[Outcome]:
        """The outcomes there are, oldest first."""
        outcomes = self.outcomes
        while outcomes:
            yield outcomes.popleft()

    def stop(self, task: Task) -> None:
        """Stop a task that runs, by ending its worker; one that waits is forgotten."""
        task.gone = True
        for worker in self.workers:
            if task in worker.tasks.values():
                self._lost(worker, kill=True)
                return
        if task in self.tasks:
            self.tasks.remove(task)

    def more(self, task: Task) -> None:
        """An element of a task that streams was taken in: its worker may send another."""
        for worker in self.workers:
            if task in worker.tasks.values() and not worker.dead:
                os.write(worker.lifeline, b"m")

    def close(self) -> None:
        """Give the workers back; those still busy are ended."""
        self.tasks.clear()
        for worker in self.workers:
            self.listen(worker.fd, None, None)
            if worker.dead:
                continue
            if worker.tasks or worker.out or worker.ready_ns is None:
                worker.stop(kill=True)
            else:
                with _LOCK:
                    _IDLE.append(worker)
        self.workers.clear()

    # feeding

    def _feed(self) -> None:
        while self.tasks:
            worker = self._free()
            if worker is None:
                return
            self._send(worker, self.tasks.popleft())

    def _free(self) -> Worker | None:
        for worker in self.workers:
            if not worker.tasks and not worker.dead:
                return worker
        if len(self.workers) < self.limit:
            return self._lease()
        return None

    def _lease(self) -> Worker:
        worker = None
        while worker is None:
            with _LOCK:
                worker = _IDLE.pop() if _IDLE else None
            if worker is None:
                worker = Worker()
            elif worker.process.poll() is not None:
                worker.stop(kill=True)
                worker = None
        self.workers.append(worker)
        self.listen(worker.fd, lambda: self._read(worker), None)
        if self.settings is None:
            self.settings = {"path": list(sys.path), "folder": os.getcwd(), "spool": os.environ.get(SPOOL) or None}
        worker.functions.clear()
        worker.out.append(memoryview(frame(SETUP, pickle.dumps(self.settings, 5))))
        return worker

    def _send(self, worker: Worker, task: Task) -> None:
        try:
            function = self._function(worker, task)
            at = self.clock()
            data, flags = pack((task.arguments, task.names))
        except BaseException as error:
            problem = UnportableError(
                f"an argument or the function cannot be sent to a worker process ({type(error).__name__}): take plain data, or "
                f"say runs='threads'"
            )
            problem.__cause__ = error
            self.outcomes.append(Outcome(task, ERROR, problem))
            self._wake()
            return
        number = self.next = (self.next + 1) & 0xFFFFFFFF
        flags |= STREAM if task.streams else 0
        whole = frame(CALL, CALL_HEAD.pack(number, function, 0, flags) + data)
        worker.tasks[number] = task
        task.started_ns = None if worker.ready_ns is None else self.clock()
        worker.sent[number] = (self.clock() - at, len(whole))
        worker.out.append(memoryview(whole))
        self._write(worker)

    def _function(self, worker: Worker, task: Task) -> int:
        number = self.numbers.get(id(task.function))
        if number is None:
            number = self.numbers[id(task.function)] = len(self.numbers)
            self.dumped[number] = portable.dump_function(task.function)
        if number not in worker.functions:
            worker.functions[number] = number
            worker.out.append(memoryview(frame(FUNCTION, number.to_bytes(4, "little") + self.dumped[number])))
        return number

    def _write(self, worker: Worker) -> None:
        sent = 0
        try:
            while worker.out:
                view = worker.out[0]
                count = worker.socket.send(view)
                sent += count
                if count == len(view):
                    worker.out.popleft()
                else:
                    worker.out[0] = view[count:]
        except BlockingIOError:
            pass
        except OSError:
            self._lost(worker)
            return
        if sent:
            count_bytes(sent)
        self.listen(worker.fd, lambda: self._read(worker), (lambda: self._write(worker)) if worker.out else None)

    # reading

    def _read(self, worker: Worker) -> None:
        try:
            data = worker.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(worker)
            return
        count_bytes(len(data))
        worker.reader.feed(data)
        for kind, payload in worker.reader.frames():
            if kind == RESULT or kind == ERROR_FRAME or kind == YIELD_FRAME:
                self._result(worker, kind, payload)
            elif kind == OUT:
                sys.stdout.write(str(payload, "utf-8", "replace"))
            elif kind == ERR:
                sys.stderr.write(str(payload, "utf-8", "replace"))
            elif kind == HELLO:
                worker.ready_ns = self.clock()
                for task in worker.tasks.values():
                    task.started_ns = worker.ready_ns
                self.starts.append((worker.pid, worker.started_ns, worker.ready_ns))
        self._feed()

    def _result(self, worker: Worker, kind: int, payload: memoryview) -> None:
        arrived = self.clock()
        number, flags, started, ended, spent, loading, dumping = RESULT_HEAD.unpack_from(payload)
        task = worker.tasks.get(number)
        if task is None:
            return
        body = payload[RESULT_HEAD.size :]
        extra: dict[str, Any] = {}
        value: Any
        if kind == ERROR_FRAME:
            status = ERROR
            value, custom = unpack_error(body)
        else:
            status = YIELD if kind == YIELD_FRAME else OK
            try:
                value = loads(body, flags)
                custom = None
                if flags & CUSTOM:
                    value, custom = value
            except BaseException as error:
                status, custom = ERROR, None
                value = UnportableError(f"a result from a worker process cannot be read ({type(error).__name__})")
                value.__cause__ = error
        if kind == YIELD_FRAME and status == YIELD:
            self.outcomes.append(Outcome(task, YIELD, value))
            return
        del worker.tasks[number]
        packing, size = worker.sent.pop(number)
        extra = {
            "deserialise_ns": loading, "serialise_ns": dumping + packing, "bytes_in": size,
            "bytes_out": len(payload), "return_ns": max(0, arrived - ended - dumping), "cpu_method": "process_time",
        }  # fmt: skip
        if custom:
            extra["custom"] = custom
        self.outcomes.append(Outcome(task, status, value, started, ended, spent, worker.pid, worker.pid, extra))

    def _lost(self, worker: Worker, kill: bool = False) -> None:
        """A worker ended: its call failed; others take its place."""
        if worker.dead:
            return
        self.listen(worker.fd, None, None)
        worker.stop(kill=True)
        if worker in self.workers:
            self.workers.remove(worker)
        code = worker.process.returncode
        for task in worker.tasks.values():
            error = WorkerLost(f"the worker process ended in the middle of a call (exit status {code})")
            self.outcomes.append(Outcome(task, STOPPED, error, pid=worker.pid))
        worker.tasks.clear()
        if not kill:
            self._feed()
        self._wake()


def close_all() -> None:
    """End all idle workers of this process and wait for them."""
    with _LOCK:
        workers, _IDLE[:] = list(_IDLE), []
    for worker in workers:
        worker.socket.close()
    for worker in workers:
        worker.stop()


def _forget() -> None:
    """A forked child has no workers: they belong to its parent."""
    _IDLE.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
