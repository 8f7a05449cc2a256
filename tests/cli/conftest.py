"""A terminal to run the command in: what a person sees there, and Ctrl-C as a terminal sends it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest


class Terminal:
    """The command `flowlab` in a pseudo-terminal and a session of its own."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, columns: int) -> None:
        import pty
        import termios

        self.mark = uuid.uuid4().hex  # inherited by whatever is started, so that nothing can hide
        self.shown = ""
        self.screen, inside = pty.openpty()
        termios.tcsetwinsize(inside, (50, columns))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flowlab.cli", *arguments], cwd=folder, start_new_session=True,
            stdin=inside, stdout=inside, stderr=inside, env={**environment, "TERM": "xterm", "FLOWLAB_TEST": self.mark},
        )  # fmt: skip
        os.close(inside)

    def until(self, text: str | None, timeout_s: float = 120) -> str:
        """What was shown until this text came, or, for None, until the last process that could write has ended."""
        deadline = time.monotonic() + timeout_s
        while text is None or text not in self.shown:
            ready, _, _ = select.select([self.screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not shown within {timeout_s} s: {text!r}; shown: {self.shown}"
            try:
                more = os.read(self.screen, 65536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                more = b""
            if not more:
                assert text is None, f"ended before {text!r}: {self.shown}"
                break
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", more.decode(errors="replace"))
        return self.shown

    def family(self) -> list[psutil.Process]:
        """All processes that the command started, and itself."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FLOWLAB_TEST") == self.mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def ports(self) -> set[int]:
        """The ports on which one of them listens."""
        listening = set()
        for process in self.family():
            try:
                sockets = process.net_connections(kind="tcp")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            listening |= {each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN}
        return listening

    def interrupt(self) -> None:
        """Press Ctrl-C: the whole process group gets it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        """End what a failed test left."""
        for process in self.family():
            process.kill()
        self.process.wait(timeout=30)
        os.close(self.screen)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Open a terminal with a command in it, called with its arguments and the number of columns."""
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals here")
    opened: list[Terminal] = []

    def open_(*arguments: str, columns: int = 120) -> Terminal:
        opened.append(Terminal(arguments, tmp_path, columns))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()
