"""What a context knows, and what may start next: events in, instructions out.

Here live the input network with its Inputs and their order, the redundancy check, the choice among makers, losses and
locks. Not here: clocks, threads, I/O (`drivers`). Invariant: the same events give the same instructions, so that the
result does not depend on the driver.
"""

__all__: list[str] = []
