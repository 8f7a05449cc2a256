"""Running the event loop's driver from plain code, also where an event loop runs already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any

from flowlab.run.interrupt import Interrupts, interrupts

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

    with interrupts() as watch, asyncio.Runner() as runner:
        loop = runner.get_loop()
        main: list[Any] = []

        async def begin() -> Any:
            main.append(asyncio.current_task())
            return await start(watch)

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
                raise KeyboardInterrupt from None
            raise


def _elsewhere(start: Start) -> Any:
    """Run on a thread with an event loop of its own; an interrupt here cancels it there."""
    import asyncio
    import contextvars

    outcome: list[tuple[bool, Any]] = []
    started = threading.Event()
    handle: list[Any] = []

    async def main() -> Any:
        handle.extend((asyncio.get_running_loop(), asyncio.current_task()))
        started.set()
        return await start(Interrupts())

    def work() -> None:
        try:
            outcome.append((True, asyncio.run(main())))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            started.set()

    scope = contextvars.copy_context()
    thread = threading.Thread(target=scope.run, args=(work,), name="flowlab-run", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        started.wait()
        if handle and thread.is_alive():
            handle[0].call_soon_threadsafe(handle[1].cancel)
        thread.join(1.0)
        raise
    good, value = outcome[0]
    if not good:
        raise value
    return value
