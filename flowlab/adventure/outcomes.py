"""Outcomes: what came of a branch that was taken.

Here: the noun that every branch returns. The invariant: `line` holds nothing that differs between two right runs with
the same parameters (counts, names, checksums, equality), so it can be checked; everything measured is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from textwrap import fill
from typing import Any

WIDTH = 100
Progress = Callable[[int, int, str], None]
"""What a branch calls as it goes on: runs done, runs in all, and what runs now ("" at the end)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a branch found.

    Attributes:
        key: The decision, such as "road".
        option: The branch taken.
        line: What must come out the same every time, one sentence.
        sentence: What was measured, one sentence with n and spread.
        value: What the rest of the notebook works with, often a Comparison.
        facts: The summary for the journal.
    """

    key: str
    option: str
    line: str
    sentence: str = ""
    value: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join(fill(part, WIDTH) for part in (self.line, self.sentence) if part)

    def _repr_html_(self) -> str:
        shown = getattr(self.value, "_repr_html_", None)
        return f"<p>{escape(self.line)}</p><p>{escape(self.sentence)}</p>" + (shown() if callable(shown) else "")
