"""The recorder: keeps what was measured, in this process and in its children.

Here are the recorder, and the variant that a child process uses to hand its records to its parent. Not here: reading
clocks (`probes`) and files (`spool`). Invariant: every call that began and ended under a recorder is one record in
it, once.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowlab.errors import SettingError
from flowlab.metrics.active import LEVELS, Call, activate, deactivate, keeper
from flowlab.metrics.clocks import FULL, TIME, Clocks, blocked_ns, tracemalloc_clocks
from flowlab.metrics.probes import Measured, measured_memory
from flowlab.metrics.record import NOTHING, Record, running_at_peak
from flowlab.metrics.spans import NO_SPAN, NoSpan, Span, decorate
from flowlab.metrics.trying import overhead_ns

if TYPE_CHECKING:
    from flowlab.metrics.overhead import Overhead
    from flowlab.metrics.sampler import Sampler, Samples
    from flowlab.metrics.spool import Spool

Records = Iterable[Record] | Callable[[], Iterable[Record]]


class Recorder:
    """Keeps a record of every span and measured call.

    Entered with `with`, it is the process's active recorder: `span` and `measured` of `flowlab` record into it, and
    so do child processes started meanwhile. Its own `span` and `measured` need no `with`.

    Args:
        strategy: The strategy its records belong to, None if there is none.
        level: "off" keeps nothing; "time" reads wall and CPU; "full" also how long a call waited for a core, which
            splits the rest of its wall into waiting for a core and being blocked.
        clock: Where time comes from; tests pass their own.
        trace_memory: Whether to read each call's memory with tracemalloc at the edges of its steps: exact where one
            thread allocates, but it makes code that allocates much up to 14 times slower.
        sample_hz: How often to sample the memory and CPU of this process and all it starts, from another process,
            while the block lasts; None for not at all.
        run: The name of the run its records belong to; made up if not given.
        first_id: The id of the first record.
        keeps_nested: Whether calls nested in this recorder's calls are its own even while another recorder is active.
    """

    def __init__(
        self,
        strategy: str | None = None,
        level: str = "time",
        clock: Clocks | None = None,
        *,
        trace_memory: bool = False,
        sample_hz: float | None = None,
        run: str | None = None,
        first_id: int = 1,
        keeps_nested: bool = False,
    ) -> None:
        if level not in LEVELS:
            raise SettingError(f"a recorder has no level {level!r}: choose one of {', '.join(LEVELS)}")
        self.strategy = strategy
        self.level = level
        self.on = level != "off"
        self.clocks = clock or (FULL if level == "full" else TIME)
        if trace_memory:
            self.clocks = tracemalloc_clocks(self.clocks)
        self.trace_memory = trace_memory
        self._tracing = False
        self._sample_hz = sample_hz
        self._sampler: Sampler | None = None
        self._samples: Samples | None = None
        self.run = run or os.urandom(6).hex()
        self.keeps_nested = keeps_nested
        self.next_id: Callable[[], int] = itertools.count(first_id).__next__
        self.executor: str | None = None
        self._spool: Spool | None = None
        self._host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
        self._pid = os.getpid()
        self._done: list[Measured | Records] = []
        self.keep: Callable[[Measured], object] = self._done.append
        self._built: list[Record] = []
        self._seen = 0
        self._lock = threading.RLock()
        self.began_ns = time.perf_counter_ns()
        self._tell_keeper()

    def _tell_keeper(self) -> None:
        """Let whoever keeps this process's records follow this recorder too."""
        found = keeper()
        if found is not None and self.on and not self.keeps_nested:
            found.record(self)

    def __enter__(self) -> Recorder:
        if self._sample_hz is not None:
            from flowlab.metrics.sampler import Sampler

            self._sampler = Sampler(self._sample_hz).__enter__()
            self._sampler.watch(self.run, os.getpid())
        if self.on:
            from flowlab.metrics.spool import Spool

            self._spool = Spool(level=self.level, run=self.run, strategy=self.strategy)
            self._spool.announce()
            if self.trace_memory:
                self._tracing = _start_tracing()
        activate(self)
        if self.on:
            self._tell_keeper()
        return self

    def __exit__(self, *error: object) -> None:
        if self._sampler is not None:
            self._samples = self._sampler.stop(self.run)
            self._sampler.__exit__(*error)
            self._sampler = None
        spool = self._spool
        deactivate(self)
        if spool is not None:
            spool.withdraw()
            with self._lock:
                self._read_spool()
                self._spool = None
            spool.remove()
            if self._tracing:
                _stop_tracing()
            found = keeper()
            if found is not None:
                found.recorded(self)

    @property
    def spool(self) -> str | None:
        """The folder child processes write to, None outside `with`."""
        return None if self._spool is None else self._spool.folder

    def span(self, name: str, stage: str | None = None) -> Span | NoSpan:
        """Return a block to measure: `with recorder.span("parse"):`, or `async with`."""
        return Span(self, name, stage) if self.on else NO_SPAN

    def measured(self, function: Any = None, /, *, stage: str | None = None) -> Any:
        """Return a function that does the same and is measured by this recorder; see `flowlab.measured`."""
        return decorate(function, stage, lambda: self)

    def open(
        self, operation: str, stage: str | None = None, executor: str | None = None, at_once: bool = False
    ) -> Measured:
        """Begin a call.

        Args:
            operation: Its name.
            stage: What part of the job it is.
            executor: Where it runs, if that is not this thread.
            at_once: It runs in one piece on this thread, from now until its `stop`. Else its wall clock runs, the
                caller resumes and pauses it step by step, and has the recorder `finish` it.
        """
        return Measured(self, operation, stage, self.executor or executor, at_once)

    def finish(self, call: Measured, error: BaseException | None = None) -> None:
        """End a call that was not at once, and keep it."""
        call.close(error)
        self.keep(call)

    def extend(self, records: Records) -> None:
        """Add records made elsewhere, as a finished run's are; a function is called when they are first read."""
        if self.on:
            self._done.append(tuple(records) if isinstance(records, list) else records)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records so far, in the order the calls ended; those of child processes come as they are read."""
        with self._lock:
            self._build()
            self._read_spool()
            return tuple(self._built)

    @property
    def samples(self) -> Samples | None:
        """Memory and CPU of the process tree over time, once the block has ended; None if not sampled."""
        return self._samples

    def samples_since(self, since_ns: int) -> Samples | None:
        """Return the samples later than a moment, also while the block goes on; None if not sampled."""
        sampler = self._sampler
        if sampler is not None:
            return sampler.so_far(self.run, since_ns)
        return None if self._samples is None else self._samples.since(since_ns)

    @property
    def at_peak(self) -> tuple[Record, ...]:
        """The calls that ran when memory was highest; none if that is not known or nothing ran then."""
        return running_at_peak(self.records, self._samples)

    @property
    def overhead(self) -> Overhead:
        """What measuring cost so far."""
        from flowlab.metrics.overhead import overhead

        return overhead(self.records)

    def table(self, rows: str = "calls") -> Any:
        """Return a pandas frame, one row a record; `rows` may be "steps" or "samples" too."""
        from flowlab.metrics.tables import table

        return table(self, rows)

    def _build(self) -> None:
        """Make records of the calls that ended since the last reading."""
        done = self._done
        for index in range(self._seen, len(done)):
            entry = done[index]
            if isinstance(entry, Measured):
                self._built.append(self._record(entry))
            else:
                self._adopt(entry() if callable(entry) else entry)
            self._seen = index + 1

    def _adopt(self, records: Iterable[Record]) -> None:
        for record in records:
            mine = self.strategy is None or record.strategy is not None
            self._built.append(record if mine else replace(record, strategy=self.strategy))

    def _read_spool(self) -> None:
        if self._spool is not None:
            self._built.extend(self._spool.read())

    def _record(self, call: Measured) -> Record:
        wall = (call.ended_ns or 0) - call.started_ns
        known = call.cpu_ns is not None
        traced = call.clocks.memory is not None and not call.blind
        memory = measured_memory(call) if traced else {"mem_method": "none", "mem_quality": "unavailable"}
        if call.fields is not None:
            memory = call.fields
        cost = overhead_ns(call.clocks)
        return Record(
            run=self.run,
            operation=call.operation,
            id=call.id,
            parent=_parent_id(call.parent, self),
            strategy=self.strategy,
            executor=call.executor or call.here.kind,
            host=self._host,
            pid=self._pid,
            tid=call.tid,
            status=call.status,
            error_type=call.error_type,
            stage=call.stage,
            started_ns=call.started_ns,
            ended_ns=call.ended_ns,
            run_ns=wall,
            cpu_ns=call.cpu_ns,
            cpu_self_ns=call.cpu_self_ns,
            cpu_method=call.clocks.cpu_method if known else "none",
            cpu_quality="unavailable" if not known else "estimated" if call.guessed else "measured",
            runqueue_ns=call.runqueue_ns,
            blocked_ns=blocked_ns(wall, call.cpu_ns, call.runqueue_ns),
            steps=call.steps,
            steps_at_ns=None if call.steps_at is None else tuple(call.steps_at),
            **memory,
            input_size=call.sized and call.sized[0],
            input_unit=call.sized and call.sized[1],
            overhead_ns=(cost.guessed if call.guessed else cost.call) + cost.step * max(0, (call.steps or 1) - 1),
            custom=NOTHING if call.custom is None else call.custom,
        )


def _parent_id(parent: Call | None, recorder: Recorder) -> int | None:
    """Return the id of the nearest enclosing call of this recorder; ids of another one mean nothing here."""
    while parent is not None and parent.recorder is not recorder:
        parent = parent.parent if isinstance(parent, Measured) else None
    return None if parent is None else parent.id


def _start_tracing() -> bool:
    import tracemalloc

    if tracemalloc.is_tracing():
        return False
    tracemalloc.start()
    return True


def _stop_tracing() -> None:
    import tracemalloc

    tracemalloc.stop()


class SpoolingRecorder(Recorder):
    """The recorder of a child process: every call that ends is a line in the parent's folder at once."""

    def __init__(self, folder: str) -> None:
        from flowlab.metrics.spool import SpoolWriter, settings_of

        settings = settings_of(folder)
        super().__init__(settings.get("strategy"), settings.get("level", "time"), run=settings.get("run"))
        self.next_id = itertools.count((os.getpid() << 28) + 1).__next__
        self.executor = "processes"
        self._writer = SpoolWriter(folder)
        self.keep = self._write

    @property
    def spool(self) -> str | None:
        """The folder this process writes to, for its own children."""
        return self._writer.folder

    def _write(self, call: Measured) -> None:
        self._writer.write((self._record(call),))

    def extend(self, records: Records) -> None:
        """Write records made elsewhere."""
        self._writer.write(records() if callable(records) else records)


def spooling(folder: str) -> SpoolingRecorder:
    """Return the recorder of a child process that found a spool folder."""
    return SpoolingRecorder(folder)
