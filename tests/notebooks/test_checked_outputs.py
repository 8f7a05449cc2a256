"""Nbval finds the stored outputs right, twice in a row, and every one of them wrong once it is changed."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from flowlab.adventure import notebooks_folder
from flowlab.adventure.storing import IGNORED

pytestmark = pytest.mark.timeout(900)  # all notebooks twice, in the first test's fixture


@pytest.fixture(scope="module")
def nbval(surroundings, tmp_path_factory):
    """A function that starts nbval on notebooks, in a pytest of its own that knows nothing of this one's settings."""

    def start(*paths):
        folder = tmp_path_factory.mktemp("nbval")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            os.devnull,
            "--rootdir",
            str(folder),
            "-p",
            "no:cacheprovider",
            "--nbval",
            "--nbval-cell-timeout",
            "120",
            "-q",
            "-rf",
            "--tb=line",
            *map(str, paths),
        ]
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def runs(nbval, tmp_path_factory):
    """Nbval on the notebooks as they are stored, and at the same time on copies with every checked output changed."""
    folder = tmp_path_factory.mktemp("changed")
    counts = {}
    for path in notebooks_folder().glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        counts[path.stem] = changed(notebook)
        nbformat.write(notebook, folder / path.name)
    started = nbval(*stored()), nbval(*sorted(folder.glob("*.ipynb")))
    return *map(finished, started), counts


def stored():
    """The notebooks in the repository."""
    return sorted(notebooks_folder().glob("*.ipynb"))


def finished(process):
    text, _ = process.communicate(timeout=880)
    return process.returncode, text


def changed(notebook):
    """Change every checked output of a notebook; return how many there are."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.outputs and IGNORED not in cell.metadata.get("tags", []):
            out = cell.outputs[0]
            if out.output_type == "stream":
                out.text = out.text.rstrip("\n") + " or so\n"
            else:
                out.data["text/plain"] += " or so"
            count += 1
    return count


def test_the_stored_outputs_are_what_the_cells_give(runs, leftovers):
    (status, text), _, _ = runs
    assert status == 0, text[-4000:]
    cells = sum(c.cell_type == "code" for path in stored() for c in nbformat.read(path, as_version=4).cells)
    assert f"{cells} passed" in text
    assert leftovers() == []


def test_every_stored_output_that_is_changed_fails_and_no_other_cell(runs):
    _, (status, text), counts = runs
    assert all(count >= 5 for count in counts.values())
    assert status == 1, text[-4000:]
    assert int(re.search(r"(\d+) failed", text).group(1)) == sum(counts.values()), text[-4000:]
    assert "Unrun reference cell" not in text


def test_checking_once_more_finds_the_same_and_changes_nothing(nbval):
    first = stored()[0]
    before = {path: path.read_bytes() for path in notebooks_folder().iterdir() if path.is_file()}
    status, text = finished(nbval(first))
    assert status == 0, text[-4000:]
    assert {path: path.read_bytes() for path in notebooks_folder().iterdir() if path.is_file()} == before
