"""Recorded data: what the roads of notebook 02 gave once, for readers whose journal is still empty.

Here: data, never shown without its label; `recording` made it. The invariant: it is what `roads` returned on the
machine and in the setting that `WHERE` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHERE = "2 cores of AMD EPYC, 24 GiB, Linux, Python 3.11.7, scale demo"

ROADS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "download": {
        "serial": {
            "n": 5,
            "wall_s": 4.577,
            "wall_low_s": 3.414,
            "wall_high_s": 5.191,
            "speedup": 1.0,
            "cpu_s": 1.82,
            "peak_bytes": 55275520,
            "energy_j": 11.86,
        },
        "threads": {
            "n": 5,
            "wall_s": 2.709,
            "wall_low_s": 1.929,
            "wall_high_s": 4.137,
            "speedup": 1.69,
            "cpu_s": 1.784,
            "peak_bytes": 64781312,
            "energy_j": 9.466,
        },
        "asyncio": {
            "n": 5,
            "wall_s": 3.879,
            "wall_low_s": 2.288,
            "wall_high_s": 5.3,
            "speedup": 1.18,
            "cpu_s": 1.955,
            "peak_bytes": 55424000,
            "energy_j": 11.08,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.8284,
            "wall_low_s": 0.6018,
            "wall_high_s": 1.077,
            "speedup": 5.525,
            "cpu_s": 0.4554,
            "peak_bytes": 39485440,
            "energy_j": 2.754,
        },
    },
    "parse": {
        "serial": {
            "n": 5,
            "wall_s": 3.054,
            "wall_low_s": 3.024,
            "wall_high_s": 3.98,
            "speedup": 1.0,
            "cpu_s": 1.88,
            "peak_bytes": 56814592,
            "energy_j": 9.731,
        },
        "processes": {
            "n": 5,
            "wall_s": 3.491,
            "wall_low_s": 2.807,
            "wall_high_s": 4.61,
            "speedup": 0.8749,
            "cpu_s": 3.335,
            "peak_bytes": 147462144,
            "energy_j": 14.57,
        },
        "stdlib parser": {
            "n": 5,
            "wall_s": 2.172,
            "wall_low_s": 2.029,
            "wall_high_s": 2.824,
            "speedup": 1.406,
            "cpu_s": 1.05,
            "peak_bytes": 39754752,
            "energy_j": 6.145,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.7415,
            "wall_low_s": 0.5294,
            "wall_high_s": 0.8909,
            "speedup": 4.119,
            "cpu_s": 0.4558,
            "peak_bytes": 40537088,
            "energy_j": 2.542,
        },
    },
    "algorithm": {
        "serial": {
            "n": 5,
            "wall_s": 4.365,
            "wall_low_s": 4.07,
            "wall_high_s": 4.905,
            "speedup": 1.0,
            "cpu_s": 1.928,
            "peak_bytes": 56075264,
            "energy_j": 11.62,
        },
        "hybrid": {
            "n": 5,
            "wall_s": 2.865,
            "wall_low_s": 2.713,
            "wall_high_s": 4.017,
            "speedup": 1.523,
            "cpu_s": 2.646,
            "peak_bytes": 122428416,
            "energy_j": 12.58,
        },
        "sorted search": {
            "n": 5,
            "wall_s": 3.233,
            "wall_low_s": 2.901,
            "wall_high_s": 3.452,
            "speedup": 1.35,
            "cpu_s": 1.25,
            "peak_bytes": 56273920,
            "energy_j": 8.546,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.9674,
            "wall_low_s": 0.6606,
            "wall_high_s": 1.102,
            "speedup": 4.512,
            "cpu_s": 0.5127,
            "peak_bytes": 39778304,
            "energy_j": 2.814,
        },
    },
}
