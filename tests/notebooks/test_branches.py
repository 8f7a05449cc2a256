"""Every branch of every notebook runs headless at scale tiny, and leaves nothing behind."""

import nbformat
import pytest

from flowlab.adventure import CHAPTERS, notebooks_folder

READY = [chapter for chapter in CHAPTERS.values() if chapter.ready]
MATRIX = [(chapter.name, branch.option) for chapter in READY for branch in chapter.decision.branches]


UNANSWERED = [(name, option) for name, option in MATRIX if option != CHAPTERS[name].parameters[0].choices[-1]]


@pytest.fixture(scope="module")
def branches(take, tagged):
    """Every branch run, two at a time: as stored, but each notebook's last one answered and solved."""
    return {
        (chapter.name, option): take(chapter.name, parameters, changed)
        for chapter in READY
        for option in chapter.decision.options
        for parameters, changed in [variant(chapter, option, tagged)]
    }


def variant(chapter, option, tagged):
    """The parameters of a branch's run, and the notebook with its exercises solved if that is the one to solve."""
    parameters = {chapter.decision.parameter: option, "repeats": 1}
    if (chapter.name, option) in UNANSWERED:
        return parameters, None
    notebook = nbformat.read(notebooks_folder() / f"{chapter.name}.ipynb", as_version=4)
    for stub, solution in zip(tagged(notebook, "exercise"), tagged(notebook, "solution"), strict=True):
        stub.source = solution.source
    return parameters | {"guess": guesses(chapter)[0]}, notebook


def guesses(chapter):
    return next(p for p in chapter.parameters if p.name == "guess").choices


@pytest.mark.parametrize(("name", "option"), MATRIX)
def test_a_branch_runs_unattended_and_says_what_it_did(branches, name, option):
    taken = branches[name, option].result()
    decision = CHAPTERS[name].decision
    assert f"Your {decision.key}: {option}, {decision.options[option]}." in taken.printed
    assert f"{decision.key} {option!r}: " in taken.printed, "the outcome's line is missing"
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


@pytest.mark.parametrize(("name", "option"), UNANSWERED)
def test_what_is_not_answered_is_not_attempted_and_stops_nothing(branches, tagged, name, option):
    taken = branches[name, option].result()
    assert "Prediction " in taken.printed
    assert "Your prediction: not attempted; measured: " in taken.printed
    for stub in tagged(taken.notebook, "exercise"):
        assert f"Exercise {stub.metadata['flowlab']['exercise']!r}: not attempted." in taken.printed
    assert taken.journal.last("prediction", name).value is None


@pytest.mark.parametrize("chapter", READY, ids=lambda chapter: chapter.name)
def test_answers_and_solutions_are_found_right(branches, tagged, chapter):
    taken = branches[next(each for each in MATRIX if each[0] == chapter.name and each not in UNANSWERED)].result()
    for stub in tagged(taken.notebook, "exercise"):
        assert f"Exercise {stub.metadata['flowlab']['exercise']!r}: right, in all" in taken.printed
    assert "not attempted" not in taken.printed
    answered, revealed = taken.journal.entries("prediction", chapter.name)
    assert (answered.value, revealed.value) == (guesses(chapter)[0],) * 2
    assert revealed.facts["outcome"] in guesses(chapter)


def test_files_are_left_only_where_they_were_asked_for(branches):
    for taken in (future.result() for future in branches.values()):
        assert {path.name for path in taken.folder.iterdir()} - {"changed.ipynb"} == {"out.ipynb", "journal.jsonl"}


def test_an_unknown_parameter_is_refused_where_papermill_alone_would_only_warn(take):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match=r"no parameter 'pth' \(did you mean 'path'\?\).*n_countries"):
        take("02_login_crawl_parse", {"pth": "parse"}).result()


def test_an_unknown_choice_is_refused_with_the_choices(take):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="Choose: fast, small, frugal, simple"):
        take("00_start_here", {"goal": "quick"}).result()


def test_no_process_outlives_the_notebooks(branches, leftovers):
    for future in branches.values():
        future.result()
    assert leftovers() == []
