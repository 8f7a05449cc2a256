"""Equal values of a unique definition that can be told apart (1 and 1.0, two spellings with one key): which is kept.

Whichever call ended first must not decide. What nothing tells apart (texts, bytes) does not wait. Where one operation
finds all values, and its calls have an order that is known while they run (a slot's `lined`), its values stand in line:
those of the first call that goes on are let in at once, also while it goes on, those of a later one when all before it
have ended. Elsewhere values wait until nothing else of the context runs or is ready; then the first by position is let
in. Invariant: a list that a waiting value may still come into is not complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowError, FlowlabError
from flowlab.graph.definition import Definition, key_of
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state.order import Find, firsts

if TYPE_CHECKING:
    from flowlab.run.layout.layout import Node, Slot
    from flowlab.run.state.network import Network

Waiting = tuple[int, Any, Any, Find]
"""A value that waits: its slot, its key, the value, and who found it."""

_PLAIN = frozenset([str, bytes, type(None)])
_NUMBERS = frozenset([int, bool])


def plain(value: Any) -> bool:
    """Whether no other value is equal to this one and yet different."""
    return type(value) in _PLAIN or (type(value) is tuple and all(map(plain, value)))


def alike(one: Any, other: Any) -> bool:
    """Whether two equal values cannot be told apart."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(alike, one, other))
    return one is other or ((type(one) in _PLAIN or type(one) in _NUMBERS) and bool(one == other))


def lookup(definition: Definition, keys: dict[Any, int], value: Any) -> tuple[Any, int | None]:
    """The key of a value of a unique definition, and the element that has it already.

    Raises:
        FlowError: The value, or its key, cannot be compared.
    """
    try:
        key = key_of(definition, value)
        return key, keys.get(key)
    except FlowlabError:
        raise
    except Exception as error:
        raise incomparable(definition, value, error) from error


def incomparable(definition: Definition, value: Any, error: Exception) -> FlowError:
    """What is said if comparing a value raises."""
    return FlowError(
        f"a {type(value).__name__} cannot be compared for unique definition {definition.name!r}: "
        f"{type(error).__name__} was raised; see its __eq__ and __hash__, or give it a key, unique=function"
    )


class Line:
    """The calls that find the values of one slot, in their order.

    Attributes:
        at: The element of the first call that has not ended.
        ended: The elements of later calls that have.
        values: What those found, by element.
        sure: Elements are in the order of their positions; else, on a cycle, what did not wait came between.
        read, known, latest: How many finds on a cycle were looked at for that, how many elements they made, and by
            whose call the last.
    """

    __slots__ = ("at", "ended", "known", "latest", "read", "sure", "values")

    def __init__(self) -> None:
        self.at = 0
        self.ended: set[int] = set()
        self.values: dict[int, list[Waiting]] = {}
        self.sure = True
        self.read = self.known = self.latest = 0


