"""Axes and shapes: over what a definition's values range, worked out once for a plan.

An axis is what an `expand`, a given many, a unique definition or a product ranges over. A shape is a set of axes; an
element of a shape is one position on each of them. Elements are ints: those of a shape with one leaf (an axis below
no other of its axes) are the leaf's own, those of a shape with several leaves are numbered as they are joined.
Nothing here holds values. Invariant: with an axis, a shape has all axes above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROOT = 0
UP, PART, BUILD, PICK = 0, 1, 2, 3
Path = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its number, its name, and the shape its elements are below (the root for an axis of its own)."""

    number: int
    name: str
    above: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A set of axes, its leaves, and whether its elements have to be joined."""

    number: int
    axes: frozenset[int]
    leaves: tuple[int, ...]

    @property
    def joined(self) -> bool:
        """Whether elements are combinations of several leaves' elements."""
        return len(self.leaves) > 1


class Shapes:
    """All axes and shapes of one layout, each made once."""

    def __init__(self) -> None:
        self.axes: list[Axis] = []
        self.shapes: list[Shape] = [Shape(ROOT, frozenset(), ())]
        self._by_axes: dict[frozenset[int], int] = {frozenset(): ROOT}
        self._by_name: dict[str, int] = {}
        self._paths: dict[tuple[int, int], Path] = {}

    def axis(self, name: str, above: int = ROOT) -> int:
        """The number of an axis, made if need be."""
        number = self._by_name.get(name)
        if number is None:
            number = self._by_name[name] = len(self.axes)
            self.axes.append(Axis(number, name, above))
        return number

    def shape(self, axes: frozenset[int]) -> int:
        """The number of the shape with these axes and all above them."""
        number = self._by_axes.get(axes)
        if number is not None:
            return number
        closed = set(axes)
        for axis in axes:
            closed |= self.shapes[self.axes[axis].above].axes
        whole = frozenset(closed)
        number = self._by_axes.get(whole)
        if number is None:
            covered = {above for axis in whole for above in self.shapes[self.axes[axis].above].axes}
            number = len(self.shapes)
            self.shapes.append(Shape(number, whole, tuple(sorted(whole - covered))))
            self._by_axes[whole] = number
        self._by_axes[axes] = number
        return number

    def below(self, axis: int) -> int:
        """The shape whose only leaf is this axis."""
        return self.shape(self.shapes[self.axes[axis].above].axes | {axis})

    def path(self, source: int, target: int) -> Path:
        """The steps from an element of one shape to the element of a smaller shape that it is part of."""
        key = (source, target)
        found = self._paths.get(key)
        if found is None:
            found = self._paths[key] = self._find(source, target)
        return found

    def _find(self, source: int, target: int) -> Path:
        if source == target:
            return ()
        start, end = self.shapes[source], self.shapes[target]
        if not start.joined:
            leaf = start.leaves[0]
            return ((UP, leaf), *self.path(self.axes[leaf].above, target))
        for position, leaf in enumerate(start.leaves):
            single = self.below(leaf)
            if end.axes <= self.shapes[single].axes:
                return ((PART, source, position), *self.path(single, target))
        parts = tuple(self.path(source, self.below(leaf)) for leaf in end.leaves)
        return ((BUILD, target, parts),)


class Elements:
    """The elements of all shapes in one context, and how they hang together."""

    __slots__ = ("ids", "parent", "parts", "place", "shapes")

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.parent: list[list[int]] = [[] for _ in shapes.axes]
        self.place: list[list[Any]] = [[] for _ in shapes.axes]
        self.parts: list[list[tuple[int, ...]]] = [[] for _ in shapes.shapes]
        self.ids: list[dict[tuple[int, ...], int]] = [{} for _ in shapes.shapes]

    def add(self, axis: int, parent: int, place: Any) -> int:
        """Add an element to an axis and return its number."""
        parents = self.parent[axis]
        parents.append(parent)
        self.place[axis].append(place)
        return len(parents) - 1

    def join(self, shape: int, parts: tuple[int, ...]) -> int:
        """Add an element to a joined shape and return its number."""
        found = self.parts[shape]
        number = self.ids[shape][parts] = len(found)
        found.append(parts)
        return number

    def count(self, shape: int) -> int:
        """How many elements a shape has."""
        found = self.shapes.shapes[shape]
        if not found.leaves:
            return 1
        return len(self.parts[shape]) if found.joined else len(self.parent[found.leaves[0]])

    def follow(self, path: Path, element: int) -> int:
        """The element a path leads to."""
        for step in path:
            kind = step[0]
            if kind == UP:
                element = self.parent[step[1]][element]
            elif kind == PART:
                element = self.parts[step[1]][element][step[2]]
            elif kind == PICK:
                element = self.place[step[1]][element][step[2]]
            else:
                element = self.ids[step[1]][tuple(self.follow(part, element) for part in step[2])]
        return element
