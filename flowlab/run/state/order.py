"""The order of Inputs: by position on their axes, in parameter order, never by the time they were made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flowlab.run.layout.shapes import Path

if TYPE_CHECKING:
    from flowlab.run.layout.layout import Slot
    from flowlab.run.state.network import Network

Key = Callable[[int], tuple[Any, ...]]
At = tuple[int, int]
"""An axis, and an element of it."""
Find = tuple[int, int, int]
"""Who found an element: a node (-1 for what was given), the call's element, and the place in what it returned."""


def sort_key(state: Network, slot: Slot) -> Key | None:
    """A key that sorts a slot's elements; None if their numbers are in order already."""
    return key_for(state, slot.shape, slot.order)


def key_for(state: Network, shape: int, order: tuple[int, ...]) -> Key | None:
    """A key that sorts the elements of a shape by their places on these axes."""
    shapes = state.layout.shapes
    elements = state.elements
    if len(order) == 1 and shapes.axes[order[0]].name.startswith("given:"):
        return None
    parts: list[tuple[Path, Any]] = []
    for axis in order:
        name = shapes.axes[axis].name
        path = shapes.path(shape, shapes.below(axis))
        if name.startswith("own:"):
            parts.append((path, _kept(state, axis, ranks, sum(map(len, state.found.values())))))
        elif name.startswith("product:"):
            parts.append((path, _kept(state, axis, product_places, len(elements.place[axis]))))
        else:
            parts.append((path, elements.place[axis]))
    if len(parts) == 1 and not parts[0][0]:
        places = parts[0][1]
        return lambda element: (places[element],)
    follow = elements.follow
    return lambda element: tuple(places[follow(path, element)] for path, places in parts)


def _kept(state: Network, axis: int, work: Callable[[Network, int], list[Any]], size: int) -> list[Any]:
    """Work out an axis's places again only if it has grown since."""
    known = state.ranked.get(axis)
    if known is None or known[0] != size:
        known = state.ranked[axis] = (size, work(state, axis))
    return known[1]


def product_factors(state: Network, axis: int) -> list[Slot]:
    """The slots that a product's elements are made of, in parameter order."""
    number = next(node for node, own in state.layout.products.items() if own == axis)
    return [state.slots[take.slot] for take in state.nodes[number].takes if not (take.condition or take.collected)]


def product_places(state: Network, axis: int) -> list[Any]:
    """The places of a product's elements: those of its parameters' elements, in parameter order."""
    slots = product_factors(state, axis)
    keys = [key_for(state, slot.shape, slot.order) if slot.order else None for slot in slots]
    return [
        tuple((part,) if key is None else key(part) for key, part in zip(keys, parts, strict=True))
        for parts in state.elements.place[axis]
    ]


def ranks(state: Network, axis: int) -> list[int]:
    """The place of each element of an axis of its own: breadth-first from the seeds, then by finder, then by index."""
    result = [-1] * len(state.elements.parent[axis])
    count = 0
    for own, number, _ in firsts(state, axis):
        if own == axis:
            result[number] = count
            count += 1
    return result


def firsts(state: Network, axis: int) -> Iterator[tuple[int, int, Find]]:
    """For each element of an axis of its own, and of those it is on a cycle with, in their order: its first find."""
    tied = _tied(state, axis)
    begun: list[tuple[Any, ...]] = []
    waiting: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    left: dict[tuple[Any, ...], int] = {}
    for own in tied:
        for number, maker, element, place in state.found.get(own, ()):
            sources, rank = _origin(state, tied, own, maker, element)
            find = (rank, tuple(sources), place, own, number, maker, element)
            if sources:
                left[find] = len(set(sources))
            else:
                begun.append(find)
            for source in set(sources):
                waiting.setdefault(source, []).append(find)
    turns: dict[At, int] = {}
    todo: deque[list[tuple[Any, ...]]] = deque([begun])
    while todo:
        batch = todo.popleft()
        batch.sort(key=lambda find: (find[0], [turns[source] for source in find[1]], find[2:]))
        for _, _, place, own, number, maker, element in batch:
            if (own, number) in turns:
                continue
            turns[own, number] = len(turns)
            yield own, number, (maker, element, place)
            todo.append(_complete(waiting.get((own, number), ()), left))


def _complete(finds: Iterable[tuple[Any, ...]], left: dict[tuple[Any, ...], int]) -> list[tuple[Any, ...]]:
    """The finds for which one more element is there that they came from, if it was the last of them."""
    done = []
    for find in finds:
        left[find] -= 1
        if not left[find]:
            done.append(find)
    return done


def _tied(state: Network, axis: int) -> list[int]:
    """The axes of their own whose elements find each other, this one among them."""
    hidden = state.layout.hidden

    def reach(start: int) -> set[int]:
        seen: set[int] = set()
        todo = [start]
        while todo:
            current = todo.pop()
            news = hidden.get(current, frozenset()) - seen
            above = state.layout.shapes.shapes[state.layout.shapes.axes[current].above].axes - seen
            seen |= news | above
            todo.extend(news | above)
        return seen

    return [
        other
        for other in range(len(state.layout.shapes.axes))
        if other == axis or ((other in reach(axis) and axis in reach(other)) and other in state.found)
    ]


def _origin(state: Network, tied: list[int], own: int, maker: int, element: int) -> tuple[list[At], tuple[Any, ...]]:
    """The elements of the cycle that a find came from (none from outside it; in parameter order, where a product made
    it), and the find's rank among its others."""
    if maker < 0:
        return [], (0, "", ())
    node = state.nodes[maker]
    shapes, elements = state.layout.shapes, state.elements
    sources: list[At] = []
    places: list[Any] = []
    todo = deque([(node.shape, element)])
    while todo:
        shape, at = todo.popleft()
        for axis in sorted(shapes.shapes[shape].axes):
            below = shapes.below(axis)
            here = elements.follow(shapes.path(shape, below), at)
            name = shapes.axes[axis].name
            if axis in tied:
                sources.append((axis, here))
            elif name.startswith("product:"):
                factors = product_factors(state, axis)
                parts = elements.place[axis][here]
                todo.extend((slot.shape, part) for slot, part in zip(factors, parts, strict=True))
            else:
                key = key_for(state, below, (axis,))
                places.append((here,) if key is None else key(here))
    return sources, (1, state.layout.finders.get(own, node.name), tuple(places))
