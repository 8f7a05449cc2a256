"""Headway: how far a run is, told to whoever shows it while it goes on.

The drivers say when a context begins and ends, and which call a frame is in; all else is read from what they keep
anyway, by the thread that draws. So a run that nobody watches pays nothing. Invariant: reading changes nothing, and
once the run is over the counts are exact.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowlab.graph.definition import MISSING
from flowlab.metrics.active import Call
from flowlab.run.layout.shapes import ROOT

if TYPE_CHECKING:
    from flowlab.live import Count
    from flowlab.metrics.active import Call
    from flowlab.run.layout.layout import Layout, Node
    from flowlab.run.outcome.context import Context

FINE_NS = 200_000
"""Calls that take longer than this are watched one by one, shorter ones by the context they are in."""


@dataclass(slots=True)
class Tally:
    """The calls of one node, in one context or many."""

    begun: int = 0
    failed: int = 0
    gone: int = 0
    known: int = 0
    running: int = 0
    open: int = 0
    told: list[tuple[float, float | None]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many ended well."""
        return max(0, self.begun - self.open - self.failed)

    def add(self, other: Tally) -> None:
        """Take over another's counts."""
        self.begun += other.begun
        self.failed += other.failed
        self.gone += other.gone
        self.known += other.known
        self.running += other.running
        self.open += other.open
        self.told += other.told


class Wiring:
    """What of a layout says how many calls there will be."""

    __slots__ = ("above", "feeders", "layout")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        makers = [self._of_axis(axis) for axis in range(len(layout.shapes.axes))]
        self.feeders = [tuple({maker for axis in self._axes(node) for maker in makers[axis]}) for node in layout.nodes]
        self.above = [tuple(self._lost_with(node)) for node in layout.nodes]

    def _axes(self, node: Node) -> set[int]:
        """The axes that say how often a node is called, those behind unique ones included."""
        found = set(self.layout.shapes.shapes[node.shape].axes)
        todo = list(found)
        while todo:
            new = set(self.layout.hidden.get(todo.pop(), ())) - found
            found |= new
            todo += new
        return found

    def _of_axis(self, axis: int) -> list[int]:
        """The nodes whose calls add elements to an axis."""
        layout = self.layout
        return [
            node.number
            for node in layout.nodes
            if not node.dormant
            and (node.axis == axis or any(out >= 0 and layout.slots[out].own == axis for out in node.outs))
        ]

    def _lost_with(self, node: Node) -> set[int]:
        """The nodes a failed call of which means a call less of this one."""
        layout, found, todo = self.layout, set[int](), [node]
        while todo:
            for take in todo.pop().takes:
                slot = layout.slots[take.slot]
                if take.collected or take.default is not MISSING or slot.contested or slot.shape != node.shape:
                    continue
                new = {maker for maker in slot.makers if layout.nodes[maker].shape == node.shape} - found
                found |= new
                todo += [layout.nodes[maker] for maker in new]
        return found

    def closed(self, tallies: list[Tally], waits: bool) -> list[bool]:
        """For each node, whether no more calls of it can become known: what feeds it has ended."""
        found: dict[int, bool] = {}

        def ended(number: int, seen: frozenset[int]) -> bool:
            if number in seen:
                return False
            if number not in found:
                inner = seen | {number}
                found[number] = not waits and all(
                    ended(feeder, inner) and tallies[feeder].done + tallies[feeder].failed >= tallies[feeder].known
                    for feeder in self.feeders[number]
                )
            return found[number]

        return [ended(node.number, frozenset()) for node in self.layout.nodes]


