"""Which slots' values stand in line: their calls have an order that is known while they run."""

from __future__ import annotations

from flowlab.run.layout.layout import Layout


def line_up(made: Layout) -> None:
    """Find the slots whose values are found in order: by one call, by one an element of a list, or by themselves.

    Elements of a list have their numbers in its order if it is given, or one call expands it.
    """
    shapes = made.shapes
    for slot in made.slots:
        if slot.own < 0 or not slot.definition.unique or slot.contested or len(slot.makers) != 1:
            continue
        node = made.nodes[slot.makers[0]]
        axes = shapes.shapes[node.shape].axes
        slot.lined = not (node.dormant or node.product) and all(
            axis == slot.own or (len(axes) == 1 and shapes.axes[axis].name.startswith(("given:", "expand:")))
            for axis in axes
        )
        if slot.lined:
            node.lines = (*node.lines, slot.number)
