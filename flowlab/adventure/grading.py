"""Grading: what notebooks that were run say of their exercises and quizzes.

Here: reading the lines that the checks print. Not here: the checks (`exercises`, `quizzes`), and running the notebooks
(`walks`). The invariant: a notebook counts as it is; nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowlab.errors import SettingError, require

EXERCISE = re.compile(r"^Exercise '(.+?)': (not attempted|not yet|right)", re.M)
QUIZ = re.compile(r"^Quiz '(.+?)': (?:(not attempted)|\d+ of (\d+) answered, (\d+) right)", re.M)


@dataclass(frozen=True, slots=True)
class Grade:
    """What one check of one notebook said.

    Attributes:
        file: The notebook's file, without `.ipynb`.
        task: The exercise or the quiz.
        state: "not attempted", "not yet" or "right"; for a quiz, "2 of 3" right.
    """

    file: str
    task: str
    state: str


def grades(folder: Path) -> tuple[Grade, ...]:
    """Return what the checks said in all notebooks of a folder, which were run before.

    Raises:
        SettingError: There are no notebooks in it.
    """
    nbformat = require("nbformat", extra="notebooks", why="to read notebooks")
    files = sorted(folder.glob("*.ipynb"))
    if not files:
        raise SettingError(f"there are no notebooks in {folder}: run some with `flowlab notebooks run --out {folder}`")
    return tuple(grade for file in files for grade in _of(file.stem, nbformat.read(file, as_version=4)))


def _of(name: str, notebook: object) -> Iterator[Grade]:
    text = "\n".join(
        output.text
        for cell in notebook.cells  # type: ignore[attr-defined]
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("name") == "stdout"
    )
    for task, state in EXERCISE.findall(text):
        yield Grade(name, task, state)
    for task, none, count, right in QUIZ.findall(text):
        yield Grade(name, f"quiz {task}", none or f"{right} of {count}")
