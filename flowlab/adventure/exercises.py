"""Exercises: the reader writes a function, and a check says how far it is.

Here: the three-state check, and how a stub comes of its solution. Not here: the cases (`series`), and the exercise's
text; that is in the notebook. The invariant: a stub is its solution without the body, so the two cannot
drift apart, and a check never raises, whatever the reader wrote.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from math import isclose
from typing import Any

from flowlab.errors import SettingError

TODO = "return ...  # your code here"


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments, and what a right answer returns for them."""

    arguments: tuple[Any, ...]
    expected: Any

    def holds(self, found: Any) -> bool:
        """Return whether the answer found is the expected one, floats within a millionth."""
        return _same(found, self.expected)


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return isinstance(found, int | float) and isclose(found, expected, rel_tol=1e-6)
    if isinstance(expected, tuple | list):
        return (
            isinstance(found, tuple | list)
            and len(found) == len(expected)
            and all(_same(one, other) for one, other in zip(found, expected, strict=True))
        )
    return bool(found == expected)


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
    from flowlab.adventure.series import CHAPTERS

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
