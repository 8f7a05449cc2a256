"""What level "full" adds to a call in a worker process: how long it waited for a core, and its memory.

A worker runs one call at a time, so the high-water mark of the process is the call's. Loaded before the first call that
wants it. Invariant: what reading costs is outside the call's wall, and said; as CPU, since the wait for a core that may
come in between is no cost of measuring.
"""

from __future__ import annotations

import time
from typing import Any

from flowlab.metrics.clocks import runqueue_ns
from flowlab.metrics.memory import HighWater
from flowlab.metrics.sizes import input_size


class Probing:
    """The readings around one call after the other.

    Attributes:
        begun: A call has begun that has not ended.
        before_ns: How long it took to read before the call, and `cost_ns`, what of that was CPU.
    """

    def __init__(self) -> None:
        self.memory = HighWater()
        self.begun = False
        self.before_ns = self.cost_ns = 0
        self.queued: int | None = None
        self.sized: tuple[int, str] | None = None

    def begin(self, now: int, arguments: tuple[Any, ...]) -> tuple[int, int]:
        """Begin a call that is loaded now; return when it starts, and the CPU the process has used until then."""
        began = time.process_time_ns()
        self.sized = input_size(arguments)
        self.memory.start()
        self.queued = runqueue_ns()
        self.begun = True
        started, used = time.perf_counter_ns(), time.process_time_ns()
        self.before_ns, self.cost_ns = started - now, used - began
        return started, used

    def end(self, read: int) -> dict[str, Any]:
        """End a call; return fields of its record.

        Args:
            read: The CPU the process had used when it ended.
        """
        self.begun = False
        queued, memory = runqueue_ns(), self.memory.stop()
        known = queued is not None and self.queued is not None
        found = {
            "runqueue_ns": queued - self.queued if known else None,  # type: ignore[operator]
            "mem_peak_bytes": memory.peak_bytes, "mem_net_bytes": memory.net_bytes,
            "mem_method": memory.method, "mem_quality": memory.quality,
            "overhead_ns": self.cost_ns, "after_ns": time.process_time_ns() - read,
        }  # fmt: skip
        if self.sized is not None:
            found["input_size"], found["input_unit"] = self.sized
        return found
