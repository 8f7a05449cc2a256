"""A machine recorded: the files of a virtual machine with cgroups of version 1, as its kernel wrote them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flowlab.machine import GIB, Machine, busy_s

GUEST = Path(__file__).with_name("recorded") / "guest"
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@pytest.fixture
def machine() -> Machine:
    return Machine.detect(GUEST, {})


def test_limits_that_say_none_are_none(machine: Machine) -> None:
    assert (machine.cores, machine.cores_total, machine.cores_quota) == (2, 2, None)
    assert machine.memory_bytes == machine.memory_total_bytes == 24_684_084 * 1024
    assert machine.memory_free_bytes == 23_379_120 * 1024


def test_how_busy_it_was_is_read(machine: Machine) -> None:
    found = (machine.load_1m, machine.pressure_cpu_rel, machine.pressure_memory_rel, machine.pressure_io_rel)
    assert found == (4.48, pytest.approx(0.4634), 0.0, pytest.approx(0.018))
    assert machine.steal_s == 13_460 / TICKS
    assert busy_s(GUEST) == (1_456_749 + 2_309 + 160_891 + 0 + 2_946) / TICKS


def test_busy_time_is_unknown_where_it_is_not_told(tmp_path: Path) -> None:
    assert busy_s(tmp_path) is None


def test_what_it_has_not_is_none(machine: Machine) -> None:
    assert (machine.mains, machine.clusters, machine.cpu_model) == (None, (), "AMD EPYC")


def test_all_that_is_known_can_be_read_by_a_person(machine: Machine) -> None:
    facts = machine.facts()
    assert set(facts) == {"processor", "cores", "memory", "busy", "stolen", "power", "clusters", "python", "system"}
    assert facts["cores"] == "2 of 2 may be used; no quota"
    assert facts["memory"] == "23.5 GiB may be used, 22.3 GiB of it free now"
    assert "for a core 46.3%" in facts["busy"]
    assert (facts["clusters"], facts["processor"]) == ("none in reach", "AMD EPYC")
    assert len(str(machine).splitlines()) == len(facts)


def test_what_is_unusual_or_not_known_is_said_in_words() -> None:
    odd = Machine(cores=1, cores_total=8, cores_quota=0.5, memory_bytes=2 * GIB, memory_total_bytes=16 * GIB,
                  mains=False, gil=False, clusters=("dask",))  # fmt: skip
    facts = odd.facts()
    assert facts["cores"] == "1 of 8 may be used; a quota of 0.5 cores"
    assert facts["memory"].startswith("2.0 GiB may be used (a limit), not told of it")
    assert (facts["power"], facts["clusters"]) == ("on battery", "in reach, none contacted: dask")
    assert "without interpreter lock" in facts["python"]
    assert replace(odd, mains=True).facts()["power"] == "on mains"
    assert Machine(cores=1).facts()["processor"] == "not told"
