"""Distances and the two searches."""

from __future__ import annotations

from math import pi

import pytest
from hypothesis import given, settings, strategies

from flowlab.workloads.loneliest import airports
from flowlab.workloads.loneliest.airports import Airport
from flowlab.workloads.loneliest.distances import (
    EARTH_RADIUS_KM,
    METHODS,
    great_circle_km,
    nearest_by_latitude,
    nearest_by_pairs,
    point,
)


def at(lat: float, lon: float, icao: str = "AAAA") -> Airport:
    return Airport(icao, "", "", "", "XX", lat, lon)


@pytest.mark.parametrize(
    ("here", "there", "expected_km"),
    [
        (at(0, 0), at(0, 0), 0.0),
        (at(0, 0), at(0, 180), pi * EARTH_RADIUS_KM),
        (at(90, 0), at(-90, 77), pi * EARTH_RADIUS_KM),
        (at(0, 179.5), at(0, -179.5), pi / 180 * EARTH_RADIUS_KM),
        (at(36.12, -86.67), at(33.94, -118.40), 2886.45),  # the example of Rosetta Code, at the mean radius
    ],
    ids=["nowhere", "half round", "pole to pole", "across the date line", "Nashville to Los Angeles"],
)
def test_distances_of_known_places(here: Airport, there: Airport, expected_km: float) -> None:
    assert great_circle_km(point(here), point(there)) == pytest.approx(expected_km, abs=0.01)


places = strategies.tuples(strategies.floats(-90, 90), strategies.floats(-180, 180))


@given(places, places)
def test_a_distance_is_the_same_in_both_directions_to_the_last_bit(
    here: tuple[float, float], there: tuple[float, float]
) -> None:
    a, b = point(at(*here)), point(at(*there))
    assert great_circle_km(a, b) == great_circle_km(b, a)


# Whole degrees on a small grid as well, so that ties and equal places are common.
grids = strategies.tuples(strategies.integers(-3, 3).map(float), strategies.integers(-3, 3).map(float))


@settings(max_examples=200, deadline=None)
@given(strategies.lists(strategies.one_of(places, grids), max_size=25))
def test_both_searches_find_the_same_neighbours(spots: list[tuple[float, float]]) -> None:
    country = [at(lat, lon, f"A{index:03}") for index, (lat, lon) in enumerate(spots)]
    assert nearest_by_latitude(country) == nearest_by_pairs(country)


@given(strategies.lists(grids, min_size=2, max_size=12))
def test_the_neighbour_is_the_nearest_and_among_equals_the_first_by_code(spots: list[tuple[float, float]]) -> None:
    country = [at(lat, lon, f"A{index:03}") for index, (lat, lon) in enumerate(spots)]
    for index, found in enumerate(nearest_by_pairs(country)):
        assert found is not None
        others = [
            (great_circle_km(point(country[index]), point(entry)), entry.icao)
            for entry in country
            if entry is not country[index]
        ]
        assert (found.distance_km, found.icao) == min(others)
        assert country[found.place].icao == found.icao


@pytest.mark.parametrize("method", METHODS)
def test_a_lone_airport_has_no_neighbour(method: str) -> None:
    assert METHODS[method]([at(1, 2)]) == [None]
    assert METHODS[method]([]) == []


def test_both_searches_agree_on_every_country_but_the_largest() -> None:
    for entries in airports.load().values():
        if len(entries) < 600:
            assert nearest_by_latitude(entries) == nearest_by_pairs(entries)


def test_sorting_by_latitude_compares_far_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    chile = airports.load()["CL"]
    counts = {}
    for method, search in METHODS.items():
        compared = []

        def counting(a: object, b: object, compared: list[object] = compared) -> float:
            compared.append(None)
            return great_circle_km(a, b)  # type: ignore[arg-type]

        monkeypatch.setattr("flowlab.workloads.loneliest.distances.great_circle_km", counting)
        search(chile)
        counts[method] = len(compared)
    assert counts["pairs"] == len(chile) * (len(chile) - 1)
    assert counts["sorted"] * 5 < counts["pairs"]
