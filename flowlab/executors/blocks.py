"""Large values on their way between a worker and its caller, in memory that both have.

What `packing` puts beside a pickle is copied into a block once. A worker hands its call the block itself, without
another copy, and the block is free again when no value of the call lives any more; the caller copies out, so that what
a run returns is ordinary memory. All blocks of a worker lie in one file without a name, far apart, so the kernel frees
them with the last of the two processes, however these end. Invariants: who sends writes only into a free block and
marks it, who receives alone frees it; a block is free only if nothing refers to its bytes.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

LARGE = 1 << 16
"""What is shorter goes through the pipe."""
INWARD, OUTWARD = range(6), range(6, 8)
"""The blocks that the caller fills, and those that the worker fills."""
SPAN = 1 << 40
"""Block k begins at (k + 1) * SPAN of the file, which has holes: a block takes as much memory as was ever in it."""
HELD = 2
"""So many blocks may stay in use by values that outlive their call; the values of further calls are copied out."""
WARM = 1 << 26
"""An idle worker keeps blocks of this many bytes: filling new memory costs several times as much."""
_ALIGN = 64
_STEP = 1 << 21


def length() -> int | None:
    """How long the file has to be; None where the system has no such files."""
    return (len(INWARD) + len(OUTWARD) + 1) * SPAN if hasattr(os, "memfd_create") else None


class Blocks:
    """One side of the blocks of a worker.

    Args:
        fd: The file; a copy of it is kept.
        marks: A byte for each block, in memory that both sides have: whether it is in use.
        mine: The blocks that this side fills.
    """

    def __init__(self, fd: int, marks: memoryview, mine: range) -> None:
        self.fd = os.dup(fd)
        self.marks = marks
        self.mine = mine
        self.maps: dict[int, Any] = {-1: object()}
        self.alone = self._references(-1)
        del self.maps[-1]
        self.held: list[int] = []

    # the side that fills

    def put(self, pickled: Sequence[Any], buffers: Sequence[Any]) -> tuple[int, int, list[tuple[int, int]]] | None:
        """Copy bytes into a free block.

        Args:
            pickled: They follow one another.
            buffers: Views, each of which begins at a round place.

        Returns:
            The block, the length of what is pickled, where each buffer begins and ends; None if no block is free.
        """
        number = self._free()
        if number is None:
            return None
        places = []
        end = length = sum(map(len, pickled))
        for buffer in buffers:
            start = -(-end // _ALIGN) * _ALIGN
            end = start + buffer.nbytes
            places.append((start, end))
        try:
            memory = self._map(number, end)
        except OSError:
            return None
        at = 0
        for piece in pickled:
            memory[at : at + len(piece)] = piece
            at += len(piece)
        for buffer, (start, end) in zip(buffers, places, strict=True):
            memory[start:end] = buffer
        self.marks[number] = 1
        return number, length, places

    def _free(self) -> int | None:
        """A free block; a worker waits for one: its caller copies out of them soon, or ends it."""
        pause = 1e-4
        while True:
            for number in self.mine:
                if not self.marks[number]:
                    return number
            if self.mine is not OUTWARD:
                return None
            time.sleep(pause)
            pause = min(0.005, 1.5 * pause)

    def _map(self, number: int, size: int) -> Any:
        """A block's memory, at least this long; one that grows is mapped anew, and nothing refers to the old one."""
        memory = self.maps.get(number)
        if memory is None or len(memory) < size:
            memory = self.maps[number] = mmap.mmap(self.fd, -(-size // _STEP) * _STEP, offset=(number + 1) * SPAN)
        return memory

    def _references(self, number: int) -> int:
        """How many references there are to a block's map, where that can be known."""
        return sys.getrefcount(self.maps[number]) if hasattr(sys, "getrefcount") else 0

    def trim(self) -> None:
        """Give back what is beyond WARM in free blocks; only while the other side does nothing."""
        total = 0
        for number, memory in list(self.maps.items()):
            total += len(memory)
            if total > WARM and not self.marks[number]:
                total -= len(memory)
                with suppress(OSError, AttributeError):
                    memory.madvise(mmap.MADV_REMOVE)
                del self.maps[number]
                memory.close()

    # the side that receives

    def view(self, number: int, size: int) -> memoryview:
        """The bytes of a block that the other side filled."""
        return memoryview(self._map(number, size))

    def lend(self) -> bool:
        """Whether the values of one more call may lie in their block."""
        return len(self.held) < HELD and hasattr(sys, "getrefcount")

    def hold(self, number: int) -> None:
        """Values refer to a block: `sweep` frees it when they are gone."""
        self.held.append(number)

    def free(self, number: int) -> None:
        """Nothing refers to a block any more."""
        self.marks[number] = 0

    def sweep(self) -> None:
        """Free the blocks that no value refers to: every view of a block's bytes keeps a reference to its map."""
        for number in self.held.copy():
            if self._references(number) <= self.alone:
                self.held.remove(number)
                self.free(number)

    def retire(self) -> None:
        """This process was forked: what lives in blocks now may live in the other process for ever."""
        self.held.clear()

    def close(self) -> None:
        """Let go of the memory."""
        self.marks.release()
        for memory in self.maps.values():
            memory.close()
        self.maps.clear()
        os.close(self.fd)
