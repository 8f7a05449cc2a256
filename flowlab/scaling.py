"""How speed grows with the number of workers: a sweep over numbers of workers, and the two laws fitted to it.

Amdahl's law knows *contention*: the share of the work that only one worker at a time can do. The Universal Scalability
Law adds *coherency*: what every worker costs every other one, so that speed can fall again. Pure arithmetic; nothing
here measures or draws. The invariant: a fit always comes with the fits to resampled repeats, which say how sure it is,
and is refused where fewer than LEAST_LEVELS numbers of workers were measured.

Source: G. Amdahl, Validity of the single processor approach, AFIPS 1967; N. Gunther, Guerrilla Capacity Planning,
Springer 2007, and arXiv:0808.1431; L. Kleinrock, Power and deterministic rules of thumb, ICC 1979 (where to stop).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, sqrt
from random import Random
from statistics import median

from flowlab.errors import SettingError

LEAST_LEVELS = 6
RESAMPLES = 200
LEVEL = 0.95

Points = Sequence[tuple[float, float]]
"""Numbers of workers, each with its speed-up."""


@dataclass(frozen=True, slots=True)
class Law:
    """Speed-up by the number of workers; with no coherency it is Amdahl's law.

    >>> round(Law(contention=0.1).speedup(64), 2)
    8.77
    >>> round(Law(contention=0.05, coherency=0.01).peak, 2)
    9.75

    Attributes:
        contention: The share of the work that one worker at a time can do, 0 to 1.
        coherency: What each pair of workers costs, as a share of the work of one.
    """

    contention: float
    coherency: float = 0.0

    def speedup(self, workers: float) -> float:
        """Return how many times as fast as one worker so many are."""
        return 1 / ((1 + self.contention * (workers - 1)) / workers + self.coherency * (workers - 1))

    def efficiency(self, workers: float) -> float:
        """Return the speed-up per worker."""
        return self.speedup(workers) / workers

    @property
    def peak(self) -> float:
        """The number of workers beyond which more are slower; infinite without coherency."""
        return max(1.0, sqrt(1 - self.contention) / sqrt(self.coherency)) if self.coherency else inf

    @property
    def most(self) -> float:
        """The speed-up that no number of workers exceeds."""
        if self.coherency:
            return self.speedup(self.peak)
        return 1 / self.contention if self.contention else inf

    @property
    def stop(self) -> float:
        """The number of workers where speed-up times efficiency is greatest.

        Up to here, a little more workers bring at least half as much more speed; beyond, less than half.
        """
        alone, shared = self.contention - self.coherency, 1 - self.contention
        slope = alone + sqrt(alone**2 + 12 * self.coherency * shared)
        return max(1.0, 2 * shared / slope) if slope else inf


@dataclass(frozen=True, slots=True)
class Fit:
    """A law fitted to a sweep.

    Attributes:
        name: What the law is called.
        law: The one that is nearest to the medians, by least squares of the speed-up.
        resampled: The same, fitted to repeats drawn anew with replacement (the bootstrap).
        error: By how much the law misses the measured speed-ups: root of the mean square.
    """

    name: str
    law: Law
    resampled: tuple[Law, ...]
    error: float

    def interval(self, figure: Callable[[Law], float]) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of something that a law says (percentiles)."""
        found, tail = sorted(map(figure, self.resampled)), (1 - LEVEL) / 2
        return found[int(tail * len(found))], found[-1 - int(tail * len(found))]

    def sentence(self) -> str:
        """Return contention, coherency, where to stop, and the error, each as sure as it is."""
        parts = [f"contention {_said(self, lambda law: law.contention)}"]
        if any(law.coherency for law in self.resampled):
            parts.append(f"coherency {_said(self, lambda law: law.coherency)}")
        parts += [f"stop at {_said(self, lambda law: law.stop)} workers", f"misses speed-ups by {self.error:.2g}"]
        return f"{self.name}: {', '.join(parts)}"


