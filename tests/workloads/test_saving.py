"""Files are complete or absent, whatever happens to the run that writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowlab.workloads.loneliest.problems import FolderError
from flowlab.workloads.loneliest.saving import downloads_folder, save_whole

WRITER = """
import itertools, sys
from pathlib import Path
from flowlab.workloads.loneliest.saving import save_whole
folder = Path(sys.argv[1])
print("ready", flush=True)
for number in itertools.count():
    save_whole(folder, f"{number % 7}.csv", f"begin {number}\\n" + "x" * 3_000_000 + "\\nend")
    print(number, flush=True)
"""


def test_a_writer_killed_by_sigkill_leaves_complete_files_only_and_the_next_run_sweeps_the_rest(tmp_path: Path) -> None:
    for wanted in ("0", "5", "9"):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        while writer.stdout.readline().strip() != wanted:
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)  # while it writes the next file, most of the time
        writer.wait()
        writer.stdout.close()
        files = list(tmp_path.glob("*.csv"))
        assert files
        for file in files:
            text = file.read_text()
            assert text.startswith("begin") and text.endswith("end")
    with downloads_folder(tmp_path):
        assert all(path.suffix == ".csv" for path in tmp_path.iterdir())


def test_left_overs_of_a_dead_run_are_swept_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".CL.csv.{ended.pid}.part").write_text("half")
    (tmp_path / f".CL.csv.{os.getppid()}.part").write_text("being written")
    (tmp_path / "mine.part").write_text("not ours")
    with downloads_folder(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [f".CL.csv.{os.getppid()}.part", "mine.part"]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    save_whole(tmp_path, "a.csv", "old\r\n")
    save_whole(tmp_path, "a.csv", "né\n")
    assert (tmp_path / "a.csv").read_bytes() == "né\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_failing_write_leaves_nothing_and_says_which_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(FolderError, match=r"cannot write to the downloads folder .*choose another one"):
        save_whole(tmp_path, "a.csv", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_an_unwritable_folder_is_found_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FolderError, match="cannot write to the downloads folder"),
        downloads_folder(tmp_path / "file" / "inner"),
    ):
        raise AssertionError("not reached")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FolderError, match="Permission denied"), downloads_folder(tmp_path):
        raise AssertionError("not reached")


def test_a_temporary_folder_goes_with_the_run_even_a_failing_one() -> None:
    with pytest.raises(KeyboardInterrupt), downloads_folder(None) as folder:
        save_whole(folder, "a.csv", "text")
        raise KeyboardInterrupt
    assert not folder.exists()


def test_a_folder_made_for_a_run_that_saved_nothing_goes_again_and_one_with_files_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError), downloads_folder(tmp_path / "a" / "b"):
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError), downloads_folder(tmp_path / "a" / "b") as folder:
        save_whole(folder, "a.csv", "text")
        raise ValueError
    assert (tmp_path / "a" / "b" / "a.csv").read_text() == "text"
