"""The orchestrator: new Inputs -> input network -> which calls may now start -> locks -> run -> outputs become
Inputs.

Here live the layout (the input network, worked out once for a plan), the state of a context (pure: events in,
instructions out), the two drivers that act on it (on the caller's thread, and on an event loop), streams, and the run
that comes out. Where a call happens is the executors' business. Invariant: what comes out does not depend on the
driver.
"""

__all__: list[str] = []