def _said(fit: Fit, figure: Callable[[Law], float]) -> str:
    low, high = fit.interval(figure)
    return f"{figure(fit.law):.2g} ({low:.2g} to {high:.2g})"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The same work done by different numbers of workers, every repeat kept.

    Attributes:
        name: What was done.
        walls_s: Wall times in seconds, by the number of workers.
    """

    name: str
    walls_s: Mapping[int, Sequence[float]]

    def __post_init__(self) -> None:
        if not self.walls_s.get(1) or not all(self.walls_s.values()):
            raise SettingError(f"sweep {self.name!r} needs a time with 1 worker, and one with every other number.")

    @property
    def levels(self) -> tuple[int, ...]:
        """The numbers of workers, rising."""
        return tuple(sorted(self.walls_s))

    @property
    def repeats(self) -> int:
        """How often every number was measured, at least."""
        return min(map(len, self.walls_s.values()))

    def speedups(self, workers: int) -> list[float]:
        """Return the speed-up of every repeat, against the median of one worker."""
        return [median(self.walls_s[1]) / wall_s for wall_s in self.walls_s[workers]]

    def speedup(self, workers: int) -> float:
        """Return the median speed-up."""
        return median(self.walls_s[1]) / median(self.walls_s[workers])

    def efficiency(self, workers: int) -> float:
        """Return the median speed-up per worker."""
        return self.speedup(workers) / workers

    @property
    def knee(self) -> int:
        """The number of workers measured at which speed-up times efficiency was greatest."""
        return max(self.levels, key=lambda workers: self.speedup(workers) * self.efficiency(workers))

    def within(self, workers: float) -> int:
        """Return the largest number of workers measured that is not above that many."""
        return max(level for level in self.levels if level <= max(1, workers))

    def amdahl(self) -> Fit:
        """Return Amdahl's law fitted: contention alone.

        Raises:
            SettingError: There are fewer than LEAST_LEVELS numbers of workers.
        """
        return self._fit("Amdahl's law", _amdahl)

    def usl(self) -> Fit:
        """Return the Universal Scalability Law fitted: contention and coherency.

        Raises:
            SettingError: There are fewer than LEAST_LEVELS numbers of workers.
        """
        return self._fit("Universal Scalability Law", _usl)

    def _fit(self, name: str, nearest: Callable[[Points], Law]) -> Fit:
        if len(self.levels) < LEAST_LEVELS:
            raise SettingError(
                f"{name} is fitted to {LEAST_LEVELS} numbers of workers or more, and sweep {self.name!r} has "
                f"{len(self.levels)} ({', '.join(map(str, self.levels))}): measure more of them."
            )
        return _fitted(name, nearest, tuple((workers, tuple(self.walls_s[workers])) for workers in self.levels))


@lru_cache(maxsize=16)  # a notebook asks for the same fit again and again, and each is 200 fits
def _fitted(name: str, nearest: Callable[[Points], Law], walls_s: tuple[tuple[int, tuple[float, ...]], ...]) -> Fit:
    points, draws = _points(walls_s), Random(len(walls_s))
    law = nearest(points)
    if all(len(walls) == 1 for _, walls in walls_s):
        return Fit(name, law, (law,) * RESAMPLES, sqrt(_missed(law, points) / len(points)))
    again = ([(n, draws.choices(walls, k=len(walls))) for n, walls in walls_s] for _ in range(RESAMPLES))
    resampled = tuple(nearest(_points(drawn)) for drawn in again)
    return Fit(name, law, resampled, sqrt(_missed(law, points) / len(points)))


def _points(walls_s: Sequence[tuple[int, Sequence[float]]]) -> Points:
    alone = median(dict(walls_s)[1])
    return [(workers, alone / median(walls)) for workers, walls in walls_s]


def _missed(law: Law, points: Points) -> float:
    return sum((speedup - law.speedup(workers)) ** 2 for workers, speedup in points)


def _amdahl(points: Points) -> Law:
    return _descended(points, Law(0.5), (True, False))


def _usl(points: Points) -> Law:
    """Return the best of the laws within bounds and those on each bound, where one of the two stays what it is."""
    starts = (Law(0.1, 0.01), (True, True)), (Law(0.5), (True, False)), (Law(0.0, 0.01), (False, True))
    edge = Law(1.0, 0.0), (False, True)
    return min((_descended(points, *start) for start in (*starts, edge)), key=lambda law: _missed(law, points))


def _descended(points: Points, law: Law, free: tuple[bool, bool], steps: int = 60) -> Law:
    """Return the law of least squares: Gauss-Newton steps, halved until they lead down and kept within bounds."""
    missed = _missed(law, points)
    for _ in range(steps):
        more_contention, more_coherency = _step(points, law, free)
        for halved in range(12):
            share = 0.5**halved
            tried = Law(
                min(1.0, max(0.0, law.contention + share * more_contention)),
                max(0.0, law.coherency + share * more_coherency),
            )
            if (left := _missed(tried, points)) < missed:
                break
        else:
            return law
        done = missed - left <= 1e-12 * missed
        law, missed = tried, left
        if done:
            return law
    return law


def _step(points: Points, law: Law, free: tuple[bool, bool]) -> tuple[float, float]:
    """Return the Gauss-Newton step from a law: the least squares of the law made straight at this place."""
    aa = ab = bb = ar = br = 0.0
    for n, speedup in points:
        slope = -(law.speedup(n) ** 2) / n * (n - 1)
        a, b, missing = free[0] * slope, free[1] * slope * n, speedup - law.speedup(n)
        aa, ab, bb, ar, br = aa + a * a, ab + a * b, bb + b * b, ar + a * missing, br + b * missing
    if not all(free):
        return (ar / aa if aa else 0.0, br / bb if bb else 0.0)
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        return 0.0, 0.0
    return (bb * ar - ab * br) / determinant, (aa * br - ab * ar) / determinant
