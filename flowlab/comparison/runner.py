"""One run of one strategy in a fresh process, watched from outside.

The child imports and unpickles first and says `ready`; only then does the sampler watch it and the clock start.
Whatever happens - an error, a time-out, an interrupt - the child and every process it started are gone when this
room is left, and so is its folder.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowlab.comparison.child import HANDED, OUTPUT, PAYLOAD, RESULT
from flowlab.comparison.kept import Kept
from flowlab.comparison.result import ServiceUse, StrategyRun
from flowlab.comparison.strategies import Failure, Results
from flowlab.errors import ComparisonError
from flowlab.machine import Machine, busy_s
from flowlab.metrics import power
from flowlab.metrics.calibrating import Meter
from flowlab.metrics.sampler import Sampler, Samples, process_cpu_ns

_COMMAND = "import sys; from flowlab.comparison.child import main; main(*sys.argv[1:])"
_OUTPUT_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from one fresh process."""

    run: StrategyRun
    services: tuple[ServiceUse, ...]
    value: Any = None
    explained: str | None = None
    """The message of the error that ended the strategy, where it is one of flowlab's own."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every run of a comparison shares.

    Attributes:
        sampler: The running sampler process.
        services: Name to process id, watched apart.
        timeout_s: A run longer than this is ended and reported.
        level: What is measured of every call.
        kept: Tells the store, if one is open.
    """

    machine: Machine
    sampler: Sampler
    services: Mapping[str, int]
    timeout_s: float
    level: str
    kept: Kept

    def run(self, strategy: str, call: Callable[[], Any], repeat: int, order: int) -> Outcome:
        """Run `call` once in a fresh process and return its figures and its value."""
        with TemporaryDirectory(prefix="fl-") as folder:
            _write_payload(Path(folder), strategy, call, self.level)
            self.kept.begin(strategy, repeat, order)
            if (watch := self.kept.watching(self.sampler)) is not None:
                (Path(folder) / HANDED).touch()
                watch(str(Path(folder) / HANDED))
            with _child(Path(folder)) as child:
                child.expect("ready", self.timeout_s, strategy)
                samples, services, reading, machine_s = self._watch(child, strategy, repeat)
            result = _read_result(Path(folder), strategy, child)
            output = (Path(folder) / OUTPUT).read_text(errors="replace")[-_OUTPUT_LIMIT:]
        cpu_s = (result.get("cpu_s") or 0.0) + sum(service.cpu_s or 0.0 for service in services)
        profile = None if reading is None else power.read_profile(reading, cores=self.machine.cores, own_cpu_s=cpu_s)
        run = replace(
            self._figures(strategy, repeat, order, result, samples, profile), output=output, machine_cpu_s=machine_s
        )
        return Outcome(run, services, result.get("value"), result.get("explained"))

    def _watch(
        self, child: _Child, strategy: str, repeat: int
    ) -> tuple[Samples | None, tuple[ServiceUse, ...], power.Reading | None, float | None]:
        meter, busy_before = Meter(), busy_s()
        before = {name: _cpu_ns(pid) for name, pid in self.services.items()}
        self.sampler.watch("strategy", child.pid)
        for name, pid in self.services.items():
            self.sampler.watch(name, pid)
        started = time.perf_counter()
        meter.start()
        child.go()
        child.expect("done", self.timeout_s, strategy)  # what is raised here ends the comparison, and the sampler too
        wall_s = time.perf_counter() - started
        reading, busy_after = meter.stop(), busy_s()
        machine_s = busy_after - busy_before if busy_after is not None and busy_before is not None else None
        samples = self.sampler.stop("strategy")
        seen = {name: self.sampler.stop(name) for name in self.services}
        used = (self._service(name, strategy, repeat, before[name], seen[name], wall_s) for name in self.services)
        return samples, tuple(used), reading, machine_s

    def _service(
        self, name: str, strategy: str, repeat: int, before_ns: int | None, seen: Samples, wall_s: float
    ) -> ServiceUse:
        after_ns = _cpu_ns(self.services[name])
        cpu_s = (after_ns - before_ns) / 1e9 if before_ns is not None and after_ns is not None else None
        energy = None
        if cpu_s is not None:  # the machine's idle power is counted once, with the strategy
            energy = power.estimate(cpu_s, wall_s, seen.peak_bytes or 0, cores=self.machine.cores, idle=False)
        return ServiceUse(name, strategy, repeat, cpu_s, seen.peak_bytes, seen.method, energy)

    def _figures(
        self, strategy: str, repeat: int, order: int, result: dict[str, Any], samples: Samples | None,
        profile: power.Profile | None,
    ) -> StrategyRun:  # fmt: skip
        records = tuple(result.get("records", ()))
        sent, stayed = (
            sum(int(record.custom.get(name, 0)) for record in records) for name in ("net_bytes", "loopback_bytes")
        )
        wall_s, cpu_s = result.get("wall_s"), result.get("cpu_s")
        peak = samples.peak_bytes if samples else None
        energy = None
        if wall_s is not None and cpu_s is not None:
            energy = power.estimate(cpu_s, wall_s, peak or 0, sent, cores=self.machine.cores, profile=profile)
        return StrategyRun(
            strategy=strategy, repeat=repeat, order=order, wall_s=wall_s, cpu_s=cpu_s, start_s=_start_s(records),
            peak_bytes=peak, memory_method=samples.method if samples else None,
            bytes_moved=None if result.get("pipe_bytes") is None else result["pipe_bytes"] + sent + stayed,
            energy=energy, records=records, samples=samples, started_ns=result.get("started_ns"),
            ended_ns=result.get("ended_ns"), failures=_failures(result.get("value")),
            error=result.get("error"), cores=self.machine.cores, profile=profile,
        )  # fmt: skip


