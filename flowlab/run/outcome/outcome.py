"""What came out of a context's state: cleanup calls, values, and why some are missing.

It only reads the state, but notes there a cleanup's condition that is neither true nor false.
"""

from __future__ import annotations

from typing import Any

from flowlab.graph.definition import MISSING
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state.losses import Loss, Lost, serious, unmet_condition
from flowlab.run.state.state import Item, State


def cleanup(state: State) -> list[Item]:
    """The cleanup calls whose inputs exist and whose conditions hold; one neither true nor false is a problem."""
    found = []
    for number in state.layout.cleanups:
        node = state.nodes[number]
        arguments = []
        for take in node.takes:
            slot = state.slots[take.slot]
            value = state.listed(take.slot) if slot.order else state.cells[take.slot].get(ROOT, MISSING)
            if value is MISSING or type(value) is Lost:
                value = take.default
            if value is MISSING:
                break
            if not take.condition:
                arguments.append(value)
                continue
            unmet = unmet_condition(node, ROOT, value)
            if unmet is not None:
                if unmet.error is not None:
                    state.problems.append(unmet)
                break
        else:
            found.append((node, ROOT, tuple(arguments)))
    return found


def value(state: State, name: str) -> Any:
    """A requested value, a list where there are many; Lost if it could not be made, MISSING if nothing settled it."""
    slot = state.slots[state.layout.slot_of[name]]
    if not slot.order:
        found = state.cells[slot.number].get(ROOT, MISSING)
        if found is MISSING and state.choices is not None:
            loss = state.choices.abandoned.get((slot.number, ROOT))
            return MISSING if loss is None else Lost(loss)
        return found
    loss = serious(missing(state, slot.number))
    if loss is not None:
        return Lost(loss)
    return state.listed(slot.number)


def makers(state: State, name: str) -> tuple[str, ...]:
    """The operations whose values of a definition were taken."""
    number = state.layout.slot_of.get(name)
    if number is None:
        return ()
    slot = state.slots[number]
    accepted = state.choices.accepted.get(number) if state.choices is not None else None
    if accepted:
        return tuple(state.nodes[maker].name for maker in sorted(accepted))
    return tuple(state.nodes[maker].name for maker in slot.makers)


def missing(state: State, number: int) -> list[Loss]:
    """Why Inputs of a many are missing."""
    slot = state.slots[number]
    found = [entry.loss for entry in state.cells[number].values() if type(entry) is Lost]
    axes = set(slot.order)
    todo = list(axes)
    while todo:
        for axis in state.layout.hidden.get(todo.pop(), ()):
            if axis not in axes:
                axes.add(axis)
                todo.append(axis)
    for axis in axes:
        found.extend(state.damage.get((-1 - axis, None), ()))
    return found
