"""The site's answers: who is let in, what is shown, and how slowly or badly."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import airports
from flowlab.workloads.loneliest.options import SiteOptions
from flowlab.workloads.loneliest.parsing import find_token, read_country, read_index
from flowlab.workloads.loneliest.server import Site as Server
from flowlab.workloads.loneliest.server import Visitors, draw


@pytest.fixture
def visitor(quick_site: loneliest.Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=quick_site.url, trust_env=False) as client:
        yield client


def form(client: httpx.Client, site: loneliest.Site, **changes: str | None) -> dict[str, str]:
    """Return the filled-in login form, with changes; None leaves a field out."""
    filled = {
        "authenticity_token": find_token(client.get("/login").text),
        "user": site.user,
        "password": site.password,
        "remember": "1",
    }
    return {name: value for name, value in (filled | changes).items() if value is not None}


def log_in(client: httpx.Client, site: loneliest.Site) -> httpx.Client:
    assert client.post("/login", data=form(client, site)).status_code == 303
    return client


def test_the_site_listens_on_the_loopback_interface_only(quick_site: loneliest.Site) -> None:
    assert quick_site.url.startswith("http://127.0.0.1:")


def test_a_visitor_logs_in_and_sees_the_index_and_a_country_whose_page_and_csv_agree(
    visitor: httpx.Client, quick_site: loneliest.Site
) -> None:
    log_in(visitor, quick_site)
    sizes = read_index(visitor.get("/countries").text)
    assert sizes == dict(airports.sizes())
    page = read_country(visitor.get("/countries/CL").text)
    download = visitor.get(page.csv_path)
    assert download.headers["content-type"].startswith("text/csv")
    assert airports.read_csv(download.text) == page.airports == airports.load()["CL"]


def test_the_home_page_leads_on(visitor: httpx.Client, quick_site: loneliest.Site) -> None:
    assert visitor.get("/").headers["location"] == "/login"
    assert log_in(visitor, quick_site).get("/").headers["location"] == "/countries"


@pytest.mark.parametrize("path", ["/countries", "/countries/CL", "/downloads/CL-0123456789abcdef01234567.csv"])
def test_without_a_session_everything_is_forbidden(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 403
    assert visitor.get(path, headers={"Cookie": "flowlab_session=made-up"}).status_code == 403


@pytest.mark.parametrize("token", [None, "", "made-up"], ids=["missing", "empty", "wrong"])
def test_a_login_without_the_forms_token_is_forbidden(
    visitor: httpx.Client, quick_site: loneliest.Site, token: str | None
) -> None:
    answer = visitor.post("/login", data=form(visitor, quick_site, authenticity_token=token))
    assert answer.status_code == 403
    assert "authenticity token is missing, used already or not yours" in answer.text
    assert visitor.get("/countries").status_code == 403


def test_a_token_is_good_once(visitor: httpx.Client, quick_site: loneliest.Site) -> None:
    filled = form(visitor, quick_site)
    assert visitor.post("/login", data=filled).status_code == 303
    assert visitor.post("/login", data=filled).status_code == 403


def test_a_token_is_used_up_by_a_wrong_password_too(visitor: httpx.Client, quick_site: loneliest.Site) -> None:
    filled = form(visitor, quick_site)
    wrong = visitor.post("/login", data=filled | {"password": "wrong"})
    assert wrong.status_code == 401
    assert "Wrong user or password" in wrong.text
    assert visitor.post("/login", data=filled).status_code == 403
    assert visitor.post("/login", data=filled | {"authenticity_token": find_token(wrong.text)}).status_code == 303


def test_a_token_belongs_to_the_visitor_who_was_shown_the_form(
    visitor: httpx.Client, quick_site: loneliest.Site
) -> None:
    filled = form(visitor, quick_site)
    with httpx.Client(base_url=quick_site.url, trust_env=False) as other:
        assert other.post("/login", data=filled).status_code == 403
        other.get("/login")
        assert other.post("/login", data=filled).status_code == 403
    assert visitor.post("/login", data=filled).status_code == 303


def test_without_remember_no_session_cookie_comes(visitor: httpx.Client, quick_site: loneliest.Site) -> None:
    answer = visitor.post("/login", data=form(visitor, quick_site, remember=None))
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    assert visitor.get("/countries").status_code == 403


def test_cookies_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    visitor: httpx.Client, quick_site: loneliest.Site
) -> None:
    answers = [visitor.get("/login"), visitor.post("/login", data=form(visitor, quick_site))]
    for answer in answers:
        assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=Lax" in answer.headers["set-cookie"]


def test_a_csv_name_cannot_be_guessed_nor_used_in_another_session(
    visitor: httpx.Client, quick_site: loneliest.Site
) -> None:
    path = read_country(log_in(visitor, quick_site).get("/countries/CL").text).csv_path
    key = re.fullmatch(r"/downloads/CL-([0-9a-f]{24})\.csv", path)
    assert key
    assert visitor.get(f"/downloads/IS-{key[1]}.csv").status_code == 404
    assert visitor.get("/downloads/CL-.csv").status_code == 404
    with httpx.Client(base_url=quick_site.url, trust_env=False) as other:
        log_in(other, quick_site)
        assert other.get(path).status_code == 404
        assert read_country(other.get("/countries/CL").text).csv_path != path


@pytest.mark.parametrize("path", ["/countries/XX", "/countries/chile", "/nothing"])
def test_what_does_not_exist_is_not_found(visitor: httpx.Client, quick_site: loneliest.Site, path: str) -> None:
    assert log_in(visitor, quick_site).get(path).status_code == 404


def statuses(site: loneliest.Site, countries: list[str], attempts: int) -> dict[str, list[int]]:
    """Return the statuses each country's page has in a new session, the countries asked for in the given order."""
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        while True:
            answer = client.get("/login")
            if answer.status_code != 200:
                continue
            filled = {
                "authenticity_token": find_token(answer.text),
                "user": site.user,
                "password": site.password,
                "remember": "1",
            }
            while (answer := client.post("/login", data=filled)).status_code != 303:
                pass
            break
        seen: dict[str, list[int]] = {code: [] for code in countries}
        for _ in range(attempts):
            for code in countries:
                seen[code].append(client.get(f"/countries/{code}").status_code)
        return seen


