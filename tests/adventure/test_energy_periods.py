"""A period that is raced or paced through: the same work, the same window, and every joule in one row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.adventure.branches.energy_periods import PACE, RACE, SLEEPS, Periods, Stint, answer, periods
from flowlab.metrics.power import profile_named, profiles


def found(*stints, window_s=10.0, cores=2):
    return Periods(window_s, cores, stints, {})


@pytest.fixture
def passed():
    return found(Stint(RACE, 2.0, 2.0), Stint(PACE, 2.1, 9.5), Stint(RACE, 2.2, 2.4), Stint(PACE, 2.0, 9.6))


SECONDS = st.floats(0.01, 10)


@given(cpu_s=SECONDS, done_s=SECONDS, cores=st.integers(1, 64), profile=st.sampled_from(sorted(profiles())))
def test_work_and_idling_add_up_to_the_models_whole_window(cpu_s, done_s, cores, profile):
    made = found(Stint(RACE, cpu_s, done_s), Stint(PACE, cpu_s, 10.0), cores=cores)
    assert made.closes(profile)
    for stint in made.stints:
        assert sum(made.rows(stint, profile).values()) == pytest.approx(made.whole(stint, profile).total_j, rel=1e-9)


def test_with_the_same_cpu_time_it_does_not_matter_when_the_work_is_done():
    same = found(Stint(RACE, 2.0, 2.0), Stint(PACE, 2.0, 9.9))
    assert same.ratio(RACE, PACE, "desktop") == 1.0


def test_asleep_the_idling_afterwards_is_saved(passed):
    desktop = profile_named("desktop")
    race = [desktop.dynamic_w * cpu + 2 * desktop.idle_w * done for cpu, done in ((2.0, 2.0), (2.2, 2.4))]
    assert passed.joules(SLEEPS, "desktop") == pytest.approx(race)
    assert passed.ratio(PACE, SLEEPS, "desktop") > 1.25


def test_noise_is_the_worst_of_what_should_have_been_equal(passed):
    assert passed.noise == pytest.approx(1.2)


def test_pacing_that_takes_more_cpu_time_for_the_same_work_is_noise_and_is_said():
    made = found(Stint(RACE, 0.04, 0.04), Stint(PACE, 0.08, 0.19), window_s=0.2)
    assert made.noise == pytest.approx(2.0)
    assert made.said("edge").startswith("A window of 200 ms. race, then idle: done after 40 ms, 40 ms of CPU time, ")
    assert "; pace: done after 190 ms, 80 ms of CPU time, " in made.said("edge")


def test_it_is_said_to_be_an_estimate_with_its_band(passed):
    assert "(medians, n = 2; an estimate, model_tdp, edge, give or take 50%)" in passed.said("edge")
    dots = passed.dots("edge")
    assert "estimate as edge, give or take 50%" in dots.quantity
    assert {way: len(values) for way, values in dots.values.items()} == {RACE: 2, PACE: 2, SLEEPS: 2}


def test_an_answer_is_right_by_what_was_measured():
    assert [answer(ratio) for ratio in (1.2, 1.05, 0.95, 0.8)] == ["race", "same", "same", "pace"]


def test_both_ways_do_all_items_in_order_within_one_window():
    began = []

    def work(item):
        began.append(item)
        return sum(range(20_000 + item))

    made = periods(work, range(4), stretch=3.0, repeats=2)
    assert [stint.way for stint in made.stints] == [RACE, PACE, RACE, PACE]
    assert began == [0, 1, 2, 3] * 6
    assert made.found[RACE] == made.found[PACE] == [sum(range(20_000 + item)) for item in range(4)]
    assert all(stint.done_s <= made.window_s and stint.cpu_s > 0 for stint in made.stints)
    assert made.closes("server")


def test_what_takes_longer_than_the_period_makes_the_window_longer():
    made = periods(lambda item: sum(range(item)), [10_000], stretch=0.0, repeats=2)
    assert made.window_s == max(stint.done_s for stint in made.stints)
    assert made.closes("edge")
