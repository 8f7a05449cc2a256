"""Progress where people see it: on a terminal, in a kernel, and where there is neither."""

import os
import subprocess
import sys
import termios

import pytest

FLOW = """
import sys, threading
import flowlab as fl
def wait(n):
    print("item", n)
    threading.Event().wait({pause})
    return n
flow = fl.DataFlow(fl.operation(outputs="m")(wait), name="waiting")
runs = flow.map([{{"n": n}} for n in range({items})], progress=True)
print("got", len(runs), file=sys.stderr)
"""
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


def test_a_terminal_shows_it_below_what_is_printed_and_keeps_the_last_picture(terminal):
    opened = terminal(program=("-c", FLOW.format(pause=0.1, items=12)))
    shown = opened.until(None).replace("\r", "")
    assert opened.process.wait(timeout=30) == 0
    assert [f"item {n}\n" in shown for n in range(12)] == [True] * 12
    end = shown[shown.rindex("waiting: done") :]
    assert "12 of 12" in end and "got 12" in end and "item" not in end
    assert "left" in shown[: shown.rindex("waiting: done")]


def test_an_interrupt_leaves_the_terminal_as_it_was(terminal):
    opened = terminal(program=("-c", FLOW.format(pause=600, items=2)))
    before = termios.tcgetattr(opened.screen)
    opened.until("waiting: running")
    opened.until("item 0")
    opened.interrupt()
    shown = opened.until(None, timeout_s=30).replace("\r", "")
    assert opened.process.wait(timeout=30) != 0
    assert "KeyboardInterrupt" in shown and "waiting: stopped" in shown
    assert termios.tcgetattr(opened.screen) == before
    assert opened.raw.rfind(SHOW) > opened.raw.rfind(HIDE)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


def test_without_a_terminal_there_are_plain_lines_on_standard_error():
    done = run(FLOW.format(pause=0.01, items=3))
    assert done.stdout == "item 0\nitem 1\nitem 2\n"
    assert "waiting: done" in done.stderr and "wait 3 of 3" in done.stderr and "\x1b" not in done.stderr


def test_a_terminal_without_rich_gets_plain_lines_too(terminal):
    code = "import sys; sys.modules['rich'] = None\n" + FLOW.format(pause=0.01, items=3)
    shown = terminal(program=("-c", code)).until(None).replace("\r", "")
    assert "waiting: done" in shown and "wait 3 of 3" in shown


IN_A_CELL = """
import threading
import flowlab as fl
def wait(n):
    threading.Event().wait(0.05)
    return n
flow = fl.DataFlow(fl.operation(outputs="m")(wait), name="waiting")
"""
CALLS = {
    "run": "flow.run({'n': 1}, progress=True)['m']",
    "map": "len(flow.map([{'n': n} for n in range(6)], progress=True))",
    "run in threads": "flow.run({'n': 1}, executor='threads', progress=True)['m']",
    "run_async": "(await flow.run_async({'n': 1}, progress=True))['m']",
    "stream": "[run['m'] async for run in flow.stream([{'n': n} for n in range(6)], progress=True)]",
    "start": "with flow.start({'n': 1}, progress=True) as run: pass\nrun['m']",
    "a block": "with fl.show_progress(): flow.run({'n': 1})",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_notebook_has_one_output_that_is_updated_in_place_and_is_saved_as_it_was_last(kernel, call):
    kernel.run(IN_A_CELL)
    sent = kernel.run(CALLS[call])
    kinds = [message["msg_type"] for message in sent]
    assert kinds.count("display_data") == 1 and "stream" not in kinds
    pictures = [message["content"] for message in sent if "display" in message["msg_type"]]
    assert len({picture["transient"]["display_id"] for picture in pictures}) == 1
    count = 6 if call in ("map", "stream") else 1
    for kind in ("text/plain", "text/html"):
        assert f"{count} of {count}" in pictures[-1]["data"][kind]
        assert "waiting: done" in pictures[-1]["data"][kind]


def test_after_an_error_and_an_interrupt_no_thread_is_left(kernel):
    kernel.run(IN_A_CELL)
    kernel.run("def bad(n): raise OSError\nfl.DataFlow(fl.operation(bad)).run({'n': 1}, progress=True)", status="error")
    manager, client = kernel
    request = client.execute("flow.map([{'n': n} for n in range(10_000)], progress=True)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "update_display_data":
        pass
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    while reply["parent_header"].get("msg_id") != request:
        reply = client.get_shell_msg(timeout=60)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    kernel.run("assert not [t for t in threading.enumerate() if t.name == 'flowlab-live']")
