"""Exercises: the reader writes a function, and a check says how far it is.

Here: the three-state check, and how a stub comes of its solution. Not here: the cases (`series`), and the exercise's
text; that is in the notebook. The invariant: a stub is its solution without the body, so the two cannot
drift apart, and a check never raises, whatever the reader wrote.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from flowlab.adventure.chapters import Case
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError

TODO = "return ...  # your code here"


def check(name: str, answer: Callable[..., Any]) -> str:
    """Return the state of an exercise in one sentence: not attempted, not yet (and why), or right.

    Args:
        name: The exercise.
        answer: The reader's function.

    Raises:
        SettingError: There is no such exercise.
    """
    cases = cases_of(name)
    for case in cases:
        call = f"{name}({', '.join(map(repr, case.arguments))})"
        try:
            found = answer(*case.arguments)
        except Exception as error:
            return f"Exercise {name!r}: not yet. {call} raised {type(error).__name__}: {error}"
        if found is None or found is ...:
            return f"Exercise {name!r}: not attempted."
        if not case.holds(found):
            return f"Exercise {name!r}: not yet. {call} gave {found!r}, expected {case.expected!r}."
    return f"Exercise {name!r}: right, in all {len(cases)} cases."


def cases_of(name: str) -> tuple[Case, ...]:
    """Return the cases of an exercise.

    Raises:
        SettingError: There is no such exercise; the message lists those there are.
    """
    exercises = {each: cases for chapter in CHAPTERS.values() for each, cases in chapter.exercises.items()}
    if name not in exercises:
        raise SettingError(f"there is no exercise {name!r}. Exercises: {', '.join(exercises)}")
    return exercises[name]


def stub_of(solution: str) -> str:
    """Return a solution's cell with every function's body, apart from its docstring, left to the reader.

    >>> print(stub_of('def one():\\n    "Return 1."\\n    return 1'))
    def one():
        "Return 1."
        return ...  # your code here
    """
    lines = solution.rstrip().splitlines()
    for function in reversed([n for n in ast.parse(solution).body if isinstance(n, ast.FunctionDef)]):
        documented = ast.get_docstring(function) is not None
        body = function.body[1:] if documented else function.body
        if body:
            indent = " " * body[0].col_offset
            lines[body[0].lineno - 1 : body[-1].end_lineno] = [indent + TODO]
    return "\n".join(lines)
