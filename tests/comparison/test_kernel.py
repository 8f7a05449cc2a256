"""Comparing in a notebook's kernel: inside a running event loop, with functions of cells, and interrupted."""

import time
from typing import Any

import psutil


def test_functions_of_cells_are_compared(kernel: Any) -> None:
    code = (
        "import flowlab as fl\n"
        "def fetch(item):\n    return item + 1\n"
        "async def score(item):\n    return 2 * item\n"
        "found = fl.compare(fl.job(fetch, score, items=range(5), workers=2), repeats=1)\n"
        "assert found.agree, found.disagreements\n"
        "assert found.value.values == (2, 4, 6, 8, 10)\n"
    )
    kernel.run(code)


def test_an_interrupt_ends_the_runs_and_the_sampler(kernel: Any) -> None:
    manager, client = kernel
    family = psutil.Process(manager.provisioner.pid)
    client.execute("import time, flowlab as fl\nfl.compare({'serial': lambda: time.sleep(600)}, repeats=1)")
    deadline = time.monotonic() + 60
    started: list[psutil.Process] = []
    while len(started) < 2:  # the sampler and the run
        assert time.monotonic() < deadline
        started = family.children(recursive=True)
        time.sleep(0.02)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    while reply["parent_header"].get("msg_type") != "execute_request":
        reply = client.get_shell_msg(timeout=30)
    assert reply["content"]["status"] == "error" and reply["content"]["ename"] == "KeyboardInterrupt"
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
