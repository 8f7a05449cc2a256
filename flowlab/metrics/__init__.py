"""What a call cost: in time, CPU, memory and energy.

Here live the record, the recorder that collects them, the probes that read the clocks, the sampler process, the power
model and the tables. Not here: what a call *would* cost (forecasting), and what to do about it. Invariant: what was
not measured is None, and a model is never shown as a measurement. Importing this loads nothing heavier than the
standard library's basics.
"""

from flowlab.metrics.active import count_bytes, metric, progress
from flowlab.metrics.record import Record

__all__ = ["Record", "count_bytes", "metric", "progress"]
