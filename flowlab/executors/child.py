"""A worker process, as its caller sees it, and the idle ones that wait for the next run."""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowlab.executors.ring import Ring, shared_file
from flowlab.executors.wire import Reader

_IDLE: list[Child] = []
_LOCK = threading.Lock()
_FOLDER = Path(__file__).resolve().parents[1]
_START = (
    "import sys, _signal; _signal.signal(_signal.SIGINT, _signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from importlib.util import module_from_spec, spec_from_file_location as spec; "
    "found = spec('flowlab', {init!r}, submodule_search_locations=[{folder!r}]); "
    "sys.modules['flowlab'] = module_from_spec(found); "
    "from flowlab.executors.worker import main; main({calls}, {results}, {lifeline}, {ring})"
)
"""A worker does without the package's front, until an operation asks for it: which halves its start."""


class Child:
    """A worker process.

    Attributes:
        tasks: What was sent and not answered, by number, in the order sent.
        sent: For each of these, how long packing took, how many bytes it was, which function, and when it was sent.
        fd: Where its results are read; -1 once it was hung up.
        sink: Where its calls are written; -1 likewise.
        ready_ns: When it said that it can take calls.
        leased_ns: When its pool got it.
        seen_ns: When it last answered, or was sent something while it had nothing to do.
        revoking: It was asked to give back what it has not begun.
        large: Which of its tasks came in blocks.
        watched: Somebody will look into its ring in a moment.
        settings: What it was last told to take over from its caller.
    """

    def __init__(self) -> None:
        calls, self.sink = os.pipe()
        self.fd, results = os.pipe()
        read, self.lifeline = os.pipe()
        ring = shared_file()
        front = str(_FOLDER / "__init__.py")
        code = _START.format(
            path=sys.path, init=front, folder=str(_FOLDER), calls=calls, results=results, lifeline=read, ring=ring
        )
        self.started_ns = self.leased_ns = time.perf_counter_ns()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                pass_fds=(calls, results, read, ring),
                close_fds=True,
            )
        except BaseException:
            for fd in (self.sink, self.fd, ring, self.lifeline):
                os.close(fd)
            raise
        finally:
            for fd in (calls, results, read):
                os.close(fd)
        self.ring = Ring(ring)
        os.set_blocking(self.fd, False)
        os.set_blocking(self.sink, False)
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLIN)
        self.pid = self.process.pid
        self.reader = Reader()
        self.ready_ns: int | None = None
        self.out: list[bytes] = []
        self.pending: memoryview | None = None
        self.functions: set[int] = set()
        self.tasks: dict[int, Any] = {}
        self.sent: dict[int, tuple[int, int, int, int]] = {}
        self.seen_ns = self.started_ns
        self.revoking = False
        self.watched = False
        self.dead = False
        self.large: set[int] = set()

    def answered(self, number: int) -> tuple[int, int, int, int]:
        """What is known of a task that is no longer with the worker."""
        self.large.discard(number)
        return self.sent.pop(number)

    def say(self, word: bytes) -> None:
        """Say something over the lifeline; a worker that has ended does not hear it."""
        with suppress(OSError):  # its end is noticed where it is read
            os.write(self.lifeline, word)

    def hang_up(self) -> None:
        """Close the pipes: the process ends when it has nothing to do."""
        for fd in (self.fd, self.sink):
            if fd >= 0:
                os.close(fd)
        self.fd = self.sink = -1

    def stop(self, kill: bool = False) -> None:
        """Have the process end, and wait until it has."""
        self.dead = True
        self.hang_up()
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
            self.ring.close()


def lease() -> Child:
    """An idle worker that lives, or a new one."""
    while True:
        with _LOCK:
            child = _IDLE.pop() if _IDLE else None
        if child is None:
            return Child()
        if child.process.poll() is None:
            child.leased_ns = time.perf_counter_ns()
            return child
        child.stop(kill=True)


def idle() -> int:
    """How many workers are warm and have no pool."""
    return len(_IDLE)


def give_back(child: Child) -> None:
    """Keep a worker warm for the next run."""
    if child.ring.blocks is not None:
        child.ring.blocks.trim()
    with _LOCK:
        _IDLE.append(child)


def close_all() -> None:
    """End all idle workers of this process and wait for them."""
    with _LOCK:
        children, _IDLE[:] = list(_IDLE), []
    for child in children:
        child.hang_up()
    for child in children:
        child.stop(kill=child.ready_ns is None)


def _forget() -> None:
    """A forked child has no workers: they belong to its parent."""
    for child in _IDLE:
        child.hang_up()
        os.close(child.lifeline)
    _IDLE.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
