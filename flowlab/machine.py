"""The machine: what this computer may use now.

Here are cores (affinity and quotas), memory (limits and what is free), power supply, pressure, and which clusters are
in reach, all read from files and the environment. Not here: what a machine would cost or how fast it would be.
Invariant: only reading - nothing is contacted, started or changed -, and what is not known is None.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

T = TypeVar("T")
GIB = 1 << 30
NO_LIMIT = 1 << 60
"""Limits from here on mean none: cgroup v1 says 9223372036854771712."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a computer may use.

    Attributes:
        cores: Cores this process may use: its affinity, and the cgroup's quota rounded up.
        cores_total: Cores the computer has.
        cores_quota: The cgroup's quota in cores, None if there is none.
        memory_bytes: Memory this process may use: the computer's, or a cgroup's limit if that is less.
        memory_total_bytes: Memory the computer has.
        memory_free_bytes: What of `memory_bytes` is free now, caches that can be dropped included.
        cpu_model: The processor's name.
        platform: The operating system, as in "Linux".
        python: The version of this Python.
        gil: Whether this Python has its global interpreter lock on.
        mains: True on mains, False on battery, None if not known.
        clusters: Names of clusters that could be reached ("kubernetes", "dask", "nats"); none was contacted.
        load_1m: Load average of the last minute.
        pressure_cpu_rel: Share of the last 10 s in which something waited for a core.
        pressure_memory_rel: Share of the last 10 s in which something waited for memory.
        pressure_io_rel: Share of the last 10 s in which something waited for a disk.
        steal_s: CPU seconds the hypervisor took from this computer since boot.
    """

    cores: int
    cores_total: int | None = None
    cores_quota: float | None = None
    memory_bytes: int | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    cpu_model: str | None = None
    platform: str | None = None
    python: str | None = None
    gil: bool | None = None
    mains: bool | None = None
    clusters: tuple[str, ...] = ()
    load_1m: float | None = None
    pressure_cpu_rel: float | None = None
    pressure_memory_rel: float | None = None
    pressure_io_rel: float | None = None
    steal_s: float | None = None

    @classmethod
    def detect(cls, root: Path = Path("/"), environ: Mapping[str, str] | None = None) -> Machine:
        """Return what this process may use now.

        Args:
            root: The folder that holds `proc` and `sys`; tests pass a recorded one.
            environ: The environment; None for this process's.
        """
        groups = tuple(_groups(root))
        total = _cores_total(root)
        quota = min(_known(_cpu_quota(group) for group in groups), default=None)
        allowed = _cores_allowed(root) or total or 1
        memory = _meminfo(root)
        limit = min(_known(_limit(group) for group in groups), default=None)
        return cls(
            cores=max(1, min(allowed, math.ceil(quota)) if quota else allowed),
            cores_total=total,
            cores_quota=quota,
            memory_bytes=min(_known((memory.get("MemTotal"), limit)), default=None),
            memory_total_bytes=memory.get("MemTotal"),
            memory_free_bytes=min(_known((memory.get("MemAvailable"), *map(_room, groups))), default=None),
            cpu_model=_cpu_model(root),
            platform=_platform(),
            python=".".join(map(str, sys.version_info[:3])),
            gil=getattr(sys, "_is_gil_enabled", lambda: True)(),
            mains=_mains(root),
            clusters=_clusters(root, os.environ if environ is None else environ),
            load_1m=_first_number(_text(root / "proc/loadavg")),
            pressure_cpu_rel=_pressure(root / "proc/pressure/cpu"),
            pressure_memory_rel=_pressure(root / "proc/pressure/memory"),
            pressure_io_rel=_pressure(root / "proc/pressure/io"),
            steal_s=_steal_s(root),
        )

    def __str__(self) -> str:
        return "\n".join(f"{name:<10} {text}" for name, text in self.facts().items())

    def facts(self) -> dict[str, str]:
        """Return all that is known, in words by subject; what is not known says so."""
        quota = "no quota" if self.cores_quota is None else f"a quota of {self.cores_quota:g} cores"
        total = f" of {self.cores_total}" if self.cores_total else ""
        limited = self.memory_bytes != self.memory_total_bytes
        power = {True: "on mains", False: "on battery", None: "not told, as on servers"}[self.mains]
        lock = {True: "with its interpreter lock (GIL)", False: "without interpreter lock (GIL)", None: ""}[self.gil]
        return {
            "processor": self.cpu_model or "not told",
            "cores": f"{self.cores}{total} may be used; {quota}",
            "memory": f"{_gib(self.memory_bytes)} may be used{' (a limit)' if limited else ''}, "
            f"{_gib(self.memory_free_bytes)} of it free now",
            "busy": f"load {_or(self.load_1m, '.2f')}; waited in the last 10 s: "
            f"for a core {_or(self.pressure_cpu_rel, '.1%')}, "
            f"for memory {_or(self.pressure_memory_rel, '.1%')}, for a disk {_or(self.pressure_io_rel, '.1%')}",
            "stolen": f"{_or(self.steal_s, '.2f')} s of CPU by the hypervisor since the start",
            "power": power,
            "clusters": f"in reach, none contacted: {', '.join(self.clusters)}" if self.clusters else "none in reach",
            "python": f"{self.python or 'not told'} {lock}".rstrip(),
            "system": self.platform or "not told",
        }  # fmt: skip

    def sentence(self) -> str:
        """Return the machine in one line.

        >>> Machine(cores=2, cores_total=8, cpu_model="Intel Xeon", memory_bytes=24 << 30, platform="Linux").sentence()
        '2 of 8 cores of Intel Xeon, 24 GiB, Linux'
        """
        of_all = f" of {self.cores_total}" if self.cores_total and self.cores_total > self.cores else ""
        parts = [
            f"{self.cores}{of_all} core{'s' if self.cores != 1 or of_all else ''} of {self.cpu_model or 'unknown make'}"
        ]
        if self.memory_bytes is not None:
            parts.append(f"{self.memory_bytes / GIB:.{0 if self.memory_bytes >= 10 * GIB else 1}f} GiB")
        parts += [text for text in (self.platform, self.python and f"Python {self.python}") if text]
        if self.gil is False:
            parts.append("no GIL")
        if self.mains is False:
            parts.append("on battery")
        return ", ".join(parts)


def _or(value: float | None, form: str) -> str:
    return "not told" if value is None else format(value, form)


def _gib(count: int | None) -> str:
    return "not told" if count is None else f"{count / GIB:.1f} GiB"


def _known(values: Iterable[T | None]) -> Iterator[T]:
    return (value for value in values if value is not None)


def _text(path: Path) -> str:
    """Return a file's text, empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\n\0")
    except OSError:
        return ""


