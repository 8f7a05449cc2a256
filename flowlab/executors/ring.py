"""Short results on their way from a worker to its caller, in memory that both have.

A result is written here as it ends and stays readable if the worker is killed a moment later, and writing it costs no
call of the system. Only results of calls with others behind them go this way; nothing here wakes anybody. Invariant:
one side writes `head`, the other `tail`, and `head` moves only when what lies before it is complete.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

from flowlab.executors import blocks

SIZE = 1 << 16
LONGEST = 1 << 11
"""Longer results are written to the socket."""
ENTRY = struct.Struct("<IIIqqqqq")
"""Length of the whole, number, flags, started, ended, CPU, deserialising, serialising; then the packed value."""
_MARKS = 32
"""Two marks of eight bytes for the ring, then a byte for each block."""


def shared_file() -> int:
    """A descriptor of a nameless file with room for a ring and, where possible, blocks; a worker inherits it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("flowlab")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        os.ftruncate(fd, blocks.length() or SIZE + _MARKS)
    except OSError:  # this user's files may not be that long
        os.ftruncate(fd, SIZE + _MARKS)
    return fd


class Ring:
    """The memory of one worker and its caller.

    Args:
        fd: What `shared_file` made; it is closed here.
        mine: The blocks that this side fills.

    Attributes:
        blocks: The memory for large values; None if there is none here.
    """

    def __init__(self, fd: int, mine: range = blocks.INWARD) -> None:
        self.memory = mmap.mmap(fd, SIZE + _MARKS)
        self.blocks: blocks.Blocks | None = None
        if os.fstat(fd).st_size == blocks.length():
            self.blocks = blocks.Blocks(fd, memoryview(self.memory)[SIZE + 16 :], mine)
        os.close(fd)
        self.marks = memoryview(self.memory)[SIZE : SIZE + 16].cast("Q")
        self.mine = 0

    def put(self, entry: bytes) -> bool:
        """Write an entry; False if there is no room."""
        head, size = self.mine, len(entry)
        if head + size - self.marks[1] > SIZE:
            return False
        at = head % SIZE
        if at + size <= SIZE:
            self.memory[at : at + size] = entry
        else:
            split = SIZE - at
            self.memory[at:SIZE] = entry[:split]
            self.memory[: size - split] = entry[split:]
        self.mine = self.marks[0] = head + size
        return True

    def read(self) -> bytes:
        """The entries that are complete, one after the other; their room is free again."""
        head, tail = self.marks[0], self.mine
        if head == tail:
            return b""
        at, end = tail % SIZE, (head - 1) % SIZE + 1
        found = self.memory[at:end] if at < end else self.memory[at:SIZE] + self.memory[:end]
        self.mine = self.marks[1] = head
        return found

    def close(self) -> None:
        """Let go of the memory."""
        if self.blocks is not None:
            self.blocks.close()
        self.marks.release()
        self.memory.close()
