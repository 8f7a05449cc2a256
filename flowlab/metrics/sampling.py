"""The program of the sampler's own process: reads what process trees use, while they run.

Run as a plain script by `sampler`, without the package and with little of the standard library, so that it is small
and starts at once. Here are reading /proc, deciding what may be read now, and the conversation over standard input
and output. Not here: anything the measured process executes. Invariant: it spends about 5 % of one core at most, and
ends when its parent does, however that ends.

The exact memory of a process (PSS, its own pages plus its share of shared ones) costs the kernel a walk over its page
tables: 0.3 ms for a small process, 30 ms for 1 GiB. So every sample reads the resident set (a few us), and the PSS of
a process is read when it is new, has changed, or was read long ago, as far as the budget goes; between two such
readings the change of the resident set is added to the last PSS.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from _queue import Empty, SimpleQueue  # what queue.SimpleQueue is, without threading
from _thread import start_new_thread
from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
TICK_SHARE = 0.02
PSS_SHARE = 0.03
MOST_SAMPLES = 20_000


class ProcReader:
    """Reads processes from a /proc folder (Linux)."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root

    def alive(self, pid: int) -> bool:
        """Say whether a process is there and no zombie."""
        try:
            fields = self._read(f"{pid}/stat").rpartition(b")")[2].split()
        except OSError:
            return False
        return bool(fields) and fields[0] not in (b"Z", b"X")

    def children(self, pid: int) -> list[int]:
        """Return the children of all threads of a process."""
        found: list[int] = []
        try:
            for tid in os.listdir(f"{self.root}/{pid}/task"):  # noqa: PTH208 - no pathlib here
                found.extend(map(int, self._read(f"{pid}/task/{tid}/children").split()))
        except OSError:
            pass
        return found

    def rss_bytes(self, pid: int) -> int | None:
        """Return the resident set, None if the process is gone."""
        try:
            return int(self._read(f"{pid}/statm").split()[1]) * PAGE
        except (OSError, IndexError):
            return None

    def pss_bytes(self, pid: int) -> int | None:
        """Return the proportional set, None if it may not be read."""
        try:
            for line in self._read(f"{pid}/smaps_rollup").splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        return None

    def cpu_ns(self, pid: int) -> int | None:
        """Return the CPU of all threads of a process so far, ended ones included, None if it is gone.

        Source: clock_getcpuclockid(3); the clock of a process is made of its pid as the kernel's posix-timers.h does.
        """
        try:
            return time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            return None

    def _read(self, path: str) -> bytes:
        fd = os.open(f"{self.root}/{path}", os.O_RDONLY)
        try:
            return os.read(fd, 65536)
        finally:
            os.close(fd)


class PsutilReader:
    """Reads processes through psutil, where there is no /proc; memory is the resident set."""

    def alive(self, pid: int) -> bool:
        """Say whether a process is there and no zombie."""
        return bool(self._ask(pid, lambda process: process.status() != "zombie"))

    def children(self, pid: int) -> list[int]:
        """Return the children of a process."""
        found: list[int] | None = self._ask(pid, lambda process: [child.pid for child in process.children()])
        return found or []

    def rss_bytes(self, pid: int) -> int | None:
        """Return the resident set, None if the process is gone."""
        found: int | None = self._ask(pid, lambda process: process.memory_info().rss)
        return found

    def pss_bytes(self, pid: int) -> int | None:
        """Return None: there is no such reading here."""
        return None

    def cpu_ns(self, pid: int) -> int | None:
        """Return the CPU of a process so far, None if it is gone."""
        found: int | None = self._ask(pid, lambda process: int(sum(process.cpu_times()[:2]) * 1e9))
        return found

    def _ask(self, pid: int, question: Callable[[Any], Any]) -> Any:
        import psutil

        try:
            return question(psutil.Process(pid))
        except psutil.Error:
            return None


class Budget:
    """What exact readings may cost: a share of elapsed time, saved up for at most a quarter of a second."""

    def __init__(self, now_s: float, share: float = PSS_SHARE) -> None:
        self.share = share
        self.at_s = now_s
        self.left_s = 0.01

    def grant(self, now_s: float) -> None:
        """Add what the time since the last grant allows."""
        self.left_s = min(0.25, self.left_s + (now_s - self.at_s) * self.share)
        self.at_s = now_s


