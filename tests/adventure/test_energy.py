"""What a band leaves of a difference, and what the same runs cost on another machine, by runs made by hand."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowlab as fl
from flowlab.adventure.branches import energy
from flowlab.adventure.branches import energy_costs as costs
from flowlab.adventure.branches.energy_costs import LESS, MORE, PROFILES, UNTOLD, Trade
from flowlab.adventure.exercises import cases_of
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, ServiceUse, StrategyRun
from flowlab.machine import Machine
from flowlab.metrics import Record
from flowlab.metrics.power import estimate, profile_named

CHAPTER = CHAPTERS["10_energy"]
OPTIONS = list(CHAPTER.decision.options)
MACHINE = Machine(cores=2, cpu_model="Intel Xeon", platform="Linux")


def run(strategy, wall_s, cpu_s, peak_mb=50, repeat=0):
    calls = (Record(operation="parse", cpu_self_ns=int(0.6e9 * cpu_s), custom={"loopback_bytes": 1000}),)
    return StrategyRun(
        strategy, repeat, repeat, wall_s=wall_s, cpu_s=cpu_s, peak_bytes=int(1e6 * peak_mb), records=calls, cores=2,
        machine_cpu_s=cpu_s + 0.5,
    )  # fmt: skip


def comparison_of(*runs):
    names = tuple(dict.fromkeys(each.strategy for each in runs))
    used = tuple(ServiceUse("site", each.strategy, each.repeat, 0.1, 40_000_000) for each in runs)
    return Comparison("test", names, runs, MACHINE, services=used)


@pytest.fixture
def comparison():
    """Serial waits; asyncio waits less and works a little more; workers are quick and dear; less is less of all."""
    made = {
        "serial": (4.6, 0.8, 41),
        "asyncio": (1.8, 0.85, 42),
        "processes": (3.0, 1.7, 120),
        "dataflow": (2.2, 1.8, 89),
        "do less": (1.2, 0.2, 30),
    }
    return comparison_of(*(run(way, w * (1 + n / 50), c, m, n) for n in range(3) for way, (w, c, m) in made.items()))


def test_the_rows_of_every_run_add_up_to_the_model_of_its_seconds_under_every_profile(comparison):
    for each, profile in product(comparison.runs, PROFILES):
        found, whole = fl.energy(each, profile), profile_named(profile)
        by_hand = whole.idle_w * 2 * each.wall_s + whole.dynamic_w * each.cpu_s
        by_hand += whole.ram_w_per_gb * each.peak_bytes / 1e9 * each.wall_s
        assert sum(found.rows.values()) - found.others_j == pytest.approx(by_hand, rel=1e-9)
        assert found.energy.total_j == pytest.approx(by_hand, rel=1e-9)


def test_costing_anew_changes_energy_alone_and_the_sites_too(comparison):
    again = costs.costed(comparison, "edge")
    assert [each.wall_s for each in again.runs] == [each.wall_s for each in comparison.runs]
    assert {each.energy.profile for each in [*again.runs, *again.services]} == {"edge"}
    assert all(use.energy.idle_j == 0 for use in again.services)
    assert costs.costed(costs.costed(comparison, "server"), "edge") == again


def test_the_sentence_says_that_it_is_an_estimate_by_which_model_within_which_band_and_what_cannot_be_told(comparison):
    said = costs.costed(comparison, "desktop").sentence
    assert "Energy is an estimate (model_tdp, give or take 50%)." in said
    assert said.startswith("Costed as desktop, medians of n = 3: serial 4.69 s, ")
    assert "Less than serial: asyncio, do less" in said and "cannot be told from serial: " in said


JOULES = st.floats(0, 1e6)


@given(saved=JOULES, paid=JOULES, band=st.floats(0, 0.99), off=st.lists(st.floats(-1, 1), min_size=2, max_size=2))
def test_what_is_told_is_so_whatever_the_coefficients_within_the_band(saved, paid, band, off):
    saved_really, paid_really = saved * (1 + band * off[0]), paid * (1 + band * off[1])
    verdict = Trade(saved, paid, band).told
    assert verdict != LESS or saved_really >= paid_really * (1 - 1e-9)
    assert verdict != MORE or paid_really >= saved_really * (1 - 1e-9)


@given(saved=JOULES, paid=JOULES, band=st.floats(0, 0.99))
def test_the_opposite_trade_is_told_the_opposite(saved, paid, band):
    opposite = {LESS: MORE, MORE: LESS, UNTOLD: UNTOLD}
    assert Trade(paid, saved, band).told == opposite[Trade(saved, paid, band).told]


def test_with_half_a_band_a_trade_must_save_three_times_what_it_pays():
    assert [Trade(saved, 1.0, 0.5).told for saved in (2.99, 3.01, 1.0, 0.3)] == [UNTOLD, LESS, UNTOLD, MORE]
    assert Trade(0.001, 0.0, 0.5).told == LESS
    assert Trade(0.0, 0.0, 0.5).told == UNTOLD


def test_a_trade_goes_part_by_part():
    one, other = estimate(2.0, 1.0, 0, cores=2, profile="server"), estimate(1.0, 3.0, 0, cores=2, profile="server")
    found = costs.trade(one, other)
    assert (found.saved_j, found.paid_j) == (pytest.approx(4 * 0.65), pytest.approx(3.61))
    assert found.band == 0.5


def test_one_run_that_says_otherwise_makes_a_difference_untold():
    runs = [run("serial", 4.0, 1.0, repeat=n) for n in range(3)] + [run("quick", 2.0, 0.8, repeat=n) for n in range(3)]
    assert costs.told(comparison_of(*runs), "quick", "serial", "desktop") == LESS
    late = [*runs[:-1], run("quick", 9.0, 0.8, repeat=2)]
    assert costs.told(comparison_of(*late), "quick", "serial", "desktop") == UNTOLD


def test_on_a_machine_that_stays_on_only_cpu_time_counts():
    found = comparison_of(run("serial", 9.0, 1.0), run("quick", 1.0, 1.5))
    assert costs.told(found, "quick", "serial", "edge") == LESS
    assert costs.told(found, "quick", "serial", "edge", costs.window_of(found)) == MORE
    idle = {each.idle_j for way in found.strategies for each in costs.energies(found, way, "edge", 9.0)}
    assert idle == {profile_named("edge").idle_w * 2 * 9.0}


def test_some_coefficients_are_within_the_bands_of_any_two_profiles_up_to_a_factor():
    """This is why no difference can be told under one profile and the opposite under another."""
    for one, other in permutations(map(profile_named, PROFILES), 2):
        parts = ((p.idle_w, p.dynamic_w, p.ram_w_per_gb) for p in (one, other))
        ranges = [
            (b * (1 - other.uncertainty_rel) / (a * (1 + one.uncertainty_rel)),
             b * (1 + other.uncertainty_rel) / (a * (1 - one.uncertainty_rel)))
            for a, b in zip(*parts, strict=True)
        ]  # fmt: skip
        assert max(low for low, _ in ranges) < min(high for _, high in ranges)


FIGURES = st.tuples(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(1, 500))


@given(st.lists(FIGURES, min_size=2, max_size=4))
def test_no_difference_is_told_the_other_way_round_under_another_profile(figures):
    assert costs.reversed_pairs(comparison_of(*(run(f"way {n}", *each) for n, each in enumerate(figures)))) == []


@given(wall_s=st.floats(0.1, 10), cpu_s=st.floats(0.01, 20), profiles=st.permutations(PROFILES))
def test_at_the_even_speed_a_run_costs_as_much_and_without_one_it_always_costs_more(wall_s, cpu_s, profiles):
    one, (profile, than, *_) = run("serial", wall_s, cpu_s), profiles
    wanted_j, speed = fl.energy(one, than).total_j, costs.even_speed(one, profile, than)
    if speed is None:
        assert fl.energy(one, profile, speed_rel=1e9).total_j >= wanted_j * (1 - 1e-6)
    elif 1e-6 < speed < 1e6:
        assert fl.energy(one, profile, speed_rel=speed).total_j == pytest.approx(wanted_j, rel=1e-9)


@pytest.mark.parametrize(
    ("wrong", "idles", "works"),
    [
        (lambda idle_w, core_w, cores, wall_s, cpu_s: idle_w * wall_s + core_w * cpu_s, True, False),
        (lambda idle_w, core_w, cores, wall_s, cpu_s: cores * (idle_w * wall_s + core_w * cpu_s), False, True),
        (lambda idle_w, core_w, cores, wall_s, cpu_s: idle_w * cores * wall_s + core_w * wall_s, True, False),
        (lambda idle_w, core_w, cores, wall_s, cpu_s: idle_w * cores * (wall_s - cpu_s) + core_w * cpu_s, True, True),
    ],
    ids=["one core idles", "cores twice", "busy all the time", "idle or busy"],
)
def test_a_wrong_formula_is_caught_by_a_machine_that_only_idles_or_only_works_if_one_can_tell(wrong, idles, works):
    caught = next(case for case in cases_of("joules") if not case.holds(wrong(*case.arguments)))
    assert (caught.arguments[0] > 0, caught.arguments[4] > 0) == (idles, works)


def test_laptop_and_edge_are_as_frugal_at_the_same_speed(comparison):
    assert dict(costs.speeds(comparison.best("serial"), "edge"))["laptop"] == pytest.approx(1.0)


def test_every_branch_has_claims_that_can_be_read_off_its_comparison(comparison):
    assert list(energy.CLAIMS) == OPTIONS
    for option in OPTIONS:
        found = costs.costed(comparison, option)
        assert all(figure(found) > at_least for _, figure, at_least in energy.CLAIMS[option])


def test_a_site_is_as_far_away_as_the_branchs_text_says_at_every_scale():
    for says in CHAPTER.scaled.values():
        for option, text in CHAPTER.decision.options.items():
            assert f"the site {energy.LATENCY_MS.get(option, says['latency_ms']):g} ms away" in text


def test_answers_are_right_by_what_was_measured(comparison):
    serial = fl.energy(comparison.best("serial"), "edge")
    assert (energy.largest(serial), serial.idle_j > serial.energy.dynamic_j) == ("idle", True)
    assert energy.fastest(comparison) == "asyncio"
    assert energy.is_frugal(comparison, "edge") == "yes"
    dear = comparison_of(run("serial", 2.0, 1.0), run("quick", 1.9, 3.0))
    assert (energy.fastest(dear), energy.is_frugal(dear, "edge")) == ("quick", "no")
    near = comparison_of(run("serial", 2.0, 1.0), run("quick", 1.5, 1.1))
    assert energy.is_frugal(near, "edge") == "untold"


def test_the_order_is_compared_under_all_profiles(comparison):
    assert costs.ranking(comparison, "edge")[0] == "do less"
    assert energy.ranks(comparison) == "same"
    server, desktop = (profile_named(name) for name in ("server", "desktop"))
    even_s = server.idle_w / server.dynamic_w + desktop.idle_w / desktop.dynamic_w  # of CPU, a second of idling
    found = comparison_of(run("serial", 2.0, 1.0, 0), run("quick", 1.0, 1.0 + even_s, 0))
    assert energy.ranks(found) == "changes"


def test_tables_show_every_row_with_its_band_and_the_site_apart(comparison):
    table = energy.rows(comparison, ("serial", "processes"), "desktop")
    assert list(table.columns) == ["whose", "row", "serial [J]", "processes [J]"]
    assert {"operation parse", "runtime", "idle", "memory", "sum"} <= set(table[table.whose == "this run"].row)
    assert list(table[table.whose == "not this run"].row) == ["the site", "other processes"]
    site = table[table.row == "the site"]["serial [J]"].item()
    assert site == "0.469 (0.234 to 0.703)"
    everywhere = energy.everywhere(comparison)
    assert list(everywhere.columns) == ["way", *PROFILES]
    assert everywhere.edge[1].endswith(", less")
    assert list(energy.switched_off_or_on(comparison, "edge").columns) == ["way", "off when done", "on for 4.78 s"]


def test_every_profile_is_shown_with_its_numbers_and_its_source():
    assert list(energy.coefficients().profile) == list(PROFILES)
    assert all(f"{name}: " in energy.sources() for name in PROFILES)
    assert "Cloud Carbon Footprint" in energy.sources()


def test_what_is_not_counted_is_worked_out_apart(comparison):
    assert costs.if_far(comparison.best("serial"))[0] == pytest.approx(0.0036)
    assert costs.carbon_g(3.6e6) == pytest.approx(costs.GRID_G_PER_KWH)


def test_the_exercises_cases_are_the_models_own():
    for case in CHAPTER.exercises["joules"]:
        idle_w, core_w, cores, wall_s, cpu_s = case.arguments
        assert case.expected == idle_w * cores * wall_s + core_w * cpu_s