class Cursor:
    """One context that is under way, and how far its log was read."""

    def __init__(self, context: Context, driver: Any, frame: Call | None) -> None:
        self.context = context
        self.driver = driver
        self.frame = frame
        self.began_ns = time.perf_counter_ns()
        self.names = {context.prefix + node.name: node.number for node in context.layout.nodes}
        self.begun = [0] * len(context.layout.nodes)
        self.failed = [0] * len(context.layout.nodes)
        self.gone = [0] * len(context.layout.nodes)
        self.read = [0, 0, 0, 0, 0]
        self.told: tuple[int, tuple[float, float | None]] | None = None

    def tell(self, done: float, total: float | None) -> None:
        """The call that runs on the caller's thread says how far it is."""
        self.told = self._place(), (done, total)

    def _place(self) -> int:
        """A number that changes whenever a call ends on the caller's thread."""
        log = self.context.log
        return len(log.quick) + len(log.rows) + len(log.names) + len(self.context.errors)

    def tallies(self, held: Counter[tuple[int, int]], over: bool = False) -> list[Tally]:
        """The counts of each node now.

        Args:
            held: How many calls of a context (by id) and node wait for others of their operation.
            over: The context has ended: nothing runs or waits.
        """
        self._advance()
        context, layout = self.context, self.context.layout
        found = [Tally(*values) for values in zip(self.begun, self.failed, self.gone, strict=True)]
        if not over:
            for node, tally in zip(layout.nodes, found, strict=True):
                if not node.dormant:
                    tally.known = 1 if layout.straight else context.state.elements.count(node.shape)
            if self.frame is None:
                self._in_flight(found, held)
            elif self.frame.node is not None:
                self._here(self.frame.node, found)
        return found

    def _here(self, node: Node, found: list[Tally]) -> None:
        """What runs on the caller's thread, or ended there a moment ago."""
        tally = found[node.number]
        if not self.context.log.keep and self.context.handlers[node.number].special:
            tally.open = 1  # it was noted when it began
        tally.running = 1 if node.dormant else min(1, max(0, tally.known - tally.begun + tally.open))
        if self.told is not None and self.told[0] == self._place():
            tally.told.append(self.told[1])

    def _advance(self) -> None:
        """Read what was added to the log since the last time."""
        context, log = self.context, self.context.log
        quick, rows, names, errors, refusals = self.read
        if log.straight is not None:
            for number in log.straight[0]:
                self.begun[number] += 1
        elif log.keep and self.frame is not None:
            new = log.quick[quick::5]
            self.read[0] += 5 * len(new)
            for number, count in Counter(new).items():
                self.begun[number] += count
            found = log.rows[rows:]
            self.read[1] += len(found)
            self._count(self.begun, Counter(row[0] for row in found if row[3] == "ok"))
        else:
            fresh = log.names[names:]
            self.read[2] += len(fresh)
            self._count(self.begun, Counter(fresh))
        failures = context.errors[errors:]
        self.read[3] += len(failures)
        self._count(self.failed, Counter(entry.operation for entry in failures))
        if self.frame is not None and log.keep:  # its rows have only what ended well
            self._count(self.begun, Counter(entry.operation for entry in failures))
        if not context.layout.straight:
            refused = context.state.refusals[refusals:]
            self.read[4] += len(refused)
            self._count(self.gone, Counter(context.prefix + loss.operation for loss in refused))

    def _count(self, counts: list[int], new: Counter[str]) -> None:
        for name, count in new.items():
            number = self.names.get(name)
            if number is not None:
                counts[number] += count

    def _in_flight(self, found: list[Tally], held: Counter[tuple[int, int]]) -> None:
        """What the event loop's driver has taken from the state: it runs, or waits for its turn."""
        context = self.context
        now = self.driver.frame.about
        for call in context.calls.copy():
            tally = found[call.node.number]
            tally.open += 1
            if call.started_ns is not None or call.runner is not None or call is now:
                tally.running += 1
                if call.told is not None:
                    tally.told.append(call.told)
        for number, tally in enumerate(found):
            tally.open -= held[id(context), number]


