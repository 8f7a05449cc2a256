"""What a notebook is made of: its parameters, its decision with its branches, its exercises.

Here: the nouns. Not here: the notebooks there are (`series`), and what a branch does; its function is named, and loaded
when the branch is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isclose
from typing import Any

from flowlab.adventure.parameters import Parameter
from flowlab.errors import SettingError

SCALES = ("tiny", "demo", "class", "large")
DEFAULT_SCALE = "demo"


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


@dataclass(frozen=True, slots=True)
class Branch:
    """One option of a decision.

    Attributes:
        option: The word the reader chooses by.
        text: What it means, as the notebook says it.
        function: Where the experiment is, "module:function".
        then: The notebooks it leads to, the nearest first.
    """

    option: str
    text: str
    function: str
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice in a notebook: its key, the parameter that sets it, and its branches."""

    key: str
    parameter: str
    branches: tuple[Branch, ...]

    @property
    def options(self) -> dict[str, str]:
        """Option to text, in the order they are offered."""
        return {branch.option: branch.text for branch in self.branches}

    def branch(self, option: str) -> Branch:
        """Return the branch of that option.

        Raises:
            SettingError: There is none; the message lists the options.
        """
        for branch in self.branches:
            if branch.option == option:
                return branch
        raise SettingError(f"{option!r} is not a {self.key} to take. Choose: {', '.join(self.options)}")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One notebook.

    Attributes:
        name: The file's name without `.ipynb`.
        title: What one does in it.
        parameters: What may be set.
        decision: What is to be chosen; None if the notebook is not there yet.
        exercises: By name, the cases that tell whether the reader's function is right.
        scale: The scale where nothing is said.
        scaled: By scale, what it says of this notebook's own parameters; it wins over what it says of every notebook's.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...] = ()
    decision: Decision | None = None
    exercises: Mapping[str, tuple[Case, ...]] = field(default_factory=dict)
    scale: str = DEFAULT_SCALE
    scaled: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether the notebook is there yet."""
        return self.decision is not None

    @property
    def number(self) -> str:
        """The two digits its name begins with."""
        return self.name[:2]

    @property
    def guesses(self) -> tuple[Parameter, ...]:
        """The parameters that answer predictions: `guess`, or `guess_` and more."""
        return tuple(p for p in self.parameters if p.name == "guess" or p.name.startswith("guess_"))


def guess(choices: tuple[str, ...], about: str = "your prediction", name: str = "guess") -> Parameter:
    """Return the parameter that answers a prediction.

    Args:
        choices: The answers.
        about: What is predicted, as the parameter's text begins.
        name: `guess`, or `guess_` and more.
    """
    listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
    return Parameter(name, "str", None, f"{about}: {listed}; None is no answer", choices=choices)


def common(repeats: int | None, how_often: str, scale: str = DEFAULT_SCALE) -> tuple[Parameter, ...]:
    """Return the parameters that every notebook has.

    Args:
        repeats: The default number of runs; None leaves it to the scale.
        how_often: What the parameter `repeats` says of itself.
        scale: The chapter's scale where nothing is said.
    """
    return (
        Parameter(
            "scale",
            "str",
            None,
            f"how much work: tiny, demo, class, large; None is {scale}, or FLOWLAB_SCALE",
            choices=SCALES,
        ),
        Parameter("latency_ms", "float", None, "the site's wait, every request; None is the scale's", least=0),
        Parameter("repeats", "int", repeats, how_often, least=1),
        Parameter("seed", "int", 7, "the site's random draws", least=0),
        Parameter("journal", "str", None, "the journal's file; None is .flowlab/journal.jsonl, 'none' keeps none"),
    )
