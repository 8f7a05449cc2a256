"""Nbval finds the stored outputs right, twice in a row, and finds every one of them wrong once it is changed."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from flowlab.adventure import notebooks_folder
from flowlab.adventure.storing import IGNORED


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


def finished(process):
    text, _ = process.communicate(timeout=280)
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


def test_the_stored_outputs_are_what_the_cells_give_each_time(nbval, leftovers):
    before = {path: path.read_bytes() for path in notebooks_folder().iterdir() if path.is_file()}
    notebooks = sorted(notebooks_folder().glob("*.ipynb"))
    processes = [nbval(*notebooks), nbval(*notebooks)]
    for process in processes:
        status, text = finished(process)
        assert status == 0, text[-4000:]
        cells = sum(c.cell_type == "code" for path in notebooks for c in nbformat.read(path, as_version=4).cells)
        assert f"{cells} passed" in text
    assert {path: path.read_bytes() for path in notebooks_folder().iterdir() if path.is_file()} == before
    assert leftovers() == []


def test_every_stored_output_that_is_changed_fails(nbval, tmp_path):
    counts = {}
    for path in notebooks_folder().glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        counts[path.stem] = changed(notebook)
        nbformat.write(notebook, tmp_path / path.name)
    assert all(counts.values())
    status, text = finished(nbval(*sorted(tmp_path.glob("*.ipynb"))))
    assert status == 1, text[-4000:]
    assert int(re.search(r"(\d+) failed", text).group(1)) == sum(counts.values()), text[-4000:]
