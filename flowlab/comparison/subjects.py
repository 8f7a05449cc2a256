"""What may be compared, brought to one form.

A Subject is a name and one callable a strategy, with what a job may say besides: how to tell equal results, which
services to measure apart, its settings, its question. Anything a caller hands to `compare` becomes one here, or an
error that says what would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from typing import Any

from flowlab.errors import SettingError

EXECUTORS = ("inline", "asyncio", "threads", "processes")


@dataclass(frozen=True, slots=True)
class Subject:
    """A job to be compared with itself, done in several ways.

    Attributes:
        strategies: Name to callable; each is called without arguments, once a fresh process.
        equal: Tells whether two results are equal.
        services: Name to process id of servers the job talks to; measured as rows of their own.
        settings: What to print beside the result (connections, workers, ...).
        workers: Strategy to the number of workers it uses, where that means something.
        question: What the job finds out; `answer(result)` puts it in a sentence.
        calls: How many real calls one run makes, as text; None if not known.
        source: The fl.Job behind it, if any: it knows items, placement and code to paste.
    """

    name: str
    strategies: Mapping[str, Callable[[], Any]]
    equal: Callable[[Any, Any], bool] | None = None
    services: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    question: str | None = None
    answer: Callable[[Any], str] | None = None
    source: Any = None

    def only(self, names: Sequence[str]) -> Subject:
        """The same with some of its strategies, in the order given."""
        for name in names:
            if name not in self.strategies:
                raise SettingError(unknown("strategy", name, self.strategies))
        if not names:
            raise SettingError(f"no strategy chosen: {self.name} has {', '.join(self.strategies)}")
        return replace(self, strategies={name: self.strategies[name] for name in dict.fromkeys(names)})


def unknown(what: str, name: object, known: Mapping[str, object] | Sequence[str]) -> str:
    """The sentence for a name that is not among the known ones, with the nearest one.

    >>> unknown("strategy", "treads", ["serial", "threads"])
    "no strategy 'treads': did you mean 'threads'? There are serial, threads"
    """
    near = get_close_matches(str(name), list(known), n=1)
    hint = f": did you mean {near[0]!r}? There are " if near else ": there are "
    return f"no {what} {str(name)!r}{hint}{', '.join(known)}"


def subject(job: Any, equal: Callable[[Any, Any], bool] | None = None) -> Subject:
    """The subject behind a job, a dict, a (flow, inputs) pair or any object with `name` and `strategies`."""
    if isinstance(job, Mapping):
        made = Subject("comparison", dict(job))
    elif isinstance(job, tuple) and len(job) == 2 and hasattr(job[0], "run"):
        made = _of_flow(*job)
    elif hasattr(job, "strategies") and hasattr(job, "name"):
        made = _of_object(job)
    else:
        raise SettingError(
            f"cannot compare a {type(job).__name__}: give fl.job(...), a dict of callables, a (flow, inputs) pair, "
            "or an object with `name` and `strategies`"
        )
    wrong = [name for name, call in made.strategies.items() if not callable(call)]
    if wrong:
        raise SettingError(f"strategy {wrong[0]!r} is not callable: each strategy is a function without arguments")
    if not made.strategies:
        raise SettingError(f"{made.name} has no strategies to compare")
    send_by_value(made.strategies.values())
    return replace(made, equal=equal) if equal is not None else made


def _of_object(job: Any) -> Subject:
    known = ("equal", "services", "settings", "workers", "question", "answer")
    given = {name: value for name in known if (value := getattr(job, name, None)) is not None}
    source = job if hasattr(job, "placed") else None
    return Subject(str(job.name), dict(job.strategies), source=source, **given)


def _of_flow(flow: Any, inputs: Any) -> Subject:
    name = str(getattr(flow, "name", "flow"))
    return Subject(name, {executor: partial(_values, flow, inputs, executor) for executor in EXECUTORS})


def _values(flow: Any, inputs: Any, executor: str) -> dict[str, Any]:
    return dict(flow.run(inputs, executor=executor).values)


def send_by_value(objects: Iterable[Any]) -> None:
    """Have functions and classes sent by value whose module another process cannot import."""
    from flowlab.executors.portable import importable

    for found in objects:
        if isinstance(found, partial):
            send_by_value([found.func, *found.args, *found.keywords.values()])
        elif (module := getattr(found, "__module__", None)) is not None:
            importable(module)


def equal_values(one: Any, other: Any) -> bool:
    """Whether two values are equal by `==`.

    Raises:
        SettingError: `==` does not answer yes or no, as with arrays.
    """
    try:
        return bool(one == other)
    except ValueError as error:
        raise SettingError(f"a {type(one).__name__} does not compare with == ({error}): give equal=") from error
