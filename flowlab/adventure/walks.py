"""Walks: notebooks run from their first cell to their last with nobody there.

Here: which walks a wish means, one walk by papermill's API, many at once. Not here: how they are shown (`cli`). The
invariant: a kernel that was started here has ended when its walk returns, however it returns; a cell that fails ends
its own walk and no other.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from threading import Lock
from typing import Any

from flowlab.adventure.chapters import SCALES, Chapter
from flowlab.adventure.folders import notebooks_folder
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import FlowlabError, SettingError, require

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Walk:
    """One notebook and what its parameters are to be.

    Attributes:
        name: The notebook, such as "03_threads".
        parameters: What is set; the rest has its default.
        source: The notebook's file, if it is not the stored one.
        option: The branch, if one is set.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None
    option: str = ""

    @property
    def file(self) -> Path:
        """The notebook that is run."""
        return self.source or notebooks_folder() / f"{self.name}.ipynb"

    @property
    def title(self) -> str:
        """The notebook and its branch in a few letters."""
        return f"{self.name[:2]} {self.option}".strip()


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
    """

    walk: Walk
    out: Path
    wall_s: float
    cells: int
    cell: str = ""
    source: str = ""
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether every cell ran."""
        return not self.error


class KernelEnded(FlowlabError, RuntimeError):
    """A kernel was not started, since the walks were called off."""


def walks(names: Iterable[str], branch: str | None = None, **parameters: Any) -> tuple[Walk, ...]:
    """Return the walks that are wished for.

    Args:
        names: Notebooks by name or number, or files, such as copies handed in; none means all that are there.
        branch: An option, or "all" for every branch of every notebook; None takes each notebook's default.
        parameters: What is set besides; None leaves the notebook's own.

    Raises:
        SettingError: A notebook, a branch or a scale does not exist; the message lists those that do.
    """
    if parameters.get("scale") not in (None, *SCALES):
        raise SettingError(f"there is no scale {parameters['scale']!r}. Scales: {', '.join(SCALES)}")
    given = {name: value for name, value in parameters.items() if value is not None}
    every = [(each, None) for each in CHAPTERS.values() if each.ready]
    chosen = [_found(name) for name in names] or every
    found = tuple(
        _walk(chapter, option, given, source) for chapter, source in chosen for option in _options(chapter, branch)
    )
    if not found:
        there = "; ".join(f"{c.name}: {', '.join(c.decision.options)}" for c, _ in chosen if c.decision)
        raise SettingError(f"none of these notebooks has a branch {branch!r}. Branches: {there}")
    return found


def _found(name: str) -> tuple[Chapter, Path | None]:
    """Return the chapter, and the file if it is not the stored one."""
    ready = {each.name: each for each in CHAPTERS.values() if each.ready}
    stem = Path(name).name.removesuffix(".ipynb")
    for each in ready.values():
        if stem in (each.name, each.number) and not _another(name):
            return each, None
    if _another(name):
        return next((each for each in ready.values() if stem.startswith(each.name)), Chapter(stem, stem)), Path(name)
    close = get_close_matches(stem, ready, n=1, cutoff=0.4)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    later = next((c.name for c in CHAPTERS.values() if stem in (c.name, c.number)), "")
    what = f"notebook {later} is not there yet" if later else f"there is no notebook {name!r}{meant}"
    raise SettingError(f"{what}. Notebooks: {', '.join(ready)}")


def _another(name: str) -> bool:
    """Return whether that is a notebook's file, and none of the stored ones."""
    return name.endswith(".ipynb") and Path(name).is_file() and Path(name).resolve().parent != notebooks_folder()


def _options(chapter: Chapter, branch: str | None) -> list[str]:
    options = list(chapter.decision.options) if chapter.decision else []
    if branch == "all" and options:
        return options
    if branch is None or branch == "all":
        return [""]
    return [branch] if branch in options else []


