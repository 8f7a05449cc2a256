"""Whole processes: scripts without a main guard, interrupts, and callers that die."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, time
import flowlab.dataflow, flowlab.graph
from flowlab.graph import operation, resource, Definition
from flowlab.dataflow import DataFlow
"""


def start(tmp_path, body, **settings):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + textwrap.dedent(body))
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        **settings,
    )


def gone(pid):
    """Whether a process ended, within ten seconds."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_script_needs_no_main_guard_and_is_run_once(tmp_path):
    process = start(
        tmp_path,
        """
        print("top")
        def double(x): return 2 * x
        class Local:
            def __init__(self, x): self.x = x
        flow = DataFlow(operation(outputs="y")(double), operation(outputs="z")(lambda y: Local(y)))
        print(flow.run({"x": 4}, executor="processes")["z"].x)
        """,
    )
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("top\n8\n", "", 0)


def test_a_module_that_only_the_caller_has_on_its_path_works(tmp_path):
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "mine.py").write_text("def double(x):\n    return 2 * x\n")
    process = start(
        tmp_path,
        """
        sys.path.append("aside")
        import mine
        print(DataFlow(operation(outputs="y")(mine.double)).run({"x": 4}, executor="processes")["y"])
        """,
    )
    assert process.communicate(timeout=60)[0] == "8\n"


def test_functions_of_a_module_a_worker_cannot_import_work(tmp_path):
    process = start(
        tmp_path,
        """
        import types
        module = types.ModuleType("made_up")
        exec("def double(x): return helper(x)\\ndef helper(x): return 2 * x", module.__dict__)
        sys.modules["made_up"] = module
        print(DataFlow(operation(outputs="y")(module.double)).run({"x": 4}, executor="processes")["y"])
        """,
    )
    out, err = process.communicate(timeout=60)
    assert out == "8\n", err


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
@pytest.mark.parametrize("busy", [True, False])
def test_workers_end_with_a_caller_that_is_killed(tmp_path, busy):
    process = start(
        tmp_path,
        f"""
        def body(x):
            print(os.getpid(), flush=True)
            while {busy}:
                pass
        flow = DataFlow(operation(outputs="y")(body))
        flow.run({{"x": 1}}, executor="processes")
        print("idle", flush=True)
        time.sleep(60)
        """,
    )
    pid = int(process.stdout.readline())
    if not busy:
        assert process.stdout.readline() == "idle\n"
    process.kill()
    process.wait()
    assert gone(pid)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes", "coroutine"])
def test_an_interrupt_stops_within_a_second_and_runs_cleanup(tmp_path, executor):
    """The second is a hundred naps of 10 ms beside the run: where the machine is busy, they last longer too."""
    process = start(
        tmp_path,
        f"""
        import asyncio, signal, threading
        naps = [0]
        def interrupt():
            sys.stdin.readline()
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.01)
                naps[0] += 1
        @resource
        def opened():
            print("open", flush=True)
            yield 1
            print("close", flush=True)
        def body(ready, x):
            print("body", flush=True)
            if {executor!r} == "threads":
                threading.Event().wait(60)
            while True:
                time.sleep(0.01)
        async def coroutine(ready, x):
            print("body", flush=True)
            await asyncio.sleep(60)
        made = coroutine if {executor!r} == "coroutine" else body
        def tidy(x): print("tidy", flush=True)
        flow = DataFlow(opened, operation(outputs="ready")(lambda opened: 1), operation(outputs="y")(made),
                        operation(stage="cleanup")(tidy))
        threading.Thread(target=interrupt, daemon=True).start()
        try:
            flow.run({{"x": 1}}, executor=None if {executor!r} == "coroutine" else {executor!r})
        except KeyboardInterrupt:
            print("interrupted", naps[0], flush=True)
        """,
        stdin=subprocess.PIPE,
    )
    lines = []
    while "body\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    process.stdin.write("now\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=60)
    assert lines == ["open\n", "body\n"]
    *events, last = out.splitlines()
    assert events == ["tidy", "close"] and last.startswith("interrupted"), err
    assert int(last.split()[1]) < 100
    assert process.returncode == 0


def test_workers_start_with_the_run_and_load_what_they_need_before_their_first_call(tmp_path):
    (tmp_path / "heavy_to_import.py").write_text(
        "import os, pathlib\n"
        "pathlib.Path(__file__).with_name('imported').write_text(str(os.getpid()))\n"
        "def far(near): return os.getpid()\n"
    )
    process = start(
        tmp_path,
        """
        import asyncio, os, pathlib
        from flowlab import executors
        seen = pathlib.Path('imported')
        sys.path.insert(0, os.getcwd())
        import heavy_to_import
        seen.unlink()
        async def near(x):
            async with asyncio.timeout(60):
                while not (seen.exists() and seen.read_text()):  # nothing calls `far` before a worker has its module
                    await asyncio.sleep(0.005)
            return x
        flow = DataFlow(operation(outputs="near")(near), operation(outputs="y", runs="processes")(heavy_to_import.far))
        run = flow.run({"x": 1})
        starts = [record for record in run.records if record.stage == "start"]
        print(run["y"] == int(seen.read_text()), len(starts), flush=True)
        """,
    )
    out, err = process.communicate(timeout=90)
    assert out == "True 1\n", err
