"""Losses: why an Input is missing, and what a slot holds in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlab.run.layout.layout import Node


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Why an Input is missing: the call that failed for good, or was refused.

    Attributes:
        error: What it raised; None if it was refused by its domain or a condition.
    """

    operation: str
    element: int
    error: BaseException | None
    on_error: str = "raise"
    why: str = ""


class Lost:
    """What a slot holds for an Input that could not be made."""

    __slots__ = ("loss",)

    def __init__(self, loss: Loss) -> None:
        self.loss = loss


def serious(losses: Iterable[Loss]) -> Loss | None:
    """The loss that fails a list or what was requested, by name and not by which came first; None if none does."""
    found = [loss for loss in losses if loss.on_error == "raise" and loss.error is not None]
    return min(found, key=lambda loss: (loss.operation, type(loss.error).__name__), default=None)


def unmet_condition(node: Node, element: int, value: Any) -> Loss | None:
    """Why a call must not start, if this value of its condition is why."""
    if type(value) is Lost:
        return Loss(node.name, element, None, "skip", "its condition could not be made")
    try:
        if value:
            return None
    except Exception as error:  # an array of several numbers is neither true nor false
        return Loss(node.name, element, error, node.operation.on_error)
    return Loss(node.name, element, None, "skip", "a condition is false")
