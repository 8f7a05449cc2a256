"""Operation: a function with named input and output definitions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import FunctionType
from typing import Any, overload

from flowlab.errors import FlowError
from flowlab.graph.definition import MISSING
from flowlab.graph.names import nearest

STAGES = ("processing", "output", "cleanup")
PLACES = ("inline", "asyncio", "threads", "processes")
ON_ERROR = ("raise", "skip", "dead-letter")
_COROUTINE, _GENERATOR, _ASYNC_GENERATOR = inspect.CO_COROUTINE, inspect.CO_GENERATOR, inspect.CO_ASYNC_GENERATOR
_KINDS = {0: "function", _COROUTINE: "coroutine", _GENERATOR: "generator", _ASYNC_GENERATOR: "async generator"}
_SPECIAL = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_PLAIN = FunctionType


@dataclass(frozen=True, eq=False)
class Operation:
    """A function with named inputs and outputs, and how it wants to be run; calling it calls the function.

    Attributes:
        takes: The definition of each parameter, in the order of `parameters`.
        defaults: The Python default of each parameter, MISSING where it has none.
        named: How many parameters, counted from the end, can only be passed by name.
        makes: The definitions it makes.
        keys: The keys of the returned mapping, one for each of `makes`; None if it does not return a mapping.
        several: It returns a tuple, one value for each of `makes`.
        kind: "function", "coroutine", "generator" or "async generator".
        scope: "run" or "context" for a resource, else None.
        inner: What a sub-flow runs; None for a plain operation.
    """

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    takes: tuple[str, ...]
    defaults: tuple[Any, ...]
    named: int
    makes: tuple[str, ...]
    keys: tuple[Any, ...] | None = None
    several: bool = False
    kind: str = "function"
    expand: bool = False
    collect: tuple[str, ...] = ()
    join: str = "lineage"
    weight: float = 1.0
    domain: Callable[..., Any] | None = None
    when: tuple[str, ...] = ()
    stage: str = "processing"
    retries: int = 0
    backoff_s: float = 0.1
    timeout_s: float | None = None
    on_error: str = "raise"
    workers: int | None = None
    runs: str | None = None
    scope: str | None = None
    inner: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Operation({self.name!r}: {', '.join(self.takes)} -> {', '.join(self.makes)})"

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.function.__doc__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.function

    @property
    def is_async(self) -> bool:
        """Whether its body runs on the event loop."""
        return self.kind in ("coroutine", "async generator")

    def configured(self, **settings: Any) -> Operation:
        """A copy with other settings.

        Raises:
            FlowError: A setting is not one of an operation's.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in settings:
            if name not in SETTINGS:
                raise FlowError(
                    f"operation {self.name!r} has no setting {name!r}: the settings are {', '.join(sorted(SETTINGS))}"
                )
        if isinstance(settings.get("when"), str):
            settings["when"] = (settings["when"],)
        values.update(settings)
        made = Operation(**values)
        _validate(made)
        return made


SETTINGS = frozenset(
    [
        "name",
        "join",
        "weight",
        "domain",
        "when",
        "stage",
        "retries",
        "backoff_s",
        "timeout_s",
        "on_error",
        "workers",
        "runs",
    ]
)


@overload
def operation(function: Callable[..., Any], /) -> Operation: ...


@overload
def operation(**settings: Any) -> Callable[[Callable[..., Any]], Operation]: ...


