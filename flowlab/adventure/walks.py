"""Walks: notebooks run from their first cell to their last with nobody there.

Here: which walks a wish means, one walk by papermill's API, many at once. Not here: files handed in (`copies`), ending
kernels (`kernels`), how walks are shown (`cli`). The invariant: a kernel that was started here has ended when its walk
returns, however it returns; what fails ends its own walk and no other; no two walks write one file.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from flowlab.adventure.chapters import SCALES, Chapter
from flowlab.adventure.copies import apart, chapter_in, expanded, is_copy
from flowlab.adventure.folders import notebooks_folder
from flowlab.adventure.kernels import Kernels
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError, require

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MINUTES = 30.0
"""How long a notebook may take where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One notebook and what its parameters are to be.

    Attributes:
        name: The notebook, such as "03_threads", or a copy's own name; its output is called so.
        parameters: What is set; the rest has its default.
        source: The notebook's file, if it is not the stored one.
        option: The branch, if one is set.
        strange: Whether the file is no notebook of the series, so that none of its parameters are known.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None
    option: str = ""
    strange: bool = False

    @property
    def file(self) -> Path:
        """The notebook that is run."""
        return self.source or notebooks_folder() / f"{self.name}.ipynb"

    @property
    def title(self) -> str:
        """The notebook and its branch in a few letters."""
        return f"{self.name if self.source else self.name[:2]} {self.option}".strip()

    @property
    def ending(self) -> str:
        """What follows the name in that of the output."""
        return f".{self.option}" if self.option else ""


@dataclass(frozen=True, slots=True)
class Walked:
    """What came of a walk.

    Attributes:
        walk: Which.
        out: The notebook with its outputs.
        wall_s: How long it took.
        cells: How many cells of code ran.
        cell: The cell that failed, by name, or "".
        source: What that cell says.
        error: What it raised, with the traceback.
        late: Why it was stopped, such as "did not end within 30 minutes", or "".
    """

    walk: Walk
    out: Path
    wall_s: float
    cells: int
    cell: str = ""
    source: str = ""
    error: str = ""
    late: str = ""

    @property
    def right(self) -> bool:
        """Whether every cell ran."""
        return not self.error

    @property
    def state(self) -> str:
        """What came of it in a few words, with the cell at fault."""
        if self.right:
            return "right"
        if self.late:
            return f"{self.late}: stopped in {self.cell}" if self.cell else self.late
        return f"failed in {self.cell}" if self.cell else "failed before its first cell"


def walks(names: Iterable[str], branch: str | None = None, **parameters: Any) -> tuple[Walk, ...]:
    """Return the walks that are wished for.

    Args:
        names: Notebooks by name or number, files such as copies handed in, or patterns of files; none means all that
            are there.
        branch: An option, or "all" for every branch of every notebook; None takes each notebook's default.
        parameters: What is set besides; None leaves the notebook's own.

    Raises:
        SettingError: A notebook, a branch or a scale does not exist; the message lists those that do. Or two outputs
            would have one name.
    """
    if parameters.get("scale") not in (None, *SCALES):
        raise SettingError(f"there is no scale {parameters['scale']!r}. Scales: {', '.join(SCALES)}")
    given = {name: value for name, value in parameters.items() if value is not None}
    every = [(each, None) for each in CHAPTERS.values() if each.ready]
    chosen = _once(_found(name) for name in expanded(names)) or every
    found = [
        _walk(chapter, option, given, source)
        for chapter, source in chosen
        for option in _options(chapter, branch, source)
    ]
    if not found:
        there = "; ".join(f"{c.name}: {', '.join(c.decision.options)}" for c, _ in chosen if c.decision)
        raise SettingError(f"none of these notebooks has a branch {branch!r}. Branches: {there}")
    files = [walk.source or Path(f"{walk.name}.ipynb") for walk in found]
    called = apart(files, [walk.ending for walk in found])
    return tuple(replace(walk, name=name) for walk, name in zip(found, called, strict=True))


Found = tuple[Chapter, Path | None]
"""A notebook, and the file if it is not the stored one."""


def _once(found: Iterable[Found]) -> list[Found]:
    """Return each notebook and each file once, in their order."""
    return list({(chapter.name, source and source.resolve()): (chapter, source) for chapter, source in found}.values())


def _found(name: str) -> Found:
    ready = {each.name: each for each in CHAPTERS.values() if each.ready}
    stem = Path(name).name.removesuffix(".ipynb")
    if is_copy(name):
        return chapter_in(Path(name)) or Chapter(stem, stem), Path(name)
    elsewhere = Path(name).name != name and not Path(name).is_file()
    for each in ready.values():
        if stem in (each.name, each.number) and not elsewhere:
            return each, None
    close = get_close_matches(stem, ready, n=1, cutoff=0.4)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    later = next((c.name for c in CHAPTERS.values() if stem in (c.name, c.number)), "")
    what = f"there is no notebook {name!r}{meant}"
    if later and later not in ready:
        what = f"notebook {later} is not there yet"
    raise SettingError(f"{what}. Notebooks: {', '.join(ready)}")


def _options(chapter: Chapter, branch: str | None, source: Path | None) -> list[str]:
    options = list(chapter.decision.options) if chapter.decision else []
    if branch == "all" and options:
        return options
    if branch is None or branch == "all" or not options:
        return [""]
    if branch not in options and source:
        raise SettingError(
            f"{source} is notebook {chapter.name}, which has no branch {branch!r}: run it without --branch, or apart "
            f"from the others. Branches: {', '.join(options)}"
        )
    return [branch] if branch in options else []


