"""Packing values for the wire: small plain ones fast, large buffers beside the pickle instead of in it, and what is
large altogether in a block of shared memory, where there are such."""

from __future__ import annotations

import pickle
from typing import Any

from flowlab.executors import portable
from flowlab.executors.blocks import LARGE, Blocks
from flowlab.executors.wire import BUFFERS, PLACED

_PLAIN = frozenset({int, float, bool, type(None), complex})


def pack(value: Any, blocks: Blocks | None = None) -> tuple[bytes, int, int]:
    """A value as bytes, flags that say how, and how many bytes are in a block.

    Raises:
        Exception: Whatever pickling raises.
    """
    if type(value) in _PLAIN:
        return pickle.dumps(value, 5), 0, 0
    if type(value) is tuple:
        for item in value:
            if type(item) not in _PLAIN:
                break
        else:
            return pickle.dumps(value, 5), 0, 0
    buffers: list[Any] = []
    pieces: list[Any] = portable.pieces(value, buffers)
    if not buffers and len(pieces) == 1 and (blocks is None or len(pieces[0]) < LARGE):
        return pieces[0], 0, 0
    raws = [buffer.raw() for buffer in buffers]
    length = sum(map(len, pieces))
    total = length + sum(raw.nbytes for raw in raws)
    if blocks is not None and total >= LARGE:
        found = blocks.put(pieces, raws)
        if found is not None:
            return pickle.dumps(found, 5), PLACED, total
    if not raws:
        return b"".join(pieces), 0, 0
    head = len(raws).to_bytes(4, "little") + b"".join(raw.nbytes.to_bytes(8, "little") for raw in raws)
    return b"".join([head, length.to_bytes(8, "little"), *pieces, *raws]), BUFFERS, 0


def unpack(payload: bytes | memoryview, flags: int, blocks: Blocks | None = None, lend: bool = False) -> Any:
    """The value that `pack` packed.

    Args:
        lend: The value may lie in its block, and holds it, instead of being copied out.
    """
    if flags & PLACED and blocks is not None:
        return _placed(payload, blocks, lend)
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


def _placed(payload: bytes | memoryview, blocks: Blocks, lend: bool) -> Any:
    number, length, places = pickle.loads(payload)
    lend = lend and bool(places) and blocks.lend()
    try:
        view = blocks.view(number, places[-1][1] if places else length)
        parts = [view[start:end] for start, end in places]
        return pickle.loads(view[:length], buffers=parts if lend else map(bytearray, parts))
    finally:
        if lend:
            blocks.hold(number)
        else:
            blocks.free(number)


def drop(payload: bytes | memoryview, flags: int, blocks: Blocks | None) -> None:
    """Nobody will unpack a value."""
    if flags & PLACED and blocks is not None:
        blocks.free(pickle.loads(payload)[0])


def beside(payload: bytes | memoryview, flags: int) -> int:
    """How many bytes of a packed value are in a block."""
    if not flags & PLACED:
        return 0
    _, length, places = pickle.loads(payload)
    return int(places[-1][1] if places else length)
