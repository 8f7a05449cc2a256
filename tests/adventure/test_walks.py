"""Notebooks are run by the dozen: what is wished for is found, one failure is one failure, nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from flowlab.adventure.series import CHAPTERS
from flowlab.adventure.walks import all_walked, walks
from flowlab.errors import SettingError

READY = [chapter for chapter in CHAPTERS.values() if chapter.ready]


def told(*names, **more):
    return [(walk.name, walk.option) for walk in walks(names, **more)]


@pytest.mark.parametrize("name", ["02", "02_login_crawl_parse", "notebooks/02_login_crawl_parse.ipynb"])
def test_a_notebook_is_named_by_number_name_or_file(name):
    assert told(name) == [("02_login_crawl_parse", "")]
    assert told(name, branch="all") == [("02_login_crawl_parse", o) for o in ("download", "parse", "algorithm")]
    [walk] = walks([name], "parse", scale="tiny", journal=None)
    assert walk.parameters == {"path": "parse", "scale": "tiny"}


def test_without_a_name_all_that_are_there_are_meant_and_a_branch_only_where_it_is():
    assert told() == [(chapter.name, "") for chapter in READY]
    assert told(branch="all") == [(chapter.name, option) for chapter in READY for option in chapter.decision.options]
    assert told(branch="algorithm") == [("02_login_crawl_parse", "algorithm")]


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (["02_log_in"], {}, r"no notebook '02_log_in' \(did you mean '02_login_crawl_parse'\?\).*00_start_here, "),
        (["14"], {}, "14_beyond_one_machine is not there yet. Notebooks: 00_start_here, "),
        (["elsewhere/my.ipynb"], {}, "no notebook 'elsewhere/my.ipynb'"),
        (["02"], {"branch": "fly"}, "none of these notebooks has a branch 'fly'.*download, parse, algorithm"),
        ([], {"scale": "huge"}, "no scale 'huge'. Scales: tiny, demo, class, large"),
    ],
    ids=["misspelt", "later", "no file", "no branch", "no scale"],
)
def test_what_is_not_there_is_refused_with_what_is(names, more, said):
    with pytest.raises(SettingError, match=said):
        walks(names, **more)


@pytest.fixture
def handed_in(tmp_path, monkeypatch):
    """A function that writes a notebook of these cells and returns its path; Jupyter keeps to the temporary folder."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def write(name, *sources):
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        notebook.cells = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
        path = tmp_path / "in" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return str(path)

    return write


def test_a_copy_is_run_in_place_of_the_stored_notebook(handed_in):
    [copy] = walks([handed_in("02_login_crawl_parse-anna")], "parse", scale="tiny")
    assert copy.file.name == "02_login_crawl_parse-anna.ipynb"
    assert copy.parameters == {"path": "parse", "scale": "tiny"}
    [own] = walks([handed_in("something_else")], scale="tiny")
    assert own.parameters == {}


def test_a_cell_that_fails_is_shown_and_stops_no_other_notebook(handed_in, tmp_path):
    paths = [
        handed_in("fails", "value = 1", "value / 0", "value = 2"),
        handed_in("dies", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
        handed_in("works", "from pathlib import Path\nPath('here').touch()"),
    ]
    said = []
    fails, dies, works = all_walked(walks(paths), tmp_path / "out", 3, lambda *now: said.append(now))
    assert (fails.right, fails.cell, fails.source, fails.cells) == (False, "cell-1", "value / 0", 2)
    assert "ZeroDivisionError: division by zero" in fails.error and "\x1b" not in fails.error
    assert not dies.right and "Kernel died" in dies.error
    assert works.right and works.cells == 1
    assert (tmp_path / "out" / "here").exists(), "a notebook stands in the folder of what it gives"
    assert [done for done, *_ in said] == sorted(done for done, *_ in said)
    assert said[-1] == (3, 3, "")
    assert all(walked.out.is_file() for walked in (fails, dies, works))


def run(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "flowlab.cli", "notebooks", "run", *arguments],
        cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_the_command_fails_and_shows_the_cell_with_its_error(handed_in, tmp_path):
    process = run(handed_in("fails", "numbers = [1, 2]", "sum(numbers) / 0"), "--out", str(tmp_path), cwd=tmp_path)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "failed in cell-1" in out and "0 of 1 right" in out
    assert "sum(numbers) / 0" in error and "ZeroDivisionError" in error


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal are POSIX's")
def test_ctrl_c_leaves_no_kernel(handed_in, tmp_path):
    waits = "import os, threading\nopen(beat, 'w').write(str(os.getpid()))\nthreading.Event().wait(300)"
    beat = tmp_path / "beat"
    os.mkfifo(beat)
    process = run(handed_in("waits", f"beat = {str(beat)!r}", waits), "--out", str(tmp_path), cwd=tmp_path)
    kernel = psutil.Process(int(Path(beat).read_text()))  # blocks until the kernel writes
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in error
    assert psutil.wait_procs([kernel], timeout=20)[1] == []
