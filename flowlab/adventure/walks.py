"""Walks: a notebook run from its first cell to its last with nobody there.

Here: one notebook on one branch, by papermill's API. Not here: which branches there are (`series`), and many walks at
once. The invariant: a kernel that was started here has ended when its walk returns, however it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowlab.adventure.folders import notebooks_folder
from flowlab.errors import require


@dataclass(frozen=True, slots=True)
class Walk:
    """One notebook and what its parameters are to be.

    Attributes:
        name: The notebook, such as "03_threads".
        parameters: What is set; the rest has its default.
        source: The notebook's file, if it is not the stored one.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None

    @property
    def file(self) -> Path:
        """The notebook that is run."""
        return self.source or notebooks_folder() / f"{self.name}.ipynb"


def walked(walk: Walk, out: Path, **more: Any) -> Any:
    """Run a notebook, write it with its outputs to `out`, and return it; it stands in the folder of `out`.

    Args:
        walk: What is run.
        out: The file written, also when a cell fails.
        more: What papermill's engine takes besides.

    Raises:
        PapermillExecutionError: A cell failed.
    """
    papermill = require("papermill", extra="notebooks", why="to run a notebook with nobody there")
    return papermill.execute_notebook(
        str(walk.file.absolute()), str(out.absolute()), parameters=dict(walk.parameters), kernel_name="python3",
        progress_bar=False, log_output=False, resources={"metadata": {"path": str(out.absolute().parent)}}, **more,
    )  # fmt: skip
