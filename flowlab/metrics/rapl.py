"""RAPL: the energy counters that many x86 processors have.

Here is reading them from the powercap tree. Not here: whose energy it is - the counters are the whole machine's.
Invariant: a counter that wrapped around is unwound, and parts that another counter already holds are not added again.

Source: Linux, Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Counter:
    """One energy counter: its folder, what it counts ("package-0", "dram"), and where it wraps around."""

    folder: Path
    name: str
    range_uj: int

    def read_uj(self) -> int | None:
        """Return its value in microjoules, None if it may not be read (often only root may)."""
        return _number(self.folder / "energy_uj")


class Rapl:
    """The counters of a machine that add up to its processors and their memory.

    Args:
        root: The powercap folder; tests pass a fake one.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self.counters = tuple(_counters(root))

    @property
    def works(self) -> bool:
        """Whether there is a counter that may be read."""
        return any(counter.read_uj() is not None for counter in self.counters)

    def read(self) -> dict[str, int]:
        """Return every counter's value in microjoules, by folder name, as far as they may be read."""
        values = ((counter.folder.name, counter.read_uj()) for counter in self.counters)
        return {name: value for name, value in values if value is not None}

    def joules(self, before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
        """Return what each counter counted between two readings, by what it counts, in joules.

        A counter that is lower than before wrapped around once; read more often than it can wrap twice (minutes).
        """
        found: dict[str, float] = {}
        for counter in self.counters:
            key = counter.folder.name
            if key in before and key in after:
                counted = after[key] - before[key]
                if counted < 0:
                    counted += counter.range_uj
                found[counter.name] = found.get(counter.name, 0.0) + counted / 1e6
        return found


def _counters(root: Path) -> list[Counter]:
    """Return packages, and memory beside them; cores and graphics are inside the package, the platform around it."""
    found = []
    for folder in sorted(root.glob("*-rapl:*")):
        name = _text(folder / "name")
        if (name.startswith("package") or name == "dram") and (folder / "energy_uj").exists():
            found.append(Counter(folder, name, _number(folder / "max_energy_range_uj") or 1 << 32))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None
