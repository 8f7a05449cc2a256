"""The pages of the site, as HTML text. Not here: who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from flowlab.workloads.loneliest.airports import COLUMNS, Airport, country_name

STYLE = "body{font:16px sans-serif;margin:2rem}td,th{padding:.2rem .6rem;text-align:left}"


def page(title: str, body: str) -> str:
    """Return a whole page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def login_page(token: str, notice: str = "") -> str:
    """Return the page with the login form, its authenticity token within."""
    return page(
        "Log in",
        (f"<p><strong>{escape(notice)}</strong></p>\n" if notice else "")
        + '<form action="/login" method="post">\n'
        + f'<input type="hidden" name="authenticity_token" value="{escape(token)}">\n'
        + '<p><label>User <input name="user" autocomplete="username"></label></p>\n'
        + '<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>\n'
        + '<p><label><input type="checkbox" name="remember" value="1" checked> Remember me</label></p>\n'
        + '<p><button type="submit">Log in</button></p>\n</form>',
    )


def notice_page(title: str, text: str) -> str:
    """Return a page that says one thing, with the way to the login form."""
    return page(title, f'<p>{escape(text)}</p>\n<p><a href="/login">Log in</a></p>')


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return an HTML table; headings and cells are HTML already."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def index_page(sizes: Sequence[tuple[str, int]]) -> str:
    """Return the page that lists the countries and how many airports each has."""
    rows = ((f'<a href="/countries/{code}">{code}</a>', escape(country_name(code)), str(size)) for code, size in sizes)
    return page("Countries", table(("code", "country", "airports"), rows))


def airports_table(airports: Sequence[Airport]) -> str:
    """Return the table of a country's airports."""
    return table(COLUMNS, ([escape(str(value)) for value in entry] for entry in airports))


def country_page(code: str, airports: str, csv_path: str) -> str:
    """Return the page of a country.

    Args:
        code: The country.
        airports: What `airports_table` made of its airports.
        csv_path: Where its CSV download is.
    """
    link = f'<p><a href="{escape(csv_path)}" download>Download as CSV</a> · <a href="/countries">All countries</a></p>'
    return page(f"Airports of {country_name(code)}", f"{link}\n{airports}")
