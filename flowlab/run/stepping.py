"""Driving a coroutine step by step, reading the thread's CPU clock around every step."""

from __future__ import annotations

import time
import types
from collections.abc import Generator
from typing import Any

from flowlab.metrics.active import THREAD, Call

NOTHING: Any = object()


class Cost:
    """What a coroutine cost so far."""

    __slots__ = ("cpu_ns", "frame", "steps")

    def __init__(self) -> None:
        self.cpu_ns = 0
        self.steps = 0
        self.frame = Call(0)


@types.coroutine
def stepped(coroutine: Any, cost: Cost, asked: Any = NOTHING) -> Generator[Any, Any, Any]:
    """Await a coroutine and add what its own steps cost.

    Args:
        asked: What its first step yielded, if that was taken already.
    """
    clock = time.thread_time_ns
    calls = THREAD.calls
    frame = cost.frame
    awaited = coroutine if hasattr(coroutine, "send") else coroutine.__await__()
    send, throw = awaited.send, getattr(awaited, "throw", None)
    value: Any = None
    error: BaseException | None = None
    if asked is not NOTHING:
        try:
            value = yield asked
        except BaseException as raised:
            error = raised
    while True:
        calls.append(frame)
        used = clock()
        try:
            if error is None:
                asked = send(value)
            else:
                thrown, error = error, None
                asked = throw(thrown)  # type: ignore[misc]
        except StopIteration as stop:
            return stop.value
        finally:
            cost.cpu_ns += clock() - used
            cost.steps += 1
            calls.remove(frame)
        try:
            value = yield asked
        except BaseException as raised:
            error = raised
