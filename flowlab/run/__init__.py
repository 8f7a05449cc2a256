"""The orchestrator: new Inputs -> input network -> which calls may now start -> locks -> run -> outputs become
Inputs.

`layout` is worked out once for a plan; `state` decides (pure: events in, instructions out); `drivers` act, on the
caller's thread or on an event loop; `outcome` tells. On top of them are the ways in: `session` (run, run_async, map),
`streams` with its short cut `quick`, `late` Inputs, and `nested` (a flow as one operation of another). Where a call
happens is the executors' business. Invariant: what comes out does not depend on the driver.
"""

__all__: list[str] = []
