"""Copies: notebooks that somebody handed in, and which notebook of the series each of them is.

Here: files found by pattern, the notebook that a file says it is, names of outputs that are all different. Not here:
running them (`walks`). The invariant: nothing is run or written, and no file is left out without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from flowlab.adventure.chapters import Chapter
from flowlab.adventure.folders import NotebooksMissing, notebooks_folder
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError

BEGIN = re.compile(r"""^[^#\n]*\bbegin\(\s*["'](\w+)["']""", re.M)


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, with the notebooks that match in place of each pattern that no shell has filled in.

    Raises:
        SettingError: Nothing matches a pattern.
    """
    found: list[str] = []
    for name in names:
        if not has_magic(name) or Path(name).exists():
            found.append(name)
            continue
        there = glob(name, recursive=True)  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        matching = sorted(each for each in there if each.endswith(".ipynb"))
        if not matching:
            raise SettingError(
                f"no notebook matches {name!r} in {Path.cwd()}: give files that are there, or a folder's *.ipynb"
            )
        found += matching
    return tuple(found)


def is_copy(name: str) -> bool:
    """Return whether that is a notebook's file, and none of the stored notebooks themselves."""
    file = Path(name)
    if not name.endswith(".ipynb") or not file.is_file():
        return False
    try:
        return not (file.resolve().parent == notebooks_folder().resolve() and file.stem in CHAPTERS)
    except NotebooksMissing:
        return True


def chapter_of(cells: Iterable[Any], stem: str) -> Chapter | None:
    """Return the notebook of the series that these cells are, by `adventure.begin`, else by the file's name.

    Args:
        cells: The cells, as mappings.
        stem: The file's name without `.ipynb`.
    """
    ready = {each.name: each for each in CHAPTERS.values() if each.ready}
    for cell in cells:
        if cell.get("cell_type") == "code":
            for name in BEGIN.findall("".join(cell.get("source", ""))):
                if name in ready:
                    return ready[name]
    return next((each for name, each in ready.items() if name in stem), None)


def chapter_in(file: Path) -> Chapter | None:
    """Return the notebook of the series that a file is, or None; a file that cannot be read goes by its name."""
    try:
        cells = json.loads(file.read_text("utf-8"))["cells"]
        return chapter_of(cells, file.stem)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return chapter_of((), file.stem)


def apart(files: Sequence[Path], endings: Sequence[str]) -> list[str]:
    """Return a name for each file, with its folder's name before it where two would be called the same.

    Args:
        files: What is run.
        endings: What follows each file's name in that of its output, such as the branch.

    Raises:
        SettingError: Two are called the same even so.
    """
    plain = [_key(file.stem, ending) for file, ending in zip(files, endings, strict=True)]
    names = [
        f"{file.absolute().parent.name}-{file.stem}" if plain.count(key) > 1 else file.stem
        for file, key in zip(files, plain, strict=True)
    ]
    taken: dict[str, Path] = {}
    for file, name, ending in zip(files, names, endings, strict=True):
        other = taken.setdefault(_key(name, ending), file)
        if other is not file:
            raise SettingError(
                f"{other} and {file} would both be written to {name}{ending}.ipynb: rename one of them, "
                "or run them with different --out"
            )
    return names


def _key(name: str, ending: str) -> str:
    return f"{name}{ending}".casefold()  # some file systems tell no capital letters
