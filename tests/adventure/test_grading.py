"""What is handed in is graded by what its checks print."""

import subprocess
import sys

import nbformat
import pytest

from flowlab.adventure.exercises import check
from flowlab.adventure.grading import Grade, grades
from flowlab.adventure.quizzes import Quiz
from flowlab.adventure.series import QUIZZES
from flowlab.errors import SettingError


def ceiling(share, times=None):
    """Right."""
    return 1 / (1 - share + (0 if times is None else share / times))


def quizzed(*answers):
    return Quiz("measure", QUIZZES["measure"], list(answers)).line


@pytest.fixture
def folder(tmp_path):
    printed = {
        "02-anna": [check("ceiling", ceiling), quizzed("b", "c", "a")],
        "02-bert": [check("ceiling", lambda share: 1), quizzed(None, None, None)],
        "02-carl": [check("ceiling", lambda *_: ...)],
    }
    for name, lines in printed.items():
        cell = nbformat.v4.new_code_cell("...", outputs=[nbformat.v4.new_output("stream", text="\n".join(lines))])
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Hi"), cell]), tmp_path / f"{name}.ipynb"
        )
    return tmp_path


def test_every_check_that_was_printed_is_a_grade(folder):
    assert grades(folder) == (
        Grade("02-anna", "ceiling", "right"),
        Grade("02-anna", "quiz measure", "2 of 3"),
        Grade("02-bert", "ceiling", "not yet"),
        Grade("02-bert", "quiz measure", "not attempted"),
        Grade("02-carl", "ceiling", "not attempted"),
    )


def test_the_command_prints_them_and_writes_a_file(folder):
    command = [
        sys.executable,
        "-m",
        "flowlab.cli",
        "notebooks",
        "grades",
        str(folder),
        "--csv",
        str(folder / "all.csv"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "02-anna" in done.stdout and "2 of 3" in done.stdout
    assert (folder / "all.csv").read_text().splitlines()[:2] == ["notebook,task,state", "02-anna,ceiling,right"]


def test_an_empty_folder_is_an_error_that_says_how_to_fill_it(tmp_path):
    with pytest.raises(SettingError, match=r"no notebooks in .*flowlab notebooks run --out"):
        grades(tmp_path)
