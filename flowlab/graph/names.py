"""The nearest known name to one that is not known, for error messages."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A question with the nearest known name, ready to follow a sentence; empty if none is near.

    >>> nearest("dowload", ["download", "parse"])
    ": did you mean 'download'?"
    """
    from difflib import get_close_matches

    found = get_close_matches(str(name), [str(item) for item in known], n=1, cutoff=0.5)
    return f": did you mean {found[0]!r}?" if found else ""
