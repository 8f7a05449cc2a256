"""What is handed in is graded by what its checks print."""

import subprocess
import sys

import nbformat
import pytest

from flowlab.adventure.exercises import check
from flowlab.adventure.grading import Grade, counted, grades
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
    assert "3 notebooks in the folder" in done.stdout
    assert (folder / "all.csv").read_text().splitlines()[:2] == ["notebook,task,state", "02-anna,ceiling,right"]


def test_an_empty_folder_is_an_error_that_says_how_to_fill_it(tmp_path):
    with pytest.raises(SettingError, match=r"no notebooks in .*flowlab notebooks run --out"):
        grades(tmp_path)


def write(path, *cells, **noted):
    """A notebook of cells (source, outputs), as a run with these notes leaves it, or by hand."""
    notebook = nbformat.v4.new_notebook(metadata={"flowlab": noted} if noted else {})
    notebook.cells = [
        nbformat.v4.new_code_cell(source, id=f"cell-{n}", outputs=outputs) for n, (source, outputs) in enumerate(cells)
    ]
    nbformat.write(notebook, path)


BEGIN = 'trip = adventure.begin("02_login_crawl_parse", globals())'
ERROR = [nbformat.v4.new_output("error", ename="NameError", evalue="x", traceback=[])]


def test_every_notebook_has_a_row_for_each_check_also_where_none_has_spoken(tmp_path):
    said = [nbformat.v4.new_output("stream", text=check("ceiling", ceiling))]
    write(tmp_path / "a.ipynb", (BEGIN, []), ("x", ERROR), ("check", []))
    write(tmp_path / "b.ipynb", (BEGIN, []), ("check", said), run="today", state="failed in quiz")
    write(tmp_path / "c.ipynb", (BEGIN, []), ("check", said), run="today", state="right")
    write(tmp_path / "d.ipynb", (BEGIN, []))
    write(tmp_path / "e.ipynb", ("1", []), run="today", state="right")
    (tmp_path / "f.ipynb").write_text("{")
    assert [(each.file, each.task, each.state) for each in grades(tmp_path)] == [
        ("a", "the run", "failed in cell-1"),
        ("a", "ceiling", "not reached"),
        ("a", "quiz measure", "not reached"),
        ("b", "the run", "failed in quiz"),
        ("b", "ceiling", "right"),
        ("b", "quiz measure", "not reached"),
        ("c", "ceiling", "right"),
        ("c", "quiz measure", "its check is missing"),
        ("d", "the run", "not run"),
        ("d", "ceiling", "not reached"),
        ("d", "quiz measure", "not reached"),
        ("e", "the run", "no notebook of the series"),
        ("f", "the run", "cannot be read as a notebook (NotJSONError)"),
    ]


def test_it_is_said_which_runs_are_counted(tmp_path):
    write(tmp_path / "anna.ipynb", (BEGIN, []), run="2026-03-02 10:00", state="right")
    assert counted(grades(tmp_path)) == "1 notebook in the folder: 1 of the run of 2026-03-02 10:00."
    write(tmp_path / "bert.ipynb", (BEGIN, []), run="2026-02-23 10:00", state="right")
    said = counted(grades(tmp_path))
    assert "2 notebooks in the folder: 1 of the run of 2026-03-02 10:00, 1 of the run of 2026-02-23 10:00. All" in said
    assert "an empty folder with --out" in said
