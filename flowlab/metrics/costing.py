"""Costing: giving records their energy, and a run its balance.

Here are the share of every call, the rows that belong to no call, and doing the sum again for another machine's
profile. Not here: coefficients (`power`). Invariant: the rows of a balance add up to what `power.estimate` says of
the whole run, and no record changes but in its energy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from flowlab.errors import SettingError
from flowlab.machine import Machine
from flowlab.metrics.power import GB, Energy, Profile, estimate, profile_named
from flowlab.metrics.record import Record


def cost(records: Iterable[Record], profile: str | Profile | None = None) -> tuple[Record, ...]:
    """Return the records with the energy they are estimated to have cost; what was measured stays.

    A call's dynamic energy is of its own CPU, nested calls left out, so that sums count nothing twice. Memory costs
    while the call lasts, if its memory is known; traffic costs what the call reported as `net_bytes`, by which it means
    bytes that left the machine. Idle energy belongs to no call.

    Args:
        records: Records of any run, costed before or not: the same records can be costed for another machine.
        profile: Name of a set of coefficients, or one of your own; None for a cloud machine's average, where energy was
            not read (RAPL) when the calls ran.
    """
    chosen = profile_named(profile)
    return tuple(
        record if profile is None and record.e_method == "rapl" else _costed(record, chosen) for record in records
    )


def _costed(record: Record, profile: Profile) -> Record:
    wall_ns, sent = record.wall_ns, record.custom.get("net_bytes")
    ram_j = None
    if wall_ns is not None and record.mem_peak_bytes is not None:
        ram_j = profile.ram_w_per_gb * record.mem_peak_bytes / GB * wall_ns / 1e9
    return replace(
        record,
        e_dyn_j=None if record.cpu_self_ns is None else profile.dynamic_w * record.cpu_self_ns / 1e9,
        e_idle_j=None,
        e_ram_j=ram_j,
        e_net_j=profile.network_j_per_byte * sent if isinstance(sent, (int, float)) else None,
        e_method=profile.method,
        e_uncertainty_rel=profile.uncertainty_rel,
        e_coefficients=profile.name,
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the energy of a run went, in joules; the rows add up to the total.

    Attributes:
        operations_j: Dynamic energy by operation, of the calls' own CPU.
        runtime_j: Dynamic energy of the run's CPU that is in no call: interpreter, runtime, workers between calls.
        others_j: Dynamic energy of other processes on the machine meanwhile, None if their CPU is not known; not in
            the total.
        idle_j: What the machine would have used anyway.
        ram_j: What the run's memory cost.
        network_j: What its traffic cost.
        energy: The estimate of the whole run.
    """

    operations_j: dict[str, float]
    runtime_j: float
    others_j: float | None
    idle_j: float
    ram_j: float
    network_j: float
    energy: Energy

    @property
    def total_j(self) -> float:
        """The sum of the run's rows."""
        return sum(self.operations_j.values()) + self.runtime_j + self.idle_j + self.ram_j + self.network_j

    @property
    def rows(self) -> dict[str, float]:
        """All rows by name; they add up to the total, but for "other processes", which is not the run's."""
        found = {f"operation {name}": joules for name, joules in self.operations_j.items()}
        found |= {"runtime": self.runtime_j, "idle": self.idle_j, "memory": self.ram_j, "network": self.network_j}
        return found if self.others_j is None else {**found, "other processes": self.others_j}

    def __str__(self) -> str:
        energy = self.energy
        rows = "\n".join(f"  {name:<30} {joules:10.4g} J" for name, joules in self.rows.items())
        band = f"{energy.low_j:.4g} to {energy.high_j:.4g} J"
        return f"{self.total_j:.4g} J ({band}; {energy.method}, {energy.profile}: {energy.source})\n{rows}"