def _failures(value: Any) -> tuple[Failure, ...]:
    return value.failures if isinstance(value, Results) else ()


def _start_s(records: tuple[Any, ...]) -> float | None:
    """Time from the first worker's being asked for to the last one's being ready, as the `start` records say."""
    starts = [record for record in records if record.stage == "start"]
    if not starts:
        return None
    first, last = min(record.started_ns for record in starts), max(record.ended_ns for record in starts)
    return float((last - first) / 1e9)


def _write_payload(folder: Path, strategy: str, call: Callable[[], Any], level: str) -> None:
    import cloudpickle

    try:
        blob = cloudpickle.dumps((strategy, call, level))
    except Exception as error:
        raise ComparisonError(
            f"strategy {strategy!r} cannot be sent to a fresh process ({type(error).__name__}: {error}): open files, "
            "sockets and locks must be made inside it"
        ) from error
    (folder / PAYLOAD).write_bytes(blob)


def _read_result(folder: Path, strategy: str, child: _Child) -> dict[str, Any]:
    path = folder / RESULT
    if path.exists():
        result: dict[str, Any] = pickle.loads(path.read_bytes())
        return result
    return {"error": f"its process ended without a result ({_status(child.process.returncode)})"}


def _status(code: int | None) -> str:
    """How a process ended, in words.

    >>> _status(7), _status(-9)
    ('exit status 7: a function ended it', 'killed by SIGKILL')
    """
    if code is None or code >= 0:
        return f"exit status {code}: a function ended it"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _cpu_ns(pid: int) -> int | None:
    try:
        return process_cpu_ns(pid)
    except (OSError, ValueError):
        return None


class _Child:
    """The child process and the words it says."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid
        self._words: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._words.put(line.decode(errors="replace").strip())

    def go(self) -> None:
        """Let the strategy start."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which `expect` sees
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()

    def expect(self, word: str, timeout_s: float, strategy: str) -> None:
        """Wait for a word, for the end of the process, or for the time to be up."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                if self._words.get(timeout=0.05) in (word, "done"):
                    return
            except queue.Empty:
                if self.process.poll() is not None and self._words.empty():
                    return
        raise ComparisonError(
            f"strategy {strategy!r} did not end within {timeout_s:g} s and was stopped: give a larger timeout_s, "
            "or a smaller job"
        )


@contextmanager
def _child(folder: Path) -> Iterator[_Child]:
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry is not None)
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, str(folder), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},  # what a killed run leaves goes with its folder
        start_new_session=True,  # its own group, so that it can be ended with all it started
    )
    try:
        yield _Child(process)
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        pass  # it has said `done`; what keeps it is ended below
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started."""
    import psutil

    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    for child in started:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # a word that the child did not live to read
                stream.close()
