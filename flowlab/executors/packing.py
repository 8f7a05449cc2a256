"""Packing values for the wire: small plain ones fast, large buffers beside the pickle instead of in it."""

from __future__ import annotations

import pickle
from typing import Any

from flowlab.executors import portable
from flowlab.executors.wire import BUFFERS

_PLAIN = frozenset({int, float, bool, type(None), complex})
_EMPTY: dict[Any, bytes] = {}


def pack(value: Any) -> tuple[bytes, int]:
    """A value as bytes, and flags that say how.

    Raises:
        Exception: Whatever pickling raises.
    """
    if type(value) in _PLAIN:
        return pickle.dumps(value, 5), 0
    if type(value) is tuple:
        for item in value:
            if type(item) not in _PLAIN:
                break
        else:
            return pickle.dumps(value, 5), 0
    buffers: list[Any] = []
    data = portable.dump(value, buffers)
    if not buffers:
        return data, 0
    raws = [buffer.raw() for buffer in buffers]
    head = len(raws).to_bytes(4, "little") + b"".join(raw.nbytes.to_bytes(8, "little") for raw in raws)
    return b"".join([head, len(data).to_bytes(8, "little"), data, *raws]), BUFFERS


def unpack(payload: bytes | memoryview, flags: int) -> Any:
    """The value that `pack` packed."""
    if not flags & BUFFERS:
        return pickle.loads(payload)
    payload = memoryview(payload)
    count = int.from_bytes(payload[:4], "little")
    sizes = [int.from_bytes(payload[4 + 8 * i : 12 + 8 * i], "little") for i in range(count)]
    at = 4 + 8 * count
    length = int.from_bytes(payload[at : at + 8], "little")
    at += 8
    data = payload[at : at + length]
    at += length
    buffers = []
    for size in sizes:
        buffers.append(bytearray(payload[at : at + size]))
        at += size
    return pickle.loads(data, buffers=buffers)
