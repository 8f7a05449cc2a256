"""Driving a coroutine step by step, reading the thread's CPU clock around every step."""

from __future__ import annotations

import time
import types
from collections.abc import Generator
from typing import Any

from flowlab.metrics.active import THREAD, Call, lay_out
from flowlab.metrics.probes import Measured, pause_above, resume_all


def said(frame: Call, cpu_ns: int) -> dict[str, Any] | None:
    """What a call reported, and its CPU without that of spans inside it; the frame is as new afterwards."""
    return None if frame.custom is None and not frame.inner_ns else frame.take(cpu_ns)


NOTHING: Any = object()


class Cost(Call):
    """The call that a coroutine is, and what it cost so far.

    Attributes:
        inside: The spans inside it that were open when it last suspended.
    """

    cpu_ns = 0
    steps = 0
    inside: list[Measured] | None = None

    def __init__(self) -> None:
        super().__init__(0)

    def pause(self, used: int) -> None:
        """A step that began at this CPU reading ended: the frame leaves the stack, and open spans with it."""
        calls, read = THREAD.calls, time.thread_time_ns()
        self.cpu_ns += read - used
        if calls[-1] is not self:
            self.inside = pause_above(self, read)
        calls.pop()
        if calls:
            calls[-1].inner_ns += read - used

    def resume(self) -> None:
        """Resume the spans that were open at the end of the last step."""
        if self.inside:
            resume_all(self.inside)
            self.inside = None


lay_out(
    Cost, "id", "recorder", "loop", "about", "custom", "inner_ns", "away", "followed", "fields", "alone", "mem_at",
    "mem_top", "mem_peak_bytes", "mem_net_bytes", "cpu_ns", "steps", "inside",
)  # fmt: skip


@types.coroutine
def stepped(coroutine: Any, cost: Cost, asked: Any = NOTHING) -> Generator[Any, Any, Any]:
    """Await a coroutine and add what its own steps cost.

    Args:
        asked: What its first step yielded, if that was taken already.
    """
    clock = time.thread_time_ns
    calls = THREAD.calls
    awaited = coroutine if asked is not NOTHING or hasattr(coroutine, "send") else coroutine.__await__()
    send = awaited.send
    value: Any = None
    error: BaseException | None = None
    if asked is not NOTHING:
        try:
            value = yield asked
        except BaseException as raised:
            error = raised
    while True:
        calls.append(cost)
        used = clock()
        if cost.inside:
            cost.resume()
        try:
            if error is None:
                asked = send(value)
            else:
                thrown, error = error, None
                asked = awaited.throw(thrown)
        except StopIteration as stop:
            return stop.value
        finally:  # as `Cost.pause`, without calling it
            read = clock()
            spent = read - used
            cost.cpu_ns += spent
            cost.steps += 1
            if calls[-1] is not cost:
                cost.inside = pause_above(cost, read)
            calls.pop()
            if calls:
                calls[-1].inner_ns += spent
        try:
            value = yield asked
        except BaseException as raised:
            error = raised
