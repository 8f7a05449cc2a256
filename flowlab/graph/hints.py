"""What annotations say about the values that flow, and whether two of them fit.

Only certain contradictions are reported: what cannot be read, and what is not a plain class, a union or a generic of
those, fits everything.
"""

from __future__ import annotations

import types
import typing
from collections import abc
from typing import Any

from flowlab.graph.operation import Operation

_UNIONS = (typing.Union, types.UnionType)
_ITERABLES = (
    list, tuple, set, frozenset, abc.Iterable, abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncIterable,
    abc.AsyncGenerator, abc.Sequence, abc.Collection, abc.Set,
)  # fmt: skip
_PROMOTED = {(int, float), (int, complex), (float, complex), (bool, float), (bool, complex)}


Known = dict[tuple[str, int], Any]
"""Annotations that are strings, by text and module: most functions of a flow are annotated with the same few."""


def annotation(operation: Operation, parameter: str, known: Known) -> Any:
    """The annotation of a parameter ("return" for the result) as a type; Any where there is none to read."""
    function: Any = operation.function
    found = getattr(function, "__annotations__", None)
    if not found or parameter not in found:
        return Any
    hint = found[parameter]
    if type(hint) is not str:
        return type(None) if hint is None else hint
    names = getattr(function, "__globals__", {})
    key = (hint, id(names))
    if key not in known:
        try:
            known[key] = eval(hint, names)
        except Exception:
            known[key] = Any
    return known[key]


def made(operation: Operation, position: int, known: Known) -> Any:
    """The type of one Input of the output at this position."""
    hint = annotation(operation, "return", known)
    if hint is Any or operation.keys is not None:
        return Any
    if operation.expand or operation.scope is not None:
        hint = _element(hint)
    if operation.several:
        arguments = typing.get_args(hint)
        fits = typing.get_origin(hint) is tuple and len(arguments) == len(operation.makes) and ... not in arguments
        return arguments[position] if fits else Any
    return hint


def taken(operation: Operation, position: int, known: Known) -> Any:
    """The type of one Input that the parameter at this position takes."""
    parameter = operation.parameters[position]
    hint = annotation(operation, parameter, known)
    return _element(hint) if parameter in operation.collect else hint


def _element(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin not in _ITERABLES or not arguments:
        return Any
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is ...):
        return Any
    return arguments[0]


def fits(source: Any, target: Any) -> bool:
    """Whether a value of the source type may be given where the target type is wanted."""
    if source is target:
        return True
    if source is Any or target is Any or target is object or isinstance(source, str) or isinstance(target, str):
        return True
    if typing.get_origin(source) in _UNIONS:
        return any(fits(part, target) for part in typing.get_args(source))
    if typing.get_origin(target) in _UNIONS:
        return any(fits(source, part) for part in typing.get_args(target))
    given, wanted = typing.get_origin(source) or source, typing.get_origin(target) or target
    if not isinstance(given, type) or not isinstance(wanted, type):
        return True
    if getattr(wanted, "_is_protocol", False):
        return True
    try:
        if not issubclass(given, wanted) and (given, wanted) not in _PROMOTED:
            return False
    except TypeError:
        return True
    ours, theirs = typing.get_args(source), typing.get_args(target)
    if given is wanted and len(ours) == len(theirs):
        return all(fits(one, other) for one, other in zip(ours, theirs, strict=True))
    return True


def title(hint: Any) -> str:
    """A type as people write it."""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
