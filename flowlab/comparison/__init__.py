"""The same job done in several ways, and what each way cost.

Here live the job made of plain functions, its strategies, the fresh process each run gets, the interleaving of
repeats, the check that results are equal, and the verdict. Not here: how a call is measured (`metrics`), how a flow
runs (`dataflow`), how a comparison is drawn (`plots`, `report`). Invariant: every run that was made is in the
Comparison.
"""

from flowlab.comparison.comparing import compare
from flowlab.comparison.jobs import Job, job
from flowlab.comparison.result import Comparison, ServiceUse, Spread, StrategyRun, Verdict

__all__ = ["compare", "job", "Comparison", "Job", "ServiceUse", "Spread", "StrategyRun", "Verdict"]
