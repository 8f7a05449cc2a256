"""Recorded data: what the roads of notebook 02 gave once, for readers whose journal is still empty.

Here: data, never shown without its label. The invariant: it is what `roads` returned on the machine and in the setting
that the label names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LABEL = "recorded elsewhere: 2 cores of AMD EPYC, 24 GiB, Linux, Python 3.11.7, scale demo"

ROADS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "download": {
        "serial": {
            "n": 5, "wall_s": 3.151, "wall_low_s": 3.022, "wall_high_s": 3.26, "speedup": 1.0,
            "cpu_s": 2.047, "peak_bytes": 58607616, "energy_j": 10.39,
        },
        "threads": {
            "n": 5, "wall_s": 2.415, "wall_low_s": 2.296, "wall_high_s": 2.541, "speedup": 1.304,
            "cpu_s": 2.289, "peak_bytes": 62853120, "energy_j": 9.957,
        },
        "asyncio": {
            "n": 5, "wall_s": 1.977, "wall_low_s": 1.907, "wall_high_s": 2.476, "speedup": 1.593,
            "cpu_s": 1.856, "peak_bytes": 59121664, "energy_j": 8.095,
        },
        "do less": {
            "n": 5, "wall_s": 0.6607, "wall_low_s": 0.5132, "wall_high_s": 0.697, "speedup": 4.769,
            "cpu_s": 0.5497, "peak_bytes": 42025984, "energy_j": 2.506,
        },
    },
    "parse": {
        "serial": {
            "n": 5, "wall_s": 3.503, "wall_low_s": 2.917, "wall_high_s": 3.941, "speedup": 1.0,
            "cpu_s": 2.012, "peak_bytes": 56460288, "energy_j": 10.9,
        },
        "processes": {
            "n": 5, "wall_s": 3.421, "wall_low_s": 3.031, "wall_high_s": 3.72, "speedup": 1.024,
            "cpu_s": 3.109, "peak_bytes": 146055168, "energy_j": 13.98,
        },
        "stdlib parser": {
            "n": 5, "wall_s": 2.344, "wall_low_s": 2.246, "wall_high_s": 2.575, "speedup": 1.495,
            "cpu_s": 1.186, "peak_bytes": 39287808, "energy_j": 6.779,
        },
        "do less": {
            "n": 5, "wall_s": 0.7654, "wall_low_s": 0.6375, "wall_high_s": 0.8091, "speedup": 4.577,
            "cpu_s": 0.5716, "peak_bytes": 39938048, "energy_j": 2.723,
        },
    },
    "algorithm": {
        "serial": {
            "n": 5, "wall_s": 3.275, "wall_low_s": 2.886, "wall_high_s": 4.073, "speedup": 1.0,
            "cpu_s": 1.862, "peak_bytes": 56600576, "energy_j": 10.32,
        },
        "hybrid": {
            "n": 5, "wall_s": 3.661, "wall_low_s": 1.992, "wall_high_s": 4.327, "speedup": 0.8947,
            "cpu_s": 2.568, "peak_bytes": 122389504, "energy_j": 13.01,
        },
        "sorted search": {
            "n": 5, "wall_s": 2.62, "wall_low_s": 2.217, "wall_high_s": 3.157, "speedup": 1.25,
            "cpu_s": 1.332, "peak_bytes": 57423872, "energy_j": 7.784,
        },
        "do less": {
            "n": 5, "wall_s": 0.7475, "wall_low_s": 0.598, "wall_high_s": 1.0, "speedup": 4.382,
            "cpu_s": 0.5843, "peak_bytes": 40185856, "energy_j": 2.706,
        },
    },
}
