"""The commands about stored runs, called as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import flowlab as fl

ITEMS = "".join(f"line {number}\n" for number in range(6))
OPERATION = {"csv": ",size,", "jsonl": '"operation": "size"'}
TRY = ("try", "mine:size", "--items", "lines.txt", "--repeats", "1", "--strategies", "serial,threads")


def flowlab(*arguments: str, cwd: Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    (cwd / "mine.py").write_text("def size(text):\n    return len(text)\n")
    (cwd / "lines.txt").write_text(ITEMS)
    environment = {**os.environ, "FLOWLAB_HOME": str(home or cwd / "home")}
    command = [sys.executable, "-m", "flowlab.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=240)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a comparison was made, and what was printed."""
    folder = tmp_path_factory.mktemp("tried")
    found = flowlab(*TRY, cwd=folder)
    assert found.returncode == 0, found.stderr
    return folder, found.stdout


def kept(printed: str) -> str:
    return printed.partition("Kept as run ")[2].partition(":")[0]


def test_a_comparison_is_kept_under_the_id_that_is_printed(tried: tuple[Path, str]) -> None:
    folder, printed = tried
    listed = flowlab("runs", cwd=folder).stdout.splitlines()
    assert len(listed) == 2 and listed[1].split()[0] == kept(printed) and "comparison" in listed[1]


def test_show_prints_the_machine_the_table_and_every_operation(tried: tuple[Path, str]) -> None:
    folder, printed = tried
    for run in ("last", kept(printed), kept(printed)[:6]):
        found = flowlab("show", run, cwd=folder)
        assert found.returncode == 0, found.stderr
        assert "cores" in found.stdout and "at the start: load" in found.stdout and "speed-up" in found.stdout
        rows = [line.split() for line in found.stdout.splitlines() if line.startswith("size ")]
        assert ["size", "12"] in [row[:2] for row in rows]


def test_show_takes_one_run_of_a_comparison(tried: tuple[Path, str]) -> None:
    folder, _ = tried
    inner = [line.split() for line in flowlab("show", "last", cwd=folder).stdout.splitlines()[-2:]]
    assert sorted(row[1] for row in inner) == ["serial", "threads"]
    found = flowlab("show", inner[0][0], cwd=folder).stdout
    assert "strategy" in found and "peak memory of its processes" in found


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_show_writes_the_calls_to_a_file(tried: tuple[Path, str], ending: str) -> None:
    folder, _ = tried
    found = flowlab("show", "last", "--export", f"calls.{ending}", cwd=folder)
    assert found.returncode == 0 and f"calls.{ending}" in found.stdout
    text = (folder / f"calls.{ending}").read_text()
    assert len(json.loads(text)["traceEvents"]) > 12 if ending == "json" else text.count(OPERATION[ending]) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["show", "lats"], "did you mean 'last'", id="unknown run"),
        pytest.param(["show", "last", "--export", "calls.xlsx"], "choose one", id="unknown ending"),
        pytest.param(["prune"], "--keep", id="nothing said"),
        pytest.param(["prune", "--keep", "-1"], "negative", id="negative"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_status_2(tried: tuple[Path, str], arguments: list[str], message: str) -> None:
    found = flowlab(*arguments, cwd=tried[0])
    assert found.returncode == 2 and message in found.stderr and "Traceback" not in found.stderr


def test_without_a_store_there_are_no_runs_and_none_is_made(tmp_path: Path) -> None:
    assert "no runs" in flowlab("runs", cwd=tmp_path).stdout
    found = flowlab("show", "last", cwd=tmp_path)
    assert found.returncode == 2 and "nothing has been kept" in found.stderr
    assert not (tmp_path / "home").exists()


def test_show_says_what_measuring_cost_and_which_calls_ran_when_memory_was_highest(tmp_path: Path) -> None:
    with fl.store(tmp_path / "home" / "runs.db"), fl.Recorder(sample_hz=100), fl.span("hold"):
        held = bytearray(60 << 20)
        held[::4096] = b"x" * len(held[::4096])
        threading.Event().wait(0.2)
    run = fl.load("last", tmp_path / "home" / "runs.db")
    said = flowlab("show", "last", cwd=tmp_path).stdout.splitlines()
    assert str(run.overhead) in said
    (peak,) = (line for line in said if line.startswith("peak memory"))
    assert peak.endswith(", while these ran: hold") == (len(run.at_peak) == 1)
    assert [record.operation for record in run.at_peak] == ["hold"]


def test_prune_says_what_it_removed(tmp_path: Path) -> None:
    run = kept(flowlab(*TRY, cwd=tmp_path).stdout)
    found = flowlab("prune", "--older-than", "1", cwd=tmp_path)
    assert found.stdout.strip() == "removed 0 runs"
    found = flowlab("prune", "--keep", "0", cwd=tmp_path)
    assert run in found.stdout and "removed 1 run" in found.stdout
    assert "no runs" in flowlab("runs", cwd=tmp_path).stdout


@pytest.mark.parametrize("what", ["another file", "no folder"])
def test_a_store_that_cannot_be_is_one_line_and_the_comparison_is_made(tmp_path: Path, what: str) -> None:
    home = tmp_path / "home"
    if what == "another file":
        home.mkdir()
        (home / "runs.db").write_text("mine")
    else:
        home.write_text("mine")
    found = flowlab(*TRY, cwd=tmp_path, home=home)
    assert found.returncode == 0 and "Report:" in found.stdout and "Kept" not in found.stdout
    said = [line for line in found.stderr.splitlines() if "store" in line]
    assert len(said) == 1 and said[0].startswith("flowlab: ") and "FLOWLAB_HOME" in said[0]
    assert "mine" in (home / "runs.db" if what == "another file" else home).read_text()
