"""Taking the feed: asking for an item, and the slow store that items go to.

Here: the two steps every way of taking the feed shares, each measured under its name. Not here: how many items are in
between, which is what the ways differ in. The invariant: the store takes items one at a time, and refuses one that is
not the item asked for.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from flowlab.metrics import measured, metric
from flowlab.workloads.loneliest.fetching import fetch, fetch_async, note_traffic
from flowlab.workloads.loneliest.problems import PageError

FEED = "/feed"


def item_path(number: int) -> str:
    """Return where an item of the feed is."""
    return f"{FEED}/{number}"


def feed_numbers(client: httpx.Client) -> range:
    """Return the numbers of the feed's items."""
    return range(fetch(client, FEED).json()["items"])


@measured("fetch")
def fetch_item(client: httpx.Client, number: int) -> bytes:
    """Return an item of the feed."""
    return _content(fetch(client, item_path(number)))


@measured("fetch")
async def fetch_item_async(client: httpx.AsyncClient, number: int) -> bytes:
    """Do what `fetch_item` does, without blocking the event loop."""
    return _content(await fetch_async(client, item_path(number)))


def _content(answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        raise PageError(f"the site answered {answer.status_code} where an item of its feed was expected.")
    note_traffic(answer)
    return answer.content


@dataclass(slots=True)
class Store:
    """A store that is slow, as one at the other end of a thin line is: it keeps a digest of every item it is given.

    Attributes:
        hold_s: How long it takes to store an item.
        digests: What it has stored, by the item's number.
    """

    hold_s: float
    digests: dict[int, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return one digest of all that is stored, the same in whatever order it came."""
        return sha256("".join(self.digests[number] for number in sorted(self.digests)).encode()).hexdigest()[:12]

    @measured("store")
    def store(self, number: int, item: bytes) -> None:
        """Store an item."""
        self._keep(number, item)
        time.sleep(self.hold_s)

    @measured("store")
    async def store_async(self, number: int, item: bytes) -> None:
        """Do what `store` does, without blocking the event loop."""
        self._keep(number, item)
        await asyncio.sleep(self.hold_s)

    def _keep(self, number: int, item: bytes) -> None:
        metric(item=item_path(number))
        if item[:8] != b"%08d" % number:
            raise PageError(f"the feed sent another item than {number}, which was asked for.")
        self.digests[number] = sha256(item).hexdigest()
