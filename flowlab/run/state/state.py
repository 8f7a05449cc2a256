"""The state of one context: events in, instructions out.

`begin`, `done`, `emitted`, `failed` and `refused` say what happened; `ready` then holds the calls that may start,
each as (node, element, arguments). When nothing runs and nothing is ready, `advance` lets wait what can go on only
then. No I/O, no clock, no threads: the same state serves real runs and simulated ones. Invariant: every call that was
ever ready is answered by exactly one of `done`, `failed` or `refused`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

from flowlab.graph.definition import MISSING
from flowlab.run.layout.layout import Layout, Node, Slot
from flowlab.run.layout.shapes import ROOT
from flowlab.run.state import choices
from flowlab.run.state.locks import Locks, keys_of
from flowlab.run.state.losing import Losing
from flowlab.run.state.losses import Loss, Lost, unmet_condition

Item = tuple[Node, int, tuple[Any, ...]]


class State(Losing):
    """One context's Inputs, and the calls they make possible.

    Args:
        layout: The input network's wiring.
        locks: The table of the session; a new one if None.
    """

    def __init__(self, layout: Layout, locks: Locks | None = None) -> None:
        super().__init__(layout)
        self.locks = Locks() if locks is None else locks
        self.ready: deque[Item] = deque()
        self.held: deque[Item] = deque()
        self.parked: dict[tuple[int, int], Item] = {}
        self.waiting: dict[tuple[int, int], list[tuple[Node, int, int]]] = {}
        self.busy = list(layout.pending)
        self.local: dict[tuple[int, int], int] = {}
        self.collecting: dict[int, dict[int, None]] = {}
        self.forced: set[int] = set()
        self.agenda: deque[tuple[int, int, Loss | None]] = deque()
        self.checks: list[tuple[int, int, int]] = []
        self.listener: Callable[[int, Any], None] | None = None
        self.choices = choices.Choices(self) if layout.choosing else None

    # events

    def begin(self, inputs: Mapping[str, Any]) -> None:
        """The values given are there."""
        layout = self.layout
        for name, value in inputs.items():
            slot = self.slots[layout.slot_of[name]]
            if not slot.order:
                self._put(slot.number, ROOT, value)
            else:
                for place, item in enumerate(value):
                    self._give(slot, item, place)
        for number, default in layout.served:
            self._put(number, ROOT, default)
        for number in layout.starters:
            node = self.nodes[number]
            if not node.dormant:
                self._attempt(node, ROOT)
        self._settle()

    def give(self, number: int, value: Any, place: int) -> None:
        """One more value of a given many is there, or the value of a given that came late."""
        self._give(self.slots[number], value, place)
        if self.agenda:
            self._settle()

    def _give(self, slot: Slot, value: Any, place: int) -> None:
        if not slot.order:
            self._put(slot.number, ROOT, value)
        elif slot.own >= 0:
            self._find(slot.number, value, -1, ROOT, place)
        else:
            self._new(slot.order[0], ROOT, place, ((slot.number, value),))

    def hold(self, names: list[str], change: int) -> None:
        """Late Inputs of these names may come (change 1), or no longer (-1): collects that read them wait."""
        for name in names:
            number = self.layout.slot_of[name]
            for collect in self.layout.late.get(number, ()):
                self.busy[collect] += change
                if not self.busy[collect]:
                    for group in list(self.collecting.get(collect, ())):
                        self._attempt(self.nodes[collect], group)
            if change < 0 and not self.slots[number].order and ROOT not in self.cells[number]:
                self.give_up(number, ROOT, Loss(name, ROOT, None, "skip", "it was never given"))
        self._settle()

    def done(self, node: Node, element: int, values: Any) -> None:
        """A call ended; `values` is one for each output, or for an `expand` a list of such."""
        if node.axis >= 0:
            for place, item in enumerate(values):
                self._emit(node, element, place, item)
            if node.lines:
                self._past(node, element, node.lines)
        else:
            for number, value in zip(node.outs, values, strict=True):
                if number < 0:
                    continue
                slot = self.slots[number]
                if node.nested and (number, element) in self.early:
                    if slot.lined:
                        self._past(node, element, (number,))
                    continue
                if slot.contested:
                    self.choices.offer(slot, node, element, value)  # type: ignore[union-attr]
                elif slot.own >= 0:
                    self._find(number, value, node.number, element, 0)
                    if slot.lined:
                        self._past(node, element, (number,))
                else:
                    self._put(number, element, value)
        self._end(node, element)

    def made(self, node: Node, element: int, value: Any) -> None:
        """A call ended that makes one value, which nothing else makes (a handler's `single`)."""
        self._put(node.outs[0], element, value)
        if node.frees or node.feeds or self.agenda:
            self._end(node, element)

    def emitted(self, node: Node, element: int, place: int, values: tuple[Any, ...]) -> None:
        """A generator yielded one element's values."""
        self._emit(node, element, place, values)
        if self.agenda:
            self._settle()

    def partly(self, node: Node, element: int, position: int, value: Any) -> None:
        """One output of a call that goes on is there."""
        number = node.outs[position]
        if number < 0 or (number, element) in self.early:
            return
        self.early.add((number, element))
        if self.slots[number].own >= 0:
            self._find(number, value, node.number, element, 0)
        else:
            self._put(number, element, value)
        self._settle()

    def failed(self, node: Node, element: int, error: BaseException) -> None:
        """A call failed for good."""
        self._lose(node, element, Loss(node.name, element, error, node.operation.on_error))
        self._end(node, element)

    def refused(self, node: Node, element: int, why: str) -> None:
        """A call's domain said no."""
        self._lose(node, element, Loss(node.name, element, None, "skip", why))
        self._end(node, element)

    def advance(self) -> bool:
        """Nothing runs and nothing is ready: let go on what waited for that; whether anything did."""
        if self.choices is not None and self.choices.limbo:
            self.choices.resolve()
            self._settle()
            return True
        if self.doubts is not None and self.doubts.calls:  # after failures: who steps in may find an earlier one
            for number, element in self.doubts.resolve():
                if not self._keeps(self.nodes[number], element):
                    self.unfeed(self.nodes[number], element)
            self._settle()
            return True
        awaited = {collect for node, *_ in self.held for collect, _ in node.feeds}
        for number in sorted(self.collecting):
            groups = list(self.collecting[number])
            if groups and number not in self.forced and number not in awaited:
                self.forced.add(number)
                for group in groups:
                    self._attempt(self.nodes[number], group)
                self._settle()
                return True
        if self.held:
            self.ready.extend(self.held)
            self.held.clear()
            return True
        return False

    # locks

    def release(self, node: Node, element: int, owner: Any = None) -> list[State]:
        """Let go of a call's locks, or of those handed on to `owner`; the states of the session that may go on."""
        granted: list[State] = []
        for state, number, waiter in self.locks.free(owner or (self, node.number, element)):
            state.ready.append(state.parked.pop((number, waiter)))
            if state not in granted:
                granted.append(state)
        return granted

    def admit(self, node: Node, element: int, arguments: tuple[Any, ...]) -> None:
        """A call is ready once it has its locks; also one that waited for its next attempt."""
        item = (node, element, arguments)
        if node.locks:
            self.parked[node.number, element] = item
            if not self.locks.take((self, node.number, element), keys_of(self, node, element)):
                return
            del self.parked[node.number, element]
        self.ready.append(item)

    # arrivals

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

    def _put(self, number: int, element: int, value: Any) -> None:
        """An Input is there, or known to be missing."""
        self.cells[number][element] = value
        slot = self.slots[number]
        lost = type(value) is Lost
        for collect, path in slot.exposed:
            if path is not None:
                group = self.elements.follow(path, element)
                self.groups.setdefault((collect, number, group), []).append(element)
        if lost:
            self._miss(slot.missed, element, value.loss)
        for trigger in slot.triggers:
            node = self.nodes[trigger]
            if node.dormant and not self.choices.awake(node, element):  # type: ignore[union-attr]
                continue
            if node.simple and not lost:
                self._start(node, element, (value,))
            else:
                self._attempt(node, element)
        if self.waiting:
            for node, waiter, position in self.waiting.pop((number, element), ()):
                self._attempt(node, waiter, position)
        if self.listener is not None and slot.kept and not slot.order and not lost:
            self.listener(number, value)

    # calls

    def _attempt(self, node: Node, element: int, at: int = 0, settled: bool = False) -> None:
        """Start a call if all it takes is there; else see to it that it is attempted again, from where it got to.

        Args:
            settled: All that the last event made possible has been looked at, so lists may be complete.
        """
        if node.dormant and not self.choices.awake(node, element):  # type: ignore[union-attr]
            return
        cells, takes = self.cells, node.takes
        for position in range(at, len(takes)):
            take = takes[position]
            if take.collected:
                continue
            where = element if take.path is None else self.elements.follow(take.path, element)
            if where not in cells[take.slot]:
                self.waiting.setdefault((take.slot, where), []).append((node, element, position))
                return
        arguments: list[Any] = []
        lost: Loss | None = None
        for take in takes:
            if take.collected:
                arguments.append(MISSING)
                continue
            value = cells[take.slot][element if take.path is None else self.elements.follow(take.path, element)]
            if take.condition:
                unmet = unmet_condition(node, element, value)
                if unmet is not None and unmet.error is not None:
                    self.problems.append(unmet)
                lost = lost or unmet
                continue
            if type(value) is Lost:
                if take.default is MISSING:
                    lost = lost or value.loss
                    continue
                value = take.default
            arguments.append(value)
        if lost is not None:
            self.agenda.append((node.number, element, lost))
        elif not node.collects:
            self._start(node, element, tuple(arguments))
        elif settled:
            self._gather(node, element, arguments)
        else:
            self.collecting.setdefault(node.number, {})[element] = None
            self.agenda.append((node.number, element, None))

    def _start(self, node: Node, element: int, arguments: tuple[Any, ...]) -> None:
        if node.feeds and node.shape != ROOT:
            self.feed(node, element)
        if node.late:
            self.held.append((node, element, arguments))
        elif node.locks:
            self.admit(node, element, arguments)
        else:
            self.ready.append((node, element, arguments))

    def _gather(self, node: Node, element: int, arguments: list[Any]) -> None:
        """A collect's other inputs are there: start it if its lists are complete."""
        number = node.number
        if (self.busy[number] or self.local.get((number, element))) and number not in self.forced:
            self.collecting.setdefault(number, {})[element] = None
            return
        found = self.collecting.get(number)
        if found is not None:
            found.pop(element, None)
        loss = self._spoilt(node, element)
        if loss is not None:
            self.agenda.append((number, element, loss))
            return
        position = 0
        for take in node.takes:
            if take.collected:
                among = self.groups.get((number, take.slot, element), []) if take.inside else None
                arguments[position] = self.listed(take.slot, node.shape, element, among)
            position += not take.condition
        if number not in self.forced:
            self.clear(node, element)
        self._start(node, element, tuple(arguments))

    def _end(self, node: Node, element: int) -> None:
        for number in node.frees:
            if number >= 0:
                self.cells[number].pop(element, None)
            else:
                self.leave(~number, element)
        if self.agenda:
            self._settle()
        if node.feeds and not self._keeps(node, element):
            self.unfeed(node, element)
            if self.agenda or self.checks:
                self._settle()

    def _keeps(self, node: Node, element: int) -> bool:
        """Whether an ended call's place in lists is kept until it is decided what becomes of it."""
        if self.choices is not None and self.choices.keeps(node, element):
            return True
        return self.doubts is not None and (node.number, element) in self.doubts.calls

    def feed(self, node: Node, element: int) -> None:
        """A call may add to lists: they are not complete."""
        for collect, path in node.feeds:
            if path is None:
                self.busy[collect] += 1
            else:
                key = (collect, self.elements.follow(path, element))
                self.local[key] = self.local.get(key, 0) + 1

    def unfeed(self, node: Node, element: int) -> None:
        """A call adds nothing more to any list: those that may be complete now are looked at by `_settle`."""
        for collect, path in node.feeds:
            if path is None:
                self.busy[collect] -= 1
                if self.busy[collect]:
                    continue
                for group in self.collecting.get(collect, ()):
                    heappush(self.checks, (self.nodes[collect].rank, collect, group))
            else:
                group = self.elements.follow(path, element)
                key = (collect, group)
                self.local[key] -= 1
                if self.local[key] or self.busy[collect]:
                    continue
                del self.local[key]
                if group in self.collecting.get(collect, ()):
                    heappush(self.checks, (self.nodes[collect].rank, collect, group))

    def _settle(self) -> None:
        """Let what cannot run lose its outputs, then gather complete lists, upstream first, without recursion.

        A list is gathered only here, after all that an event made possible has begun: else it could seem complete.
        """
        agenda, checks = self.agenda, self.checks
        while agenda or checks:
            if not agenda:
                _, collect, group = heappop(checks)
                if group in self.collecting.get(collect, ()):
                    self._attempt(self.nodes[collect], group, 0, True)
                continue
            number, element, loss = agenda.popleft()
            if loss is None:
                heappush(checks, (self.nodes[number].rank, number, element))
                continue
            node = self.nodes[number]
            self._lose(node, element, loss)
            for number in node.frees:
                self.leave(number if number >= 0 else ~number, element)
            if node.shape == ROOT and node.feeds and not self._keeps(node, element):
                self.unfeed(node, element)
