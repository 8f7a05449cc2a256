"""The probes: what is read around a call, whatever kind of call it is.

Here are the call that is being measured, and the drivers that step coroutines and generators so that only their own
steps are read. Not here: the clocks (`clocks`), records and who keeps them (`recorder`). Invariant: CPU is read by the
thread that spends it, and what a nested call spent is never in the outer call's `self`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any

from flowlab.metrics.active import CALL, THREAD, Call, lay_out
from flowlab.metrics.clocks import NEAR_NS, Traced, runqueue_near

STEPS_KEPT = 1000
"""Of so many steps of a call it is kept when they were, at level "full"; all are counted."""
STEPPED: set[Any] = set()
"""The code of coroutines that step themselves: what wraps a measured coroutine function."""


class Measured(Call):
    """A call being measured: the stamps and readings of `Record`, while they are still moving.

    Attributes:
        read_ns: CPU of the call's own thread while the call ran there, nested calls included.
        in_parent_ns: The part of it that the parent's own clock read too.
        sized: How much it works on and the unit of that, if it was looked at (level "full").
        guessed: Its CPU was worked out from a reading just before it.
        blind: For a span whose task nobody steps: not empty once the event loop turned, after which its CPU is unknown.
        inside: Calls inside this one that were open when it was suspended, and `shown`, the innermost call then.
    """

    executor: str | None = None
    steps: int | None = None
    status = "ok"
    error_type: str | None = None
    guessed = False
    sized: tuple[int, str] | None = None
    steps_at: list[int] | None = None
    inside: list[Measured] | None = None
    shown: Call | None = None
    ended_ns: int | None = None
    cpu_ns: int | None = None
    cpu_self_ns: int | None = None
    runqueue_ns: int | None = None
    queued_at: int | None = None
    cpu_at = read_ns = in_parent_ns = 0

    def __init__(
        self, recorder: Any, operation: str, stage: str | None, executor: str | None = None, at_once: bool = False
    ) -> None:
        self.id = recorder.next_id()
        self.recorder = recorder
        clocks = self.clocks = recorder.clocks
        self.operation = operation
        self.stage = stage
        self.parent = CALL.get()
        here = self.here = THREAD.here
        if executor is not None:
            self.executor = executor
        if clocks.runqueue is not None:
            self.runqueue_ns = 0
        if not at_once:
            self.started_ns = clocks.wall()
            return
        CALL.set(self)
        if not clocks.near:
            self.started_ns = clocks.wall()
            self.resume()
            return
        here.calls.append(self)
        self.loop = running_loop() if _LOOP is None else _LOOP()
        self.away = self.followed = None  # the instance's own: reading what a class has costs more
        self.inner_ns = self.read_ns = 0
        started = self.started_ns = clocks.wall()
        if clocks.runqueue is not None:
            self.queued_at = runqueue_near()
        gap = started - here.read_at
        self.cpu_at = here.cpu_ns + gap if gap < NEAR_NS else clocks.cpu()

    @property
    def tid(self) -> int:
        """The thread it began on."""
        return self.here.tid

    def stop(self, error: BaseException | None = None) -> None:
        """End a call that runs in one piece: its numbers stand, and its recorder keeps it.

        One that ends so soon after the thread's last reading that the thread can but have run since is not worth
        another.
        """
        clocks, here, parent = self.clocks, self.here, self.parent
        calls = here.calls
        if not clocks.near or not calls or calls[-1] is not self:
            CALL.set(parent)
            self.pause()
            self.close(error)
            self.recorder.keep(self)
            return
        queued: int | None = None
        if clocks.runqueue is None:
            ended = clocks.wall()
            gap = ended - here.read_at
            if gap < NEAR_NS:
                cpu = here.cpu_ns + gap
                self.guessed = True
            else:
                cpu = here.cpu_ns = clocks.cpu()
                ended = here.read_at = clocks.wall()
        else:
            cpu = here.cpu_ns = clocks.cpu()
            queued = clocks.runqueue()
            ended = here.read_at = clocks.wall()
        self.ended_ns = ended
        CALL.set(parent)
        calls.pop()
        self.loop = None
        if parent is None and not calls and queued is None and not (self.away or self.followed or self.read_ns):
            spent = self.cpu_ns = cpu - self.cpu_at
            self.cpu_self_ns = spent - self.inner_ns
            if error is not None:
                self.status, self.error_type = status_of(error), type(error).__name__
        else:
            self.settle(cpu, queued, calls)
            self.close(error, ended)
        self.recorder.keep(self)

    def stamps(self) -> list[int] | None:
        """Return where the start and end of its next step go; None if they are not wanted."""
        if self.clocks.runqueue is None:
            return None
        if self.steps_at is None:
            self.steps_at = []
        return self.steps_at if len(self.steps_at) < 2 * STEPS_KEPT else None

    def resume(self) -> None:
        """Begin a piece of work on this thread: the call is on the stack and its clocks run."""
        clocks = self.clocks
        self.loop = running_loop()
        THREAD.calls.append(self)
        if clocks.memory is not None:
            watch_memory(self, clocks.memory, THREAD.calls[:-1])
        if clocks.runqueue is not None:
            self.queued_at = clocks.runqueue()
        self.cpu_at = clocks.cpu()
        if self.inside:
            resume_all(self.inside)
            self.inside = None

    def pause(self) -> None:
        """End a piece of work; calls inside it that are still open pause with it."""
        clocks = self.clocks
        cpu = clocks.cpu()
        queued = None if clocks.runqueue is None else clocks.runqueue()
        calls = THREAD.calls
        if calls and calls[-1] is self:
            calls.pop()
            self.settle(cpu, queued, calls)
        elif self in calls:
            self._pause_with_inside(cpu, queued, calls)

    def _pause_with_inside(self, cpu: int, queued: int | None, calls: list[Call]) -> None:
        self.inside = pause_above(self, cpu, queued)
        calls.pop()
        self.settle(cpu, queued, calls)

    def settle(self, cpu: int, queued: int | None, calls: list[Call]) -> None:
        """Add what was read since `resume` to this call, and tell the call below that it was this one's."""
        spent = cpu - self.cpu_at
        self.read_ns += spent
        if self.runqueue_ns is not None:
            known = queued is not None and self.queued_at is not None
            self.runqueue_ns = self.runqueue_ns + queued - self.queued_at if known else None  # type: ignore[operator]
        if self.clocks.memory is not None:
            settle_memory(self, self.clocks.memory, calls)
        parent = self.parent
        if parent is None and not calls:
            return
        below = self.below(calls)
        if below is not None:
            below.inner_ns += spent
            if below is parent or parent in calls:
                self.in_parent_ns += spent

    def below(self, calls: list[Call]) -> Call | None:
        """Return the call around this one on this thread; a blind span is on no stack but reads its clock."""
        parent = self.parent
        if parent is not None and parent.blind is not None and not parent.blind and parent.tid == THREAD.tid:
            return parent
        return calls[-1] if calls else None

    def resume_blind(self) -> None:
        """Begin a span whose task nobody steps: its clocks run, and it is on no stack."""
        self.blind = []
        self.resume()
        THREAD.calls.pop()

    def mark_turned(self) -> None:
        """Remember that the event loop turned to something else while this blind span was open."""
        if self.blind is not None:
            self.blind.append(True)

    def pause_blind(self) -> None:
        """End a span whose task nobody steps; its CPU is known if the event loop did not turn meanwhile."""
        clocks = self.clocks
        if not self.blind:
            cpu = clocks.cpu()
            self.settle(cpu, None if clocks.runqueue is None else clocks.runqueue(), THREAD.calls)

    def close(self, error: BaseException | None = None, ended_ns: int | None = None) -> None:
        """End the call: from now on its numbers stand."""
        self.ended_ns = ended_ns or self.clocks.wall()
        if error is not None:
            self.status, self.error_type = status_of(error), type(error).__name__
        self.loop = None
        if self.blind:
            self.runqueue_ns = None
            return
        if self.away is None and self.followed is None:
            self.cpu_ns, self.cpu_self_ns = self.read_ns, self.read_ns - self.inner_ns
        else:
            self.cpu_ns, self.cpu_self_ns = self.totals(self.read_ns)
        parent = self.parent
        if parent is not None and self.cpu_ns > self.in_parent_ns:
            parent.add_away(self.cpu_ns - self.in_parent_ns)


