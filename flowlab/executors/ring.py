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

SIZE = 1 << 16
LONGEST = 1 << 11
"""Longer results are written to the socket."""
ENTRY = struct.Struct("<IIIqqqqq")
"""Length of the whole, number, flags, started, ended, CPU, deserialising, serialising; then the packed value."""
_MARKS = 16


def shared_file() -> int:
    """A descriptor of a file without a name, as large as a ring; a worker inherits it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("flowlab")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, SIZE + _MARKS)
    return fd


class Ring:
    """The memory of one worker and its caller.

    Args:
        fd: What `shared_file` made; it is closed here.
    """

    def __init__(self, fd: int) -> None:
        self.memory = mmap.mmap(fd, SIZE + _MARKS)
        os.close(fd)
        self.marks = memoryview(self.memory)[SIZE:].cast("Q")
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
        self.marks.release()
        self.memory.close()
