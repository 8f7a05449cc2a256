"""A prediction never blocks, and a claim fails only when it is wrong."""

import pytest

from flowlab.adventure.claims import claim
from flowlab.adventure.predictions import Prediction
from flowlab.errors import SettingError

OPTIONS = {"wait": "waiting", "work": "working"}


def test_without_an_answer_the_outcome_is_told_all_the_same():
    prediction = Prediction("share", "What takes longer?", OPTIONS)
    assert prediction.line == "Prediction 'share': not attempted. Choose: wait, work."
    assert prediction.reveal("wait") == "Your prediction: not attempted; measured: wait, waiting."


def test_an_answer_is_held_against_the_outcome_and_noted():
    noted = []
    prediction = Prediction("share", "What?", OPTIONS, noted=lambda answer, outcome: noted.append((answer, outcome)))
    prediction.give("work")
    assert prediction.reveal("work") == "Measured: work, working; as you said."
    assert prediction.reveal("wait") == "Measured: wait, waiting; and you said work, working."
    assert noted == [("work", None), ("work", "work"), ("work", "wait")]


def test_an_answer_that_is_no_option_is_refused_with_the_options():
    prediction = Prediction("share", "What?", OPTIONS)
    with pytest.raises(SettingError, match="Choose: wait, work, or None"):
        prediction.give("luck")
    with pytest.raises(SettingError, match="Options: wait, work"):
        prediction.reveal("luck")


@pytest.mark.parametrize(
    ("gain", "noise", "scale", "said"),
    [(2.0, 1.1, "class", "Holds: "), (1.3, 1.5, "class", "too busy to tell"), (0.5, 1.0, "tiny", "Not asserted")],
)
def test_a_claim_holds_or_cannot_be_told_or_is_not_asserted(gain, noise, scale, said):
    text = claim("threads are faster", gain, 1.5, noise, scale)
    assert said in text
    assert f"measured {gain:.2f} x" in text


def test_a_claim_that_noise_cannot_explain_fails():
    with pytest.raises(AssertionError, match="does not hold here: threads are faster"):
        claim("threads are faster", 1.0, 1.5, 1.2, "class")


def test_a_claim_is_not_asserted_of_the_readers_own_experiment() -> None:
    assert "since you chose latency_ms = 2" in claim("threads are faster", 1.0, 1.5, 1.2, "class", "latency_ms = 2")
