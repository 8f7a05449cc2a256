"""What becomes of Inputs that cannot be made: who lacks them, which lists miss them, what serves in their place.

Why a call failed is told here by the state; here is noted what that means. Invariant: what is missing is missed by
every list it belongs to, and said in `losses`, `refusals` or `problems`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowlab.graph.definition import MISSING
from flowlab.run.layout.layout import Layout, Meeting, Node, Slot
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state.doubts import Doubts
from flowlab.run.state.losses import Loss, Lost, serious
from flowlab.run.state.network import Network

if TYPE_CHECKING:
    from flowlab.run.state.choices import Choices


class Losing(Network):
    """One context's Inputs, and those that are missing.

    Attributes:
        damage: Why lists (of a node: all, or those of one element of a shape) or an axis (-1 - its number) lack some.
        early: The outputs of sub-flows that came before their calls ended, by slot and element.
    """

    choices: Choices | None

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.damage: dict[tuple[int, tuple[int, int] | None], list[Loss]] = {}
        self.losses: list[Loss] = []
        self.refusals: list[Loss] = []
        self.problems: list[Loss] = []
        self.early: set[tuple[int, int]] = set()

    def unfeed(self, node: Node, element: int) -> None:
        """A call adds nothing more to any list."""
        raise NotImplementedError

    def _lose(self, node: Node, element: int, loss: Loss) -> None:
        """A call's outputs cannot be made by it."""
        if loss.operation == node.name:
            if loss.error is None:
                self.refusals.append(loss)
            elif loss.on_error != "raise":
                self.losses.append(loss)
        axes = set()
        for number in node.outs:
            if number < 0 or (number, element) in self.early:
                continue
            slot = self.slots[number]
            if slot.own >= 0 and not slot.contested:
                axes.add(slot.own)
            elif node.axis < 0 and (slot.own >= 0 or element not in self.cells[number]):
                if slot.contested:
                    self.choices.lose(slot, node, element, loss)  # type: ignore[union-attr]
                else:
                    self.give_up(slot.number, element, loss)
        if node.axis >= 0:
            self._harm(node.axis, loss, element)
        for axis in axes:
            self._harm(axis, loss)
        if node.lines:
            self._past(node, element, node.lines)

    def _past(self, node: Node, element: int, slots: tuple[int, ...]) -> None:
        """A call that others stand in line behind, with what they found for these slots, is over."""
        self.doubts = self.doubts or Doubts(self)
        for after in self.doubts.ended(node, element, slots):
            self.unfeed(node, after)

    def amiss(self, node: Node, element: int, slot: Slot, error: Exception) -> None:
        """A value of a call that has ended turned out to be none: its place in lists is missed."""
        loss = Loss(node.name, element, error, node.operation.on_error)
        self.problems.append(loss)
        if loss.on_error != "raise":
            self.losses.append(loss)
        self._harm(slot.own, loss)

    def _harm(self, axis: int, loss: Loss, element: int = ROOT) -> None:
        """Elements of an axis are missing, nobody knows how many; `element` is that of the call that made none."""
        self.damage.setdefault((-1 - axis, None), []).append(loss)
        self._miss(self.layout.losing.get(axis, ()), element, loss)

    def _miss(self, lists: Iterable[tuple[int, Meeting | None]], element: int, loss: Loss) -> None:
        """Lists are not whole: of each collect all, or those that the element is told to concern."""
        for collect, whose in lists:
            at = None if whose is None else (whose[0], self.elements.follow(whose[1], element))
            self.damage.setdefault((collect, at), []).append(loss)

    def _spoilt(self, node: Node, element: int) -> Loss | None:
        """Why a collect's lists for an element fail; None if they go on with what there is."""
        if not self.damage:
            return None
        found = self.damage.get((node.number, None), [])
        for shape, path in node.meetings:
            found = found + self.damage.get((node.number, (shape, self.elements.follow(path, element))), [])
        return serious(found)

    def give_up(self, number: int, element: int, loss: Loss) -> None:
        """Nothing can make an Input: its default serves, if there is one."""
        if self.slots[number].own >= 0:
            self._harm(self.slots[number].own, loss)
            return
        default = self.slots[number].definition.default
        self._put(number, element, Lost(loss) if default is MISSING else default)
