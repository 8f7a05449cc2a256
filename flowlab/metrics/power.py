"""The power model: what CPU time, time, memory and traffic are estimated to cost in joules.

Here are named sets of coefficients with their sources, the fit to a machine's readings, and the sum. Not here: reading
meters (`rapl`). Invariant: an
estimate says that it is one - method, relative uncertainty and coefficients go with it -, and its parts add up to its
total:

    E_total = P_idle * T + P_dyn * sum(cpu_s) + P_ram * T + E_net        P_dyn = (P_max - P_idle) / cores

with P_idle and P_max of the whole machine, given as watts a core. With cores and memory held equal, energy follows time
(arXiv 2410.05460).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

from flowlab.errors import SettingError

UNCALIBRATED_REL = 0.5
"""Relative uncertainty of a model not fitted to the machine: assumed, and wide on purpose; a fit has its own band."""

GB = 1e9
CCF = "Cloud Carbon Footprint methodology, https://www.cloudcarbonfootprint.org/docs/methodology"
CCF_NETWORK_J = 3.6e-6  # 0.001 kWh a GB


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of coefficients.

    Attributes:
        name: What it is called.
        idle_w: Power of the machine when idle, in watts a core.
        max_w: Power of the machine at full load, in watts a core.
        ram_w_per_gb: Power of memory, in watts a GB (10^9 bytes) in use.
        network_j_per_byte: Energy of a byte that leaves the machine; an average allocation, not a marginal cost.
        uncertainty_rel: Half the width of the band around an estimate, relative to it.
        source: Where the numbers are from.
        method: "model_tdp" for published coefficients, "model_calibrated" for a fit to one machine, "rapl" for what was
            read during the run itself.
    """

    name: str
    idle_w: float
    max_w: float
    ram_w_per_gb: float
    network_j_per_byte: float
    source: str
    uncertainty_rel: float = UNCALIBRATED_REL
    method: str = "model_tdp"

    def __post_init__(self) -> None:
        numbers = (self.idle_w, self.ram_w_per_gb, self.network_j_per_byte, self.uncertainty_rel)
        if min(numbers) < 0 or self.max_w < self.idle_w:
            raise SettingError(
                f"power profile {self.name!r} has a negative number, or less power at full load than when idle: "
                "give max_w >= idle_w >= 0 and nothing below 0"
            )

    @property
    def dynamic_w(self) -> float:
        """Watts that one busy core adds."""
        return self.max_w - self.idle_w


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter read while a machine was busy for so long.

    Attributes:
        joules: Energy of its processors.
        wall_s: For how long.
        cpu_s: CPU seconds all its processes used meanwhile.
    """

    joules: float
    wall_s: float
    cpu_s: float


def fitted(readings: Iterable[Reading], *, cores: int, name: str = "this machine", base: str | None = None) -> Profile:
    """Return the profile of a machine whose energy was read under different loads, by least squares.

    joules = idle power * wall + dynamic power * CPU seconds; memory and network stay those of the profile `base`. The
    band is two standard errors of a reading, relative to the mean reading.

    Args:
        readings: At least three, under at least two different loads.
        cores: Cores of the machine.
        name: What to call the profile.
        base: Name of a set of coefficients, for what is not fitted.

    Raises:
        SettingError: There are too few readings, or their loads do not differ.
    """
    rows = tuple(readings)
    known = profile_named(base)
    ww, wc = sum(row.wall_s**2 for row in rows), sum(row.wall_s * row.cpu_s for row in rows)
    cc = sum(row.cpu_s**2 for row in rows)
    wj, cj = sum(row.wall_s * row.joules for row in rows), sum(row.cpu_s * row.joules for row in rows)
    determinant = ww * cc - wc * wc
    if len(rows) < 3 or determinant <= 1e-6 * ww * max(cc, 1e-12):
        raise SettingError(
            f"power cannot be fitted to {len(rows)} readings whose loads do not differ: read at least three times, "
            "idle and with different numbers of busy cores"
        )
    idle_w, dynamic_w = (wj * cc - cj * wc) / determinant, (cj * ww - wj * wc) / determinant
    if idle_w < 0:  # the nearest that makes sense
        idle_w, dynamic_w = 0.0, cj / cc
    elif dynamic_w < 0:
        idle_w, dynamic_w = wj / ww, 0.0
    missed = sum((row.joules - idle_w * row.wall_s - dynamic_w * row.cpu_s) ** 2 for row in rows)
    mean_j = sum(row.joules for row in rows) / len(rows)
    band = 2 * sqrt(missed / (len(rows) - 2)) / mean_j if mean_j > 0 else UNCALIBRATED_REL
    source = f"fitted to {len(rows)} readings of this machine's energy counters; memory and network: {known.name}"
    return Profile(
        name, idle_w / cores, idle_w / cores + dynamic_w, known.ram_w_per_gb, known.network_j_per_byte, source,
        uncertainty_rel=band, method="model_calibrated",
    )  # fmt: skip


READ_REL = 0.1
"""Relative uncertainty of a reading: the counters are the whole machine's, and sharing them by CPU time is a model."""


