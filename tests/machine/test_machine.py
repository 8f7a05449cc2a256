"""The machine, read from folders that look like /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowlab.machine import GIB, Machine

NO_LIMIT_V1 = "9223372036854771712"
V2 = "35 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
)


class Tree:
    """A fake root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file("sys/devices/system/cpu/online", "0-7\n")
        self.file("proc/self/status", "Name:\tpython\nCpus_allowed_list:\t0-7\n")
        self.file("proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 1000 kB\nMemAvailable: 8388608 kB\n")

    def file(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def groups(self, mounts: str, paths: str, **files: str) -> None:
        """Write cgroup files; names use __ for / and _dot_ for a dot."""
        self.file("proc/self/mountinfo", mounts + "\n")
        self.file("proc/self/cgroup", paths + "\n")
        for name, text in files.items():
            self.file("sys/fs/cgroup/" + name.replace("__", "/").replace("_dot_", "."), text + "\n")

    def detect(self, **environ: str) -> Machine:
        return Machine.detect(self.root, environ)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_without_limits_the_machine_is_what_it_has(tree: Tree) -> None:
    machine = tree.detect()
    assert (machine.cores, machine.cores_total, machine.cores_quota) == (8, 8, None)
    assert (machine.memory_bytes, machine.memory_free_bytes) == (16 * GIB, 8 * GIB)


@pytest.mark.parametrize(("allowed", "cores"), [("0-7", 8), ("0,2-3", 3), ("5", 1)], ids=["all", "some", "one"])
def test_affinity_counts(tree: Tree, allowed: str, cores: int) -> None:
    tree.file("proc/self/status", f"Cpus_allowed_list:\t{allowed}\n")
    assert (tree.detect().cores, tree.detect().cores_total) == (cores, 8)


@pytest.mark.parametrize(
    ("quota", "cores", "exact"),
    [("200000 100000", 2, 2.0), ("150000 100000", 2, 1.5), ("10000 100000", 1, 0.1), ("max 100000", 8, None)],
    ids=["two cores", "one and a half", "a tenth", "none"],
)
def test_a_quota_of_version_2_limits_the_cores(tree: Tree, quota: str, cores: int, exact: float | None) -> None:
    tree.groups(V2, "0::/app", app__cpu_dot_max=quota)
    assert (tree.detect().cores, tree.detect().cores_quota) == (cores, exact)


def test_a_limit_anywhere_above_on_the_path_holds(tree: Tree) -> None:
    tree.groups(
        V2, "0::/kube/pod/app",
        kube__cpu_dot_max="300000 100000", kube__pod__app__cpu_dot_max="max 100000",
        kube__pod__memory_dot_max=str(4 * GIB), kube__pod__app__memory_dot_max="max",
        kube__pod__memory_dot_current=str(3 * GIB), kube__pod__memory_dot_stat=f"anon 1\ninactive_file {GIB}",
    )  # fmt: skip
    machine = tree.detect()
    assert (machine.cores, machine.memory_bytes, machine.memory_free_bytes) == (3, 4 * GIB, 2 * GIB)
    assert machine.memory_total_bytes == 16 * GIB


def test_limits_of_version_1_are_read_on_nested_paths(tree: Tree) -> None:
    files = {
        "cpu,cpuacct__job__cpu_dot_cfs_quota_us": "400000", "cpu,cpuacct__job__cpu_dot_cfs_period_us": "100000",
        "memory__job__memory_dot_limit_in_bytes": str(2 * GIB),
        "memory__job__memory_dot_usage_in_bytes": str(GIB), "memory__job__memory_dot_stat": "total_inactive_file 0",
        "memory__memory_dot_limit_in_bytes": NO_LIMIT_V1,
    }  # fmt: skip
    tree.groups(V1, "4:memory:/job\n3:cpu,cpuacct:/job\n0::/", **files)
    machine = tree.detect()
    assert (machine.cores, machine.memory_bytes, machine.memory_free_bytes) == (4, 2 * GIB, GIB)


def test_version_1_says_none_in_its_own_way(tree: Tree) -> None:
    files = {
        "cpu,cpuacct__job__cpu_dot_cfs_quota_us": "-1", "cpu,cpuacct__job__cpu_dot_cfs_period_us": "100000",
        "memory__job__memory_dot_limit_in_bytes": NO_LIMIT_V1, "memory__job__memory_dot_usage_in_bytes": "5",
    }  # fmt: skip
    tree.groups(V1, "4:memory:/job\n3:cpu,cpuacct:/job", **files)
    machine = tree.detect()
    assert (machine.cores, machine.cores_quota, machine.memory_bytes) == (8, None, 16 * GIB)


@pytest.mark.parametrize(
    ("shown", "path"),
    [("/docker/abc", "/docker/abc"), ("/docker/abc", "/docker/abc/job"), ("/", "/../.."), ("/docker/abc", "/other")],
    ids=["the container's own", "below it", "outside what is mounted", "elsewhere"],
)
def test_a_container_sees_its_limit_at_the_mount_itself(tree: Tree, shown: str, path: str) -> None:
    mount = f"35 25 0:30 {shown} /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
    tree.groups(mount, f"0::{path}", cpu_dot_max="100000 100000")
    assert tree.detect().cores == 1


def test_groups_are_found_where_they_usually_are_if_mounts_are_not_told(tree: Tree) -> None:
    tree.groups("", "0::/app", app__cpu_dot_max="100000 100000")
    assert tree.detect().cores == 1


@pytest.mark.parametrize(
    ("supplies", "mains"),
    [
        ({}, None),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, True),
        ({"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, None),
    ],
    ids=["a server", "on mains", "unplugged", "battery only", "a mouse's battery"],
)
def test_mains_or_battery(tree: Tree, supplies: dict[str, dict[str, str]], mains: bool | None) -> None:
    for name, files in supplies.items():
        for file, text in files.items():
            tree.file(f"sys/class/power_supply/{name}/{file}", text + "\n")
    assert tree.detect().mains is mains


def test_clusters_in_reach_are_named_and_nothing_more(tree: Tree) -> None:
    assert tree.detect().clusters == ()
    assert tree.detect(KUBERNETES_SERVICE_HOST="10.0.0.1").clusters == ()
    tree.file("var/run/secrets/kubernetes.io/serviceaccount/token", "secret")
    machine = tree.detect(
        KUBERNETES_SERVICE_HOST="10.0.0.1", DASK_SCHEDULER_ADDRESS="tcp://a:1", NATS_URL="nats://user:secret@b"
    )
    assert machine.clusters == ("kubernetes", "dask", "nats")
    assert "secret" not in repr(machine)


def test_a_kubeconfig_in_the_home_folder_is_a_cluster_in_reach(tree: Tree) -> None:
    tree.file("home/ann/.kube/config", "clusters: []")
    assert tree.detect(HOME="/home/ann").clusters == ("kubernetes",)


def test_pressure_load_and_steal_are_read(tree: Tree) -> None:
    line = "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    tree.file("proc/pressure/cpu", line)
    tree.file("proc/loadavg", "1.50 0.48 0.27 3/93 12045\n")
    tree.file("proc/stat", "cpu  25723 0 6248 339977 2853 0 185 1000 0 0\ncpu0 1 1\n")
    machine = tree.detect()
    assert (machine.pressure_cpu_rel, machine.pressure_memory_rel, machine.load_1m) == (0.125, None, 1.5)
    assert machine.steal_s == 1000 / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("model name\t: Intel(R) Xeon(R) CPU", "Intel Xeon CPU"),
        ("Model\t\t: Raspberry Pi 5", "Raspberry Pi 5"),
        ("x: y", None),
    ],
    ids=["a PC", "a board", "not told"],
)
def test_the_processor_is_named_as_the_system_names_it(tree: Tree, line: str, model: str | None) -> None:
    tree.file("proc/cpuinfo", f"processor\t: 0\n{line}\n")
    assert tree.detect().cpu_model == model