class Headway:
    """How far the contexts of one run are.

    Args:
        title: What the run is called.
        expected: How many contexts there will be, None if nobody knows.

    Attributes:
        fine: Calls are long enough to be watched one by one.
    """

    def __init__(self, title: str, expected: int | None = 1) -> None:
        self.title = title
        self.expected = expected
        self.fine = True
        self._lock = threading.Lock()
        self._open: dict[int, Cursor] = {}
        self._whole: dict[Layout, int] = {}
        self._ended: dict[str, Tally] = {}
        self._begun: Counter[str] = Counter()
        self._wirings: dict[int, Wiring] = {}
        self._latest: dict[str, Layout] = {}
        self._inner: dict[str, str] = {}

    # what drivers say

    def began(self, context: Context, driver: Any, frame: Call | None = None) -> None:
        """A context begins; on the caller's thread, in this frame."""
        if not context.layout.straight:
            context.state  # noqa: B018 - made here, on the driver's thread
        cursor = Cursor(context, driver, frame)
        if frame is not None:
            frame.about = cursor
        with self._lock:
            self._open[id(context)] = cursor
            self._begun[context.prefix] += 1
            self._latest[context.prefix] = context.layout

    def ended(self, context: Context) -> None:
        """A context has ended."""
        with self._lock:
            cursor = self._open.pop(id(context))
            took = time.perf_counter_ns() - cursor.began_ns
            if context.prefix == "":
                self.fine = took > FINE_NS * len(context.layout.nodes)
            self._fold(cursor)

    def passed(self, layouts: Iterable[Layout], failed: Iterable[Context]) -> None:
        """Straight contexts with these layouts have ended well, and these not."""
        with self._lock:
            for layout, count in Counter(layouts).items():
                self._whole[layout] = self._whole.get(layout, 0) + count
                self._begun[""] += count
                self._latest[""] = layout
            for context in failed:
                self._begun[""] += 1
                self._fold(Cursor(context, None, Call(0)))

    # what is shown

    def counts(self) -> list[Count]:
        """How far each operation is, in the order of the flow."""
        from flowlab.live import Count

        with self._lock:
            tallies, closed = self._tallies()
        found = []
        for name, tally in tallies.items():
            running = tally.running
            waiting = max(0, tally.known - tally.gone - tally.done - tally.failed - running)
            said = [entry for entry in tally.told if entry[1]] or tally.told
            inside = None
            if said:
                totals = [total for _, total in said if total]
                inside = (sum(done for done, _ in said), sum(totals) if len(totals) == len(said) else None)
            if running or waiting or tally.done or tally.failed:
                count = Count(name, tally.done, running, waiting, tally.failed, closed[name], inside)
                found.append(count)
        return found

    def _fold(self, cursor: Cursor) -> None:
        for node, tally in zip(cursor.context.layout.nodes, cursor.tallies(Counter(), over=True), strict=True):
            tally.known = tally.begun
            tally.gone = 0
            self._ended.setdefault(cursor.context.prefix + node.name, Tally()).add(tally)

    def _tallies(self) -> tuple[dict[str, Tally], dict[str, bool]]:
        """The counts by name, and whether they are all there will be."""
        found: dict[str, Tally] = {}
        closed: dict[str, bool] = {}
        for prefix in sorted(self._latest, key=lambda prefix: prefix.count("/")):
            for node in self._latest[prefix].nodes:
                found[prefix + node.name], closed[prefix + node.name] = Tally(), True
        for name, tally in self._ended.items():
            found.setdefault(name, Tally()).add(tally)
            closed.setdefault(name, True)
        for layout, count in self._whole.items():
            for node in layout.nodes:
                if not node.dormant:
                    found.setdefault(node.name, Tally()).add(Tally(count, known=count))
                    closed.setdefault(node.name, True)
        held: Counter[tuple[int, int]] = Counter()
        for driver in {id(cursor.driver): cursor.driver for cursor in self._open.values()}.values():
            for waiting in list(getattr(driver, "backlog", {}).values()):
                held.update((id(call.context), call.node.number) for call in waiting.copy())
        for cursor in self._open.values():
            self._add(cursor, held, found, closed)
        self._coming(found, closed)
        return found, closed

    def _add(
        self, cursor: Cursor, held: Counter[tuple[int, int]], found: dict[str, Tally], closed: dict[str, bool]
    ) -> None:
        """Add a context that is under way."""
        context, layout = cursor.context, cursor.context.layout
        wiring = self._wirings.get(id(layout))
        if wiring is None:
            wiring = self._wirings[id(layout)] = Wiring(layout)
        tallies = cursor.tallies(held)
        for number, above in enumerate(wiring.above):
            tallies[number].gone += sum(tallies[other].failed + cursor.gone[other] for other in above)
        shut = wiring.closed(tallies, context.waits)
        for node, tally, final in zip(layout.nodes, tallies, shut, strict=True):
            name = context.prefix + node.name
            found.setdefault(name, Tally()).add(tally)
            closed[name] = closed.get(name, True) and final

    def _coming(self, found: dict[str, Tally], closed: dict[str, bool]) -> None:
        """Count the contexts that have not begun: those of the run itself, then those of sub-flows."""
        for prefix, layout in sorted(self._latest.items(), key=lambda item: item[0].count("/")):
            final = True
            if prefix:
                outer = prefix[:-1]
                inner = found.pop(outer, Tally())
                final = closed.pop(outer, True)
                rest = max(0, inner.known - inner.gone - self._begun[prefix])
            elif self.expected is None:
                rest, final = 0, False
            else:
                rest = max(0, self.expected - self._begun[""])
            for node in layout.nodes:
                name = prefix + node.name
                if not node.dormant and node.shape == ROOT:
                    found[name].known += rest
                    closed[name] = closed[name] and final
                elif rest or not final:
                    closed[name] = False


def showing(title: str, expected: int | None = 1) -> AbstractContextManager[Headway]:
    """Show a run's headway while the block lasts."""
    from flowlab.live import shown

    return shown(Headway(title, expected))
