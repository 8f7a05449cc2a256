"""Notebook 01's branches: the same steps of the survey under a clock, with CPU time as well, and under everything.

Here: the steps, what each probe sees of them, and what it costs. Not here: the laboratory (`measuring`). The invariant:
measured or not, the steps find the same; what a probe cannot see is None.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isnan
from statistics import median
from typing import Any

from flowlab.adventure.branches.races import Race, race
from flowlab.adventure.branches.strips import Strip
from flowlab.adventure.outcomes import Outcome, Progress
from flowlab.errors import require
from flowlab.metrics import Record, Recorder

COUNTRIES = ("IS", "NO")
STEPS = ("download", "parse", "download", "check", "compute")
UNMEASURED = "nothing"
COLUMNS = ("wall ms", "CPU ms", "waiting for a core ms", "blocked ms", "peak MB")


@dataclass(frozen=True, slots=True)
class Probed:
    """The same steps with a probe and without.

    Attributes:
        probe: The branch.
        race: What it took, by way: nothing and the probe.
        records: What the probe saw, in its last run; fields that it does not fill are None.
    """

    probe: str
    race: Race
    records: tuple[Record, ...]

    @property
    def cost(self) -> float:
        """How many times as long the steps take under the probe."""
        return self.race.ratio(self.probe, UNMEASURED)

    @property
    def strip(self) -> Strip:
        """Every repeat as a dot."""
        return self.race.strip

    def table(self) -> Any:
        """Return what the probe saw as a pandas frame: a row a step, medians of its calls; None is not seen."""
        pandas = require("pandas", extra="demo", why="to show what a probe saw")
        steps = tuple(dict.fromkeys(record.operation for record in self.records))
        return pandas.DataFrame([self._row(step) for step in steps]).astype(object).where(lambda f: f.notna(), "–")

    def _row(self, step: str) -> dict[str, Any]:
        calls = [record for record in self.records if record.operation == step]
        values = (
            _middle([r.wall_ns for r in calls], 1e6),
            _middle([r.cpu_ns for r in calls], 1e6),
            _middle([r.runqueue_ns for r in calls], 1e6),
            _middle([r.blocked_ns for r in calls], 1e6),
            _middle([r.mem_peak_bytes for r in calls], 1e6),
        )
        return {"step": step, "calls": len(calls), **dict(zip(COLUMNS, values, strict=True))}

    def share(self, step: str, field: str) -> float:
        """Return what share of a step's wall time one of its times is, all its calls together; nan is not seen."""
        calls = [record for record in self.records if record.operation == step]
        values = [getattr(record, field) for record in calls]
        wall_ns = sum(record.wall_ns or 0 for record in calls)
        return float("nan") if None in values or not wall_ns else sum(values) / wall_ns

    def _repr_html_(self) -> str:
        return str(self.table().to_html(index=False))


def _middle(values: Sequence[int | None], unit: float) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known) / unit, 2) if known else None


def clock(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Put a clock around every step."""
    return _probed("clock", settings, progress, site, _clocked)


def cpu(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Read the CPU time of every step as well: level time."""
    return _probed("cpu", settings, progress, site, lambda steps: _recorded(steps, Recorder(level="time")))


def everything(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Read all there is: level full, and every allocation of Python's."""
    return _probed(
        "everything", settings, progress, site,
        lambda steps: _recorded(steps, Recorder(level="full", trace_memory=True)),
    )  # fmt: skip


Steps = Callable[[Callable[..., Any]], Any]
"""All steps for all countries; each step is made by the function given: `call(step, *arguments)`."""
Seen = tuple[Any, tuple[Record, ...]]


def _probed(
    option: str, settings: Mapping[str, Any], progress: Progress, site: Any, probe: Callable[[Steps], Seen]
) -> Outcome:
    from flowlab.workloads.loneliest import Settings
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.steps import log_in

    told = Settings(url=site.url, user=site.user, password=site.password, countries=COUNTRIES)
    repeats = settings["repeats"]
    done = 0

    def counted(way: Callable[[], Seen], name: str) -> Seen:
        nonlocal done
        progress(min(done, 2 * repeats + 1), 2 * repeats + 2, name)
        done += 1
        return way()

    with open_client(told) as client:
        log_in(client, told)
        steps = _steps(client)
        ran = race(
            {
                UNMEASURED: lambda: counted(lambda: _recorded(steps, Recorder(level="off")), UNMEASURED),
                option: lambda: counted(lambda: probe(steps), option),
            },
            repeats,
        )
    progress(done, done, "")
    (plain, _), (found, records) = ran.values[UNMEASURED], ran.values[option]
    if plain != found:
        raise AssertionError(f"the steps found something else under the probe {option!r}")
    return _outcome(Probed(option, ran, records), found)


def _steps(client: Any) -> Steps:
    from flowlab.workloads.loneliest.computing import check, compute, parse
    from flowlab.workloads.loneliest.steps import country_path, download

    def steps(call: Callable[..., Any]) -> list[Any]:
        findings = []
        for country in COUNTRIES:
            page = call(parse, call(download, client, country_path(country)))
            airports = call(check, page, call(download, client, page.csv_path), country)
            findings.append(call(compute, airports, "sorted"))
        return findings

    return steps


def _recorded(steps: Steps, recorder: Recorder) -> Seen:
    with recorder:
        found = steps(lambda step, *arguments: step(*arguments))
    return found, recorder.records


def _clocked(steps: Steps) -> Seen:
    seen: list[Record] = []

    def call(step: Callable[..., Any], *arguments: Any) -> Any:
        started_ns = time.perf_counter_ns()
        value = step(*arguments)
        seen.append(Record(operation=step.__name__, started_ns=started_ns, ended_ns=time.perf_counter_ns()))
        return value

    with Recorder(level="off"):
        return steps(call), tuple(seen)


def _outcome(probed: Probed, findings: Sequence[Any]) -> Outcome:
    digest = sha256(repr(findings).encode()).hexdigest()[:12]
    line = (
        f"probe {probed.probe!r}: {len(STEPS)} steps for each of {', '.join(COUNTRIES)}, with it and without; "
        f"all findings equal, digest {digest}."
    )
    walls = probed.race.walls_s
    facts = {
        way: {
            "n": len(walls[way]),
            "wall_s": probed.race.median_s(way),
            "wall_low_s": min(walls[way]),
            "wall_high_s": max(walls[way]),
            "times as long": probed.race.ratio(way, UNMEASURED),
        }
        for way in walls
    }
    sentence = f"{probed.strip.sentence()} With the probe the steps took {probed.cost:.2f} times as long."
    return Outcome("probe", probed.probe, line, sentence, probed, facts)


def claims(probed: Probed) -> tuple[tuple[str, float, float], ...]:
    """Return what is claimed of a branch: the sentence, the factor measured, and the least factor from demo on."""
    if probed.probe == "everything":
        found = [("watching every allocation is not free", probed.cost, 1.3)]
        waits = probed.share("download", "blocked_ns"), probed.share("parse", "blocked_ns")
        if not any(map(isnan, waits)):  # told on Linux alone
            found.append(("a download is blocked, a parse is not", waits[0] / max(waits[1], 0.01), 2.0))
        return tuple(found)
    cheap = (f"the steps take no longer with the probe {probed.probe}", 1 / probed.cost, 0.6)
    if probed.probe == "clock":
        return (cheap,)
    busy = probed.share("parse", "cpu_ns") / max(probed.share("download", "cpu_ns"), 0.01)
    return cheap, ("a parse has more of the CPU than a download", busy, 1.3)