def _first_number(text: str) -> float | None:
    try:
        return float(text.split()[0])
    except (IndexError, ValueError):
        return None


def _cores_total(root: Path) -> int | None:
    online = _count(_text(root / "sys/devices/system/cpu/online"))
    return online or (os.cpu_count() if root == Path("/") else None)


def _cores_allowed(root: Path) -> int | None:
    """Return how many cores the affinity leaves; `os.cpu_count` ignores it."""
    if root == Path("/") and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return _count(_field(root / "proc/self/status", "Cpus_allowed_list"))


def _count(ranges: str) -> int | None:
    """Return how many numbers a list such as "0-3,8" has, None for no list."""
    try:
        ends = [[int(end) for end in part.split("-")] for part in ranges.split(",")]
    except ValueError:
        return None
    return sum(end[-1] - end[0] + 1 for end in ends)


def _field(path: Path, name: str) -> str:
    """Return what follows "name:" in a file of such lines, empty if nothing does."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _meminfo(root: Path) -> dict[str, int]:
    """Return MemTotal and MemAvailable in bytes, as far as known."""
    found = {name: _field(root / "proc/meminfo", name).split() for name in ("MemTotal", "MemAvailable")}
    if any(found.values()):
        return {name: int(words[0]) * 1024 for name, words in found.items() if words}
    if root != Path("/"):
        return {}
    import psutil

    memory = psutil.virtual_memory()
    return {"MemTotal": memory.total, "MemAvailable": memory.available}


def _cpu_model(root: Path) -> str | None:
    for name in ("model name", "Model", "Hardware", "cpu model"):
        if found := _field(root / "proc/cpuinfo", name):
            return found.replace("(R)", "").replace("(TM)", "")
    if root != Path("/"):
        return None
    import platform

    return platform.processor() or platform.machine() or None


def _platform() -> str:
    names = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}
    return names.get(sys.platform, sys.platform)


@dataclass(frozen=True, slots=True)
class _Group:
    """One cgroup folder whose limits hold for this process, of version 1 or 2."""

    folder: Path
    version: int


def _groups(root: Path) -> Iterator[_Group]:
    """Yield this process's cgroups and all above them: a limit anywhere on the path holds.

    Source: cgroups(7); /proc/PID/cgroup and /proc/PID/mountinfo in proc(5).
    """
    mounts = dict(_mounts(root))
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for controller in names.split(","):
            version = 1 if names else 2
            if controller not in ("", "cpu", "memory"):
                continue
            top, shown = mounts.get(controller, (f"sys/fs/cgroup/{controller}", "/"))
            folder = root / top.lstrip("/")
            for part in _steps(path, shown):
                yield _Group(folder / part, version)


def _steps(path: str, shown: str) -> Iterator[PurePosixPath]:
    """Yield a cgroup's path below its mount, and every path above it, up to the mount itself."""
    full = PurePosixPath(path)
    inside = full.relative_to(shown) if full.is_relative_to(shown) else PurePosixPath()
    if ".." not in inside.parts:
        yield inside
        yield from (parent for parent in inside.parents if parent != inside)
    else:
        yield PurePosixPath()


