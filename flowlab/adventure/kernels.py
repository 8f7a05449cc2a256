"""Kernels: those of the walks under way, so that they can be ended by somebody else than their walk.

Here: starting none after the end, a time limit, ending. Not here: what runs in them (`walks`). The invariant: what is
ended is a kernel that was started here, and the worker processes that it started itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from threading import TIMEOUT_MAX, Event, Lock, Thread
from typing import Any

from flowlab.errors import FlowlabError, require

GRACE_S = 5.0
"""How long a kernel has to end its cell after it was interrupted."""


class KernelEnded(FlowlabError, RuntimeError):
    """A kernel was not started, since its walk is over."""


class Kernel:
    """The kernel of one walk.

    Args:
        base: The class of kernel managers to begin with.

    Attributes:
        manager: The class of kernel managers that the walk is to use.
    """

    def __init__(self, base: Any) -> None:
        self._lock = Lock()
        self._over = False
        self._started: list[Any] = []
        kernel = self

        class Known(base):  # type: ignore[misc]
            async def _async_start_kernel(self, **more: Any) -> None:
                with kernel._lock:
                    if kernel._over:
                        raise KernelEnded("the notebook was called off before its kernel began")
                    kernel._started.append(self)
                await super()._async_start_kernel(**more)

            start_kernel = _async_start_kernel

        self.manager: type = Known

    def interrupt(self) -> None:
        """Raise a KeyboardInterrupt in the cell that runs, where the system has a signal for that."""
        if os.name != "nt":
            self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End it; none is started any more."""
        with self._lock:
            self._over = True
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _signal(self, number: int) -> None:
        for manager in self._started:
            process = getattr(manager.provisioner, "process", None)
            if process is None or process.poll() is not None:
                continue
            group = getattr(manager.provisioner, "pgid", None)
            with suppress(OSError):  # it has just ended by itself
                if group and group != os.getpgrp():
                    os.killpg(group, number)
                else:
                    process.send_signal(number)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[Event]:
        """Stop the kernel if the block takes longer: interrupt it, and kill it if that does not help.

        Yields:
            An event that is set if the kernel was stopped.
        """
        over, late = Event(), Event()

        def watch() -> None:
            if over.wait(min(seconds, TIMEOUT_MAX)):
                return
            late.set()
            self.interrupt()
            over.wait(GRACE_S)
            while not over.is_set():
                self.kill()
                over.wait(0.2)

        watching = Thread(target=watch, name="flowlab-limit", daemon=True)
        watching.start()
        try:
            yield late
        finally:
            over.set()
            watching.join()


class Kernels:
    """The kernels of all walks under way."""

    def __init__(self) -> None:
        manager = require("jupyter_client.manager", extra="notebooks", why="to run a notebook with nobody there")
        self._base = manager.AsyncKernelManager
        self._lock = Lock()
        self._kernels: list[Kernel] = []
        self._over = False

    def one(self) -> Kernel:
        """Return the kernel of one more walk."""
        with self._lock:
            if self._over:
                raise KernelEnded("the notebooks were called off before this one began")
            self._kernels.append(Kernel(self._base))
            return self._kernels[-1]

    def end(self, futures: Sequence[Future[Any]]) -> None:
        """End every kernel, and wait until each walk has noticed; walks that have not begun never do."""
        with self._lock:
            self._over = True
        for future in futures:
            future.cancel()
        while wait(futures, timeout=0.2).not_done:
            for kernel in self._kernels:
                kernel.kill()