def read_profile(reading: Reading, *, cores: int, base: str | Profile | None = None, own_cpu_s: float = 0.0) -> Profile:
    """Return the profile under which the model says what was read: what is beyond idle is shared by CPU time.

    Args:
        reading: What the counters read during a run, and the CPU seconds of the whole machine meanwhile.
        cores: Cores of the machine.
        base: For idle power, memory and network: a fit to this machine, if there is one.
        own_cpu_s: CPU seconds the run is known to have used itself: the machine's are counted in steps of 10 ms, and
            were never fewer.
    """
    known, cpu_s = profile_named(base), max(reading.cpu_s, own_cpu_s)
    idle_j = min(known.idle_w * cores * reading.wall_s, reading.joules)
    idle_w = idle_j / (cores * reading.wall_s) if reading.wall_s > 0 else 0.0
    dynamic_w = (reading.joules - idle_j) / cpu_s if cpu_s > 0 else 0.0
    source = f"RAPL read {reading.joules:.3g} J in {reading.wall_s:.3g} s; idle power, memory and network: {known.name}"
    return Profile(
        "rapl", idle_w, idle_w + dynamic_w, known.ram_w_per_gb, known.network_j_per_byte, source,
        uncertainty_rel=READ_REL, method="rapl",
    )  # fmt: skip


TEADS = (
    "TDP curve .12/1.02 x TDP at 0/100 % load: Teads, https://engineering.teads.com (2021), and Boavizta; "
    "RAM 0.3725 W/GB: Green Algorithms, doi 10.1002/advs.202100707"
)


def _of_tdp(name: str, tdp_w: float, cores: int, machine: str) -> Profile:
    """Return a profile from a processor's thermal design power."""
    idle_w, max_w = 0.12 * tdp_w / cores, 1.02 * tdp_w / cores
    source = f"{TEADS}; {machine}: {tdp_w:g} W over {cores} logical cores; network: {CCF}"
    return Profile(name, idle_w, max_w, 0.3725, CCF_NETWORK_J, source)


_PROFILES = {
    profile.name: profile
    for profile in (
        Profile("cloud-aws", 0.74, 3.5, 0.392, CCF_NETWORK_J, f"{CCF}, AWS average per vCPU"),
        Profile("cloud-azure", 0.78, 3.76, 0.392, CCF_NETWORK_J, f"{CCF}, Azure average per vCPU"),
        Profile("server", 0.65, 4.26, 0.392, CCF_NETWORK_J, f"{CCF}, Intel Skylake servers per logical core"),
        Profile("server-efficient", 0.47, 1.69, 0.392, CCF_NETWORK_J, f"{CCF}, AMD EPYC 2nd generation"),
        _of_tdp("desktop", 125.0, 24, "a 125 W desktop processor with 24 threads"),
        _of_tdp("laptop", 15.0, 8, "a 15 W laptop processor with 8 threads"),
        _of_tdp("edge", 7.5, 4, "a 7.5 W single-board computer with 4 cores"),
    )
}
DEFAULT = "cloud-aws"


def profiles() -> Mapping[str, Profile]:
    """Return the named sets of coefficients, each with its source."""
    return MappingProxyType(_PROFILES)


def profile_named(profile: str | Profile | None) -> Profile:
    """Return a profile by name; None is the default, a Profile is itself."""
    if isinstance(profile, Profile):
        return profile
    name = profile or DEFAULT
    if name not in _PROFILES:
        raise SettingError(f"there is no power profile {name!r}: choose one of {', '.join(_PROFILES)}")
    return _PROFILES[name]


@dataclass(frozen=True, slots=True)
class Energy:
    """An estimate of energy, in its parts.

    Attributes:
        dynamic_j: What busy cores add.
        idle_j: What the machine would use anyway during that time.
        ram_j: What the memory in use costs during that time.
        network_j: What bytes that left the machine cost; loopback costs nothing.
        method: How it was got: "model_tdp", "model_calibrated" or "rapl".
        uncertainty_rel: Half the width of its band, relative to it.
        profile: The name of the coefficients.
        source: Where they are from.
    """

    dynamic_j: float
    idle_j: float
    ram_j: float
    network_j: float
    method: str
    uncertainty_rel: float
    profile: str
    source: str

    @property
    def total_j(self) -> float:
        """The sum of all parts."""
        return self.dynamic_j + self.idle_j + self.ram_j + self.network_j

    @property
    def low_j(self) -> float:
        """The lower end of the band."""
        return self.total_j * max(0.0, 1 - self.uncertainty_rel)

    @property
    def high_j(self) -> float:
        """The upper end of the band."""
        return self.total_j * (1 + self.uncertainty_rel)


def estimate(
    cpu_s: float,
    wall_s: float,
    memory_bytes: float,
    network_bytes: float = 0,
    *,
    cores: int,
    profile: str | Profile | None = None,
    idle: bool = True,
) -> Energy:
    """Return what a piece of work is estimated to cost.

    Args:
        cpu_s: CPU seconds of all its processes.
        wall_s: How long it took.
        memory_bytes: Memory it held meanwhile.
        network_bytes: Bytes that left the machine; none of what stays on it counts.
        cores: Cores of the machine, for its idle power.
        profile: Name of a set of coefficients, or one of your own; None for a cloud machine's average.
        idle: Whether the machine's idle power during that time belongs to this work; not if another row has it.

    >>> round(estimate(cpu_s=2.0, wall_s=1.0, memory_bytes=1e9, cores=2).total_j, 3)
    7.392
    """
    chosen = profile_named(profile)
    if cores < 1 or min(cpu_s, wall_s, memory_bytes, network_bytes) < 0:
        raise SettingError("energy needs at least one core, and no negative time, memory or traffic")
    return Energy(
        dynamic_j=chosen.dynamic_w * cpu_s,
        idle_j=chosen.idle_w * cores * wall_s if idle else 0.0,
        ram_j=chosen.ram_w_per_gb * memory_bytes / GB * wall_s,
        network_j=chosen.network_j_per_byte * network_bytes,
        method=chosen.method,
        uncertainty_rel=chosen.uncertainty_rel,
        profile=chosen.name,
        source=chosen.source,
    )
