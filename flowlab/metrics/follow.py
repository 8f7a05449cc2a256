"""Following work that a measured call starts beside itself: child tasks and threads of an event loop.

Here are the task factory and the default thread pool that give the CPU of such work to the call that started it.
Loaded only once something is measured inside an event loop. Invariant: a loop that has its own task factory or thread
pool keeps it; ours adds to the first and never replaces the second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from flowlab.metrics.active import CALL, Call, recorder
from flowlab.metrics.clocks import TIME, Clocks
from flowlab.metrics.probes import STEPPED, Measured, drive
from flowlab.metrics.trying import Nobody


class Followed(Measured):
    """Work that is no call of its own: what it costs belongs to the call that started it."""

    closed = False

    def __init__(self, owner: Call | None, nobody: Nobody) -> None:
        super().__init__(nobody, "", None)
        self.parent = self.shown = owner
        self.own_ns = self.inner_at = 0
        if owner is not None:
            owner.followers += 1

    def stamps(self) -> None:
        """It is no call of its own, and nobody asks when its steps were."""

    def resume(self) -> None:
        """Begin a step."""
        self.inner_at = self.inner_ns
        super().resume()

    def settle(self, cpu: int, queued: int | None, calls: list[Call]) -> None:
        """Give the step's CPU to the owner, but for what measured calls inside it took."""
        spent, nested = cpu - self.cpu_at, self.inner_ns - self.inner_at
        below = self.below(calls)
        if below is not None:
            below.inner_ns += nested if below is self.parent else spent
        if below is not self.parent and self.parent not in calls:
            self.own_ns += spent - nested

    def close(self, error: BaseException | None = None, ended_ns: int | None = None) -> None:
        """End it: the owner has what it spent."""
        owner = self.parent
        if owner is not None and not self.closed:
            self.closed = True
            owner.followers -= 1
            if self.own_ns:
                owner.add_followed(self.own_ns)


def follow(loop: asyncio.AbstractEventLoop, clocks: Clocks = TIME) -> None:
    """Make tasks and threads that start on this loop from now on count for the call that starts them."""
    factory = loop.get_task_factory()
    if not isinstance(factory, TaskFactory):
        loop.set_task_factory(TaskFactory(factory, clocks))
        if getattr(loop, "_default_executor", loop) is None:
            loop.set_default_executor(FollowingThreads(clocks))


def leave(loop: asyncio.AbstractEventLoop) -> None:
    """Take our thread pool from a loop that is about to close if nothing used it: closing one takes a thread."""
    pool = getattr(loop, "_default_executor", None)
    if isinstance(pool, FollowingThreads) and not pool.used:
        loop._default_executor = None  # type: ignore[attr-defined]


class TaskFactory:
    """Makes tasks as the loop did before, with the coroutine stepped by the probe while something measures.

    A measured coroutine steps itself.
    """

    def __init__(self, before: Callable[..., Any] | None, clocks: Clocks) -> None:
        self.before = before
        self.nobody = Nobody(clocks)

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Any, **settings: Any) -> Any:
        """Return a task for the coroutine."""
        owner = CALL.get()
        stepped = getattr(coro, "cr_code", None) in STEPPED
        if not stepped and (owner is not None or recorder() is not None) and asyncio.iscoroutine(coro):
            coro = FollowedCoroutine(coro, Followed(owner, self.nobody))
        if self.before is not None:
            return self.before(loop, coro, **settings)
        return asyncio.Task(coro, loop=loop, **settings)


class FollowedCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine whose steps are read; all else is the coroutine's own."""

    def __init__(self, coro: Any, work: Followed) -> None:
        self.coro = coro
        self.work = work

    def send(self, value: Any) -> Any:
        """Run one step."""
        return self._step(self.coro.send, value)

    def throw(self, *error: Any) -> Any:
        """Run one step that begins with an error."""
        return self._step(self.coro.throw, *error)

    def close(self) -> None:
        """End the coroutine."""
        self.coro.close()
        self.work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return drive(self.coro, self.work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coro, name)

    def _step(self, method: Callable[..., Any], *arguments: Any) -> Any:
        work = self.work
        ended = True
        work.resume()
        try:
            result = method(*arguments)
            ended = False
            return result
        finally:
            work.pause()
            if ended:
                work.close()


class FollowingThreads(ThreadPoolExecutor):
    """The loop's thread pool, as `asyncio.to_thread` uses it.

    Attributes:
        used: Something was submitted.
    """

    used = False

    def __init__(self, clocks: Clocks) -> None:
        super().__init__(_most(), "asyncio")
        self.nobody = Nobody(clocks)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a thread; its CPU belongs to the call that is running here."""
        owner, self.used = CALL.get(), True
        if owner is None:
            return super().submit(fn, *args, **kwargs)
        return super().submit(_run_followed, owner, self.nobody, fn, *args, **kwargs)


@cache
def _most() -> int:
    """How many threads the standard library's pool has at most; counting cores costs as much as a short run."""
    return min(32, (os.cpu_count() or 1) + 4)


def _run_followed(owner: Call, nobody: Nobody, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    work = Followed(owner, nobody)
    work.resume()
    try:
        return fn(*args, **kwargs)
    finally:
        work.pause()
        work.close()
