"""Having the calls run that a state says may start: on the caller's thread, or on an event loop.

Here live the two drivers, the places calls run in, attempts and their retries, resources held open, interrupts. Not
here: which call may start (`state`), the workers themselves (`executors`). Invariant: when a driver has returned,
nothing it started is still running.
"""

__all__: list[str] = []
