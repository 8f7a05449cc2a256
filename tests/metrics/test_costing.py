"""Energy of calls and of runs: the parts add up, and the same records can be costed for another machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.errors import SettingError
from flowlab.metrics import Record
from flowlab.metrics.costing import balance, cost, energy
from flowlab.metrics.power import Profile, Reading, profiles, read_profile

PARSE = Record(
    operation="parse", started_ns=0, ended_ns=2_000_000_000, cpu_ns=900_000_000, cpu_self_ns=500_000_000,
    mem_peak_bytes=1_000_000_000, custom={"net_bytes": 1_000_000},
)  # fmt: skip


def test_a_call_costs_what_its_own_cpu_memory_and_traffic_cost() -> None:
    (record,) = cost([PARSE], "cloud-aws")
    assert record.e_dyn_j == pytest.approx(2.76 * 0.5)
    assert record.e_ram_j == pytest.approx(0.392 * 2)
    assert record.e_net_j == pytest.approx(3.6)
    assert (record.e_idle_j, record.e_method, record.e_uncertainty_rel) == (None, "model_tdp", 0.5)
    assert record.e_coefficients == "cloud-aws"


def test_what_was_not_measured_costs_nothing_known() -> None:
    (record,) = cost([Record(operation="wait")])
    assert (record.e_dyn_j, record.e_ram_j, record.e_net_j) == (None, None, None)


def test_the_same_records_costed_for_another_machine_differ_in_energy_alone() -> None:
    (server,) = cost([PARSE], "server")
    (laptop,) = cost([server], "laptop")
    assert laptop.e_dyn_j == pytest.approx(profiles()["laptop"].dynamic_w * 0.5)
    assert laptop == cost([PARSE], "laptop")[0]
    energy = dict.fromkeys(("e_dyn_j", "e_ram_j", "e_net_j", "e_method", "e_uncertainty_rel", "e_coefficients"))
    assert replace(server, **energy) == PARSE


def test_a_reading_is_replaced_by_an_estimate_only_if_another_machine_is_asked_about() -> None:
    measured = replace(PARSE, e_dyn_j=1.25, e_method="rapl")
    assert cost([measured]) == (measured,)
    assert cost([measured], "laptop") == cost([PARSE], "laptop")


CALLS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.none() | st.integers(0, 10**10)), max_size=30)


@given(calls=CALLS, extra_s=st.floats(0, 100), wall_s=st.floats(0, 100), name=st.sampled_from(sorted(profiles())))
def test_the_rows_of_a_balance_add_up_to_the_estimate(
    calls: list[tuple[str, int | None]], extra_s: float, wall_s: float, name: str
) -> None:
    records = [Record(operation=operation, cpu_self_ns=cpu) for operation, cpu in calls]
    cpu_s = sum(cpu or 0 for _, cpu in calls) / 1e9 + extra_s
    found = balance(
        records,
        cpu_s=cpu_s,
        wall_s=wall_s,
        memory_bytes=5e8,
        cores=2,
        network_bytes=1e6,
        machine_cpu_s=cpu_s + 1,
        profile=name,
    )
    assert found.total_j == pytest.approx(found.energy.total_j, rel=1e-9)
    assert found.others_j == pytest.approx(profiles()[name].dynamic_w)
    assert found.runtime_j >= -1e-9 * max(1.0, found.energy.dynamic_j)


def test_more_cpu_in_calls_than_in_processes_is_refused() -> None:
    with pytest.raises(SettingError, match="all processes the calls ran in"):
        balance([PARSE], cpu_s=0.4, wall_s=1, memory_bytes=0, cores=1)


@dataclass
class Measured:
    """Something that was measured, as runs of a comparison and stored runs are."""

    records: tuple[Record, ...]
    cpu_s: float | None = None
    wall_s: float | None = None
    cores: int | None = 2
    machine_cpu_s: float | None = None
    profile: Profile | None = None


RUN = Measured((PARSE,), cpu_s=0.75, wall_s=2.5, machine_cpu_s=1.0)


def test_server_against_desktop_the_same_records_under_another_profile() -> None:
    server, desktop = energy(RUN, "server"), energy(RUN, "desktop")
    assert server.operations_j == {"parse": pytest.approx(profiles()["server"].dynamic_w * 0.5)}
    assert desktop.idle_j == pytest.approx(profiles()["desktop"].idle_w * 2 * 2.5)
    assert server.others_j == pytest.approx(profiles()["server"].dynamic_w * 0.25)
    for found in (server, desktop):
        assert sum(found.rows.values()) - found.rows["other processes"] == pytest.approx(found.total_j, rel=1e-9)
        assert found.total_j == pytest.approx(found.energy.total_j, rel=1e-9)
        assert set(found.rows) == {"operation parse", "runtime", "idle", "memory", "network", "other processes"}
    assert "idle" in str(server) and "server" in str(server)


def test_power_against_speed_faster_cores_compute_shorter_and_wait_as_long() -> None:
    slow, fast = energy(RUN, "server"), energy(RUN, "server", speed_rel=2.0)
    assert fast.energy.dynamic_j == pytest.approx(slow.energy.dynamic_j / 2)
    assert fast.idle_j == pytest.approx(slow.idle_j * (2.5 - 0.375) / 2.5)
    assert fast.total_j == pytest.approx(fast.energy.total_j, rel=1e-9)
    with pytest.raises(SettingError, match="speed_rel"):
        energy(RUN, speed_rel=0)


def test_what_was_read_when_it_ran_is_used_unless_another_machine_is_asked_about() -> None:
    profile = read_profile(Reading(joules=20.0, wall_s=2.5, cpu_s=1.0), cores=2)
    found = energy(replace(RUN, profile=profile))
    assert found.energy.method == "rapl"
    assert found.total_j - found.ram_j - found.network_j + (found.others_j or 0) == pytest.approx(20.0, rel=1e-9)
    assert energy(replace(RUN, profile=profile), "laptop").energy.method == "model_tdp"


def test_records_alone_can_be_asked_about() -> None:
    found = energy([PARSE], "edge")
    assert found.runtime_j == pytest.approx(0, abs=1e-12)
    assert found.idle_j > 0
    assert energy([], "edge").total_j == 0


def test_a_comparison_is_answered_by_strategy() -> None:
    import flowlab as fl

    comparison = fl.compare({"a": _busy, "b": _busy}, repeats=1, say=lambda _: None)
    found = fl.energy(comparison, "laptop")
    assert set(found) == {"a", "b"}
    for name, rows in found.items():
        run = comparison.best(name)
        assert rows.energy.profile == "laptop"
        assert rows.others_j is None or rows.others_j >= 0
        assert rows.energy.dynamic_j == pytest.approx(profiles()["laptop"].dynamic_w * (run.cpu_s or 0))


def _busy() -> int:
    return sum(range(100_000))
