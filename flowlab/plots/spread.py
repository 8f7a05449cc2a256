"""How sure a median is: its bootstrap interval.

Pure arithmetic; nothing here draws. The invariant: the interval is exact, so the same values give the same interval,
without a random number in it.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), the percentile interval; the bootstrap
distribution of a median is known in closed form, from the binomial one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

LEVEL = 0.95


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median of `values`.

    With three repeats that is the smallest and the largest value: so few can say no more.

    >>> median_interval([2.0, 1.0, 4.0])
    (1.0, 4.0)
    >>> median_interval(range(1, 22))
    (7, 15)
    """
    ordered, n, tail = sorted(values), len(values), (1 - LEVEL) / 2
    low = next(k for k in range(1, n + 1) if _chance_at_most(k, n, (n - 1) // 2) >= tail)
    high = next(k for k in range(1, n + 1) if _chance_at_most(k, n, n // 2) >= 1 - tail)
    return ordered[low - 1], ordered[high - 1]


def _chance_at_most(k: int, n: int, place: int) -> float:
    """Return how likely the value at `place` of a sorted resample is at most the k-th smallest of the n values."""
    return sum(comb(n, hits) * (k / n) ** hits * (1 - k / n) ** (n - hits) for hits in range(place + 1, n + 1))
