"""The CPU of short calls, read once for a few of them and shared out.

Reading a thread's CPU clock costs several times what a short call costs, reading the time a tenth of that. So where
calls are short the CPU clock is read after `SHORT_NS` or some calls, and what is shared out is marked "estimated"; a
call longer than that has a reading of its own. Invariant: the shares of a group add up to what was read.
"""

from __future__ import annotations

from collections.abc import Iterator

SHORT_NS = 20_000


def shares(walls: list[int], reads: list[int]) -> Iterator[tuple[int, int, int, bool]]:
    """Start, end, CPU of each call, and whether that is estimated.

    Args:
        walls: The start of the first call, then the end of each, which is the start of the next.
        reads: A position in `walls` and the CPU clock there, in turns.
    """
    for at in range(0, len(reads) - 2, 2):
        first, used, last, read = reads[at : at + 4]
        if last - first == 1:
            yield walls[first], walls[last], read - used, False
            continue
        left = read - used
        spans = [walls[k + 1] - walls[k] for k in range(first, last)]
        # All but the last call are short, and short calls hardly wait: a long one that ends a group has the rest.
        whole = sum(spans) if spans[-1] <= SHORT_NS else max(left, sum(spans[:-1]))
        for k, span in enumerate(spans[:-1], first):
            part = (read - used) * span // whole if whole else 0
            left -= part
            yield walls[k], walls[k + 1], part, True
        yield walls[last - 1], walls[last], left, True
