"""Notebooks are run by the dozen: what is wished for is found, one failure is one failure, nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from flowlab.adventure import copies, kernels
from flowlab.adventure.grading import Grade, grades
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
        (["nowhere/02_login_crawl_parse.ipynb"], {}, "no notebook 'nowhere/02_login_crawl_parse.ipynb'"),
        (["nowhere/*.ipynb"], {}, "no notebook matches 'nowhere/\\*.ipynb' in "),
        (["02"], {"branch": "fly"}, "none of these notebooks has a branch 'fly'.*download, parse, algorithm"),
        ([], {"scale": "huge"}, "no scale 'huge'. Scales: tiny, demo, class, large"),
    ],
    ids=["misspelt", "later", "no file", "a file's folder misspelt", "no match", "no branch", "no scale"],
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
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return str(path)

    return write


def test_a_copy_is_run_in_place_of_the_stored_notebook(handed_in):
    [copy] = walks([handed_in("02_login_crawl_parse-anna")], "parse", scale="tiny")
    assert copy.file.name == "02_login_crawl_parse-anna.ipynb"
    assert copy.parameters == {"path": "parse", "scale": "tiny"}


BEGIN = 'trip = adventure.begin("03_threads", globals())'


def test_a_copy_is_the_notebook_that_it_says_it_is_whatever_its_file_is_called(handed_in):
    for name in ("dora_123_assignsubmission_file", "02_login_crawl_parse-by-mistake"):
        [walk] = walks([handed_in(name, "# begin('02_login_crawl_parse')", f"import flowlab\n{BEGIN}")], scale="tiny")
        assert (walk.name, walk.parameters, walk.strange) == (name, {"scale": "tiny"}, False)
        assert len(walks([str(walk.source)], "all")) == len(CHAPTERS["03_threads"].decision.options)
    [by_name] = walks([handed_in("dora_00_start_here")], scale="tiny")
    assert by_name.parameters == {"scale": "tiny"}
    [strange] = walks([handed_in("something_else")], "parse", scale="tiny")
    assert (strange.parameters, strange.option, strange.strange) == ({}, "", True)


def test_a_copy_whose_notebook_lacks_the_branch_is_not_left_out(handed_in):
    of_02, of_03 = handed_in("02_login_crawl_parse-anna"), handed_in("bert", BEGIN)
    with pytest.raises(SettingError, match=r"bert.ipynb is notebook 03_threads, which has no branch 'parse'"):
        walks([of_02, of_03], "parse")


def test_copies_of_one_name_have_outputs_of_their_own(handed_in, tmp_path):
    alice, bob, carl = (handed_in(name) for name in ("alice/03_threads", "bob/03_Threads", "03_threads-carl"))
    found = walks([alice, bob, carl, alice])
    assert [walk.name for walk in found] == ["alice-03_threads", "bob-03_Threads", "03_threads-carl"]
    assert told(alice, "03") == [("alice-03_threads", ""), (f"{Path.cwd().name}-03_threads", "")]
    again = handed_in("late/alice/03_threads")
    with pytest.raises(
        SettingError, match=r"in/alice/03_threads.ipynb and .*late/alice/03_threads.ipynb would both be"
    ):
        walks([alice, again])


def test_a_pattern_that_no_shell_has_filled_in_is_filled_in(handed_in, monkeypatch):
    paths = [handed_in(f"class [1]/{name}", BEGIN) for name in ("anna", "bert")]
    (Path(paths[0]).parent / "notes.txt").touch()
    monkeypatch.chdir(Path(paths[0]).parent.parent)
    assert told("class*/*") == told(*paths) == [("anna", ""), ("bert", "")]
    assert told("class [1]/anna.ipynb") == [("anna", "")], "what is there is no pattern"


def test_a_copy_beside_the_stored_notebook_is_a_copy(handed_in, monkeypatch):
    stored, copy = handed_in("02_login_crawl_parse"), handed_in("02_login_crawl_parse-Copy1")
    monkeypatch.setattr(copies, "notebooks_folder", lambda: Path(stored).parent)
    assert [walk.source for walk in walks([stored, copy])] == [None, Path(copy)]


def test_a_copy_is_not_written_over(handed_in, tmp_path):
    with pytest.raises(SettingError, match=r"anna.ipynb would be written over: give another folder with --out"):
        all_walked(walks([handed_in("anna")]), tmp_path / "in", 1, lambda *_: None)


def test_a_file_that_is_no_notebook_fails_alone_and_is_graded_as_such(handed_in, tmp_path):
    path = Path(handed_in("02_login_crawl_parse-carl"))
    path.write_text("{")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / path.name).write_text("last week's")
    [carl] = all_walked(walks([str(path)]), tmp_path / "out", 1, lambda *_: None)
    assert (carl.state, carl.cells) == ("failed before its first cell", 0) and "NotJSONError" in carl.error
    assert grades(tmp_path / "out") == (
        Grade("02_login_crawl_parse-carl", "the run", "failed before its first cell"),
        Grade("02_login_crawl_parse-carl", "ceiling", "not reached"),
        Grade("02_login_crawl_parse-carl", "quiz measure", "not reached"),
    )


def test_what_never_ends_is_stopped_and_the_others_go_on(handed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "GRACE_S", 0.5)
    starts = (
        "import os, subprocess, sys\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "open(f'{NAME}.pids', 'w').write(f'{os.getpid()} {worker.pid}')"
    )
    endless = "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: "
    paths = [
        handed_in("loops", starts.replace("{NAME}", "loops"), endless + "raise"),
        handed_in("stubborn", starts.replace("{NAME}", "stubborn"), endless + "pass"),
        handed_in("works", "1 + 1"),
    ]
    out = tmp_path / "out"
    loops, stubborn, works = all_walked(walks(paths), out, 3, lambda *_: None, minutes=0.15)
    for each in (loops, stubborn):
        assert each.state == "did not end within 0.15 minutes: stopped in cell-1"
        assert each.source.startswith("while True") and "--timeout MINUTES gives it more" in each.error
        assert Grade(each.walk.name, "the run", each.state) in grades(out)
        pids = map(int, (out / f"{each.walk.name}.pids").read_text().split())
        assert [pid for pid in pids if runs(pid)] == []
    assert "KeyboardInterrupt" in loops.error, "it says where it was"
    assert works.right


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_no_time_at_all_is_refused(handed_in, tmp_path):
    with pytest.raises(SettingError, match="within 0 minutes: give --timeout more than 0"):
        all_walked(walks([handed_in("anna")]), tmp_path / "out", 1, lambda *_: None, minutes=0)


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
    assert "fails.ipynb is no notebook of the series" in error


def test_what_two_students_hand_in_under_one_name_is_run_and_graded_each(handed_in, tmp_path):
    begin = 'from flowlab import adventure\nadventure.begin("02_login_crawl_parse", globals())\nassert scale == "tiny"'
    solution = "def ceiling(share, times=None):\n    return 1 / (1 - share + (share / times if times else 0))"
    check = 'print(adventure.check("ceiling", ceiling))'
    quiz = 'quiz = adventure.quiz("measure", "b", None, None)'
    handed_in("alice/crawl", begin, solution, check, quiz)
    handed_in("bob/crawl", begin, "1 / 0", solution, check, quiz)
    process = run("in/*/*.ipynb", "--scale", "tiny", "--timeout", "2", "--out", "graded", cwd=tmp_path)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 1 and "1 of 2 right" in out, out + error
    assert grades(tmp_path / "graded") == (
        Grade("alice-crawl", "ceiling", "right"),
        Grade("alice-crawl", "quiz measure", "1 of 3"),
        Grade("bob-crawl", "the run", "failed in cell-1"),
        Grade("bob-crawl", "ceiling", "not reached"),
        Grade("bob-crawl", "quiz measure", "not reached"),
    )


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