def _walk(chapter: Chapter, option: str, given: Mapping[str, Any], source: Path | None) -> Walk:
    name = source.stem if source else chapter.name
    if not chapter.decision:
        return Walk(name, {}, source, strange=True)
    if not option:
        return Walk(name, given, source)
    return Walk(name, {chapter.decision.parameter: option, **given}, source, option)


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
        str(walk.file.absolute()), str(out.absolute()), parameters=dict(walk.parameters),
        kernel_name="python3", language="python", progress_bar=False, log_output=False,
        extra_arguments=["--IPKernelApp.log_level=50"],
        resources={"metadata": {"path": str(out.absolute().parent)}}, **more,
    )  # fmt: skip


Tell = Callable[[int, int, str], None]
"""Called with the walks done, the walks in all, and what is under way ("" at the end)."""


def all_walked(
    chosen: Sequence[Walk], folder: Path, kernels: int, tell: Tell, minutes: float = MINUTES
) -> tuple[Walked, ...]:
    """Run many notebooks, and return what came of them in the order of the walks.

    Args:
        chosen: What is run.
        folder: Where the notebooks with their outputs go, one a walk.
        kernels: How many run at once.
        tell: How far it is.
        minutes: How long each may take; one that takes longer is stopped.

    Raises:
        SettingError: A notebook would be written over, or no time is given.
        KeyboardInterrupt: As it came; by then all kernels have ended.
    """
    _held(chosen, folder, minutes)
    require("papermill", extra="notebooks", why="to run notebooks")  # here: threads that import it at once fail
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder, minutes, datetime.now().isoformat(sep=" ", timespec="seconds"), Kernels())
    with ThreadPoolExecutor(kernels) as pool:
        futures = [pool.submit(run.timed, walk) for walk in chosen]
        try:
            waiting = set(futures)
            while waiting:
                under_way = [w.title for w, f in zip(chosen, futures, strict=True) if f.running()]
                tell(len(chosen) - len(waiting), len(chosen), ", ".join(under_way) or chosen[0].title)
                waiting = wait(waiting, return_when=FIRST_COMPLETED).not_done
            tell(len(chosen), len(chosen), "")
        except BaseException:
            run.kernels.end(futures)
            raise
    return tuple(future.result() for future in futures)


def _held(chosen: Sequence[Walk], folder: Path, minutes: float) -> None:
    if not minutes > 0:
        raise SettingError(f"a notebook cannot end within {minutes:g} minutes: give --timeout more than 0")
    for walk in chosen:
        if walk.source and (folder / f"{walk.name}{walk.ending}.ipynb").resolve() == walk.source.resolve():
            raise SettingError(f"{walk.source} would be written over: give another folder with --out DIR")


def kernels_at(scale: str | None) -> int:
    """Return how many notebooks may run at once: as many as there are cores where nothing is timed, else one."""
    from flowlab.machine import Machine

    tiny = (scale or os.environ.get("FLOWLAB_SCALE")) == "tiny"
    return Machine.detect().cores if tiny else 1


@dataclass(frozen=True, slots=True)
class _Run:
    """Many walks into one folder: how long each may take, when they began, and their kernels."""

    folder: Path
    minutes: float
    began: str
    kernels: Kernels

    def timed(self, walk: Walk) -> Walked:
        """Run one notebook, and return what came of it, whatever it is."""
        exceptions = require("papermill.exceptions", extra="notebooks", why="to run a notebook with nobody there")
        out = self.folder / f"{walk.name}{walk.ending}.ipynb"
        out.unlink(missing_ok=True)  # what an earlier run left there is not this one's
        started = time.monotonic()
        at: dict[str, str] = {}
        error = ""

        def entered(cell: Any, cell_index: int) -> None:
            at.update(cell=cell.get("id") or f"cell {cell_index + 1}", source=cell.source)

        kernel = self.kernels.one()
        with kernel.limited(self.minutes * 60) as stopped:
            try:
                walked(walk, out, kernel_manager_class=kernel.manager, on_cell_execute=entered)
            except exceptions.PapermillExecutionError as raised:
                error = COLOURS.sub("", "\n".join(raised.traceback)) or str(raised)
            except Exception as raised:  # a kernel that did not start or was killed, a file that is no notebook
                error = f"{type(raised).__name__}: {raised}"
        late = f"did not end within {self.minutes:g} minutes" if error and stopped.is_set() else ""
        if late:
            error = f"The notebook {late} and was stopped; --timeout MINUTES gives it more.\n\n{error}"
        found = Walked(walk, out, time.monotonic() - started, 0, error=error, late=late, **(at if error else {}))
        return replace(found, cells=self._noted(found))

    def _noted(self, found: Walked) -> int:
        """Keep in the output what came of the walk, for who grades it, and return how many cells ran."""
        nbformat = require("nbformat", extra="notebooks", why="to read a notebook")
        if found.out.is_file():
            notebook = nbformat.read(found.out, as_version=4)
        else:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"Not run.\n\n{found.error}")])
        notebook.metadata["flowlab"] = {"run": self.began, "state": found.state}
        nbformat.write(notebook, found.out)
        return sum(cell.cell_type == "code" and cell.execution_count is not None for cell in notebook.cells)
