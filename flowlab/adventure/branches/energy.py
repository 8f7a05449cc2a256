"""Notebook 10's branches: the survey by a server, a desktop and an edge machine, each as far from its site as such are.

Here: the experiments, what is claimed of them, and how they are shown. Not here: what a run costs (`energy_costs`), and
the period that is raced or paced through (`energy_periods`). The invariant: a branch runs the survey for real, and all
its reports are equal; only the watts are a table's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from textwrap import fill
from typing import Any

from flowlab.adventure.branches.energy_costs import (
    LESS,
    MORE,
    PROFILES,
    SERIAL,
    costed,
    energies,
    idle_j,
    over,
    ranking,
    told,
    window_of,
)
from flowlab.adventure.branches.surveys import Ways, factor, surveyed
from flowlab.adventure.outcomes import WIDTH, Outcome, Progress
from flowlab.comparison import Comparison, StrategyRun
from flowlab.comparison.wording import number
from flowlab.errors import require
from flowlab.metrics import costing
from flowlab.metrics.costing import Balance
from flowlab.metrics.power import profile_named

LATENCY_MS = {"server": 2.0, "edge": 200.0}
"""How far the site is from such a machine: in the same building, beyond a mobile network; a desktop's is a setting."""

DO_LESS, PROCESSES, DATAFLOW = "do less", "processes", "dataflow"
WAYS: Ways = {
    SERIAL: ("serial", {}),
    "asyncio": ("asyncio", {}),
    PROCESSES: ("processes", {}),
    DATAFLOW: ("dataflow", {}),
    DO_LESS: ("asyncio", {"parser": "stdlib", "compute": "sorted"}),
}

Claims = tuple[tuple[str, Callable[[Comparison], float], float], ...]

EVERYWHERE: Claims = (
    ("doing less needs less", lambda c: over(c, SERIAL, DO_LESS), 1.4),
    ("the same work in processes takes more CPU", lambda c: factor(c, PROCESSES, "cpu_s"), 1.15),
)
CLAIMS: Mapping[str, Claims] = {
    "server": EVERYWHERE,
    "desktop": EVERYWHERE,
    "edge": (
        *EVERYWHERE,
        ("so does a dataflow with workers", lambda c: factor(c, DATAFLOW, "cpu_s"), 1.15),
        ("which is faster, all the same, than one thing at a time", lambda c: factor(c, DATAFLOW, "wall_s"), 1.2),
        ("one thing at a time idles longer than one loop", lambda c: idle_j(c, SERIAL) / idle_j(c, "asyncio"), 1.3),
    ),
}
"""By branch: what is claimed, of which figure, and the least factor from demo on."""


def server(settings: Mapping[str, Any], progress: Progress) -> Outcome:
    """Survey a site in the same building, costed as a server."""
    return _as_machine("server", settings, progress)


def desktop(settings: Mapping[str, Any], progress: Progress) -> Outcome:
    """Survey a site across the internet, costed as a desktop."""
    return _as_machine("desktop", settings, progress)


def edge(settings: Mapping[str, Any], progress: Progress) -> Outcome:
    """Survey a site beyond a mobile network, costed as a single-board computer at the edge."""
    return _as_machine("edge", settings, progress)


def _as_machine(option: str, settings: Mapping[str, Any], progress: Progress) -> Outcome:
    from flowlab.workloads import loneliest

    latency_ms = LATENCY_MS.get(option, settings["latency_ms"])
    with loneliest.site(latency_ms=latency_ms, seed=settings["seed"]) as site:
        found = surveyed("profile", option, WAYS, settings, progress, site)
    comparison = costed(found.value, option)
    line = f"{found.line} The site waits {latency_ms:g} ms."
    return Outcome("profile", option, line, comparison.sentence, comparison, facts(comparison))


