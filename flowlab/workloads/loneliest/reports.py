"""What the job finds out: one finding a country, and the report. Both compare by ==."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from flowlab.workloads.loneliest.airports import Airport, country_name


@dataclass(frozen=True, slots=True)
class Finding:
    """A country's loneliest airport; without a neighbour if the country has no other airport."""

    country: str
    n_airports: int
    airport: Airport
    neighbour: Airport | None
    distance_km: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a survey found.

    Attributes:
        ranked: Countries with two airports or more, the loneliest airport first.
        single: Countries with one airport, by code; nothing there can be near or far.
        n_airports: Airports looked at.
    """

    ranked: tuple[Finding, ...]
    single: tuple[Finding, ...]
    n_airports: int

    @property
    def loneliest(self) -> Finding | None:
        """The finding of the loneliest airport of all, None if every country has one airport."""
        return self.ranked[0] if self.ranked else None

    def answer(self) -> str:
        """Return the answer to the job's question, as one sentence."""
        found = self.loneliest
        if found is None or found.neighbour is None or found.distance_km is None:
            return f"No country surveyed has two airports: {len(self.single)} with one each are listed, not ranked."
        return (
            f"{found.airport.name} ({found.airport.icao}) is the loneliest of {self.n_airports:,} airports in "
            f"{len(self.ranked) + len(self.single)} countries: its nearest neighbour in {country_name(found.country)}, "
            f"{found.neighbour.name} ({found.neighbour.icao}), is {found.distance_km:,.0f} km away."
        )

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def summarise(findings: Iterable[Finding]) -> Report:
    """Return the report of all findings; their order does not matter."""
    found = list(findings)
    ranked = sorted(
        (f for f in found if f.distance_km is not None), key=lambda f: (-(f.distance_km or 0.0), f.airport.icao)
    )
    single = sorted((f for f in found if f.distance_km is None), key=lambda f: f.country)
    return Report(tuple(ranked), tuple(single), sum(f.n_airports for f in found))
