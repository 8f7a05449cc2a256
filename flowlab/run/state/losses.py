"""Losses: why an Input is missing, and what a slot holds in its place."""

from __future__ import annotations

from dataclasses import dataclass


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