def facts(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return what the journal keeps: by way, time, CPU, energy with its band, and whether it is told from serial."""
    kept = ("n", "wall_s", "wall_low_s", "wall_high_s", "cpu_s", "energy_j", "energy_low_j", "energy_high_j")
    profile = next(run.energy.profile for run in comparison.runs if run.energy)
    return {
        str(row["strategy"]): {name: row[name] for name in kept}
        | {"than serial": "" if row["strategy"] == SERIAL else told(comparison, str(row["strategy"]), SERIAL, profile)}
        for row in comparison.strategy_rows()
    }


def fastest(comparison: Comparison) -> str:
    """Return the strategy that is fastest, median against median; doing less does not compete."""
    walls = {way: comparison.spread(way, "wall_s") for way in comparison.strategies if way != DO_LESS}
    return min(walls, key=lambda way: spread.median if (spread := walls[way]) else float("inf"))


def largest(found: Balance) -> str:
    """Return which part of a run's energy is largest: cores, idle or memory."""
    parts = {"cores": found.energy.dynamic_j, "idle": found.idle_j, "memory": found.ram_j}
    return max(parts, key=lambda name: parts[name])


def is_frugal(comparison: Comparison, profile: str) -> str:
    """Return whether the fastest strategy needs the least energy: yes (less than all), no (more than one) or untold."""
    best = fastest(comparison)
    found = [told(comparison, best, way, profile) for way in comparison.strategies if way not in (best, DO_LESS)]
    return "no" if MORE in found else "yes" if set(found) == {LESS} else "untold"


def ranks(comparison: Comparison) -> str:
    """Return whether the ways come in the same order under all profiles."""
    return "same" if len({ranking(comparison, profile) for profile in PROFILES}) == 1 else "changes"


def coefficients() -> Any:
    """Return the profiles as a pandas frame; their sources are a list of its own."""
    pandas = require("pandas", extra="demo", why="to show the coefficients as a table")
    rows = [
        {
            "profile": each.name, "idle [W a core]": round(each.idle_w, 3), "full [W a core]": round(each.max_w, 3),
            "busy adds [W]": round(each.dynamic_w, 3), "memory [W a GB]": each.ram_w_per_gb,
            "band": f"+-{each.uncertainty_rel:.0%}", "method": each.method,
        }
        for each in map(profile_named, PROFILES)
    ]  # fmt: skip
    return pandas.DataFrame(rows)


def sources() -> str:
    """Return where each profile's numbers are from, a paragraph each."""
    said = (f"{name}: {profile_named(name).source}." for name in PROFILES)
    return "\n".join(fill(text, WIDTH, subsequent_indent="  ", break_long_words=False) for text in said)


def rows(comparison: Comparison, ways: Sequence[str], profile: str) -> Any:
    """Return where the energy went of the run of median wall time of each way, and what others used meanwhile.

    Returns:
        A pandas frame, a row a row of the balance, in joules with the band; None stands for what is not known.
    """
    pandas = require("pandas", extra="demo", why="to show the rows as a table")
    band = profile_named(profile).uncertainty_rel
    columns = {}
    for way in ways:
        run = comparison.best(way)
        found = costing.energy(run, profile)
        own = {("this run", name): j for name, j in found.rows.items() if name != "other processes"}
        site_j, others_j = _beside(comparison, run, profile)
        beside = {("not this run", "the site"): site_j, ("not this run", "other processes"): others_j}
        told_j = own | {("this run", "sum"): found.total_j} | beside
        columns[f"{way} [J]"] = {row: _banded(joule, band) for row, joule in told_j.items()}
    frame = pandas.DataFrame(columns).rename_axis(["whose", "row"]).reset_index()
    return frame.where(frame.notna(), "")


def _banded(joules: float | None, band: float) -> str:
    if joules is None:
        return "not told"
    return f"{joules:.3f} ({joules * (1 - band):.3f} to {joules * (1 + band):.3f})"


def _beside(comparison: Comparison, run: StrategyRun, profile: str) -> tuple[float | None, float | None]:
    """Return the joules of the site, and of all other processes, while a run went on; None is not known."""
    used = [use.cpu_s for use in comparison.services if (use.strategy, use.repeat) == (run.strategy, run.repeat)]
    site_j = None if not used or used[0] is None else profile_named(profile).dynamic_w * used[0]
    others_j = costing.energy(run, profile).others_j
    return site_j, None if others_j is None else max(0.0, others_j - (site_j or 0.0))


def everywhere(comparison: Comparison) -> Any:
    """Return every way's energy under every profile as a frame, with whether it can be told from serial's."""
    return _table(comparison, {profile: (profile, None) for profile in PROFILES})


def switched_off_or_on(comparison: Comparison, profile: str) -> Any:
    """Return every way's energy if the machine is off once it is done, and if it stays on until the slowest is."""
    window_s = window_of(comparison)
    columns = {"off when done": (profile, None), f"on for {number(window_s)} s": (profile, window_s)}
    return _table(comparison, columns)


def _table(comparison: Comparison, columns: Mapping[str, tuple[str, float | None]]) -> Any:
    pandas = require("pandas", extra="demo", why="to show energies as a table")

    def cell(way: str, profile: str, window_s: float | None) -> str:
        verdict = "" if way == SERIAL else f", {told(comparison, way, SERIAL, profile, window_s)}"
        found = energies(comparison, way, profile, window_s)
        middle, low, high = (median(getattr(e, end) for e in found) for end in ("total_j", "low_j", "high_j"))
        return f"{number(middle)} J ({number(low)} to {number(high)}){verdict}"

    return pandas.DataFrame(
        [
            {"way": way} | {title: cell(way, *column) for title, column in columns.items()}
            for way in comparison.strategies
        ]
    )
