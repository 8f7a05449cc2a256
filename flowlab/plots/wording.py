"""Quantities in words: what a column is called on an axis, and how one value of it is said.

SI inside (seconds, bytes, joules); seconds, megabytes (10^6 bytes) and joules at this edge. Nothing here draws. The
invariant: every number a picture, its alt text or its caption shows is said by this module, so that one value reads
the same everywhere.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flowlab.comparison.result import Comparison
from flowlab.comparison.wording import number
from flowlab.errors import SettingError
from flowlab.machine import Machine


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured thing: its column, what it is called, and the unit it is shown in."""

    column: str
    label: str
    unit: str
    scale: float = 1.0

    @property
    def axis(self) -> str:
        """The text of an axis, as in "peak memory [MB]"."""
        return f"{self.label} [{self.unit}]"

    def shown(self, value: float) -> float:
        """Return an SI value in the unit it is shown in."""
        return value * self.scale

    def say(self, value: float) -> str:
        """Return an SI value in words.

        >>> QUANTITIES["peak_bytes"].say(312_400_000)
        '312 MB'
        """
        return f"{number(self.shown(value))} {self.unit}"


QUANTITIES = {
    each.column: each
    for each in (
        Quantity("wall_s", "wall time", "s"),
        Quantity("cpu_s", "CPU time", "s"),
        Quantity("start_s", "worker start", "s"),
        Quantity("peak_bytes", "peak memory", "MB", 1e-6),
        Quantity("bytes_moved", "data moved", "MB", 1e-6),
        Quantity("energy_j", "energy (estimate)", "J"),
    )
}


def quantity(column: str) -> Quantity:
    """Return what is known of `column`.

    Raises:
        SettingError: It is no column a comparison can be drawn by.
    """
    if column not in QUANTITIES:
        raise SettingError(f"there is no quantity {column!r} to draw: choose one of {', '.join(QUANTITIES)}.")
    return QUANTITIES[column]


def seconds(value: float) -> str:
    """Return a duration in seconds, in words.

    >>> seconds(0.1234)
    '0.123 s'
    """
    return f"{number(value)} s"


def percent(part: float, whole: float) -> str:
    """Return a share in words; of nothing it is 0 %.

    >>> percent(1, 3)
    '33 %'
    """
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def sentence_case(text: str) -> str:
    """Return the text with a capital first letter and the rest as it is.

    >>> sentence_case("peak memory of PSS")
    'Peak memory of PSS'
    """
    return text[:1].upper() + text[1:]


def listing(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> listing(["serial", "threads", "asyncio"])
    'serial, threads and asyncio'
    """
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(count: int, thing: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "call"), counted(2, "call")
    ('1 call', '2 calls')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def runs_each(counts: Iterable[int]) -> str:
    """Return n in words, from the number of runs of each strategy.

    >>> runs_each([3, 3]), runs_each([2, 3]), runs_each([1])
    ('n = 3 runs a strategy', 'n = 2 to 3 runs a strategy', 'n = 1 run a strategy')
    """
    low, high = min(counts := list(counts)), max(counts)
    if low != high:
        return f"n = {low} to {high} runs a strategy"
    return f"n = {counted(low, 'run')} a strategy"


def provenance(source: Any) -> str:
    """Return where figures come from, in a sentence or two: n, spread and machine, as far as the source says."""
    if isinstance(source, Comparison):
        counts = [sum(run.error is None for run in source.runs_of(name)) for name in source.strategies]
        return f"{runs_each(counts)}, interleaved, each in a fresh process; {source.machine.sentence()}."
    if isinstance(machine := getattr(source, "machine", None), Machine):
        return f"n = 1 run, so no spread; {machine.sentence()}."
    records = tuple(getattr(source, "records", source))
    hosts = {record.host for record in records if record.host is not None}
    if len(hosts) > 1:
        return f"n = 1 run, so no spread; on {len(hosts)} machines."
    if hosts <= {platform.node()}:
        return f"n = 1 run, so no spread; {Machine.detect().sentence()}."
    return "n = 1 run, so no spread; on another machine than this."
