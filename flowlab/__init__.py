"""Threads, asyncio, processes or a dataflow: what each costs in time, memory and energy, and what to run."""

from flowlab import plots
from flowlab.comparison import Comparison, compare, job
from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, FlowlabError, RunError
from flowlab.graph import Definition, operation, resource
from flowlab.machine import Machine
from flowlab.metrics import Record, Recorder, measured, metric, progress, span

__all__ = [
    "operation", "resource", "Definition", "DataFlow",
    "compare", "job", "Comparison", "plots",
    "Recorder", "Record", "span", "measured", "metric", "progress",
    "Machine",
    "FlowlabError", "FlowError", "RunError",
]  # fmt: skip
