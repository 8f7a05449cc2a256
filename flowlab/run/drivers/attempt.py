"""What happens between two attempts of a call, the same for every executor."""

from __future__ import annotations

import random
from typing import Any

from flowlab.errors import FlowError, FlowlabError, RunError
from flowlab.graph.operation import Operation


class CallTimeout(FlowlabError, TimeoutError):
    """A call took longer than its timeout_s."""


def timed_out(operation: Operation, stopped: bool = True) -> CallTimeout:
    """The error of a call that took too long."""
    text = f"operation {operation.name!r} took longer than timeout_s={operation.timeout_s:g}"
    if not stopped:
        text += "; a thread cannot be stopped, so its body goes on, keeps its locks, and its result is ignored"
    return CallTimeout(text)


def locked_out(operation: Operation) -> CallTimeout:
    """The error of a call that waited in vain for a lock."""
    return CallTimeout(
        f"operation {operation.name!r} waited for a lock that a call which had timed out still holds: a thread cannot "
        "be stopped, so run that call in processes, or as a coroutine"
    )


def told_apart(operation: Operation, first: tuple[Any, ...], arguments: tuple[Any, ...]) -> FlowError | None:
    """The error of a resource of scope "run" that is asked for with other inputs than it was opened with."""
    if all(one is other or _equal(one, other) for one, other in zip(first, arguments, strict=True)):
        return None
    return FlowError(
        f"resource {operation.name!r} is one for the whole run, and is asked for with different inputs: give all items "
        "the same, or say scope='context' for one each"
    )


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # arrays, and whatever else cannot say
        return False


def broken_off(error: Exception) -> RunError:
    """What a run ends with if something fails between its calls."""
    return RunError(
        f"the run was broken off: {type(error).__name__} between two calls; a value's __eq__, __hash__ or the like "
        "raised it (the cause says where), or it is a fault of flowlab"
    )


def wait_s(operation: Operation, attempt: int, error: BaseException) -> float | None:
    """How long to wait before the next attempt; None if there is none."""
    if attempt > operation.retries:
        return None
    asked: Any = getattr(error, "retry_after_s", None)
    if isinstance(asked, (int, float)) and asked >= 0:
        return float(asked)
    return float(operation.backoff_s * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))
