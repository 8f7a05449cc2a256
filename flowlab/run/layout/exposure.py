"""Which lists an unfinished call can still add to, and which lists a lost one is missing from."""

from __future__ import annotations

from collections.abc import Iterable

from flowlab.run.layout.layout import Layout
from flowlab.run.layout.shapes import ROOT, Path


class Exposure:
    """Works out what concerns the collects of a layout."""

    def __init__(self, made: Layout) -> None:
        self.made = made

    def _deep(self, axes: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        todo = list(axes)
        while todo:
            axis = todo.pop()
            if axis not in found:
                found.add(axis)
                todo.extend(self.made.hidden.get(axis, ()))
        return frozenset(found)

    def build(self) -> None:
        """Fill in what concerns which list."""
        made, shapes = self.made, self.made.shapes
        feeds: dict[int, list[tuple[int, Path | None]]] = {}
        exposed: dict[int, list[tuple[int, Path | None]]] = {}
        losing: dict[int, list[tuple[int, Path | None]]] = {}
        for node in made.nodes:
            if not node.collects:
                continue
            rest = shapes.shapes[node.shape].axes
            for take in node.takes:
                if not take.collected:
                    continue
                slot = made.slots[take.slot]
                inside = rest <= shapes.shapes[slot.shape].axes
                take.inside = inside and bool(rest)
                exposed.setdefault(take.slot, []).append(
                    (node.number, shapes.path(slot.shape, node.shape) if inside and rest else None)
                )
                for axis in self._deep(slot.order) - self._deep(rest):
                    losing.setdefault(axis, []).append((node.number, None))
                cone, given = self._cone(take.slot, rest)
                for source in given:
                    made.late[source] = tuple(dict.fromkeys((*made.late.get(source, ()), node.number)))
                for upstream, within in cone.items():
                    above = made.nodes[upstream]
                    local = within and bool(rest) and rest <= shapes.shapes[above.shape].axes
                    feeds.setdefault(upstream, []).append(
                        (node.number, shapes.path(above.shape, node.shape) if local else None)
                    )
        for number, found in feeds.items():
            made.nodes[number].feeds = tuple(dict.fromkeys(found))
        for number, found in exposed.items():
            made.slots[number].exposed = tuple(found)
        made.losing = {axis: tuple(found) for axis, found in losing.items()}

    def _cone(self, slot: int, rest: frozenset[int]) -> tuple[dict[int, bool], list[int]]:
        """The nodes that can still add to a list, up to those that are settled exactly once, and the givens.

        For each node, whether it adds only to the list of its own element: not if an axis of its own lies between,
        which hides from what an element was made.
        """
        made, shapes = self.made, self.made.shapes
        found: dict[int, bool] = {}
        todo = [(slot, True)]
        seen: set[tuple[int, bool]] = set()
        while todo:
            number, within = todo.pop()
            within = within and rest <= shapes.shapes[made.slots[number].shape].axes
            if (number, within) in seen:
                continue
            seen.add((number, within))
            if within and made.slots[number].own in rest and made.slots[number].own >= 0:
                continue
            for maker in (*made.slots[number].makers, *made.slots[number].others):
                node = made.nodes[maker]
                if (within and node.axis in rest and node.axis >= 0) or found.get(maker) in (within, False):
                    continue
                found[maker] = within
                if node.shape != ROOT:
                    todo.extend((take.slot, within) for take in node.takes)
        given = [
            number
            for number in dict.fromkeys(number for number, _ in seen)
            if made.slots[number].definition.name in made.plan.given
        ]
        return found, given
