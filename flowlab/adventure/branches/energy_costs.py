"""What runs cost under a power profile, and what the band leaves of a difference between two of them.

Here: costing the same runs anew, and whether one needs less than another whatever the coefficients are within the
band. Not here: the model and its coefficients (`metrics`), and the runs themselves (`energy`). The invariant: joules
are only ever worked out of a run's CPU time, wall time and memory, under a named profile; nothing runs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from statistics import median

from flowlab.comparison import Comparison, ServiceUse, StrategyRun
from flowlab.comparison.wording import number
from flowlab.metrics import costing
from flowlab.metrics.power import CCF, CCF_NETWORK_J, Energy, estimate, profile_named

PROFILES = ("server", "desktop", "laptop", "edge")
SERIAL = "serial"
LESS, MORE, UNTOLD = "less", "more", "cannot be told"
KWH_J = 3.6e6
GRID_G_PER_KWH = 379.069
GRID = "US Southeast grid (SERC), as in Cloud Carbon Footprint 0.17.3 (Apache-2.0)"


def costed(comparison: Comparison, profile: str) -> Comparison:
    """Return the comparison with the energy of every run, and of the site, as the profile has it."""
    runs = tuple(
        run if run.wall_s is None else replace(run, energy=costing.energy(run, profile).energy)
        for run in comparison.runs
    )
    services = tuple(_service(use, comparison, profile) for use in comparison.services)
    again = replace(comparison, runs=runs, services=services)
    return replace(again, sentence=said(again))


def _service(use: ServiceUse, comparison: Comparison, profile: str) -> ServiceUse:
    """Return what a service used, costed anew; the machine's idle power is the run's."""
    run = comparison.runs_of(use.strategy)[use.repeat]
    if use.cpu_s is None or run.wall_s is None:
        return use
    cores, memory_bytes = run.cores or 1, use.peak_bytes or 0
    energy = estimate(use.cpu_s, run.wall_s, memory_bytes, cores=cores, profile=profile, idle=False)
    return replace(use, energy=energy)


def joules(comparison: Comparison, way: str) -> float:
    """Return the median energy of a way's runs under the comparison's profile."""
    spread = comparison.spread(way, "energy_j")
    return spread.median if spread else float("nan")


def over(comparison: Comparison, way: str, than: str) -> float:
    """Return how many times another way's energy a way needs, median against median."""
    return joules(comparison, way) / joules(comparison, than)


def idle_j(comparison: Comparison, way: str) -> float:
    """Return the median idle energy of a way's runs."""
    return median(run.energy.idle_j for run in comparison.runs_of(way) if run.energy)


def said(comparison: Comparison) -> str:
    """Return what each way took in time and energy, by which model, and which differences from serial can be told."""
    energy = next(run.energy for run in comparison.runs if run.energy)
    each = [
        f"{way} {number(wall.median)} s, {number(joules(comparison, way))} J"
        for way in comparison.strategies
        if (wall := comparison.spread(way, "wall_s"))
    ]
    against = {way: told(comparison, way, SERIAL, energy.profile) for way in comparison.strategies if way != SERIAL}
    groups = [(verdict, [way for way, found in against.items() if found == verdict]) for verdict in (LESS, MORE)]
    sure = [f"{verdict} than serial: {', '.join(ways)}" for verdict, ways in groups if ways]
    rest = [way for way, found in against.items() if found == UNTOLD]
    sure += [f"cannot be told from serial: {', '.join(rest)}"] if rest else []
    return (
        f"Costed as {energy.profile}, medians of n = {comparison.n_repeats}: {'; '.join(each)}. Energy is an estimate "
        f"({energy.method}, give or take {energy.uncertainty_rel:.0%}). {'; '.join(sure).capitalize()}."
    )


# telling: what a band leaves of a difference


@dataclass(frozen=True, slots=True)
class Trade:
    """One run instead of another: what it saves and what it pays, in joules.

    Each coefficient may be off by the band, either way and for itself; but it is the same machine's for both runs.
    So the difference lies between `saved * (1 - band) - paid * (1 + band)` and the same with the signs changed.

    Attributes:
        saved_j: Joules of the parts (cores, idle, memory) of which the one run needs less, added up.
        paid_j: Joules of the parts of which it needs more.
        band: Relative uncertainty of a coefficient.
    """

    saved_j: float
    paid_j: float
    band: float

    @property
    def told(self) -> str:
        """Whether the run needs less or more whatever the coefficients are within the band, or that cannot be told."""
        if self.saved_j * (1 - self.band) > self.paid_j * (1 + self.band):
            return LESS
        return MORE if self.paid_j * (1 - self.band) > self.saved_j * (1 + self.band) else UNTOLD


