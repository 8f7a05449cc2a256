"""The job, one thing after the other: the plainest code, and the one the others are compared with."""

from __future__ import annotations

from pathlib import Path

import httpx

from flowlab.workloads.loneliest.computing import check, compute, parse
from flowlab.workloads.loneliest.fetching import open_client
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.reports import Finding, Report
from flowlab.workloads.loneliest.saving import downloads_folder
from flowlab.workloads.loneliest.steps import country_path, download, log_in, report, save


def survey(settings: Settings) -> Report:
    """Return the report, surveying one country after the other."""
    with downloads_folder(settings.downloads) as folder, open_client(settings) as client:
        countries = log_in(client, settings)
        return report(folder, [survey_country(client, country, settings, folder) for country in countries])


def survey_country(client: httpx.Client, country: str, settings: Settings, folder: Path) -> Finding:
    """Return a country's finding, its files saved."""
    html = download(client, country_path(country))
    page = parse(html, settings.parser)
    csv_text = download(client, page.csv_path)
    finding = compute(check(page, csv_text, country), settings.compute)
    save(folder, country, html, csv_text)
    return finding
