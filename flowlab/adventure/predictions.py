"""Predictions: an answer given before the run, and what came of it.

Here: one prediction. Not here: the run. The invariant: a prediction never blocks; unanswered is a state like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flowlab.errors import SettingError

NOT_ATTEMPTED = "not attempted"


@dataclass(slots=True)
class Prediction:
    """A question with options, and the reader's answer if there is one.

    Attributes:
        key: Its name in the journal.
        question: What is asked.
        options: Answer to its text.
        answer: The answer given, or None.
        noted: Called with the answer and with what came out, for the journal.
    """

    key: str
    question: str
    options: Mapping[str, str]
    answer: str | None = None
    noted: Callable[[str | None, str | None], None] = field(default=lambda answer, outcome: None, repr=False)

    @property
    def line(self) -> str:
        """The state in one sentence."""
        if self.answer is None:
            return f"Prediction {self.key!r}: {NOT_ATTEMPTED}. Choose: {', '.join(self.options)}."
        return f"Prediction {self.key!r}: {self.answer}, {self.options[self.answer]}."

    def give(self, answer: str | None) -> None:
        """Take an answer, or None for none.

        Raises:
            SettingError: It is not one of the options; the message lists them.
        """
        if answer is not None and answer not in self.options:
            choices = ", ".join(self.options)
            raise SettingError(f"{answer!r} is not an answer to {self.key!r}. Choose: {choices}, or None")
        self.answer = answer
        self.noted(answer, None)

    def reveal(self, outcome: str) -> str:
        """Return what came out beside what was predicted, one sentence.

        Raises:
            SettingError: The outcome is not one of the options.
        """
        if outcome not in self.options:
            raise SettingError(f"{outcome!r} is not an option of {self.key!r}. Options: {', '.join(self.options)}")
        self.noted(self.answer, outcome)
        measured = f"measured: {outcome}, {self.options[outcome]}"
        if self.answer is None:
            return f"Your prediction: {NOT_ATTEMPTED}; {measured}."
        said = f"{self.answer}, {self.options[self.answer]}"
        verdict = "as you said" if self.answer == outcome else f"and you said {said}"
        return f"{measured[0].upper()}{measured[1:]}; {verdict}."
