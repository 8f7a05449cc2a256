"""The steps of a straight plan: plain functions that each run once, in an order, taking cells and making cells.

A value nobody asked for is gone once its last consumer has ended: what the same call makes takes its cell, so freeing
costs nothing; only a call that ends more values than it makes clears the others' cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from flowlab.run.layout.calling import pick
from flowlab.run.layout.layout import Layout, Node

CHUNK = 64
"""After how many calls at most the CPU clock is read."""


class Step(NamedTuple):
    """One call.

    Attributes:
        first: The cell of its first argument.
        second: That of its second, None if it has but one; the cells of all as a tuple if it has another number.
        out: The cell it makes, or all of them if `pick` takes its result apart.
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
        chunks: The steps, so many at a time.
        kept: The name and cell of what is given and wanted; that is its slot's own.
        cell_of: The cell of each slot.
        last: For each slot that is freed, the last step that takes it; if none does, the one that makes it.
        dead: The cells that hold something nobody asked for at the end.
    """

    __slots__ = ("cell_of", "chunks", "dead", "kept", "last", "layout", "nodes", "size", "slot_of", "steps")

    def __init__(self, layout: Layout) -> None:
        nodes = [node for node in layout.nodes if not node.dormant]
        self.layout = layout
        self.nodes = [node.number for node in nodes]
        self.size = len(layout.slots)
        self.slot_of = layout.slot_of
        names = dict.fromkeys((*layout.plan.given, *layout.plan.wanted))
        self.kept = tuple((name, layout.slot_of[name]) for name in names)
        self.cell_of = list(range(self.size))
        self.last = self._last(nodes)
        self.steps = self._steps(nodes)
        self.chunks = [self.steps[at : at + CHUNK] for at in range(0, len(self.steps), CHUNK)]
        asked = {slot for _, slot in self.kept}
        self.dead = tuple(sorted({cell for slot, cell in enumerate(self.cell_of) if slot in self.last} - asked))

    def _last(self, nodes: list[Node]) -> dict[int, int]:
        spared = {take.slot for node in self.layout.nodes if node.dormant for take in node.takes}
        last: dict[int, int] = {}
        for at, node in enumerate(nodes):
            last.update(dict.fromkeys((take.slot for take in node.takes), at))
            last.update((slot, at) for slot in node.outs if slot not in last)
        slots = self.layout.slots
        return {slot: at for slot, at in last.items() if slot not in spared and not slots[slot].kept}

    def _steps(self, nodes: list[Node]) -> list[Step]:
        free: list[int] = []
        cells, last = self.cell_of, self.last
        steps = []
        for at, node in enumerate(nodes):
            takes = tuple([cells[take.slot] for take in node.takes])
            over = [cells[slot] for slot in dict.fromkeys(take.slot for take in node.takes) if last.get(slot) == at]
            for slot in node.outs:
                if slot in last and (over or free):
                    cells[slot] = (over or free).pop()
            steps.append(
                _step(node, takes, tuple([cells[slot] for slot in node.outs]), over if node is not nodes[-1] else [])
            )
            free += over
            free += [cells[slot] for slot in node.outs if last.get(slot) == at]
        return steps

    def cells(self, inputs: Mapping[str, Any]) -> list[Any]:
        """A cell for every slot, those of the inputs filled."""
        cells: list[Any] = [None] * self.size
        slot_of = self.slot_of
        for name, value in inputs.items():
            cells[slot_of[name]] = value
        return cells

    def held(self, cells: list[Any], done: int) -> Iterator[tuple[int, Any]]:
        """The slots and values that were made and may still be needed when so many steps are done."""
        for number in self.nodes[:done]:
            for slot in self.layout.nodes[number].outs:
                if self.last.get(slot, done) >= done:
                    yield slot, cells[self.cell_of[slot]]


def _step(node: Node, takes: tuple[int, ...], outs: tuple[int, ...], over: list[int]) -> Step:
    apart: Any = pick(node)
    out: Any = outs[0] if apart is None else outs
    if over:
        out, apart = (*outs, *over), _clearing(apart, (None,) * len(over))
    if len(takes) == 1:
        return Step(node.operation.function, takes[0], None, out, apart)
    if len(takes) == 2:
        return Step(node.operation.function, takes[0], takes[1], out, apart)
    return Step(node.operation.function, -1, takes, out, apart)


def _clearing(apart: Any, nothing: tuple[None, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes a result apart and has nothing put into the cells of values that have ended."""
    if apart is None:
        return lambda value: (value, *nothing)
    return lambda value: (*apart(value), *nothing)


def straight(layout: Layout) -> Straight:
    """The steps of a straight layout."""
    if layout.steps is None:
        layout.steps = Straight(layout)
    return layout.steps  # type: ignore[no-any-return]
