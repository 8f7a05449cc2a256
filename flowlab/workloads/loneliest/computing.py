"""The steps that compute, shared by all six strategies; each is measured under its name.

Here is what a worker process needs, and nothing it does not: no network, no files. Not here: the steps that wait
(steps).
"""

from __future__ import annotations

from flowlab.metrics import measured
from flowlab.workloads.loneliest.airports import Airport, read_csv
from flowlab.workloads.loneliest.distances import METHODS, Neighbour
from flowlab.workloads.loneliest.parsing import CountryPage, read_country
from flowlab.workloads.loneliest.problems import PageError
from flowlab.workloads.loneliest.reports import Finding


@measured
def parse(html: str, parser: str = "soup") -> CountryPage:
    """Return a country's airports and the path of their CSV, from its page."""
    return read_country(html, parser)


@measured
def check(page: CountryPage, csv_text: str, country: str) -> list[Airport]:
    """Return a country's airports, on which its page and its CSV file agree.

    Raises:
        PageError: They do not, or they list airports of another country.
    """
    airports = read_csv(csv_text)
    if airports != page.airports:
        raise PageError(f"the page and the CSV file of {country} do not list the same airports: download both again.")
    if not airports or any(entry.country != country for entry in airports):
        raise PageError(f"the page of {country} lists no airports, or those of another country: has the site changed?")
    return airports


@measured
def compute(airports: list[Airport], method: str = "pairs") -> Finding:
    """Return a country's loneliest airport: the one farthest from its nearest neighbour."""
    return farthest(airports, METHODS[method](airports))


def farthest(airports: list[Airport], nearest: list[Neighbour | None]) -> Finding:
    """Return a country's finding, given the nearest neighbour of each of its airports."""
    found = [(near, here) for near, here in zip(nearest, airports, strict=True) if near is not None]
    if not found:
        return Finding(airports[0].country, len(airports), airports[0], None, None)
    near, here = min(found, key=lambda pair: (-pair[0].distance_km, pair[1].icao))
    return Finding(here.country, len(airports), here, airports[near.place], near.distance_km)


def check_and_compute(page: CountryPage, csv_text: str, country: str, method: str = "pairs") -> Finding:
    """Return a country's finding: two steps in one trip to a worker."""
    return compute(check(page, csv_text, country), method)
