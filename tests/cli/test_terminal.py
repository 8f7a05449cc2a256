"""What a person at a terminal sees: tables that fit, the last words of what failed, and a Ctrl-C that ends all."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

Open = Callable[..., Any]


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [(60, "worker start, data moved, energy"), (80, "worker start, data moved, energy"), (160, "")],
)
def test_the_table_fits_the_terminal_and_names_what_it_leaves_out(columns: int, left_out: str, terminal: Open) -> None:
    opened = terminal(
        "compare", "loneliest", "--scale", "tiny", "--repeats", "1", "--strategies", "serial,processes", columns=columns
    )
    shown = opened.until(None).replace("\r", "")
    assert opened.process.wait(timeout=30) == 0, shown
    lines = shown[shown.index("loneliest: n = 1") :].splitlines()
    assert not [line for line in lines if len(line.rstrip()) > columns and "http" not in line]
    for strategy in ("serial", "processes"):
        (row,) = [line for line in lines if re.match(rf" {strategy} +[\d.]+ s \(", line)]
        assert re.search(r"\d MB", row) and row.count("(") == (2 if columns == 160 else 1)  # energy with its band
    told = re.search(r"Left out of this table for want of width: ([^.]*)\.\s+The\s+report\s+has\s+all", shown)
    names = " ".join(told[1].split()) if told else ""
    assert names.startswith(left_out) and bool(names) == bool(left_out)  # long times need more room than short ones


def test_the_last_lines_of_a_strategy_that_failed_are_shown(terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\ndef f(line):\n    print('at', line)\n    if line == 'eight': os._exit(3)\n    return line\n"
    )
    (tmp_path / "items.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n")
    opened = terminal("try", "mine:f", "--items", "items.txt", "--repeats", "1", "--strategies", "serial,processes")
    shown = opened.until(None).replace("\r", "")
    assert opened.process.wait(timeout=30) == 1
    assert "serial failed: its process ended without a result (exit status 3" in shown
    assert "The last lines that serial printed:\n  at four\n" in shown and "  at eight\n" in shown
    assert "processes: 1 item failed: item 7 (WorkerLost)" in shown
    page = (tmp_path / "reports" / "try.html").read_text(encoding="utf-8")
    assert "at one\n" in page.partition("What the strategies printed")[2]


def slow(folder: Path) -> tuple[str, ...]:
    (folder / "mine.py").write_text("import time\ndef f(line):\n    time.sleep(600)\n    return line\n")
    (folder / "items.txt").write_text("one\ntwo\n")
    return ("try", "mine:f", "--items", "items.txt")


def demo(folder: Path) -> tuple[str, ...]:
    return ("demo", "--scale", "tiny")


@pytest.mark.parametrize("command", [demo, slow])
def test_ctrl_c_in_a_terminal_ends_everything_and_says_so(command: Any, terminal: Open, tmp_path: Path) -> None:
    opened = terminal(*command(tmp_path))
    opened.until("serial")  # its first run
    ports, started = opened.ports(), opened.family()
    assert bool(ports) == (command is demo) and len(started) >= 2
    opened.interrupt()
    shown = opened.until(None, timeout_s=30)
    assert opened.process.wait(timeout=30) == 130
    assert "flowlab: interrupted: everything that was started has been ended" in shown
    assert "Traceback" not in shown and "Error" not in shown
    _, alive = psutil.wait_procs(opened.family(), timeout=10)
    assert not alive
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.html"))
