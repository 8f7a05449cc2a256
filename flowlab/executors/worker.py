"""What runs in a worker process: calls come in over a pipe, one after the other, and each result is written as it
ends: into shared memory if it is short and more calls wait, else to another pipe.

It never imports its caller's `__main__`. A thread watches a pipe that the caller holds open, so the worker ends with
its caller, however that ends; over the same pipe the caller takes back calls that have not begun. Invariant: every
call read is answered once, by a result, an error or its number among those given back, unless the process dies.
"""

from __future__ import annotations

import marshal
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import repeat
from typing import Any

from flowlab.executors import brief
from flowlab.executors.blocks import OUTWARD
from flowlab.executors.forward import Forward
from flowlab.executors.packing import drop, pack, unpack
from flowlab.executors.ring import LONGEST, Ring
from flowlab.executors.wire import (
    CALL,
    CALL_HEAD,
    CUSTOM,
    ERR,
    ERROR,
    FULL,
    FUNCTION,
    GROUP,
    HELLO,
    LOAD,
    NAMED,
    NOTICE,
    OUT,
    PROGRESS,
    PROGRESS_BODY,
    RESULT,
    RESULT_HEAD,
    REVOKE,
    REVOKED,
    SETUP,
    STREAM,
    YIELD,
    Reader,
    frame,
)  # fmt: skip
from flowlab.metrics import active

PROGRESS_NS = 100_000_000
"""The caller is told how far a call is at most this often."""
AHEAD = 64
"""How many elements a generator may be ahead of who takes them in."""


