"""The computing shared out: every way gives serial's report, and a block is a part of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies

from flowlab.metrics import Recorder
from flowlab.workloads.loneliest import airports, stragglers
from flowlab.workloads.loneliest.airports import Airport
from flowlab.workloads.loneliest.computing import compute, farthest
from flowlab.workloads.loneliest.distances import nearest_by_pairs

# Whole degrees on a small grid, so that ties and equal places are common.
spots = strategies.lists(strategies.tuples(strategies.integers(-3, 3), strategies.integers(-3, 3)), max_size=15)


def country(places: list[tuple[int, int]]) -> list[Airport]:
    return [Airport(f"A{n:03}", "", "", "", "XX", float(lat), float(lon)) for n, (lat, lon) in enumerate(places)]


@pytest.fixture(scope="module")
def countries() -> dict[str, list[Airport]]:
    every = airports.load()
    return {code: every[code] for code in ("IS", "FM", "NO", "NZ")}


@settings(deadline=None)
@given(spots, strategies.integers(1, 20))
def test_the_blocks_of_a_country_together_are_the_whole(places: list[tuple[int, int]], rows: int) -> None:
    whole = country(places)
    blocks = stragglers.blocks_of({"XX": whole}, rows)
    found = [near for _, block in blocks for near in nearest_by_pairs(whole, block)]
    assert found == nearest_by_pairs(whole)


@settings(deadline=None)
@given(spots.filter(bool))
def test_the_farthest_of_the_nearest_is_what_compute_finds(places: list[tuple[int, int]]) -> None:
    assert farthest(country(places), nearest_by_pairs(country(places))) == compute(country(places))


def test_every_way_gives_the_serial_report(countries: dict[str, list[Airport]]) -> None:
    expected = stragglers.serially(countries)
    assert [finding.country for finding in expected.ranked]
    assert stragglers.listed(countries, 2) == expected
    assert stragglers.largest_first(countries, 2) == expected
    assert stragglers.in_blocks(countries, 2, 50) == expected


def test_pickling_and_computing_are_measured_on_both_sides(countries: dict[str, list[Airport]]) -> None:
    with Recorder() as recorder:
        stragglers.in_blocks(countries, 2, 50)
    calls = len(stragglers.blocks_of(countries, 50))
    names = [record.operation for record in recorder.records]
    assert {name: names.count(name) for name in set(names)} == {
        "compute": calls, "pickle": 2 * calls, "unpickle": 2 * calls, "start workers": 2,
    }  # fmt: skip


def test_the_largest_countries_are_handed_out_first(
    countries: dict[str, list[Airport]], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[int] = []

    def here(workers: int, calls: list[stragglers.Call]) -> list[object]:
        handed.extend(len(arguments[0]) for _, arguments in calls)
        return [function(*arguments) for function, arguments in calls]

    monkeypatch.setattr(stragglers, "in_workers", here)
    assert stragglers.largest_first(countries, 2) == stragglers.listed(countries, 2)
    sizes = [len(entries) for entries in countries.values()]
    assert handed == [*sorted(sizes, reverse=True), *sizes]
