"""Comparing in a notebook's kernel: inside a running event loop, with functions of cells, and interrupted."""

import time
from collections.abc import Iterator

import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_functions_of_cells_are_compared(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    _, client = kernel
    code = (
        "import flowlab as fl\n"
        "def fetch(item):\n    return item + 1\n"
        "async def score(item):\n    return 2 * item\n"
        "found = fl.compare(fl.job(fetch, score, items=range(5), workers=2), repeats=1)\n"
        "assert found.agree, found.disagreements\n"
        "assert found.value.values == (2, 4, 6, 8, 10)\n"
    )
    reply = client.execute_interactive(code, timeout=120, store_history=False, output_hook=lambda _: None)
    assert reply["content"]["status"] == "ok", reply["content"]


def test_an_interrupt_ends_the_runs_and_the_sampler(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    manager, client = kernel
    family = psutil.Process(manager.provisioner.pid)  # type: ignore[union-attr]
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
