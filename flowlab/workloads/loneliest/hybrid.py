"""The job as a careful engineer would write it: asyncio waits, a pool of processes parses and computes."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from pathlib import Path

import httpx

from flowlab.workloads.loneliest.computing import check_and_compute, parse
from flowlab.workloads.loneliest.fetching import open_async_client
from flowlab.workloads.loneliest.options import Settings
from flowlab.workloads.loneliest.pools import first_error, process_pool
from flowlab.workloads.loneliest.reports import Finding, Report
from flowlab.workloads.loneliest.saving import downloads_folder
from flowlab.workloads.loneliest.steps import country_path, download_async, log_in_async, report, save


def survey(settings: Settings) -> Report:
    """Return the report, from an event loop of its own."""
    return asyncio.run(survey_async(settings))


async def survey_async(settings: Settings) -> Report:
    """Return the report; processes compute."""
    with process_pool(settings.workers, "flowlab.workloads.loneliest.computing") as pool:
        return await survey_with(pool, settings)


async def survey_with(pool: Executor, settings: Settings) -> Report:
    """Return the report; a task a country, as many at work as there may be connections, and the pool computes."""
    with downloads_folder(settings.downloads) as folder:
        async with open_async_client(settings) as client:
            countries = await log_in_async(client, settings)
            places = asyncio.Semaphore(settings.connections)
            with first_error():
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(survey_country(client, pool, country, settings, folder, places))
                        for country in countries
                    ]
            return report(folder, [task.result() for task in tasks])


async def survey_country(
    client: httpx.AsyncClient,
    pool: Executor,
    country: str,
    settings: Settings,
    folder: Path,
    places: asyncio.Semaphore,
) -> Finding:
    """Return a country's finding, its files saved."""
    loop = asyncio.get_running_loop()
    async with places:
        html = await download_async(client, country_path(country))
        page = await loop.run_in_executor(pool, parse, html, settings.parser)
        csv_text = await download_async(client, page.csv_path)
        finding = await loop.run_in_executor(pool, check_and_compute, page, csv_text, country, settings.compute)
        save(folder, country, html, csv_text)  # shorter than a trip to a thread would be
        return finding
