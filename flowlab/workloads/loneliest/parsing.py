"""Reading the site's pages, with BeautifulSoup or with the standard library alone.

Not here: fetching. Invariant: both parsers give the same page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from bs4 import BeautifulSoup

from flowlab.workloads.loneliest.airports import COLUMNS, Airport, airport
from flowlab.workloads.loneliest.problems import PageError

COUNTRY_LINK = re.compile(r"/countries/([A-Z]{2})")


@dataclass(frozen=True, slots=True)
class Content:
    """What a page holds that the job may need.

    Attributes:
        headings: The table's headings.
        rows: The texts of the table's cells.
        links: Where its links lead.
        fields: The values of its input fields, by name.
    """

    headings: tuple[str, ...] = ()
    rows: list[list[str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CountryPage:
    """A country's page: its airports, and where they can be downloaded as CSV."""

    airports: list[Airport]
    csv_path: str


def with_soup(html: str) -> Content:
    """Return a page's content, found by BeautifulSoup."""
    # find_all, not select: the first CSS selector of a process compiles patterns for 0.1 s.
    soup = BeautifulSoup(html, "html.parser")
    return Content(
        tuple(heading.get_text() for heading in soup.find_all("th")),
        [[cell.get_text() for cell in row.find_all("td")] for row in soup.find_all("tr") if row.find("td")],
        [str(link["href"]) for link in soup.find_all("a", href=True)],
        {str(entry["name"]): str(entry.get("value", "")) for entry in soup.find_all("input", attrs={"name": True})},
    )


class _Reader(HTMLParser):
    """Collects what `Content` holds while the page streams by."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.fields: dict[str, str] = {}
        self.cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.cell = []
        elif tag == "tr":
            self.rows.append([])
        elif tag == "a" and (link := dict(attrs).get("href")):
            self.links.append(link)
        elif tag == "input" and (name := dict(attrs).get("name")):
            self.fields[name] = dict(attrs).get("value") or ""

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell is not None:
            (self.rows[-1] if tag == "td" else self.headings).append("".join(self.cell))
            self.cell = None


def with_stdlib(html: str) -> Content:
    """Return a page's content, found by the standard library's parser."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Content(tuple(reader.headings), [row for row in reader.rows if row], reader.links, reader.fields)


PARSERS: dict[str, Callable[[str], Content]] = {"soup": with_soup, "stdlib": with_stdlib}
"""The parsers, by the name that `parser=` takes."""


def find_token(html: str, parser: str = "soup") -> str:
    """Return the authenticity token of a login form.

    Raises:
        PageError: The page has none.
    """
    token = PARSERS[parser](html).fields.get("authenticity_token")
    if not token:
        raise PageError("the login page has no authenticity token: is this a site started by 'flowlab site'?")
    return token


def read_index(html: str, parser: str = "soup") -> dict[str, int]:
    """Return the number of airports of each country on the index page.

    Raises:
        PageError: The page lists no countries.
    """
    content = PARSERS[parser](html)
    linked = {match[1] for link in content.links if (match := COUNTRY_LINK.fullmatch(link))}
    sizes = {row[0]: int(row[2]) for row in content.rows if len(row) == 3 and row[0] in linked and row[2].isdecimal()}
    if not sizes:
        raise PageError("the site's index lists no countries: is this a site started by 'flowlab site'?")
    return sizes


def read_country(html: str, parser: str = "soup") -> CountryPage:
    """Return a country's page.

    Raises:
        PageError: The page has no table of airports, or no link to its CSV download.
    """
    content = PARSERS[parser](html)
    csv_links = [link for link in content.links if link.startswith("/downloads/") and link.endswith(".csv")]
    if content.headings != COLUMNS or len(csv_links) != 1:
        raise PageError("a country's page has no table of airports or no single link to its CSV: has the site changed?")
    return CountryPage([airport(row) for row in content.rows], csv_links[0])
