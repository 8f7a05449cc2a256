"""Runs in a notebook's kernel: functions of cells under every executor, and interrupts that leave nothing."""

import os
import time

import psutil
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a kernel is interrupted by a signal")

CELLS = """
import functools
import flowlab as fl
FACTOR = 3
class Point:
    def __init__(self, x): self.x = x
def scaled(x): return x * FACTOR
@fl.operation(outputs="p")
def make(x): return Point(scaled(x))
@fl.operation(outputs="q", expand=True)
def each(p):
    for step in range(2): yield Point(p.x + step)
last = fl.operation(name="last", outputs="n")(functools.partial(lambda add, q: q.x + add, 10))
flow = fl.DataFlow(make, each, last)
for executor in (None, "inline", "asyncio", "threads", "processes"):
    run = flow.run({"x": 5}, ["p", "n"], executor=executor)
    assert run["n"] == [25, 26] and type(run["p"]) is Point, executor
FACTOR = 4
assert flow.run({"x": 5}, ["n"], executor="processes")["n"] == [30, 31]
assert (await flow.run_async({"x": 5}, ["n"], executor="processes"))["n"] == [30, 31]
"""

ENDLESS = """
import asyncio, pathlib, threading, time
import flowlab as fl
from flowlab import executors
executors.close()
here = pathlib.Path({folder!r})
def plain(x):
    (here / "began").touch()
    while True: pass
def waiting(x):
    (here / "began").touch()
    threading.Event().wait(3)
async def coroutine(x):
    (here / "began").touch()
    await asyncio.sleep(600)
def tidy(x): (here / "tidied").touch()
fl.DataFlow(fl.operation(outputs="y")({body}), fl.operation(stage="cleanup", runs="inline")(tidy)).run(
    {{"x": 1}}, executor={executor!r})
"""

LEFT = """
for thread in threading.enumerate():
    if thread.name == "flowlab-run":
        thread.join(20)
        assert not thread.is_alive()
"""


def test_functions_of_cells_run_under_every_executor(kernel):
    kernel.run(CELLS)


@pytest.mark.parametrize(
    ("body", "executor"),
    [
        ("plain", "inline"),
        ("plain", "asyncio"),
        ("waiting", "threads"),
        ("plain", "processes"),
        ("coroutine", None),
    ],
)
def test_an_interrupted_run_tidies_up_and_leaves_nothing(kernel, tmp_path, body, executor):
    manager, client = kernel
    family = psutil.Process(manager.provisioner.pid)
    request = client.execute(ENDLESS.format(folder=str(tmp_path), body=body, executor=executor), stop_on_error=False)
    deadline = time.monotonic() + 60
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = family.children(recursive=True)
    assert len(workers) == (executor == "processes")
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    while reply["parent_header"].get("msg_id") != request:
        reply = client.get_shell_msg(timeout=30)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    kernel.run(LEFT)
    assert (tmp_path / "tidied").exists()
