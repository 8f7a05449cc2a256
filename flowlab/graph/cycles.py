"""Orders and cycles among operations and definitions. Nothing here recurses, so a chain may be as long as memory
allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flowlab.graph.operation import Operation

Node = tuple[str, str]


def order(
    operations: Mapping[str, Operation], makers: Mapping[str, Sequence[str]], takers: Mapping[str, Sequence[str]]
) -> list[str]:
    """The operations so that makers come before takers; those on a cycle, and behind one, are left out."""
    missing: dict[str, int] = {}
    left = {name: len(found) for name, found in makers.items()}
    ready = []
    for name, operation in operations.items():
        takes = operation.takes + operation.when if operation.when else operation.takes
        if len(takes) > 1:
            count = sum(1 for taken in set(takes) if taken in left)
        else:
            count = 1 if takes and takes[0] in left else 0
        if count:
            missing[name] = count
        else:
            ready.append(name)
    done = []
    ready.reverse()
    while ready:
        name = ready.pop()
        done.append(name)
        for made in operations[name].makes:
            if left[made] > 1:
                left[made] -= 1
                continue
            for taker in takers.get(made, ()):
                count = missing[taker]
                if count == 1:
                    ready.append(taker)
                else:
                    missing[taker] = count - 1
    return done


def knots(
    operations: Mapping[str, Operation], makers: Mapping[str, Sequence[str]], without: Collection[str]
) -> dict[Node, int]:
    """The number of the cycle that each operation and definition on one belongs to.

    Source: Tarjan's strongly connected components, with a stack of its own.
    """
    edges: dict[Node, list[Node]] = {}
    for name, operation in operations.items():
        node = ("operation", name)
        edges[node] = [("definition", d) for d in dict.fromkeys(operation.takes + operation.when) if d not in without]
    for made, found in makers.items():
        if made not in without:
            edges["definition", made] = [("operation", maker) for maker in found]
    return components(edges)


def components(edges: Mapping[Any, Sequence[Any]]) -> dict[Any, int]:
    """Numbers for the strongly connected components of more than one node; the other nodes are left out."""
    index: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    on_stack: set[Any] = set()
    found: dict[Any, int] = {}
    count = 0
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges.get(target, ()))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    count += _component(node, stack, on_stack, found, count, edges)
    return found


def _component(
    node: Any,
    stack: list[Any],
    on_stack: set[Any],
    found: dict[Any, int],
    count: int,
    edges: Mapping[Any, Sequence[Any]],
) -> int:
    members = []
    while True:
        member = stack.pop()
        on_stack.discard(member)
        members.append(member)
        if member == node:
            break
    if len(members) == 1 and node not in edges.get(node, ()):
        return 0
    for member in members:
        found[member] = count
    return 1