def operation(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make an operation of a function, as a decorator with or without settings.

    Args:
        function: The function, coroutine function or generator function to run.
        settings: name, inputs (parameter to definition), outputs (a name, a list or a mapping of returned keys),
            expand, collect, join, weight, domain, when, stage, retries, backoff_s, timeout_s, on_error, workers, runs.

    Raises:
        FlowError: A setting is unknown or does not fit the function.
    """
    if function is None:
        return lambda wrapped: _make(wrapped, **settings)
    return _make(function, **settings)


def resource(function: Callable[..., Any] | None = None, /, *, scope: str = "run", **settings: Any) -> Any:
    """Make a resource of a generator function that yields once: it opens before the yield and closes after it.

    Args:
        function: A sync or async generator function; its name is the definition it provides.
        scope: "run" opens it once for a whole map or stream, "context" once for each context.
        settings: name, inputs, outputs, retries, backoff_s, timeout_s, weight.
    """
    if function is None:
        return lambda wrapped: resource(wrapped, scope=scope, **settings)
    if scope not in ("run", "context"):
        raise FlowError(f"a resource's scope is 'run' or 'context', not {scope!r}")
    made = _make(function, scope=scope, **settings)
    if "generator" not in made.kind:
        raise FlowError(f"resource {made.name!r} must be a generator that yields once: yield what it provides")
    return made


def _make(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: str | Iterable[str] | Mapping[Any, str] | None = None,
    expand: bool = False,
    collect: str | Iterable[str] = (),
    when: str | Iterable[str] = (),
    scope: str | None = None,
    **settings: Any,
) -> Operation:
    if type(function) is not _PLAIN:
        if isinstance(function, Operation):
            function = function.function
        while getattr(function, "__flowlab_measured__", False):
            function = function.__wrapped__  # type: ignore[attr-defined]
    elif "__flowlab_measured__" in function.__dict__:
        function = function.__wrapped__  # type: ignore[attr-defined]
    title = name or _title(function, outputs)
    parameters, defaults, named, kind = signature(function, title)
    takes = parameters if not inputs else _wired(title, parameters, inputs)
    makes, keys, several = ((outputs,), None, False) if type(outputs) is str and outputs else _outputs(title, outputs)
    if settings and not settings.keys() <= SETTINGS:
        unknown = sorted(settings.keys() - SETTINGS)[0]
        raise FlowError(f"operation {title!r} has no setting {unknown!r}{nearest(unknown, SETTINGS)}")
    gathered = (
        () if not collect else _collected(title, (collect,) if isinstance(collect, str) else collect, parameters, takes)
    )
    conditions = () if not when else (when,) if isinstance(when, str) else _named(title, "when", when)
    made = _new(title, function, parameters, takes, defaults, named, makes)
    if keys is not None or several or expand or gathered or conditions or scope is not None or kind != "function":
        settings.update(
            keys=keys, several=several, expand=expand, collect=gathered, when=conditions, scope=scope, kind=kind
        )
    if settings:
        for field, value in settings.items():
            _put(made, field, value)
        _validate(made)
    return made


_put = object.__setattr__


def _new(
    name: str, function: Callable[..., Any], parameters: tuple[str, ...], takes: tuple[str, ...],
    defaults: tuple[Any, ...], named: int, makes: tuple[str, ...],
) -> Operation:  # fmt: skip
    """A plain operation; what is as the class has it is left to the class, as setting 26 fields takes twice as long."""
    made: Operation = object.__new__(Operation)
    _put(made, "name", name)
    _put(made, "function", function)
    _put(made, "parameters", parameters)
    _put(made, "takes", takes)
    _put(made, "defaults", defaults)
    _put(made, "named", named)
    _put(made, "makes", makes)
    return made


def _title(function: Any, outputs: Any) -> str:
    title = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None)
    if title == "<lambda>" and isinstance(outputs, str):
        return outputs
    if not title:
        raise FlowError(f"a {type(function).__name__} has no name: give the operation one, name='...'")
    return str(title)


def signature(function: Callable[..., Any], title: str) -> tuple[tuple[str, ...], tuple[Any, ...], int, str]:
    """A function's parameters, their defaults, how many are by name only, and its kind."""
    if type(function) is _PLAIN and "__signature__" not in function.__dict__ and "__wrapped__" not in function.__dict__:
        return _from_code(function, function.__code__)
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise FlowError(
            f"operation {title!r} has no signature to read: wrap it in a function that names its inputs"
        ) from error
    target: Any = getattr(function, "func", function)
    if not inspect.isroutine(target):
        target = type(target).__call__
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    kind = _KINDS[code.co_flags & (_COROUTINE | _GENERATOR | _ASYNC_GENERATOR)] if code else "function"
    names, defaults, named = [], [], 0
    for parameter in found.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        by_name = parameter.kind is parameter.KEYWORD_ONLY
        named += by_name
        names.append(parameter.name)
        defaults.append(MISSING if parameter.default is parameter.empty else parameter.default)
    return tuple(names), tuple(defaults), named, kind


def _from_code(function: Any, code: Any) -> tuple[tuple[str, ...], tuple[Any, ...], int, str]:
    flags = code.co_flags
    named = code.co_kwonlyargcount
    count = code.co_argcount
    names = code.co_varnames[: count + named]
    kind = _KINDS[flags & (_COROUTINE | _GENERATOR | _ASYNC_GENERATOR)]
    given = function.__defaults__
    if not given and not named:
        return names, (MISSING,) * count, 0, kind
    given = given or ()
    by_name = function.__kwdefaults__ or {}
    defaults = (MISSING,) * (count - len(given)) + given + tuple(by_name.get(n, MISSING) for n in names[count:])
    return names, defaults, named, kind


def _wired(title: str, parameters: tuple[str, ...], inputs: Mapping[str, str]) -> tuple[str, ...]:
    for parameter in inputs:
        if parameter not in parameters:
            raise FlowError(f"operation {title!r} has no parameter {parameter!r}{nearest(parameter, parameters)}")
    if len(parameters) == 1:
        return (inputs[parameters[0]],)
    return tuple([inputs.get(parameter, parameter) for parameter in parameters])


def _outputs(title: str, outputs: Any) -> tuple[tuple[str, ...], tuple[Any, ...] | None, bool]:
    if outputs is None:
        return (title,), None, False
    if isinstance(outputs, str):
        return _named(title, "outputs", (outputs,)), None, False
    keyed = isinstance(outputs, Mapping)
    makes = _named(title, "outputs", outputs.values() if keyed else outputs)
    if len(set(makes)) != len(makes):
        raise FlowError(f"operation {title!r} names an output twice: name each of {', '.join(makes)} once")
    return makes, tuple(outputs) if keyed else None, not keyed


def _named(title: str, setting: str, names: Any) -> tuple[str, ...]:
    found = tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str) and name for name in found):
        raise FlowError(f"operation {title!r}: {setting} are names of definitions: give strings that are not empty")
    return found


