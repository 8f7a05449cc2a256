"""Short results on their way from a worker to its caller, in memory that both have.

A result is written here as it ends and stays readable if the worker is killed a moment later, and writing it costs no
call of the system. Only results of calls with others behind them go this way; nothing here wakes anybody. Invariant:
one side writes `head`, the other `tail`, and `head` moves only when what lies before it is complete.
"""

from __future__ import annotations

import marshal
import mmap
import os
import tempfile
from typing import Any

from flowlab.executors import blocks

SIZE = 1 << 16
LONGEST = 1 << 11
"""Longer results are written to the pipe."""
_WORDS, _MARKS = 32, 64
"""Four marks of eight bytes for the ring, then a byte for each block."""
_SHIFT = 40
_ONE, _PLACE, _WORD = 1 << _SHIFT, (1 << _SHIFT) - 1, (1 << 64) - 1
"""The writer's mark counts bytes below, entries above, in one piece: marshalled values that follow one another are the
items of a list, which can be read at once if their number is known."""


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
            self.blocks = blocks.Blocks(fd, memoryview(self.memory)[SIZE + _WORDS :], mine)
        os.close(fd)
        self.marks = memoryview(self.memory)[SIZE : SIZE + _WORDS].cast("Q")
        self.at = self.word = self.tail = 0
        self.left = SIZE

    def put(self, entry: bytes) -> bool:
        """Write an entry, something marshalled; False if there is no room."""
        size = len(entry)
        if size > self.left:
            self.left = SIZE - (self.word - self.marks[1] & _PLACE)
            if size > self.left:
                return False
        at = self.at
        end = at + size
        if end <= SIZE:
            self.memory[at:end] = entry
        else:
            end -= SIZE
            self.memory[at:SIZE] = entry[:-end]
            self.memory[:end] = entry[-end:]
        self.at = end
        self.left -= size
        self.word = word = self.word + size + _ONE & _WORD
        self.marks[0] = word
        return True

    def read(self) -> tuple[list[Any], int]:
        """What the entries hold that are complete, and how many bytes they took; their room is free again."""
        word = self.marks[0]
        since = word - self.word & _WORD
        if not since:
            return [], 0
        count, size = since >> _SHIFT, since & _PLACE
        at, end = self.at, self.at + size
        if end <= SIZE:
            found = self.memory[at:end]
        else:
            end -= SIZE
            found = self.memory[at:SIZE] + self.memory[:end]
        self.at = end
        self.word = word
        self.tail = self.marks[1] = self.tail + size & _PLACE
        return marshal.loads(b"[" + count.to_bytes(4, "little") + found), size

    def share(self, cpu_ns: int, wall_ns: int) -> None:
        """Say what CPU the entries since the last time took in how much wall time."""
        self.marks[2], self.marks[3] = max(0, cpu_ns), max(0, wall_ns)

    def shared(self) -> tuple[int, int]:
        """What was said last of CPU and wall time."""
        return self.marks[2], self.marks[3]

    def close(self) -> None:
        """Let go of the memory."""
        if self.blocks is not None:
            self.blocks.close()
        self.marks.release()
        self.memory.close()
