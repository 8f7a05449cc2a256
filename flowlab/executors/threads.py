"""Calls on threads of this process.

Tasks wait in one deque that all threads take from, so no thread waits behind another's long call. Threads are
daemons: one that never returns does not keep the process alive.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flowlab.executors.task import ERROR, OK, YIELD, Outcome
from flowlab.metrics.active import CALL, THREAD, Call

AHEAD = 64
"""How many elements a generator may be ahead of who takes them in."""


class Threads:
    """A pool of threads that start as they are needed.

    Args:
        workers: How many threads there are at most.
        wake: Called from a worker's thread when `outcomes` is no longer empty; at most once until `take`.
    """

    def __init__(
        self, workers: int, wake: Callable[[], object], clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self.workers = workers
        self.wake = wake
        self.clock = clock
        self.tasks: deque[Any] = deque()
        self.outcomes: deque[Outcome] = deque()
        self.idle: deque[Any] = deque()
        self.started = 0
        self.closed = False
        self.woken = False

    def submit(self, task: Any) -> None:
        """Have a task run."""
        if task.streams:
            task.gate = threading.Semaphore(AHEAD)
        self.tasks.append(task)
        if self.idle:
            with suppress(IndexError):  # the last idle one saw the task by itself
                self.idle.pop().release()
        elif self.started < self.workers:
            self.started += 1
            threading.Thread(target=self._work, name=f"flowlab-{self.started}", daemon=True).start()

    def take(self) -> Iterator[Outcome]:
        """The outcomes there are, oldest first."""
        self.woken = False
        outcomes = self.outcomes
        while outcomes:
            yield outcomes.popleft()

    def stop(self, task: Any) -> int | None:
        """Forget a task; a thread that runs it cannot be stopped, so another may take its place."""
        task.gone = True
        if task.started_ns is None:
            with suppress(ValueError):
                self.tasks.remove(task)
        elif not self.closed:
            self.workers += 1
        return None

    def more(self, task: Any) -> None:
        """An element of a task that streams was taken in."""
        if task.gate is not None:
            task.gate.release()

    def close(self) -> None:
        """Let the threads end after their current call; tasks not started are dropped."""
        self.closed = True
        self.tasks.clear()
        while self.idle:
            self.idle.pop().release()

    def _work(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        tasks, idle = self.tasks, self.idle
        frame = Call(0)
        frame.custom, frame.inner_ns = None, 0  # the instance's own: reading what a class has costs more
        CALL.set(frame)
        THREAD.calls.append(frame)
        tid = THREAD.tid
        used: int | None = None
        while not self.closed:
            try:
                task = tasks.popleft()
            except IndexError:
                used = None
                idle.append(lock)
                if not tasks and not self.closed:
                    lock.acquire()
                    continue
                try:
                    idle.remove(lock)
                except ValueError:
                    lock.acquire()
                continue
            used = self._one(task, frame, used, tid)

    def _one(self, task: Any, frame: Call, used: int | None, tid: int) -> int | None:
        """Run a task.

        Args:
            used: The thread's CPU when the task before ended a moment ago; None to read the clock, which costs more
                than what lies between two tasks.
            tid: The thread's id.

        Returns:
            The same for the next task.
        """
        clock, cpu = self.clock, time.thread_time_ns
        frame.recorder, frame.about = task.recorder, task
        task.started_ns = started = clock()
        if used is None:
            used = cpu()
        status = OK
        try:
            value = task.run()
            if task.streams:
                self._stream(task, value)
                value = None
        except BaseException as error:
            status, value = ERROR, error
        ended, read = clock(), cpu()
        spent = read - used
        extra = None if frame.custom is None and not frame.inner_ns else frame.take(spent)
        self.outcomes.append((task, status, value, started, ended, spent, None, tid, extra))
        if self.woken:
            return read
        self.woken = True
        self.wake()
        return None

    def _stream(self, task: Any, elements: Any) -> None:
        try:
            for element in elements:
                if task.gone or self.closed:
                    break
                self._report((task, YIELD, element, None, None, None, None, None, None))
                while not task.gate.acquire(timeout=0.5):
                    if task.gone or self.closed:
                        return
        finally:
            close = getattr(elements, "close", None)
            if close is not None:
                close()

    def _report(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if not self.woken:
            self.woken = True
            self.wake()
