"""A law comes back from the curve it made; a fit says how sure it is, and is refused where it would be a guess."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flowlab.errors import FlowlabError, SettingError
from flowlab.scaling import LEAST_LEVELS, RESAMPLES, Law, Sweep

LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
shares = st.floats(0.0, 1.0)
pairs = st.floats(0.0, 0.1)
numbers = st.integers(1, 200)


def made_by(law, levels=LEVELS, noise=(1.0,), alone_s=2.0):
    return Sweep("made", {n: [alone_s / law.speedup(n) * factor for factor in noise] for n in levels})


@settings(deadline=None, max_examples=60)
@given(shares, pairs, st.floats(1e-3, 1e3))
def test_the_law_that_made_a_curve_is_found_again(contention, coherency, alone_s):
    found = made_by(Law(contention, coherency), alone_s=alone_s).usl()
    assert found.law.contention == pytest.approx(contention, abs=1e-4)
    assert found.law.coherency == pytest.approx(coherency, abs=1e-5)
    assert found.error < 1e-4


@settings(deadline=None, max_examples=60)
@given(shares)
def test_amdahls_share_is_found_again_and_the_larger_law_adds_no_coherency_to_it(contention):
    sweep = made_by(Law(contention))
    assert sweep.amdahl().law == Law(pytest.approx(contention, abs=1e-6), 0.0)
    assert sweep.usl().law.coherency == pytest.approx(0.0, abs=1e-5)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(1e-3, 1e3), min_size=LEAST_LEVELS, max_size=9), st.integers(2, 4))
def test_whatever_the_times_a_fit_is_within_bounds_and_two_shares_miss_no_more_than_one(walls_s, factor):
    sweep = Sweep("any", {1 + factor * place: [wall] for place, wall in enumerate(walls_s)})
    amdahl, usl = sweep.amdahl(), sweep.usl()
    for fit in (amdahl, usl):
        assert 0 <= fit.law.contention <= 1
        assert 0 <= fit.law.coherency < math.inf
        assert fit.law.stop >= 1
        assert fit.sentence()
    assert usl.error <= amdahl.error + 1e-9


@given(shares, pairs, numbers)
def test_no_number_of_workers_beats_the_most_or_the_peak(contention, coherency, workers):
    law = Law(contention, coherency)
    assert law.speedup(1) == 1
    assert law.speedup(workers) <= law.most * (1 + 1e-9)
    assert law.speedup(workers) <= workers * (1 + 1e-9)
    if law.peak < math.inf:
        assert law.speedup(workers) <= law.speedup(law.peak) * (1 + 1e-9)


@given(shares, pairs)
def test_where_to_stop_is_where_speedup_times_efficiency_is_greatest(contention, coherency):
    law = Law(contention, coherency)
    assume(law.stop < 1e6)

    def power(workers):
        return law.speedup(workers) * law.efficiency(workers)

    for other in (law.stop * 1.01, law.stop * 2, max(1.0, law.stop / 1.01), max(1.0, law.stop / 2)):
        assert power(law.stop) >= power(other) * (1 - 1e-9)


def test_a_law_without_shares_never_stops_and_one_of_contention_alone_never_falls():
    assert (Law(0.0).stop, Law(0.0).most, Law(0.0).peak) == (math.inf,) * 3
    assert (Law(0.1).stop, Law(0.1).most, Law(0.1).peak) == (pytest.approx(9), pytest.approx(10), math.inf)
    assert (Law(1.0).stop, Law(1.0, 0.5).peak) == (1, 1)


def test_below_six_numbers_of_workers_nothing_is_fitted_and_the_error_says_which_there_are():
    sweep = made_by(Law(0.1), (1, 2, 4, 8, 16))
    for fit in (sweep.amdahl, sweep.usl):
        with pytest.raises(SettingError, match=r"6 numbers of workers or more, and sweep 'made' has 5 \(1, 2, 4, 8"):
            fit()
    assert made_by(Law(0.1), (1, 2, 4, 8, 16, 32)).usl().law.contention == pytest.approx(0.1)


@pytest.mark.parametrize("walls_s", [{}, {2: [1.0]}, {1: [], 2: [1.0]}, {1: [1.0], 2: []}])
def test_a_sweep_needs_one_worker_and_a_time_for_every_number(walls_s):
    with pytest.raises(FlowlabError, match="needs a time with 1 worker"):
        Sweep("bare", walls_s)


def test_the_interval_is_as_wide_as_the_repeats_differ():
    def width(noise):
        low, high = made_by(Law(0.1, 0.005), noise=noise).usl().interval(lambda law: law.contention)
        return high - low

    assert width((1.0,)) == 0
    assert 0 < width((1.0, 0.98, 1.02)) < width((1.0, 0.9, 1.1))


def test_the_interval_of_noisy_repeats_holds_the_law_that_made_them_and_is_the_same_twice():
    noisy = made_by(Law(0.1, 0.005), noise=(0.95, 1.0, 1.05, 0.97, 1.03))
    fit = noisy.usl()
    assert len(fit.resampled) == RESAMPLES
    for figure, true in ((lambda law: law.contention, 0.1), (lambda law: law.coherency, 0.005)):
        low, high = fit.interval(figure)
        assert low <= true <= high
    again = made_by(Law(0.1, 0.005), noise=(0.95, 1.0, 1.05, 0.97, 1.03)).usl()
    assert again.resampled == fit.resampled


def test_a_corner_is_known_by_what_the_laws_miss_and_its_knee_by_what_was_measured():
    corner = Sweep("corner", {n: [1 / min(n, 4)] for n in LEVELS})
    assert corner.knee == 4
    assert corner.efficiency(16) == pytest.approx(0.25)
    assert corner.amdahl().error > corner.usl().error > 0.2
    assert [corner.within(fit.law.stop) for fit in (corner.amdahl(), corner.usl())] == [4, 4]


def test_every_repeat_has_a_speedup_against_the_median_of_one_worker():
    sweep = Sweep("two", {1: [2.0, 4.0, 3.0], 2: [1.5, 1.0, 3.0]})
    assert sweep.speedups(2) == [2.0, 3.0, 1.0]
    assert (sweep.speedup(2), sweep.efficiency(2), sweep.repeats) == (2.0, 1.0, 3)
    assert [sweep.within(workers) for workers in (0.5, 1.9, 2, math.inf)] == [1, 1, 2, 2]
