"""Where a call happens: threads and processes here; inline and asyncio calls stay with the orchestrator, on its own
thread.

An executor takes tasks (`submit`), puts what came of them into `outcomes`, calls `wake` when there are some, and ends
(`close`). Nothing here knows flows, definitions or plans. Invariant: every task submitted has exactly one final
outcome, unless the executor is closed first.
"""

__all__ = ["close"]


def close() -> None:
    """End all warm workers of this process and wait for them; their CPU then counts as that of ended children."""
    import sys

    child = sys.modules.get("flowlab.executors.child")
    if child is not None:
        child.close_all()
