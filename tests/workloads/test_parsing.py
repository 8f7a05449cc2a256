"""Both parsers, on the site's own pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies

from flowlab.workloads.loneliest import airports, pages
from flowlab.workloads.loneliest.airports import Airport
from flowlab.workloads.loneliest.parsing import PARSERS, find_token, read_country, read_index
from flowlab.workloads.loneliest.problems import PageError

texts = strategies.text(strategies.characters(exclude_categories=["C", "Z"]), max_size=20)
positions = strategies.floats(-180, 180)
entries = strategies.builds(Airport, texts, texts, texts, texts, texts, positions, positions)


@settings(deadline=None)
@given(strategies.lists(entries, max_size=8))
@pytest.mark.parametrize("parser", PARSERS)
def test_what_the_site_writes_any_parser_reads(parser: str, written: list[Airport]) -> None:
    html = pages.country_page("CL", pages.airports_table(written), "/downloads/CL-00.csv")
    page = read_country(html, parser)
    assert page.airports == written
    assert page.csv_path == "/downloads/CL-00.csv"


@pytest.mark.parametrize("code", ["CL", "FM", "IS", "GL", "MV"])
def test_parsers_give_equal_rows_and_the_rows_of_the_csv(code: str) -> None:
    country = airports.load()[code]
    html = pages.country_page(code, pages.airports_table(country), "/downloads/x.csv")
    soup, stdlib = (read_country(html, parser) for parser in ("soup", "stdlib"))
    assert soup == stdlib
    assert soup.airports == country == airports.read_csv(airports.write_csv(country))


@pytest.mark.parametrize("parser", PARSERS)
def test_the_token_and_the_index_are_found(parser: str) -> None:
    assert find_token(pages.login_page("a&b<c"), parser) == "a&b<c"
    assert read_index(pages.index_page([("CL", 365), ("FM", 5)]), parser) == {"CL": 365, "FM": 5}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("read", "sentence"),
    [(find_token, "no authenticity token"), (read_index, "lists no countries"), (read_country, "no table of airports")],
    ids=["login", "index", "country"],
)
@pytest.mark.parametrize("html", ["", "<p>Welcome to nginx", pages.notice_page("Hello", "no form here")])
def test_another_site_is_recognised_as_such(parser: str, read: object, sentence: str, html: str) -> None:
    with pytest.raises(PageError, match=sentence):
        read(html, parser)  # type: ignore[operator]
