"""The computing shared out to worker processes: whole countries as listed, the largest first, or blocks of rows.

Here: what is handed to the workers, and in which order. A pool pickles out of sight; here it is done in calls of its
own, so that it is measured. Not here: fetching, and which way is better. Invariant: every way gives the same report.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from flowlab.metrics import measured
from flowlab.workloads.loneliest.airports import Airport
from flowlab.workloads.loneliest.computing import compute, farthest
from flowlab.workloads.loneliest.distances import Neighbour, nearest_by_pairs
from flowlab.workloads.loneliest.pools import process_pool
from flowlab.workloads.loneliest.reports import Report, summarise

Countries = Mapping[str, list[Airport]]
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def serially(countries: Countries) -> Report:
    """Return the report, one country after the other, in this process."""
    return summarise([compute(airports) for airports in countries.values()])


def listed(countries: Countries, workers: int) -> Report:
    """Return the report; each country is one call, handed out as listed."""
    return _whole(countries, list(countries), workers)


def largest_first(countries: Countries, workers: int) -> Report:
    """Return the report; each country is one call, those with most airports handed out first."""
    return _whole(countries, sorted(countries, key=lambda code: -len(countries[code])), workers)


def in_blocks(countries: Countries, workers: int, rows: int) -> Report:
    """Return the report; each call looks for the neighbours of so many of a country's airports among all of it."""
    with process_pool(workers, __name__) as pool:
        return blocks_by(pool, countries, rows)


def blocks_by(pool: Executor, countries: Countries, rows: int) -> Report:
    """Do what `in_blocks` does, by a pool that is there already."""
    blocks = blocks_of(countries, rows)
    found = by_pool(pool, [(compute_rows, (countries[code], block)) for code, block in blocks])
    nearest: dict[str, list[Neighbour | None]] = {code: [] for code in countries}
    for (code, _), part in zip(blocks, found, strict=True):
        nearest[code] += part
    return summarise([farthest(airports, nearest[code]) for code, airports in countries.items()])


def blocks_of(countries: Countries, rows: int) -> list[tuple[str, slice]]:
    """Return the countries in blocks of so many rows or less, as listed.

    >>> blocks_of({"FM": [None] * 2, "CL": [None] * 5}, 3)
    [('FM', slice(0, 3, None)), ('CL', slice(0, 3, None)), ('CL', slice(3, 6, None))]
    """
    return [
        (code, slice(first, first + rows))
        for code, airports in countries.items()
        for first in range(0, len(airports), rows)
    ]


@measured("compute")
def compute_rows(airports: list[Airport], rows: slice) -> list[Neighbour | None]:
    """Return the nearest neighbours of some of a country's airports."""
    return nearest_by_pairs(airports, rows)


def in_workers(workers: int, calls: Sequence[Call]) -> list[Any]:
    """Return what the calls return, in their order; a worker that is free takes the next one."""
    with process_pool(workers, __name__) as pool:
        return by_pool(pool, calls)


def by_pool(pool: Executor, calls: Sequence[Call]) -> list[Any]:
    """Return what the calls return, in their order, by a pool that is there already."""
    return [unpacked(answer) for answer in pool.map(answer_to, [packed(call) for call in calls])]


def answer_to(call: bytes) -> bytes:
    """Return a call's value, both pickled."""
    function, arguments = unpacked(call)
    return packed(function(*arguments))


@measured("pickle")
def packed(value: object) -> bytes:
    """Return a value as bytes."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


@measured("unpickle")
def unpacked(value: bytes) -> Any:
    """Return the value that bytes stand for."""
    return pickle.loads(value)


def _whole(countries: Countries, order: Sequence[str], workers: int) -> Report:
    found = in_workers(workers, [(compute, (countries[code],)) for code in order])
    by_code = dict(zip(order, found, strict=True))
    return summarise([by_code[code] for code in countries])
