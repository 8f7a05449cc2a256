"""Which maker makes an Input where several could: the plan is made again without those that failed.

A failure waits in limbo until nothing else of its context runs or is ready; then all failures are decided together.
So what is chosen does not depend on which of two calls failed first. Invariant: an Input has a value from the maker
chosen for it, and from no other; what another made is kept in case it is chosen later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlab.graph.definition import MISSING
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state.losses import Loss, Lost

if TYPE_CHECKING:
    from flowlab.planning import Plan
    from flowlab.run.layout.layout import Node, Slot
    from flowlab.run.state.state import State


class Choices:
    """The choices of one context."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.chosen: dict[tuple[int, int], int] = {}
        self.spare: dict[tuple[int, int, int], Any] = {}
        self.limbo: list[tuple[Slot, Node, int, Loss]] = []
        self.kept: set[tuple[int, int]] = set()
        self.gone: dict[tuple[int, int], Loss] = {}
        self.out: set[int] = set()
        self.active: set[tuple[int, int]] = set()
        self.everywhere: set[int] = set()
        self.accepted: dict[int, set[int]] = {}
        self.abandoned: dict[tuple[int, int], Loss] = {}
        self.added: set[tuple[int, int]] = set()
        self.parts: dict[tuple[int, int], dict[int, Any]] = {}

    def awake(self, node: Node, element: int) -> bool:
        """Whether a call of a maker that was not chosen at first is wanted now."""
        return node.number in self.everywhere or (node.number, element) in self.active

    def keeps(self, node: Node, element: int) -> bool:
        """Whether a failed call's place in lists is kept until its failure is decided."""
        return (node.number, element) in self.kept

    def maker(self, slot: Slot, element: int) -> int:
        """The maker chosen for an Input now."""
        found = self.chosen.get((slot.number, element))
        if found is not None:
            return found
        return slot.makers[0] if slot.makers else -1

    # what makers deliver

    def offer(self, slot: Slot, node: Node, element: int, value: Any) -> None:
        """A maker has a value."""
        if slot.combines:
            self._part(slot, node, element, value)
        elif self.maker(slot, element) == node.number and not self._there(slot, element):
            self._accept(slot, node.number, element, value)
        else:
            self.spare[slot.number, element, node.number] = value

    def _there(self, slot: Slot, element: int) -> bool:
        """Whether an Input was made, or for a slot with an axis of its own, what this element adds to it."""
        return (slot.number, element) in self.added if slot.own >= 0 else element in self.state.cells[slot.number]

    def _accept(self, slot: Slot, maker: int, element: int, value: Any, ends: bool = True) -> None:
        """Take a maker's value.

        Args:
            ends: Its call ends with it; else it ended before, and has to keep a place in lists again if it waits.
        """
        self.accepted.setdefault(slot.number, set()).add(maker)
        if slot.own >= 0:
            self.added.add((slot.number, element))
            self.state._find(slot.number, value, maker, element, 0)
            if not ends and self.state.doubts is not None and (maker, element) in self.state.doubts.calls:
                self.state.feed(self.state.nodes[maker], element)
        else:
            self.state._put(slot.number, element, value)

    def lose(self, slot: Slot, node: Node, element: int, loss: Loss) -> None:
        """A maker will not deliver."""
        self.gone[node.number, element] = loss
        self.out.add(node.number)
        if slot.combines:
            self._part(slot, node, element, Lost(loss))
        elif self.maker(slot, element) == node.number:
            self.limbo.append((slot, node, element, loss))
            self.kept.add((node.number, element))

    def _part(self, slot: Slot, node: Node, element: int, value: Any) -> None:
        parts = self.parts.setdefault((slot.number, element), {})
        parts[node.number] = value
        if len(parts) < len(slot.combines):
            return
        state = self.state
        del self.parts[slot.number, element]
        good = [(maker, parts[maker]) for maker in slot.combines if type(parts[maker]) is not Lost]
        if not good:
            losses = [parts[maker].loss for maker in slot.combines]
            state.give_up(slot.number, element, next((x for x in losses if x.error is not None), losses[0]))
            return
        try:
            value = slot.definition.combine([part for _, part in good])  # type: ignore[misc]
        except Exception as error:
            loss = Loss(slot.definition.name, element, error)
            state.problems.append(loss)
            state.give_up(slot.number, element, loss)
            return
        self.accepted.setdefault(slot.number, set()).update(maker for maker, _ in good)
        state._put(slot.number, element, value)

    # deciding

    def resolve(self) -> None:
        """Decide all failures in limbo: plan again without what failed."""
        limbo, self.limbo = self.limbo, []
        state = self.state
        decided: set[tuple[int, int]] = set()
        for slot, _, element, loss in limbo:
            plan = state.layout.replan(self._without(slot.over, element))
            name = slot.definition.name
            if not self._choose(slot, element, plan):
                if name in plan.costs and name not in plan.makers:
                    self.abandoned[slot.number, element] = loss
                else:
                    state.give_up(slot.number, element, loss)
            if (slot.over, element) not in decided:
                decided.add((slot.over, element))
                self._switch(slot, element, plan)
        for _, node, element, _ in limbo:
            if (node.number, element) in self.kept:
                self.kept.discard((node.number, element))
                state.unfeed(node, element)

    def _without(self, shape: int, element: int) -> frozenset[str]:
        """The operations that failed for this element, or for what it is part of."""
        state = self.state
        shapes = state.layout.shapes
        axes = shapes.shapes[shape].axes
        found = []
        for number in self.out:
            node = state.nodes[number]
            if shapes.shapes[node.shape].axes <= axes:
                at = state.elements.follow(shapes.path(shape, node.shape), element)
                if (number, at) in self.gone:
                    found.append(node.name)
        return frozenset(found)

    def _choose(self, slot: Slot, element: int, plan: Plan) -> bool:
        makers = plan.makers.get(slot.definition.name, ())
        if not makers:
            return False
        number = self.state.layout.node_of.get(makers[0])
        if number is None or number not in (*slot.makers, *slot.others) or (number, element) in self.gone:
            return False
        self.chosen[slot.number, element] = number
        self.abandoned.pop((slot.number, element), None)
        self._wake(slot, number, element, plan)
        return True

    def _switch(self, slot: Slot, element: int, plan: Plan) -> None:
        """Choose again for every other Input that the same failure touches and that is still missing."""
        state = self.state
        shapes = state.layout.shapes
        axes = shapes.shapes[slot.over].axes
        for other in state.slots:
            if not other.contested or other.combines or other is slot or not axes <= shapes.shapes[other.over].axes:
                continue
            makers = plan.makers.get(other.definition.name, ())
            number = state.layout.node_of.get(makers[0], -1) if makers else -1
            if number < 0:
                continue
            elements: Any = [element] if other.over == slot.over else range(state.elements.count(other.over))
            path = shapes.path(other.over, slot.over)
            for at in elements:
                if self._there(other, at) or self.maker(other, at) == number:
                    continue
                if other.over == slot.over or state.elements.follow(path, at) == element:
                    self._choose(other, at, plan)

    def _wake(self, slot: Slot, number: int, element: int, plan: Plan) -> None:
        """Have a maker run for an element, and the makers of what it takes."""
        state = self.state
        todo = [(number, element)]
        started: list[tuple[int, int]] = []
        value = self.spare.pop((slot.number, element, number), MISSING)
        if value is not MISSING:
            self._accept(slot, number, element, value, ends=False)
            return
        while todo:
            number, element = todo.pop()
            node = state.nodes[number]
            if not node.dormant or (number, element) in self.active or number in self.everywhere:
                continue
            self.active.add((number, element))
            started.append((number, element))
            if node.shape == ROOT and node.feeds:
                for collect, _ in node.feeds:
                    state.busy[collect] += 1
            for take in node.takes:
                source = state.slots[take.slot]
                for maker in self._makers(source, plan):
                    beyond = state.layout.shapes.shapes[state.nodes[maker].shape].axes - (
                        state.layout.shapes.shapes[node.shape].axes
                    )
                    if take.collected or source.own >= 0 or beyond:
                        started.extend(self._wake_everywhere(maker, plan))
                    else:
                        at = element if take.path is None else state.elements.follow(take.path, element)
                        if source.contested and not source.combines and at not in state.cells[source.number]:
                            self.chosen[source.number, at] = maker
                        if state.nodes[maker].axis >= 0:
                            at = state.elements.parent[state.nodes[maker].axis][at] if source.order else at
                        todo.append((maker, at))
        for number, element in reversed(started):
            node = state.nodes[number]
            if node.trigger < 0 or element in state.cells[node.trigger]:
                state._attempt(node, element)

    def _makers(self, slot: Slot, plan: Plan) -> list[int]:
        names = plan.makers.get(slot.definition.name, ())
        return [self.state.layout.node_of[name] for name in names if name in self.state.layout.node_of]

    def _wake_everywhere(self, number: int, plan: Plan) -> list[tuple[int, int]]:
        """Have a maker and all it needs run for every element, there now or later."""
        state = self.state
        started: list[tuple[int, int]] = []
        todo = [number]
        while todo:
            number = todo.pop()
            node = state.nodes[number]
            if not node.dormant or number in self.everywhere:
                continue
            self.everywhere.add(number)
            new = [(number, at) for at in range(state.elements.count(node.shape)) if (number, at) not in self.active]
            if node.shape == ROOT and new:
                for collect, _ in node.feeds:
                    state.busy[collect] += 1
            started.extend(new)
            for take in node.takes:
                todo.extend(self._makers(state.slots[take.slot], plan))
        return started
