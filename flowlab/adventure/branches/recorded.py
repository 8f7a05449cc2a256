"""Recorded data: what the roads of notebook 02 gave once, for readers whose journal is still empty.

Here: data, never shown without its label. The invariant: it is what `roads` returned on the machine and in the
setting that the label names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LABEL = "recorded elsewhere"
ROADS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {"download": {}, "parse": {}, "algorithm": {}}
