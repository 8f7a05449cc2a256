"""Grading: what notebooks that were run say of their exercises and quizzes.

Here: reading the lines that the checks print, and where a run ended before them. Not here: the checks (`exercises`,
`quizzes`), and running the notebooks (`walks`). The invariant: a notebook counts as it is, nothing is run; every
notebook has a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowlab.adventure.copies import chapter_of
from flowlab.adventure.series import PLACES
from flowlab.errors import SettingError, require

EXERCISE = re.compile(r"^Exercise '(.+?)': (not attempted|not yet|right)", re.M)
QUIZ = re.compile(r"^Quiz '(.+?)': (?:(not attempted)|\d+ of (\d+) answered, (\d+) right)", re.M)


RUN = "the run"
"""The task whose state says how a notebook's run ended, if not well."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What one check of one notebook said, or why it said nothing.

    Attributes:
        file: The notebook's file, without `.ipynb`.
        task: The exercise or the quiz, or "the run" for how that ended, if not well.
        state: "not attempted", "not yet" or "right"; for a quiz, "2 of 3" right; for what no check has said, "not
            reached" or "its check is missing".
        run: When the run began that wrote the file, or "" if that is not known.
    """

    file: str
    task: str
    state: str
    run: str = field(default="", compare=False)


def grades(folder: Path) -> tuple[Grade, ...]:
    """Return what the checks said in all notebooks of a folder, which were run before.

    Raises:
        SettingError: There are no notebooks in it.
    """
    files = sorted(folder.glob("*.ipynb"))
    if not files:
        raise SettingError(f"there are no notebooks in {folder}: run some with `flowlab notebooks run --out {folder}`")
    return tuple(grade for file in files for grade in _read(file))


def counted(found: Sequence[Grade]) -> str:
    """Return in one sentence how many notebooks the grades are of, and by which runs they were written."""
    runs = Counter(run for _, run in {(each.file, each.run) for each in found})
    parts = [f"{n} of the run of {run}" if run else f"{n} of an unknown run" for run, n in sorted(runs.items())[::-1]]
    total = sum(runs.values())
    said = f"{total} notebook{'s' * (total != 1)} in the folder: {', '.join(parts)}."
    if len(runs) > 1:
        said += " All of them are counted; for those of one run only, give that run an empty folder with --out."
    return said


def _read(file: Path) -> Iterator[Grade]:
    nbformat = require("nbformat", extra="notebooks", why="to read notebooks")
    try:
        notebook = nbformat.read(file, as_version=4)
        said = dict(notebook.metadata.get("flowlab", {}))
    except Exception as error:  # whatever is wrong with one file, the others have their grades
        yield Grade(file.stem, RUN, f"cannot be read as a notebook ({type(error).__name__})")
        return
    for grade in _of(file.stem, notebook.cells, said.get("state", "")):
        yield replace(grade, run=said.get("run", ""))


def _of(name: str, cells: Sequence[Any], state: str) -> Iterator[Grade]:
    code = [cell for cell in cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    text = "\n".join(output.text for output in outputs if output.get("name") == "stdout")
    ended = _ended(code, state)
    if ended:
        yield Grade(name, RUN, ended)
    done = {}
    for task, result in EXERCISE.findall(text):
        done[task] = result
    for task, none, count, right in QUIZ.findall(text):
        done[f"quiz {task}"] = none or f"{right} of {count}"
    chapter = chapter_of(cells, name)
    wanted = (
        [*chapter.exercises, *(f"quiz {q}" for q, place in PLACES.items() if place == chapter.name)] if chapter else []
    )
    missing = "not reached" if ended else "its check is missing"
    for task in dict.fromkeys([*wanted, *done]):
        yield Grade(name, task, done.get(task, missing))
    if not (chapter or done or ended):
        yield Grade(name, RUN, "no notebook of the series")


def _ended(code: Sequence[Any], state: str) -> str:
    """Return how the run ended if not well: as the run has noted it, else as the cells show it."""
    if state:
        return "" if state == "right" else state
    for cell in code:
        stopped = cell.metadata.get("papermill", {}).get("exception")
        meant = "raises-exception" in cell.metadata.get("tags", [])
        if stopped or (not meant and any(output.output_type == "error" for output in cell.outputs)):
            return f"failed in {cell.get('id') or 'a cell'}"
    ran = any(cell.execution_count is not None or cell.outputs for cell in code)
    return "" if ran else "not run"
