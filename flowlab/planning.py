"""The cheapest way from what we have to what we want; what an operation costs comes in as an argument.

Nothing here runs anything. A plan depends on the graph, the names given and wanted, the costs and the operations left
out, so two equal calls give equal plans. Invariant: a plan's operations are in an order in which makers come before
takers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from flowlab.graph.definition import MISSING
from flowlab.graph.graph import Graph
from flowlab.graph.operation import Operation

Cost = Callable[[Operation], float]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which operations will run, and for what.

    Attributes:
        operations: The names of the operations that will run, makers before takers.
        cost: What the dearest requested output costs.
        alternatives: For each definition needed, its other makers, the cheapest first.
        makers: For each definition needed, the makers chosen; several where all of them add.
        costs: What each reachable definition costs.
        given: The names given.
        wanted: The names requested and reachable.
        unreachable: The names requested that nothing can make.
        reserve: The operations that may run in place of one that fails, and what those need, makers before takers.
        spare_makers: The makers of definitions that only the reserve needs.
        idle: The parameters (operation, name) and conditions (operation, "when name") whose defaults serve, as nothing
            makes their definition.
    """

    operations: tuple[str, ...]
    cost: float
    alternatives: Mapping[str, tuple[str, ...]]
    makers: Mapping[str, tuple[str, ...]]
    costs: Mapping[str, float]
    given: tuple[str, ...]
    wanted: tuple[str, ...]
    unreachable: tuple[str, ...] = ()
    idle: frozenset[tuple[str, str]] = frozenset()
    reserve: tuple[str, ...] = ()
    spare_makers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def weight(operation: Operation) -> float:
    """What an operation costs by its own account."""
    return operation.weight


