"""A quiz asks, tells every answer something of its own, gives nothing away, and never blocks."""

import pytest

from flowlab.adventure import pickers, trips
from flowlab.adventure.atlas import PARTS
from flowlab.adventure.journals import Journal
from flowlab.adventure.quizzes import LETTERS, Quiz, quizzed
from flowlab.adventure.series import PLACES, QUIZZES, chapter
from flowlab.errors import SettingError

QUESTIONS = [(key, question) for key, questions in QUIZZES.items() for question in questions]
PART = dict(zip(QUIZZES, PARTS.values(), strict=False))


@pytest.fixture
def trip(monkeypatch, tmp_path):
    this = trips.Trip(chapter("02_login_crawl_parse"), {"scale": "tiny"}, Journal(tmp_path / "journal.jsonl"))
    monkeypatch.setattr(trips, "_current", this)
    return this


@pytest.mark.parametrize(("key", "question"), QUESTIONS, ids=lambda value: getattr(value, "notebook", value))
def test_a_question_has_four_options_each_with_a_feedback_of_its_own(key, question):
    assert tuple(question.options) == tuple(question.feedback) == LETTERS
    assert len(set(question.options.values())) == len(set(question.feedback.values())) == 4
    assert question.right in LETTERS
    assert question.notebook[:2] in PART[key], "it asks about a notebook of its part"


def test_every_part_asks_as_many_questions_as_there_are_parameters_and_stands_at_the_parts_end():
    assert list(PLACES) == list(QUIZZES)
    for key, questions in QUIZZES.items():
        assert len(questions) == len(quizzed())
        assert PLACES[key][:2] == PART[key][-1]


def test_neither_the_letter_nor_the_length_gives_the_answer_away():
    longest = [max(q.options, key=lambda letter: len(q.options[letter])) == q.right for _, q in QUESTIONS]
    assert sum(longest) <= len(QUESTIONS) / 2
    assert {q.right for _, q in QUESTIONS} == set(LETTERS)


def test_no_answer_is_a_state_that_gives_nothing_away(trip, capsys):
    quiz = trips.quiz("measure", None, None, None)
    assert capsys.readouterr().out == "Quiz 'measure': not attempted, 3 questions.\n"
    shown = repr(quiz) + quiz._repr_html_()
    for question in quiz.questions:
        assert question.options["a"] in quiz._repr_html_()
        assert not any(feedback in shown for feedback in question.feedback.values())
    assert trip.journal.last("quiz").value is None


def test_every_answer_gets_its_feedback_and_the_journal_the_letters(trip, capsys):
    quiz = trips.quiz("measure", "b", "a", None)
    assert capsys.readouterr().out == "Quiz 'measure': 2 of 3 answered, 1 right.\n"
    assert quiz.feedback(0).startswith("Right. Wall time far above")
    assert quiz.feedback(1).startswith("Not so. That is 1 / 0.3.")
    assert quiz.feedback(2) == "Not attempted."
    entry = trip.journal.last("quiz")
    assert (entry.key, entry.value, entry.facts) == ("measure", "ba-", {"right": 1, "questions": 3})


def test_the_feedback_says_what_the_readers_own_notebook_found(trip):
    trip.journal.append("02_login_crawl_parse", "result", "road", "parse", sentence="Parsing was 2 x as fast, n = 3.")
    quiz = trips.quiz("measure", None, "c", None)
    assert quiz.feedback(1).endswith("Your notebook 02 found: Parsing was 2 x as fast, n = 3.")


def test_by_widget_one_question_is_answered_at_a_time(trip):
    quiz = trips.quiz("measure", None, None, None)
    _, first, _, second, *_ = pickers.widget("measure").children
    radio, button, shown = second.children
    button.click()
    assert "Choose one first" in shown.value
    radio.value = "c"
    button.click()
    assert "Right. 70 % of the time is left" in shown.value
    assert first.children[0].value is None
    assert quiz.answers == [None, "c", None]
    assert trip.journal.last("quiz").value == "-c-"


@pytest.mark.parametrize("answers", [("e", None, None), ("b",), ("b",) * 4])
def test_what_is_no_answer_is_refused(answers):
    quiz = Quiz("measure", QUIZZES["measure"], [None] * 3)
    with pytest.raises(SettingError, match=r"Choose: a, b, c, d, or None|has 3 questions"):
        quiz.give(*answers)


def test_an_unknown_quiz_is_refused_with_those_there_are(trip):
    with pytest.raises(SettingError, match="Quizzes: measure, wait-and-work"):
        trips.quiz("nothing")
