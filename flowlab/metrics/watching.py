"""Watching: what level "full" adds to a call whose driver reads wall and CPU itself.

Here are the wrappers that drivers put around functions, coroutines and generators; how long the call's thread waited
for a core, how much the call works on and, if asked for, what it allocated go into the fields of the driver's `Call`.
Not here: reading wall and CPU. Invariant: what is wrapped behaves as before, and readings stand at the edges of steps,
as the driver's own do.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from flowlab.metrics.active import THREAD, Call
from flowlab.metrics.clocks import NEAR_NS, Traced, runqueue_near
from flowlab.metrics.probes import STEPS_KEPT, Measured, measured_memory, settle_memory, watch_memory
from flowlab.metrics.record import STEPS_AT
from flowlab.metrics.sizes import input_size


class Watch:
    """The readings of one call, added up over its steps."""

    __slots__ = ("at", "fields", "frame", "memory", "queued_ns", "steps_at")

    def __init__(self, memory: Traced | None, arguments: tuple[Any, ...]) -> None:
        self.memory = memory
        self.queued_ns: int | None = 0
        self.steps_at: list[int] = []
        self.fields: dict[str, Any] = {}
        sized = input_size(arguments)
        if sized is not None:
            self.fields["input_size"], self.fields["input_unit"] = sized

    def begin(self) -> None:
        """Begin a step: the driver's call is the innermost plain one on this thread."""
        calls = THREAD.calls
        if calls and not isinstance(calls[-1], Measured):
            self.frame = calls[-1]
        else:
            self.frame = next((call for call in reversed(calls) if not isinstance(call, Measured)), None) or Call(0)
        if self.memory is not None:
            watch_memory(self.frame, self.memory, calls[:-1])
        self.at = runqueue_near()

    def end(self, began: int | None = None) -> None:
        """End a step, and let the driver's call know.

        Args:
            began: When it began, if it is one of several.
        """
        now = runqueue_near(NEAR_NS)
        known = now is not None and self.at is not None and self.queued_ns is not None
        self.queued_ns = self.queued_ns + now - self.at if known else None  # type: ignore[operator]
        frame, fields = self.frame, self.fields
        fields["runqueue_ns"] = self.queued_ns
        if began is not None and len(self.steps_at) < 2 * STEPS_KEPT:
            self.steps_at += (began, perf_counter_ns())
            fields[STEPS_AT] = self.steps_at
        if self.memory is not None:
            settle_memory(frame, self.memory, THREAD.calls[:-1])
            fields.update(measured_memory(frame))
        frame.fields = fields
        if frame.custom is None:
            frame.custom = {}


class Steps:
    """A coroutine or generator whose every step is watched; all else is its own."""

    __slots__ = ("steps", "watch")

    def __init__(self, steps: Any, watch: Watch) -> None:
        self.steps = steps
        self.watch = watch

    def __iter__(self) -> Steps:
        return self

    def __await__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        return self._step(self.steps.__next__)

    def send(self, value: Any) -> Any:
        """Run one step."""
        return self._step(self.steps.send, value)

    def throw(self, *error: Any) -> Any:
        """Run one step that begins with an error."""
        return self._step(self.steps.throw, *error)

    def close(self) -> None:
        """End it."""
        self.steps.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.steps, name)

    def _step(self, method: Callable[..., Any], *arguments: Any) -> Any:
        watch = self.watch
        began = perf_counter_ns()
        watch.begin()
        try:
            return method(*arguments)
        finally:
            watch.end(began)


class Elements:
    """An async generator whose every step is watched."""

    def __init__(self, source: Any, watch: Watch) -> None:
        self.source = source
        self.watch = watch

    def __aiter__(self) -> Elements:
        return self

    def __anext__(self) -> Any:
        return Steps(self.source.__anext__(), self.watch)

    async def aclose(self) -> None:
        """End it."""
        await self.source.aclose()


Arguments = tuple[Any, ...]


def watched(call: Callable[[Arguments], Any], kind: str, memory: Traced | None = None) -> Callable[[Arguments], Any]:
    """Return what does the same as `call` and is watched.

    Args:
        call: Calls a function with arguments.
        kind: What that function is: "function", "coroutine", "generator" or "async generator".
        memory: Where memory is read; None if that was not asked for.
    """
    if kind != "function":
        make = Elements if kind == "async generator" else Steps
        return lambda arguments: make(call(arguments), Watch(memory, arguments))

    if memory is not None:

        def run(arguments: Arguments) -> Any:
            watch = Watch(memory, arguments)
            watch.begin()
            try:
                return call(arguments)
            finally:
                watch.end()

        return run

    def run_once(arguments: Arguments) -> Any:
        frame = THREAD.calls[-1]
        sized = input_size(arguments)
        at = runqueue_near()
        try:
            return call(arguments)
        finally:
            now = runqueue_near(NEAR_NS)
            frame.fields = {"runqueue_ns": now - at if now is not None and at is not None else None}
            if sized is not None:
                frame.fields["input_size"], frame.fields["input_unit"] = sized
            if frame.custom is None:
                frame.custom = {}

    return run_once
