"""Short calls in a worker: those that came together run one after the other, and each leaves its result in the ring.

What makes a short call cheap: its arguments were unpickled with those of others, its result is marshalled with its
times in one piece, and the CPU clock, which costs more than the call, is read once for many of them. How much of that
each had follows from its wall time, so it is marked as estimated; a call that turns out not to be short has the clock
read for itself. Invariant: a result is in the ring, or written to the pipe, before the next call begins.
"""

from __future__ import annotations

import marshal
import time
from typing import Any

from flowlab.executors.ring import LONGEST

NUMBERS = frozenset({int, float, bool, type(None), complex})
TEXTS = frozenset({str, bytes})
SHORT_NS = 20_000
"""Calls that take longer have the CPU clock read for themselves."""
GROUP = 64
"""The CPU clock is read at least every so many calls."""
LONGEST_TEXT = 256
"""Longer ones are not put among the arguments of other calls."""


def plain(arguments: tuple[Any, ...]) -> bool:
    """Whether arguments can be packed with those of other calls: nothing in them can be shared and changed."""
    for item in arguments:
        kind = type(item)
        if kind not in NUMBERS and (kind not in TEXTS or len(item) > LONGEST_TEXT):
            return False
    return True


def run(worker: Any) -> None:
    """Run the short calls that wait in a worker, up to the first that came by itself."""
    clock, dumps = time.perf_counter_ns, marshal.dumps
    calls, functions, current, put = worker.calls, worker.functions, worker.current, worker.ring.put
    current.recorder = worker
    worker.used = None
    sharing = Sharing(worker)
    left = GROUP
    while calls:
        try:
            entry = calls.popleft()
        except IndexError:  # the rest was given back
            break
        if type(entry) is bytes:
            calls.appendleft(entry)
            break
        number, function, arguments = entry
        worker.number = number
        if current.custom is not None or current.inner_ns:
            current.take(None)
        started = clock()
        try:
            target = functions[function]
            if type(target) is bytes:
                target = worker.function(function)
                started = clock()
            value = target(*arguments)
        except BaseException as error:
            worker.failed(number, error, (started, clock(), sharing.own(started), 0))
            left = GROUP
            continue
        ended = clock()
        kind = type(value)
        if (
            ended - started < SHORT_NS
            and (kind in NUMBERS or (kind in TEXTS and len(value) < LONGEST_TEXT))
            and not worker.said
            and current.custom is None
            and not current.inner_ns
        ):
            found = dumps((number, started, ended, value), 2)
            if len(found) < LONGEST and put(found):
                worker.unseen = True
                left -= 1
                if not left:
                    sharing.end()
                    left = GROUP
                continue
        worker.result(number, value, started, ended, sharing.own(started), 0)
        left = GROUP
    sharing.end()


class Sharing:
    """The CPU and the wall time of a worker since the CPU clock was read last."""

    def __init__(self, worker: Any) -> None:
        self.ring = worker.ring
        self.began, self.used = time.perf_counter_ns(), time.process_time_ns()

    def own(self, started: int) -> int:
        """The CPU of the last call alone, which started then: what came before had no more CPU than wall time."""
        now, read = time.perf_counter_ns(), time.process_time_ns()
        before = started - self.began
        spent = max(0, read - self.used - before)
        self.ring.share(read - self.used - spent, before)
        self.began, self.used = now, read
        return spent

    def end(self) -> None:
        """Say how much there was of both."""
        now, read = time.perf_counter_ns(), time.process_time_ns()
        self.ring.share(read - self.used, now - self.began)
        self.began, self.used = now, read
