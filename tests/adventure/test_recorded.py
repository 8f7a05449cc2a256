"""Recorded data come from the notebooks themselves, and are never shown without saying so."""

import json
from dataclasses import replace

import pytest

from flowlab.adventure import trips
from flowlab.adventure.branches import recorded, recording
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.series import CHAPTERS, chapter
from flowlab.errors import SettingError

FILES = sorted(recording.FOLDER.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_recorded_are_a_notebooks_branches_with_the_machine(file):
    data = recorded.recorded(file.stem)
    assert list(data["branches"]) == list(chapter(file.stem).decision.options)
    assert "Python" in data["where"] and "scale" in data["where"]
    assert recorded.where(file.stem).startswith("recorded elsewhere: ")


@pytest.fixture
def outcome():
    return Outcome("road", "parse", "line", facts={"mine": {"n": 1, "wall_s": 1.23456}})


def test_a_branch_is_told_from_the_journals_and_the_recorded(outcome, tmp_path, monkeypatch, capsys):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("02_login_crawl_parse", "result", "road", "algorithm", summary={"old": {"n": 3}},
                   parameters={"scale": "class"})  # fmt: skip
    monkeypatch.setattr(trips, "_current", trips.Trip(chapter("02_login_crawl_parse"), {}, journal))
    table = recorded.side_by_side(outcome)
    assert capsys.readouterr().out == recorded.where("02_login_crawl_parse") + "\n"
    source = table.groupby("road")["where from"].first()
    assert source["parse"] == "measured just now"
    assert source["algorithm"].startswith("your journal, 20") and source["algorithm"].endswith("scale class")
    assert source["download"] == recorded.LABEL
    assert table[table.way == "mine"].wall_s.item() == 1.235


def test_where_nothing_is_recorded_the_error_names_the_command(outcome):
    with pytest.raises(SettingError, match=r"python -m flowlab.adventure.branches.recording 99_nowhere"):
        recorded.recorded("99_nowhere")


def test_recording_runs_a_branch_and_keeps_what_the_journal_would():
    whole = CHAPTERS["00_start_here"]
    small = replace(whole, decision=replace(whole.decision, branches=(whole.decision.branch("small"),)))
    data = json.loads(recording.text(recording.record(small, {"scale": "tiny", "repeats": 1})))
    assert data["branches"]["small"]["BeautifulSoup"]["n"] == 1
    assert data["where"].endswith("scale tiny")
