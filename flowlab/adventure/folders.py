"""Where the notebooks and their journal are.

Here: two places, found without asking. The invariant: a place is named only if it is there or can be made.
"""

from __future__ import annotations

import os
from pathlib import Path

import flowlab
from flowlab.errors import SettingError

FIRST = "00_start_here.ipynb"
JOURNAL = Path(".flowlab") / "journal.jsonl"


class NotebooksMissing(SettingError, FileNotFoundError):
    """The notebooks are not on this computer."""


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: the checkout's, or the one we stand in.

    Raises:
        NotebooksMissing: There is none; the message says where the notebooks are to be had.
    """
    checkout = Path(flowlab.__file__).resolve().parent.parent / "notebooks"
    for folder in (checkout, Path.cwd(), Path.cwd() / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise NotebooksMissing(
        "the notebooks are not here: they come with flowlab's source, in its folder notebooks/, not with the installed "
        "package. Clone or unpack the source, and call this again from inside it"
    )


def journal_file(given: str | None) -> Path | None:
    """Return the journal's path: the given one, else FLOWLAB_JOURNAL's, else `.flowlab/journal.jsonl` in the notebooks.

    "none" stands for no journal at all.
    """
    said = given or os.environ.get("FLOWLAB_JOURNAL")
    if said:
        return None if said == "none" else Path(said).expanduser().absolute()
    try:
        return notebooks_folder() / JOURNAL
    except NotebooksMissing:
        return Path.cwd() / JOURNAL
