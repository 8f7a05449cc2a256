"""Calling an operation's function, and taking what it returns apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowlab.errors import FlowError
from flowlab.run.layout.layout import Node


def caller(node: Node) -> Callable[[tuple[Any, ...]], Any]:
    """A function that calls the operation's function with a call's arguments."""
    operation = node.operation
    function = operation.function
    named = operation.named
    if not named and not node.constants:
        return lambda arguments: function(*arguments)
    count = len(operation.parameters)
    names = operation.parameters[count - named :] if named else ()
    constants = node.constants

    def call(arguments: tuple[Any, ...]) -> Any:
        whole = list(arguments)
        for position, value in constants:
            whole.insert(position, value)
        if not names:
            return function(*whole)
        return function(*whole[: count - named], **dict(zip(names, whole[count - named :], strict=True)))

    return call


def pick(node: Node) -> Callable[[Any], tuple[Any, ...]] | None:
    """A function that takes a returned value apart into the node's outputs; None if it is the one output itself."""
    operation = node.operation
    name, makes, keys = operation.name, operation.makes, operation.keys
    if keys is not None:

        def by_key(value: Any) -> tuple[Any, ...]:
            if not isinstance(value, Mapping):
                raise FlowError(
                    f"operation {name!r} declares outputs by key and returned a {type(value).__name__}: return a "
                    f"mapping with {', '.join(map(repr, keys))}"
                )
            for key in keys:
                if key not in value:
                    raise FlowError(f"operation {name!r} returned a mapping without {key!r}: return every declared key")
            return tuple(value[key] for key in keys)

        return by_key
    if not operation.several:
        return None
    count = len(makes)

    def by_position(value: Any) -> tuple[Any, ...]:
        if count == 0:
            return ()
        if not isinstance(value, (tuple, list)):
            raise FlowError(
                f"operation {name!r} declares {count} outputs and returned a {type(value).__name__}: return a tuple"
            )
        if len(value) != count:
            raise FlowError(
                f"operation {name!r} declares {count} outputs ({', '.join(makes)}) and returned {len(value)}: "
                f"return one each"
            )
        return tuple(value)

    return by_position
