"""The tables of the page: a strategy a row, a service a row, a run a row.

Rows come from the comparison; here they become cells a person reads. A cell for something not measured is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from flowlab.comparison.result import Comparison
from flowlab.comparison.wording import number
from flowlab.plots.theme import strategy_looks

_MB = 1e-6

Column = tuple[str, str, str, float]
"""Title, field, unit, factor from SI to the unit."""

STRATEGY_COLUMNS: tuple[Column, ...] = (
    ("wall time", "wall_s", "s", 1.0),
    ("speed-up", "speedup", "×", 1.0),
    ("CPU time", "cpu_s", "s", 1.0),
    ("worker start", "start_s", "s", 1.0),
    ("peak memory", "peak_bytes", "MB", _MB),
    ("data moved", "bytes_moved", "MB", _MB),
    ("energy (estimate)", "energy_j", "J", 1.0),
)
SERVICE_COLUMNS: tuple[Column, ...] = (
    ("CPU time", "cpu_s", "s", 1.0),
    ("peak memory", "peak_bytes", "MB", _MB),
    ("energy (estimate)", "energy_j", "J", 1.0),
)
RUN_COLUMNS: tuple[Column, ...] = (
    ("wall time", "wall_s", "s", 1.0),
    ("CPU time", "cpu_s", "s", 1.0),
    ("worker start", "start_s", "s", 1.0),
    ("peak memory", "peak_bytes", "MB", _MB),
    ("data moved", "bytes_moved", "MB", _MB),
    ("energy (estimate)", "energy_j", "J", 1.0),
)
_RANGES = {"wall_s": ("wall_low_s", "wall_high_s"), "energy_j": ("energy_low_j", "energy_high_j")}
_SERVICE_RANGES = {"cpu_s": ("cpu_low_s", "cpu_high_s"), "energy_j": ("energy_low_j", "energy_high_j")}
_BARS = ("wall_s", "cpu_s", "peak_bytes", "bytes_moved", "energy_j")


def strategy_table(comparison: Comparison) -> str:
    """Return one row a strategy: medians, the range of the wall time, the band of the energy estimate."""
    rows = comparison.strategy_rows()
    largest = {field: max((row[field] or 0 for row in rows), default=0) for field in _BARS}  # type: ignore[type-var]
    looks = strategy_looks(comparison.strategies)
    body = []
    for row in rows:
        name = str(row["strategy"])
        cells = [_cell(row, column, _RANGES, largest) for column in STRATEGY_COLUMNS]
        failed = _failed(row)
        head = f"<th scope='row'>{key(looks[name].colour, looks[name].marker)}{escape(name)}{failed}</th>"
        body.append(f"<tr>{head}{''.join(cells)}</tr>")
    caption = "Medians; wall time with the smallest and largest run, energy with the band of the estimate."
    return _table("stack", caption, ["strategy", *[column[0] for column in STRATEGY_COLUMNS]], body)


def service_table(comparison: Comparison) -> str:
    """Return one row a service the job talked to."""
    body = []
    for row in comparison.service_rows():
        cells = [_cell(row, column, _SERVICE_RANGES, {}) for column in SERVICE_COLUMNS]
        body.append(f"<tr><th scope='row'>{escape(str(row['service']))}</th>{''.join(cells)}</tr>")
    n = len({(use.strategy, use.repeat) for use in comparison.services})
    caption = f"During one run; medians of n = {n} runs, CPU time with the smallest and largest, energy with its band."
    return _table("stack", caption, ["service", *[column[0] for column in SERVICE_COLUMNS]], body)


def run_table(comparison: Comparison) -> str:
    """Return one row a run, in the order they ran; none is left out."""
    body = []
    for row in comparison.run_rows():
        cells = [_cell(row, column, {}, {}) for column in RUN_COLUMNS]
        ended = escape(str(row["error"] or "")) or (
            f"{row['failures']} failed items" if row["failures"] else "complete"
        )
        order = int(str(row["order"])) + 1
        repeat = int(str(row["repeat"])) + 1
        head = f"<th scope='row'>{order}</th><td>{escape(str(row['strategy']))}</td><td>{repeat}</td>"
        body.append(f"<tr>{head}{''.join(cells)}<td>{ended}</td></tr>")
    titles = ["order", "strategy", "repeat", *[column[0] for column in RUN_COLUMNS], "end"]
    return f"<div class='scroll'>{_table('', '', titles, body)}</div>"


def key(colour: str, marker: str) -> str:
    """Return the mark a strategy has in the figures, as a small drawing."""
    shape = _SHAPES.get(marker, "<circle cx='11' cy='7' r='5'/>")
    fill = "var(--ink)" if colour == "#000000" else colour
    return (
        f"<svg class='key' viewBox='0 0 22 14' aria-hidden='true' fill='{fill}' stroke='var(--ink)'>"
        f"<path d='M0 7h22' stroke='{fill}' stroke-width='2'/>{shape}</svg>"
    )


_SHAPES = {
    "s": "<path d='M6.5 2.5h9v9h-9z'/>",
    "^": "<path d='M11 2l5.5 10h-11z'/>",
    "D": "<path d='M11 1l6 6-6 6-6-6z'/>",
    "v": "<path d='M11 12L5.5 2h11z'/>",
    "P": "<path d='M9 2h4v3h3v4h-3v3H9V9H6V5h3z'/>",
    "X": "<path d='M7 2l4 3 4-3 1 1-3 4 3 4-1 1-4-3-4 3-1-1 3-4-3-4z'/>",
}


def _cell(
    row: Mapping[str, Any], column: Column, ranges: Mapping[str, tuple[str, str]], largest: Mapping[str, Any]
) -> str:
    title, field, unit, factor = column
    label = f" data-label='{escape(title)}'"
    value = row.get(field)
    if value is None:
        return f"<td class='empty'{label}></td>"
    text = f"{value:.2f} {unit}" if field == "speedup" else f"{number(value * factor)} {unit}"
    if field == "peak_bytes" and row.get("memory_method"):
        text += f" {str(row['memory_method']).upper()}"
    if largest.get(field):
        text += f"<span class='bar' style='width:{100 * value / largest[field]:.0f}%'></span>"
    low, high = (row.get(name) for name in ranges.get(field, ("", "")))
    if low is not None and high is not None:
        text += f" <span class='range'>{number(low * factor)} to {number(high * factor)}</span>"
    return f"<td{label}><span>{text}</span></td>"


def _failed(row: Mapping[str, Any]) -> str:
    said = []
    if row.get("failures"):
        said.append(f"{row['failures']} failed items")
    if row.get("errors"):
        said.append(f"{row['errors']} runs did not end")
    return f" <span class='range'>{', '.join(said)}</span>" if said else ""


def _table(kind: str, caption: str, titles: Sequence[str], body: Sequence[str]) -> str:
    head = "".join(f"<th scope='col'>{escape(title)}</th>" for title in titles)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table class='{kind}'>{said}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
