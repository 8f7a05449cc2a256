"""The exception family, and the one way to import an optional package.

Every error flowlab raises on purpose is a `FlowlabError` and also the builtin it means, so that `except ValueError`
written by somebody who never heard of flowlab still works. A message says what happened, names the thing, and gives
the way out. Secrets and input values stay out of messages.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class FlowlabError(Exception):
    """Something flowlab can explain went wrong."""


class FlowError(FlowlabError, ValueError):
    """The flow is built wrongly."""


class RunError(FlowlabError, RuntimeError):
    """A wanted output could not be made.

    Attributes:
        run: The partial run, or None if nothing ran.
        errors: The calls that failed for good, each with `.operation` and `.error`.
    """

    def __init__(self, message: str, run: Any = None, errors: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.run = run
        self.errors = errors


class ComparisonError(FlowlabError, RuntimeError):
    """A comparison could not be made."""


class PlotError(FlowlabError, ValueError):
    """There is nothing to draw; the message says what was not measured."""


class SettingError(FlowlabError, ValueError):
    """A setting, name or choice is not one flowlab knows; the message lists the choices."""


class MissingPackageError(FlowlabError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class StoreError(FlowlabError, ValueError):
    """A file is not a store of flowlab, or one that cannot be used; it was left as it is."""


class WorkerLost(FlowlabError, RuntimeError):
    """A worker process ended in the middle of a call."""


def require(package: str, *, extra: str, why: str) -> ModuleType:
    """Import and return an optional package.

    Args:
        package: The module to import, dotted if need be.
        extra: The extra of flowlab that installs it.
        why: What it is needed for, as in "to show a table".

    Raises:
        MissingPackageError: It is not installed; the message says which extra brings it.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or package.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingPackageError(
            f"{package} is needed {why} and is not installed: install flowlab with its {extra!r} extra, "
            f"pip install 'flowlab[{extra}]'"
        ) from error
