"""Which operations of a layout run in worker processes, and how many of their calls there may be at once."""

from __future__ import annotations

from typing import Any

from flowlab.run.layout.layout import Layout, Node
from flowlab.run.layout.shapes import ROOT

MANY = 1 << 20


def far(layout: Layout, executor: str) -> tuple[list[Any], int]:
    """The functions that will run in worker processes, and how many calls of them at once; MANY if nobody knows."""
    found = layout.distances.get(executor)
    if found is None:
        found = layout.distances[executor] = _far(layout, executor)
    return found


def _far(layout: Layout, executor: str) -> tuple[list[Any], int]:
    functions: list[Any] = []
    depths: dict[int, int] = {}
    level: dict[int, int] = {}
    count = 0
    for node in layout.nodes:
        above = [depths.get(maker, 0) for take in node.takes for maker in layout.slots[take.slot].makers]
        depth = depths[node.number] = 1 + max(above, default=0)
        found = [] if node.dormant else _functions(layout, node, executor)
        if found:
            functions.extend(found)
            level[depth] = level.get(depth, 0) + 1
            many = node.shape != ROOT or node.operation.inner is not None
            count = max(count, MANY if many else level[depth])
    return functions, count


def _functions(layout: Layout, node: Node, executor: str) -> list[Any]:
    operation = node.operation
    if operation.inner is not None:
        return [inner.function for inner in operation.inner.flow.operations if _placed(inner, executor)]
    return [operation.function] if _placed(operation, executor) and not layout.nearby(node) else []


def _placed(operation: Any, executor: str) -> bool:
    if operation.is_async or operation.scope is not None or operation.inner is not None:
        return False
    return (operation.runs or executor) == "processes"
