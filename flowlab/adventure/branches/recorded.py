"""Recorded data: what every branch of a notebook gave once, for readers whose journal is still empty.

Here: the data's one reader, and a branch set beside its siblings. The data are `recorded/NOTEBOOK.json`; `recording`
made them. The invariant: nothing recorded is shown without saying so, and on which machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from flowlab.adventure.journals import Entry, Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.trips import current
from flowlab.comparison.wording import number
from flowlab.errors import SettingError, require

LABEL = "recorded elsewhere"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one branch.

    Attributes:
        option: The branch.
        facts: Its outcome's facts.
        source: Where they are from, as a reader is told.
    """

    option: str
    facts: Mapping[str, Any]
    source: str


@cache
def recorded(notebook: str) -> Mapping[str, Any]:
    """Return what was recorded of a notebook: "where", and "branches" (option to facts).

    Raises:
        SettingError: Nothing was.
    """
    file = files("flowlab.adventure.branches") / "recorded" / f"{notebook}.json"
    if not file.is_file():
        command = f"python -m flowlab.adventure.branches.recording {notebook}"
        raise SettingError(f"nothing is recorded of notebook {notebook}: run {command}")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def recorded_notebooks() -> list[str]:
    """Return the notebooks of which something was recorded, in the order of the series."""
    folder = files("flowlab.adventure.branches") / "recorded"
    return sorted(each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json"))


def where(notebook: str) -> str:
    """Return the sentence that goes with a notebook's recorded data."""
    return f"{LABEL}: {recorded(notebook)['where']}"


def known(notebook: str, outcome: Outcome | None, journal: Journal) -> Iterator[Known]:
    """Yield every branch: the one taken now, the others as the journal has them, or else as recorded, labelled.

    Args:
        notebook: Which one.
        outcome: What came of the branch taken in it now; None if it is another notebook than the one under way.
        journal: The reader's.
    """
    taken = journal.entries("result", notebook, outcome.key if outcome else None)
    for option, facts in recorded(notebook)["branches"].items():
        entry = next((e for e in reversed(taken) if e.value == option and e.facts.get("summary")), None)
        if outcome and option == outcome.option:
            yield Known(option, outcome.facts, "measured just now")
        elif entry:
            yield Known(option, entry.facts["summary"], f"your journal, {entry.at[:16]}, scale {_scale(entry)}")
        else:
            yield Known(option, facts, LABEL)


def side_by_side(outcome: Outcome) -> Any:
    """Return every branch's facts as a pandas frame, one row for every way that a branch compares.

    What is not of this machine is labelled in the column "where from"; where it is from is printed above the frame.

    Args:
        outcome: What came of the branch taken in the notebook under way.
    """
    pandas = require("pandas", extra="demo", why="to show the branches as a table")
    trip = current()
    found = list(known(trip.chapter.name, outcome, trip.journal))
    if any(each.source == LABEL for each in found):
        print(where(trip.chapter.name))
    rows = [
        {
            outcome.key: each.option,
            "way": way,
            **_shown(figures),
            "where from": each.source,
        }
        for each in found
        for way, figures in each.facts.items()
    ]
    table = pandas.DataFrame(rows).astype(object)
    table = table.where(table.notna(), "")
    return table[[*(name for name in table.columns if name != "where from"), "where from"]]


def _scale(entry: Entry) -> str:
    return str(entry.facts.get("parameters", {}).get("scale", "unknown"))


def _shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as a reader wants them: bytes as MB, and each median with its range in one cell.

    >>> _shown({"n": 3, "wall_s": 1.5, "wall_low_s": 1.25, "wall_high_s": 2.0, "peak_bytes": 46_412_345})
    {'n': 3, 'wall_s': '1.5 (1.25 to 2)', 'peak_mb': 46.4}
    """
    shown: dict[str, Any] = {}
    for name, value in figures.items():
        what, _, unit = name.rpartition("_")
        low, high = (figures.get(f"{what}_{side}_{unit}") for side in ("low", "high"))
        if "_low_" in name or "_high_" in name or value is None:
            continue
        if unit == "bytes":
            shown[f"{what}_mb"] = float(f"{value / 1e6:.3g}")
        elif low is not None and high is not None and low != high:  # one run has no range
            shown[name] = f"{number(value)} ({number(low)} to {number(high)})"
        else:
            shown[name] = float(f"{value:.4g}") if isinstance(value, float) else value
    return shown
