"""The sampler: memory and CPU of whole process trees over time, seen from another process.

Here are starting that process, talking to it, and the samples it returns; what it does is in `sampling`. A sampler
inside the measured process would starve while C code holds the GIL. Invariant: one helper process a sampler, gone
when the sampler is left or its process dies.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowlab.errors import SettingError, WorkerLost
from flowlab.metrics.sampling import ProcReader, reader_here


@dataclass(frozen=True, slots=True)
class Samples:
    """What a process tree used over time.

    Attributes:
        name: What it was watched as.
        method: How memory was read: "pss" counts shared pages once over the tree; "rss" counts them in every process.
        times_ns: When (`time.perf_counter_ns`).
        memory_bytes: Memory of the whole tree then.
        cpu_s: CPU the tree had used since the watch began, ended processes included as far as they were seen.
        processes: How many processes it had.
    """

    name: str
    method: str
    times_ns: tuple[int, ...] = ()
    memory_bytes: tuple[int, ...] = ()
    cpu_s: tuple[float, ...] = ()
    processes: tuple[int, ...] = ()

    def since(self, since_ns: int) -> Samples:
        """Return the samples later than a moment."""
        first = bisect_right(self.times_ns, since_ns)
        rest = (column[first:] for column in (self.times_ns, self.memory_bytes, self.cpu_s, self.processes))
        return Samples(self.name, self.method, *rest)  # type: ignore[arg-type]

    @property
    def peak_bytes(self) -> int | None:
        """The most memory seen, None if nothing was."""
        return max(self.memory_bytes, default=None)

    @property
    def peak_at_ns(self) -> int | None:
        """When that was (`time.perf_counter_ns`), None if nothing was seen."""
        return None if not self.memory_bytes else self.times_ns[self.memory_bytes.index(max(self.memory_bytes))]

    @property
    def worst_gap_s(self) -> float | None:
        """The longest time between two samples, None with less than two."""
        gaps = (later - earlier for earlier, later in itertools.pairwise(self.times_ns))
        return None if len(self.times_ns) < 2 else max(gaps) / 1e9

    @property
    def cpu_s_total(self) -> float | None:
        """CPU seconds of the tree from watch to stop, as far as seen; None if nothing was."""
        return self.cpu_s[-1] if self.cpu_s else None


def _samples(name: str, found: dict[str, Any]) -> Samples:
    """Return what the helper answered as samples."""
    method = found.pop("method", "none")
    return Samples(name, method, **{column: tuple(values) for column, values in found.items()})


class Sampler:
    """Watches process trees from a helper process, from `with` to the end of its block.

    Args:
        hz: Samples a second at most; fewer where that would cost more than about 5 % of a core.
    """

    def __init__(self, hz: float = 50.0) -> None:
        if not 0 < hz <= 1000:
            raise SettingError(f"a sampler cannot take {hz} samples a second: choose from above 0 to 1000")
        self.hz = hz
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._keys = itertools.count(1)
        self._watches: dict[str, str] = {}

    def __enter__(self) -> Sampler:
        program = Path(__file__).with_name("sampling.py")
        plain = ("-I", "-S") if isinstance(reader_here(), ProcReader) else ()  # psutil is found by site
        command = [sys.executable, *plain, str(program), str(os.getpid()), str(self.hz)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, *error: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes both pipes, and waits
            try:
                if process.stdin is not None:
                    process.stdin.close()
                process.wait(timeout=2)
            except (subprocess.TimeoutExpired, OSError):
                process.kill()

    @property
    def pid(self) -> int | None:
        """The helper's process id, None outside `with`."""
        return None if self._process is None else self._process.pid

    def watch(self, name: str, pid: int) -> None:
        """Begin to sample a process and all its descendants under a name; the first sample is taken on return.

        A process that is already gone yields empty Samples at `stop`.
        """
        if name in self._watches:
            raise SettingError(f"{name!r} is being watched already: stop it first, or choose another name")
        key = str(next(self._keys))
        self._ask(f"watch {key} {pid:d}")
        self._watches[name] = key

    def stop(self, name: str) -> Samples:
        """End a watch and return its samples; the last one is taken now."""
        key = self._watches.pop(name, None)
        if key is None:
            raise SettingError(f"{name!r} is not being watched: call watch({name!r}, pid) first")
        return _samples(name, self._ask(f"stop {key}"))

    def so_far(self, name: str, since_ns: int = -1) -> Samples:
        """Return the samples of a watch that goes on, those later than a moment; empty if it has just ended."""
        key = self._watches.get(name)
        return Samples(name, "none") if key is None else _samples(name, self._ask(f"peek {key} {since_ns}"))

    def _ask(self, line: str) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise SettingError("the sampler is not running: use it as `with Sampler() as sampler:`")
        with self._lock:
            try:
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = b""
        if not answer:
            raise WorkerLost("the sampler's process ended unexpectedly and what it saw is lost: measure again")
        found: dict[str, Any] = json.loads(answer)
        return found


def process_cpu_ns(pid: int) -> int:
    """Return the CPU time of a whole process so far, ended threads included and children not.

    Raises:
        SettingError: There is no such process.
    """
    found = reader_here().cpu_ns(pid)
    if found is None:
        raise SettingError(f"there is no process {pid} to read the CPU time of: it may have ended")
    return found
