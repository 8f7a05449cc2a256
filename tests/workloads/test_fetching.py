"""Asking again: what is retried, how long is waited, and when it is enough."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime

import httpx
import pytest

from flowlab.metrics import Recorder, span
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import fetching
from flowlab.workloads.loneliest.fetching import (
    ATTEMPTS,
    STATUSES,
    asked_wait_s,
    fetch,
    fetch_async,
    note_traffic,
    open_async_client,
    open_client,
    pause_s,
)
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.problems import LoginError, PageError, SiteError

REQUEST = httpx.Request("GET", "http://127.0.0.1:1/countries")


def answer(status: int, retry_after: str | None = None) -> httpx.Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return httpx.Response(status, headers=headers, request=REQUEST)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_of_the_moment_are_waited_for_longer_each_time(status: int) -> None:
    for attempt in range(1, ATTEMPTS):
        wait_s = pause_s(answer(status), "/countries", attempt, [])
        assert wait_s is not None
        assert 0.5 <= wait_s / (fetching.FIRST_PAUSE_S * 2 ** (attempt - 1)) <= 1


def test_a_lost_connection_is_worth_another_attempt() -> None:
    lost = httpx.ReadError("gone", request=REQUEST)
    assert pause_s(lost, "/countries", 1, []) is not None


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_the_site_asks_for_is_honoured(status: int) -> None:
    assert pause_s(answer(status, "3"), "/countries", 1, []) == 3.0


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        (None, None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 7.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected_s: float | None) -> None:
    assert asked_wait_s(header, now=lambda: datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)) == expected_s


@pytest.mark.parametrize("status", [429, 503])
def test_after_some_attempts_it_is_enough(status: int) -> None:
    with pytest.raises(
        SiteError, match=rf"failed {ATTEMPTS} times to answer /countries \(last: {status}\): try again later"
    ):
        pause_s(answer(status), "/countries", ATTEMPTS, [])


def test_a_wait_of_an_hour_is_not_waited_for() -> None:
    with pytest.raises(SiteError, match="try again later"):
        pause_s(answer(429, "3600"), "/countries", 1, [])


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, LoginError, "does not accept this user and password"),
        (403, LoginError, "no session"),
        (404, PageError, "404"),
    ],
)
def test_what_is_refused_is_not_asked_for_again(status: int, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        pause_s(answer(status), "/countries", 1, [])


def test_no_message_tells_the_secret_name_of_a_file() -> None:
    for status in (404, 403, 503):
        with pytest.raises((SiteError, LoginError, PageError)) as caught:
            pause_s(answer(status), "/downloads/CL-0123456789abcdef.csv", ATTEMPTS, [])
        assert "0123456789abcdef" not in str(caught.value)


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_site_that_does_not_answer_is_named_at_once_with_the_way_out() -> None:
    url = free_address()
    waited: list[float] = []
    with (
        open_client(Settings(url=url)) as client,
        pytest.raises(SiteError, match=f"nothing answers at {url}: start the site"),
    ):
        fetch(client, "/login", sleep=waited.append)
    assert waited == []


class Clock:
    """Stands in for the wait between attempts; keeps what was waited."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    def sleep(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)

    async def sleep_async(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_both_ways_retry_alike_and_report_what_they_met(way: str) -> None:
    clock = Clock()

    async def ask_async(settings: Settings) -> httpx.Response:
        async with open_async_client(settings) as client:
            return await fetch_async(client, "/login", sleep=clock.sleep_async)

    def ask(settings: Settings) -> httpx.Response:
        with open_client(settings) as client:
            return fetch(client, "/login", sleep=clock.sleep)

    with (
        loneliest.site(latency_ms=0, seed=16, throttle_rate=0.5, error_rate=0.3, retry_after_s=9) as site,
        Recorder() as recorder,
    ):
        settings = Settings(url=site.url)
        with span("ask"):
            found = ask(settings) if way == "sync" else asyncio.run(ask_async(settings))
            note_traffic(found)
    assert found.extensions[STATUSES] == ["429", "503", "429", "200"]
    assert clock.waits_s[0] == clock.waits_s[2] == 9.0
    assert 0 < clock.waits_s[1] <= 0.1
    (record,) = recorder.records
    assert dict(record.custom) == {
        "loopback_bytes": len(found.content), "requests": 4, "statuses": "429 503 429 200", "item": "/login",
    }  # fmt: skip


def test_a_client_opens_no_more_connections_than_it_may_and_keeps_them() -> None:
    async def ask() -> int:
        settings = Settings(url=site.url, connections=3)
        async with open_async_client(settings) as client:
            for _ in range(3):
                await asyncio.gather(*(fetch_async(client, "/login") for _ in range(12)))
            return len(client._transport._pool.connections)  # type: ignore[attr-defined]

    with loneliest.site(latency_ms=1) as site:
        assert asyncio.run(ask()) == 3
