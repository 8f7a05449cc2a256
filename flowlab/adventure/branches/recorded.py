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
            "wall_s": 3.24,
            "wall_low_s": 2.883,
            "wall_high_s": 3.309,
            "speedup": 1.0,
            "cpu_s": 2.141,
            "peak_bytes": 48158720,
            "energy_j": 10.76,
        },
        "threads": {
            "n": 5,
            "wall_s": 2.281,
            "wall_low_s": 2.183,
            "wall_high_s": 2.434,
            "speedup": 1.42,
            "cpu_s": 2.2,
            "peak_bytes": 54070272,
            "energy_j": 9.497,
        },
        "asyncio": {
            "n": 5,
            "wall_s": 2.276,
            "wall_low_s": 1.944,
            "wall_high_s": 2.476,
            "speedup": 1.424,
            "cpu_s": 2.15,
            "peak_bytes": 49626112,
            "energy_j": 9.352,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.6884,
            "wall_low_s": 0.572,
            "wall_high_s": 0.7366,
            "speedup": 4.707,
            "cpu_s": 0.528,
            "peak_bytes": 33644544,
            "energy_j": 2.485,
        },
    },
    "parse": {
        "serial": {
            "n": 5,
            "wall_s": 2.896,
            "wall_low_s": 2.831,
            "wall_high_s": 3.169,
            "speedup": 1.0,
            "cpu_s": 1.795,
            "peak_bytes": 48159744,
            "energy_j": 9.295,
        },
        "processes": {
            "n": 5,
            "wall_s": 1.979,
            "wall_low_s": 1.76,
            "wall_high_s": 2.121,
            "speedup": 1.463,
            "cpu_s": 2.545,
            "peak_bytes": 144614400,
            "energy_j": 10.07,
        },
        "stdlib parser": {
            "n": 5,
            "wall_s": 2.152,
            "wall_low_s": 2.061,
            "wall_high_s": 2.369,
            "speedup": 1.346,
            "cpu_s": 1.052,
            "peak_bytes": 32381952,
            "energy_j": 6.116,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.6732,
            "wall_low_s": 0.5873,
            "wall_high_s": 0.7217,
            "speedup": 4.302,
            "cpu_s": 0.5609,
            "peak_bytes": 33679360,
            "energy_j": 2.562,
        },
    },
    "algorithm": {
        "serial": {
            "n": 5,
            "wall_s": 3.135,
            "wall_low_s": 3.124,
            "wall_high_s": 3.438,
            "speedup": 1.0,
            "cpu_s": 2.014,
            "peak_bytes": 48175104,
            "energy_j": 10.26,
        },
        "hybrid": {
            "n": 5,
            "wall_s": 1.596,
            "wall_low_s": 1.469,
            "wall_high_s": 2.798,
            "speedup": 1.964,
            "cpu_s": 2.731,
            "peak_bytes": 106625024,
            "energy_j": 9.97,
        },
        "sorted search": {
            "n": 5,
            "wall_s": 2.434,
            "wall_low_s": 2.302,
            "wall_high_s": 2.524,
            "speedup": 1.288,
            "cpu_s": 1.307,
            "peak_bytes": 48232448,
            "energy_j": 7.256,
        },
        "do less": {
            "n": 5,
            "wall_s": 0.6919,
            "wall_low_s": 0.5097,
            "wall_high_s": 0.7836,
            "speedup": 4.531,
            "cpu_s": 0.5361,
            "peak_bytes": 33671168,
            "energy_j": 2.518,
        },
    },
}
