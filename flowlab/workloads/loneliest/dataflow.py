"""The job as a dataflow: what needs what is said once, by name; waiting happens on the loop, computing in processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx

from flowlab.dataflow import DataFlow
from flowlab.errors import RunError
from flowlab.graph import operation, resource
from flowlab.workloads.loneliest.computing import check, compute, parse
from flowlab.workloads.loneliest.fetching import fetch_async, open_async_client
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.parsing import CountryPage
from flowlab.workloads.loneliest.reports import Report
from flowlab.workloads.loneliest.saving import downloads_folder
from flowlab.workloads.loneliest.steps import country_path, log_in_async, page_text, report, save


@resource
def folder(settings: Settings) -> Iterator[Path]:
    """The downloads folder."""
    with downloads_folder(settings.downloads) as opened:
        yield opened


@resource
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The client, its connections kept open until the run ends."""
    async with open_async_client(settings) as opened:
        yield opened


@operation(name="download", outputs="html")
async def download_page(client: httpx.AsyncClient, country: str) -> str:
    """Return a country's page."""
    return page_text(await fetch_async(client, country_path(country)))


@operation(name="download csv", outputs="csv_text")
async def download_csv(client: httpx.AsyncClient, page: CountryPage) -> str:
    """Return the CSV file that a country's page links."""
    return page_text(await fetch_async(client, page.csv_path))


def flow(connections: int) -> DataFlow:
    """Return the flow; what is not written above is a step of the other strategies, as it is.

    Both downloads may have as many calls under way as there are connections: the client holds the two together to that
    number, and more calls would only queue there, every page before the first CSV file.
    """
    return DataFlow(
        folder,
        client,
        operation(name="log in", outputs="country", expand=True)(log_in_async),
        download_page.configured(workers=connections),
        operation(outputs="page", runs="processes")(parse),
        download_csv.configured(workers=connections),
        # Inline: to check a page takes about as long as to pickle it and its CSV file on the way to a worker, so that
        # sending it there would cost more than it could save.
        operation(outputs="airports", runs="inline")(check),
        operation(outputs="finding", runs="processes")(compute),
        operation(outputs="saved", runs="inline")(save),
        operation(outputs="report", inputs={"findings": "finding"}, collect="finding", runs="inline")(report),
        name="loneliest",
    )


def survey(settings: Settings) -> Report:
    """Return the report."""
    given = {"settings": settings, "parser": settings.parser, "method": settings.compute}
    try:
        run = flow(settings.connections).run(given, outputs=["report", "saved"], workers=settings.workers)
    except RunError as failed:
        raise failed.errors[0].error from failed
    result: Report = run["report"]
    return result
