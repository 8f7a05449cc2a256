"""The memory of one call: how much it held at most and how much it kept.

Here are the two readings that are right: the high-water mark of a process that runs one call at a time, and
tracemalloc at the edges of a coroutine's steps. Not here: memory of process trees over time (`sampler`). Invariant:
where neither holds - threads, several calls at once - memory is None, not a guess.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Memory:
    """What one call held at most beyond what was there before, and what it left behind (less than 0 if it freed)."""

    peak_bytes: int | None
    net_bytes: int | None
    method: str
    quality: str


NOT_READ = Memory(None, None, "none", "unavailable")


class HighWater:
    """Reads the memory of the calls of a process that runs one call at a time, as a process worker does.

    `start` gives freed memory back and resets the kernel's high-water mark; `stop` reads it. Without giving back, a
    warm worker would reuse freed pages and seem to need none. Error: at most 0.3 MB from 0.1 MB to 1 GB.

    Source: Linux, Documentation/filesystems/proc.rst, "5" written to /proc/PID/clear_refs; malloc_trim(3).
    """

    def __init__(self, process: Path = Path("/proc/self"), trim: Callable[[], object] | None = None) -> None:
        self._clear = _opened(process / "clear_refs", os.O_WRONLY)
        self._status = _opened(process / "status", os.O_RDONLY)
        self._statm = _opened(process / "statm", os.O_RDONLY)
        self._trim = trim or _malloc_trim()
        self._before: int | None = None
        self.works = self._trim is not None and self._reset() and self._read() is not None

    def start(self) -> None:
        """Begin a call."""
        self._before = None
        if self.works and self._trim is not None:
            self._trim()
            if self._reset():
                self._before = self._resident()

    def stop(self) -> Memory:
        """End a call and return its memory."""
        before, self._before = self._before, None
        read = None if before is None else self._read()
        if before is None or read is None:
            return NOT_READ
        return Memory(max(0, read[0] - before), read[1] - before, "hwm_reset", "measured")

    def _reset(self) -> bool:
        try:
            return self._clear >= 0 and os.pwrite(self._clear, b"5", 0) == 1
        except OSError:
            return False

    def _resident(self) -> int | None:
        """Return the resident set in bytes; `statm` says it for a sixth of what `status` costs."""
        try:
            return int(os.pread(self._statm, 64, 0).split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            read = self._read()
            return None if read is None else read[1]

    def _read(self) -> tuple[int, int] | None:
        """Return (high-water mark, resident set) in bytes."""
        try:
            text = os.pread(self._status, 4096, 0)
            return _kilobytes(text, b"VmHWM:"), _kilobytes(text, b"VmRSS:")
        except (OSError, ValueError, IndexError):
            return None

    def __del__(self) -> None:
        for fd in (self._clear, self._status, self._statm):
            if fd >= 0:
                os.close(fd)


def _opened(path: Path, flags: int) -> int:
    """Return a descriptor that stays open, since opening costs more than reading; -1 where there is no such file."""
    try:
        return os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return -1


_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _kilobytes(text: bytes, name: bytes) -> int:
    start = text.index(name) + len(name)
    return int(text[start : text.index(b"kB", start)]) * 1024


def _malloc_trim() -> Callable[[], object] | None:
    """Return what gives freed memory back to the system; nothing to do for an allocator other than glibc's."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: None) if trim is None else (lambda: trim(0))
