"""Telling the user's interrupt (Ctrl-C, a kernel's stop) from a KeyboardInterrupt that an operation raised itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

try:  # what `signal` wraps around these, making enums of ints, is a third of what a short run costs
    from _signal import getsignal  # type: ignore[import-not-found,unused-ignore]
    from _signal import signal as set_signal
except ImportError:
    from signal import getsignal
    from signal import signal as set_signal

_SIGINT = int(signal.SIGINT)


class Interrupts:
    """Whether the user interrupted.

    Attributes:
        hit: The user did.
        stop: Stops the event loop's driver in its own way, cleanup first.
        in_body: Says whether an operation's body runs on the interrupted thread, where only an exception stops it.
        calm: Called instead of raising, if it is set: the event loop's driver stops in its own way.
    """

    def __init__(self) -> None:
        self.hit = False
        self.calm: Callable[[], bool] | None = None
        self.stop: Callable[[], object] | None = None
        self.known = False
        self.in_body: Callable[[], bool] = bool

    def own(self, error: BaseException) -> bool:
        """Whether an exception from an operation's body is the user's interrupt and no failure of the operation."""
        if not isinstance(error, KeyboardInterrupt):
            return False
        return self.hit or (not self.known and threading.current_thread() is threading.main_thread())

    def _handle(self, number: int, frame: Any) -> None:
        first = not self.hit
        self.hit = True
        if first and self.calm is not None and self.calm():
            return
        raise KeyboardInterrupt


def raise_in(thread: threading.Thread) -> None:
    """Raise KeyboardInterrupt in Python code that runs on another thread; a call into C ends first."""
    import ctypes

    if thread.ident is not None and hasattr(ctypes, "pythonapi"):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))


class interrupts:
    """Watch for the user's interrupt while the block runs, where that is possible: on the main thread."""

    def __enter__(self) -> Interrupts:
        found, self.watching = Interrupts(), False
        if threading.current_thread() is threading.main_thread():
            before = getsignal(_SIGINT)
            self.watching = before is signal.default_int_handler
            found.known = self.watching or before == signal.SIG_IGN  # ignored, as in a shell's background: none comes
        if self.watching:
            set_signal(_SIGINT, found._handle)
        return found

    def __exit__(self, *error: object) -> None:
        if self.watching:
            set_signal(_SIGINT, signal.default_int_handler)
