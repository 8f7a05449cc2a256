"""The layout: a plan worked out into numbered nodes and slots, over known shapes, once per set of given and wanted names.

This is the input network's wiring: who is tried when an Input of a definition arrives, who waits for whom. It has no values
and is shared by all contexts. Invariant: everything the state needs to know about the flow is here, as ints and tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowlab.errors import FlowError
from flowlab.graph.definition import MISSING, Definition
from flowlab.graph.graph import Graph
from flowlab.graph.operation import Operation
from flowlab.planning import Plan, plan
from flowlab.run.shapes import ROOT, Path, Shapes


@dataclass(slots=True, eq=False)
class Take:
    """Where one argument of a call comes from."""

    slot: int
    path: Path | None
    default: Any = MISSING
    collected: bool = False
    condition: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """An operation's place in the layout."""

    number: int
    name: str
    operation: Operation
    shape: int = ROOT
    takes: tuple[Take, ...] = ()
    constants: tuple[tuple[int, Any], ...] = ()
    outs: tuple[int, ...] = ()
    live: tuple[bool, ...] = ()
    axis: int = -1
    product: bool = False
    collects: bool = False
    conditions: int = 0
    feeds: tuple[tuple[int, Path | None], ...] = ()
    frees: tuple[int, ...] = ()
    locks: tuple[tuple[int, Path], ...] = ()
    plain: bool = False
    late: bool = False
    trigger: int = -1
    dormant: bool = False


@dataclass(slots=True, eq=False)
class Slot:
    """A definition's place in the layout: its shape, who makes it, who is tried when one of its Inputs arrives."""

    number: int
    definition: Definition
    shape: int = ROOT
    order: tuple[int, ...] = ()
    own: int = -1
    makers: tuple[int, ...] = ()
    triggers: tuple[int, ...] = ()
    exposed: tuple[tuple[int, Path | None], ...] = ()
    kept: bool = False
    seeded: bool = False


