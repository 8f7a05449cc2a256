"""Starting a pool's workers before their first call, on a thread of its own, so that nothing else waits for it.

The thread starts processes and packs the functions they will need; the pool takes them on where it lives. Invariant:
a worker started here is either taken on by its pool or kept warm for another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from flowlab.executors import portable
from flowlab.executors.child import Child, give_back, idle, lease


class Warming:
    """Workers on their way to a pool.

    Args:
        count: How many workers to start.
        functions: What they will be asked to run.
        soon: Has the pool's thread call a function with arguments.
        take_on: Called there with each worker; with None if one could not be started.
        load: Called there with each function and the bytes of it.
    """

    def __init__(
        self,
        count: int,
        functions: Iterable[Any],
        soon: Callable[..., Any],
        take_on: Callable[[Child | None], Any],
        load: Callable[[list[tuple[Any, bytes]]], Any],
    ) -> None:
        self.coming = count
        self.functions = tuple(functions)
        self.soon = soon
        self.take_on = take_on
        self.load = load
        self.children: list[Child] = []
        self.stopped = False
        self.thread = threading.Thread(target=self._work, name="flowlab-warm", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        with suppress(RuntimeError):  # the loop has closed: `close` keeps what was started
            for _ in range(self.coming):
                if self.stopped:
                    return
                try:
                    child = lease()
                except OSError:
                    self.soon(self._missed)  # the first call that needs it says why
                    continue
                self.children.append(child)
                self.soon(self._arrived, child)
            self.soon(self.load, self._packed())

    def _packed(self) -> list[tuple[Any, bytes]]:
        found = []
        for function in self.functions:
            with suppress(Exception):  # its first call says why
                if not self.stopped:
                    found.append((function, portable.dump_function(function)))
        return found

    def _arrived(self, child: Child) -> None:
        if child in self.children:
            self.children.remove(child)
            self.coming -= 1
            self.take_on(child)

    def _missed(self) -> None:
        self.coming -= 1
        self.take_on(None)

    def close(self) -> None:
        """Stop, and keep warm what the pool has not taken on."""
        self.stopped = True
        self.thread.join()
        while self.children:
            give_back(self.children.pop())


def enough(count: int) -> bool:
    """Whether so many workers are warm already."""
    return idle() >= count
