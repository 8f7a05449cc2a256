"""The reader's path before and after: the journal's own, and what was recorded elsewhere, never mixed up."""

import pytest

from flowlab.adventure import trips
from flowlab.adventure.branches import paths, recorded
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.series import chapter
from flowlab.plots.slopes import LOOKS

NOTEBOOK = "13_your_adventure"


@pytest.fixture
def outcome():
    facts = {"serial": {"n": 3, "wall_s": 4.0}, "threads": {"n": 3, "wall_s": 2.0}, "hybrid": {"n": 3, "wall_s": 1.0}}
    return Outcome("goal", "fast", "line", facts=facts)


@pytest.fixture
def journal(tmp_path, monkeypatch):
    found = Journal(tmp_path / "journal.jsonl")
    monkeypatch.setattr(trips, "_current", trips.Trip(chapter(NOTEBOOK), {"scale": "class"}, found))
    return found


def whose(chart, notebook, branch):
    rows = chart.data[chart.data.notebook.str.startswith(notebook) & (chart.data.branch == branch)]
    return rows.whose.item()


def test_with_an_empty_journal_all_but_this_notebooks_branch_is_labelled_as_recorded(outcome, journal):
    chart = paths.slopes(outcome, "wall_s")
    assert whose(chart, "13", "fast") == LOOKS["chosen"].label
    others = chart.data[~(chart.data.notebook.str.startswith("13") & (chart.data.branch == "fast"))]
    assert set(others.whose) == {LOOKS["elsewhere"].label}
    assert all(text.startswith(recorded.LABEL) for text in others["where from"])
    assert "this notebook at scale class." in chart.caption
    assert f"Recorded elsewhere: {recorded.recorded(NOTEBOOK)['where']}." in chart.caption


def test_the_last_choice_of_a_notebook_is_the_path_and_other_branches_once_taken_are_the_readers_too(outcome, journal):
    for option, wall_s in (("cores", 3.0), ("rule", 2.5)):
        journal.append("03_threads", "choice", "count", option, by="widget")
        summary = {"serial": {"n": 3, "wall_s": 4.0}, "threads": {"n": 3, "wall_s": wall_s}}
        journal.append("03_threads", "result", "count", option, summary=summary, parameters={"scale": "demo"})
    chart = paths.slopes(outcome, "wall_s")
    assert [whose(chart, "03", option) for option in ("cores", "rule", "all")] == [
        LOOKS[known].label for known in ("own", "chosen", "elsewhere")
    ]
    assert "your rule: serial 4 s, threads 2.5 s, 0.62 times" in chart.alt


def test_the_notebooks_without_that_figure_are_left_out_and_all_others_are_there(outcome, journal):
    panels = {title[:2] for title in paths.slopes(outcome, "peak_bytes").data.notebook}
    assert "06" not in panels  # its branches lose updates, and take no memory to speak of
    assert panels >= {"02", "03", "04", "05", "07", "08"}
    assert "13" in panels  # recorded, though this outcome has no memory


def test_a_branch_that_lacks_what_it_is_held_against_has_no_before():
    assert paths.before_after({"serial": {"n": 1}, "threads": {"wall_s": 1.0}}, "wall_s") is None
    assert paths.before_after({"serial": {"wall_s": 1.0}}, "wall_s") is None
