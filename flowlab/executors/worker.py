"""What runs in a worker process: calls come in over a socket, one after the other, and each result is written as it ends.

It never imports its caller's `__main__`. A thread watches a pipe that the caller holds open, so the worker ends with its caller,
however that ends. Invariant: for every call read there is one result written, unless the process dies.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from typing import Any

from flowlab.executors import portable
from flowlab.executors.wire import (
    BUFFERS, CALL, CALL_HEAD, CUSTOM, ERR, ERROR, FUNCTION, HELLO, OUT, RESULT, RESULT_HEAD, SETUP, STREAM, YIELD, Reader, frame,
)  # fmt: skip


AHEAD = 64
"""How many elements a generator may be ahead of who takes them in."""


class _Forward:
    """A text stream that sends what is printed to the caller."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, kind: int, send: Any) -> None:
        self.kind = kind
        self.send = send

    def write(self, text: str) -> int:
        if text:
            self.send(frame(self.kind, text.encode("utf-8", "replace")))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Everything is sent at once."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self.kind == OUT else 2

    def writable(self) -> bool:
        return True


class Worker:
    """The worker's side of the socket."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.functions: dict[int, Any] = {}
        self.writing = threading.Lock()
        self.room = threading.Semaphore(AHEAD)

    def send(self, data: bytes) -> None:
        """Write bytes to the caller, all of them."""
        with self.writing:
            view = memoryview(data)
            while view:
                view = view[os.write(self.fd, view) :]

    def loop(self) -> None:
        """Answer frames until the caller hangs up."""
        reader = Reader()
        self.send(frame(HELLO, b""))
        while True:
            data = os.read(self.fd, 1 << 20)
            if not data:
                return
            reader.feed(data)
            for kind, payload in reader.frames():
                if kind == CALL:
                    self.call(payload)
                elif kind == FUNCTION:
                    self.functions[int.from_bytes(payload[:4], "little")] = bytes(payload[4:])
                elif kind == SETUP:
                    self.setup(pickle.loads(payload))

    def setup(self, settings: dict[str, Any]) -> None:
        """Take over the caller's import path, folder and recorder."""
        sys.path[:] = settings["path"]
        try:
            os.chdir(settings["folder"])
        except OSError:
            pass
        self.functions.clear()
        from flowlab.metrics import active

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

    def call(self, payload: memoryview) -> None:
        """Run one call and write its result."""
        from flowlab.metrics.active import CALL as CURRENT
        from flowlab.metrics.active import THREAD, Call

        number, function, count, flags = CALL_HEAD.unpack_from(payload)
        clock = time.perf_counter_ns
        at = clock()
        current = Call(number)
        token = CURRENT.set(current)
        THREAD.calls.append(current)
        started = at
        used = time.process_time_ns()
        arguments = value = target = None
        try:
            arguments, names = loads(payload[CALL_HEAD.size :], flags)
            target = self.function(function)
            started = clock()
            used = time.process_time_ns()
            if names:
                split = len(arguments) - len(names)
                value = target(*arguments[:split], **dict(zip(names, arguments[split:], strict=True)))
            else:
                value = target(*arguments)
            if flags & STREAM:
                self._stream(number, value)
                value = None
            spent = time.process_time_ns() - used
            ended = clock()
            self._result(number, value, (started, ended, spent, started - at), current.custom)
        except BaseException as error:
            spent = time.process_time_ns() - used
            self._error(number, error, (started, clock(), spent, started - at), current.custom)
        finally:
            arguments = value = target = None
            THREAD.calls.clear()
            CURRENT.reset(token)

    def _stream(self, number: int, elements: Any) -> None:
        self.room = threading.Semaphore(AHEAD)
        for element in elements:
            self.room.acquire()
            data, flags = pack(element)
            self.send(frame(YIELD, RESULT_HEAD.pack(number, flags, 0, 0, 0, 0, 0) + data))

    def _result(self, number: int, value: Any, cost: tuple[int, int, int, int], custom: Any) -> None:
        at = time.perf_counter_ns()
        try:
            data, flags = pack(value if not custom else (value, custom))
        except BaseException as error:
            from flowlab.executors.failures import UnportableError

            problem = UnportableError(
                f"the result, a {type(value).__name__}, cannot be sent from a worker process ({type(error).__name__}): return "
                f"plain data, or say runs='threads'"
            )
            self._error(number, problem, cost, custom)
            return
        head = RESULT_HEAD.pack(number, flags | (CUSTOM if custom else 0), *cost, time.perf_counter_ns() - at)
        self.send(frame(RESULT, head + data))

    def _error(self, number: int, error: BaseException, cost: tuple[int, int, int, int], custom: Any) -> None:
        from flowlab.executors.failures import pack_error

        data = pack_error(error, custom)
        self.send(frame(ERROR, RESULT_HEAD.pack(number, 0, *cost, 0) + data))


def pack(value: Any) -> tuple[bytes, int]:
    """A value as bytes, and flags that say how."""
    buffers: list[Any] = []
    data = portable.dump(value, buffers)
    if not buffers:
        return data, 0
    raws = [buffer.raw() for buffer in buffers]
    head = len(raws).to_bytes(4, "little") + b"".join(raw.nbytes.to_bytes(8, "little") for raw in raws)
    return b"".join([head, len(data).to_bytes(8, "little"), data, *raws]), BUFFERS


def loads(payload: memoryview, flags: int) -> Any:
    """The value that `pack` packed."""
    if not flags & BUFFERS:
        return pickle.loads(payload)
    count = int.from_bytes(payload[:4], "little")
    sizes = [int.from_bytes(payload[4 + 8 * i : 12 + 8 * i], "little") for i in range(count)]
    at = 4 + 8 * count
    length = int.from_bytes(payload[at : at + 8], "little")
    at += 8
    data = payload[at : at + length]
    at += length
    buffers = []
    for size in sizes:
        buffers.append(bytearray(payload[at : at + size]))
        at += size
    return pickle.loads(data, buffers=buffers)


def _watch(lifeline: int, worker: Worker) -> None:
    while data := os.read(lifeline, 64):
        for _ in data:
            worker.room.release()
    os._exit(0)


def main(fd: int, lifeline: int) -> None:
    """Serve calls over a socket until the caller hangs up or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker(fd)
    threading.Thread(target=_watch, args=(lifeline, worker), daemon=True).start()
    sys.stdout = _Forward(OUT, worker.send)  # type: ignore[assignment]
    sys.stderr = _Forward(ERR, worker.send)  # type: ignore[assignment]
    try:
        worker.loop()
    except OSError:
        pass
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
