"""A pool of processes in which a call that ends its worker costs itself alone.

The standard library's pool breaks as a whole when a worker dies, and does not say which call it was in. Here the calls
that were lost are made again one at a time, in a pool of one: whichever breaks that one is to blame. Invariant: every
call has its result, its own exception, or WorkerLost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Lock
from typing import Any

from flowlab.errors import WorkerLost


class LastingPool:
    """Worker processes, as many as asked for until one of them dies."""

    def __init__(self, start: Callable[[int], ProcessPoolExecutor], workers: int) -> None:
        self._start = start
        self._pool = start(workers)
        self._single: ProcessPoolExecutor | None = None
        self._lock = Lock()

    def __enter__(self) -> LastingPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        if self._single is not None:
            self._single.shutdown()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin a call; its future has BrokenProcessPool if a worker died before it was done: see `again`."""
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool as error:
            lost: Future[Any] = Future()
            lost.set_exception(error)
            return lost

    def again(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a call that was lost, made once more with nothing beside it.

        Raises:
            WorkerLost: It ended its worker.
            BrokenProcessPool: No worker can be started.
        """
        with self._lock:
            if self._single is None:
                self._single = self._start(1)
                self._single.submit(os.getpid).result()
            try:
                return self._single.submit(function, *arguments).result()
            except BrokenProcessPool as error:
                self._single.shutdown()
                self._single = None
                raise WorkerLost("the call ended its worker process") from error
