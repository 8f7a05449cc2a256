"""The steps that wait, for the site or the disk, shared by all six strategies; each is measured under its name.

log in -> for every country: download its page -> parse it -> download the CSV it links -> check that both agree ->
compute who is loneliest -> save -> and in the end the report. A strategy only decides where and when these run.
"""

from __future__ import annotations

from pathlib import Path

import httpx

from flowlab.metrics import measured
from flowlab.workloads.loneliest.airports import choose
from flowlab.workloads.loneliest.fetching import Form, fetch, fetch_async, note_traffic
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.parsing import find_token, read_index
from flowlab.workloads.loneliest.problems import LoginError, PageError
from flowlab.workloads.loneliest.reports import Finding, Report, summarise
from flowlab.workloads.loneliest.saving import save_whole

LOGIN, INDEX = "/login", "/countries"


@measured("log in")
def log_in(client: httpx.Client, settings: Settings) -> list[str]:
    """Log in and return the codes of the countries to survey; the client keeps the session's cookie."""
    form_page = fetch(client, LOGIN)
    welcome = fetch(client, LOGIN, login_form(form_page.text, settings))
    check_welcome(welcome)
    index = fetch(client, INDEX)
    note_traffic(form_page, welcome, index)
    return countries_of(index.text, settings)


@measured("log in")
async def log_in_async(client: httpx.AsyncClient, settings: Settings) -> list[str]:
    """Do what `log_in` does, without blocking the event loop."""
    form_page = await fetch_async(client, LOGIN)
    welcome = await fetch_async(client, LOGIN, login_form(form_page.text, settings))
    check_welcome(welcome)
    index = await fetch_async(client, INDEX)
    note_traffic(form_page, welcome, index)
    return countries_of(index.text, settings)


def login_form(html: str, settings: Settings) -> Form:
    """Return the filled-in login form of a login page."""
    token = find_token(html, settings.parser)
    return {"user": settings.user, "password": settings.password, "authenticity_token": token, "remember": "1"}


def check_welcome(answer: httpx.Response) -> None:
    """Raise LoginError unless the answer to the login form began a session."""
    if answer.status_code != 303 or not answer.cookies:
        raise LoginError("the site let us in but began no session: log in with 'remember' ticked.")


def countries_of(html: str, settings: Settings) -> list[str]:
    """Return the codes of the countries to survey, from the index page."""
    return choose(read_index(html, settings.parser), settings.n_countries, settings.countries)


def country_path(country: str) -> str:
    """Return where a country's page is."""
    return f"{INDEX}/{country}"


@measured
def download(client: httpx.Client, path: str) -> str:
    """Return the text of a page or CSV file."""
    return page_text(fetch(client, path))


@measured("download")
async def download_async(client: httpx.AsyncClient, path: str) -> str:
    """Do what `download` does, without blocking the event loop."""
    return page_text(await fetch_async(client, path))


def page_text(answer: httpx.Response) -> str:
    """Return the text of an answer that must be a page."""
    if answer.status_code != 200:
        raise PageError(
            f"the site answered {answer.status_code} where a page was expected: is it a site of 'flowlab site'?"
        )
    note_traffic(answer)
    return answer.text


@measured
def save(folder: Path, country: str, html: str, csv_text: str) -> None:
    """Save a country's page and CSV file, each completely or not at all."""
    save_whole(folder, f"{country}.html", html)
    save_whole(folder, f"{country}.csv", csv_text)


@measured
def report(folder: Path, findings: list[Finding]) -> Report:
    """Return the report of all findings, and save it."""
    made = summarise(findings)
    save_whole(folder, "report.json", made.to_json())
    return made
