"""How long a worker process took to be ready: said by the worker itself, to whoever measures its parent.

Invariant: one record a worker, from being asked for to being ready, on the clock all processes of a host share.
"""

from __future__ import annotations

import os
import threading
from time import perf_counter_ns

from flowlab.metrics.active import recorder
from flowlab.metrics.record import Record

START = "start workers"


def worker_ready(asked_ns: int) -> None:
    """Record that this worker, asked for at `asked_ns` (perf_counter_ns of its parent), is ready now.

    For a pool's initializer. Nothing is recorded when nobody measures.
    """
    active = recorder()
    if active is None:
        return
    pid, tid = os.getpid(), threading.get_native_id()
    ready = Record(operation=START, stage="start", executor="processes", pid=pid, tid=tid, started_ns=asked_ns,
                   ended_ns=perf_counter_ns())  # fmt: skip
    active.extend([ready])
