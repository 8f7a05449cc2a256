"""The journal loses nothing, hinders nobody, and begins anew when asked."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from flowlab.adventure.folders import journal_file
from flowlab.adventure.journals import SCHEMA, Journal
from flowlab.errors import SettingError

WRITER = """
import sys
from pathlib import Path
from flowlab.adventure.journals import Journal
journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for index in range(300):
    journal.append("00_start_here", "choice", sys.argv[2], str(index), padding="x" * (index * 37 % 9000))
"""


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "deep" / "journal.jsonl", now=lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_a_journal_that_is_not_there_is_empty(journal):
    assert journal.entries() == ()
    assert journal.last() is None
    assert journal.table().empty
    assert journal.reset() == "The journal was empty already."
    assert not journal.path.exists()


def test_what_is_appended_is_read_back_in_order(journal):
    journal.append("00_start_here", "choice", "goal", "fast", by="parameter")
    journal.append("02_login_crawl_parse", "result", "road", "parse", summary={"serial": 1.5})
    first, second = journal.entries()
    assert (first.key, first.value, first.facts, first.at) == (
        "goal",
        "fast",
        {"by": "parameter"},
        "2026-01-02T00:00:00+00:00",
    )
    assert journal.entries(notebook="02_login_crawl_parse") == (second,)
    assert journal.last("choice") == first
    assert journal.last(key="road").facts["summary"] == {"serial": 1.5}
    assert list(journal.table()["value"]) == ["fast", "parse"]


def test_every_line_says_its_schema(journal):
    journal.append("00_start_here", "start", "scale", "tiny")
    assert [json.loads(line)["schema"] for line in journal.path.read_text().splitlines()] == [SCHEMA]


def test_lines_of_a_newer_schema_torn_lines_and_strangers_are_passed_over(journal):
    journal.append("00_start_here", "choice", "goal", "fast")
    good = journal.path.read_text()
    newer = good.replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}')
    journal.path.write_text(newer + "[1, 2]\n\n" + '{"schema": 1, "kind": "gossip"}\n' + good + good[:20])
    assert [entry.value for entry in journal.entries()] == ["fast"]


def test_an_entry_after_a_torn_line_is_not_lost(journal):
    journal.append("00_start_here", "choice", "goal", "fast")
    with journal.path.open("a") as file:
        file.write('{"schema": 1, "noteb')
    journal.append("00_start_here", "choice", "goal", "small")
    assert [entry.value for entry in journal.entries()] == ["fast", "small"]


def test_two_processes_appending_at_once_lose_nothing(journal):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(journal.path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=120) and writer.returncode for writer in writers] == [0, 0]
    for name in ("one", "two"):
        assert [entry.value for entry in journal.entries(key=name)] == [str(index) for index in range(300)]
    assert len(journal.path.read_text().splitlines()) == 600


def test_reset_begins_anew_and_keeps_the_old_one_beside(journal):
    journal.append("00_start_here", "choice", "goal", "fast")
    assert "1 entries are kept in journal.jsonl.old" in journal.reset()
    assert journal.entries() == ()
    assert len(Journal(journal.path.with_name("journal.jsonl.old")).entries()) == 1


def test_a_journal_that_cannot_be_written_says_so_and_raises_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    journal = Journal(tmp_path / "file" / "journal.jsonl")
    journal.append("00_start_here", "choice", "goal", "fast")
    assert "cannot be written" in journal.trouble
    assert journal.entries() == ()


def test_an_unknown_kind_is_refused(journal):
    with pytest.raises(SettingError, match="start, choice, prediction, result"):
        journal.append("00_start_here", "gossip", "goal", "fast")


def test_no_journal_keeps_nothing():
    journal = Journal(None)
    journal.append("00_start_here", "choice", "goal", "fast")
    assert journal.entries() == ()
    assert journal.trouble is None


def test_the_parameter_wins_over_the_environment_and_that_over_the_notebooks_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWLAB_JOURNAL", str(tmp_path / "environment.jsonl"))
    assert journal_file(str(tmp_path / "given.jsonl")) == tmp_path / "given.jsonl"
    assert journal_file(None) == tmp_path / "environment.jsonl"
    assert journal_file("none") is None
    monkeypatch.delenv("FLOWLAB_JOURNAL")
    assert journal_file(None).parts[-2:] == (".flowlab", "journal.jsonl")
