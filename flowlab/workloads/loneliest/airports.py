"""Airports, the file they come from, and the order in which countries are surveyed.

Not here: pages and distances. Invariant: an airport read from the data file, from a page or from a CSV download is
the same value.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flowlab.errors import SettingError
from flowlab.workloads.loneliest.problems import PageError


class Airport(NamedTuple):
    """One airport; a named tuple, because rows cross process boundaries by the thousand and these pickle fastest."""

    icao: str
    iata: str
    name: str
    city: str
    country: str
    lat: float
    lon: float


COLUMNS: tuple[str, ...] = Airport._fields

FIRST = {
    "CL": "Chile", "FM": "Micronesia", "IS": "Iceland", "NO": "Norway", "JP": "Japan", "NZ": "New Zealand",
    "DE": "Germany", "FR": "France", "RU": "Russia", "VE": "Venezuela", "ZA": "South Africa", "CN": "China",
    "GB": "the United Kingdom", "KI": "Kiribati", "GL": "Greenland", "PF": "French Polynesia", "EG": "Egypt",
    "FJ": "Fiji", "SB": "Solomon Islands", "PT": "Portugal", "KE": "Kenya", "IE": "Ireland", "NP": "Nepal",
    "MV": "Maldives", "CA": "Canada", "AU": "Australia",
}  # fmt: skip
"""The countries surveyed first, in this order, with their names; the rest follow by size."""

BY_NAME_ONLY = frozenset({"US"})
"""Countries too large to come along unasked."""


def country_name(code: str) -> str:
    """Return a country's name where we know it, else its code."""
    return FIRST.get(code, code)


def survey_order(sizes: Mapping[str, int]) -> list[str]:
    """Return the country codes in the order of the survey: the fixed list, then the rest by size, the largest first.

    Args:
        sizes: Number of airports of each country on offer.

    >>> survey_order({"CL": 3, "SE": 1, "BR": 9, "US": 99, "FM": 2})
    ['CL', 'FM', 'BR', 'SE']
    """
    rest = sorted(sizes.keys() - FIRST.keys() - BY_NAME_ONLY, key=lambda code: (-sizes[code], code))
    return [code for code in FIRST if code in sizes] + rest


def choose(sizes: Mapping[str, int], n_countries: int, countries: Sequence[str] | None = None) -> list[str]:
    """Return the codes of the countries to survey.

    Args:
        sizes: Number of airports of each country on offer.
        n_countries: How many of `survey_order` to take.
        countries: Codes to take instead, by name.

    Raises:
        SettingError: There are not that many countries, or one has no such name.
    """
    if countries is not None:
        if not countries or len(set(countries)) < len(countries):
            raise SettingError(
                "countries is empty or names a country twice: name each country once, as in ['CL', 'US']."
            )
        for code in countries:
            if code not in sizes:
                raise SettingError(
                    f"there is no country {code!r} on this site: use two-letter codes such as CL, IS or US."
                )
        return list(countries)
    order = survey_order(sizes)
    if isinstance(n_countries, bool) or not isinstance(n_countries, int) or not 1 <= n_countries <= len(order):
        raise SettingError(
            f"n_countries={n_countries!r} is not possible: choose a whole number from 1 to {len(order)}."
        )
    return order[:n_countries]


def airport(texts: Sequence[str]) -> Airport:
    """Return the airport that a row of seven texts describes.

    Raises:
        PageError: The row has another number of columns, or a position that is not a number.
    """
    try:
        icao, iata, name, city, country, lat, lon = texts
        return Airport(icao, iata, name, city, country, float(lat), float(lon))
    except ValueError:
        raise PageError(
            f"a row of airports has {len(texts)} columns or a position that is not a number, where "
            f"{', '.join(COLUMNS)} were expected: is this a site started by 'flowlab site'?"
        ) from None


def read_csv(text: str) -> list[Airport]:
    """Return the airports of a CSV text with a heading.

    Raises:
        PageError: It is not such a text.
    """
    rows = csv.reader(io.StringIO(text))
    if tuple(next(rows, ())) != COLUMNS:
        raise PageError(
            f"a CSV file of airports does not begin with the columns {', '.join(COLUMNS)}: download it again."
        )
    return [airport(row) for row in rows]


def write_csv(airports: Iterable[Airport]) -> str:
    """Return airports as CSV text with a heading; `read_csv` gives them back.

    >>> read_csv(write_csv([Airport("SCIP", "IPC", "Mataveri", "", "CL", -27.1648, -109.422)]))[0].icao
    'SCIP'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(airports)
    return text.getvalue()


def data_file() -> Path:
    """Return the path of airports.csv: beside the package in a checkout, under share/flowlab where a wheel put it.

    Raises:
        SettingError: It is in neither place.
    """
    checkout = Path(__file__).resolve().parents[3] / "data" / "airports.csv"
    if checkout.is_file():
        return checkout
    from importlib import metadata  # on use: a strategy's process reads no file

    try:
        files = metadata.files("flowlab") or []
    except metadata.PackageNotFoundError:
        files = []
    ending = ("share", "flowlab", "airports.csv")
    installed = [Path(str(file.locate())) for file in files if file.parts[-3:] == ending]
    for path in [*installed, Path(sys.prefix) / "share" / "flowlab" / "airports.csv"]:
        if path.is_file():
            return path.resolve()
    raise SettingError(
        "flowlab's airports.csv is missing: install flowlab again from its wheel, or run it in a checkout."
    )


def load() -> dict[str, list[Airport]]:
    """Return the airports of every country, by its code."""
    countries: dict[str, list[Airport]] = {}
    for entry in read_csv(data_file().read_text(encoding="utf-8")):
        countries.setdefault(entry.country, []).append(entry)
    return countries


def sizes() -> Counter[str]:
    """Return the number of airports of every country in the data file."""
    return Counter({code: len(airports) for code, airports in load().items()})