def balance(
    records: Iterable[Record],
    *,
    cpu_s: float,
    wall_s: float,
    memory_bytes: float,
    cores: int,
    network_bytes: float = 0,
    machine_cpu_s: float | None = None,
    profile: str | Profile | None = None,
    speed_rel: float = 1.0,
    tolerance_rel: float = 0.01,
) -> Balance:
    """Return where the energy of a run went.

    Args:
        records: The run's calls.
        cpu_s: CPU seconds of all its processes.
        wall_s: How long it took.
        memory_bytes: Memory it held meanwhile.
        cores: Cores of the machine.
        network_bytes: Bytes that left the machine.
        machine_cpu_s: CPU seconds the whole machine was busy meanwhile, None if not known.
        profile: Name of a set of coefficients, or one of your own.
        speed_rel: How many times as fast the profile's cores are: all CPU takes that much less time, and so does the
            part of the wall that was spent on computing; waiting stays.
        tolerance_rel: By how much the calls' CPU may exceed the processes' CPU, as two clocks differ.

    Raises:
        SettingError: The calls used more CPU than the processes they ran in: something counted twice.
    """
    if speed_rel <= 0:
        raise SettingError(f"speed_rel={speed_rel}: say how many times as fast the cores are, above 0")
    chosen = profile_named(profile)
    computing_s = min(wall_s, cpu_s)
    wall_s += computing_s / speed_rel - computing_s
    cpu_s /= speed_rel
    machine_cpu_s = None if machine_cpu_s is None else machine_cpu_s / speed_rel
    operations: dict[str, float] = {}
    for record in records:
        if record.cpu_self_ns is not None:
            spent_j = chosen.dynamic_w * record.cpu_self_ns / 1e9 / speed_rel
            operations[record.operation] = operations.get(record.operation, 0.0) + spent_j
    energy = estimate(cpu_s, wall_s, memory_bytes, network_bytes, cores=cores, profile=chosen)
    rest_j = energy.dynamic_j - sum(operations.values())
    if rest_j < -tolerance_rel * energy.dynamic_j:
        calls_s = sum(operations.values()) / chosen.dynamic_w if chosen.dynamic_w else 0.0
        raise SettingError(
            f"the calls used {calls_s:.3f} s of CPU and their processes only {cpu_s:.3f} s: "
            "give the CPU of all processes the calls ran in"
        )
    others_j = None if machine_cpu_s is None else chosen.dynamic_w * max(0.0, machine_cpu_s - cpu_s)
    return Balance(operations, rest_j, others_j, energy.idle_j, energy.ram_j, energy.network_j, energy)


def energy(found: Any, profile: str | Profile | None = None, *, speed_rel: float = 1.0) -> Any:
    """Return where the energy of something that was measured went, or would have gone on another machine.

    Nothing runs again: the same records, CPU seconds, wall and memory are costed under the profile. `str` of what
    comes back is a table.

    Args:
        found: A run of a flow or of a comparison, a stored run, a recorder, or records; or a comparison.
        profile: Name of a set of coefficients ("server", "desktop", "laptop", "edge", "cloud-aws", ...), or one of
            your own; None for what was read when it ran (RAPL), else a cloud machine's average.
        speed_rel: How many times as fast the profile's cores are as those of the machine it ran on.

    Returns:
        A Balance; of a comparison a dict with one a strategy, of the run that is looked at closely.
    """
    if hasattr(found, "strategies") and hasattr(found, "best"):
        return {
            name: energy(found.best(name), profile, speed_rel=speed_rel)
            for name in found.strategies if any(run.wall_s is not None for run in found.runs_of(name))
        }  # fmt: skip
    records = tuple(found) if isinstance(found, (list, tuple)) else found.records
    samples, machine = getattr(found, "samples", None), getattr(found, "machine", None)
    return balance(
        records,
        cpu_s=_first(getattr(found, "cpu_s", None), sum(record.cpu_self_ns or 0 for record in records) / 1e9),
        wall_s=_first(getattr(found, "wall_s", None), _span_s(records)),
        memory_bytes=getattr(found if samples is None else samples, "peak_bytes", None) or 0,
        cores=getattr(found, "cores", None) or (machine or Machine.detect()).cores,
        network_bytes=sum(float(record.custom.get("net_bytes", 0)) for record in records),
        machine_cpu_s=getattr(found, "machine_cpu_s", None),
        profile=profile if profile is not None else getattr(found, "profile", None),
        speed_rel=speed_rel,
    )


def _first(known: float | None, otherwise: float) -> float:
    return otherwise if known is None else known


def _span_s(records: Iterable[Record]) -> float:
    """Return the time from the first start to the last end."""
    both = [(r.started_ns, r.ended_ns) for r in records if r.started_ns is not None and r.ended_ns is not None]
    return (max(ended for _, ended in both) - min(started for started, _ in both)) / 1e9 if both else 0.0
