"""The state of one context: events in, instructions out.

`begin`, `done`, `emitted`, `failed` and `refused` say what happened; `ready` then holds the calls that may start, each as
(node, element, arguments). No I/O, no clock, no threads: the same state serves real runs and simulated ones. Invariant: every
call that was ever ready is answered by exactly one of `done`, `failed` or `refused`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowlab.errors import FlowError
from flowlab.graph.definition import MISSING, key_of
from flowlab.run.layout import Layout, Node
from flowlab.run.order import sort_key
from flowlab.run.shapes import ROOT, Elements


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Why an Input is missing: the call that failed for good, or was refused.

    Attributes:
        error: What it raised; None if it was refused by its domain or a condition.
    """

    operation: str
    element: int
    error: BaseException | None
    on_error: str = "raise"
    why: str = ""


class Lost:
    """What a slot holds for an Input that could not be made."""

    __slots__ = ("loss",)

    def __init__(self, loss: Loss) -> None:
        self.loss = loss


class State:
    """One context's Inputs, and the calls they make possible."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nodes = layout.nodes
        self.slots = layout.slots
        self.cells: list[dict[int, Any]] = [{} for _ in layout.slots]
        self.elements = Elements(layout.shapes)
        self.ready: deque[tuple[Node, int, tuple[Any, ...]]] = deque()
        self.waiting: dict[tuple[int, int], list[tuple[Node, int]]] = {}
        self.busy = [0] * len(layout.nodes)
        self.local: dict[tuple[int, int], int] = {}
        self.collecting: dict[int, dict[int, None]] = {}
        self.damage: dict[tuple[int, int | None], list[Loss]] = {}
        self.agenda: deque[tuple[int, int, Any]] = deque()
        self.keys: dict[int, dict[Any, int]] = {}
        self.found: dict[int, list[tuple[int, int, int, int]]] = {}
        self.losses: list[Loss] = []
        self.refusals: list[Loss] = []
        self.held: deque[tuple[Node, int, tuple[Any, ...]]] = deque()
        for node in layout.nodes:
            if node.shape == ROOT and node.feeds and node.operation.stage != "cleanup":
                for collect, _ in node.feeds:
                    self.busy[collect] += 1

    # events

    def begin(self, inputs: Mapping[str, Any]) -> None:
        """The values given are there.

        Raises:
            FlowError: A value given does not fit its definition.
        """
        layout = self.layout
        for name, value in inputs.items():
            slot = self.slots[layout.slot_of[name]]
            if not slot.order:
                self._put(slot.number, ROOT, value)
            else:
                for place, item in enumerate(value):
                    self.give(slot.number, item, place)
        for number in layout.starters:
            self._attempt(self.nodes[number], ROOT)
        self._settle()

    def preset(self, number: int, value: Any) -> None:
        """An Input of a plain plan is there already; nothing is tried for it."""
        self.cells[number][ROOT] = value

    def resume(self, finished: set[int]) -> None:
        """Try every call of a plain plan that is not among the finished."""
        for node in self.nodes:
            if node.number not in finished and (node.trigger < 0 or ROOT in self.cells[node.trigger]):
                self._attempt(node, ROOT)
        self._settle()

    def release_outputs(self) -> bool:
        """Let the calls of the output stage start; whether there were any."""
        held = self.held
        self.held = deque()
        self.ready.extend(held)
        return bool(held)

    def give(self, number: int, value: Any, place: int) -> None:
        """One more value of a given many is there."""
        slot = self.slots[number]
        if slot.own >= 0:
            self._find(number, value, -1, ROOT, place)
        else:
            self._new(slot.order[0], ROOT, place, ((number, value),))

    def done(self, node: Node, element: int, values: Any) -> None:
        """A call ended; `values` is one for each output, or for an `expand` a list of such."""
        if node.axis >= 0:
            for place, item in enumerate(values):
                self._emit(node, element, place, item)
        else:
            self._deliver(node, element, values)
        self._end(node, element)

    def emitted(self, node: Node, element: int, place: int, values: tuple[Any, ...]) -> None:
        """A generator yielded one element's values."""
        self._emit(node, element, place, values)
        if self.agenda:
            self._settle()

    def failed(self, node: Node, element: int, error: BaseException) -> None:
        """A call failed for good."""
        self._lose(node, element, Loss(node.name, element, error, node.operation.on_error))
        self._end(node, element)

    def refused(self, node: Node, element: int, why: str) -> None:
        """A call's domain said no."""
        self._lose(node, element, Loss(node.name, element, None, "skip", why))
        self._end(node, element)

    # arrivals

    def _deliver(self, node: Node, element: int, values: tuple[Any, ...]) -> None:
        for number, value in zip(node.outs, values, strict=True):
            if number < 0:
                continue
            if self.slots[number].own >= 0:
                self._find(number, value, node.number, element, 0)
            else:
                self._put(number, element, value)

    def _emit(self, node: Node, element: int, place: int, values: tuple[Any, ...]) -> None:
        plain = []
        for number, value in zip(node.outs, values, strict=True):
            if number < 0:
                continue
            if self.slots[number].own >= 0:
                self._find(number, value, node.number, element, place)
            else:
                plain.append((number, value))
        if plain:
            self._new(node.axis, element, place, plain)

    def _find(self, number: int, value: Any, maker: int, element: int, place: int) -> None:
        """A value of a definition with an axis of its own: a new element, unless it is unique and known."""
        slot = self.slots[number]
        axis = slot.own
        known = None
        if slot.definition.unique:
            keys = self.keys.setdefault(number, {})
            key = key_of(slot.definition, value)
            known = keys.get(key)
            if known is None:
                keys[key] = len(self.elements.parent[axis])
        if known is None:
            known = len(self.elements.parent[axis])
            self.found.setdefault(axis, []).append((known, maker, element, place))
            self._new(axis, ROOT, known, ((number, value),))
        else:
            self.found[axis].append((known, maker, element, place))

    def _new(self, axis: int, parent: int, place: int, values: Any) -> None:
        elements = self.elements
        element = elements.add(axis, parent, place)
        joiners = self.layout.joiners.get(axis)
        if joiners:
            for shape in joiners:
                self._join(shape, axis, element)
        for number, value in values:
            self._put(number, element, value)
        if self.layout.by_shape:
            shape = self.layout.shapes.below(axis)
            for number in self.layout.by_shape.get(shape, ()):
                self._attempt(self.nodes[number], element)

    def _join(self, number: int, axis: int, element: int) -> None:
        """Combine a new element with those of the other leaves that agree with it on every axis they share."""
        shapes = self.layout.shapes
        elements = self.elements
        leaves = shapes.shapes[number].leaves
        below = [shapes.below(leaf) for leaf in leaves]
        combinations: list[tuple[int, ...]] = [()]
        for position, leaf in enumerate(leaves):
            candidates = [element] if leaf == axis else range(len(elements.parent[leaf]))
            longer = []
            for parts in combinations:
                for candidate in candidates:
                    if all(self._agree(below[k], parts[k], below[position], candidate) for k in range(position)):
                        longer.append((*parts, candidate))
            combinations = longer
        for parts in combinations:
            joined = elements.join(number, parts)
            for node in self.layout.by_shape.get(number, ()):
                self._attempt(self.nodes[node], joined)

    def _agree(self, one: int, left: int, other: int, right: int) -> bool:
        shapes = self.layout.shapes
        shared = shapes.shapes[one].axes & shapes.shapes[other].axes
        if not shared:
            return True
        meeting = shapes.shape(shared)
        follow = self.elements.follow
        return follow(shapes.path(one, meeting), left) == follow(shapes.path(other, meeting), right)

    def _put(self, number: int, element: int, value: Any) -> None:
        """An Input is there, or known to be missing."""
        self.cells[number][element] = value
        slot = self.slots[number]
        if type(value) is Lost:
            self._note_lost(slot.number, element, value)
        for trigger in slot.triggers:
            node = self.nodes[trigger]
            if len(node.takes) == 1 and not node.collects and type(value) is not Lost:
                self._start(node, element, (value,))
            else:
                self._attempt(node, element)
        if self.waiting:
            for node, waiter in self.waiting.pop((number, element), ()):
                self._attempt(node, waiter)

    def _note_lost(self, number: int, element: int, lost: Lost) -> None:
        slot = self.slots[number]
        for collect, path in slot.exposed:
            group = None if path is None else self.elements.follow(path, element)
            self.damage.setdefault((collect, group), []).append(lost.loss)

    # calls

    def _attempt(self, node: Node, element: int) -> None:
        """Start a call if all it takes is there; else see to it that it is attempted again."""
        arguments = []
        cells = self.cells
        lost: Loss | None = None
        for take in node.takes:
            if take.collected:
                arguments.append(MISSING)
                continue
            at = element if take.path is None else self.elements.follow(take.path, element)
            value = cells[take.slot].get(at, MISSING)
            if value is MISSING:
                self.waiting.setdefault((take.slot, at), []).append((node, element))
                return
            if type(value) is Lost:
                if take.condition or take.default is MISSING:
                    lost = lost or value.loss
                    if take.condition:
                        lost = Loss(node.name, element, None, "skip", "its condition could not be made")
                    continue
                value = take.default
            if take.condition:
                if not value:
                    lost = lost or Loss(node.name, element, None, "skip", "a condition is false")
                continue
            arguments.append(value)
        if lost is not None:
            if lost.operation == node.name and lost.error is None:
                self.refusals.append(lost)
            self.agenda.append((node.number, element, lost))
            return
        if node.collects:
            self._gather(node, element, arguments)
            return
        self._start(node, element, tuple(arguments))

    def _start(self, node: Node, element: int, arguments: tuple[Any, ...]) -> None:
        if node.shape != ROOT:
            for collect, path in node.feeds:
                if path is None:
                    self.busy[collect] += 1
                else:
                    key = (collect, self.elements.follow(path, element))
                    self.local[key] = self.local.get(key, 0) + 1
        if node.late:
            self.held.append((node, element, arguments))
        else:
            self.ready.append((node, element, arguments))

    def _gather(self, node: Node, element: int, arguments: list[Any]) -> None:
        """A collect's other inputs are there: start it if its lists are complete."""
        if self.busy[node.number] or self.local.get((node.number, element)):
            self.collecting.setdefault(node.number, {})[element] = None
            return
        found = self.collecting.get(node.number)
        if found is not None:
            found.pop(element, None)
        damage = self.damage.get((node.number, None), []) + self.damage.get((node.number, element), [])
        for loss in damage:
            if loss.on_error == "raise" and loss.error is not None:
                self.agenda.append((node.number, element, loss))
                return
        position = 0
        for take in node.takes:
            if take.collected:
                arguments[position] = self.listed(take.slot, node.shape, element)
            position += not take.condition
        self._start(node, element, tuple(arguments))

    def listed(self, number: int, shape: int = ROOT, element: int = ROOT) -> list[Any]:
        """The values of a slot below an element, in the order of their places on its axes."""
        slot = self.slots[number]
        cells = self.cells[number]
        found = [item for item in cells.items() if type(item[1]) is not Lost]
        shapes = self.layout.shapes
        shared = shapes.shapes[slot.shape].axes & shapes.shapes[shape].axes
        if shared:
            meeting = shapes.shape(shared)
            here, there = shapes.path(slot.shape, meeting), shapes.path(shape, meeting)
            follow = self.elements.follow
            wanted = follow(there, element)
            found = [item for item in found if follow(here, item[0]) == wanted]
        key = sort_key(self, slot)
        if key is None:
            found.sort(key=_first)
        else:
            found.sort(key=lambda item: key(item[0]))
        return [value for _, value in found]

    def _lose(self, node: Node, element: int, loss: Loss) -> None:
        """A call's outputs cannot be made by it."""
        if loss.error is None:
            self.refusals.append(loss)
        elif loss.on_error != "raise" and loss.operation == node.name:
            self.losses.append(loss)
        axes = set()
        if node.axis >= 0:
            axes.add(node.axis)
        for number in node.outs:
            if number < 0:
                continue
            slot = self.slots[number]
            if slot.own >= 0:
                axes.add(slot.own)
            elif node.axis < 0:
                default = slot.definition.default
                self._put(number, element, Lost(loss) if default is MISSING else default)
        for axis in axes:
            self.damage.setdefault((-1 - axis, None), []).append(loss)
            for collect, _ in self.layout.losing.get(axis, ()):
                self.damage.setdefault((collect, None), []).append(loss)

    def _end(self, node: Node, element: int) -> None:
        for number in node.frees:
            self.cells[number].pop(element, None)
        if self.agenda:
            self._settle()
        if node.feeds:
            self._release(node, element)
            if self.agenda:
                self._settle()

    def _release(self, node: Node, element: int) -> None:
        for collect, path in node.feeds:
            if path is None:
                self.busy[collect] -= 1
                if self.busy[collect]:
                    continue
                groups = list(self.collecting.get(collect, ()))
            else:
                group = self.elements.follow(path, element)
                key = (collect, group)
                self.local[key] -= 1
                if self.local[key] or self.busy[collect]:
                    continue
                del self.local[key]
                groups = [group] if group in self.collecting.get(collect, ()) else []
            for group in groups:
                self._attempt(self.nodes[collect], group)

    def _settle(self) -> None:
        """Let what cannot run lose its outputs, one after the other, without recursion."""
        agenda = self.agenda
        while agenda:
            number, element, loss = agenda.popleft()
            node = self.nodes[number]
            self._lose(node, element, loss)
            if node.shape == ROOT and node.feeds:
                self._release(node, element)

    # what came out

    def cleanup(self) -> list[tuple[Node, int, tuple[Any, ...]]]:
        """The cleanup calls whose inputs exist."""
        found = []
        for number in self.layout.cleanups:
            node = self.nodes[number]
            arguments = []
            for take in node.takes:
                value = self.cells[take.slot].get(ROOT, MISSING) if not self.slots[take.slot].order else self.listed(take.slot)
                if value is MISSING or type(value) is Lost:
                    value = take.default
                if take.condition:
                    if value is MISSING or not value:
                        break
                    continue
                if value is MISSING:
                    break
                arguments.append(value)
            else:
                found.append((node, ROOT, tuple(arguments)))
        return found

    def value(self, name: str) -> Any:
        """A requested value, a list where there are many; Lost if it could not be made, MISSING if nothing settled it."""
        slot = self.slots[self.layout.slot_of[name]]
        if not slot.order:
            return self.cells[slot.number].get(ROOT, MISSING)
        for loss in self.missing(slot.number):
            if loss.on_error == "raise" and loss.error is not None:
                return Lost(loss)
        return self.listed(slot.number)

    def makers(self, name: str) -> tuple[str, ...]:
        """The operations that made a definition here."""
        number = self.layout.slot_of.get(name)
        if number is None:
            return ()
        return tuple(self.nodes[maker].name for maker in self.slots[number].makers)

    def missing(self, number: int) -> list[Loss]:
        """Why Inputs of a many are missing."""
        slot = self.slots[number]
        found = [value.loss for value in self.cells[number].values() if type(value) is Lost]
        axes = set(slot.order)
        todo = list(axes)
        while todo:
            for axis in self.layout.hidden.get(todo.pop(), ()):
                if axis not in axes:
                    axes.add(axis)
                    todo.append(axis)
        for axis in axes:
            found.extend(self.damage.get((-1 - axis, None), ()))
        return found


def check_given(layout: Layout, inputs: Mapping[str, Any]) -> None:
    """Check that the values given fit their definitions.

    Raises:
        FlowError: A many got a single value, or a check refuses a value.
    """
    for name, value in inputs.items():
        slot = layout.slots[layout.slot_of[name]]
        definition = slot.definition
        if slot.order:
            for item in value:
                refusal = definition.refusal(item)
                if refusal:
                    raise FlowError(f"a value given for {name!r} is refused: {refusal}")
        else:
            refusal = definition.refusal(value)
            if refusal:
                raise FlowError(f"the value given for {name!r} is refused: {refusal}")


def _first(item: tuple[int, Any]) -> int:
    return item[0]
