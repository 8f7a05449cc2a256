"""Running the event loop's driver from plain code, also where an event loop runs already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from flowlab.executors import close
from flowlab.run.drivers.interrupt import Interrupts, interrupts, raise_in

PATIENCE_S = 0.8
"""How long an interrupted caller waits for cleanup; what goes on after that does so without it."""
Start = Callable[[Interrupts], Coroutine[Any, Any, Any]]


def blocking(start: Start) -> Any:
    """Run a coroutine to its end from plain code; inside a running event loop, on a thread of its own."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _here(start)
    return _elsewhere(start)


def _here(start: Start) -> Any:
    """Run on this thread; the user's interrupt stops calls and still runs cleanup."""
    import asyncio

    from flowlab.metrics.follow import leave

    with interrupts() as watch, asyncio.Runner() as runner:
        loop = runner.get_loop()
        main: list[Any] = []

        async def begin() -> Any:
            main.append(asyncio.current_task())
            try:
                return await start(watch)
            finally:
                leave(loop)

        def calm() -> bool:
            if not main or watch.in_body():
                return False
            loop.call_soon_threadsafe(main[0].cancel)
            return True

        watch.calm = calm
        watch.stop = lambda: main and main[0].cancel()
        try:
            return runner.run(begin())
        except asyncio.CancelledError:
            if watch.hit:
                close()
                raise KeyboardInterrupt from None
            raise


def _elsewhere(start: Start) -> Any:
    """Run on a thread with an event loop of its own; an interrupt here cancels it there."""
    import asyncio
    import contextvars

    from flowlab.metrics.follow import leave

    outcome: list[tuple[bool, Any]] = []
    started, ended = threading.Event(), threading.Event()
    handle: list[Any] = []
    watch = Interrupts()
    watch.known = True

    async def main() -> Any:
        task = asyncio.current_task()
        assert task is not None
        handle.extend((asyncio.get_running_loop(), task))
        watch.stop = task.cancel
        started.set()
        try:
            return await start(watch)
        finally:
            leave(asyncio.get_running_loop())

    def work() -> None:
        try:
            outcome.append((True, asyncio.run(main())))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            started.set()
            ended.set()

    scope = contextvars.copy_context()
    thread = threading.Thread(target=scope.run, args=(work,), name="flowlab-run", daemon=True)
    try:
        thread.start()
        ended.wait()  # not `join`: a join that is interrupted forgets that its thread lives
    except BaseException:
        watch.hit = True
        started.wait(PATIENCE_S)
        with suppress(RuntimeError, IndexError):  # the loop has closed: the run has ended by itself; or never began
            handle[0].call_soon_threadsafe(handle[1].cancel)
        if watch.in_body():
            raise_in(thread)
        ended.wait(PATIENCE_S)
        close()
        raise
    good, value = outcome[0]
    if not good:
        raise value
    return value
