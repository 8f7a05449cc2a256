"""The task: one attempt of one call, as an executor sees it, and the outcome it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OK, ERROR, YIELD, STOPPED = "ok", "error", "yield", "stopped"


@dataclass(slots=True, eq=False)
class Task:
    """A function and what to call it with.

    Attributes:
        function: What to call.
        arguments: Its arguments by position, but for the last `len(names)`, which are passed by these names.
        streams: It returns an iterator whose elements are outcomes of their own.
        owner: Whatever the submitter wants to find again in the outcome.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    names: tuple[str, ...] = ()
    streams: bool = False
    owner: Any = None
    timeout_s: float | None = None
    started_ns: int | None = None
    gone: bool = False
    gate: Any = None

    def run(self) -> Any:
        """Call the function."""
        if not self.names:
            return self.function(*self.arguments)
        count = len(self.arguments) - len(self.names)
        return self.function(*self.arguments[:count], **dict(zip(self.names, self.arguments[count:], strict=True)))


@dataclass(slots=True, eq=False)
class Outcome:
    """What came of a task: status "ok", "error", "yield" (one more element) or "stopped" (its worker ended)."""

    task: Task
    status: str
    value: Any
    started_ns: int | None = None
    ended_ns: int | None = None
    cpu_ns: int | None = None
    pid: int | None = None
    tid: int | None = None
    extra: dict[str, Any] | None = None
