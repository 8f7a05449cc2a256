"""Errors that cross from a worker process to its caller, with the worker's traceback."""

from __future__ import annotations

import pickle
import traceback
from contextlib import suppress
from typing import Any

from flowlab.errors import FlowlabError
from flowlab.executors import portable


class UnportableError(FlowlabError, TypeError):
    """A value cannot be sent to or from a worker process."""


class WorkerError(FlowlabError, RuntimeError):
    """An operation raised an exception in a worker that cannot be sent; the text is the worker's traceback."""


class WorkerTraceback(Exception):
    """The traceback of an exception in a worker process, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def pack_error(error: BaseException, custom: Any) -> bytes:
    """An exception as bytes; one that cannot be sent becomes its type's name and its traceback."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=50))
    try:
        data = portable.dump(error)
        pickle.loads(data)
    except BaseException:
        data = b""
    wait: Any = getattr(error, "retry_after_s", None)
    wait = wait if isinstance(wait, (int, float)) else None
    try:
        return pickle.dumps((data, type(error).__name__, text, wait, custom), 5)
    except Exception:
        return pickle.dumps((data, type(error).__name__, text, wait, None), 5)


def unpack_error(payload: bytes | memoryview) -> tuple[BaseException, Any]:
    """The exception that `pack_error` packed, and what the call had reported."""
    data, name, text, wait, custom = pickle.loads(payload)
    error: BaseException | None = None
    if data:
        try:
            found = pickle.loads(data)
            error = found if isinstance(found, BaseException) else None
        except BaseException:
            error = None
    if error is None:
        error = type(name, (WorkerError,), {})(f"an exception in a worker process could not be sent: {name}")
    if wait is not None and getattr(error, "retry_after_s", None) is None:
        with suppress(Exception):
            setattr(error, "retry_after_s", wait)  # noqa: B010 - exceptions take any attribute
    error.__cause__ = WorkerTraceback(text)
    return error, custom
