"""Threads, asyncio, processes or a dataflow: what each costs in time, memory and energy, and what to run.

Comparison, plots, the store and exports are loaded on first use (PEP 562): they are most of the import time, and worker
processes, which import this too, never need them.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, FlowlabError, RunError
from flowlab.graph import Definition, operation, resource
from flowlab.machine import Machine
from flowlab.metrics import Record, Recorder, measured, metric, progress, span

if _TYPE_CHECKING:
    from flowlab import plots
    from flowlab.comparison import Comparison, compare, job
    from flowlab.exports import export
    from flowlab.live import show_progress
    from flowlab.metrics.calibrating import calibrate
    from flowlab.metrics.costing import energy
    from flowlab.stored import load, runs, store

__all__ = [
    "operation", "resource", "Definition", "DataFlow",
    "compare", "job", "Comparison", "plots",
    "Recorder", "Record", "span", "measured", "metric", "progress", "show_progress",
    "Machine", "energy", "calibrate",
    "store", "runs", "load", "export",
    "FlowlabError", "FlowError", "RunError",
]  # fmt: skip

_ON_USE = {
    **dict.fromkeys(("compare", "job", "Comparison"), "flowlab.comparison"),
    **dict.fromkeys(("store", "runs", "load"), "flowlab.stored"),
    "energy": "flowlab.metrics.costing",
    "calibrate": "flowlab.metrics.calibrating",
    "export": "flowlab.exports",
    "show_progress": "flowlab.live",
    "load_ipython_extension": "flowlab.magics",
    "unload_ipython_extension": "flowlab.magics",
}


def __getattr__(name: str) -> object:
    if name == "plots":
        return _import_module("flowlab.plots")
    if name not in _ON_USE:
        raise AttributeError(f"module 'flowlab' has no attribute {name!r}")
    found = globals()[name] = getattr(_import_module(_ON_USE[name]), name)
    return found
