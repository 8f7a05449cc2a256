"""The sampler with its real process, watching real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from flowlab.errors import FlowlabError, SettingError, WorkerLost
from flowlab.metrics.sampler import Sampler, Samples, process_cpu_ns

MB = 1 << 20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc and pidfd")

HOLD = """
import subprocess, sys
held = bytearray({mb} << 20)
child = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print('ready', flush=True)
sys.stdin.readline()
child.communicate(b'end')
"""
GRANDCHILD = "import sys\nheld = bytearray(60 << 20)\nprint('ready', flush=True)\nsys.stdin.readline()"


def start(program: str) -> subprocess.Popen[bytes]:
    """Start a Python program and wait until it says that it is ready."""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def gone(pidfd: int) -> bool:
    """Wait until a process has ended."""
    return bool(select.select([pidfd], [], [], 20)[0])


def test_memory_of_a_whole_tree_is_seen_and_the_sampler_is_not_in_it() -> None:
    with Sampler() as sampler, start(HOLD.format(mb=100, grandchild=GRANDCHILD)) as process:
        sampler.watch("tree", process.pid)
        samples = sampler.stop("tree")
        process.communicate(b"end\n")
    assert samples.name == "tree"
    assert 160 * MB < (samples.peak_bytes or 0) < 300 * MB
    assert max(samples.processes) == 2


def test_cpu_and_memory_of_a_child_that_came_and_went_are_counted() -> None:
    spin = "import time\nx = bytearray(80 << 20)\nwhile time.process_time() < .6: pass"
    with Sampler(hz=100) as sampler:
        sampler.watch("me", os.getpid())
        before = process_cpu_ns(os.getpid())
        subprocess.run([sys.executable, "-c", spin], check=True)
        own_s = (process_cpu_ns(os.getpid()) - before) / 1e9
        samples = sampler.stop("me")
    assert samples.cpu_s_total is not None
    assert 0.3 < samples.cpu_s_total - own_s < 0.9
    assert (samples.peak_bytes or 0) > 80 * MB
    assert list(samples.times_ns) == sorted(samples.times_ns)
    assert list(samples.cpu_s) == sorted(samples.cpu_s)
    assert max(samples.processes) > samples.processes[0]


def test_several_trees_are_watched_at_once_and_by_their_own_names() -> None:
    small = "print('ready', flush=True)\ninput()"
    with Sampler() as sampler, start(small) as one, start(HOLD.format(mb=150, grandchild=GRANDCHILD)) as two:
        sampler.watch("small", one.pid)
        sampler.watch("large", two.pid)
        found = {name: sampler.stop(name) for name in ("small", "large")}
        one.communicate(b"\n")
        two.communicate(b"end\n")
    assert (found["small"].peak_bytes or 0) < 60 * MB < 200 * MB < (found["large"].peak_bytes or 0)


@linux
def test_it_goes_on_sampling_while_c_code_holds_the_interpreter_lock() -> None:
    with Sampler() as sampler:
        sampler.watch("me", os.getpid())
        began = time.perf_counter_ns()
        sorted(map(str, range(400_000)))
        ended = time.perf_counter_ns()
        samples = sampler.stop("me")
    during = [at for at in samples.times_ns if began < at < ended]
    assert len(during) >= 3


@linux
def test_it_runs_before_others_where_this_user_may_ask_for_that_and_works_where_not() -> None:
    ask = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    allowed = subprocess.run([sys.executable, "-c", ask], stderr=subprocess.DEVNULL).returncode == 0
    with Sampler() as sampler:
        sampler.watch("here", os.getpid())
        assert sampler.pid is not None
        assert (os.sched_getscheduler(sampler.pid) == os.SCHED_RR) == allowed
        assert sampler.stop("here").peak_bytes
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_process_that_is_gone_gives_empty_samples() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with Sampler() as sampler:
        sampler.watch("gone", ended.pid)
        samples = sampler.stop("gone")
    assert (samples.times_ns, samples.peak_bytes, samples.cpu_s_total, samples.worst_gap_s) == ((), None, None, None)


def test_a_process_that_ends_while_watched_keeps_what_was_seen() -> None:
    with Sampler() as sampler:
        with start(HOLD.format(mb=100, grandchild=GRANDCHILD)) as process:
            sampler.watch("tree", process.pid)
            process.communicate(b"end\n")
        samples = sampler.stop("tree")
    assert (samples.peak_bytes or 0) > 160 * MB


@linux
def test_its_process_ends_with_the_block() -> None:
    with Sampler() as sampler:
        pidfd = os.pidfd_open(sampler.pid or 0)
    assert gone(pidfd)
    os.close(pidfd)
    assert sampler.pid is None


@linux
@pytest.mark.parametrize("watching", [True, False], ids=["while it watches", "while it waits"])
def test_its_process_ends_when_the_parent_is_killed_though_a_fork_holds_the_pipes(watching: bool) -> None:
    program = (
        "import os, time\n"
        "from flowlab.metrics.sampler import Sampler\n"
        "sampler = Sampler().__enter__()\n"
        "sampler.watch('me', os.getpid())\n" + ("" if watching else "sampler.stop('me')\n") + "if os.fork():\n"
        "    print(sampler.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout is not None
            pidfd = os.pidfd_open(int(parent.stdout.readline()))
            parent.kill()
            assert gone(pidfd)
            os.close(pidfd)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_sampler_whose_process_was_killed_says_so() -> None:
    with Sampler() as sampler:
        sampler.watch("me", os.getpid())
        os.kill(sampler.pid or 0, signal.SIGTERM)
        with pytest.raises(WorkerLost, match="measure again"):
            sampler.stop("me")


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda sampler: sampler.stop("never"), "'never' is not being watched"),
        (lambda sampler: (sampler.watch("a", os.getpid()), sampler.watch("a", os.getpid())), "stop it first"),
    ],
    ids=["stop what is not watched", "watch twice"],
)
def test_wrong_use_is_explained(use, says: str) -> None:
    with Sampler() as sampler, pytest.raises(SettingError, match=says):
        use(sampler)


def test_a_sampler_outside_its_block_and_an_impossible_rate_are_refused() -> None:
    with pytest.raises(FlowlabError, match="with Sampler"):
        Sampler().watch("a", os.getpid())
    with pytest.raises(FlowlabError, match="samples a second"):
        Sampler(hz=0)


def test_the_cpu_of_a_process_is_its_own_and_of_none_is_an_error() -> None:
    before, own = process_cpu_ns(os.getpid()), time.process_time_ns()
    assert abs(before - own) < 1_000_000_000
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(SettingError, match=f"no process {ended.pid}"):
        process_cpu_ns(ended.pid)


def test_samples_know_their_peak_and_their_worst_gap() -> None:
    samples = Samples("a", "pss", (0, 10_000_000, 50_000_000), (5, 9, 7), (0.0, 0.1, 0.2), (1, 2, 1))
    assert (samples.peak_bytes, samples.worst_gap_s, samples.cpu_s_total) == (9, 0.04, 0.2)
