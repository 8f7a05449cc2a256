"""Recording: how `recorded.py` came about, and how to make it anew.

`python -m flowlab.adventure.branches.recording` takes every road at scale demo, five times each, and writes what the
journal would keep. Not here: the roads. Run it on a machine that does nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowlab.adventure.branches import roads
from flowlab.adventure.trips import resolved
from flowlab.machine import Machine
from flowlab.workloads import loneliest

REPEATS = 5
ROADS = {"download": roads.download, "parse": roads.parse, "algorithm": roads.algorithm}
HEAD = '''"""Recorded data: what the roads of notebook 02 gave once, for readers whose journal is still empty.

Here: data, never shown without its label; `recording` made it. The invariant: it is what `roads` returned on the
machine and in the setting that `WHERE` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHERE = "{machine}, scale demo"

ROADS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {{
'''


def record() -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """Return the summary of every road, taken here and now."""
    settings = resolved({"scale": "demo", "n_countries": None, "latency_ms": None, "repeats": REPEATS})
    with loneliest.site(latency_ms=settings["latency_ms"], seed=7) as site:
        return {name: road(settings, lambda done, total, now: None, site=site).facts for name, road in ROADS.items()}


def source(found: Mapping[str, Mapping[str, Mapping[str, Any]]], machine: str) -> str:
    """Return the text of `recorded.py`."""
    lines = [HEAD.format(machine=machine).rstrip("\n")]
    for road, strategies in found.items():
        lines.append(f'    "{road}": {{')
        for strategy, row in strategies.items():
            cells = [f'"{name}": {_rounded(value)!r}' for name, value in row.items()]
            lines += [f'        "{strategy}": {{', *(f"            {cell}," for cell in cells), "        },"]
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    Path(__file__).with_name("recorded.py").write_text(source(record(), Machine.detect().sentence()), "utf-8")