def _collected(
    title: str, names: Iterable[str], parameters: tuple[str, ...], takes: tuple[str, ...]
) -> tuple[str, ...]:
    found = []
    for name in names:
        if name in parameters:
            found.append(name)
        elif name in takes:
            found.append(parameters[takes.index(name)])
        else:
            raise FlowError(f"operation {title!r} collects {name!r} but does not take it{nearest(name, parameters)}")
    return tuple(found)


def _validate(made: Operation) -> None:
    name = made.name
    choices = (
        ("stage", made.stage, STAGES),
        ("on_error", made.on_error, ON_ERROR),
        ("join", made.join, ("lineage", "product")),
    )
    for setting, value, allowed in choices:
        if value not in allowed:
            raise FlowError(f"operation {name!r}: {setting} is one of {', '.join(allowed)}, not {value!r}")
    if made.runs is not None:
        if made.runs not in PLACES:
            raise FlowError(f"operation {name!r}: runs is one of {', '.join(PLACES)}, not {made.runs!r}")
        if made.is_async and made.runs != "asyncio":
            raise FlowError(f"operation {name!r} is a coroutine and runs on the loop: take away runs={made.runs!r}")
    try:
        if not (made.weight >= 0 and made.retries >= 0 and made.backoff_s >= 0):
            raise FlowError(f"operation {name!r}: weight, retries and backoff_s are 0 or more")
        if made.timeout_s is not None and not made.timeout_s > 0:
            raise FlowError(f"operation {name!r}: timeout_s is more than 0, or None for no limit")
        if made.workers is not None and not made.workers >= 1:
            raise FlowError(f"operation {name!r}: workers is at least 1")
    except TypeError:
        raise FlowError(f"operation {name!r}: weight, retries, backoff_s, timeout_s and workers are numbers") from None
    if made.domain is not None and not callable(made.domain):
        raise FlowError(f"operation {name!r}: domain is a function of its parameters, not {made.domain!r}")
    if "generator" in made.kind and not made.expand and made.scope is None:
        raise FlowError(f"operation {name!r} is a generator: say expand=True, or return a list")
