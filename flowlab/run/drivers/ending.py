"""What becomes of a call that ended: noted, tried again, or its result given to the state and its locks let go.

Not here: which calls start (`loop`) and where they run (`places`). Invariant: a call ends once, whatever comes back of
it afterwards, and its locks go when its body has ended, not before.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from flowlab.errors import FlowlabError
from flowlab.executors.task import OK, Batch, Outcome
from flowlab.graph.operation import Operation
from flowlab.run.drivers.attempt import locked_out, wait_s
from flowlab.run.drivers.holding import Holding
from flowlab.run.drivers.interrupt import Interrupts
from flowlab.run.drivers.pending import Pending
from flowlab.run.layout.layout import Node
from flowlab.run.outcome.context import Context
from flowlab.run.outcome.log import Row
from flowlab.run.outcome.result import CallError
from flowlab.run.state.locks import Locks
from flowlab.run.state.state import State

LINGER_S = 60.0
"""How long calls wait for a lock that a call which timed out in a thread still holds; then they fail."""


class Ending(Holding):
    """Takes what came of calls, and ends them."""

    def __init__(self, workers: int | None, interrupts: Interrupts | None) -> None:
        super().__init__(workers, interrupts)
        self.running: dict[Any, int] = {}
        self.backlog: dict[Any, deque[Pending]] = {}
        self.paused: dict[tuple[Context, int, int], Pending] = {}
        self.states: dict[Any, Context] = {}
        self.retrying: set[Any] = set()
        self.locks = Locks()

    def start(self, call: Pending) -> None:
        """Have a call run where it belongs."""
        raise NotImplementedError

    def _note(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        status = "ok"
        if error is not None:
            status = "timeout" if isinstance(error, TimeoutError) else "error"
        stage = call.node.operation.stage
        if not call.context.log.keep:
            return
        _, _, _, started, ended, cpu, pid, tid, extra = outcome
        call.context.log.rows.append(
            Row(
                call.context.prefix + call.node.name, call.place, call.attempt, status,
                None if error is None else type(error).__name__, call.submitted_ns, started, ended, cpu, pid, tid,
                None if stage == "processing" else stage, extra,
            )
        )  # fmt: skip

    def _good(self, call: Pending, outcome: Outcome) -> None:
        """A light call ended well; the caller pumps its context."""
        handler, context = call.handler, call.context
        if not handler.single:
            self._after(call, outcome, None)
            return
        _, _, result, started, ended, cpu, pid, tid, extra = outcome
        if context.log.keep:
            context.log.rows.append(
                (context.prefix + handler.name if context.prefix else handler.name, call.place, call.attempt, "ok",
                 None, call.submitted_ns, started, ended, cpu, pid, tid, None, extra)
            )  # fmt: skip
        context.calls.discard(call)
        try:
            context.state.made(call.node, call.element, result)
        except FlowlabError as raised:
            context.fail(call.node, call.element, call.arguments, raised)
        if handler.limit is not None:
            operation = call.node.operation
            if self.backlog and operation in self.backlog:
                self._next(operation)
            else:
                self.running[operation] -= 1
        context.open -= 1
        if self.waiting_for_room:
            self.make_room()

    def _good_all(self, batch: Batch, touched: dict[Context, Context]) -> None:
        """Short calls of a worker ended well; the caller pumps the contexts touched."""
        pid, calls, values, starts, ends, took, costs, (share, now, size) = batch
        context, era = calls[0].context, calls[0].context.era
        for call in calls:
            if call.context is not context or call.gone or call.era != era or not call.handler.brisk:
                break
        else:
            touched[context] = context
            self._good_alike(batch, context)
            return
        for call, value, started, ended, wall, cost in zip(calls, values, starts, ends, took, costs, strict=True):
            if not call.gone and call.era == call.context.era:
                touched[call.context] = call.context
                extra = (share, cost, now - ended, size, wall)
                self._good(call, (call, OK, value, started, ended, None, pid, pid, extra))

    def _good_alike(self, batch: Batch, context: Context) -> None:
        """The short calls of one context ended well, each of which makes one value and nothing else."""
        pid, calls, values, starts, ends, took, costs, _ = batch
        if context.log.keep:
            prefix = context.prefix
            names = [prefix + call.handler.name for call in calls]
            told = [call.attempt for call in calls], [call.submitted_ns for call in calls]
            context.log.packed.append((names, *told, starts, ends, pid, costs, took, *batch.ways))
        context.calls.difference_update(calls)
        context.open -= len(calls)
        made = context.state.made
        for call, value in zip(calls, values, strict=True):
            try:
                made(call.node, call.element, value)
            except FlowlabError as raised:
                context.fail(call.node, call.element, call.arguments, raised)
        if self.waiting_for_room:
            self.make_room()

    def _after(self, call: Pending, outcome: Outcome, error: BaseException | None) -> None:
        """An attempt ended: note it, then go on, try again or give up."""
        if call.stale:
            return
        call.gone = True
        if call.timer is not None:
            call.timer.cancel()
        operation = call.node.operation
        values: Any = ()
        if error is None and not call.streams:
            try:
                values = outcome[2] if operation.inner is not None else call.handler.values(outcome[2])
            except Exception as raised:
                error = raised
        if operation.inner is None:
            self._note(call, outcome, error)
        if error is not None:
            pause = None if call.count else wait_s(operation, call.attempt, error)
            if pause is not None:
                self._try_again(call, pause)
                return
        self.end(call, error, values)

    def _try_again(self, call: Pending, pause: float) -> None:
        """Wait without locks, then start the next attempt."""
        if call.node.locks:
            self._release(call)
        timer: Any = None
        context = call.context
        following = call.again(self.clock())
        context.calls.discard(call)
        context.calls.add(following)

        def again() -> None:
            self.retrying.discard(timer)
            if following.stale:
                return
            following.submitted_ns = self.clock()
            if not following.node.locks:
                self.start(following)
                return
            context.open -= 1
            self.paused[context, following.node.number, following.element] = following
            context.state.admit(following.node, following.element, following.arguments)
            self.pump(context)

        timer = self.later(pause, again)
        self.retrying.add(timer)

    def _release(self, call: Pending) -> None:
        own = call.context.state
        if not call.lingers:
            self._let_go(own, call.node, call.element)
        elif self.locks.hand_on((own, call.node.number, call.element), call):
            self._linger(call)

    def _linger(self, call: Pending) -> None:
        """Have a look, once calls have waited long enough, whether a body that goes on still keeps its locks."""
        timer: Any = None

        def look() -> None:
            self.retrying.discard(timer)
            if not call.lingers:
                return
            for state, number, element in self.locks.behind(call):
                self._lock_out(state, number, element)
            self._linger(call)

        timer = self.later(LINGER_S, look)
        self.retrying.add(timer)

    def _lock_out(self, state: State, number: int, element: int) -> None:
        """A call has waited in vain for a lock: it fails."""
        context = self.states[state]
        node, _, arguments = state.parked.pop((number, element))
        if self.paused and (paused := self.paused.pop((context, number, element), None)) is not None:
            context.calls.discard(paused)
            if paused.handler.limit is not None:
                self._next(node.operation)
        self._let_go(state, node, element)
        context.fail(node, element, arguments, locked_out(node.operation))
        self.pump(context)

    def _lingered(self, call: Pending) -> None:
        call.lingers = False
        for state in call.context.state.release(call.node, call.element, call):
            if state in self.states:
                self.pump(self.states[state])

    def _let_go(self, own: State, node: Node, element: int) -> None:
        """Let go of a call's locks, and let other contexts that waited for them go on."""
        for state in own.release(node, element):
            if state is not own and state in self.states:
                self.soon(self.pump, self.states[state])

    def end(self, call: Pending, error: BaseException | None, values: Any = (), refused: str = "") -> None:
        """A call ended for good."""
        context, node, state = call.context, call.node, call.context.state
        context.calls.discard(call)
        if node.operation.stage == "cleanup":
            if error is not None:
                context.errors.append(CallError(context.prefix + node.name, error))
        elif refused:
            state.refused(node, call.element, refused)
        elif error is not None:
            context.fail(node, call.element, call.arguments, error)
        else:
            context.done(node, call.element, call.arguments, values)
        if node.locks:
            self._release(call)
        if call.handler.limit is not None:
            self._next(node.operation)
        context.open -= 1
        call.arguments = ()  # or a value that was let go would live on while the next body runs from here
        self.make_room()
        self.pump(context)

    def _next(self, operation: Operation) -> None:
        """A call of a limited operation ended: the next takes its place."""
        waiting = self.backlog.get(operation)
        while waiting and waiting[0].stale:
            waiting.popleft()
            self.backlogged -= 1
        if waiting:
            self.backlogged -= 1
            self.start(waiting.popleft())
        else:
            self.running[operation] -= 1
