"""Costing: giving records their energy, and a run its balance.

Here are the share of every call, the rows that belong to no call, and doing the sum again for another machine's
profile. Not here: coefficients (`power`). Invariant: the rows of a balance add up to what `power.estimate` says of
the whole run, and no record changes but in its energy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowlab.errors import SettingError
from flowlab.metrics.power import GB, Energy, Profile, estimate, profile_named
from flowlab.metrics.record import Record


def cost(records: Iterable[Record], profile: str | Profile | None = None) -> tuple[Record, ...]:
    """Return the records with the energy they are estimated to have cost; what was measured stays.

    A call's dynamic energy is of its own CPU, nested calls left out, so that sums count nothing twice. Memory costs
    while the call lasts, if its memory is known; traffic costs what the call reported as `net_bytes`. Idle energy
    belongs to no call.

    Args:
        records: Records of any run, costed before or not: the same records can be costed for another machine.
        profile: Name of a set of coefficients, or one of your own; None for a cloud machine's average.
    """
    chosen = profile_named(profile)
    return tuple(_costed(record, chosen) for record in records)


def _costed(record: Record, profile: Profile) -> Record:
    if record.e_method == "rapl":
        return record
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
        operations_j: Dynamic energy by operation, of the calls' own CPU. runtime_j: Dynamic energy of the run's CPU
        that is in no call: interpreter, runtime, workers between calls. others_j: Dynamic energy of other processes
        on the machine meanwhile, None if their CPU is not known; not in total. idle_j: What the machine would have
        used anyway. ram_j: What the run's memory cost. network_j: What its traffic cost. energy: The estimate of the
        whole run.
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
        tolerance_rel: By how much the calls' CPU may exceed the processes' CPU, as two clocks differ.

    Raises:
        SettingError: The calls used more CPU than the processes they ran in: something counted twice.
    """
    chosen = profile_named(profile)
    operations: dict[str, float] = {}
    for record in records:
        if record.cpu_self_ns is not None:
            spent_j = chosen.dynamic_w * record.cpu_self_ns / 1e9
            operations[record.operation] = operations.get(record.operation, 0.0) + spent_j
    energy = estimate(cpu_s, wall_s, memory_bytes, network_bytes, cores=cores, profile=chosen)
    rest_j = energy.dynamic_j - sum(operations.values())
    if rest_j < -tolerance_rel * energy.dynamic_j:
        calls_s = sum(operations.values()) / chosen.dynamic_w
        raise SettingError(
            f"the calls used {calls_s:.3f} s of CPU and their processes only {cpu_s:.3f} s: "
            "give the CPU of all processes the calls ran in"
        )
    others_j = None if machine_cpu_s is None else chosen.dynamic_w * max(0.0, machine_cpu_s - cpu_s)
    return Balance(operations, rest_j, others_j, energy.idle_j, energy.ram_j, energy.network_j, energy)
