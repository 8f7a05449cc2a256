"""The input network of one context: the Inputs that are there, over their shapes, and how new ones combine with them.

Here elements are added, joined and found; what then may run is the state's business (`_put`, `_attempt`). Invariant:
an element of a joined shape exists once all its parts do and agree on every axis they share.
"""

from __future__ import annotations

from typing import Any

from flowlab.run.layout.layout import Layout, Node, Slot
from flowlab.run.layout.shapes import ROOT, Elements
from flowlab.run.state.doubts import Doubts, lookup, plain
from flowlab.run.state.losses import Lost
from flowlab.run.state.order import Find, sort_key


class Network:
    """One context's Inputs."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nodes = layout.nodes
        self.slots = layout.slots
        self.cells: list[dict[int, Any]] = [{} for _ in layout.slots]
        self.elements = Elements(layout.shapes)
        self.keys: dict[int, dict[Any, int]] = {}
        self.found: dict[int, list[tuple[int, int, int, int]]] = {}
        self.groups: dict[tuple[int, int, int], list[int]] = {}
        self.ranked: dict[int, tuple[int, list[Any]]] = {}
        self.doubts: Doubts | None = None
        self.left: dict[tuple[int, int], int] = {}

    def _put(self, number: int, element: int, value: Any) -> None:
        raise NotImplementedError

    def _attempt(self, node: Node, element: int) -> None:
        raise NotImplementedError

    def _settle(self) -> None:
        raise NotImplementedError

    def amiss(self, node: Node, element: int, slot: Slot, error: Exception) -> None:
        """A value of a call that has ended turned out to be none."""
        raise NotImplementedError

    def preset(self, number: int, value: Any) -> None:
        """An Input of a plain plan is there already; nothing is tried for it."""
        self.cells[number][ROOT] = value

    def resume(self, finished: set[int]) -> None:
        """Try every call of a plain plan that is not among the finished."""
        for node in self.nodes:
            if (
                node.number not in finished
                and (node.trigger < 0 or ROOT in self.cells[node.trigger])
                and not node.dormant
            ):
                self._attempt(node, ROOT)
        self._settle()

    def leave(self, number: int, element: int) -> None:
        """One of several consumers of an Input has ended; the last one lets it go, but not why it is missing."""
        left = self.left.pop((number, element), self.slots[number].users) - 1
        if left:
            self.left[number, element] = left
        else:
            self._drop(number, element)

    def clear(self, node: Node, element: int) -> None:
        """A collect has its complete lists: let go of what nobody takes any more; why others are missing stays."""
        for take in node.takes:
            if take.inside:
                among = self.groups.pop((node.number, take.slot, element), ())
                for at in among if take.last else ():
                    self._drop(take.slot, at)
        for number in node.clears:
            if node.shape != ROOT:
                self.leave(number, element)
                continue
            left = self.left[number, -1] = self.left.get((number, -1), self.slots[number].users) - 1
            if not left:
                self._drop_all(number)

    def _drop(self, number: int, element: int) -> None:
        if type(self.cells[number].get(element)) is not Lost:
            self.cells[number].pop(element, None)

    def _drop_all(self, number: int) -> None:
        cells = self.cells[number]
        found = {at: value for at, value in cells.items() if type(value) is Lost}
        cells.clear()
        cells.update(found)

    def forget(self) -> None:
        """Let go of the values that nobody asked for; why others are missing stays known."""
        for slot, cells in zip(self.slots, self.cells, strict=True):
            if cells and not slot.kept:
                self._drop_all(slot.number)
        self.keys.clear()

    def _find(self, number: int, value: Any, maker: int, element: int, place: int) -> None:
        """A value of a definition with an axis of its own: a new element, unless it is unique and known."""
        slot = self.slots[number]
        if not slot.definition.unique:
            self.add(number, None, None, value, (maker, element, place))
            return
        key, known = lookup(slot.definition, self.keys.setdefault(number, {}), value)
        if known is None and maker >= 0 and not (slot.definition.unique is True and plain(value)):
            doubts = self.doubts = self.doubts or Doubts(self)
            if not doubts.passes(slot, element):
                doubts.wait(number, key, value, (maker, element, place))
                return
        self.add(number, key, known, value, (maker, element, place))

    def add(self, number: int, key: Any, known: int | None, value: Any, find: Find) -> None:
        """Note who found a value; it is a new element if none is known that equals it."""
        axis = self.slots[number].own
        if known is not None:
            self.found[axis].append((known, *find))
            return
        known = len(self.elements.parent[axis])
        if self.slots[number].definition.unique:
            self.keys[number][key] = known
        self.found.setdefault(axis, []).append((known, *find))
        self._new(axis, ROOT, known, ((number, value),))

    def _new(self, axis: int, parent: int, place: Any, values: Any) -> None:
        elements = self.elements
        element = elements.add(axis, parent, place)
        joiners = self.layout.joiners.get(axis)
        if joiners:
            joined = [(shape, at) for shape in joiners for at in self._join(shape, axis, element)]
            for shape, at in joined:  # only when all are joined: what follows may look up any of them
                for node in self.layout.by_shape.get(shape, ()):
                    self._attempt(self.nodes[node], at)
                for node in self.layout.factors.get(shape, ()):
                    self._multiply(self.nodes[node], shape, at)
        for number, value in values:
            self._put(number, element, value)
        layout = self.layout
        if layout.by_shape:
            for number in layout.by_shape.get(layout.below[axis], ()):
                self._attempt(self.nodes[number], element)
        if layout.factors:
            for number in layout.factors.get(layout.below[axis], ()):
                self._multiply(self.nodes[number], layout.below[axis], element)

    def _join(self, number: int, axis: int, element: int) -> list[int]:
        """Combine a new element with those of the other leaves that agree with it on every axis they share."""
        shapes = self.layout.shapes
        elements = self.elements
        leaves = shapes.shapes[number].leaves
        below = [shapes.below(leaf) for leaf in leaves]
        combinations: list[tuple[int, ...]] = [()]
        for position, leaf in enumerate(leaves):
            candidates = [element] if leaf == axis else range(len(elements.parent[leaf]))
            longer = []
            for parts in combinations:
                for candidate in candidates:
                    if all(self._agree(below[k], parts[k], below[position], candidate) for k in range(position)):
                        longer.append((*parts, candidate))
            combinations = longer
        return [elements.join(number, parts) for parts in combinations]

    def _multiply(self, node: Node, shape: int, element: int) -> None:
        """Combine a new element of one of a product's factors with all elements of the others."""
        axis = self.layout.products[node.number]
        factors = [self.slots[take.slot].shape for take in node.takes if not (take.condition or take.collected)]
        for position, factor in enumerate(factors):
            if factor != shape:
                continue
            combinations: list[tuple[int, ...]] = [()]
            for other, other_shape in enumerate(factors):
                if other == position:
                    candidates: Any = (element,)
                elif other_shape == shape:
                    candidates = range(element if other < position else element + 1)
                else:
                    candidates = range(self.elements.count(other_shape))
                combinations = [(*parts, candidate) for parts in combinations for candidate in candidates]
            for parts in combinations:
                self._new(axis, ROOT, parts, ())

    def _agree(self, one: int, left: int, other: int, right: int) -> bool:
        shapes = self.layout.shapes
        shared = shapes.shapes[one].axes & shapes.shapes[other].axes
        if not shared:
            return True
        meeting = shapes.shape(shared)
        follow = self.elements.follow
        return follow(shapes.path(one, meeting), left) == follow(shapes.path(other, meeting), right)

    def listed(self, number: int, shape: int = ROOT, element: int = ROOT, among: list[int] | None = None) -> list[Any]:
        """The values of a slot below an element, in the order of their places on its axes.

        Args:
            among: The slot's elements there, if they are known; else they are searched for.
        """
        slot = self.slots[number]
        cells = self.cells[number]
        shapes = self.layout.shapes
        if among is not None:
            found = [(at, cells[at]) for at in among if type(cells[at]) is not Lost]
        else:
            found = [item for item in cells.items() if type(item[1]) is not Lost]
            shared = shapes.shapes[slot.shape].axes & shapes.shapes[shape].axes
            if shared:
                meeting = shapes.shape(shared)
                here, there = shapes.path(slot.shape, meeting), shapes.path(shape, meeting)
                follow = self.elements.follow
                wanted = follow(there, element)
                found = [item for item in found if follow(here, item[0]) == wanted]
        key = sort_key(self, slot)
        if key is None:
            found.sort(key=_first)
        else:
            found.sort(key=lambda item: key(item[0]))
        return [value for _, value in found]


def _first(item: tuple[int, Any]) -> int:
    return item[0]
