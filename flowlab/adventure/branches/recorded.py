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
        "serial": {"n": 3, "wall_s": 5.678, "wall_low_s": 3.519, "wall_high_s": 5.867, "speedup": 1.0, "cpu_s": 2.205, "peak_bytes": 56313856, "energy_j": 14.61},
        "threads": {"n": 3, "wall_s": 2.565, "wall_low_s": 2.47, "wall_high_s": 4.43, "speedup": 2.214, "cpu_s": 2.301, "peak_bytes": 67255296, "energy_j": 10.21},
        "asyncio": {"n": 3, "wall_s": 3.77, "wall_low_s": 2.475, "wall_high_s": 4.716, "speedup": 1.506, "cpu_s": 2.269, "peak_bytes": 57413632, "energy_j": 12.06},
        "do less": {"n": 3, "wall_s": 0.78, "wall_low_s": 0.7484, "wall_high_s": 1.41, "speedup": 7.28, "cpu_s": 0.6198, "peak_bytes": 41180160, "energy_j": 2.878},
    },
    "parse": {
        "serial": {"n": 3, "wall_s": 5.153, "wall_low_s": 4.517, "wall_high_s": 5.704, "speedup": 1.0, "cpu_s": 2.07, "peak_bytes": 56292352, "energy_j": 13.1},
        "processes": {"n": 3, "wall_s": 5.259, "wall_low_s": 3.229, "wall_high_s": 5.695, "speedup": 0.98, "cpu_s": 3.811, "peak_bytes": 153646080, "energy_j": 18.41},
        "stdlib parser": {"n": 3, "wall_s": 3.097, "wall_low_s": 3.07, "wall_high_s": 3.108, "speedup": 1.664, "cpu_s": 1.141, "peak_bytes": 40047616, "energy_j": 7.781},
        "do less": {"n": 3, "wall_s": 1.298, "wall_low_s": 1.158, "wall_high_s": 1.418, "speedup": 3.969, "cpu_s": 0.6424, "peak_bytes": 39926784, "energy_j": 3.559},
    },
    "algorithm": {
        "serial": {"n": 3, "wall_s": 3.726, "wall_low_s": 3.297, "wall_high_s": 3.736, "speedup": 1.0, "cpu_s": 2.191, "peak_bytes": 58176512, "energy_j": 11.0},
        "hybrid": {"n": 3, "wall_s": 2.075, "wall_low_s": 1.945, "wall_high_s": 4.108, "speedup": 1.795, "cpu_s": 3.174, "peak_bytes": 153082880, "energy_j": 11.96},
        "sorted search": {"n": 3, "wall_s": 2.603, "wall_low_s": 2.483, "wall_high_s": 3.456, "speedup": 1.431, "cpu_s": 1.364, "peak_bytes": 59094016, "energy_j": 7.985},
        "do less": {"n": 3, "wall_s": 0.7735, "wall_low_s": 0.6129, "wall_high_s": 1.062, "speedup": 4.816, "cpu_s": 0.4603, "peak_bytes": 42034176, "energy_j": 2.86},
    },
}
