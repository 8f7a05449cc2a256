"""The same job done in several ways, and what each way cost.

Here live the job made of plain functions, its strategies, the fresh process each run gets, the interleaving of
repeats, the check that results are equal, and the verdict. Not here: how a call is measured (`metrics`), how a flow
runs (`dataflow`), how a comparison is drawn (`plots`, `report`). Invariant: every run that was made is in the
Comparison.

Names are loaded on first use (PEP 562): the process of a run imports this too, and never compares anything.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from flowlab.comparison.comparing import compare
    from flowlab.comparison.jobs import Job, job
    from flowlab.comparison.result import Comparison, ServiceUse, Spread, StrategyRun, Verdict

__all__ = ["compare", "job", "Comparison", "Job", "ServiceUse", "Spread", "StrategyRun", "Verdict"]

_ON_USE = {
    "compare": "comparing",
    **dict.fromkeys(("job", "Job"), "jobs"),
    **dict.fromkeys(("Comparison", "ServiceUse", "Spread", "StrategyRun", "Verdict"), "result"),
}


def __getattr__(name: str) -> object:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_import_module(f"{__name__}.{_ON_USE[name]}"), name)
    return found
