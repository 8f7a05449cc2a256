"""Values as bytes for another process: plain pickle where it will do, by value where the other side cannot import.

Whether a function's module can be imported by a worker is asked once a module. cloudpickle is imported when first
needed.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

_BY_VALUE: dict[str, bytes] = {"__main__": b"__main__"}
_IMPORTABLE: dict[str, bool] = {}
_FRAME = 1 << 16
"""Byte strings of this length are written by themselves, outside a frame."""


def importable(name: str) -> bool:
    """Whether a worker that has our sys.path can import this module and gets the same file."""
    known = _IMPORTABLE.get(name)
    if known is None:
        known = _IMPORTABLE[name] = _find(name)
        if not known:
            _BY_VALUE[name] = name.encode()
            module = sys.modules.get(name)
            if module is not None:
                import cloudpickle

                cloudpickle.register_pickle_by_value(module)
    return known


def _find(name: str) -> bool:
    if name == "__main__":
        return False
    module = sys.modules.get(name)
    if name in sys.builtin_module_names or module is None:
        return True
    path: Any = None
    found = None
    whole = ""
    for part in name.split("."):
        whole = f"{whole}.{part}" if whole else part
        if whole in sys.builtin_module_names:
            return True
        try:
            # Every finder, not the path alone: an editable install comes with one of its own, which workers have too.
            found = next((spec for finder in sys.meta_path if (spec := finder.find_spec(whole, path))), None)
        except (ImportError, AttributeError, ValueError):
            return False
        if found is None:
            return getattr(getattr(module, "__spec__", None), "origin", None) in ("built-in", "frozen")
        path = found.submodule_search_locations
    origin = getattr(module, "__file__", None)
    return found is not None and (origin is None or found.origin == origin)


def dump_function(function: Any) -> bytes:
    """A function as bytes that a worker can load."""
    import cloudpickle

    target = function
    while hasattr(target, "func"):
        target = target.func
    importable(getattr(target, "__module__", None) or "__main__")
    return bytes(cloudpickle.dumps(function, protocol=5))


class _Pieces(list[Any]):
    """What a pickler writes: large byte strings as they are, not copied."""

    def write(self, piece: Any) -> None:
        """Take one more piece; what is only a view may change once this returns."""
        self.append(bytes(piece) if type(piece) is memoryview else piece)


def pieces(value: Any, buffers: list[Any] | None = None) -> list[Any]:
    """A value as bytes, in pieces; large buffers go to `buffers` if it is given.

    Raises:
        Exception: Whatever pickling raises.
    """
    callback = None if buffers is None else buffers.append
    found = _Pieces()
    try:
        pickle.Pickler(found, 5, buffer_callback=callback).dump(value)
    except Exception:
        if buffers:
            buffers.clear()
    else:
        if not _mentions(found):
            return found
        if buffers:
            buffers.clear()
    import cloudpickle

    return [cloudpickle.dumps(value, protocol=5, buffer_callback=callback)]


def dump(value: Any) -> bytes:
    """A value as bytes.

    Raises:
        Exception: Whatever pickling raises.
    """
    return b"".join(pieces(value))


def _mentions(found: list[Any]) -> bool:
    """Whether a module that a worker cannot import is named; what is long and no frame of the pickle is plain data."""
    return any(
        name in piece
        for piece in found
        if len(piece) < _FRAME or piece[:1] == b"\x95" or piece[:2] == b"\x80\x05"
        for name in _BY_VALUE.values()
    )