def test_failures_depend_on_page_and_attempt_in_the_session_and_not_on_the_order_of_arrival() -> None:
    codes = ["CL", "FM", "IS", "NO", "JP", "NZ"]
    with loneliest.site(latency_ms=0, seed=3, error_rate=0.3, throttle_rate=0.3) as site:
        first, second = statuses(site, codes, 5), statuses(site, codes[::-1], 5)
    with loneliest.site(latency_ms=0, seed=3, error_rate=0.3, throttle_rate=0.3) as site:
        third = statuses(site, codes[3:] + codes[:3], 5)
    with loneliest.site(latency_ms=0, seed=4, error_rate=0.3, throttle_rate=0.3) as site:
        other_seed = statuses(site, codes, 5)
    assert first == second == third
    assert first != other_seed
    assert {status for row in first.values() for status in row} == {200, 429, 503}


def test_429_comes_with_retry_after() -> None:
    with loneliest.site(latency_ms=0, throttle_rate=1, retry_after_s=7) as site:
        answer = httpx.get(f"{site.url}/login", trust_env=False)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_nothing_fails_unless_it_is_told_to() -> None:
    assert (SiteOptions().error_rate, SiteOptions().throttle_rate) == (0, 0)
    server = Server(SiteOptions())
    assert all(server.failure("country", "CL", attempt) is None for attempt in range(1, 500))


def test_failure_rates_are_kept() -> None:
    server = Server(SiteOptions(error_rate=0.2, throttle_rate=0.1))
    failures = [server.failure("country", "CL", attempt) for attempt in range(1, 5001)]
    throttled = sum(1 for failure in failures if failure is not None and failure.status == 429)
    errors = sum(1 for failure in failures if failure is not None and failure.status == 503)
    assert 0.08 < throttled / 5000 < 0.12
    assert 0.15 < errors / 5000 < 0.21  # a fifth of what was not throttled


def test_every_answer_waits_for_the_latency() -> None:
    with loneliest.site(latency_ms=60) as site, httpx.Client(base_url=site.url, trust_env=False) as client:
        started = time.perf_counter()
        for path in ("/login", "/countries", "/"):
            client.get(path)
        assert time.perf_counter() - started >= 3 * 0.060


def test_jitter_adds_a_drawn_wait_within_its_bounds() -> None:
    server = Server(SiteOptions(latency_ms=10, jitter_ms=20, seed=5))
    waits = [server.wait_s("country", "CL", attempt) for attempt in range(1, 400)]
    assert all(0.010 <= wait < 0.030 for wait in waits)
    assert min(waits) < 0.012 and max(waits) > 0.028
    again = Server(SiteOptions(latency_ms=10, jitter_ms=20, seed=5))
    assert waits == [again.wait_s("country", "CL", attempt) for attempt in range(1, 400)]


def test_draws_spread_evenly() -> None:
    draws = [draw(1, "error", "csv", code, 1) for code in airports.sizes() for _ in "x"]
    assert 0.4 < sum(draws) / len(draws) < 0.6
    assert len(set(draws)) == len(draws)


def test_bandwidth_limits_each_connection_and_the_bytes_are_the_same() -> None:
    with (
        loneliest.site(latency_ms=0, bandwidth_bytes_s=40_000) as slow,
        httpx.Client(base_url=slow.url, trust_env=False) as client,
    ):
        log_in(client, slow)
        started = time.perf_counter()
        answer = client.get("/countries")
        assert time.perf_counter() - started >= len(answer.content) / 40_000 * 0.99
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert read_index(answer.text) == dict(airports.sizes())


async def ask_at_once(url: str, times: int) -> float:
    """Return how long it takes to ask for the login form several times at once."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        started = time.perf_counter()
        await asyncio.gather(*(client.get("/login") for _ in range(times)))
        return time.perf_counter() - started


def test_beyond_its_capacity_the_site_queues() -> None:
    with loneliest.site(latency_ms=50, capacity=2) as site:
        assert asyncio.run(ask_at_once(site.url, 6)) >= 3 * 0.050


def test_without_a_capacity_nothing_queues() -> None:
    assert SiteOptions().capacity is None
    assert Server(SiteOptions()).places is None


def test_visitors_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowlab.workloads.loneliest.server.VISITORS_KEPT", 2)
    visitors = Visitors()
    first, second = visitors.add()[0], visitors.add()[0]
    assert visitors.get(first)
    visitors.add()
    assert visitors.get(second) is None
    assert visitors.get(first)