class Worker:
    """The worker's side of the pipes.

    Attributes:
        said: Something was written to the caller that has to be read before this call's result.
        unseen: There is something in the ring that the caller has not been told of.
        used: The process's CPU when the last call of this batch ended; None if that is not known.
    """

    def __init__(self, source: int, sink: int, ring: Ring) -> None:
        self.source = source
        self.sink = sink
        self.ring = ring
        self.said = False
        self.used: int | None = None
        self.unseen = False
        self.functions: dict[int, Any] = {}
        self.calls: deque[Any] = deque()
        self.writing = threading.Lock()
        self.room = threading.Semaphore(AHEAD)
        self.current = active.Call(0)
        self.current.about = self
        self.number = self.told_ns = 0
        self.inside: Any = None
        self.probing: Any = None

    def send(self, data: bytes) -> None:
        """Write bytes to the caller, all of them."""
        with self.writing:
            sent = os.write(self.sink, data)
            while sent < len(data):
                data = data[sent:]
                sent = os.write(self.sink, data)

    def loop(self) -> None:
        """Answer frames until the caller hangs up."""
        reader, calls = Reader(), self.calls
        active.CALL.set(self.current)
        active.THREAD.calls.append(self.current)
        self.send(frame(HELLO, time.perf_counter_ns().to_bytes(8, "little")))
        while True:
            data = os.read(self.source, reader.want)
            if not data:
                return
            for kind, payload in reader.frames(data):
                if kind == CALL:
                    calls.append(payload)
                elif kind == GROUP:
                    first, function, arguments = pickle.loads(payload)
                    calls.extend(zip(range(first, first + len(arguments)), repeat(function), arguments))
                elif kind == FUNCTION:
                    self.functions[int.from_bytes(payload[:4], "little")] = payload[4:]
                elif kind == LOAD:
                    self.load(payload)
                elif kind == SETUP:
                    self.setup(pickle.loads(payload))
            while calls:
                try:
                    payload = calls.popleft()
                except IndexError:
                    break
                if type(payload) is bytes:
                    self.call(payload)
                else:
                    calls.appendleft(payload)
                    brief.run(self)
            self.used = None
            if self.unseen:
                self.unseen = False
                self.send(NOTICE)

    def tell(self, done: float, total: float | None) -> None:
        """Have the caller know how far the current call is."""
        now = time.perf_counter_ns()
        if now - self.told_ns >= PROGRESS_NS:
            self.told_ns = now
            whole = float("nan") if total is None else total
            self.send(frame(PROGRESS, PROGRESS_BODY.pack(self.number, done, whole)))

    def give_back(self) -> None:
        """Answer the calls that have not begun with their numbers."""
        numbers = []
        with suppress(IndexError):
            while True:
                payload = self.calls.pop()
                if type(payload) is not bytes:
                    numbers.append(payload[0].to_bytes(4, "little"))
                    continue
                _, _, flags = CALL_HEAD.unpack_from(payload)
                drop(payload[CALL_HEAD.size :], flags, self.ring.blocks)
                numbers.append(payload[:4])
        self.send(frame(REVOKED, b"".join(numbers)))

    def setup(self, settings: dict[str, Any]) -> None:
        """Take over the caller's import path, folder and recorder."""
        sys.path[:] = settings["path"]
        with suppress(OSError):
            os.chdir(settings["folder"])
        self.functions.clear()
        if settings["full"] and self.probing is None:
            from flowlab.executors.probing import Probing

            self.probing = Probing()
        spool = settings["spool"]
        if (os.environ.get(active.SPOOL) or None) != spool:
            while active.recorder() is not None:
                active.deactivate(active.recorder())
            if spool:
                os.environ[active.SPOOL] = spool
                active.activate(active._spooling(spool))
            else:
                os.environ.pop(active.SPOOL, None)

    def function(self, number: int) -> Any:
        """A function that was sent, loaded on first use."""
        found = self.functions[number]
        if type(found) is bytes:
            found = self.functions[number] = pickle.loads(found)
        return found

    def load(self, numbers: bytes) -> None:
        """Load functions ahead of their first call; one that cannot be loaded says so at that call."""
        for at in range(0, len(numbers), 4):
            if self.calls:
                return
            with suppress(BaseException):
                self.function(int.from_bytes(numbers[at : at + 4], "little"))

    def call(self, payload: bytes) -> None:
        """Run one call and write its result."""
        clock, cpu = time.perf_counter_ns, time.process_time_ns
        arrived = started = clock()
        used = cpu() if self.used is None else self.used
        self.used = None
        number, function, flags = CALL_HEAD.unpack_from(payload)
        self.number = number
        current = self.current
        current.recorder = self
        if current.custom is not None or current.inner_ns:
            current.take(None)
        try:
            arguments: Any = unpack(payload[CALL_HEAD.size :], flags, self.ring.blocks, True)
            target = self.functions[function]
            if type(target) is bytes:
                target = self.function(function)
                used = cpu()  # loading a function is no part of its first call
            names: tuple[str, ...] = ()
            if flags & NAMED:
                arguments, names = arguments
            started = clock()
            if flags & FULL:
                started, used = self.measure(started, arguments)
            if names:
                split = len(arguments) - len(names)
                value = target(*arguments[:split], **dict(zip(names, arguments[split:], strict=True)))
            else:
                value = target(*arguments)
            arguments = None
            if flags & STREAM:
                self._stream(number, value)
                value = None
        except BaseException as error:
            ended, read = clock(), cpu()
            loading = started - arrived - self.measured(read)
            self.failed(number, error, (started, ended, read - used, loading))
        else:
            ended, read = clock(), cpu()
            loading = started - arrived - (self.measured(read) if flags & FULL else 0)
            blocks = self.ring.blocks
            if blocks is not None and blocks.held:
                blocks.sweep()
            self.result(number, value, started, ended, read - used, loading)
            self.used = read if self.unseen else None
            value = None
            if blocks is not None and blocks.held:
                blocks.sweep()

    def measure(self, loaded: int, arguments: tuple[Any, ...]) -> tuple[int, int]:
        """Begin to read what level "full" adds to a call; when its function starts, and the CPU used until then."""
        found: tuple[int, int] = self.probing.begin(loaded, arguments)
        return found

    def measured(self, read: int) -> int:
        """Have that in the record of a call that was begun; return how long reading took before the function.

        Args:
            read: The CPU the process had used when the call ended.
        """
        if self.probing is None or not self.probing.begun:
            return 0
        fields = self.probing.end(read)
        self.current.fields = fields
        if self.current.custom is None:
            self.current.custom = {}
        before_ns: int = self.probing.before_ns
        return before_ns

    keeps_nested = on = True

    def open(self, operation: str, stage: str | None = None, executor: str | None = None, at_once: bool = False) -> Any:
        """Begin a span or measured call directly inside the current call: it is recorded for the call's run."""
        if self.inside is None:
            from flowlab.metrics.recorder import Recorder

            full = self.probing is not None and self.probing.begun
            self.inside = Recorder(level="full" if full else "time", keeps_nested=True)
            self.inside.executor = "processes"
        if self.current.custom is None:
            self.current.custom = {}
        return self.inside.open(operation, stage, executor, at_once)

    def finish(self, call: Any, error: BaseException | None = None) -> None:
        """End such a call."""
        call.recorder.finish(call, error)

    def span(self, name: str, stage: str | None = None) -> Any:
        """A block to measure."""
        from flowlab.metrics.spans import Span

        return Span(self, name, stage)

    def told(self, spent: int) -> dict[str, Any] | None:
        """What the current call reported, and what nested in it."""
        found = self.current.take(spent)
        if found is not None and self.inside is not None:
            from flowlab.metrics.record import as_dict

            found["nested"] = [as_dict(record) for record in self.inside.records]
            self.inside = None
        return found

    def _stream(self, number: int, elements: Any) -> None:
        self.room = threading.Semaphore(AHEAD)
        self.said = True
        for element in elements:
            self.room.acquire()
            data, flags, _ = pack(element, self.ring.blocks)
            self.send(frame(YIELD, RESULT_HEAD.pack(number, flags, 0, 0, 0, 0, 0) + data))

    def result(self, number: int, value: Any, started: int, ended: int, spent: int, loading: int) -> None:
        told = self.told(spent)
        try:
            data, flags, _ = pack((value, told) if told else value, self.ring.blocks)
        except BaseException as error:
            from flowlab.executors.failures import UnportableError

            problem = UnportableError(
                f"the result, a {type(value).__name__}, cannot be sent from a worker process ({type(error).__name__}): "
                f"return plain data, or say runs='threads'"
            )
            self.failed(number, problem, (started, ended, spent, loading))
            return
        if told:
            flags |= CUSTOM
        if self.calls and not self.said and len(data) < LONGEST:
            dumping = time.perf_counter_ns() - ended
            if self.ring.put(marshal.dumps((number, started, ended, (flags, spent, loading, dumping, data)), 2)):
                self.unseen = True
                return
        self.said = False
        head = RESULT_HEAD.pack(number, flags, started, ended, spent, loading, time.perf_counter_ns() - ended)
        self.send(frame(RESULT, head + data))

    def failed(self, number: int, error: BaseException, cost: tuple[int, int, int, int]) -> None:
        from flowlab.executors.failures import pack_error

        data = pack_error(error, self.told(cost[2]))
        self.send(frame(ERROR, RESULT_HEAD.pack(number, 0, *cost, 0) + data))


def _watch(lifeline: int, worker: Worker) -> None:
    while data := os.read(lifeline, 64):
        for said in data:
            if said == REVOKE[0]:
                worker.give_back()
            else:
                worker.room.release()
    os._exit(0)


def _front(name: str) -> Any:
    """Load the package's front when something of it is asked for, as in `flowlab.metric`."""
    package = sys.modules["flowlab"]
    if name.startswith("__") or package.__spec__ is None or package.__spec__.loader is None:
        raise AttributeError(name)
    package.__dict__.pop("__getattr__", None)
    package.__spec__.loader.exec_module(package)
    return getattr(package, name)


def main(calls: int, results: int, lifeline: int, ring: int) -> None:
    """Serve calls until the caller hangs up or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.modules["flowlab"].__getattr__ = _front  # type: ignore[method-assign]
    worker = Worker(calls, results, Ring(ring, OUTWARD))
    if worker.ring.blocks is not None and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_parent=worker.ring.blocks.retire, after_in_child=worker.ring.blocks.retire)
    threading.Thread(target=_watch, args=(lifeline, worker), daemon=True).start()
    sys.stdout = Forward(OUT, worker)
    sys.stderr = Forward(ERR, worker)
    with suppress(OSError):
        worker.loop()
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
