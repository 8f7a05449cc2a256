"""The layout: a plan worked out into numbered nodes and slots, over known shapes, once per set of given and wanted
names.

This is the input network's wiring: who is tried when an Input of a definition arrives, who waits for whom. It has no
values and is shared by all contexts. Invariant: everything the state needs to know about the flow is here, as ints
and tuples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowlab.graph.definition import MISSING, Definition
from flowlab.graph.graph import Graph
from flowlab.graph.operation import Operation
from flowlab.planning import Plan, plan
from flowlab.run.layout.shapes import ROOT, Path, Shapes

Meeting = tuple[int, Path]
"""A shape, and the way to the element of it that something is part of."""


@dataclass(slots=True, eq=False)
class Take:
    """Where one argument of a call comes from.

    Attributes:
        inside: Lists are of what is below the call's element only.
        last: Nobody takes what is in such a list any more when it is complete.
    """

    slot: int
    path: Path | None
    default: Any = MISSING
    collected: bool = False
    inside: bool = False
    last: bool = False
    condition: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """An operation's place in the layout.

    Attributes:
        frees: The slots whose Inputs nobody else takes; those that others take too, or that may be missing
            though the call ran, as ~number.
        clears: The slots whose Inputs nobody takes any more when a collect's lists are complete.
        rank: Of two collects, that of the one whose lists the other adds to is higher.
        meetings: What tells a collect's lists apart of those that something missing concerns.
        lines: The slots whose values it finds, call after call in the order of its elements.
    """

    number: int
    name: str
    operation: Operation
    shape: int = ROOT
    takes: tuple[Take, ...] = ()
    constants: tuple[tuple[int, Any], ...] = ()
    outs: tuple[int, ...] = ()
    axis: int = -1
    product: bool = False
    collects: bool = False
    conditions: int = 0
    feeds: tuple[tuple[int, Path | None], ...] = ()
    frees: tuple[int, ...] = ()
    locks: tuple[tuple[str, bool, Path | None], ...] = ()
    plain: bool = False
    simple: bool = False
    late: bool = False
    trigger: int = -1
    nested: bool = False
    dormant: bool = False
    lines: tuple[int, ...] = ()
    clears: tuple[int, ...] = ()
    meetings: tuple[Meeting, ...] = ()
    rank: int = 0


@dataclass(slots=True, eq=False)
class Slot:
    """A definition's place in the layout: its shape, who makes it, who is tried when one of its Inputs arrives.

    Attributes:
        missed: The collects that miss an Input which cannot be made, each with the way to the lists it concerns.
        lined: One operation finds its values, and the order of that one's calls is known while they run.
        over: The shape of those of whose elements one maker is chosen for each; not its own where it has an axis of
            its own.
    """

    number: int
    definition: Definition
    shape: int = ROOT
    order: tuple[int, ...] = ()
    own: int = -1
    makers: tuple[int, ...] = ()
    triggers: tuple[int, ...] = ()
    exposed: tuple[tuple[int, Path | None], ...] = ()
    missed: tuple[tuple[int, Meeting | None], ...] = ()
    kept: bool = False
    others: tuple[int, ...] = ()
    combines: tuple[int, ...] = ()
    contested: bool = False
    over: int = ROOT
    users: int = 0
    lined: bool = False


@dataclass(slots=True, eq=False)
class Layout:
    """Nodes, slots and shapes of one plan.

    Attributes:
        losing: For each axis, the collects that miss elements of it, each with the way from the call that made none to
            the lists it concerns.
        served: The slots that are wanted and that nothing makes, and their definitions' defaults.
    """

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
    losing: dict[int, tuple[tuple[int, Meeting | None], ...]] = field(default_factory=dict)
    products: dict[int, int] = field(default_factory=dict)
    factors: dict[int, tuple[int, ...]] = field(default_factory=dict)
    below: dict[int, int] = field(default_factory=dict)
    pending: list[int] = field(default_factory=list)
    late: dict[int, tuple[int, ...]] = field(default_factory=dict)
    served: tuple[tuple[int, Any], ...] = ()
    choosing: bool = False
    plans: dict[frozenset[str], Plan] = field(default_factory=dict)
    straight: bool = False
    steps: Any = None
    resources: bool = False
    hidden: dict[int, frozenset[int]] = field(default_factory=dict)
    finders: dict[int, str] = field(default_factory=dict)
    distances: dict[str, tuple[list[Any], int]] = field(default_factory=dict)

    def replan(self, without: frozenset[str]) -> Plan:
        """The plan without operations that failed."""
        found = self.plans.get(without)
        if found is None:
            found = self.plans[without] = plan(self.graph, self.plan.given, self.plan.wanted, without=without)
        return found

    def nearby(self, node: Node) -> bool:
        """Whether an operation has to stay in the calling process: it takes a resource."""
        if not self.resources:
            return False
        return any(self.nodes[maker].operation.scope for take in node.takes for maker in self.slots[take.slot].makers)
