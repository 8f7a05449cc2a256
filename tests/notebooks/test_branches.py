"""Every branch of every notebook runs headless at scale tiny, and leaves nothing behind."""

import re

import nbformat
import pytest

from flowlab.adventure import CHAPTERS, notebooks_folder
from flowlab.adventure.series import PLACES, QUIZZES

READY = [chapter for chapter in CHAPTERS.values() if chapter.ready]
MATRIX = [(chapter.name, branch.option) for chapter in READY for branch in chapter.decision.branches]


ANSWERED = {chapter.name: chapter.decision.branches[-1].option for chapter in READY}
UNANSWERED = [(name, option) for name, option in MATRIX if option != ANSWERED[name]]


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
    keys = [key for key, place in PLACES.items() if place == chapter.name]
    right = {f"quiz_{n}": question.right for key in keys for n, question in enumerate(QUIZZES[key], 1)}
    return parameters | right | {guess.name: guess.choices[0] for guess in chapter.guesses}, notebook


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
def test_what_is_not_answered_is_not_attempted_and_stops_nothing(branches, tagged, predicted, name, option):
    taken = branches[name, option].result()
    keys = predicted(taken.notebook)
    for key in keys:
        assert f"Prediction {key!r}: not attempted." in taken.printed
    assert taken.printed.count("Your prediction: not attempted; measured: ") == len(keys)
    for stub in tagged(taken.notebook, "exercise"):
        assert f"Exercise {stub.metadata['flowlab']['exercise']!r}: not attempted." in taken.printed
    noted = taken.journal.entries("prediction", name)
    assert {(entry.key, entry.value) for entry in noted} == {(key, None) for key in keys}


@pytest.mark.parametrize("chapter", READY, ids=lambda chapter: chapter.name)
def test_answers_and_solutions_are_found_right(branches, tagged, predicted, chapter):
    taken = branches[chapter.name, ANSWERED[chapter.name]].result()
    for stub in tagged(taken.notebook, "exercise"):
        assert f"Exercise {stub.metadata['flowlab']['exercise']!r}: right, in all" in taken.printed
    assert "not attempted" not in taken.printed
    for key, (_, options) in predicted(taken.notebook).items():
        answered, revealed = taken.journal.entries("prediction", chapter.name, key)
        assert (answered.value, revealed.value) == (options[0],) * 2
        assert revealed.facts["outcome"] in options


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, name in PLACES.items() if CHAPTERS[name].ready])
def test_a_quiz_is_right_by_parameter_and_not_attempted_without(branches, key, name):
    taken = branches[name, ANSWERED[name]].result()
    assert f"Quiz {key!r}: 3 of 3 answered, 3 right." in taken.printed
    assert taken.journal.last("quiz", name, key).value == "".join(question.right for question in QUIZZES[key])
    other = next(branches[each].result() for each in UNANSWERED if each[0] == name)
    assert f"Quiz {key!r}: not attempted, 3 questions." in other.printed
    assert other.journal.last("quiz", name, key).value is None


@pytest.mark.parametrize(("name", "option"), MATRIX)
def test_every_figure_has_words_for_who_cannot_see_it_a_caption_and_its_numbers(branches, name, option):
    shown = [
        out.data["text/html"] for out in branches[name, option].result().outputs if "text/html" in out.get("data", {})
    ]
    pictures = [html for html in shown if "<img" in html]
    assert pictures
    for html in pictures:
        for figure in html.split("<figure")[1:]:
            for picture in figure.split("<img")[1:]:
                assert re.match(r"""[^>]*\balt=["'][^"'>]{20,}""", picture), picture[:200]
            assert "<figcaption" in figure and "<table" in figure
        assert html.count("<img") == 2 * html.count("<figure"), "a light and a dark picture each"
    for drawing in (html for html in shown if "<svg" in html and "<img" not in html):
        assert "<title" in drawing or "aria-label" in drawing


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
