"""Functions and items named on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from flowlab.comparison.subjects import unknown
from flowlab.errors import SettingError


def functions(text: str) -> list[Callable[..., Any]]:
    """The functions named by `module:one,two` or `file.py:one,two`; modules are looked for in the current folder too.

    Raises:
        SettingError: The text is not of that form, or there is no such module or function.
    """
    where, colon, names = text.rpartition(":")
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not colon or not where or not wanted:
        raise SettingError(f"{text!r} names no functions: write module:first,second or file.py:first,second")
    module = _module(where)
    return [_function(module, where, name) for name in wanted]


def _module(where: str) -> Any:
    path = Path(where)
    if path.suffix == ".py":
        if not path.is_file():
            raise SettingError(f"there is no file {where!r}: give the path of the file that has your functions")
        sys.path.insert(0, str(path.resolve().parent))
        where = path.stem
    else:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and where.split(".")[0] != error.name.split(".")[0]:
            raise SettingError(f"module {where!r} needs {error.name!r}, which is not installed here") from error
        raise SettingError(f"there is no module {where!r} here: call from its folder, or give file.py:names") from error
    except (Exception, SystemExit) as error:
        raise SettingError(f"module {where!r} fails when it is imported: {type(error).__name__}: {error}") from error


def _function(module: Any, where: str, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise SettingError(f"{unknown('function', name, known)} (in {where})")
    return found  # type: ignore[no-any-return]


def items(text: str) -> list[Any]:
    """The items in a file: the list in a .json file, else one item a line, empty lines left out; `-` is standard input.

    Raises:
        SettingError: The file cannot be read, holds no list, or is empty.
    """
    try:
        content = sys.stdin.read() if text == "-" else Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read items from {text!r}: {getattr(error, 'strerror', None) or error}") from error
    if text.endswith(".json"):
        try:
            found = json.loads(content)
        except ValueError as error:
            raise SettingError(f"{text} is not JSON: {error}") from error
        if not isinstance(found, list):
            raise SettingError(f"{text} holds a {type(found).__name__}: items are a list")
    else:
        found = [line for line in content.splitlines() if line.strip()]
    if not found:
        raise SettingError(f"there are no items in {text!r}")
    return found
