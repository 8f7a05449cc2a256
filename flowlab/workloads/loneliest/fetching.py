"""Asking the site, patiently: pooled connections, and failures retried with back-off.

Everything that decides is in `pause_s` and shared; `fetch` and `fetch_async` only ask and wait. Invariant: a request
is tried at most ATTEMPTS times, a wait the site asks for with Retry-After is honoured, and the loser is a SiteError
that says which page.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from itertools import count
from typing import Any

import httpx

from flowlab.metrics import metric
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.problems import LoginError, PageError, SiteError

# httpx imports these on first use, which would be in the middle of what is measured.
for _late in ("httpcore", "anyio._backends._asyncio", "encodings.idna"):
    with suppress(ImportError):
        import_module(_late)

ATTEMPTS = 8
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 60.0
WORTH_RETRYING = frozenset({429, 500, 502, 503, 504})

# Above what a loop that parses and computes in between can be late by; waiting for a free connection has no limit.
TIMEOUT = httpx.Timeout(60.0, connect=5.0, pool=None)

STATUSES = "flowlab.statuses"
"""Where an answer keeps what came back each time it was asked for."""

Form = Mapping[str, str]


def open_client(settings: Settings, connections: int | None = None) -> httpx.Client:
    """Return a client with at most the job's number of connections, kept open between requests."""
    return httpx.Client(**_options(settings, connections or settings.connections))


def open_async_client(settings: Settings) -> httpx.AsyncClient:
    """Return the same as `open_client`, for coroutines."""
    return httpx.AsyncClient(**_options(settings, settings.connections))


def _options(settings: Settings, connections: int) -> dict[str, Any]:
    return {
        "base_url": settings.url,
        "limits": httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60.0
        ),
        "timeout": TIMEOUT,
        "trust_env": False,
        # Reading certificates takes 16 ms a client, and plain http on the loopback interface has none to check.
        "verify": settings.url.startswith("https:"),
    }


def fetch(
    client: httpx.Client, path: str, form: Form | None = None, sleep: Callable[[float], None] = time.sleep
) -> httpx.Response:
    """Return the site's answer, a page or a redirect; with a form, after posting it.

    Raises:
        SiteError: It cannot be reached, or failed ATTEMPTS times.
        LoginError: It answered 401 or 403.
        PageError: It has no such page.
    """
    statuses: list[str] = []
    for attempt in count(1):
        try:
            answer: httpx.Response | httpx.TransportError = client.request("POST" if form else "GET", path, data=form)
        except httpx.TransportError as error:
            answer = error
        wait_s = pause_s(answer, path, attempt, statuses)
        if wait_s is None:
            assert isinstance(answer, httpx.Response)
            return answer
        sleep(wait_s)
    raise AssertionError("unreachable")


async def fetch_async(
    client: httpx.AsyncClient,
    path: str,
    form: Form | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> httpx.Response:
    """Return the same as `fetch`, without blocking the event loop."""
    statuses: list[str] = []
    for attempt in count(1):
        try:
            answer: httpx.Response | httpx.TransportError = await client.request(
                "POST" if form else "GET", path, data=form
            )
        except httpx.TransportError as error:
            answer = error
        wait_s = pause_s(answer, path, attempt, statuses)
        if wait_s is None:
            assert isinstance(answer, httpx.Response)
            return answer
        await sleep(wait_s)
    raise AssertionError("unreachable")


def pause_s(
    answer: httpx.Response | httpx.TransportError, path: str, attempt: int, statuses: list[str]
) -> float | None:
    """Return how long to wait before asking again, None if the answer is good.

    Args:
        answer: What came back.
        path: What was asked for.
        attempt: How often it was, this time included.
        statuses: What came back each time, added to here.

    Raises:
        SiteError: There is no use in asking again.
        LoginError: We are not let in.
        PageError: There is no such page.
    """
    status = answer.status_code if isinstance(answer, httpx.Response) else None
    statuses.append(str(status or type(answer).__name__))
    if isinstance(answer, httpx.ConnectError | httpx.ConnectTimeout):
        raise SiteError(
            f"nothing answers at {origin(answer.request.url)}: start the site with 'flowlab site', "
            "or correct its address."
        )
    if isinstance(answer, httpx.Response) and status not in WORTH_RETRYING:
        answer.extensions[STATUSES] = statuses
        refuse(answer, path)
        return None
    wait_s: float = FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
    if isinstance(answer, httpx.Response):
        wait_s = asked_wait_s(answer.headers.get("Retry-After")) or wait_s
    if attempt >= ATTEMPTS or wait_s > LONGEST_PAUSE_S:
        raise SiteError(
            f"the site failed {attempt} times to answer {public(path)} (last: {statuses[-1]}): try again later, "
            "or start it with lower error and throttle rates."
        )
    return wait_s


def note_traffic(*answers: httpx.Response) -> None:
    """Attach to the measured call how many bytes of pages came, and how often the site was asked for which page."""
    statuses = [status for answer in answers for status in answer.extensions[STATUSES]]
    metric(
        loopback_bytes=sum(answer.num_bytes_downloaded for answer in answers),
        requests=len(statuses),
        statuses=" ".join(statuses),
        item=public(answers[-1].request.url.path),
    )


def refuse(answer: httpx.Response, path: str) -> None:
    """Raise what an answer that is neither a page nor a redirect means."""
    if answer.status_code == 401:
        raise LoginError("the site does not accept this user and password: 'flowlab site' prints both when it starts.")
    if answer.status_code == 403:
        raise LoginError(
            f"the site forbids {public(path)}: no session, or a login form whose authenticity token was not good; "
            "log in again."
        )
    if answer.status_code >= 400:
        raise PageError(
            f"the site answered {answer.status_code} to {public(path)}: is this a site started by 'flowlab site'?"
        )


def asked_wait_s(retry_after: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Return the seconds a Retry-After header asks for, None if it asks for none that we understand.

    Source: RFC 9110, section 10.2.3: a number of seconds, or a date.

    >>> asked_wait_s("3")
    3.0
    """
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - now()).total_seconds())
    except (TypeError, ValueError):
        return None


def public(path: str) -> str:
    """Return the part of a path that is no secret: a CSV's name ends in what only its session may know."""
    return path.split("-")[0]


def origin(url: httpx.URL) -> str:
    """Return the part of an address that is no secret."""
    return f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
