"""The feed: many items of one size, made on the spot from the site's seed.

Here: what an item is. Not here: who may have it (server), how it is asked for (feeding). The invariant: an item depends
on the seed, its number and its size alone, and no two items of a feed are equal.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Feed:
    """A feed that keeps one block of random bytes, however many items it has.

    Attributes:
        items: How many there are.
        size: Bytes of each, at least 16.
        seed: What they are drawn from.
    """

    items: int
    size: int
    seed: int
    _block: bytes = field(default=b"", repr=False)

    def index(self) -> str:
        """Return how many items there are and how large each is, as JSON."""
        return json.dumps({"items": self.items, "bytes": self.size})

    def item(self, number: int) -> bytes:
        """Return an item: its number in eight digits, then the block, turned by as many places as the number says.

        >>> Feed(3, 16, seed=7).item(2)[:8]
        b'00000002'
        """
        if not self._block:
            self._block = random.Random(self.seed).randbytes(self.size - 8)
        turn = number % len(self._block)
        return b"%08d" % number + self._block[turn:] + self._block[:turn]
