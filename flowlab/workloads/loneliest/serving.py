"""The site's process: started, announced, ended.

`python -m flowlab.workloads.loneliest` serves as told by one line of JSON on its standard input, says where
in one line of JSON on its standard output, and ends when its input does: the other end of that pipe is held by
whoever started it, so it ends with them even on SIGKILL. Not here: what the site answers (server). Invariant: no site
outlives its caller.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from flowlab.errors import require
from flowlab.workloads.loneliest.options import SiteOptions, as_dict, site_options
from flowlab.workloads.loneliest.problems import SiteError

START_LIMIT_S = 60.0
STOP_LIMIT_S = 5.0
WATCH_EVERY_S = 0.5


class Site:
    """A running site in a process of its own.

    Attributes:
        options: How it behaves.
        url: Where it is, known once it runs.
        pid: Its process, known once it runs.
    """

    def __init__(self, options: SiteOptions) -> None:
        self.options = options
        self.url = ""
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        """Who may log in."""
        return self.options.user

    @property
    def password(self) -> str:
        """Their password."""
        return self.options.password

    def __repr__(self) -> str:
        return f"<loneliest site {'at ' + self.url if self.url else 'not running'}>"

    def start(self) -> Site:
        """Start the site and return it once it answers.

        Raises:
            SiteError: The port is taken, or the process ended before it could serve.
        """
        require("aiohttp", extra="demo", why="to serve the site")
        if self._process is not None:
            return self
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", "flowlab.workloads.loneliest"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
            )
            self._process = process
            try:
                announcement = _greet(process, self.options)
                if "url" not in announcement:
                    complaints.seek(0)
                    raise SiteError(announcement.get("error") or _no_start(complaints.read().decode(errors="replace")))
            except BaseException:
                self.close()
                raise
        self.url, self.pid = announcement["url"], process.pid
        return self

    def close(self) -> None:
        """End the site; does nothing if it does not run."""
        process, self._process = self._process, None
        self.url, self.pid = "", 0
        if process is None:
            return
        assert process.stdin and process.stdout
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(STOP_LIMIT_S)
        except BaseException as error:
            process.kill()
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            process.stdout.close()

    def __enter__(self) -> Site:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def site(**options: Any) -> Site:
    """Return a site to be used in a with-block: the real web server, in a process of its own.

    Args:
        **options: See `SiteOptions`: latency_ms, jitter_ms, bandwidth_bytes_s, capacity, error_rate, throttle_rate,
            retry_after_s, feed_items, feed_bytes, seed, port, user, password.

    Raises:
        SettingError: An option is unknown or impossible.
        SiteError: On entering: the port is taken.
    """
    return Site(site_options(options))


def run_site(**options: Any) -> None:
    """Serve in this process until Ctrl-C, after printing the address, user and password.

    Raises:
        SettingError: An option is unknown or impossible.
        SiteError: The port is taken.
    """
    chosen = site_options(options)
    require("aiohttp", extra="demo", why="to serve the site")

    def announce(url: str) -> None:
        print(f"The loneliest-airport site is at {url}\nuser: {chosen.user}\npassword: {chosen.password}")
        print("Ctrl-C ends it.", flush=True)

    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(chosen, announce, _on_terminate))
    print("\nThe site has ended.", flush=True)


async def _serve(options: SiteOptions, announce: Callable[[str], None], watch: Callable[[asyncio.Event], None]) -> None:
    """Serve until the watch sets its event."""
    from aiohttp import web

    from flowlab.workloads.loneliest.server import HOST
    from flowlab.workloads.loneliest.server import Site as Server

    runner = web.AppRunner(Server(options).application(), access_log=None, shutdown_timeout=0.5, handle_signals=False)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, HOST, options.port, reuse_address=os.name == "posix")
        try:
            await listener.start()
        except OSError as error:
            raise SiteError(_no_port(options.port, error)) from error
        end = asyncio.Event()
        watch(end)
        announce(f"http://{HOST}:{runner.addresses[0][1]}")
        await end.wait()
    finally:
        await runner.cleanup()


def _no_port(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken on this machine: choose another one, or port 0 for any that is free."
    if error.errno == errno.EACCES:
        return f"port {port} is not open to this user: choose one above 1023, or port 0 for any that is free."
    return (
        f"the site cannot listen on port {port} ({error.strerror}): choose another one, or port 0 for any that is free."
    )


def _no_start(complaints: str) -> str:
    last = complaints.strip().splitlines()[-1:] or ["it said nothing"]
    return f"the site's process ended before it could serve ({last[0]}): run 'flowlab site' to see it start by hand."


def _greet(process: subprocess.Popen[bytes], options: SiteOptions) -> dict[str, Any]:
    """Tell a new process its options and return its announcement, an empty one if it ended."""
    assert process.stdin and process.stdout
    limit = threading.Timer(START_LIMIT_S, process.kill)
    limit.start()
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(as_dict(options)).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
    finally:
        limit.cancel()
    announcement: dict[str, Any] = json.loads(line) if line.strip() else {}
    return announcement


def _on_terminate(end: asyncio.Event) -> None:
    """End on SIGTERM as on Ctrl-C."""
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)


def _on_abandonment(end: asyncio.Event) -> None:
    """End when the caller closes its end of standard input, or is gone although somebody else still holds that end."""
    loop, parent = asyncio.get_running_loop(), os.getppid()

    def watch_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(end.set)

    def watch_parent() -> None:
        if os.getppid() != parent:
            end.set()
        else:
            loop.call_later(WATCH_EVERY_S, watch_parent)

    threading.Thread(target=watch_input, daemon=True).start()
    watch_parent()
    _on_terminate(end)


def main() -> int:
    """Serve as told by a line on standard input; return the exit status."""
    # A terminal's Ctrl-C reaches the whole group: the caller, who gets it too, decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = site_options(json.loads(sys.stdin.buffer.readline()))

    def announce(url: str) -> None:
        print(json.dumps({"url": url}), flush=True)

    try:
        asyncio.run(_serve(options, announce, _on_abandonment))
    except SiteError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    return 0
