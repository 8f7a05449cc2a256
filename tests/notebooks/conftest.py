"""Surroundings in which a notebook touches nothing of its user's, and runs of it that leave nothing behind."""

import ast
import os
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from flowlab.adventure import notebooks_folder
from flowlab.adventure.journals import Journal
from flowlab.adventure.walks import Walk, walked

MARK = "FLOWLAB_TESTED_BY"
PLAIN = TransformerManager()
"""Makes Python of a cell with magics."""


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory):
    """Environment variables that keep every file in a temporary folder, and mark every process that we start."""
    home = tmp_path_factory.mktemp("home")
    return {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "FLOWLAB_SCALE": "tiny",
        "FLOWLAB_JOURNAL": str(home / "journal.jsonl"),
        "PYTHONDONTWRITEBYTECODE": "1",
        MARK: uuid.uuid4().hex,
    }


@pytest.fixture(scope="session")
def leftovers(surroundings):
    """A function that returns the processes that the runs started and that do not end by themselves."""

    def ours(process):
        try:
            return process.pid != os.getpid() and process.environ().get(MARK) == surroundings[MARK]
        except psutil.Error:
            return False

    def alive():
        return psutil.wait_procs(list(filter(ours, psutil.process_iter())), timeout=20)[1]

    return alive


@dataclass(frozen=True)
class Taken:
    """One notebook, run headless."""

    notebook: nbformat.NotebookNode
    journal: Journal
    folder: Path

    @property
    def printed(self):
        """All that the cells printed, in order."""
        return "".join(out.text for out in self.outputs if out.get("name") == "stdout")

    @property
    def outputs(self):
        """All outputs of all cells."""
        return [out for cell in self.notebook.cells if cell.cell_type == "code" for out in cell.outputs]


@pytest.fixture(scope="session")
def take(surroundings, tmp_path_factory):
    """A function that runs a notebook by papermill, in this process, from a folder of its own; it returns a Future."""

    def run(name, parameters, changed=None):
        folder = tmp_path_factory.mktemp(name)
        source = None
        if changed is not None:
            source = folder / "changed.ipynb"
            nbformat.write(changed, source)
        journal = folder / "journal.jsonl"
        walk = Walk(name, {"journal": str(journal), **parameters}, source)
        walked(walk, folder / "out.ipynb", request_save_on_cell_execute=False)
        return Taken(nbformat.read(folder / "out.ipynb", as_version=4), Journal(journal), folder)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        for name, value in surroundings.items():
            patch.setenv(name, value)
        patch.setattr(sys, "dont_write_bytecode", True)
        yield lambda *args, **more: pool.submit(run, *args, **more)


def cells(notebook, tag):
    """The code cells of a notebook that have a tag."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and tag in cell.metadata.get("tags", [])]


@pytest.fixture(scope="session")
def tagged():
    """The function `cells`, for tests that cannot import from here."""
    return cells


def calls(notebook, function):
    """Every call of `adventure.<function>` in the cells, as a syntax tree."""
    return [
        node
        for cell in notebook.cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(PLAIN.transform_cell(cell.source)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"adventure.{function}"
    ]


@pytest.fixture(scope="session")
def called():
    """The function `calls`, for tests that cannot import from here."""
    return calls


@pytest.fixture(scope="session")
def predicted():
    """A function that returns a notebook's predictions: key to the parameter that answers it and the options."""

    def predictions(notebook):
        found = {}
        for call in calls(notebook, "predict"):
            key, _, options = (ast.literal_eval(argument) for argument in call.args)
            [answer] = [ast.unparse(word.value) for word in call.keywords if word.arg == "answer"]
            assert key not in found, f"two predictions are called {key!r}"
            found[key] = answer, tuple(options)
        return found

    return predictions


def ready():
    """The notebooks that are there, by name."""
    return {path.stem: nbformat.read(path, as_version=4) for path in sorted(notebooks_folder().glob("*.ipynb"))}


@pytest.fixture(scope="session")
def notebooks():
    """The stored notebooks, by name."""
    return ready()
