"""The power model: it adds up, it has sources, and it says that it is an estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.errors import SettingError
from flowlab.metrics.power import DEFAULT, Energy, Profile, estimate, profiles

AMOUNT = st.floats(0, 1e6)


def test_the_formula_is_the_published_one() -> None:
    energy = estimate(10.0, 4.0, 2e9, 1e6, cores=2, profile="cloud-aws")
    assert energy.dynamic_j == pytest.approx((3.5 - 0.74) * 10)
    assert energy.idle_j == pytest.approx(0.74 * 2 * 4)
    assert energy.ram_j == pytest.approx(0.392 * 2 * 4)
    assert energy.network_j == pytest.approx(3.6)
    assert (energy.method, energy.profile) == ("model_tdp", "cloud-aws")


@given(cpu_s=AMOUNT, wall_s=AMOUNT, memory=st.floats(0, 1e12), network=AMOUNT, name=st.sampled_from(sorted(profiles())))
def test_the_parts_add_up_and_the_band_holds_the_total(
    cpu_s: float, wall_s: float, memory: float, network: float, name: str
) -> None:
    energy = estimate(cpu_s, wall_s, memory, network, cores=2, profile=name)
    parts = (energy.dynamic_j, energy.idle_j, energy.ram_j, energy.network_j)
    assert energy.total_j == pytest.approx(sum(parts), rel=1e-12)
    assert energy.low_j <= energy.total_j <= energy.high_j


@given(pieces=st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=20))
def test_what_pieces_of_one_run_cost_adds_up_to_what_the_run_costs(pieces: list[tuple[float, float]]) -> None:
    idle = estimate(0, 7.0, 0, cores=2)
    rows = [estimate(cpu_s, 0, 0, sent, cores=2, idle=False) for cpu_s, sent in pieces]
    whole = estimate(sum(cpu_s for cpu_s, _ in pieces), 7.0, 0, sum(sent for _, sent in pieces), cores=2)
    assert idle.total_j + sum(row.total_j for row in rows) == pytest.approx(whole.total_j, rel=1e-9)


def test_a_model_nobody_fitted_is_half_unsure() -> None:
    energy = estimate(1.0, 1.0, 0, cores=1)
    assert (energy.low_j, energy.high_j) == (energy.total_j * 0.5, energy.total_j * 1.5)
    assert energy.profile == DEFAULT


def test_idle_power_can_be_left_to_another_row() -> None:
    assert estimate(1.0, 5.0, 0, cores=2, idle=False).idle_j == 0.0


def test_every_profile_has_a_name_a_source_and_sensible_watts() -> None:
    assert {"server", "desktop", "laptop", "edge", "cloud-aws", "cloud-azure"} <= set(profiles())
    for name, profile in profiles().items():
        assert profile.name == name
        assert len(profile.source) > 20
        assert 0 < profile.idle_w < profile.max_w < 20
        assert profile.dynamic_w == profile.max_w - profile.idle_w


def test_ones_own_profile_can_be_used() -> None:
    mine = Profile("mine", 1.0, 3.0, 0.0, 0.0, "a meter at the wall", uncertainty_rel=0.1, method="model_calibrated")
    energy = estimate(2.0, 1.0, 0, cores=4, profile=mine)
    assert energy == Energy(4.0, 4.0, 0.0, 0.0, "model_calibrated", 0.1, "mine", "a meter at the wall")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: estimate(1, 1, 1, cores=1, profile="toaster"), "choose one of .*laptop"),
        (lambda: estimate(-1, 1, 1, cores=1), "no negative"),
        (lambda: estimate(1, 1, 1, cores=0), "at least one core"),
        (lambda: Profile("odd", 3.0, 1.0, 0.0, 0.0, "nowhere"), "max_w >= idle_w"),
    ],
    ids=["unknown profile", "negative time", "no core", "less power under load"],
)
def test_what_makes_no_sense_is_refused(call, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        call()
