"""The job with processes: each worker surveys whole countries, with its own client in the session we logged in to."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx

from flowlab.workloads.loneliest.computing import check, compute, parse
from flowlab.workloads.loneliest.fetching import open_client
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.pools import process_pool
from flowlab.workloads.loneliest.reports import Finding, Report
from flowlab.workloads.loneliest.saving import downloads_folder
from flowlab.workloads.loneliest.steps import country_path, download, log_in, report, save

Cookies = dict[str, str]


def survey(settings: Settings) -> Report:
    """Return the report; what travels to a worker is small: a country's code there, its finding back."""
    workers = min(settings.workers, settings.connections)
    with downloads_folder(settings.downloads) as folder, process_pool(workers, __name__) as pool:
        with open_client(settings) as client:
            countries, cookies = log_in(client, settings), dict(client.cookies)
        work = partial(survey_country, settings=settings, cookies=cookies, folder=folder)
        return report(folder, list(pool.map(work, countries)))


def survey_country(country: str, settings: Settings, cookies: Cookies, folder: Path) -> Finding:
    """Return a country's finding, its files saved."""
    client = own_client(settings, cookies)
    html = download(client, country_path(country))
    page = parse(html, settings.parser)
    csv_text = download(client, page.csv_path)
    finding = compute(check(page, csv_text, country), settings.compute)
    save(folder, country, html, csv_text)
    return finding


_CLIENTS: dict[str, httpx.Client] = {}


def own_client(settings: Settings, cookies: Cookies) -> httpx.Client:
    """Return this worker's client, made on first use; its connection stays open between countries."""
    if settings.url not in _CLIENTS:
        _CLIENTS[settings.url] = open_client(settings, connections=1)  # it does one thing at a time
    _CLIENTS[settings.url].cookies.update(cookies)
    return _CLIENTS[settings.url]
