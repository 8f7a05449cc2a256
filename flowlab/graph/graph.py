"""The graph: operations wired by the names of definitions. Immutable, and valid if it exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowlab.errors import FlowError
from flowlab.graph import hints
from flowlab.graph.cycles import knots, order
from flowlab.graph.definition import Definition
from flowlab.graph.names import nearest
from flowlab.graph.operation import Operation


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Operations, the definitions they name, and who makes and takes each.

    Attributes:
        name: The flow's name.
        operations: By name, in the order given.
        definitions: Every definition that is taken or made, by name.
        makers: The names of the operations that make a definition.
        takers: The names of the operations that take a definition, or wait for it as a condition.
        knots: The number of the cycle that each ("operation", name) and ("definition", name) on one belongs to.
        growing: The numbers of the cycles that contain an `expand`.
        order: The operations so that makers come before takers; those on cycles come last.
    """

    name: str
    operations: Mapping[str, Operation]
    definitions: Mapping[str, Definition]
    makers: Mapping[str, tuple[str, ...]]
    takers: Mapping[str, tuple[str, ...]]
    knots: Mapping[tuple[str, str], int]
    growing: frozenset[int]
    order: tuple[str, ...]

    def many(self, name: str) -> bool:
        """Whether a value given for this definition is an iterable of values."""
        return self.definitions[name].many or any(self.operations[maker].expand for maker in self.makers.get(name, ()))

    def known(self, name: str, what: str) -> None:
        """Check that the flow knows a definition.

        Raises:
            FlowError: It does not; the message suggests the nearest name.
        """
        if name not in self.definitions:
            raise FlowError(f"{what} {name!r}, which flow {self.name!r} does not know{nearest(name, self.definitions)}")


def wire(operations: Iterable[Operation], definitions: Iterable[Definition] = (), name: str = "flow") -> Graph:
    """Wire operations by the names of their definitions.

    Raises:
        FlowError: Two operations have one name, types do not fit, or a cycle could not end.
    """
    by_name: dict[str, Operation] = {}
    makers: dict[str, list[str]] = {}
    takers: dict[str, list[str]] = {}
    annotated = False
    for operation in operations:
        title = operation.name
        if title in by_name:
            raise FlowError(f"flow {name!r} has two operations named {title!r}: give one another name, name='...'")
        by_name[title] = operation
        for made in operation.makes:
            if made in makers:
                makers[made].append(title)
            else:
                makers[made] = [title]
        for taken in operation.takes + operation.when if operation.when else operation.takes:
            found = takers.get(taken)
            if found is None:
                takers[taken] = [title]
            elif found[-1] != title:
                found.append(title)
        annotated = annotated or bool(getattr(operation.function, "__annotations__", None))
    known = {title: Definition(title) for title in makers}
    for title in takers:
        if title not in known:
            known[title] = Definition(title)
    _declare(known, definitions, name)
    sequence = order(by_name, makers, takers)
    tied = {} if len(sequence) == len(by_name) else knots(by_name, makers, frozenset())
    made_graph = Graph(
        name, by_name, known, {key: tuple(value) for key, value in makers.items()},
        {key: tuple(value) for key, value in takers.items()}, tied, _growing(by_name, tied), tuple(sequence),
    )  # fmt: skip
    if tied:
        _check_cycles(made_graph)
    if annotated or any(definition.type is not None for definition in known.values()):
        _check_types(made_graph)
    return made_graph


def _declare(known: dict[str, Definition], definitions: Iterable[Definition], name: str) -> None:
    declared: set[str] = set()
    for definition in definitions:
        if definition.name in declared:
            raise FlowError(f"flow {name!r} declares definition {definition.name!r} twice: keep one")
        declared.add(definition.name)
        if definition.name not in known:
            raise FlowError(
                f"flow {name!r} declares definition {definition.name!r}, which no operation takes or makes"
                f"{nearest(definition.name, known)}"
            )
        known[definition.name] = definition


def _growing(operations: Mapping[str, Operation], tied: Mapping[tuple[str, str], int]) -> frozenset[int]:
    return frozenset(knot for (what, name), knot in tied.items() if what == "operation" and operations[name].expand)


def _check_cycles(made: Graph) -> None:
    for (what, name), knot in made.knots.items():
        if what != "operation" or not made.operations[name].collect:
            continue
        operation = made.operations[name]
        for parameter in operation.collect:
            read = operation.takes[operation.parameters.index(parameter)]
            if made.knots.get(("definition", read)) == knot:
                raise FlowError(
                    f"operation {name!r} collects {read!r} and feeds the cycle that makes it, so its list would never "
                    f"be complete: take {name!r} out of the cycle"
                )
    if not made.growing:
        return
    unique = frozenset(name for name, definition in made.definitions.items() if definition.unique)
    endless = knots(made.operations, made.makers, unique)
    for what, name in endless:
        if what == "operation" and made.operations[name].expand:
            others = sorted(n for (w, n), k in endless.items() if w == "definition" and k == endless[what, name])
            raise FlowError(
                f"operation {name!r} expands on a cycle that may never end: make a definition on it unique, "
                f"fl.Definition({others[0]!r}, unique=True)"
            )


def _check_types(made: Graph) -> None:
    takes: dict[str, list[tuple[str | None, Any]]] = {}
    makes: dict[str, list[tuple[str | None, Any]]] = {}
    known: hints.Known = {}
    for title, operation in made.operations.items():
        for position, name in enumerate(operation.takes):
            if (hint := hints.taken(operation, position, known)) is not Any:
                takes.setdefault(name, []).append((title, hint))
        for position, name in enumerate(operation.makes):
            if (hint := hints.made(operation, position, known)) is not Any:
                makes.setdefault(name, []).append((title, hint))
    for definition in made.definitions.values():
        wanted, sources = takes.get(definition.name, []), makes.get(definition.name, [])
        if definition.type is not None:
            wanted.append((None, definition.type))
            if definition.unique is False or made.makers.get(definition.name):
                sources.append((None, definition.type))
        for source, given in sources:
            for target, want in wanted:
                if source != target and not _fits_combined(definition, source, given, want):
                    raise FlowError(
                        f"{definition.name!r} does not fit: {_who(source)} makes {hints.title(given)}, "
                        f"{_who(target)} wants {hints.title(want)}"
                    )


def _who(operation: str | None) -> str:
    return "its definition" if operation is None else f"operation {operation!r}"


def _fits_combined(definition: Definition, source: str | None, given: Any, want: Any) -> bool:
    if definition.combine is not None and source is not None:
        return True
    return hints.fits(given, want)
