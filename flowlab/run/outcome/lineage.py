"""What a value was made of: definitions and operations, for a definition as a whole or for one element of a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowError
from flowlab.run.outcome import outcome
from flowlab.run.state.losses import Lost
from flowlab.run.state.order import Find, firsts, product_places, ranks, sort_key

if TYPE_CHECKING:
    from flowlab.run.layout.layout import Slot
    from flowlab.run.outcome.context import Context

DEEPEST = 40
"""Lines are not indented further: the lineage of a long chain would grow with its square."""
At = tuple[int, int]
"""An Input: its slot and its element."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lineage:
    """What a definition's value was made of: the operation that made it, and the lineage of what that took.

    Attributes:
        operations: The makers; none if the value was given or a default.
        places: For one element of a list, its place in what each `expand` or given list made, the outermost first;
            counted before anything was lost.
    """

    definition: str
    operations: tuple[str, ...]
    sources: tuple[Lineage, ...] = ()
    note: str = ""
    places: tuple[int, ...] = ()

    def __str__(self) -> str:
        lines: list[str] = []
        seen: set[str] = set()
        todo = [(self, 0)]
        while todo:
            one, depth = todo.pop()
            title = one.definition + "".join(f"[{place}]" for place in one.places)
            line = "  " * min(depth, DEEPEST) + title
            line += f" <- {', '.join(one.operations)}" if one.operations else f" ({one.note or 'given'})"
            if title in seen and one.sources:
                lines.append(line + " (see above)")
                continue
            seen.add(title)
            lines.append(line)
            todo.extend((source, depth + 1) for source in reversed(one.sources))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Lineage({self.definition!r}, {self.operations!r}, {len(self.sources)} sources)"


def lineage(context: Context, name: str, place: int | None = None) -> Lineage:
    """The lineage of a definition in a context, or of the value at one place of its list.

    Raises:
        FlowError: The flow knows no such definition, or it has no such place.
    """
    context.layout.graph.known(name, "lineage is asked of")
    return _whole(context, name) if place is None else _Elements(context).of(name, place)


def _whole(context: Context, name: str) -> Lineage:
    layout = context.layout
    made: dict[str, Lineage] = {}
    todo = [(name, False)]
    open_names: set[str] = set()
    ran = set(context.log.calls())
    while todo:
        current, ready = todo.pop()
        if current in made:
            continue
        makers = tuple(maker for maker in outcome.makers(context.state, current) if _ran(context, maker, ran))
        inputs = list(
            dict.fromkeys(
                taken for maker in makers for taken in layout.graph.operations[maker].takes if taken in layout.slot_of
            )
        )
        if ready or not makers:
            sources = tuple(made.get(i) or Lineage(i, (), note="on a cycle") for i in inputs)
            made[current] = Lineage(current, makers, sources, _note(context, current, makers))
            continue
        open_names.add(current)
        todo.append((current, True))
        todo.extend((i, False) for i in reversed(inputs) if i not in made and i not in open_names)
    return made[name]


def _ran(context: Context, maker: str, ran: set[str]) -> bool:
    prefix = context.prefix + maker
    return prefix in ran or (
        context.layout.graph.operations[maker].inner is not None and any(name.startswith(f"{prefix}/") for name in ran)
    )


def _note(context: Context, name: str, makers: tuple[str, ...]) -> str:
    if makers or name in context.layout.plan.given:
        return ""
    return "default" if name in context.layout.slot_of else "not made"


