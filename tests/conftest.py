"""What tests of several rooms share: a store of their own, a terminal as a person sees it, a notebook's kernel."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from hypothesis import HealthCheck, settings

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # started in a shell's background: our children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # no test fails because the machine has other things to do


@pytest.fixture(scope="session", autouse=True)
def own_store() -> Iterator[str]:
    """A folder for the store, which the processes that tests start inherit."""
    with tempfile.TemporaryDirectory(prefix="flowlab-tests-") as folder:
        before = os.environ.get("FLOWLAB_HOME")
        os.environ["FLOWLAB_HOME"] = folder
        yield folder
        if before is None:
            del os.environ["FLOWLAB_HOME"]
        else:
            os.environ["FLOWLAB_HOME"] = before


@pytest.fixture(autouse=True)
def no_store_left_open() -> Iterator[None]:
    """A store that a test's notebook opened is closed with the test: what later tests run would be kept in it."""
    yield
    active = sys.modules.get("flowlab.metrics.active")
    while active is not None and (keeper := active.keeper()) is not None:
        active.unkeep(keeper)
        keeper.close()


class Terminal:
    """Python with these arguments in a pseudo-terminal and a session of its own."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, columns: int) -> None:
        import pty
        import termios

        self.mark = uuid.uuid4().hex  # inherited by whatever is started, so that nothing can hide
        self.shown, self.raw = "", b""
        self.screen, inside = pty.openpty()
        termios.tcsetwinsize(inside, (50, columns))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        self.process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, start_new_session=True,
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
            self.raw += more
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
    """Open a terminal with the command `flowlab` in it, called with its arguments, or with another program's."""
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals here")
    opened: list[Terminal] = []

    def open_(*arguments: str, columns: int = 120, program: tuple[str, ...] = ("-m", "flowlab.cli")) -> Terminal:
        opened.append(Terminal((*program, *arguments), tmp_path, columns))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


class Kernel(NamedTuple):
    """A notebook's kernel."""

    manager: Any
    client: Any

    def run(self, code: str, status: str = "ok") -> list[dict[str, Any]]:
        """Run a cell, hold how it ends, and return the messages it sent."""
        sent: list[dict[str, Any]] = []
        reply = self.client.execute_interactive(code, timeout=120, store_history=True, output_hook=sent.append)
        assert reply["content"]["status"] == status, reply["content"]
        return sent


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """A kernel for the tests of a module."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
