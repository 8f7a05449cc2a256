"""Which locks a layout's calls hold: those of the lock definitions their Inputs are, or are derived from."""

from __future__ import annotations

from flowlab.run.layout.layout import Layout, Node
from flowlab.run.layout.shapes import ROOT, Path


class Locking:
    """Works out the locks of all nodes of a layout."""

    def __init__(self, made: Layout) -> None:
        self.made = made

    def build(self) -> None:
        """Fill in the nodes' locks."""
        made = self.made
        locks = {slot.number for slot in made.slots if slot.definition.lock}
        if not locks:
            return
        derived: list[frozenset[int]] = [frozenset({s.number} & locks) for s in made.slots]
        changed = True
        while changed:
            changed = False
            for node in made.nodes:
                held = frozenset().union(*(derived[take.slot] for take in node.takes))
                for number in node.outs:
                    if number >= 0 and not held <= derived[number]:
                        derived[number] |= held
                        changed = True
        for node in made.nodes:
            node.locks = self._locks(node, derived)
            node.plain = node.plain and not node.locks

    def _locks(self, node: Node, derived: list[frozenset[int]]) -> tuple[tuple[str, bool, Path | None], ...]:
        made, shapes = self.made, self.made.shapes
        if node.operation.scope is not None:
            return ()
        found: dict[tuple[str, bool, Path | None], None] = {}
        for take in node.takes:
            for number in sorted(derived[take.slot]):
                lock, slot = made.slots[number], made.slots[take.slot]
                shared = any(made.nodes[maker].operation.scope == "run" for maker in lock.makers)
                path: Path | None = None
                if lock.shape == ROOT:
                    path = shapes.path(node.shape, ROOT)
                elif not take.collected and shapes.shapes[lock.shape].axes <= shapes.shapes[slot.shape].axes:
                    path = (*(take.path or ()), *shapes.path(slot.shape, lock.shape))
                found[lock.definition.name, shared, path] = None
        return tuple(found)
