"""Recording: how the recorded data came about, and how to make them anew.

`python -m flowlab.adventure.branches.recording [NOTEBOOK...]` runs each notebook once a branch, with nobody there, and
keeps what its journal would keep. Not here: the branches. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowlab.adventure.chapters import Chapter
from flowlab.adventure.journals import Entry, Journal
from flowlab.adventure.series import CHAPTERS, chapter
from flowlab.adventure.walks import Walk, walked

SETTINGS: Mapping[str, Any] = {"repeats": 5}
FOLDER = Path(__file__).with_name("recorded")


def record(this: Chapter, settings: Mapping[str, Any] = SETTINGS) -> dict[str, Entry]:
    """Return, by option, the journal's entry of every branch of a notebook, taken here and now, at its own scale."""
    decision = this.decision
    found: dict[str, Entry] = {}
    if decision is None:
        return found
    for branch in decision.branches:
        with TemporaryDirectory(prefix="flowlab-") as temporary:
            journal = Path(temporary) / "journal.jsonl"
            given = {"scale": this.scale, "journal": str(journal), decision.parameter: branch.option, **settings}
            walked(Walk(this.name, given), Path(temporary) / "out.ipynb")
            entry = Journal(journal).last("result", this.name)
        if entry is None:
            raise AssertionError(f"{this.name} left no result of {branch.option} in its journal")
        found[branch.option] = entry
    return found


def text(found: Mapping[str, Entry]) -> str:
    """Return the text of a data file."""
    [where] = {f"{e.facts['machine']}, scale {e.facts['parameters']['scale']}" for e in found.values()}
    branches = {option: _rounded(entry.facts["summary"]) for option, entry in found.items()}
    return json.dumps({"where": where, "branches": branches}, indent=1, ensure_ascii=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(names: Sequence[str]) -> None:
    """Record the notebooks of these names, or all that are there."""
    for this in map(chapter, names or [each.name for each in CHAPTERS.values() if each.ready]):
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{this.name}.json").write_text(text(record(this)), "utf-8")
        print(f"{this.name}: {', '.join(this.decision.options if this.decision else ())}")


if __name__ == "__main__":
    main(sys.argv[1:])
