"""What a call cost: in time, CPU, memory and energy.

Here live the record, the recorder that collects them, the probes that read the clocks, the sampler process, the power
model and the tables. Not here: what a call *would* cost (forecasting), and what to do about it. Invariant: what was not
measured is None, and a model is never shown as a measurement. Importing this loads little of the standard library.
"""

from flowlab.metrics.active import count_bytes, metric, progress
from flowlab.metrics.record import Record
from flowlab.metrics.recorder import Recorder
from flowlab.metrics.spans import measured, span

__all__ = ["Record", "Recorder", "span", "measured", "metric", "progress", "count_bytes"]