def trade(one: Energy, other: Energy) -> Trade:
    """Return what one run instead of another saves and pays, both under the same profile."""
    parts = [(one.dynamic_j, other.dynamic_j), (one.idle_j, other.idle_j), (one.ram_j, other.ram_j)]
    return Trade(
        sum(max(0.0, theirs - ours) for ours, theirs in parts),
        sum(max(0.0, ours - theirs) for ours, theirs in parts),
        max(one.uncertainty_rel, other.uncertainty_rel),
    )


def told(comparison: Comparison, way: str, than: str, profile: str, window_s: float | None = None) -> str:
    """Return whether a way needs less or more energy than another under a profile: of every pair of their runs.

    A pair of which it cannot be told, or two that contradict each other, make the whole "cannot be told".

    Args:
        comparison: Where the runs are.
        way, than: Which two.
        profile: Name of a set of coefficients.
        window_s: How long the machine stays on; None for as long as each run takes.
    """
    ours, theirs = (energies(comparison, name, profile, window_s) for name in (way, than))
    found = {trade(one, other).told for one in ours for other in theirs}
    return found.pop() if len(found) == 1 else UNTOLD


def energies(comparison: Comparison, way: str, profile: str, window_s: float | None = None) -> list[Energy]:
    """Return the energy of every run of a way under a profile, while the machine is on: a window, or the run itself."""
    runs = [run for run in comparison.runs_of(way) if run.wall_s is not None]
    own = [costing.energy(run, profile).energy for run in runs]
    if window_s is None:
        return own
    return [
        replace(found, idle_j=profile_named(profile).idle_w * (run.cores or 1) * window_s)
        for run, found in zip(runs, own, strict=True)
    ]


def window_of(comparison: Comparison) -> float:
    """Return a window in which every run of a comparison is done: the longest wall time, in seconds."""
    return max(run.wall_s or 0.0 for run in comparison.runs)


def reversed_pairs(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Return the differences that can be told under one profile, and as the opposite under another.

    There can be none: the bands of these profiles are so wide that some set of coefficients is in both, up to a factor.
    """
    pairs = list(combinations(comparison.strategies, 2))
    found = {(*pair, profile): told(comparison, *pair, profile) for pair in pairs for profile in PROFILES}
    return [
        (*pair, one, other)
        for pair in pairs
        for one, other in permutations(PROFILES, 2)
        if (found[*pair, one], found[*pair, other]) == (LESS, MORE)
    ]


def ranking(comparison: Comparison, profile: str) -> tuple[str, ...]:
    """Return the ways by median energy under a profile, the least first; what cannot be told is ranked all the same."""
    again = costed(comparison, profile)
    return tuple(sorted(comparison.strategies, key=lambda way: joules(again, way)))


# power against speed


def even_speed(run: StrategyRun, profile: str, than: str) -> float | None:
    """Return how fast a profile's cores must be, relative to those of `than`, for the run to need as much on either.

    None: it needs more however fast they are. With the speed s, what computes takes 1 / s of its time and of its
    CPU, so that the energy is a + b / s.
    """
    wanted_j = costing.energy(run, than).total_j
    slow, slower = costing.energy(run, profile).total_j, costing.energy(run, profile, speed_rel=0.5).total_j
    by_speed = slower - slow
    fixed = slow - by_speed
    return by_speed / (wanted_j - fixed) if wanted_j > fixed else None


def speeds(run: StrategyRun, than: str) -> Iterator[tuple[str, float | None]]:
    """Yield every other profile with the speed at which it is as frugal as `than`."""
    for profile in PROFILES:
        if profile != than:
            yield profile, even_speed(run, profile, than)


# what is said and not counted


def carbon_g(joules_: float, g_per_kwh: float = GRID_G_PER_KWH) -> float:
    """Return grams of CO2 equivalents of so many joules.

    >>> carbon_g(3_600_000.0, 400.0)
    400.0
    """
    return joules_ / KWH_J * g_per_kwh


def if_far(run: StrategyRun) -> tuple[float, str]:
    """Return the joules that an average allocation gives to a run's bytes if they leave the machine, and its source."""
    sent = sum(float(str(record.custom.get("loopback_bytes", 0))) for record in run.records)
    return CCF_NETWORK_J * sent, CCF
