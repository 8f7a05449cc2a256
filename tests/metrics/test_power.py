"""The power model: it adds up, it has sources, and it says that it is an estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.errors import SettingError
from flowlab.metrics.power import DEFAULT, Energy, Profile, Reading, estimate, fitted, profiles, read_profile

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


WATTS = st.floats(0.5, 50)


@given(idle_w=WATTS, dynamic_w=WATTS, cores=st.integers(1, 64))
def test_a_fit_finds_the_machine_that_made_the_readings(idle_w: float, dynamic_w: float, cores: int) -> None:
    loads = [(2.0, 0.0), (2.0, 1.9), (2.0, 4.0), (3.0, 3.0)]
    readings = [Reading(idle_w * wall + dynamic_w * cpu, wall, cpu) for wall, cpu in loads]
    profile = fitted(readings, cores=cores)
    assert profile.idle_w * cores == pytest.approx(idle_w, rel=1e-6)
    assert profile.dynamic_w == pytest.approx(dynamic_w, rel=1e-6)
    assert profile.uncertainty_rel < 1e-6
    assert (profile.method, "readings of this machine" in profile.source) == ("model_calibrated", True)


def test_the_band_of_a_fit_is_as_wide_as_its_readings_scatter() -> None:
    loads = [(2.0, 0.0), (2.0, 2.0), (2.0, 4.0)]
    off = [1.1, 0.9, 1.1, 0.9, 1.1, 0.9]
    readings = [Reading((10 + 5 * cpu) * f, wall, cpu) for (wall, cpu), f in zip(2 * loads, off, strict=True)]
    profile = fitted(readings, cores=2)
    assert 0.1 < profile.uncertainty_rel < 0.4
    energy = estimate(2.0, 2.0, 0, cores=2, profile=profile)
    assert energy.low_j < 20.0 < energy.high_j


def test_a_fit_never_finds_less_than_no_power() -> None:
    falling = [Reading(j, 1.0, cpu) for j, cpu in ((10, 0), (8, 1), (6, 2))]
    assert fitted(falling, cores=1).dynamic_w == 0.0
    steep = [Reading(j, 1.0, cpu) for j, cpu in ((0.0, 1.0), (10.0, 2.0), (20.0, 3.0))]
    assert fitted(steep, cores=1).idle_w == 0.0


@pytest.mark.parametrize(
    "readings", [[], [Reading(1, 1, 0), Reading(2, 1, 1)], [Reading(3, 1, 1)] * 5], ids=["none", "two", "all alike"]
)
def test_too_few_readings_or_loads_are_refused(readings: list[Reading]) -> None:
    with pytest.raises(SettingError, match="at least three times"):
        fitted(readings, cores=2)


@given(joules=st.floats(0, 1e4), wall_s=st.floats(0.01, 100), busy_s=st.floats(0.01, 100), cores=st.integers(1, 64))
def test_under_a_profile_that_was_read_the_whole_machine_costs_what_was_read(
    joules: float, wall_s: float, busy_s: float, cores: int
) -> None:
    profile = read_profile(Reading(joules, wall_s, busy_s), cores=cores)
    energy = estimate(busy_s, wall_s, 0, cores=cores, profile=profile)
    assert energy.total_j == pytest.approx(joules, rel=1e-9, abs=1e-9)
    assert energy.method == "rapl"


def test_a_run_gets_no_more_than_what_was_read_where_the_machine_counted_less_cpu_than_the_run_used() -> None:
    profile = read_profile(Reading(40.0, 0.1, cpu_s=0.09), cores=2, own_cpu_s=0.098)
    assert estimate(0.098, 0.1, 0, cores=2, profile=profile).total_j == pytest.approx(40.0)
