"""Every branch of every notebook runs headless at scale tiny, and leaves nothing behind."""

import nbformat
import pytest

from flowlab.adventure import CHAPTERS, notebooks_folder

READY = [chapter for chapter in CHAPTERS.values() if chapter.ready]
MATRIX = [(chapter.name, branch.option) for chapter in READY for branch in chapter.decision.branches]


@pytest.fixture(scope="module")
def branches(take):
    """Every branch, run as its notebook is stored, two at a time."""
    return {
        (chapter.name, branch.option): take(chapter.name, {chapter.decision.parameter: branch.option, "repeats": 1})
        for chapter in READY
        for branch in chapter.decision.branches
    }


@pytest.mark.parametrize(("name", "option"), MATRIX)
def test_a_branch_runs_unattended_and_says_what_it_did(branches, name, option):
    taken = branches[name, option].result()
    decision = CHAPTERS[name].decision
    assert f"Your {decision.key}: {option}, {decision.options[option]}." in taken.printed
    assert f"{decision.key} {option!r}: " in taken.printed, "the outcome's line is missing"
    assert "not attempted" in taken.printed, "an unanswered prediction or exercise says so"
    assert not [out for out in taken.outputs if out.output_type == "error" or out.get("name") == "stderr"]


@pytest.mark.parametrize(("name", "option"), MATRIX)
def test_a_branch_leaves_choice_and_result_in_the_journal(branches, name, option):
    taken = branches[name, option].result()
    decision = CHAPTERS[name].decision
    assert [(e.key, e.value) for e in taken.journal.entries("choice", name)] == [(decision.key, option)]
    result = taken.journal.last("result", name, decision.key)
    assert result.value == option
    assert result.facts["parameters"]["scale"] == "tiny"
    assert "Python" in result.facts["machine"]
    assert result.facts["summary"]
    assert taken.journal.last("prediction", name).value is None


def test_files_are_left_only_where_they_were_asked_for(branches):
    for taken in (future.result() for future in branches.values()):
        assert {path.name for path in taken.folder.iterdir()} == {"out.ipynb", "journal.jsonl"}


def test_an_unknown_parameter_is_refused_where_papermill_alone_would_only_warn(take):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match=r"no parameter 'pth' \(did you mean 'path'\?\).*n_countries"):
        take("02_login_crawl_parse", {"pth": "parse"}).result()


def test_an_unknown_choice_is_refused_with_the_choices(take):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="Choose: fast, small, frugal, simple"):
        take("00_start_here", {"goal": "quick"}).result()


@pytest.mark.parametrize("chapter", READY, ids=lambda chapter: chapter.name)
def test_answers_and_solutions_are_found_right(take, tagged, chapter):
    notebook = nbformat.read(notebooks_folder() / f"{chapter.name}.ipynb", as_version=4)
    stubs, solutions = tagged(notebook, "exercise"), tagged(notebook, "solution")
    for stub, solution in zip(stubs, solutions, strict=True):
        stub.source = solution.source
    guess = next(p for p in chapter.parameters if p.name == "guess").choices[0]
    taken = take(chapter.name, {"guess": guess, "repeats": 1}, changed=notebook).result()
    for stub in stubs:
        assert f"Exercise {stub.metadata['flowlab']['exercise']!r}: right, in all" in taken.printed
    assert "not attempted" not in taken.printed
    answered, revealed = taken.journal.entries("prediction", chapter.name)
    assert (answered.value, revealed.value) == (guess, guess)
    assert revealed.facts["outcome"]


def test_no_process_outlives_the_notebooks(branches, leftovers):
    for future in branches.values():
        future.result()
    assert leftovers() == []
