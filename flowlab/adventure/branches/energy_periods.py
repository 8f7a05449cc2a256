"""A period to get work done in: raced through and then idle, or paced so that it is just done at the end.

Here: the two ways, run for real on pages of the survey, and their energy over the same window. Not here: the model
(`metrics`). The invariant: every repeat is costed over one and the same window, and its rows add up to the model's
estimate of the whole window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from flowlab.adventure.branches.strips import Strip
from flowlab.comparison.wording import number
from flowlab.machine import Machine
from flowlab.metrics.power import Energy, estimate, profile_named

RACE, PACE = "race, then idle", "pace"
SLEEPS = "race, then asleep"


@dataclass(frozen=True, slots=True)
class Stint:
    """One repeat: the CPU seconds it took, and when its last piece of work was done."""

    way: str
    cpu_s: float
    done_s: float


@dataclass(frozen=True, slots=True)
class Periods:
    """What came of racing and pacing.

    Attributes:
        window_s: How long every repeat is looked at: the period, or until the slowest was done.
        cores: Cores that idle when they do not work.
        stints: Every repeat.
        found: What the work found, by way.
    """

    window_s: float
    cores: int
    stints: tuple[Stint, ...]
    found: Mapping[str, Any]

    def of(self, way: str) -> tuple[Stint, ...]:
        """Return the repeats of a way."""
        return tuple(stint for stint in self.stints if stint.way == way)

    def rows(self, stint: Stint, profile: str) -> dict[str, float]:
        """Return where the energy of the window went, in joules."""
        idle_w = profile_named(profile).idle_w * self.cores
        return {
            "work": profile_named(profile).dynamic_w * stint.cpu_s,
            "idle until done": idle_w * stint.done_s,
            "idle afterwards": idle_w * (self.window_s - stint.done_s),
        }

    def whole(self, stint: Stint, profile: str) -> Energy:
        """Return the model's estimate of the whole window; the pages' memory is the same in all, and left out."""
        return estimate(stint.cpu_s, self.window_s, 0, cores=self.cores, profile=profile)

    def closes(self, profile: str) -> bool:
        """Return whether the rows of every repeat add up to its whole, to a billionth."""
        pairs = [(sum(self.rows(each, profile).values()), self.whole(each, profile).total_j) for each in self.stints]
        return all(abs(rows_j - whole_j) <= 1e-9 * whole_j for rows_j, whole_j in pairs)

    def joules(self, way: str, profile: str) -> list[float]:
        """Return the energy of every repeat; asleep, a machine is taken to draw nothing once the race is over."""
        if way == SLEEPS:
            return [r["work"] + r["idle until done"] for r in (self.rows(s, profile) for s in self.of(RACE))]
        return [self.whole(stint, profile).total_j for stint in self.of(way)]

    def ratio(self, way: str, than: str, profile: str) -> float:
        """Return how many times the energy of another way a way needs, median against median."""
        return median(self.joules(way, profile)) / median(self.joules(than, profile))

    @property
    def noise(self) -> float:
        """By what factor the same work differs: in CPU time, raced or paced, or in how long racing took."""
        each_way = [[stint.cpu_s for stint in self.stints], [stint.done_s for stint in self.of(RACE)]]
        return max(max(found) / min(found) for found in each_way)

    def dots(self, profile: str) -> Strip:
        """Return the energy of every repeat of every way."""
        band = profile_named(profile).uncertainty_rel
        title = f"energy of the same window (estimate as {profile}, give or take {band:.0%})"
        return Strip(title, "J", {way: self.joules(way, profile) for way in (RACE, PACE, SLEEPS)})

    def said(self, profile: str) -> str:
        """Return the CPU time and the idle share of each way, in a sentence."""
        shares = []
        for way in (RACE, PACE):
            rows = [self.rows(stint, profile) for stint in self.of(way)]
            share = median((r["idle until done"] + r["idle afterwards"]) / sum(r.values()) for r in rows)
            done, cpu = (median(getattr(each, figure) for each in self.of(way)) for figure in ("done_s", "cpu_s"))
            spent = f"{number(1000 * cpu)} ms of CPU time, idle power is {share:.0%} of the energy"
            shares.append(f"{way}: done after {number(1000 * done)} ms, {spent}")
        model, n = profile_named(profile), len(self.of(RACE))
        return (
            f"A window of {number(1000 * self.window_s)} ms. {'; '.join(shares)} (medians, n = {n}; an estimate, "
            f"{model.method}, {model.name}, give or take {model.uncertainty_rel:.0%})."
        )


def periods(work: Callable[[Any], Any], items: Sequence[Any], stretch: float, repeats: int) -> Periods:
    """Race and pace through the same work in turn, and return what it took.

    Args:
        work: What is done with an item.
        items: In the order in which they are done.
        stretch: How long the period is, in times what racing takes.
        repeats: How often each way is run, after once for nothing.
    """
    _stint(RACE, work, items, 0.0)
    period_s = stretch * _stint(RACE, work, items, 0.0)[0].done_s
    made = [_stint(way, work, items, period_s) for _ in range(repeats) for way in (RACE, PACE)]
    stints = tuple(stint for stint, _ in made)
    window_s = max(period_s, *(stint.done_s for stint in stints))
    return Periods(window_s, Machine.detect().cores, stints, {stint.way: found for stint, found in made})


def _stint(way: str, work: Callable[[Any], Any], items: Sequence[Any], period_s: float) -> tuple[Stint, list[Any]]:
    """Do all items, each as soon as the one before is done, or each when its share of the period begins."""
    began, cpu_ns = time.monotonic(), time.thread_time_ns()
    found = []
    for place, item in enumerate(items):
        if way == PACE:
            _wait_until(began + period_s * place / len(items))
        found.append(work(item))
    done_s = time.monotonic() - began
    _wait_until(began + period_s)
    return Stint(way, (time.thread_time_ns() - cpu_ns) / 1e9, done_s), found


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def answer(ratio: float) -> str:
    """Return which answer is right, given how many times racing's energy pacing needs: race, same or pace."""
    return "race" if ratio > 1.1 else "pace" if ratio < 1 / 1.1 else "same"
