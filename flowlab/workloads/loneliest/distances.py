"""Who is nearest to whom: great-circle distances in pure Python, and two ways to search.

The computing here is meant to be slow in the way much real computing is: it is plain Python, and holds the
interpreter lock. Invariant: both searches return the same neighbours and, to the last bit, the same distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from flowlab.workloads.loneliest.airports import Airport

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth, R1 = (2a + b) / 3.

Source: Moritz, H. (2000), "Geodetic Reference System 1980", Journal of Geodesy 74, 128-133.
"""


class Point(NamedTuple):
    """A position in radians, with the cosine of its latitude."""

    lat: float
    lon: float
    cos_lat: float


class Neighbour(NamedTuple):
    """An airport's nearest other: how far, its code (which decides between equals), its place in the list."""

    distance_km: float
    icao: str
    place: int


def point(airport: Airport) -> Point:
    """Return an airport's position."""
    lat = radians(airport.lat)
    return Point(lat, radians(airport.lon), cos(lat))


def great_circle_km(a: Point, b: Point) -> float:
    """Return the great-circle distance between two points on a sphere, in km; the same in both directions.

    Source: the haversine formula, Sinnott, R. W. (1984), "Virtues of the Haversine", Sky and Telescope 68(2), 159.

    >>> pole, equator = Point(radians(90), 0.0, 0.0), Point(0.0, 0.0, 1.0)
    >>> round(great_circle_km(pole, equator))      # a quarter of the way round
    10008
    """
    lat1, lon1, cos1 = a
    lat2, lon2, cos2 = b
    across = sin((lat2 - lat1) / 2.0)
    along = sin((lon2 - lon1) / 2.0)
    return 2.0 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(across * across + cos1 * cos2 * (along * along))))


def nearest_by_pairs(airports: Sequence[Airport], rows: slice = slice(None)) -> list[Neighbour | None]:
    """Return every airport's nearest neighbour by comparing each with every other; None where there is no other.

    Args:
        airports: All that may be near.
        rows: Whose neighbours are looked for; all rows, if nothing is said.
    """
    points = [point(airport) for airport in airports]
    nearest: list[Neighbour | None] = []
    for index in range(len(points))[rows]:
        here, best = points[index], None
        for other, there in enumerate(points):
            if other != index:
                distance_km = great_circle_km(here, there)
                if best is None or distance_km <= best.distance_km:
                    best = closer(best, Neighbour(distance_km, airports[other].icao, other))
        nearest.append(best)
    return nearest


def nearest_by_latitude(airports: Sequence[Airport]) -> list[Neighbour | None]:
    """Return what `nearest_by_pairs` does, looking south and north only as far as can matter.

    Two points are at least as far apart as their latitudes are, so the search stops where these alone exceed the best
    found.
    """
    points = [point(airport) for airport in airports]
    order = sorted(range(len(points)), key=lambda index: points[index].lat)
    nearest: list[Neighbour | None] = [None] * len(points)
    for place, index in enumerate(order):
        here, best = points[index], None
        for side in (order[:place][::-1], order[place + 1 :]):
            for other in side:
                there = points[other]
                # The millimetre leaves room for rounding, so that a neighbour equally far is still compared.
                if best and EARTH_RADIUS_KM * abs(there.lat - here.lat) - 1e-6 > best.distance_km:
                    break
                distance_km = great_circle_km(here, there)
                if best is None or distance_km <= best.distance_km:
                    best = closer(best, Neighbour(distance_km, airports[other].icao, other))
        nearest[index] = best
    return nearest


def closer(a: Neighbour | None, b: Neighbour) -> Neighbour:
    """Return the closer of two neighbours, the first by code if they are equally far."""
    return b if a is None else min(a, b)


METHODS: dict[str, Callable[[Sequence[Airport]], list[Neighbour | None]]] = {
    "pairs": nearest_by_pairs,
    "sorted": nearest_by_latitude,
}
"""The ways to search, by the name that `compute=` takes."""