@dataclass(slots=True, eq=False)
class Layout:
    """Nodes, slots and shapes of one plan."""

    graph: Graph
    plan: Plan
    shapes: Shapes = field(default_factory=Shapes)
    nodes: list[Node] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    slot_of: dict[str, int] = field(default_factory=dict)
    node_of: dict[str, int] = field(default_factory=dict)
    starters: tuple[int, ...] = ()
    cleanups: tuple[int, ...] = ()
    joiners: dict[int, tuple[int, ...]] = field(default_factory=dict)
    by_shape: dict[int, tuple[int, ...]] = field(default_factory=dict)
    losing: dict[int, tuple[tuple[int, Path | None], ...]] = field(default_factory=dict)
    products: dict[int, int] = field(default_factory=dict)
    straight: bool = False
    steps: Any = None
    resources: bool = False
    hidden: dict[int, frozenset[int]] = field(default_factory=dict)

    def nearby(self, node: Node) -> bool:
        """Whether an operation has to stay in the calling process: it takes a resource."""
        if not self.resources:
            return False
        return any(self.nodes[maker].operation.scope for take in node.takes for maker in self.slots[take.slot].makers)


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
        self.order: dict[str, tuple[int, ...]] = {}
        self.call_order: dict[str, tuple[int, ...]] = {}

    def build(self) -> None:
        """Fill the layout."""
        self._seed()
        self._range()
        for name in (*self.plan.operations, *self._cleanup()):
            self._node(name)
        self._wire()
        self._trigger()
        self._expose()

    # over what definitions range

    def _cleanup(self) -> list[str]:
        known = self.plan.makers.keys() | set(self.plan.given)
        return [
            name
            for name, operation in self.graph.operations.items()
            if operation.stage == "cleanup"
            and all(
                taken in known or default is not MISSING
                for taken, default in zip(operation.takes, operation.defaults, strict=True)
            )
            and all(name in known for name in operation.when)
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
        for name, makers in self.plan.makers.items():
            if name in self.order:
                continue
            knot = self.graph.knots.get(("definition", name)) if self.graph.knots else None
            grows = knot is not None and knot in self.graph.growing and self.graph.definitions[name].unique
            if grows or sum(self.graph.operations[maker].expand for maker in makers) > 1:
                self.order[name] = (shapes.axis(f"own:{name}"),)
            elif not makers:
                self.order[name] = ()

    def _range(self) -> None:
        left = [self.graph.operations[name] for name in self.plan.operations]
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
                if (taken in known and (operation.name, parameter) not in self.plan.idle) and taken in self.plan.makers:
                    return False
                if definitions[taken].default is not MISSING:
                    self.order[taken] = ()
                continue
            if parameter not in operation.collect:
                order.extend(axis for axis in found if axis not in order)
        for condition in operation.when:
            axes = self.order.get(condition)
            if axes is None:
                return False
            if not set(axes) <= set(order):
                raise FlowError(
                    f"operation {operation.name!r} has condition {condition!r}, which ranges over more than its parameters do: "
                    f"take what it ranges over as a parameter"
                )
        shapes = self.made.shapes
        if operation.join == "product" and order:
            axis = shapes.axis(f"product:{operation.name}")
            self.made.hidden[axis] = frozenset(order)
            order = [axis]
        self.call_order[operation.name] = tuple(order)
        if operation.expand:
            order = [*order, shapes.axis(f"expand:{operation.name}", shapes.shape(frozenset(order)))]
        for made in operation.makes:
            if made in self.order:
                own = self.order[made]
                if len(own) == 1 and shapes.axes[own[0]].name == f"own:{made}":
                    self.made.hidden[own[0]] = self.made.hidden.get(own[0], frozenset()) | frozenset(order) - {own[0]}
                continue
            if made not in self.plan.makers or operation.name not in self.plan.makers[made]:
                continue
            if self.graph.definitions[made].unique and order:
                axis = shapes.axis(f"own:{made}")
                self.made.hidden[axis] = frozenset(order)
                self.order[made] = (axis,)
            else:
                self.order[made] = tuple(order)
        return True

    # nodes and slots

    def _slot(self, name: str) -> int:
        number = self.made.slot_of.get(name)
        if number is None:
            number = self.made.slot_of[name] = len(self.made.slots)
            order = self.order.get(name, ())
            slot = Slot(number, self.graph.definitions[name], self.made.shapes.shape(frozenset(order)), order)
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
        shape = shapes.shape(frozenset(order))
        node = Node(len(made.nodes), name, operation, shape)
        takes: list[Take] = []
        constants: list[tuple[int, Any]] = []
        product = node.product = operation.join == "product" and bool(order)
        for position, (parameter, taken, default) in enumerate(
            zip(operation.parameters, operation.takes, operation.defaults, strict=True)
        ):
            definition = self.graph.definitions[taken]
            idle = (name, parameter) in self.plan.idle
            if idle or (taken not in self.plan.makers and taken not in self.plan.given):
                if definition.default is not MISSING:
                    default = definition.default
                constants.append((position, default))
                continue
            slot = self._slot(taken)
            collected = parameter in operation.collect
            path = None if collected or product else shapes.path(shape, made.slots[slot].shape) or None
            takes.append(Take(slot, path, default, collected))
        for condition in operation.when:
            slot = self._slot(condition)
            takes.append(Take(slot, None if product else shapes.path(shape, made.slots[slot].shape) or None, condition=True))
            node.conditions += 1
        node.takes = tuple(takes)
        node.constants = tuple(constants)
        node.collects = any(take.collected for take in takes)
        if operation.expand:
            node.axis = shapes.axis(f"expand:{name}", shape)
            shapes.below(node.axis)
        outs, live = [], []
        for output in operation.makes:
            chosen = self.plan.makers.get(output)
            outs.append(self._slot(output) if chosen and name in chosen else -1)
            live.append(outs[-1] >= 0)
        node.outs, node.live = tuple(outs), tuple(live)
        node.late = operation.stage == "output"
        node.plain = (
            shape == ROOT and not node.collects and node.axis < 0 and not constants and operation.kind == "function"
            and operation.domain is None and not operation.when and operation.stage == "processing"
            and operation.timeout_s is None and operation.scope is None and operation.inner is None and operation.runs is None
            and not operation.named and operation.retries == 0 and all(live)
        )  # fmt: skip
        made.node_of[name] = node.number
        made.nodes.append(node)
        if product:
            made.products[node.number] = order[0]
        made.resources = made.resources or operation.scope is not None

    def _wire(self) -> None:
        made = self.made
        for name in (*self.plan.given, *self.plan.wanted):
            self._slot(name)
        for name, makers in self.plan.makers.items():
            if name in made.slot_of:
                made.slots[made.slot_of[name]].makers = tuple(made.node_of[maker] for maker in makers if maker in made.node_of)
        made.straight = (
            all(node.plain for node in made.nodes)
            and all(slot.shape == ROOT and slot.definition.check is None and slot.definition.combine is None
                    and not slot.definition.lock for slot in made.slots)
        )  # fmt: skip

    # who is tried when

    def _trigger(self) -> None:
        made = self.made
        triggers: dict[int, list[int]] = {}
        by_shape: dict[int, list[int]] = {}
        users: dict[int, list[Node]] = {}
        starters, cleanups = [], []
        for node in made.nodes:
            for take in node.takes:
                users.setdefault(take.slot, []).append(node)
            if node.operation.stage == "cleanup":
                cleanups.append(node.number)
                continue
            same = [t for t in node.takes if not t.collected and not t.condition and t.path is None and not node.product]
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
        made.starters, made.cleanups = tuple(starters), tuple(cleanups)
        joiners: dict[int, list[int]] = {}
        for shape in made.shapes.shapes:
            for leaf in shape.leaves if shape.joined else ():
                joiners.setdefault(leaf, []).append(shape.number)
        made.joiners = {leaf: tuple(found) for leaf, found in joiners.items()}
        for node in made.nodes:
            node.frees = tuple(
                take.slot
                for take in node.takes
                if len(users[take.slot]) == 1 and take.path is None and not take.collected and not take.condition
                and not node.product and not made.slots[take.slot].kept and made.slots[take.slot].shape != ROOT
            )  # fmt: skip

    # which collects an unfinished or lost call concerns

    def _deep(self, axes: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        todo = list(axes)
        while todo:
            axis = todo.pop()
            if axis not in found:
                found.add(axis)
                todo.extend(self.made.hidden.get(axis, ()))
        return frozenset(found)

    def _expose(self) -> None:
        made, shapes = self.made, self.made.shapes
        feeds: dict[int, list[tuple[int, Path | None]]] = {}
        exposed: dict[int, list[tuple[int, Path | None]]] = {}
        losing: dict[int, list[tuple[int, Path | None]]] = {}
        for node in made.nodes:
            if not node.collects:
                continue
            rest = shapes.shapes[node.shape].axes
            for take in node.takes:
                if not take.collected:
                    continue
                slot = made.slots[take.slot]
                inside = rest <= shapes.shapes[slot.shape].axes
                exposed.setdefault(take.slot, []).append(
                    (node.number, shapes.path(slot.shape, node.shape) if inside and rest else None)
                )
                for axis in self._deep(slot.order) - self._deep(rest):
                    losing.setdefault(axis, []).append((node.number, None))
                for upstream in self._cone(take.slot, rest):
                    above = made.nodes[upstream]
                    local = bool(rest) and rest <= shapes.shapes[above.shape].axes
                    feeds.setdefault(upstream, []).append((node.number, shapes.path(above.shape, node.shape) if local else None))
        for number, found in feeds.items():
            made.nodes[number].feeds = tuple(dict.fromkeys(found))
        for number, found in exposed.items():
            made.slots[number].exposed = tuple(found)
        made.losing = {axis: tuple(found) for axis, found in losing.items()}

    def _cone(self, slot: int, rest: frozenset[int]) -> list[int]:
        """The nodes that can still add to a list, as far up as one that is settled exactly once."""
        made = self.made
        found: dict[int, None] = {}
        todo = [slot]
        seen: set[int] = set()
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            if made.slots[number].own in rest and made.slots[number].own >= 0:
                continue
            for maker in made.slots[number].makers:
                node = made.nodes[maker]
                if node.axis in rest and node.axis >= 0 or maker in found:
                    continue
                found[maker] = None
                if node.shape != ROOT:
                    todo.extend(take.slot for take in node.takes)
        return list(found)


def caller(node: Node) -> Callable[[tuple[Any, ...]], Any]:
    """A function that calls the operation's function with a call's arguments."""
    operation = node.operation
    function = operation.function
    named = operation.named
    if not named and not node.constants:
        return lambda arguments: function(*arguments)
    count = len(operation.parameters)
    names = operation.parameters[count - named :] if named else ()
    constants = node.constants

    def call(arguments: tuple[Any, ...]) -> Any:
        whole = list(arguments)
        for position, value in constants:
            whole.insert(position, value)
        if not names:
            return function(*whole)
        return function(*whole[: count - named], **dict(zip(names, whole[count - named :], strict=True)))

    return call


def pick(node: Node) -> Callable[[Any], tuple[Any, ...]] | None:
    """A function that takes a returned value apart into the node's outputs; None if it is the one output itself."""
    operation = node.operation
    name, makes, keys = operation.name, operation.makes, operation.keys
    if keys is not None:

        def by_key(value: Any) -> tuple[Any, ...]:
            if not isinstance(value, Mapping):
                raise FlowError(
                    f"operation {name!r} declares outputs by key and returned a {type(value).__name__}: return a mapping "
                    f"with {', '.join(map(repr, keys))}"
                )
            for key in keys:
                if key not in value:
                    raise FlowError(f"operation {name!r} returned a mapping without {key!r}: return every declared key")
            return tuple(value[key] for key in keys)

        return by_key
    if not operation.several:
        return None
    count = len(makes)

    def by_position(value: Any) -> tuple[Any, ...]:
        if count == 0:
            return ()
        if not isinstance(value, (tuple, list)):
            raise FlowError(f"operation {name!r} declares {count} outputs and returned a {type(value).__name__}: return a tuple")
        if len(value) != count:
            raise FlowError(
                f"operation {name!r} declares {count} outputs ({', '.join(makes)}) and returned {len(value)}: return one each"
            )
        return tuple(value)

    return by_position
