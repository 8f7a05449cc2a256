"""Why something did or did not happen, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlab.graph.definition import MISSING
from flowlab.run.outcome import outcome
from flowlab.run.state.losses import Lost

if TYPE_CHECKING:
    from flowlab.run.outcome.context import Context
    from flowlab.run.outcome.result import Run


def explain(run: Run, context: Context, name: str) -> str:
    """Why a definition or operation came to be, or did not."""
    graph = context.layout.graph
    if name in graph.operations and name not in graph.definitions:
        return _operation(context, name)
    graph.known(name, "asked to explain")
    return _definition(run, context, name)


def _operation(context: Context, name: str) -> str:
    errors = [entry for entry in context.errors if entry.operation == name]
    count = context.log.calls().count(name)
    times = "once" if count == 1 else f"{count} times"
    if errors:
        kinds = ", ".join(sorted({type(entry.error).__name__ for entry in errors}))
        failures = "once" if len(errors) == 1 else f"{len(errors)} times"
        return f"operation {name!r} ran {times} and failed {failures} ({kinds})."
    if count:
        return f"operation {name!r} ran {times}."
    for loss in context.state.refusals:
        if loss.operation == name:
            return f"operation {name!r} did not run: {loss.why}."
    plan = context.layout.plan
    for definition, others in plan.alternatives.items():
        if name in others:
            made = outcome.makers(context.state, definition) or plan.makers.get(definition, ())
            chosen = ", ".join(map(repr, made))
            return f"operation {name!r} did not run: {definition!r} was made by {chosen}, which costs less."
    if name not in context.layout.node_of:
        return f"operation {name!r} did not run: nothing requested needs it, or what it needs was not given."
    return f"operation {name!r} did not run: something it needs was not made."


def _definition(run: Run, context: Context, name: str) -> str:
    layout = context.layout
    plan = layout.plan
    if name in plan.given and not plan.makers.get(name):
        return f"{name!r} was given, so nothing made it."
    if name not in layout.slot_of:
        return _not_planned(context, name)
    slot = layout.slots[layout.slot_of[name]]
    value = outcome.value(context.state, name) if slot.kept else context.state.cells[slot.number].get(0, MISSING)
    if type(value) is Lost:
        loss = value.loss
        if loss.error is None:
            return f"{name!r} was not made: operation {loss.operation!r} was refused, {loss.why}."
        return f"{name!r} was not made: operation {loss.operation!r} failed with {type(loss.error).__name__}."
    makers = outcome.makers(context.state, name)
    if not makers:
        return f"{name!r} has its default: nothing makes it."
    failed = [
        m
        for m in layout.graph.makers.get(name, ())
        if m not in makers and any(e.operation == m for e in context.errors)
    ]
    refused = [
        m
        for m in layout.graph.makers.get(name, ())
        if m not in makers and any(r.operation == m for r in context.state.refusals)
    ]
    text = f"{name!r} was made by {' and '.join(map(repr, makers))}"
    if not failed and not refused:  # the plan's costs are those of the makers it chose first
        text += f", at cost {plan.costs.get(name, 0):g}"
    if failed:
        text += f", because {' and '.join(map(repr, failed))} failed"
    if refused:
        text += f", because {' and '.join(map(repr, refused))} was refused"
    others = [m for m in plan.alternatives.get(name, ()) if m not in makers and m not in failed and m not in refused]
    if others:
        text += f"; {' and '.join(map(repr, others))} would have cost as much or more"
    return text + "."


def _not_planned(context: Context, name: str) -> str:
    from flowlab.planning import explain_unreachable

    layout = context.layout
    if name in layout.plan.costs:
        return f"{name!r} was not made: nothing requested needs it."
    return explain_unreachable(layout.graph, name, layout.plan.given) + "."
