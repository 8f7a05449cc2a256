"""Working out a layout: over what definitions range, who is tried when an Input arrives, whom an unfinished call
concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowlab.errors import FlowError
from flowlab.graph.definition import MISSING
from flowlab.graph.graph import Graph
from flowlab.graph.operation import Operation
from flowlab.planning import plan
from flowlab.run.layout.exposure import Exposure
from flowlab.run.layout.freeing import Freeing
from flowlab.run.layout.layout import Layout, Node, Slot, Take
from flowlab.run.layout.lining import line_up
from flowlab.run.layout.locking import Locking
from flowlab.run.layout.shapes import PICK, ROOT, Path


def layout(graph: Graph, have: Iterable[str], wanted: Iterable[str] | None) -> Layout:
    """Work out the layout for what is given and wanted.

    Raises:
        FlowError: The axes of a condition are not among the parameters'.
    """
    made = Layout(graph, plan(graph, have, wanted))
    _Builder(made).build()
    return made


class _Builder:
    def __init__(self, made: Layout) -> None:
        self.made = made
        self.graph = made.graph
        self.plan = made.plan
        self.reserve = frozenset(self.plan.reserve)
        self.makers = {**self.plan.spare_makers, **self.plan.makers}
        self.order: dict[str, tuple[int, ...]] = {}
        self.call_order: dict[str, tuple[int, ...]] = {}

    def build(self) -> None:
        """Fill the layout."""
        self._seed()
        self._range()
        for name in (*self.plan.operations, *self.plan.reserve, *self._cleanup()):
            self._node(name)
        self._wire()
        self._contest()
        self._trigger()
        line_up(self.made)
        Exposure(self.made).build()
        Freeing(self.made).build()
        Locking(self.made).build()
        made = self.made
        made.below = {axis.number: made.shapes.below(axis.number) for axis in made.shapes.axes}
        made.pending = [0] * len(made.nodes)
        for node in made.nodes:
            if node.shape == ROOT and not node.dormant and node.operation.stage != "cleanup":
                for collect, _ in node.feeds:
                    made.pending[collect] += 1

    # over what definitions range

    def _cleanup(self) -> list[str]:
        known = self.plan.makers.keys() | set(self.plan.given)
        return [
            name
            for name, operation in self.graph.operations.items()
            if operation.stage == "cleanup"
            and all(
                taken in known or default is not MISSING or self.graph.definitions[taken].default is not MISSING
                for taken, default in zip(operation.takes, operation.defaults, strict=True)
            )
            and all(name in known or self.graph.definitions[name].holds() for name in operation.when)
        ]

    def _seed(self) -> None:
        shapes = self.made.shapes
        for name in self.plan.given:
            if not self.graph.many(name):
                self.order[name] = ()
            elif self.plan.makers.get(name) or self.graph.definitions[name].unique:
                self.order[name] = (shapes.axis(f"own:{name}"),)
            else:
                self.order[name] = (shapes.axis(f"given:{name}"),)
        for name, makers in self.makers.items():
            if name in self.order:
                continue
            knot = self.graph.knots.get(("definition", name)) if self.graph.knots else None
            grows = knot is not None and knot in self.graph.growing and self.graph.definitions[name].unique
            if grows or sum(self.graph.operations[maker].expand for maker in makers) > 1:
                self.order[name] = (shapes.axis(f"own:{name}"),)
            elif not makers:
                self.order[name] = ()

    def _range(self) -> None:
        left = [self.graph.operations[name] for name in (*self.plan.operations, *self.plan.reserve)]
        while left:
            stuck = []
            for operation in left:
                if not self._range_of(operation):
                    stuck.append(operation)
            if len(stuck) == len(left):
                raise FlowError(f"operation {stuck[0].name!r} is on a cycle that nothing starts: seed it")
            left = stuck

    def _range_of(self, operation: Operation) -> bool:
        order: list[int] = []
        known = self.plan.costs
        definitions = self.graph.definitions
        for parameter, taken in zip(operation.parameters, operation.takes, strict=True):
            found = self.order.get(taken)
            if found is None:
                if (taken in known and (operation.name, parameter) not in self.plan.idle) and taken in self.makers:
                    return False
                if definitions[taken].default is not MISSING:
                    self.order[taken] = ()
                continue
            if parameter not in operation.collect:
                order.extend(axis for axis in found if axis not in order)
        for condition in operation.when:
            if self._by_default(operation, condition):
                continue
            axes = self.order.get(condition)
            if axes is None:
                return False
            if not set(axes) <= set(order):
                raise FlowError(
                    f"operation {operation.name!r} has condition {condition!r}, which ranges over more than its "
                    f"parameters do: take what it ranges over as a parameter"
                )
        shapes = self.made.shapes
        if operation.join == "product" and order:
            axis = shapes.axis(f"product:{operation.name}")
            self.made.hidden[axis] = frozenset(order)
            order = [axis]
        if operation.scope == "run" and order:
            raise FlowError(
                f"resource {operation.name!r} is opened once for the whole run and takes something there are many of: "
                f"collect it, or say scope='context' for one of each"
            )
        self.call_order[operation.name] = tuple(order)
        if operation.expand:
            order = [*order, shapes.axis(f"expand:{operation.name}", shapes.shape(frozenset(order)))]
        for made in operation.makes:
            if made in self.order:
                own = self.order[made]
                if len(own) == 1 and shapes.axes[own[0]].name == f"own:{made}":
                    self.made.hidden[own[0]] = self.made.hidden.get(own[0], frozenset()) | frozenset(order) - {own[0]}
                continue
            if operation.name not in self.makers.get(made, ()):
                continue
            if self.graph.definitions[made].unique and order:
                axis = shapes.axis(f"own:{made}")
                self.made.hidden[axis] = frozenset(order)
                self.order[made] = (axis,)
            else:
                self.order[made] = tuple(order)
        return True

    def _by_default(self, operation: Operation, condition: str) -> bool:
        """Whether a condition holds as its definition's default does, for lack of a maker."""
        if (operation.name, f"when {condition}") in self.plan.idle:
            return True
        return (
            not self.makers.get(condition) and condition not in self.plan.given
            and self.graph.definitions[condition].holds()
        )  # fmt: skip

    # nodes and slots

    def _slot(self, name: str) -> int:
        number = self.made.slot_of.get(name)
        if number is None:
            number = self.made.slot_of[name] = len(self.made.slots)
            order = self.order.get(name, ())
            slot = Slot(number, self.graph.definitions[name], self.made.shapes.shape(frozenset(order)), order)
            slot.over = slot.shape
            if order and self.made.shapes.axes[order[0]].name == f"own:{name}":
                slot.own = order[0]
            slot.kept = name in self.plan.wanted or name in self.plan.given
            self.made.slots.append(slot)
        return number

    def _node(self, name: str) -> None:
        operation = self.graph.operations[name]
        made, shapes = self.made, self.made.shapes
        if name not in self.call_order:
            self._range_of(operation)
        order = self.call_order.get(name, ())
        node = Node(len(made.nodes), name, operation, shapes.shape(frozenset(order)))
        node.product = operation.join == "product" and bool(order)
        self._takes(node, order)
        if operation.expand:
            node.axis = shapes.axis(f"expand:{name}", node.shape)
            shapes.below(node.axis)
        outs = []
        for output in operation.makes:
            chosen = (*self.makers.get(output, ()), *self.plan.alternatives.get(output, ()))
            same = output in self.order and (name in self.makers.get(output, ()) or self._equal(name, output))
            outs.append(self._slot(output) if name in chosen and same else -1)
        node.outs = tuple(outs)
        node.nested = operation.inner is not None
        node.late = operation.stage == "output"
        node.plain = node.shape == ROOT and plain(node)
        node.dormant = name in self.reserve
        node.simple = len(node.takes) == 1 and not (node.collects or node.conditions or node.dormant)
        made.node_of[name] = node.number
        made.nodes.append(node)
        if node.product:
            made.products[node.number] = order[0]
        made.resources = made.resources or operation.scope is not None

    def _takes(self, node: Node, order: tuple[int, ...]) -> None:
        """Where a call's arguments come from."""
        operation, shapes, made = node.operation, self.made.shapes, self.made
        takes: list[Take] = []
        constants: list[tuple[int, Any]] = []
        factors = 0
        for position, (parameter, taken, default) in enumerate(
            zip(operation.parameters, operation.takes, operation.defaults, strict=True)
        ):
            idle = (node.name, parameter) in self.plan.idle
            if idle or (taken not in self.makers and taken not in self.plan.given) or taken not in self.order:
                fallback = self.graph.definitions[taken].default
                if parameter in operation.collect and fallback is not MISSING:
                    fallback = default_list(fallback)
                constants.append((position, default if fallback is MISSING else fallback))
                continue
            slot = self._slot(taken)
            path: Path | None = None
            if parameter in operation.collect:
                node.collects = True
            elif node.product:
                path = ((PICK, order[0], factors),)
                factors += 1
            else:
                path = shapes.path(node.shape, made.slots[slot].shape) or None
            takes.append(Take(slot, path, default, parameter in operation.collect))
        for condition in operation.when:
            if self._by_default(operation, condition):
                continue
            slot = self._slot(condition)
            number = made.slots[slot].shape
            path = self._factor(number, takes) if node.product else shapes.path(node.shape, number) or None
            takes.append(Take(slot, path, condition=True))
            node.conditions += 1
        node.takes, node.constants = tuple(takes), tuple(constants)

    def _equal(self, name: str, output: str) -> bool:
        """Whether an alternative ranges over the same axes as what it makes, or as who else finds it."""
        over, order = self.call_order.get(name), self.order[output]
        if over is None:
            return False
        if not order or self.made.shapes.axes[order[0]].name != f"own:{output}":
            return set(over) == set(order)
        chosen = self.makers.get(output, ())
        expands = any(self.graph.operations[maker].expand for maker in (name, *chosen))
        return len(chosen) == 1 and not expands and set(over) == set(self.call_order.get(chosen[0], ()))

    def _factor(self, shape: int, takes: list[Take]) -> Path:
        """The path from a product's element to a condition, by way of the first parameter that ranges over it."""
        made = self.made
        for take in takes:
            factor = made.slots[take.slot].shape
            if not take.collected and made.shapes.shapes[shape].axes <= made.shapes.shapes[factor].axes:
                return (*(take.path or ()), *made.shapes.path(factor, shape))
        return made.shapes.path(ROOT, ROOT)

    def _contest(self) -> None:
        """Find the slots that have other makers, or that combine those they have."""
        made = self.made
        for name, others in self.plan.alternatives.items():
            slot = made.slots[made.slot_of[name]] if name in made.slot_of else None
            chosen = self.makers.get(name, ())
            if slot is None or (slot.own >= 0 and not chosen) or slot.definition.combine is not None:
                continue
            for other in others:
                if other in made.node_of and slot.number not in made.nodes[made.node_of[other]].outs:
                    self._unequal(name, chosen, other)
            slot.others = tuple(
                made.node_of[other] for other in others
                if other in made.node_of and slot.number in made.nodes[made.node_of[other]].outs
            )  # fmt: skip
            slot.contested = bool(slot.others)
            if slot.own >= 0 and slot.contested:
                slot.over = made.nodes[slot.makers[0]].shape
                made.finders[slot.own] = chosen[0]
        for slot in made.slots:
            if slot.definition.combine is not None and slot.makers and slot.own < 0:
                for maker in slot.makers:
                    if made.nodes[maker].shape != slot.shape or made.nodes[maker].axis >= 0:
                        names = [made.nodes[m].name for m in slot.makers if m != maker]
                        self._unequal(slot.definition.name, tuple(names), made.nodes[maker].name)
                slot.combines = slot.makers
                slot.contested = True
        made.choosing = any(slot.contested for slot in made.slots) or any(node.dormant for node in made.nodes)

    def _unequal(self, name: str, chosen: tuple[str, ...], other: str) -> None:
        first = chosen[0] if chosen else other
        raise FlowError(
            f"operations {first!r} and {other!r} both make {name!r}, but over different lists: one cannot stand in for "
            f"the other, so let them make definitions of their own"
        )

    def _wire(self) -> None:
        made = self.made
        for name in (*self.plan.given, *self.plan.wanted):
            self._slot(name)
        for name, makers in self.makers.items():
            if name in made.slot_of:
                made.slots[made.slot_of[name]].makers = tuple(
                    made.node_of[maker] for maker in makers if maker in made.node_of
                )
        made.served = tuple(
            (made.slot_of[name], made.graph.definitions[name].default) for name in self.plan.wanted
            if name not in self.plan.given and not self.makers.get(name)
        )  # fmt: skip
        made.straight = (
            not made.served and all(node.plain for node in made.nodes if not node.dormant)
            and all(slot.shape == ROOT and slot.definition.check is None and slot.definition.combine is None
                    and not slot.definition.lock for slot in made.slots)
        )  # fmt: skip

    # who is tried when

    def _trigger(self) -> None:
        made = self.made
        triggers: dict[int, list[int]] = {}
        by_shape: dict[int, list[int]] = {}
        factors: dict[int, list[int]] = {}
        starters, cleanups = [], []
        for node in made.nodes:
            if node.operation.stage == "cleanup":
                cleanups.append(node.number)
                continue
            if node.product:
                for shape in {
                    made.slots[take.slot].shape for take in node.takes if not (take.condition or take.collected)
                }:
                    factors.setdefault(shape, []).append(node.number)
            same = [
                t for t in node.takes if not t.collected and not t.condition and t.path is None and not node.product
            ]
            if same:
                node.trigger = same[-1].slot
                triggers.setdefault(node.trigger, []).append(node.number)
            elif node.shape == ROOT:
                starters.append(node.number)
            else:
                by_shape.setdefault(node.shape, []).append(node.number)
        for number, found in triggers.items():
            made.slots[number].triggers = tuple(found)
        made.by_shape = {shape: tuple(found) for shape, found in by_shape.items()}
        made.factors = {shape: tuple(found) for shape, found in factors.items()}
        made.starters, made.cleanups = tuple(starters), tuple(cleanups)
        joiners: dict[int, list[int]] = {}
        for found_shape in sorted(made.shapes.shapes, key=lambda shape: len(shape.axes)):  # parts before the whole
            for leaf in found_shape.leaves if found_shape.joined else ():
                joiners.setdefault(leaf, []).append(found_shape.number)
        made.joiners = {leaf: tuple(found) for leaf, found in joiners.items()}


def default_list(value: Any) -> list[Any]:
    """A definition's default as the list a collect gets: a list of values as it is, one value as the only one."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def plain(node: Node) -> bool:
    """Whether a node's call is nothing but calling a function once."""
    operation = node.operation
    special = (
        node.collects,
        node.axis >= 0,
        node.constants,
        operation.kind != "function",
        operation.domain is not None,
        operation.when,
        operation.stage != "processing",
        operation.timeout_s is not None,
        operation.scope is not None,
        operation.inner is not None,
        operation.runs is not None,
        operation.named,
        operation.retries,
        -1 in node.outs,
    )
    return not any(special)