def _mounts(root: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield (controller, (mount point, path shown there)); the controller of version 2 is ""."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), (*after.split(), "", "", "")[:3]
        if kind == "cgroup2":
            yield "", (fields[4], fields[3])
        elif kind == "cgroup":
            for controller in ("cpu", "memory"):
                if controller in options.split(","):
                    yield controller, (fields[4], fields[3])


def _cpu_quota(group: _Group) -> float | None:
    """Return a group's CPU limit in cores, None for no limit."""
    if group.version == 2:
        quota, _, period = _text(group.folder / "cpu.max").partition(" ")
    else:
        quota, period = _text(group.folder / "cpu.cfs_quota_us"), _text(group.folder / "cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else None
    except ValueError:
        return None


def _limit(group: _Group) -> int | None:
    """Return a group's memory limit in bytes, None for no limit."""
    text = _text(group.folder / ("memory.max" if group.version == 2 else "memory.limit_in_bytes"))
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else None


def _room(group: _Group) -> int | None:
    """Return what is left of a group's memory limit, file caches that can be dropped included; None for no limit."""
    limit = _limit(group)
    used = _text(group.folder / ("memory.current" if group.version == 2 else "memory.usage_in_bytes"))
    if limit is None or not used.isdigit():
        return limit
    caches = ("inactive_file", "total_inactive_file")[group.version == 1]
    droppable = next((int(line.split()[1]) for line in _lines(group) if line.startswith(f"{caches} ")), 0)
    return max(0, limit - max(0, int(used) - droppable))


def _lines(group: _Group) -> list[str]:
    return _text(group.folder / "memory.stat").splitlines()


def _mains(root: Path) -> bool | None:
    """Return whether the machine runs on mains. Source: Linux, Documentation/ABI/testing/sysfs-class-power."""
    supplies = root / "sys/class/power_supply"
    online: list[bool] = []
    draining = False
    for supply in sorted(supplies.iterdir()) if supplies.is_dir() else ():
        kind = _text(supply / "type")
        if kind in ("Mains", "USB", "Wireless"):
            online.append(_text(supply / "online") == "1")
        elif kind == "Battery" and _text(supply / "scope") != "Device":
            draining = draining or _text(supply / "status") == "Discharging"
    if any(online):
        return True
    return False if draining or online else None


def _clusters(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of clusters this process has an address or an account for; nothing is contacted."""
    account = root / "var/run/secrets/kubernetes.io/serviceaccount/token"
    home = environ.get("HOME", "")
    kubeconfig = bool(environ.get("KUBECONFIG")) or (
        home != "" and (root / home.lstrip("/") / ".kube/config").is_file()
    )
    reach = {
        "kubernetes": kubeconfig or ("KUBERNETES_SERVICE_HOST" in environ and account.exists()),
        "dask": any(environ.get(name) for name in ("DASK_SCHEDULER_ADDRESS", "DASK_SCHEDULER__ADDRESS")),
        "nats": bool(environ.get("NATS_URL")),
    }
    return tuple(name for name, found in reach.items() if found)


def _pressure(path: Path) -> float | None:
    """Return the share of the last 10 s in which some task waited. Source: Linux, Documentation/accounting/psi.rst."""
    for word in _text(path).partition("\n")[0].split():
        if word.startswith("avg10="):
            return float(word.removeprefix("avg10=")) / 100
    return None


def busy_s(root: Path = Path("/")) -> float | None:
    """Return the CPU seconds all processes of this computer have used since boot, None where that is not told.

    Source: proc(5), /proc/stat: user, nice, system, irq and softirq of "cpu"; in steps of 10 ms.
    """
    words = _text(root / "proc/stat").partition("\n")[0].split()
    if len(words) < 8 or words[0] != "cpu":
        return None
    return sum(int(words[at]) for at in (1, 2, 3, 6, 7)) / _ticks()


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _steal_s(root: Path) -> float | None:
    """Return the CPU seconds the hypervisor took. Source: proc(5), /proc/stat, eighth number of "cpu"."""
    words = _text(root / "proc/stat").partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    return int(words[8]) / _ticks()
