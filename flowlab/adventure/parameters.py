"""Parameters: the names a notebook's first code cell may set, and the values they may have.

Here: what a parameter is, which names a notebook's cells gave, and the check of names and values. Not here: what a
parameter does. The invariant: a name or a value that nobody knows never passes silently; the error lists the choices.
Papermill alone warns about an unknown name and goes on with the default.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType

from flowlab.errors import SettingError

TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int)}
INJECTED = "# Parameters"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name of a notebook's parameters cell.

    Attributes:
        name: The name, as the cell spells it.
        type: "str", "int" or "float", as the cell's type comment says.
        default: The value the cell gives; None means "not said".
        text: What it is for, one line.
        choices: The values allowed; empty means any of the type.
        least: The smallest number allowed.
    """

    name: str
    type: str
    default: object
    text: str
    choices: tuple[str, ...] = ()
    least: float | None = None

    def describe(self) -> str:
        """Return the name with what it may be, as an error lists it."""
        allowed = " | ".join(repr(choice) for choice in self.choices) or self.type
        return f"{self.name} ({allowed}{' or None' if self.default is None else ''})"

    def checked(self, value: object) -> object:
        """Return the value if it is allowed.

        Raises:
            SettingError: It is not; the message lists what is.
        """
        if value is None and self.default is None:
            return value
        if isinstance(value, bool) or not isinstance(value, TYPES[self.type]):
            raise SettingError(f"parameter {self.name} is a {type(value).__name__}, and may be: {self.describe()}")
        if self.choices and value not in self.choices:
            raise SettingError(
                f"{value!r} is not a choice for {self.name}{_nearest(str(value), self.choices)}. "
                f"Choose: {', '.join(self.choices)}"
            )
        if self.least is not None and isinstance(value, int | float) and not value >= self.least:
            raise SettingError(f"parameter {self.name} must be {self.least:g} or more")
        return value


def _nearest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def checked(
    parameters: Sequence[Parameter], namespace: Mapping[str, object], given: Iterable[str]
) -> dict[str, object]:
    """Return every parameter's value, checked.

    Args:
        parameters: The names there are.
        namespace: Where the values are, usually a notebook's globals().
        given: All the names the reader set; each must be a parameter.

    Raises:
        SettingError: A name or a value is unknown; the message lists the choices.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise SettingError(
                f"there is no parameter {name!r}{_nearest(name, known)}. "
                f"Parameters: {', '.join(p.describe() for p in parameters)}"
            )
    return {name: parameter.checked(namespace.get(name, parameter.default)) for name, parameter in known.items()}


def names_given(parameters: Sequence[Parameter], namespace: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names that the reader set: by hand in the parameters cell, or by papermill in the cell it injects.

    A notebook's history of cells tells them from names that later cells made. Without a history (a script) every
    public name that is no module, function or class counts.
    """
    history = namespace.get("In")
    if isinstance(history, list):
        cells = parameter_cells([p.name for p in parameters], [str(cell) for cell in history])
        if cells:
            return tuple(dict.fromkeys(name for cell in cells for name in assigned_names(cell)))
    shown = {name: value for name, value in namespace.items() if not name.startswith("_")}
    return tuple(n for n, v in shown.items() if n not in _IPYTHON and not isinstance(v, ModuleType) and not callable(v))


_IPYTHON = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open"})


def parameter_cells(known: Sequence[str], history: Sequence[str]) -> list[str]:
    """Return the cell that last set most of the known names, and the cells injected after it."""
    for index in range(len(history) - 1, -1, -1):
        if 2 * len(set(assigned_names(history[index])) & set(known)) > len(known):
            return [history[index], *(cell for cell in history[index + 1 :] if cell.lstrip().startswith(INJECTED))]
    return []


def assigned_names(source: str) -> tuple[str, ...]:
    """Return the names a cell assigns at its top level, in order.

    >>> assigned_names("path = 'parse'; n: int = 3")
    ('path', 'n')
    """
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return ()
    found: dict[str, None] = {}
    for statement in statements:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            found.update({node.id: None for node in ast.walk(target) if isinstance(node, ast.Name)} if target else {})
    return tuple(found)
