"""The handler: how a node's function is called, and how what it returns becomes the values of its outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowlab.errors import FlowError
from flowlab.run.layout.calling import caller, pick
from flowlab.run.layout.layout import Node, Slot

Values = tuple[Any, ...]
COROUTINES = 100
"""How many calls of one coroutine operation run at most, unless its `workers` says otherwise."""


class Handler:
    """One node's function, ready to be called.

    Attributes:
        call: Calls the function with a call's arguments.
        streams: The function is a generator: its elements flow on as they are yielded.
        bare: What the function returns is the value of its one output, and nothing checks it.
        flatless: A call's arguments are what the function takes, by position.
        light: There is nothing to do before the function is called.
        limit: How many calls run at most.
        place: Where the operation itself says it runs.
        special: It is more than a plain function that is called once.
        stepped: It is a coroutine function, and light: a runner of the event loop steps it.
        single: What the function returns is the one value the call makes, and nothing else makes that.
        brisk: It is single and light, and any number of its calls may run.
    """

    __slots__ = (
        "bare",
        "brisk",
        "call",
        "checks",
        "domain",
        "flatless",
        "function",
        "light",
        "limit",
        "name",
        "node",
        "pick",
        "place",
        "single",
        "special",
        "stepped",
        "streams",
    )

    def __init__(self, node: Node, slots: list[Slot]) -> None:
        self.node = node
        self.call = caller(node)
        self.pick = pick(node)
        checked = [
            (position, slots[number].definition) for position, number in enumerate(node.outs)
            if number >= 0 and slots[number].definition.check is not None
        ]  # fmt: skip
        self.checks = tuple(checked)
        self.domain = domain_caller(node) if node.operation.domain is not None else None
        operation = node.operation
        self.special = bool(
            operation.domain is not None
            or operation.retries
            or operation.timeout_s is not None
            or operation.inner is not None
            or operation.scope is not None
            or operation.kind != "function"
            or operation.stage != "processing"
        )
        self.bare = self.pick is None and not self.checks and node.axis < 0
        self.name = node.name
        self.function = operation.function
        self.flatless = not node.constants and not operation.named
        self.limit = operation.workers or (COROUTINES if operation.is_async else None)
        self.place = operation.runs or ("asyncio" if operation.is_async else None)
        self.light = not (
            self.domain or operation.timeout_s is not None or operation.inner is not None or operation.scope is not None
            or "generator" in operation.kind or operation.stage == "cleanup" or node.locks
        )  # fmt: skip
        self.stepped = self.light and operation.kind == "coroutine"
        made = slots[node.outs[0]] if len(node.outs) == 1 and node.outs[0] >= 0 else None
        self.single = bool(
            self.bare and made is not None and made.own < 0 and not made.contested
            and not (node.nested or node.locks or node.late)
        )  # fmt: skip
        self.brisk = self.single and self.light and self.limit is None
        self.streams = node.axis >= 0 and "generator" in node.operation.kind

    def flat(self, arguments: Values) -> tuple[Values, tuple[str, ...]]:
        """A call's arguments with the constants among them, and the names of those at the end that go by name."""
        operation = self.node.operation
        names = operation.parameters[len(operation.parameters) - operation.named :] if operation.named else ()
        if not self.node.constants:
            return arguments, names
        whole = list(arguments)
        for position, value in self.node.constants:
            whole.insert(position, value)
        return tuple(whole), names

    def values(self, result: Any) -> Any:
        """The values of the outputs, one each, or for an `expand` a list of such.

        Raises:
            FlowError: The result does not match the declared outputs.
        """
        if self.node.axis >= 0:
            return [self.one(item) for item in elements(self.node.name, result)]
        return self.one(result)

    def one(self, result: Any) -> Values:
        """The values of the outputs of one result."""
        found = (result,) if self.pick is None else self.pick(result)
        for position, definition in self.checks:
            refusal = definition.refusal(found[position])
            if refusal:
                raise FlowError(f"operation {self.node.name!r} made a {definition.name!r} that is refused: {refusal}")
        return found


def elements(name: str, result: Any) -> Iterable[Any]:
    """What an `expand` returned, as an iterable in an order that is the same in every process.

    Raises:
        FlowError: It is one value, not an iterable of values.
    """
    if isinstance(result, (str, bytes, Mapping)) or not isinstance(result, Iterable):
        raise FlowError(f"operation {name!r} expands and returned a {type(result).__name__}: return a list of values")
    if isinstance(result, (set, frozenset)):
        try:
            return sorted(result)
        except TypeError:
            return sorted(result, key=repr)
    return result


def domain_caller(node: Node) -> Callable[[Values], bool]:
    """A function that asks the operation's domain about a call's arguments; it may name fewer of them."""
    operation = node.operation
    domain: Any = operation.domain
    names = operation.parameters
    try:
        asked = [
            p.name
            for p in inspect.signature(domain).parameters.values()
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        asked = []
    constants = node.constants
    by_name = bool(asked) and set(asked) <= set(names)

    def ask(arguments: Values) -> bool:
        whole = list(arguments)
        for position, value in constants:
            whole.insert(position, value)
        if by_name:
            given = dict(zip(names, whole, strict=True))
            return bool(domain(*(given[name] for name in asked)))
        return bool(domain(*whole))

    return ask
