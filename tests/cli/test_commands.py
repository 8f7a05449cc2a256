"""The command line, called as a person would: real processes, real site, exit statuses and sentences."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

STRATEGIES = ("serial", "threads", "asyncio", "processes", "hybrid", "dataflow")


def flowlab(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flowlab.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **more}, timeout=240)


def test_compare_prints_a_row_a_strategy_the_answer_and_the_path_of_the_report(tmp_path: Path) -> None:
    found = flowlab("compare", "loneliest", "--scale", "tiny", "--repeats", "1", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    rows = [line.split()[0] for line in found.stdout.splitlines() if line.strip().startswith(STRATEGIES)]
    assert [row for row in rows if row in STRATEGIES][:6] == list(STRATEGIES)
    assert "\n (site) " in found.stdout and "Mataveri" in found.stdout and "estimate" in found.stdout
    path = re.search(r"Report: (.*)", found.stdout)
    assert path and (tmp_path / path.group(1)).read_text().lower().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        pytest.param(["compare", "lonliest"], "no built-in job", 2, id="unknown job"),
        pytest.param(["compare", "loneliest", "--scale", "huge"], "huge", 2, id="unknown scale"),
        pytest.param(["compare", "loneliest", "--strategies", "treads"], "did you mean 'threads'", 2, id="strategy"),
        pytest.param(["compare", "loneliest", "--n-countries", "0"], "n_countries", 2, id="no country"),
        pytest.param(["compare", "loneliest", "--compute", "magic"], "pairs", 2, id="unknown algorithm"),
        pytest.param(["compare", "loneliest", "--parser", "magic"], "soup", 2, id="unknown parser"),
        pytest.param(["compare", "loneliest", "--report", "/dev/null/x.html"], "--report", 2, id="unwritable report"),
        pytest.param(["demo", "--figures", "/dev/null/x"], "--figures", 2, id="unwritable folder of figures"),
        pytest.param(["try", "leaves.py:f", "--items", "x"], "SystemExit: 4", 2, id="a module that leaves"),
        pytest.param(["demo", "--repeats", "2"], "3 or more", 2, id="too few repeats"),
        pytest.param(["try", "nothing:f", "--items", "x"], "no module 'nothing'", 2, id="no module"),
        pytest.param(["try", "json", "--items", "x"], "names no functions", 2, id="no function named"),
        pytest.param(["try", "json:lods", "--items", "x"], "did you mean 'loads'", 2, id="unknown function"),
        pytest.param(["try", "json:loads", "--items", "x.txt"], "cannot read items", 2, id="no items file"),
    ],
)
def test_bad_input_is_one_sentence_and_a_status(
    arguments: list[str], message: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(4)\n")
    found = flowlab(*arguments, cwd=tmp_path)
    assert found.returncode == status, found.stderr
    assert message in found.stderr and "Traceback" not in found.stderr
    assert found.stderr.strip().splitlines()[-1].startswith("flowlab: ")


def test_a_site_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:  # a port nobody serves: bound, never listening
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = flowlab(
            "compare", "loneliest", "--scale", "tiny", "--repeats", "1", "--strategies", "serial", "--url", url,
            cwd=tmp_path,
        )  # fmt: skip
    assert found.returncode != 0 and "Traceback" not in found.stderr + found.stdout
    assert url in found.stdout + found.stderr


def test_try_compares_functions_of_a_file_and_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import time\ndef fetch(line):\n    time.sleep(0.02)\n    return line\ndef size(text):\n    return len(text)\n"
    )
    (tmp_path / "lines.txt").write_text("".join(f"line {number}\n" for number in range(40)))
    found = flowlab("try", "mine:fetch,size", "--items", "lines.txt", "--sample", "20", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "6 strategies x 3 repeats x 40 calls = 720 real calls" in found.stdout + found.stderr
    told = " ".join(found.stdout.split())  # lines are wrapped anywhere
    assert re.search(r"Run it with|Stay serial", told) and "extrapolation from 20" in told
    assert "from mine import fetch, size" in found.stdout


def test_try_takes_a_json_list_and_lists_the_items_that_failed(tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text(json.dumps([1, 2, 0]))
    (tmp_path / "mine.py").write_text("def inverse(number):\n    return 1 / number\n")
    found = flowlab(
        "try",
        "mine.py:inverse",
        "--items",
        "items.json",
        "--repeats",
        "1",
        "--strategies",
        "serial,threads",
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert " ".join(found.stdout.split()).count("1 item failed: item 2 (ZeroDivisionError)") == 2


def test_results_that_differ_make_the_status_1(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\ndef pid(_):\n    return os.getpid()\n")
    (tmp_path / "items.txt").write_text("a\n")
    found = flowlab("try", "mine:pid", "--items", "items.txt", "--repeats", "1", cwd=tmp_path)
    assert found.returncode == 1 and "do not agree" in found.stderr


@pytest.mark.skipif(os.name == "nt", reason="a console interrupt cannot be sent to one process there")
def test_an_interrupt_ends_everything_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowlab.cli", "compare", "loneliest", "--scale", "demo"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    family = psutil.Process(running.pid)
    deadline = time.monotonic() + 60
    started: list[psutil.Process] = []
    while len(started) < 3:  # the site, the sampler, a run
        assert time.monotonic() < deadline and running.poll() is None
        started = family.children(recursive=True)
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.tmp"))


def test_an_interrupt_while_the_command_is_loaded_is_one_sentence(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Loading:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'flowlab.cli.commands':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Loading())\n"
        "from flowlab.cli import main\n"
        "sys.exit(main(['try', 'mine:f', '--items', 'x']))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found.returncode == 130
    assert found.stderr.splitlines() == ["flowlab: interrupted: everything that was started has been ended"]


@pytest.mark.skipif(os.name == "nt", reason="a console interrupt cannot be sent to one process there")
def test_site_serves_in_the_foreground_until_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowlab.cli", "site", "--latency-ms", "0"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    line = running.stdout.readline()
    try:
        assert re.search(r"http://127\.0\.0\.1:\d+", line)
    finally:
        running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode in (0, 130) and "Traceback" not in errors


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        found = flowlab("site", "--port", port, cwd=tmp_path)
    assert found.returncode != 0 and port in found.stderr and "Traceback" not in found.stderr


def test_machine_prints_what_may_be_used_a_subject_a_line(tmp_path: Path) -> None:
    found = flowlab("machine", cwd=tmp_path)
    subjects = [line.split()[0] for line in found.stdout.splitlines()]
    assert found.returncode == 0
    assert subjects == ["processor", "cores", "memory", "busy", "stolen", "power", "clusters", "python", "system"]
