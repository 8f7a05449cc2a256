"""A flow as one operation of another: a call is one context of its own, and each output flows on when it is made."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flowlab.errors import FlowError, RunError
from flowlab.graph.definition import MISSING
from flowlab.graph.operation import Operation
from flowlab.run.outcome import going
from flowlab.run.outcome.context import Context, parameters
from flowlab.run.outcome.log import Inside


class Ungiven:
    """The default of a sub-flow's optional input: the sub-flow sees that it is not given."""

    def __repr__(self) -> str:
        return "UNGIVEN"


UNGIVEN = Ungiven()


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """What a call of a sub-flow runs.

    Attributes:
        inputs: The sub-flow's names, in the order of the operation's parameters.
        outputs: The sub-flow's names, in the order of what the operation makes.
    """

    flow: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cache: dict[Any, Any] = field(default_factory=dict)

    @property
    def has_coroutines(self) -> bool:
        """Whether a call needs an event loop."""
        operations = self.flow.graph.operations.values()
        return any(o.inner.has_coroutines if o.inner is not None else o.is_async for o in operations)

    @property
    def placed(self) -> bool:
        """Whether an operation inside says where it runs."""
        operations = self.flow.graph.operations.values()
        return any(o.inner.placed if o.inner is not None else o.runs not in (None, "inline") for o in operations)

    def _context(self, outer: Context, node: Any, arguments: tuple[Any, ...]) -> tuple[Context, Mapping[str, Any]]:
        from flowlab.run.session import given_values, prepare

        found = parameters(node, arguments)
        values = {
            name: found[parameter]
            for name, parameter in zip(self.inputs, node.operation.parameters, strict=True)
            if parameter in found and found[parameter] is not UNGIVEN
        }
        prepared = prepare(self.flow, values, self.outputs)
        given = given_values(prepared, values)
        context = Context(
            prepared.layout,
            prepared.handlers_at(outer.log.level),
            outer.log.run,
            outer.log.context,
            threading.get_native_id(),
            outer.state.locks,
            outer.log.level,
        )
        context.log.nesting = outer.log.nesting
        context.prefix = f"{outer.prefix}{node.name}/"
        return context, given

    def _result(self, context: Context, outer: Context, node: Any, element: int) -> tuple[Any, ...]:
        """The outputs' values, in order; if one is missing, those that were made stand.

        Raises:
            RunError: One of them could not be made.
        """
        from flowlab.run.outcome.result import check

        run = context.result()
        outer.errors.extend(context.errors)
        outer.dead.extend(context.dead)
        losses = (replace(loss, operation=context.prefix + loss.operation) for loss in context.state.losses)
        outer.state.losses.extend(losses)
        going.taken(outer.log, context.log, context.prefix)
        if run.failures:
            for position, name in enumerate(self.outputs):
                if name in run and self._early(outer, node, position):
                    outer.state.partly(node, element, position, run[name])
            check(run, True)
        return tuple(run[name] for name in self.outputs)

    def _early(self, outer: Context, node: Any, position: int) -> bool:
        """Whether an output flows on, and stands, whatever becomes of its call.

        Not if the call may be made again or run out of time: what stood then would depend on timing.
        """
        number, operation = node.outs[position], node.operation
        if number < 0 or operation.retries or operation.timeout_s is not None:
            return False
        return not outer.layout.slots[number].contested

    def _listen(self, context: Context, outer: Context, node: Any, element: int, pump: Any) -> None:
        """Let each output flow on when it is made."""
        layout = context.layout
        positions = {layout.slot_of[name]: position for position, name in enumerate(self.outputs)}

        def heard(number: int, value: Any) -> None:
            position = positions.get(number)
            if position is not None and self._early(outer, node, position):
                outer.state.partly(node, element, position, value)
                pump()

        context.state.listener = heard

    async def run(self, driver: Any, call: Any) -> Any:
        """Run a call's context on the event loop's driver."""
        context, given = self._context(call.context, call.node, call.arguments)
        context.log.names = Inside(call.context.log)
        self._listen(context, call.context, call.node, call.element, lambda: driver.soon(driver.pump, call.context))
        try:
            await driver.run(context, given)
        finally:
            result = _Later(self, context, call.context, call.node, call.element)
        return result.values()

    def run_inline(self, inline: Any, outer: Context, node: Any, element: int, arguments: tuple[Any, ...]) -> None:
        """Run a call's context on this thread."""
        from flowlab.run.drivers.attempt import timed_out, wait_s

        attempt = 1
        while True:
            started = inline.clock()
            try:
                context, given = self._context(outer, node, arguments)
                self._listen(context, outer, node, element, lambda: None)
                inline.run(context, given)
                values = self._result(context, outer, node, element)
                timeout_s = node.operation.timeout_s
                if timeout_s is not None and inline.clock() - started > timeout_s * 1e9:
                    raise timed_out(node.operation)
            except Exception as error:
                pause = wait_s(node.operation, attempt, error)
                if pause is None:
                    outer.fail(node, element, arguments, error)
                    return
                inline.sleep(pause)
                attempt += 1
                continue
            outer.done(node, element, arguments, values)
            return


class _Later:
    """A finished context whose log is handed over also if it was stopped."""

    def __init__(self, nested: Nested, *where: Any) -> None:
        self.nested, self.where = nested, where

    def values(self) -> tuple[Any, ...]:
        return self.nested._result(*self.where)


def nested_operation(
    flow: Any,
    name: str,
    inputs: Mapping[str, str] | None,
    outputs: Mapping[str, str] | None,
    settings: Mapping[str, Any],
) -> Operation:
    """An operation that runs a flow.

    Raises:
        FlowError: The flow does not know a name.
    """
    graph = flow.graph
    inputs, outputs = dict(inputs or {}), dict(outputs or {})
    for known in inputs:
        graph.known(known, f"{name!r} maps input")
    for known in outputs:
        graph.known(known, f"{name!r} maps output")
    needed: dict[str, bool] = {}
    for operation in graph.operations.values():
        for taken, default in zip(operation.takes, operation.defaults, strict=True):
            if not graph.makers.get(taken):
                optional = default is not MISSING or graph.definitions[taken].default is not MISSING
                needed[taken] = needed.get(taken, False) or not optional
        for condition in operation.when:
            if not graph.makers.get(condition):
                needed[condition] = True
    needed.update({known: True for known in inputs if known not in needed})
    made = tuple(outputs) or tuple(d for d in graph.makers if not graph.takers.get(d))
    if not made:
        raise FlowError(f"flow {graph.name!r} has no outputs of its own: say outputs={{child: parent}}")
    names = tuple(sorted(needed, key=lambda known: not needed[known]))
    operation = Operation(
        name,
        flow.run,
        names,
        tuple(inputs.get(known, known) for known in names),
        tuple(MISSING if needed[known] else UNGIVEN for known in names),
        0,
        tuple(outputs.get(known, known) for known in made),
        several=True,
        inner=Nested(flow, names, made),
    )
    return operation.configured(**settings) if settings else operation


__all__ = ["Nested", "RunError", "nested_operation"]
