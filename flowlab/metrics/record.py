"""The record: what one call cost.

Here is the noun alone; who fills it is in `probes` and `recorder`. Invariant: what was not measured is None, never 0,
and every reading that can be had in more than one way has its method and its quality beside it. Names end in their
unit: `_ns` nanoseconds, `_bytes` bytes (both int), `_j` joules (float).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlab.metrics.sampler import Samples

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one attempt of one call cost, wherever it ran.

    `(run, id)` is unique. Stamps are `time.perf_counter_ns`, one clock for all processes of a Linux host.
    `cpu_ns` is all CPU within the call, calls nested in it included; `cpu_self_ns` leaves those out, so its sum over
    records counts nothing twice. `steps_at_ns` has the start and the end of each of a coroutine's or generator's first
    steps, one after the other; it is read at level "full" only. Qualities are "measured", "estimated" or "unavailable".
    """

    # identity
    run: str = ""
    operation: str
    context: int | None = None
    id: int = 0
    parent: int | None = None
    strategy: str | None = None
    executor: str = "inline"
    host: str | None = None
    pid: int | None = None
    tid: int | None = None
    attempt: int = 1
    status: str = "ok"
    error_type: str | None = None
    stage: str | None = None
    # stamps
    submitted_ns: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    # phases of a call that crosses a process boundary
    queue_ns: int | None = None
    transfer_ns: int | None = None
    deserialise_ns: int | None = None
    run_ns: int | None = None
    serialise_ns: int | None = None
    return_ns: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    # CPU: wall = cpu + runqueue + blocked
    cpu_ns: int | None = None
    cpu_self_ns: int | None = None
    cpu_method: str | None = None
    cpu_quality: str | None = None
    runqueue_ns: int | None = None
    blocked_ns: int | None = None
    steps: int | None = None
    steps_at_ns: tuple[int, ...] | None = None
    # memory
    mem_peak_bytes: int | None = None
    mem_net_bytes: int | None = None
    mem_method: str | None = None
    mem_quality: str | None = None
    # energy
    e_dyn_j: float | None = None
    e_idle_j: float | None = None
    e_ram_j: float | None = None
    e_net_j: float | None = None
    e_method: str | None = None
    e_uncertainty_rel: float | None = None
    e_coefficients: str | None = None
    # what the call worked on, what measuring it cost, and what it reported itself
    input_size: float | None = None
    input_unit: str | None = None
    overhead_ns: int | None = None
    custom: Mapping[str, object] = field(default_factory=lambda: NOTHING)

    @property
    def wall_ns(self) -> int | None:
        """Time from start to end, None if the call never started or never ended."""
        if self.started_ns is None or self.ended_ns is None:
            return None
        return self.ended_ns - self.started_ns

    @property
    def whole_ns(self) -> int | None:
        """Time from a process call's being submitted to its result's being back: its phases and what measuring cost.

        None where phases are not known: calls in this process have but `queue_ns` and `run_ns`.
        """
        phases = (self.queue_ns, self.transfer_ns, self.deserialise_ns, self.run_ns, self.serialise_ns, self.return_ns)
        known = [phase for phase in phases if phase is not None]
        return None if len(known) < len(phases) else sum(known) + (self.overhead_ns or 0)

    def __reduce__(self) -> tuple[Any, ...]:
        return from_dict, (as_dict(self),)


def running_at(records: Iterable[Record], at_ns: int) -> tuple[Record, ...]:
    """Return the calls that ran at a moment, those that started first first.

    Args:
        at_ns: On the clock of the records, as the stamps of samples are.
    """
    found = [
        record for record in records
        if record.started_ns is not None and record.ended_ns is not None
        and record.started_ns <= at_ns <= record.ended_ns
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda record: record.started_ns or 0))


def running_at_peak(records: Iterable[Record], samples: Samples | None) -> tuple[Record, ...]:
    """Return the calls that ran when memory was highest; none if that is not known or nothing ran then."""
    at_ns = None if samples is None else samples.peak_at_ns
    return () if at_ns is None else running_at(records, at_ns)


NAMES: tuple[str, ...] = tuple(entry.name for entry in fields(Record))
STEPS_AT = "steps_at_ns"
COLUMNS = tuple(name for name in NAMES if name not in (STEPS_AT, "custom"))
"""The fields with one value each."""


def as_dict(record: Record) -> dict[str, Any]:
    """Return the fields of a record that say something, as a plain dict of JSON-able values (but for `custom`'s own).

    >>> as_dict(Record(operation="parse", cpu_ns=12))["cpu_ns"]
    12
    """
    found = {name: value for name in NAMES if (value := getattr(record, name)) is not None}
    found["custom"] = dict(record.custom)
    if not found["custom"]:
        del found["custom"]
    return found


def from_dict(values: Mapping[str, Any]) -> Record:
    """Return the record that `as_dict` described; names this version does not know are left out."""
    known = {name: values[name] for name in NAMES if name in values}
    if STEPS_AT in known:
        known[STEPS_AT] = tuple(known[STEPS_AT])
    return Record(**known)


def plain(value: Any) -> Any:
    """Return a value JSON can hold: a numpy number as a number, anything else as its text."""
    return value.item() if hasattr(value, "item") else str(value)
