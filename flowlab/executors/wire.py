"""Frames between the caller and a worker: eight bytes of length, one byte of kind, then the payload."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HELLO, SETUP, FUNCTION, CALL, RESULT, ERROR, YIELD, OUT, ERR, REVOKED, LOAD, LOOK, PROGRESS, GROUP = range(14)
STREAM, BUFFERS, CUSTOM, NAMED, FULL, PLACED = 1, 2, 4, 8, 16, 32
MORE, REVOKE = b"m", b"r"
"""What the caller says over the lifeline: send one element more; give back the calls not begun."""
HEAD = struct.Struct("<QB")
CALL_HEAD = struct.Struct("<III")
CALL_FRAME = struct.Struct("<QBIII")
"""A frame's head and a call's, in one."""
RESULT_HEAD = struct.Struct("<IIqqqqq")
PROGRESS_BODY = struct.Struct("<Idd")
"""A call's number, how much of it is done, and how much there is in all (nan if that is not known)."""


SMALL, LARGE = 1 << 16, 1 << 20
NOTICE = HEAD.pack(0, LOOK)
"""The frame that says that there is something in the ring."""


def frame(kind: int, payload: bytes) -> bytes:
    """One frame as bytes."""
    return HEAD.pack(len(payload), kind) + payload


class Reader:
    """Puts frames together from the bytes that arrive.

    Attributes:
        want: How many bytes to ask for: a large buffer costs more than a short message, so it grows for long frames.
    """

    def __init__(self) -> None:
        self.want = SMALL
        self.rest = b""
        self.chunks: list[bytes] = []
        self.size = 0
        self.need = 0

    def idle(self) -> bool:
        """Whether the next byte begins a frame."""
        return not (self.need or self.rest)

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete with these bytes; a long one's are joined once, when the last has come."""
        if self.need:
            self.chunks.append(data)
            self.size += len(data)
            if self.size < self.need:
                return
            data = b"".join(self.chunks)
            self.chunks, self.size, self.need = [], 0, 0
            self.want = SMALL
        elif self.rest:
            data = self.rest + data
            self.rest = b""
        at, end, head, unpack = 0, len(data), HEAD.size, HEAD.unpack_from
        while end - at >= head:
            length, kind = unpack(data, at)
            start = at + head
            at = start + length
            if at > end:
                at = start - head
                self.chunks, self.size, self.need = [data[at:]], end - at, head + length
                self.want = max(SMALL, min(LARGE, self.need - self.size))
                return
            yield kind, data[start:at]
        self.rest = data[at:]
