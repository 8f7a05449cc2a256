"""How the figures of a comparison are written: numbers with units, cells of a row.

Not here: which figures there are (`result`). What was not measured is an empty text, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

COLUMNS = ("wall", "speed-up", "CPU", "worker start", "peak memory", "moved", "energy (estimate)")


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A strategy's or service's row as the texts a person reads, in the order of the printed table."""
    return (
        _ranged(row.get("wall_s"), row.get("wall_low_s"), row.get("wall_high_s"), "s"),
        "" if row.get("speedup") is None else f"{row['speedup']:.2f}x",
        _quantity(row.get("cpu_s"), "s"),
        _quantity(row.get("start_s"), "s"),
        _quantity(row.get("peak_bytes"), "MB", 1e6) + (" RSS" if row.get("memory_method") == "rss" else ""),
        _quantity(row.get("bytes_moved"), "MB", 1e6),
        _ranged(row.get("energy_j"), row.get("energy_low_j"), row.get("energy_high_j"), "J"),
    )


def html_row(title: str, row: Mapping[str, Any]) -> str:
    """The same as a row of an HTML table, after its title."""
    return f"<tr><th scope='row'>{escape(title)}</th>{''.join(f'<td>{escape(text)}</td>' for text in cells(row))}</tr>"


def told(row: Mapping[str, Any]) -> str:
    """The same in one line, each text after its column's title, what was not measured left out."""
    return "  ".join(f"{title} {text}" for title, text in zip(COLUMNS, cells(row), strict=True) if text)


def _quantity(value: float | None, unit: str, scale: float = 1.0) -> str:
    return "" if value is None else f"{number(value / scale)} {unit}"


def number(value: float) -> str:
    """A number to three significant digits, never in exponent form from 0.001 up.

    >>> number(1234.5), number(0.12345)
    ('1,234', '0.123')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _ranged(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = f"{number(value)} {unit}"
    return text if low is None or high is None else f"{text} ({number(low)} to {number(high)})"
