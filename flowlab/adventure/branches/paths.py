"""The reader's whole path, before and after: every branch of every notebook, the taken ones marked.

Here: which two ways of a branch are held against each other, read from the journal or the recorded data. Not here: the
drawing (`flowlab.plots.slopes`). The invariant: what was recorded elsewhere is never taken for the reader's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowlab.adventure.branches.recorded import LABEL, Known, known, recorded_notebooks, where
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.series import chapter
from flowlab.adventure.trips import current
from flowlab.machine import Machine
from flowlab.plots import Chart, slope
from flowlab.plots.slopes import CHOSEN, ELSEWHERE, OWN, End, Slope


def slopes(outcome: Outcome, column: str, *, theme: str = "light") -> Chart:
    """Return what every branch of every notebook took before and after, as far as it took such a thing.

    Args:
        outcome: What came of the branch taken in the notebook under way.
        column: The figure of the reader's goal: wall_s, peak_bytes or energy_j.
        theme: "light" or "dark".
    """
    trip = current()
    lines = list(_lines(trip.chapter.name, outcome, column, trip.journal))
    elsewhere = sorted({each.source for each in lines if each.known == ELSEWHERE})
    scale = trip.settings.get("scale", "unknown")
    told = [
        f"Yours: {Machine.detect().sentence()}, this notebook at scale {scale}.",
        *(f"{text[0].upper()}{text[1:]}." for text in elsewhere),
    ]
    return slope(lines, column, source=" ".join(told), theme=theme)


def _lines(under_way: str, outcome: Outcome, column: str, journal: Journal) -> Iterator[Slope]:
    for notebook in recorded_notebooks():
        now = outcome if notebook == under_way else None
        last = journal.last("choice", notebook)
        chosen = now.option if now else last.value if last else None
        for each in known(notebook, now, journal):
            if ends := before_after(each.facts, column):
                yield Slope(_title(notebook), each.option, *ends, _whose(each, chosen), _from(each, notebook))


def before_after(facts: Mapping[str, Mapping[str, Any]], column: str) -> tuple[End, End] | None:
    """Return a branch's first way, which the others are held against, and the best of the others; None if not known.

    >>> facts = {"serial": {"wall_s": 3.0}, "threads": {"wall_s": 2.0}, "asyncio": {"wall_s": 1.5}}
    >>> [end.way for end in before_after(facts, "wall_s")]
    ['serial', 'asyncio']
    """
    ends = [_end(way, row, column) for way, row in facts.items() if row.get(column) is not None]
    if len(ends) < 2 or ends[0].way != next(iter(facts)):
        return None
    return ends[0], min(ends[1:], key=lambda end: end.value)


def _end(way: str, row: Mapping[str, Any], column: str) -> End:
    what, _, unit = column.rpartition("_")
    return End(way, row[column], row.get(f"{what}_low_{unit}"), row.get(f"{what}_high_{unit}"), row.get("n"))


def _title(notebook: str) -> str:
    title = chapter(notebook).title
    return f"{notebook[:2]} {title[0].lower()}{title[1:]}"


def _whose(each: Known, chosen: str | None) -> str:
    if each.source == LABEL:
        return ELSEWHERE
    return CHOSEN if each.option == chosen else OWN


def _from(each: Known, notebook: str) -> str:
    return where(notebook) if each.source == LABEL else each.source
