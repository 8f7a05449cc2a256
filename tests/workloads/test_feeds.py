"""The feed: who may have it, what is in it, and the store that takes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from flowlab.errors import SettingError
from flowlab.metrics import Recorder
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest.feeding import Store, feed_numbers, fetch_item, fetch_item_async, item_path
from flowlab.workloads.loneliest.feeds import Feed
from flowlab.workloads.loneliest.fetching import open_async_client, open_client
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.problems import LoginError, PageError
from flowlab.workloads.loneliest.steps import log_in, log_in_async

SIZE = 5000


@pytest.fixture(scope="module")
def site() -> Iterator[loneliest.Site]:
    with loneliest.site(latency_ms=0, feed_items=12, feed_bytes=SIZE, seed=7) as running:
        yield running


@pytest.fixture
def client(site: loneliest.Site) -> Iterator[httpx.Client]:
    with open_client(Settings(url=site.url)) as opened:
        log_in(opened, Settings(url=site.url))
        yield opened


def test_items_are_of_one_size_and_no_two_are_equal() -> None:
    feed = Feed(400, SIZE, seed=7)
    items = {feed.item(number) for number in range(feed.items)}
    assert {len(item) for item in items} == {SIZE}
    assert len(items) == 400


def test_an_item_depends_on_the_seed_and_its_number_alone() -> None:
    one, other = Feed(400, SIZE, seed=7), Feed(3, SIZE, seed=7)
    assert [one.item(n) for n in (2, 0)] == [other.item(n) for n in (2, 0)]
    assert one.item(2) != Feed(400, SIZE, seed=8).item(2)


@pytest.mark.parametrize("path", ["/feed", "/feed/0"])
def test_the_feed_is_for_those_who_are_logged_in(site: loneliest.Site, path: str) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as stranger:
        assert stranger.get(path).status_code == 403
        assert stranger.get(path, headers={"Cookie": "flowlab_session=made-up"}).status_code == 403
    with open_client(Settings(url=site.url)) as stranger, pytest.raises(LoginError):
        fetch_item(stranger, 0)


def test_the_feed_tells_how_many_items_it_has_and_sends_each(client: httpx.Client) -> None:
    numbers = feed_numbers(client)
    assert numbers == range(12)
    assert [fetch_item(client, number) for number in numbers] == [Feed(12, SIZE, 7).item(number) for number in numbers]


def test_an_item_that_the_feed_has_not_is_not_found(client: httpx.Client, quick_site: loneliest.Site) -> None:
    for path in (item_path(12), "/feed/x", "/feed/"):
        assert client.get(path).status_code == 404
    with open_client(Settings(url=quick_site.url)) as other, pytest.raises(PageError):
        log_in(other, Settings(url=quick_site.url))
        fetch_item(other, 0)


def test_coroutines_get_the_same_items_and_every_call_says_which_it_was(site: loneliest.Site) -> None:
    async def take() -> list[bytes]:
        async with open_async_client(Settings(url=site.url)) as client:
            await log_in_async(client, Settings(url=site.url))
            return [await fetch_item_async(client, number) for number in (3, 1)]

    with Recorder() as recorder:
        items = asyncio.run(take())
    assert items == [Feed(12, SIZE, 7).item(number) for number in (3, 1)]
    fetches = [record.custom for record in recorder.records if record.operation == "fetch"]
    assert [(found["item"], found["loopback_bytes"]) for found in fetches] == [("/feed/3", SIZE), ("/feed/1", SIZE)]


def test_failures_are_drawn_by_the_item() -> None:
    with (
        loneliest.site(latency_ms=0, feed_items=40, feed_bytes=16, seed=3, error_rate=0.5) as failing,
        open_client(Settings(url=failing.url)) as client,
    ):
        log_in(client, Settings(url=failing.url))
        statuses = [client.get(item_path(number)).status_code for number in range(40)]
    assert set(statuses) == {200, 503}


def test_the_store_takes_its_time_and_its_digest_does_not_depend_on_the_order() -> None:
    feed = Feed(3, SIZE, 7)
    stores = Store(0.01), Store(0.0)
    started = time.perf_counter()
    for number in range(3):
        stores[0].store(number, feed.item(number))
    assert time.perf_counter() - started >= 0.03

    async def backwards() -> None:
        for number in (2, 1, 0):
            await stores[1].store_async(number, feed.item(number))

    asyncio.run(backwards())
    assert stores[0].digest() == stores[1].digest() != Store(0.0).digest()


def test_the_store_refuses_another_item_than_it_is_told() -> None:
    with pytest.raises(PageError, match="another item than 1"):
        Store(0.0).store(1, Feed(3, SIZE, 7).item(2))


def test_an_impossible_feed_is_refused() -> None:
    for options in ({"feed_items": -1}, {"feed_bytes": 8}):
        with pytest.raises(SettingError, match="is not possible"):
            loneliest.site(**options)