class Process:
    """What is known of one process of a tree."""

    __slots__ = ("cpu_ns", "first_ns", "pss", "read_at", "rss", "rss_read")

    def __init__(self, first_ns: int) -> None:
        self.first_ns = self.cpu_ns = first_ns
        self.pss: int | None = None
        self.rss = self.rss_read = 0
        self.read_at = -1e9

    def memory(self) -> int:
        """Return its memory now: the last exact reading and what the resident set changed since, else that set."""
        return self.rss if self.pss is None else max(0, self.pss + self.rss - self.rss_read)

    def wants_reading(self, now_s: float) -> bool:
        """Say whether its last exact reading is worth renewing."""
        changed = abs(self.rss - self.rss_read) > max(1 << 20, self.rss_read // 50)
        return changed or now_s - self.read_at > 1.0


class Watch:
    """One tree being watched, and its samples."""

    def __init__(self, pid: int, reader: ProcReader | PsutilReader) -> None:
        self.reader = reader
        self.root = pid
        self.live: dict[int, Process] = {}
        self.ended_ns = 0
        self.zombies: set[int] = set()
        self.exact = True
        self.times_ns: list[int] = []
        self.memory_bytes: list[int] = []
        self.cpu_s: list[float] = []
        self.processes: list[int] = []
        if reader.alive(pid):
            self.live[pid] = Process(reader.cpu_ns(pid) or 0)
            for child in self._descendants():
                self.live.setdefault(child, Process(reader.cpu_ns(child) or 0))

    def sample(self, now_ns: int, budget: Budget, thorough: bool = False) -> None:
        """Read the tree once; `thorough` reads every process exactly, whatever it costs."""
        found = self._descendants()
        self.zombies.intersection_update(found)
        for pid in found:
            if pid not in self.live and (pid not in self.zombies or self.reader.alive(pid)):
                self.live[pid] = Process(0)
        for pid in list(self.live):
            self._read(pid, now_ns / 1e9, budget, thorough)
        if self.live:
            self.times_ns.append(now_ns)
            self.memory_bytes.append(sum(process.memory() for process in self.live.values()))
            self.processes.append(len(self.live))
            spent = sum(process.cpu_ns - process.first_ns for process in self.live.values())
            self.cpu_s.append((self.ended_ns + spent) / 1e9)
            if len(self.times_ns) > MOST_SAMPLES:
                self._thin()

    def _descendants(self) -> list[int]:
        """Return the tree below every known process; one whose parent died stays known."""
        waiting, found = list(self.live), set(self.live)
        while waiting:
            for child in self.reader.children(waiting.pop()):
                if child not in found and child != os.getpid():
                    found.add(child)
                    waiting.append(child)
        return sorted(found)

    def _read(self, pid: int, now_s: float, budget: Budget, thorough: bool) -> None:
        process, reader = self.live[pid], self.reader
        rss = reader.rss_bytes(pid)
        cpu_ns = reader.cpu_ns(pid)
        if not rss or cpu_ns is None or cpu_ns < process.cpu_ns:  # gone, a zombie, or another process with its pid
            if cpu_ns is not None and cpu_ns > process.cpu_ns and not reader.alive(pid):
                process.cpu_ns = cpu_ns  # a zombie's clock can still be read
            self.ended_ns += process.cpu_ns - process.first_ns
            self.zombies.add(pid)  # it is counted, though its parent may show it for a while
            del self.live[pid]
            return
        process.rss, process.cpu_ns = rss, cpu_ns
        new = process.read_at < 0
        if thorough or (new and budget.left_s > -0.1) or (budget.left_s > 0 and process.wants_reading(now_s)):
            self._read_exactly(pid, process, now_s, budget)

    def _read_exactly(self, pid: int, process: Process, now_s: float, budget: Budget) -> None:
        began = time.thread_time()
        pss = self.reader.pss_bytes(pid)
        budget.left_s -= time.thread_time() - began
        if pss is None and self.reader.alive(pid):
            self.exact = False
        process.pss, process.rss_read, process.read_at = pss, process.rss, now_s

    def _thin(self) -> None:
        """Halve the samples, keeping the higher memory of each pair."""
        kept = range(1, len(self.times_ns), 2)
        self.memory_bytes = [max(self.memory_bytes[i - 1 : i + 1]) for i in kept]
        self.times_ns, self.cpu_s = [self.times_ns[i] for i in kept], [self.cpu_s[i] for i in kept]
        self.processes = [self.processes[i] for i in kept]

    def result(self, since_ns: int = -1) -> dict[str, object]:
        """Return the samples as the parent reads them, those later than a moment."""
        first = bisect_right(self.times_ns, since_ns)
        return {
            "method": "pss" if self.exact else "rss",
            "times_ns": self.times_ns[first:],
            "memory_bytes": self.memory_bytes[first:],
            "cpu_s": self.cpu_s[first:],
            "processes": self.processes[first:],
        }


class Program:
    """The conversation: `watch ID PID`, `peek ID SINCE`, `stop ID`, a line each; each is answered by a line of JSON."""

    def __init__(self, parent: int, rate_hz: float, reader: ProcReader | PsutilReader) -> None:
        self.parent = parent
        self.shortest_s = self.interval_s = 1 / rate_hz
        self.reader = reader
        self.watches: dict[str, Watch] = {}
        self.budget = Budget(time.monotonic())

    def serve(self) -> None:
        """Sample and answer until the parent closes the line or dies."""
        lines: SimpleQueue[str] = SimpleQueue()
        start_new_thread(read_lines, (lines,))
        due = time.monotonic()
        while not hasattr(os, "fork") or os.getppid() == self.parent:
            try:
                line = lines.get(timeout=max(0.0, due - time.monotonic()) if self.watches else 0.5)
            except Empty:
                line = None
            if line == "":
                return
            if line is not None:
                sys.stdout.write(json.dumps(self.answer(line.split()), separators=(",", ":")) + "\n")
                sys.stdout.flush()
            now = time.monotonic()
            if self.watches and now >= due:
                self.tick(now)
                due = max(due + self.interval_s, time.monotonic())

    def tick(self, now_s: float) -> None:
        """Sample every watched tree, and choose when to do so again from what it cost."""
        self.budget.grant(now_s)
        left, began = self.budget.left_s, time.thread_time()
        for watch in self.watches.values():
            watch.sample(time.perf_counter_ns(), self.budget)
        cost = time.thread_time() - began - (left - self.budget.left_s)
        wanted = max(self.shortest_s, cost / TICK_SHARE)
        self.interval_s += (wanted - self.interval_s) * 0.3

    def answer(self, words: list[str]) -> dict[str, object]:
        """Do what a line says; the first sample is taken before `watch` is answered, the last one before `stop` is."""
        if words[0] == "watch":
            watch = self.watches[words[1]] = Watch(int(words[2]), self.reader)
            watch.sample(time.perf_counter_ns(), self.budget, thorough=True)
            return {"watching": bool(watch.live)}
        if words[0] == "peek":
            return self.watches[words[1]].result(int(words[2])) if words[1] in self.watches else {}
        watch = self.watches.pop(words[1])
        watch.sample(time.perf_counter_ns(), self.budget, thorough=True)
        return watch.result()


def read_lines(lines: SimpleQueue[str]) -> None:
    """Pass on the lines of standard input; an empty one at its end."""
    for line in sys.stdin:
        lines.put(line)
    lines.put("")


def reader_here() -> ProcReader | PsutilReader:
    """Return the reader this system has."""
    return ProcReader() if os.path.exists("/proc/self/statm") else PsutilReader()  # noqa: PTH110 - no pathlib here


def take_precedence() -> None:
    """Run before whatever else wants the core, where this user may ask for that."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):  # no such call here, or not for this user
        return


def main() -> None:
    """Run the program; arguments: the parent's pid, samples a second."""
    gc.disable()
    take_precedence()
    Program(int(sys.argv[1]), float(sys.argv[2]), reader_here()).serve()
    os._exit(0)  # the reading thread may hold standard input's lock, which an ordinary end would wait for


if __name__ == "__main__":
    main()