def plan(
    graph: Graph,
    have: Iterable[str],
    wanted: Iterable[str] | None = None,
    costs: Cost = weight,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Find the cheapest operations that make what is wanted from what we have.

    Args:
        graph: The flow's graph.
        have: The names of the definitions that are given.
        wanted: The names of the definitions requested; None for everything that can be made.
        costs: What running an operation costs.
        without: Operations that may not be used.
    """
    given = tuple(dict.fromkeys(have))
    search = _Search(graph, frozenset(given), costs, without)
    search.reach()
    search.price()
    names = tuple(dict.fromkeys(wanted)) if wanted is not None else search.everything()
    found = tuple(name for name in names if name in search.costs or name in search.defaults)
    return search.chosen(given, found, tuple(name for name in names if name not in found))


class _Search:
    """One search; what it finds is read off by `chosen`."""

    def __init__(self, graph: Graph, given: frozenset[str], costs: Cost, without: frozenset[str]) -> None:
        self.graph = graph
        self.given = given
        self.weigh = costs
        self.operations = {
            name: operation
            for name, operation in graph.operations.items()
            if operation.stage != "cleanup" and name not in without
        }
        self.defaults = {name for name, found in graph.definitions.items() if found.default is not MISSING}
        self.first: dict[str, str] = {}
        self.needs: dict[str, set[str]] = {}
        self.costs: dict[str, float] = dict.fromkeys(given, 0.0)
        self.reachable: set[str] = set()
        self.prices: dict[str, float] = {}
        self.idle: set[tuple[str, str]] = set()
        self.done: list[str] = []

    def required(self, operation: Operation) -> set[str]:
        """The definitions an operation cannot do without."""
        found = self.needs.get(operation.name)
        if found is None:
            found = {
                taken
                for parameter, taken, default in zip(
                    operation.parameters, operation.takes, operation.defaults, strict=True
                )
                if default is MISSING and taken not in self.defaults
            }
            found.update(name for name in operation.when if not self.graph.definitions[name].holds())
            self.needs[operation.name] = found
        return found

    def reach(self) -> None:
        """Find the operations whose inputs can be made."""
        have = set(self.given)
        missing: dict[str, int] = {}
        ready = []
        for name, operation in self.operations.items():
            count = sum(1 for taken in self.required(operation) if taken not in have)
            if count:
                missing[name] = count
            else:
                ready.append(name)
        while ready:
            name = ready.pop()
            self.reachable.add(name)
            for made in self.operations[name].makes:
                if made in have:
                    continue
                have.add(made)
                for taker in self.graph.takers.get(made, ()):
                    if taker in missing and made in self.required(self.operations[taker]):
                        missing[taker] -= 1
                        if not missing[taker]:
                            del missing[taker]
                            ready.append(taker)
        self.have = have

    def price(self) -> None:
        """Find what every reachable definition costs, the cheapest first where there are cycles."""
        acyclic = self.graph.order
        for name in acyclic:
            if name in self.reachable:
                cost = self._cost(name)
                self._finish(name, cost)
                for made in self.operations[name].makes:
                    if cost == self.costs[made] and name < self.first.get(made, ""):
                        self.first[made] = name
        if len(acyclic) < len(self.graph.operations):
            self._price_cycles(set(self.reachable) - self.prices.keys())

    def _inputs(self, operation: Operation) -> tuple[str, ...]:
        return operation.takes + operation.when if operation.when else operation.takes

    def _cost(self, name: str) -> float:
        operation = self.operations[name]
        costs = self.costs
        dearest = 0.0
        for taken in self._inputs(operation):
            cost = costs.get(taken)
            if cost is not None and cost > dearest:
                dearest = cost
        return self.weigh(operation) + dearest

    def _finish(self, name: str, cost: float) -> None:
        self.prices[name] = cost
        self.done.append(name)
        for made in self.operations[name].makes:
            known = self.costs.get(made)
            if known is None or cost < known:
                self.costs[made] = cost
                self.first[made] = name

    def _price_cycles(self, left: set[str]) -> None:
        """Go from the cheapest definition to the next; what a maker on a cycle may make cheaper is not final yet."""
        open_names = {made for name in left for made in self.operations[name].makes} - self.given
        offers: dict[str, list[str]] = {}
        heap: list[tuple[float, str]] = []
        for name in sorted(open_names & self.costs.keys()):
            maker = self.first.pop(name)
            offers.setdefault(maker, []).append(name)
            heappush(heap, (self.costs.pop(name), maker))
        waiting = {
            name: {d for d in self._inputs(self.operations[name]) if d in self.have and d not in self.costs}
            for name in left
        }
        for name in left:
            if not waiting[name]:
                heappush(heap, (self._cost(name), name))
        while left or offers:
            if not heap and not self._drop_optional(left, waiting, heap):
                break
            cost, name = heappop(heap)
            if name in offers:
                news = [made for made in offers.pop(name) if made not in self.costs]
                self.costs.update(dict.fromkeys(news, cost))
                self.first.update(dict.fromkeys(news, name))
            elif name in left:
                left.discard(name)
                news = [made for made in self.operations[name].makes if made not in self.costs]
                self._finish(name, cost)
            else:
                continue
            for made in news:
                for taker in self.graph.takers.get(made, ()):
                    if taker in left and made in waiting[taker]:
                        waiting[taker].discard(made)
                        if not waiting[taker]:
                            heappush(heap, (self._cost(taker), taker))

    def _drop_optional(self, left: set[str], waiting: dict[str, set[str]], heap: list[tuple[float, str]]) -> bool:
        """Let the cheapest operation that waits only for optional inputs go on without them: they depend on it."""
        ready = sorted(
            (self._cost(name), name) for name in left if not waiting[name] & self.required(self.operations[name])
        )
        if not ready:
            return False
        cost, name = ready[0]
        operation = self.operations[name]
        for parameter, taken in zip(operation.parameters, operation.takes, strict=True):
            if taken in waiting[name]:
                self.idle.add((name, parameter))
        self.idle.update((name, f"when {condition}") for condition in operation.when if condition in waiting[name])
        waiting[name].clear()
        heappush(heap, (cost, name))
        return True

    def everything(self) -> tuple[str, ...]:
        """The names of all definitions that can be made."""
        found = dict.fromkeys(made for name in self.done for made in self.operations[name].makes)
        return tuple(name for name in found if name not in self.given or self.choose(name)[0])

    def candidates(self, name: str) -> list[str]:
        """The reachable makers of a definition, the cheapest first, ties by name."""
        makers = self.graph.makers.get(name, ())
        if len(makers) == 1:
            return [makers[0]] if makers[0] in self.prices else []
        found = [maker for maker in makers if maker in self.prices]
        if ("definition", name) in self.graph.knots:
            first = self.first.get(name)
            return sorted(found, key=lambda maker: (maker != first, self.prices[maker], maker))
        return sorted(found, key=lambda maker: (self.prices[maker], maker))

    def choose(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The makers of a definition that will run, and the others."""
        makers = self.candidates(name)
        knot = self.graph.knots.get(("definition", name)) if self.graph.knots else None
        if name in self.given:
            if knot is None or knot not in self.graph.growing or not self.graph.many(name):
                return (), ()
            return tuple(maker for maker in makers if self.graph.knots.get(("operation", maker)) == knot), ()
        if not makers:
            return (), ()
        operations = self.operations
        if self.graph.definitions[name].combine is not None:
            own = [m for m in makers if knot is None or self.graph.knots.get(("operation", m)) != knot]
            return tuple(sorted(own, key=lambda m: (operations[m].weight, m))), ()
        if operations[makers[0]].expand:
            all_add = tuple(maker for maker in makers if operations[maker].expand)
            return all_add, tuple(maker for maker in makers if maker not in all_add)
        return (makers[0],), tuple(maker for maker in makers[1:] if not operations[maker].expand)

    def chosen(self, given: tuple[str, ...], wanted: tuple[str, ...], unreachable: tuple[str, ...]) -> Plan:
        """The plan for what is wanted."""
        makers: dict[str, tuple[str, ...]] = {}
        others: dict[str, tuple[str, ...]] = {}
        used: set[str] = set()
        idle = set(self.idle)
        todo = list(wanted)
        if unreachable == () and set(wanted) >= set(self.everything()):
            used.update(name for name in self.done if not self.operations[name].makes)
            todo.extend(d for name in used for d in self._inputs(self.operations[name]))
        while todo:
            name = todo.pop()
            if name in makers:
                continue
            makers[name], rest = self.choose(name)
            if rest:
                others[name] = rest
            for maker in makers[name]:
                if maker not in used:
                    used.add(maker)
                    operation = self.operations[maker]
                    for taken in self._inputs(operation):
                        if taken not in makers and taken in self.costs:
                            todo.append(taken)
        cost = max((self.costs.get(name, 0.0) for name in wanted), default=0.0)
        order = tuple(name for name in self.done if name in used)
        reserve, spare = self._reserve(makers, others, used) if others else ((), {})
        return Plan(
            order, cost, others, makers, self.costs, given, wanted, unreachable, frozenset(idle), reserve, spare
        )

    def _reserve(
        self, makers: Mapping[str, tuple[str, ...]], others: dict[str, tuple[str, ...]], used: set[str]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """What may run in place of an operation that fails, and who makes what only that needs."""
        found: set[str] = set()
        spare: dict[str, tuple[str, ...]] = {}
        todo = [maker for rest in list(others.values()) for maker in rest]
        while todo:
            maker = todo.pop()
            if maker in found or maker in used:
                continue
            found.add(maker)
            for taken in self._inputs(self.operations[maker]):
                if taken in makers or taken in spare or taken not in self.costs:
                    continue
                spare[taken], rest = self.choose(taken)
                if rest:
                    others[taken] = rest
                todo.extend((*spare[taken], *rest))
        return tuple(name for name in self.done if name in found), spare


def part(graph: Graph, have: Iterable[str] | None, wanted: Iterable[str] | None) -> set[str]:
    """The names of the operations that can lead from what we have to what is wanted.

    Args:
        graph: The flow's graph.
        have: Names that are given, and not made any more; None for whatever nothing makes.
        wanted: Names requested; None for everything.
    """
    given = set(have) if have is not None else {name for name in graph.definitions if not graph.makers.get(name)}
    search = _Search(graph, frozenset(given), weight, frozenset())
    search.reach()
    found: set[str] = set()
    todo = (
        list(wanted) if wanted is not None else [d for name in search.reachable for d in graph.operations[name].makes]
    )
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or (name in given and not graph.many(name)):
            continue
        seen.add(name)
        for maker in graph.makers.get(name, ()):
            if maker in search.reachable:
                found.add(maker)
                todo.extend((*graph.operations[maker].takes, *graph.operations[maker].when))
    return found


def explain_unreachable(graph: Graph, name: str, given: Iterable[str]) -> str:
    """Say in one sentence why nothing makes a definition, and the way out."""
    makers = graph.makers.get(name, ())
    if not makers:
        return (
            f"{name!r} is not given and nothing in flow {graph.name!r} makes it: seed it, or add an operation that "
            f"outputs it"
        )
    have = set(plan(graph, given).costs) | set(given)
    lacks: list[Any] = []
    for maker in makers:
        operation = graph.operations[maker]
        for taken, default in zip(operation.takes, operation.defaults, strict=True):
            if taken not in have and default is MISSING and graph.definitions[taken].default is MISSING:
                lacks.append((maker, taken))
        lacks.extend((maker, condition) for condition in operation.when if condition not in have)
    parts = [f"operation {maker!r} needs {taken!r}" for maker, taken in lacks[:3]]
    roots = _roots(graph, [taken for _, taken in lacks], have)
    seeds = " or ".join(map(repr, roots))
    return f"{name!r} cannot be made: {' and '.join(parts)}, and nothing given leads to it: seed {seeds}"


def _roots(graph: Graph, names: list[str], have: set[str]) -> list[str]:
    """What could be given so that these names can be made."""
    seen: set[str] = set()
    found: list[str] = []
    todo = list(reversed(names))
    while todo:
        name = todo.pop()
        if name in seen or name in have:
            continue
        seen.add(name)
        makers = graph.makers.get(name, ())
        if not makers:
            found.append(name)
        for maker in makers:
            todo.extend(reversed(graph.operations[maker].takes))
    return found[:3] or names[:1]
