"""Driving a coroutine step by step, reading the thread's CPU clock around every step."""

from __future__ import annotations

import time
import types
from collections.abc import Generator
from typing import Any

from flowlab.metrics.active import THREAD, Call


def said(frame: Call, cpu_ns: int) -> dict[str, Any] | None:
    """What a call reported, and its CPU without that of spans inside it; the frame is as new afterwards."""
    if frame.custom is None and not frame.inner_ns:
        return None
    found: dict[str, Any] = {"cpu_self_ns": cpu_ns - frame.inner_ns}
    if frame.custom is not None:
        found["custom"] = frame.custom
    frame.custom, frame.inner_ns = None, 0
    return found


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
