"""Pictures of records and comparisons, each with alt text, caption and data table.

Here are the figures and their words. Not here: measuring, and pages (`flowlab.report`). The invariant: a function
returns a Chart and shows nothing; no global state of matplotlib is touched; matplotlib and pandas are loaded when a
figure is made.
"""

from flowlab.plots.bars import breakdown
from flowlab.plots.chart import Chart
from flowlab.plots.curves import memory, requests
from flowlab.plots.pareto import tradeoff
from flowlab.plots.slopes import slope
from flowlab.plots.speedups import scaling
from flowlab.plots.timelines import timeline

__all__ = ["Chart", "breakdown", "memory", "requests", "scaling", "slope", "timeline", "tradeoff"]
