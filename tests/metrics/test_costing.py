"""Energy of calls and of runs: the parts add up, and the same records can be costed for another machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.errors import SettingError
from flowlab.metrics import Record
from flowlab.metrics.costing import balance, cost
from flowlab.metrics.power import profiles

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


def test_a_reading_is_not_replaced_by_an_estimate() -> None:
    measured = replace(PARSE, e_dyn_j=1.25, e_method="rapl")
    assert cost([measured], "laptop") == (measured,)


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