def _walk(chapter: Chapter, option: str, given: Mapping[str, Any], source: Path | None) -> Walk:
    name = source.stem if source else chapter.name
    if not chapter.decision:
        return Walk(name, {}, source)
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
        str(walk.file.absolute()), str(out.absolute()), parameters=dict(walk.parameters), kernel_name="python3",
        progress_bar=False, log_output=False, extra_arguments=["--IPKernelApp.log_level=50"],
        resources={"metadata": {"path": str(out.absolute().parent)}}, **more,
    )  # fmt: skip


Tell = Callable[[int, int, str], None]
"""Called with the walks done, the walks in all, and what is under way ("" at the end)."""


def all_walked(chosen: Sequence[Walk], folder: Path, kernels: int, tell: Tell) -> tuple[Walked, ...]:
    """Run many notebooks, and return what came of them in the order of the walks.

    Args:
        chosen: What is run.
        folder: Where the notebooks with their outputs go, one a walk.
        kernels: How many run at once.
        tell: How far it is.

    Raises:
        KeyboardInterrupt: As it came; by then all kernels have ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    running = _Kernels()
    with ThreadPoolExecutor(kernels) as pool:
        futures = [pool.submit(_timed, walk, folder, running) for walk in chosen]
        try:
            waiting = set(futures)
            while waiting:
                under_way = [w.title for w, f in zip(chosen, futures, strict=True) if f.running()]
                tell(len(chosen) - len(waiting), len(chosen), ", ".join(under_way) or chosen[0].title)
                waiting = wait(waiting, return_when=FIRST_COMPLETED).not_done
            tell(len(chosen), len(chosen), "")
        except BaseException:
            running.end(futures)
            raise
    return tuple(future.result() for future in futures)


def kernels_at(scale: str | None) -> int:
    """Return how many notebooks may run at once: as many as there are cores where nothing is timed, else one."""
    from flowlab.machine import Machine

    tiny = (scale or os.environ.get("FLOWLAB_SCALE")) == "tiny"
    return Machine.detect().cores if tiny else 1


def _timed(walk: Walk, folder: Path, running: _Kernels) -> Walked:
    exceptions = require("papermill.exceptions", extra="notebooks", why="to run a notebook with nobody there")
    nbformat = require("nbformat", extra="notebooks", why="to read a notebook")
    out = folder / f"{'.'.join(filter(None, (walk.name, walk.option)))}.ipynb"
    started = time.monotonic()
    failed: dict[str, str] = {}
    try:
        walked(walk, out, kernel_manager_class=running.manager())
    except exceptions.PapermillExecutionError as error:
        failed = {"source": error.source, "error": COLOURS.sub("", "\n".join(error.traceback)) or str(error)}
    except RuntimeError as error:  # a kernel that did not start, or was killed
        failed = {"source": "", "error": f"{type(error).__name__}: {error}"}
    took = time.monotonic() - started
    written = nbformat.read(out, as_version=4).cells if out.is_file() else []
    cells = [cell for cell in written if cell.cell_type == "code"]
    count = sum(cell.execution_count is not None for cell in cells)
    at = next((cell.id for cell in cells if failed and cell.source == failed["source"]), "")
    return Walked(walk, out, took, count, at, **failed)


class _Kernels:
    """The kernels of the walks under way, so that they can be ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._managers: list[Any] = []
        self._over = False

    def manager(self) -> type:
        """Return a class of kernel managers that are known here."""
        manager = require("jupyter_client.manager", extra="notebooks", why="to run a notebook with nobody there")
        kernels = self

        class Known(manager.AsyncKernelManager):  # type: ignore[misc, name-defined]
            async def _async_start_kernel(self, **more: Any) -> None:
                with kernels._lock:
                    if kernels._over:
                        raise KernelEnded("the notebooks were called off before this one began")
                    kernels._managers.append(self)
                await super()._async_start_kernel(**more)

            start_kernel = _async_start_kernel

        return Known

    def end(self, futures: Sequence[Future[Any]]) -> None:
        """End every kernel, and wait until each walk has noticed; walks that have not begun never do."""
        with self._lock:
            self._over = True
        for future in futures:
            future.cancel()
        while wait(futures, timeout=0.2).not_done:
            for manager in self._managers:
                process = getattr(manager.provisioner, "process", None)
                if process is not None and process.poll() is None:
                    process.kill()
