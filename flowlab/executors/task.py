"""What an executor runs, and what it says of it.

A task is any object with these attributes; `Task` is the plain one. An outcome is a tuple: (task, status, value,
started_ns, ended_ns, cpu_ns, pid, tid, extra), where status is OK, ERROR, YIELD (one more element) or STOPPED (its
worker ended). `extra` holds fields of the call's record, or what `transfer` makes such fields of: a tuple of ints is
cheap to keep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

OK, ERROR, YIELD, STOPPED = "ok", "error", "yield", "stopped"
Outcome = tuple[Any, str, Any, int | None, int | None, int | None, int | None, int | None, Any]


class Batch(NamedTuple):
    """Short calls of one worker that all ended well, in its order.

    Attributes:
        ways: What CPU the worker had in how much wall time, when they were read, how many bytes each was.
        costs: What each had to be packed, as in an outcome's `extra`.
    """

    pid: int
    tasks: list[Any]
    values: tuple[Any, ...]
    started: tuple[int, ...]
    ended: tuple[int, ...]
    took: list[int]
    costs: list[tuple[int, int, int, int]]
    ways: tuple[tuple[int, int], int, int]


def transfer(extra: Any) -> dict[str, Any]:
    """What a call's way to a worker and back cost, or how many steps a coroutine took, as fields of its record."""
    if len(extra) == 1:
        return {"steps": extra[0]}
    if len(extra) == 5:
        (cpu, wall), (packing, size_in, _, sent_ns), since_ns, size_out, took = extra
        loading = dumping = 0
        quality = "estimated"
        shared = {"cpu_ns": took * cpu // wall if wall else took}
        shared["cpu_self_ns"] = shared["cpu_ns"]
    else:
        loading, dumping, since_ns, size_out, (packing, size_in, _, sent_ns), quality = extra
        shared = {}
    return {
        "sent_ns": sent_ns, "packing_ns": packing, "deserialise_ns": loading, "serialise_ns": dumping + packing,
        "bytes_in": size_in, "bytes_out": size_out,
        "return_ns": max(0, since_ns - dumping), "cpu_method": "process_time", "cpu_quality": quality, **shared,
    }  # fmt: skip


class Task:
    """A function and what to call it with.

    Attributes:
        alone: It needs a worker to itself: it may have to be stopped.
        streams: It returns an iterator whose elements are outcomes of their own.
        started_ns: When it started, or was sent to a worker that was free.
        gone: Nobody waits for it any more.
        gate: What a thread that streams waits at.
        recorder: Who keeps the spans inside it, if it runs in this process.
        told: How far it said it is: done and total.
    """

    __slots__ = ("alone", "arguments", "function", "gate", "gone", "names", "recorder", "started_ns", "streams", "told")

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        names: tuple[str, ...] = (),
        streams: bool = False,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.names = names
        self.streams = streams
        self.alone = streams
        self.started_ns: int | None = None
        self.gone = False
        self.gate: Any = None
        self.recorder: Any = None
        self.told: Any = None

    def tell(self, done: float, total: float | None) -> None:
        """It says how far it is."""
        self.told = done, total

    def run(self) -> Any:
        """Call the function."""
        if not self.names:
            return self.function(*self.arguments)
        count = len(self.arguments) - len(self.names)
        return self.function(*self.arguments[:count], **dict(zip(self.names, self.arguments[count:], strict=True)))

    def parts(self) -> tuple[Callable[..., Any], tuple[Any, ...], tuple[str, ...]]:
        """The function, its arguments, and the names of those at the end that go by name."""
        return self.function, self.arguments, self.names
