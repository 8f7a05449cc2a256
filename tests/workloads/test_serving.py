"""The site's process: it starts, says where it is, and ends with its caller."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import psutil
import pytest

from flowlab.errors import SettingError
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest.problems import SiteError

posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork are POSIX")

START_AND_WAIT = """
from flowlab.workloads import loneliest
with loneliest.site(latency_ms=0) as site:
    print(site.pid, site.url, flush=True)
    input()
"""


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not our child has ended; psutil polls, and fails after its timeout."""
    try:
        psutil.Process(pid).wait(timeout=30)
    except psutil.NoSuchProcess:
        return


def assert_refused(url: str) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_the_site_runs_in_a_process_of_its_own_and_ends_with_its_block() -> None:
    with loneliest.site(latency_ms=0) as site:
        assert site.pid not in (0, os.getpid())
        assert psutil.Process(site.pid).ppid() == os.getpid()
        assert httpx.get(f"{site.url}/login", trust_env=False).status_code == 200
        pid, url = site.pid, site.url
    assert not psutil.pid_exists(pid)
    assert_refused(url)
    site.close()


def test_the_site_ends_when_its_block_fails() -> None:
    with pytest.raises(KeyboardInterrupt), loneliest.site(latency_ms=0) as site:
        pid = site.pid
        raise KeyboardInterrupt
    assert not psutil.pid_exists(pid)


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_site_ends_when_its_caller_is_killed(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as caller:
        assert caller.stdout
        pid, url = caller.stdout.readline().split()
        caller.send_signal(how)
        caller.wait()
        wait_for_end(int(pid))
        assert_refused(url)


HOLD_THE_PIPE = """
import os, sys, time
from flowlab.workloads import loneliest
site = loneliest.site(latency_ms=0).start()
if os.fork() == 0:
    sys.stdout.close()
    time.sleep(600)
print(site.pid, os.getpid(), flush=True)
os.kill(os.getpid(), 9)
"""


@posix
def test_the_site_ends_with_its_caller_even_if_another_process_still_holds_the_pipe() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_PIPE], stdout=subprocess.PIPE, text=True, process_group=0
    ) as caller:
        assert caller.stdout
        site_pid, _ = caller.stdout.readline().split()
        caller.wait()
        try:
            wait_for_end(int(site_pid))
        finally:
            os.killpg(caller.pid, signal.SIGKILL)  # the fork that held the pipe


@posix
def test_ctrl_c_does_not_reach_the_site_before_its_caller_has_decided(quick_site: loneliest.Site) -> None:
    os.kill(quick_site.pid, signal.SIGINT)
    assert httpx.get(f"{quick_site.url}/login", trust_env=False).status_code == 200


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = {child.pid for child in psutil.Process().children()}
        with pytest.raises(SiteError, match=f"port {port} is taken on this machine: choose another one, or port 0"):
            loneliest.site(port=port).start()
        assert {child.pid for child in psutil.Process().children()} <= before


def test_a_port_can_be_chosen_and_is_free_again_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(2):
        with loneliest.site(port=port, latency_ms=0) as site:
            assert site.url == f"http://127.0.0.1:{port}"
            httpx.get(f"{site.url}/login", trust_env=False)


def test_a_site_that_cannot_start_says_what_its_process_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(SiteError, match="ended before it could serve"):
        loneliest.site().start()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"latency": 5}, "site has no setting 'latency': did you mean 'latency_ms'"),
        ({"colour": 5}, "site has no setting 'colour': it takes latency_ms, jitter_ms"),
        ({"latency_ms": -1}, "latency_ms=-1 is not possible"),
        ({"latency_ms": float("nan")}, "latency_ms=nan is not possible"),
        ({"jitter_ms": "5"}, "jitter_ms='5' is not possible"),
        ({"error_rate": 1.5}, "error_rate=1.5 is not possible: give a number from 0 to 1"),
        ({"throttle_rate": -0.1}, "throttle_rate=-0.1 is not possible"),
        ({"capacity": 0}, "capacity=0 is not possible"),
        ({"capacity": 2.5}, "capacity=2.5 is not possible: give a whole number"),
        ({"bandwidth_bytes_s": 0}, "bandwidth_bytes_s=0 is not possible"),
        ({"retry_after_s": 0.5}, "retry_after_s=0.5 is not possible"),
        ({"seed": "x"}, "seed='x' is not possible"),
        ({"port": 70_000}, "port=70000 is not possible: give a whole number from 0 to 65,535"),
        ({"user": ""}, "user must be a text that is not empty"),
    ],
)
def test_an_unknown_or_impossible_option_is_refused_in_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError, match=re.escape(sentence)):
        loneliest.site(**options)


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(loneliest.site(password="hush"))
    assert "hush" not in repr(loneliest.site(password="hush").options)


BY_HAND = "from flowlab.workloads import loneliest; loneliest.run_site(port={port}, password='hush', latency_ms=0)"


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_site_run_by_hand_says_where_it_is_and_ends_cleanly(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BY_HAND.format(port=0)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as site:
        assert site.stdout and site.stderr
        lines = [site.stdout.readline() for _ in range(4)]
        found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
        assert found
        assert lines[1:3] == ["user: learner\n", "password: hush\n"]
        assert httpx.get(f"{found[0]}/login", trust_env=False).status_code == 200
        site.send_signal(how)
        assert site.wait(30) == 0
        assert "ended" in site.stdout.read()
        assert site.stderr.read() == ""
        assert_refused(found[0])


def test_a_site_run_by_hand_on_a_taken_port_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SiteError, match=f"port {port} is taken"):
            loneliest.run_site(port=port)