class _Elements:
    """Looks up what single elements were made of."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = context.state
        self.shapes = context.layout.shapes
        self.found: dict[int, dict[int, Find]] = {}
        self.places: dict[int, list[Any]] = {}

    def of(self, name: str, place: int) -> Lineage:
        """The lineage of the value at a place of a list."""
        number = self.context.layout.slot_of.get(name)
        slot = None if number is None else self.state.slots[number]
        if slot is None or not slot.order:
            raise FlowError(f"{name!r} is no list here, so it has no place {place}: ask lineage({name!r})")
        if not slot.kept:
            raise FlowError(f"{name!r} was not kept, so its places are not known: ask for it, outputs=[{name!r}]")
        found = [at for at, value in self.state.cells[slot.number].items() if type(value) is not Lost]
        found.sort(key=sort_key(self.state, slot))
        if not -len(found) <= place < len(found):
            raise FlowError(f"{name!r} has {len(found)} values, so none at place {place}")
        return self._build((slot.number, found[place]))

    def _build(self, wanted: At) -> Lineage:
        made: dict[At, Lineage] = {}
        begun: set[At] = set()
        todo = [wanted]
        while todo:
            at = todo[-1]
            if at in made:
                todo.pop()
                continue
            calls = self._calls(at)
            sources = list(dict.fromkeys(source for call in calls for source in self._sources(*call)))
            missing = [] if at in begun else [source for source in sources if source not in made]
            begun.add(at)
            if missing:
                todo.extend(reversed(missing))
                continue
            todo.pop()
            made[at] = self._one(at, calls, [made.get(source) or self._one(source, [], []) for source in sources])
        return made[wanted]

    def _one(self, at: At, calls: list[At], sources: list[Lineage]) -> Lineage:
        slot = self.state.slots[at[0]]
        makers = tuple(self.state.nodes[node].name for node, _ in calls)
        name = slot.definition.name
        return Lineage(name, makers, tuple(sources), _note(self.context, name, makers), self._title(slot, at[1]))

    def _calls(self, at: At) -> list[At]:
        """The calls that made an Input: node and element; none if it was given."""
        slot, element = self.state.slots[at[0]], at[1]
        if slot.own >= 0:
            if slot.own not in self.found:
                self.found[slot.own] = {n: find for own, n, find in firsts(self.state, slot.own) if own == slot.own}
            maker, finder, _ = self.found[slot.own][element]
            return [] if maker < 0 else [(maker, finder)]
        nodes = self.state.nodes
        if slot.makers and nodes[slot.makers[0]].axis >= 0:
            node = nodes[slot.makers[0]]
            return [(node.number, self.state.elements.parent[node.axis][element])]
        choices = self.state.choices
        if choices is None or not slot.contested:
            return [(maker, element) for maker in slot.makers]
        makers: Iterable[int] = slot.combines or (choices.maker(slot, element),)
        return [(maker, element) for maker in makers if maker >= 0 and (maker, element) not in choices.gone]

    def _sources(self, number: int, element: int) -> list[At]:
        """The Inputs a call took."""
        node = self.state.nodes[number]
        found: list[At] = []
        for take in node.takes:
            if take.collected:
                found.extend((take.slot, each) for each in self._listed(take.slot, node.shape, element))
            elif not take.condition:
                path = take.path
                found.append((take.slot, element if path is None else self.state.elements.follow(path, element)))
        return found

    def _listed(self, number: int, shape: int, element: int) -> list[int]:
        """The elements that a call got as a list, in its order."""
        slot = self.state.slots[number]
        cells, elements, shapes = self.state.cells[number], self.state.elements, self.shapes
        every = [at for at in range(elements.count(slot.shape)) if type(cells.get(at)) is not Lost]
        shared = shapes.shapes[slot.shape].axes & shapes.shapes[shape].axes
        if shared:
            meeting = shapes.shape(shared)
            here, wanted = shapes.path(slot.shape, meeting), elements.follow(shapes.path(shape, meeting), element)
            every = [at for at in every if elements.follow(here, at) == wanted]
        return sorted(every, key=sort_key(self.state, slot))

    def _title(self, slot: Slot, element: int) -> tuple[int, ...]:
        found: list[int] = []
        for axis in slot.order:
            at = self.state.elements.follow(self.shapes.path(slot.shape, self.shapes.below(axis)), element)
            found.extend(_flat(self._places(axis)[at]))
        return tuple(found)

    def _places(self, axis: int) -> list[Any]:
        if axis not in self.places:
            name = self.shapes.axes[axis].name
            work = ranks if name.startswith("own:") else product_places if name.startswith("product:") else None
            self.places[axis] = self.state.elements.place[axis] if work is None else work(self.state, axis)
        return self.places[axis]


def _flat(place: Any) -> Iterable[int]:
    """A place as numbers: that of a product is made of those of its parameters."""
    if not isinstance(place, tuple):
        return (place,)
    return [number for part in place for number in _flat(part)]