lay_out(
    Measured, "id", "recorder", "clocks", "operation", "stage", "parent", "here", "started_ns", "loop", "away",
    "followed", "inner_ns", "read_ns", "cpu_at", "ended_ns", "cpu_ns", "cpu_self_ns", "guessed", "executor",
    "runqueue_ns", "queued_at", "steps", "shown", "custom", "sized", "steps_at", "in_parent_ns",
)  # fmt: skip


def watch_memory(call: Call, traced: Traced, outer: list[Call]) -> None:
    """Begin to look for a call's peak; what was highest before is that of the calls around it."""
    now, highest = traced.read()
    for around in outer[-1:]:
        around.mem_top = max(around.mem_top, highest)
    call.mem_at = call.mem_top = now
    traced.reset()


def settle_memory(call: Call, traced: Traced, outer: list[Call]) -> None:
    """Add what a call held and kept since `watch_memory`; the highest here is also the highest of those around it."""
    now, highest = traced.read()
    call.alone = call.alone and threading.active_count() == 1
    top = max(call.mem_top, highest)
    call.mem_peak_bytes = max(call.mem_peak_bytes, call.mem_net_bytes + top - call.mem_at)
    call.mem_net_bytes += now - call.mem_at
    for around in outer[-1:]:
        around.mem_top = max(around.mem_top, top)
    traced.reset()


