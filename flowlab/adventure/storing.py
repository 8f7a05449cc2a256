"""Storing: a notebook as the repository keeps it.

Here: running a notebook at scale tiny and keeping the outputs that are checked. Not here: what the cells say; a
notebook is edited in JupyterLab, and then `python -m flowlab.adventure.storing notebooks/*.ipynb` brings it into this
form. The invariant: a cell tagged `nbval-ignore-output` keeps nothing, every other keeps exactly what it shows, and
the same cells give the same bytes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowlab.errors import FlowlabError, require

IGNORED = "nbval-ignore-output"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("tags", "jupyter", "flowlab")


class NotStorable(FlowlabError, ValueError):
    """A notebook cannot be stored as it is."""


def stored(notebook: Any) -> Any:
    """Return an executed notebook without all that must not be kept: measured outputs and the traces of tools.

    Cells are counted from 1: nbval takes a cell without a count for one that was never run.

    Args:
        notebook: A notebook as nbformat reads it; it is changed.

    Raises:
        NotStorable: A cell wrote to stderr or failed.
    """
    notebook.metadata = dict(METADATA)
    count = 0
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata}
        if cell.cell_type == "code":
            _refuse_stray(cell)
            cell.execution_count = count = count + 1
            kept = [] if IGNORED in cell.metadata.get("tags", []) else cell.outputs
            cell.outputs = [_output(each, count) for each in kept]
    return notebook


def _refuse_stray(cell: Any) -> None:
    for each in cell.outputs:
        if each.output_type == "error" or each.get("name") == "stderr":
            said = each.get("text") or each.get("evalue", "")
            raise NotStorable(f"cell {cell.id} of the notebook has an error or writes to stderr: {said[:300]}")


def _output(output: Any, count: int) -> Any:
    if output.output_type == "execute_result":
        output.execution_count = count
    output.pop("metadata", None)
    if output.output_type in ("execute_result", "display_data"):
        output.metadata = {}
    return output


def executed(notebook: Any, folder: Path) -> Any:
    """Run a notebook in a fresh kernel at scale tiny, with a journal that nobody has written in, and return it."""
    nbclient = require("nbclient", extra="notebooks", why="to run a notebook")
    with TemporaryDirectory(prefix="flowlab-") as temporary:
        journal = Path(temporary) / "journal.jsonl"
        ours = {"FLOWLAB_SCALE": "tiny", "FLOWLAB_JOURNAL": str(journal), "FLOWLAB_HOME": temporary}
        environment = os.environ | ours | {"IPYTHONDIR": temporary}
        client = nbclient.NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute(env=environment)
    return notebook


def text_of(notebook: Any) -> str:
    """Return the notebook's file, byte for byte."""
    nbformat = require("nbformat", extra="notebooks", why="to write a notebook")
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def main(paths: Sequence[str]) -> None:
    """Run and store the notebooks at these paths."""
    nbformat = require("nbformat", extra="notebooks", why="to read a notebook")
    for path in map(Path, paths):
        notebook = stored(executed(nbformat.read(path, as_version=4), path.parent))
        path.write_text(text_of(notebook), "utf-8")
        print(f"{path}: {len(notebook.cells)} cells, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
