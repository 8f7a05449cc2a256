"""The steps of a straight plan: plain functions that each run once, in an order, taking slots and making slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flowlab.run.layout.calling import pick
from flowlab.run.layout.layout import Layout, Node


class Step(NamedTuple):
    """One call.

    Attributes:
        first: The slot of its first argument.
        second: That of its second, None if it has but one; the slots of all as a tuple if it has another number.
        out: The slot it makes, or all of them if `pick` takes its result apart.
    """

    function: Callable[..., Any]
    first: int
    second: Any
    out: Any
    pick: Callable[[Any], tuple[Any, ...]] | None


class Straight:
    """The steps of a layout, worked out once.

    Attributes:
        nodes: The number of each step's node.
        kept: The name and slot of what is given and wanted.
    """

    __slots__ = ("kept", "nodes", "size", "slot_of", "steps")

    def __init__(self, layout: Layout) -> None:
        nodes = [node for node in layout.nodes if not node.dormant]
        self.nodes = [node.number for node in nodes]
        self.steps = [_step(node) for node in nodes]
        self.size = len(layout.slots)
        self.slot_of = layout.slot_of
        names = dict.fromkeys((*layout.plan.given, *layout.plan.wanted))
        self.kept = tuple((name, layout.slot_of[name]) for name in names)

    def cells(self, inputs: Mapping[str, Any]) -> list[Any]:
        """A cell for every slot, those of the inputs filled."""
        cells: list[Any] = [None] * self.size
        slot_of = self.slot_of
        for name, value in inputs.items():
            cells[slot_of[name]] = value
        return cells


def _step(node: Node) -> Step:
    takes = tuple([take.slot for take in node.takes])
    apart = pick(node)
    out = node.outs[0] if apart is None else node.outs
    if len(takes) == 1:
        return Step(node.operation.function, takes[0], None, out, apart)
    if len(takes) == 2:
        return Step(node.operation.function, takes[0], takes[1], out, apart)
    return Step(node.operation.function, -1, takes, out, apart)


def straight(layout: Layout) -> Straight:
    """The steps of a straight layout."""
    if layout.steps is None:
        layout.steps = Straight(layout)
    return layout.steps  # type: ignore[no-any-return]
