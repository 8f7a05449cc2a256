"""An exercise is not attempted, not yet right, or right; and its check survives any answer."""

import pytest

from flowlab.adventure.exercises import cases_of, check, stub_of
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError


def ceiling(share, workers=None):
    """Right."""
    left = 0 if workers is None else share / workers
    return 1 / (1 - share + left)


def test_a_stub_is_not_attempted():
    assert check("ceiling", lambda *_: ...) == "Exercise 'ceiling': not attempted."
    assert check("ceiling", lambda *_: None) == "Exercise 'ceiling': not attempted."


def test_a_right_answer_is_right():
    assert check("ceiling", ceiling) == f"Exercise 'ceiling': right, in all {len(cases_of('ceiling'))} cases."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda share, workers=None: 1 + share, "ceiling(0.5) gave 1.5, expected 2.0"),
        (lambda share, workers=None: 1 / 0, "raised ZeroDivisionError"),
        (lambda: 3, "raised TypeError"),
        (lambda share, workers=None: "fast", "gave 'fast'"),
    ],
    ids=["wrong", "raises", "takes nothing", "wrong kind"],
)
def test_a_wrong_answer_is_not_yet_right_and_says_why(answer, said):
    assert check("ceiling", answer).startswith("Exercise 'ceiling': not yet.")
    assert said in check("ceiling", answer)


def test_an_unknown_exercise_is_refused_with_the_names():
    with pytest.raises(SettingError, match=r"Exercises: summary, .*ceiling"):
        check("nothing", ceiling)


def test_a_stub_keeps_signature_and_docstring_and_loses_the_body():
    head = 'import math\n\n\ndef root(x):\n    """Return the root."""\n'
    solution = head + '    y = math.sqrt(x)\n    return y\n\n\nprint("after")\n'
    assert stub_of(solution) == head + '    return ...  # your code here\n\n\nprint("after")'


def test_a_stub_without_docstring_keeps_only_the_signature():
    assert stub_of("def one():\n    a = 1\n    return a") == "def one():\n    return ...  # your code here"


def test_no_two_notebooks_have_an_exercise_of_the_same_name():
    names = [name for chapter in CHAPTERS.values() for name in chapter.exercises]
    assert len(set(names)) == len(names)
