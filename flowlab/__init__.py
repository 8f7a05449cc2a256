"""Threads, asyncio, processes or a dataflow: what each costs in time, memory and energy, and what to run."""

from flowlab.comparison import Comparison, compare, job
from flowlab.errors import FlowError, FlowlabError, RunError
from flowlab.machine import Machine
from flowlab.metrics import Record, Recorder, measured, metric, progress, span

__all__ = [
    "compare", "job", "Comparison",
    "Recorder", "Record", "span", "measured", "metric", "progress",
    "Machine",
    "FlowlabError", "FlowError", "RunError",
]  # fmt: skip
