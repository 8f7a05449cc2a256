"""Definition: a named kind of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flowlab.errors import FlowError


class Missing:
    """The type of MISSING, which says that there is no value; None is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
NAN: Final = object()
"""What all floats that are not a number are compared by: else it would count which object they are."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A named kind of data that operations take and make.

    Args:
        name: The name that wires operations together.
        type: What values are instances of; checked against annotations when a flow is built.
        unit: The unit of its values, for people.
        many: A given value is an iterable of values, each of its own.
        unique: Equal values are one Input. A function gives the key that values are compared by.
        lock: Operations that hold the same Input of it, or one derived from it, never overlap.
        default: The value when nothing can deliver one.
        check: A function of a value; a false result or an exception refuses the value.
        combine: A function of the list of all makers' values.
    """

    name: str
    type: Any = None
    unit: str = ""
    many: bool = False
    unique: bool | Callable[[Any], Any] = False
    lock: bool = False
    default: Any = MISSING
    check: Callable[[Any], Any] | None = None
    combine: Callable[[list[Any]], Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise FlowError("a definition needs a name: give a string that is not empty")
        if self.check is not None or self.combine is not None or self.unique is not False:
            self._validate()

    def _validate(self) -> None:
        for setting, value in (("check", self.check), ("combine", self.combine), ("unique", self.unique)):
            if not (value is None or isinstance(value, bool) or callable(value)):
                raise FlowError(f"definition {self.name!r}: {setting} is a function, not {value!r}")

    def holds(self) -> bool:
        """Whether its default, where nothing delivers a value, lets run what it is a condition of."""
        try:
            return bool(self.default)
        except Exception:
            return False

    def refusal(self, value: Any) -> str | None:
        """Why `check` refuses a value, in a few words without the value; None if it does not."""
        if self.check is None:
            return None
        try:
            verdict = self.check(value)
        except Exception as error:
            return f"its check raised {type(error).__name__}"
        return "its check says no" if verdict is False or (verdict is not None and not verdict) else None


def key_of(definition: Definition, value: Any) -> Any:
    """What two values of a unique definition are compared by: a hashable key, by content for lists, dicts and sets."""
    key = definition.unique(value) if callable(definition.unique) else value
    if type(key) is float and key != key:
        return NAN
    try:
        hash(key)
    except TypeError:
        return frozen(key)
    return key


def frozen(value: Any) -> Any:
    """A hashable stand-in that is equal for equal content.

    Raises:
        FlowError: The value cannot be compared by content.
    """
    if isinstance(value, dict):
        return ("dict", frozenset((frozen(k), frozen(v)) for k, v in value.items()))
    if isinstance(value, (set, frozenset)):
        return ("set", frozenset(frozen(item) for item in value))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(frozen(item) for item in value))
    if isinstance(value, bytearray):
        return ("bytearray", bytes(value))
    try:
        hash(value)
    except TypeError:
        raise FlowError(
            f"a {type(value).__name__} cannot be compared for a unique definition: give it a key, unique=function"
        ) from None
    return value
