"""Which Inputs are let go when, as nobody takes them any more: those that nobody asked for, without counting where that
costs a call anything.

An Input with one call a consumer goes with the last of those. What many calls take (a value from outside an `expand`,
what a list is made of) goes when a list is complete that all those calls add to, as none of them can come any more.
What is neither stays until the run's end, and so does what an alternative or a cleanup may still take.
"""

from __future__ import annotations

from flowlab.graph.definition import MISSING
from flowlab.run.layout.layout import Layout, Node, Slot
from flowlab.run.layout.shapes import ROOT


class Freeing:
    """Works out what the nodes of a layout let go; who feeds which list is known."""

    def __init__(self, made: Layout) -> None:
        self.made = made

    def build(self) -> None:
        """Fill in the nodes' `frees` and `clears`, and which lists are taken for the last time."""
        users: dict[int, dict[int, Node]] = {}
        for node in self.made.nodes:
            for take in node.takes:
                users.setdefault(take.slot, {})[node.number] = node
        for number, found in users.items():
            slot = self.made.slots[number]
            if slot.kept or slot.contested:
                continue
            nodes = list(found.values())
            if any(node.dormant or node.product or node.operation.stage == "cleanup" for node in nodes):
                continue
            if all(self._once(node, slot) for node in nodes):
                slot.users = len(nodes)
                for node in nodes:
                    looks = len(nodes) > 1 or any(t.default is not MISSING for t in node.takes if t.slot == number)
                    node.frees = (*node.frees, ~number if looks else number)
            else:
                self._with_lists(slot, nodes)

    def _once(self, node: Node, slot: Slot) -> bool:
        """Whether one call of a node takes each Input of a slot."""
        return all(take.path is None and not take.collected for take in node.takes if take.slot == slot.number)

    def _with_lists(self, slot: Slot, users: list[Node]) -> None:
        """Have a slot's Inputs let go by collects, if all who take them are collects or add to their lists."""
        if len(users) == 1 and self._inside(users[0], slot):
            return
        for shape in dict.fromkeys((slot.shape, ROOT)):
            collects = [node for node in self.made.nodes if node.collects and node.shape == shape and not node.product]
            chosen: dict[int, Node] = {}
            for user in users:
                lists = {user.number, *(number for number, _ in user.feeds)}
                found = [node for node in collects if node.number in lists and not node.dormant]
                if not found or (shape != ROOT and any(t.slot == slot.number and t.collected for t in found[0].takes)):
                    break
                chosen[found[0].number] = found[0]
            else:
                slot.users = len(chosen)
                for node in chosen.values():
                    node.clears = (*node.clears, slot.number)
                return

    def _inside(self, node: Node, slot: Slot) -> bool:
        """Whether only one collect takes a slot's Inputs, each in the list of one element."""
        takes = [take for take in node.takes if take.slot == slot.number]
        if not all(take.collected and take.inside for take in takes):
            return False
        takes[0].last = True
        return True