def test_an_empty_root_is_a_machine_of_one_core_about_which_little_is_known(tmp_path: Path) -> None:
    machine = Machine.detect(tmp_path, {})
    assert (machine.cores, machine.memory_bytes, machine.cpu_model, machine.mains) == (1, None, None, None)
    assert machine.sentence().startswith("1 core of unknown make, ")


def test_this_machine_can_be_told_in_one_line() -> None:
    machine = Machine.detect()
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert 0 < (machine.memory_free_bytes or 0) <= (machine.memory_bytes or 0)
    sentence = machine.sentence()
    assert f"Python {machine.python}" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"cores": 1, "cpu_model": "A"}, "1 core of A"),
        ({"cores": 2, "cores_total": 8, "cpu_model": "A"}, "2 of 8 cores of A"),
        ({"cores": 2, "cpu_model": "A", "memory_bytes": 3 * GIB // 2}, "2 cores of A, 1.5 GiB"),
        ({"cores": 2, "cpu_model": "A", "gil": False, "mains": False}, "2 cores of A, no GIL, on battery"),
    ],
    ids=["one core", "some of many", "little memory", "unusual"],
)
def test_the_sentence_says_what_matters(facts: dict[str, object], sentence: str) -> None:
    assert Machine(**facts).sentence() == sentence  # type: ignore[arg-type]
