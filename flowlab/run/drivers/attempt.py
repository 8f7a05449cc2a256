"""What happens between two attempts of a call, the same for every executor."""

from __future__ import annotations

import random
from typing import Any

from flowlab.errors import FlowlabError, RunError
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