def measured_memory(call: Call) -> dict[str, Any]:
    """Return a call's memory as fields of its record; what other threads allocate cannot be told apart."""
    quality = "measured" if call.alone else "estimated"
    return {
        "mem_peak_bytes": call.mem_peak_bytes, "mem_net_bytes": call.mem_net_bytes,
        "mem_method": "tracemalloc_step", "mem_quality": quality,
    }  # fmt: skip


def pause_above(frame: Call, cpu: int, queued: int | None = None) -> list[Measured]:
    """Pause the calls that are open above a frame on this thread's stack, and return them for `resume_all`.

    For a driver that steps coroutines and keeps its own clock: with this at the end of every step, and the frame's
    `loop` set, spans inside the coroutine are exact.

    Args:
        frame: The driver's call; it stays on top of the stack.
        cpu: The thread's CPU clock now, in ns.
        queued: The thread's run-queue time now, None if not read.
    """
    calls = THREAD.calls
    paused: list[Measured] = []
    while calls[-1] is not frame:
        top = calls.pop()
        if isinstance(top, Measured):
            top.settle(cpu, queued, calls)
            paused.append(top)
    return paused[::-1]


def resume_all(calls: list[Measured]) -> None:
    """Resume calls that a driver paused, outermost first."""
    for call in calls:
        call.resume()


_LOOP: Callable[[], Any] | None = None


def running_loop() -> Any:
    """Return the event loop that runs on this thread, or None; asyncio is not imported for it."""
    global _LOOP
    if _LOOP is not None:
        return _LOOP()
    asyncio = sys.modules.get("asyncio.events")
    if asyncio is None:
        return None
    _LOOP = getattr(asyncio, "_get_running_loop", None)
    return None if _LOOP is None else _LOOP()


def status_of(error: BaseException) -> str:
    """Return how a call that raised this ended: "cancelled", "timeout" or "error"."""
    if isinstance(error, GeneratorExit) or any(base.__name__ == "CancelledError" for base in type(error).__mro__):
        return "cancelled"
    return "timeout" if isinstance(error, TimeoutError) else "error"


@coroutine
def drive(steps: Any, call: Measured) -> Generator[Any, Any, Any]:
    """Run a coroutine or generator to its end, with the call's clocks running only while it is in a step.

    Everything sent or thrown in is passed on, as `yield from` would. What is open inside at a suspension (spans, other
    measured calls) is paused with it.
    """
    call.steps = call.steps or 0
    call.shown = call.shown or call
    wall, stamps = call.clocks.wall, call.stamps()
    method, argument = steps.send, None
    while True:
        outer = CALL.get()
        CALL.set(call.shown)
        call.steps += 1
        if stamps is not None:
            stamps.append(wall())
        call.resume()
        try:
            value = method(argument)
        except StopIteration as stop:
            return stop.value
        finally:
            call.pause()
            if stamps is not None:
                stamps.append(wall())
                stamps = call.stamps()
            argument = None
            call.shown = CALL.get()
            CALL.set(outer)
        try:
            sent = yield value
        except BaseException as error:
            method, argument = steps.throw, error
        else:
            method, argument = steps.send, sent
