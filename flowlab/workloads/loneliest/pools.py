"""Pools that end well: what is queued is dropped when something fails, and no worker outlives its caller.

Invariant: leaving a pool's with-block leaves no thread and no process of it behind, also on Ctrl-C, and a killed
caller's workers end by themselves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Barrier
from time import perf_counter_ns

from flowlab.metrics.starts import worker_ready

# Not "fork": it copies locks that other threads hold (httpx, loggers) into a child where nobody will ever release them.
START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"

START_LIMIT_S = 60.0


@contextmanager
def thread_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; on a failure, drop what is not begun."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="survey")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def process_pool(workers: int, module: str) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes, which start while the caller goes on; on a failure, drop what is not begun.

    Args:
        workers: How many there are.
        module: What they need to import.
    """
    context = multiprocessing.get_context(START_METHOD)
    if START_METHOD == "forkserver":
        # Imported once in the fork server, then shared by all workers: half the start-up of two spawned ones.
        context.set_forkserver_preload([module])
    together = context.Barrier(workers)
    pool = ProcessPoolExecutor(workers, context, prepare_worker, (together, perf_counter_ns()))
    starting = threading.Thread(target=start_workers, args=(pool, workers))
    starting.start()
    try:
        yield pool
    finally:
        starting.join()
        pool.shutdown(cancel_futures=True)


def start_workers(pool: ProcessPoolExecutor, workers: int) -> None:
    """Give every worker of a pool a first call and wait for the answers."""
    # A worker that cannot start breaks the pool, and whoever uses it next is told.
    with suppress(RuntimeError):
        wait([pool.submit(os.getpid) for _ in range(workers)])


def prepare_worker(together: Barrier, asked_ns: int) -> None:
    """Make this process a worker: Ctrl-C is its caller's, it ends when its caller does, and waits for its peers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    together.wait(START_LIMIT_S)
    worker_ready(asked_ns)


def end_with_parent() -> None:
    """End this process when its caller is gone, even by SIGKILL; a pool's worker would wait for work forever."""
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)


@contextmanager
def first_error() -> Iterator[None]:
    """Raise the first error of a task group instead of the group: the others are the same or follow from it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from error.__cause__