class Doubts:
    """The values that wait in one context.

    Attributes:
        calls: How many values wait of each call that found them: a node's number, and the element.
    """

    def __init__(self, state: Network) -> None:
        self.state = state
        self.values: list[Waiting] = []
        self.calls: dict[tuple[int, int], int] = {}
        self.lines: dict[int, Line] = {}

    def line(self, number: int) -> Line:
        """Where the calls that find a slot's values stand."""
        found = self.lines.get(number)
        if found is None:
            found = self.lines[number] = Line()
        return found

    def passes(self, slot: Slot, element: int) -> bool:
        """Whether a value that others may equal, and is not known yet, may be let in as it comes."""
        if not slot.lined:
            return False
        line = self.line(slot.number)
        if slot.own in self.state.layout.shapes.shapes[self.state.nodes[slot.makers[0]].shape].axes:
            line.sure = line.sure and self._in_order(slot.own, line)
        return line.sure and element == line.at

    def _in_order(self, axis: int, line: Line) -> bool:
        """Whether what was found on a cycle has come in its order; what did not wait may have come before its turn."""
        finds = self.state.found[axis]
        for known, maker, element, _ in finds[line.read :]:
            if known == line.known:
                line.known += 1
                if maker >= 0 and element < line.latest:
                    return False
                line.latest = max(line.latest, element)
        line.read = len(finds)
        return line.latest <= line.at

    def wait(self, number: int, key: Any, value: Any, find: Find) -> None:
        """Keep a value of a slot until it is known which of those with its key comes first."""
        waiting = (number, key, value, find)
        line = self.lines.get(number)
        if line is not None and line.sure:
            line.values.setdefault(find[1], []).append(waiting)
        else:
            self.values.append(waiting)
        self.calls[find[:2]] = self.calls.get(find[:2], 0) + 1

    def ended(self, node: Node, element: int, slots: tuple[int, ...]) -> list[int]:
        """A call that stands in line for these slots is over; the elements of those that nothing waits of any more."""
        over = []
        for number in slots:
            line = self.line(number)
            if element != line.at:
                line.ended.add(element)
                continue
            while True:
                line.at += 1
                free = line.at in line.values and self._let_in(node, line)
                if line.at not in line.ended:
                    break
                line.ended.remove(line.at)
                if free:
                    over.append(line.at)
        return over

    def _let_in(self, node: Node, line: Line) -> bool:
        """Let in what a call found that is the first now; whether nothing more of it waits."""
        state = self.state
        values = line.values.pop(line.at)
        for number, key, value, find in values:
            try:
                known = state.keys[number].get(key)
            except Exception as error:
                self._amiss(number, value, find, error)
            else:
                state.add(number, key, known, value, find)
        self.calls[node.number, line.at] -= len(values)
        if self.calls[node.number, line.at]:
            return False
        del self.calls[node.number, line.at]
        return True

    def _amiss(self, number: int, value: Any, find: Find, error: Exception) -> None:
        """A value that waited cannot be compared: the call that found it failed, though it has ended."""
        slot = self.state.slots[number]
        failure = incomparable(slot.definition, value, error)
        failure.__cause__ = error
        self.state.amiss(self.state.nodes[find[0]], find[1], slot, failure)

    def resolve(self) -> list[tuple[int, int]]:
        """Let the first of each key in; the calls that nothing waits of any more come back."""
        state = self.state
        values, self.values = self.values, []
        for line in self.lines.values():
            for element in sorted(line.values):
                values += line.values[element]
            line.values.clear()
        calls, self.calls = self.calls, {}
        fresh: dict[tuple[int, int], list[tuple[Any, Find]]] = {}
        counts: dict[int, int] = {}
        for number, key, value, find in values:
            axis = state.slots[number].own
            keys = state.keys[number]
            try:
                known = keys.get(key)
            except Exception as error:
                self._amiss(number, value, find, error)
                continue
            if known is None:
                counts.setdefault(number, len(state.elements.parent[axis]))
                known = keys[key] = counts[number]
                counts[number] += 1
                fresh[number, known] = []
            state.found.setdefault(axis, []).append((known, *find))
            if (number, known) in fresh:
                fresh[number, known].append((value, find))
        for (number, known), found in self._settled(fresh).items():
            state._new(state.slots[number].own, ROOT, known, ((number, found),))
        return list(calls)

    def _settled(self, fresh: dict[tuple[int, int], list[tuple[Any, Find]]]) -> dict[tuple[int, int], Any]:
        """The value of each new element: the one found first; looked for only where that makes a difference."""
        settled = {at: found[0][0] for at, found in fresh.items()}
        unclear = {
            at: {find: value for value, find in found}
            for at, found in fresh.items()
            if not all(alike(found[0][0], value) for value, _ in found)
        }
        for axis, number in {self.state.slots[number].own: number for number, _ in unclear}.items():
            for own, known, find in firsts(self.state, axis):
                if own == axis and (number, known) in unclear:
                    settled[number, known] = unclear[number, known].get(find, settled[number, known])
        return settled
