"""The interval of a median, held against brute force."""

from itertools import product
from statistics import median_high, median_low

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlab.plots.spread import LEVEL, median_interval


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_the_interval_is_what_all_resamples_give(values: list[int]) -> None:
    tail = (1 - LEVEL) / 2
    resamples = list(product(values, repeat=len(values)))
    lows, highs = sorted(map(median_low, resamples)), sorted(map(median_high, resamples))
    low = next(value for place, value in enumerate(lows, 1) if place / len(lows) >= tail)
    high = next(value for place, value in enumerate(highs, 1) if place / len(highs) >= 1 - tail)
    assert median_interval(values) == (low, high)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_the_interval_holds_the_median_and_lies_within_the_values(values: list[float]) -> None:
    low, high = median_interval(values)
    assert min(values) <= low <= median_high(values)
    assert median_low(values) <= high <= max(values)
