"""Quizzes: at the end of each part a few questions that ask what would happen, and why.

Here: a question, and a quiz with the answers given so far. Not here: the questions there are (`series.quizzes`). The
invariant: a quiz never blocks, every answer gets its own feedback, and what is not answered gives nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from textwrap import fill

from flowlab.adventure.parameters import Parameter
from flowlab.adventure.predictions import NOT_ATTEMPTED
from flowlab.errors import SettingError

LETTERS = ("a", "b", "c", "d")
COUNT = 3
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Question:
    """What would happen? Four options, one of them right.

    Attributes:
        text: What is asked.
        options: The options' texts, by letter.
        feedback: What to say to whoever chose it, by letter.
        right: The right letter.
        notebook: The notebook that measures it.
    """

    text: str
    options: Mapping[str, str]
    feedback: Mapping[str, str]
    right: str
    notebook: str


def asked(text: str, notebook: str, right: str, *options: tuple[str, str]) -> Question:
    """Return a question; every option comes with its feedback, in the order of the letters."""
    lettered = dict(zip(LETTERS, options, strict=True))
    return Question(
        text, {k: v[0] for k, v in lettered.items()}, {k: v[1] for k, v in lettered.items()}, right, notebook
    )


def quizzed() -> tuple[Parameter, ...]:
    """Return the parameters that answer a quiz: `quiz_1`, `quiz_2`, `quiz_3`."""
    return tuple(
        Parameter(f"quiz_{n}", "str", None, f"the quiz, question {n}: a, b, c or d; None is no answer", choices=LETTERS)
        for n in range(1, COUNT + 1)
    )


@dataclass(slots=True)
class Quiz:
    """The questions of one part, and the answers given so far.

    Attributes:
        key: The part.
        questions: What is asked.
        answers: A letter a question, or None.
        noted: Called with the letters ("-" for none) and how many are right, for the journal.
        measured: What the journal has of a notebook, one sentence, or "".
    """

    key: str
    questions: Sequence[Question]
    answers: list[str | None]
    noted: Callable[[str, int], None] = field(default=lambda letters, right: None, repr=False)
    measured: Callable[[str], str] = field(default=lambda notebook: "", repr=False)

    @property
    def right(self) -> int:
        """How many answers are right."""
        return sum(answer == each.right for answer, each in zip(self.answers, self.questions, strict=True))

    @property
    def line(self) -> str:
        """The state in one sentence."""
        given = sum(answer is not None for answer in self.answers)
        if not given:
            return f"Quiz {self.key!r}: {NOT_ATTEMPTED}, {len(self.questions)} questions."
        return f"Quiz {self.key!r}: {given} of {len(self.questions)} answered, {self.right} right."

    def give(self, *answers: str | None) -> None:
        """Take a letter for every question, or None for no answer.

        Raises:
            SettingError: There are fewer or more than questions, or one is no letter of an option.
        """
        if len(answers) != len(self.questions):
            raise SettingError(f"quiz {self.key!r} has {len(self.questions)} questions, not {len(answers)}")
        for number, answer in enumerate(answers, 1):
            if answer is not None and answer not in LETTERS:
                raise SettingError(f"{answer!r} answers no question {number}. Choose: {', '.join(LETTERS)}, or None")
        self.answers = list(answers)
        self.noted("".join(answer or "-" for answer in answers), self.right)

    def feedback(self, index: int) -> str:
        """Return what there is to say to an answer: right or not, why, and what the reader's own notebook found."""
        answer, question = self.answers[index], self.questions[index]
        if answer is None:
            return f"{NOT_ATTEMPTED[0].upper()}{NOT_ATTEMPTED[1:]}."
        said = "Right." if answer == question.right else "Not so."
        found = self.measured(question.notebook)
        yours = f" Your notebook {question.notebook[:2]} found: {found}" if found else ""
        return f"{said} {question.feedback[answer]}{yours}"

    def __repr__(self) -> str:
        lines = []
        for index, question in enumerate(self.questions):
            lines.append(fill(f"{index + 1}. {question.text}", WIDTH, subsequent_indent="   "))
            for letter, text in question.options.items():
                mark = "*" if letter == self.answers[index] else " "
                lines.append(fill(f" {mark} {letter}) {text}", WIDTH, subsequent_indent="      "))
            lines.append(fill(f"   {self.feedback(index)}", WIDTH, subsequent_indent="   "))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<ol>{''.join(self._item(index) for index in range(len(self.questions)))}</ol>"

    def _item(self, index: int) -> str:
        chosen = self.answers[index]
        options = "".join(
            f"<li>{f'<b>{escape(text)}</b> (your answer)' if letter == chosen else escape(text)}</li>"
            for letter, text in self.questions[index].options.items()
        )
        return (
            f"<li>{escape(self.questions[index].text)}<ol type='a'>{options}</ol>"
            f"<p><i>{escape(self.feedback(index))}</i></p></li>"
        )
