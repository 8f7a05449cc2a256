"""Which lists an unfinished call can still add to, and which lists a lost one is missing from."""

from __future__ import annotations

from collections.abc import Iterable

from flowlab.run.layout.layout import Layout, Meeting, Node
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
        losing: dict[int, list[tuple[int, Meeting | None]]] = {}
        missed: dict[int, list[tuple[int, Meeting | None]]] = {}
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
                missed.setdefault(take.slot, []).append((node.number, self._meeting(node, slot.shape)))
                for axis in self._deep(slot.order) - self._deep(rest):
                    whose = self._meeting(node, shapes.axes[axis].above) if axis in slot.order else None
                    losing.setdefault(axis, []).append((node.number, whose))
                cone, given = self._cone(take.slot, rest)
                for source in given:
                    made.late[source] = tuple(dict.fromkeys((*made.late.get(source, ()), node.number)))
                for upstream, within in cone.items():
                    above = made.nodes[upstream]
                    local = within and bool(rest)
                    feeds.setdefault(upstream, []).append(
                        (node.number, shapes.path(above.shape, node.shape) if local else None)
                    )
        for number, found in feeds.items():
            made.nodes[number].feeds = tuple(dict.fromkeys(found))
        for number, found in exposed.items():
            made.slots[number].exposed = tuple(dict.fromkeys(found))
        for number, lists in missed.items():
            made.slots[number].missed = tuple(dict.fromkeys(lists))
        made.losing = {axis: tuple(dict.fromkeys(lists)) for axis, lists in losing.items()}

        self._rank([node for node in made.nodes if node.collects])

    def _rank(self, collects: list[Node]) -> None:
        """Number the collects so that each has a higher rank than those that add to its lists."""
        changed = True
        while changed:
            changed = False
            for node in collects:
                for number, _ in node.feeds:
                    after = self.made.nodes[number]
                    if after is not node and after.rank <= node.rank < len(collects):
                        after.rank, changed = node.rank + 1, True

    def _meeting(self, node: Node, shape: int) -> Meeting | None:
        """The way from an element of a shape to what tells a collect's lists it concerns; None if it concerns all."""
        shapes = self.made.shapes
        shared = shapes.shapes[node.shape].axes & shapes.shapes[shape].axes
        if not shared:
            return None
        meeting = shapes.shape(shared)
        node.meetings = tuple(dict.fromkeys((*node.meetings, (meeting, shapes.path(node.shape, meeting)))))
        return meeting, shapes.path(shape, meeting)

    def _cone(self, slot: int, rest: frozenset[int]) -> tuple[dict[int, bool], list[int]]:
        """The nodes that can still add to a list, up to those that are settled exactly once, and the givens.

        For each node, whether it adds only to the list of its own element: not if an axis of its own lies between,
        which hides from what an element was made, nor if a list does that is of other elements too.
        """
        made, shapes = self.made, self.made.shapes
        found: dict[int, bool] = {}
        todo: list[tuple[int, frozenset[int] | None]] = [(slot, rest)]
        seen: set[tuple[int, frozenset[int] | None]] = set()
        while todo:
            number, over = todo.pop()
            if over is not None and not over <= shapes.shapes[made.slots[number].shape].axes:
                over = None
            if (number, over) in seen:
                continue
            seen.add((number, over))
            if over is not None and made.slots[number].own in over:
                continue
            for maker in (*made.slots[number].makers, *made.slots[number].others):
                node = made.nodes[maker]
                if over is not None and node.axis in over:
                    continue
                within = over is not None and over <= shapes.shapes[node.shape].axes
                found[maker] = within and found.get(maker, True)
                if node.shape != ROOT:
                    own = shapes.shapes[node.shape].axes
                    todo += [
                        (take.slot, over if over is None or not take.collected else over | own) for take in node.takes
                    ]
        given = [
            number
            for number in dict.fromkeys(number for number, _ in seen)
            if made.slots[number].definition.name in made.plan.given
        ]
        return found, given
