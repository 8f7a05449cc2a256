"""Where a picture is drawn: in a notebook's output, on a terminal with rich, or as a plain line every few seconds.

Invariant: a page leaves what it is drawn on as it found it, but for the last picture if that is kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

from flowlab.live.counts import Picture
from flowlab.live.wording import brief, headline, html, text

PLAIN_S = 5.0
"""Seconds between two plain lines."""


class Page(Protocol):
    """What pictures are drawn on."""

    def draw(self, picture: Picture) -> None:
        """Show a picture instead of the one before."""

    def close(self, picture: Picture) -> None:
        """Show the last picture."""


def page_here(keep: bool) -> Page:
    """The page that fits where this runs.

    Args:
        keep: Whether the last picture stays.
    """
    if _in_kernel():
        return Notebook(keep)
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and find_spec("rich"):
        return Terminal(keep)
    return Plain(keep)


def _in_kernel() -> bool:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


class Shown:
    """A picture as a notebook shows and stores it."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def __repr__(self) -> str:
        return text(self.picture)

    def _repr_html_(self) -> str:
        return html(self.picture)


class Notebook:
    """An output of the cell; each picture takes the place of the one before, and the last is saved with it."""

    def __init__(self, keep: bool = True) -> None:
        self._handle: Any = None
        self._keep = keep

    def draw(self, picture: Picture) -> None:
        """Show a picture instead of the one before."""
        from IPython import display

        if self._handle is None:
            show: Any = display.display
            self._handle = show(Shown(picture), display_id=True)
        else:
            self._handle.update(Shown(picture))

    def close(self, picture: Picture) -> None:
        """Leave the last picture, or nothing."""
        if self._keep:
            self.draw(picture)
        elif self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


class Terminal:
    """The lower lines of a terminal, with rich; what is printed meanwhile goes above them."""

    def __init__(self, keep: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            console=Console(stderr=True), auto_refresh=False, transient=not keep,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )  # fmt: skip

    def draw(self, picture: Picture) -> None:
        """Show a picture instead of the one before."""
        if not self._live.is_started:
            self._live.start()
            self._live.console.show_cursor(True)  # so that nothing is amiss should this process be killed
        self._live.update(_rich(picture), refresh=True)

    def close(self, picture: Picture) -> None:
        """Leave the last picture, or nothing."""
        try:
            self.draw(picture)
        finally:
            self._live.stop()


def _rich(picture: Picture) -> Any:
    """The picture for rich: text, which costs a tenth of a table."""
    from rich.text import Text

    found = Text(text(picture, "━ "), no_wrap=True, overflow="ellipsis")
    found.highlight_words([headline(picture, title) for title in picture.sections], "bold")
    return found


class Plain:
    """A line on standard error every few seconds, for logs."""

    def __init__(self, keep: bool = True, every_s: float = PLAIN_S, write: Callable[[str], object] | None = None):
        self._keep = keep
        self._every_s = every_s
        self._write = write or _to_stderr
        self._next_s = every_s

    def draw(self, picture: Picture) -> None:
        """Write a line, if it is time."""
        if picture.elapsed_s >= self._next_s:
            self._next_s = picture.elapsed_s + self._every_s
            self._write(brief(picture))

    def close(self, picture: Picture) -> None:
        """Write the last line."""
        if self._keep:
            self._write(brief(picture))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
