"""Frames between the caller and a worker: four bytes of length, one byte of kind, then the payload."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HELLO, SETUP, FUNCTION, CALL, RESULT, ERROR, YIELD, OUT, ERR, REVOKED = range(10)
STREAM, BUFFERS, CUSTOM = 1, 2, 4
HEAD = struct.Struct("<QB")
CALL_HEAD = struct.Struct("<IIII")
RESULT_HEAD = struct.Struct("<IIqqqqq")


def frame(kind: int, payload: bytes) -> bytes:
    """One frame as bytes."""
    return HEAD.pack(len(payload), kind) + payload


class Reader:
    """Puts frames together from the bytes that arrive."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.chunks: list[bytes] = []
        self.need = 0

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self.buffer += data

    def frames(self) -> Iterator[tuple[int, memoryview]]:
        """The frames that are complete, each with a payload that is a copy of its own."""
        buffer, at, size = self.buffer, 0, HEAD.size
        while len(buffer) - at >= size:
            length, kind = HEAD.unpack_from(buffer, at)
            end = at + size + length
            if len(buffer) < end:
                break
            payload = memoryview(bytes(buffer[at + size : end]))
            at = end
            yield kind, payload
        if at:
            del buffer[:at]
