"""Equal values of a unique definition that can be told apart (1 and 1.0, two spellings with one key): which is kept.

Whichever call ended first must not decide. So such values, once a call returned them, wait until nothing else of the
context runs or is ready; then the first by position is let in. What nothing tells apart (texts, bytes) does not wait,
nor does what a generator yields, whose elements flow on before it ends. Invariant: a list that a waiting value may
still come into is not complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowError, FlowlabError
from flowlab.graph.definition import Definition, key_of
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state.order import Find, firsts

if TYPE_CHECKING:
    from flowlab.run.state.network import Network

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


class Doubts:
    """The values that wait in one context.

    Attributes:
        calls: The calls that returned them: a node's number, and the element.
    """

    def __init__(self, state: Network) -> None:
        self.state = state
        self.values: list[tuple[int, Any, Any, Find]] = []
        self.calls: dict[tuple[int, int], None] = {}

    def wait(self, number: int, key: Any, value: Any, find: Find) -> None:
        """Keep a value of a slot until it is known which of those with its key comes first."""
        self.values.append((number, key, value, find))
        self.calls[find[:2]] = None

    def resolve(self) -> list[tuple[int, int]]:
        """Let the first of each key in; the calls that nothing waits of any more come back."""
        state = self.state
        values, self.values = self.values, []
        calls, self.calls = self.calls, {}
        fresh: dict[tuple[int, int], list[tuple[Any, Find]]] = {}
        counts: dict[int, int] = {}
        for number, key, value, find in values:
            axis = state.slots[number].own
            keys = state.keys[number]
            try:
                known = keys.get(key)
            except Exception as error:
                raise incomparable(state.slots[number].definition, value, error) from error
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
