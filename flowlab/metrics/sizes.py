"""How much a call works on, as far as its arguments say so at once.

Invariant: nothing is walked through or counted, and no code of the caller's runs but an array's own `nbytes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

UNITS: dict[type, str] = {
    str: "characters", bytes: "bytes", bytearray: "bytes", list: "items", tuple: "items", dict: "items", set: "items",
    frozenset: "items", range: "items",
}  # fmt: skip
"""What the length of a value of each type counts."""


def input_size(arguments: Iterable[Any]) -> tuple[int, str] | None:
    """Return the size of the largest argument that has one, and its unit; None if none has.

    >>> input_size((3, "abcd", [1, 2])), input_size((3, None))
    ((4, 'characters'), None)
    """
    found: tuple[int, str] | None = None
    for value in arguments:
        kind = type(value)
        unit = UNITS.get(kind)
        if unit is not None:
            size = len(value)
        elif kind is int or not hasattr(kind, "nbytes"):
            continue
        else:
            size, unit = _array_bytes(value), "bytes"
        if found is None or size > found[0]:
            found = size, unit
    return found


def _array_bytes(value: Any) -> int:
    with suppress(Exception):
        return int(value.nbytes)
    return 0
