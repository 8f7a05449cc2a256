"""A picture in words: the cells every page shows, as text and as HTML.

Colours are the reader's own (the text's colour, more or less of it), so the same HTML fits light and dark pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from flowlab.live.counts import Count, Line, Picture

HEADS = ("operation", "", "done", "running", "waiting", "failed", "rate", "time left")
_BAR = "display:block;width:8em;height:.7em;border:1px solid currentColor;border-radius:2px;opacity:.75"
_CELL = "padding:.15em .7em;text-align:{side};white-space:nowrap"
UNKNOWN = "–"


def duration(seconds: float) -> str:
    """A time in the words a reader would use.

    >>> duration(0.4), duration(12.3), duration(80), duration(7500)
    ('less than 1 s', '12 s', '1 min 20 s', '2 h 5 min')
    """
    if seconds < 1:
        return "less than 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float | None) -> str:
    """A rate, in calls a second or a minute.

    >>> rate(1234.5), rate(2.34), rate(0.05)
    ('1,234/s', '2.3/s', '3/min')
    """
    if per_second is None:
        return UNKNOWN
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{60 * per_second:.2g}/min"


def done(count: Count) -> str:
    """How many calls are done, of how many.

    >>> done(Count("parse", done=3, waiting=4)), done(Count("parse", done=3, waiting=4, final=False))
    ('3 of 7', '3 of 7 so far')
    """
    return f"{count.done:,} of {count.total:,}{'' if count.final else ' so far'}"


def running(count: Count) -> str:
    """How many calls run, and how far they say they are."""
    if count.inside is None or not count.running:
        return f"{count.running:,}"
    said, total = count.inside
    return f"{count.running:,} (at {said:,.6g}{'' if total is None else f' of {total:,.6g}'})"


def cells(line: Line, state: str) -> tuple[str, ...]:
    """What a line says, but for its name and bar."""
    count = line.count
    over = state != "running"
    left = "" if over or line.left_s == 0 else UNKNOWN if line.left_s is None else duration(line.left_s)
    return done(count), running(count), f"{count.waiting:,}", f"{count.failed:,}", rate(line.rate_hz), left


def headline(picture: Picture, title: str) -> str:
    """One sentence about all of it."""
    said = f"{title}: {picture.state}, {duration(picture.elapsed_s)}"
    left = picture.left(title) if title in picture.sections else None
    return said if left is None else f"{said}, {'about' if left[1] else 'at least'} {duration(left[0])} left"


def name(line: Line) -> str:
    """What a line is called."""
    return f"{line.count.name} ({line.count.note})" if line.count.note else line.count.name


def brief(picture: Picture) -> str:
    """The picture in one line."""
    found = []
    for title, lines in picture.sections.items():
        parts = []
        for line in lines:
            failed = f", {line.count.failed:,} failed" if line.count.failed else ""
            parts.append(f"{name(line)} {done(line.count)}{failed}")
        found.append("; ".join([headline(picture, title), *parts]))
    return " | ".join(found) or headline(picture, "flowlab")


def text(picture: Picture, bar: str = "#.") -> str:
    """The picture as a table of text.

    Args:
        bar: What the done and the other part of a bar are drawn with.
    """
    found = []
    for title, lines in picture.sections.items():
        rows = [HEADS, *((name(line), _bar(line.count.share, bar), *cells(line, picture.state)) for line in lines)]
        found.append(f"{headline(picture, title)}\n{columns(rows)}")
    return "\n".join(found) or headline(picture, "flowlab")


def html(picture: Picture) -> str:
    """The picture as HTML tables."""
    found = []
    for title, lines in picture.sections.items():
        rows = [
            (escape(name(line)), _html_bar(line.count.share), *map(escape, cells(line, picture.state)))
            for line in lines
        ]
        found.append(table(HEADS, rows, headline(picture, title)))
    return "".join(found) or f"<p>{escape(headline(picture, 'flowlab'))}</p>"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text below each other, the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """An HTML table; the cells of `rows` are HTML."""
    sides = ["left", *["right"] * (len(heads) - 1)]
    head = "".join(
        f'<th scope="col" style="{_CELL.format(side=side)}">{escape(title)}</th>'
        for title, side in zip(heads, sides, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL.format(side=side)}">{cell}</td>' for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:.3em 0"><caption style="caption-side:top;text-align:left;'
        f'padding:.15em .7em;color:inherit">{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _titles(picture: Picture) -> str:
    return ", ".join(picture.sections)


def _bar(share: float, bar: str, width: int = 12) -> str:
    full = int(share * width)
    return bar[0] * full + bar[1] * (width - full)


def _html_bar(share: float) -> str:
    return (
        f'<span role="img" aria-label="{share:.0%}" style="{_BAR}"><span style="display:block;height:100%;'
        f'width:{100 * share:.0f}%;background:currentColor"></span></span>'
    )
