"""The job as a comparison takes it: a name, six strategies, what to measure beside them, and how to put the answer.

Not here: how it is run and timed (comparison). Invariant: everything is checked before anything starts, and a
strategy is a plain call that can be sent to a fresh process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flowlab.errors import SettingError, require
from flowlab.machine import Machine
from flowlab.workloads.loneliest import airports
from flowlab.workloads.loneliest.options import CONNECTIONS, PASSWORD, USER, Settings, refuse_unknown
from flowlab.workloads.loneliest.reports import Report
from flowlab.workloads.loneliest.serving import Site

QUESTION = "Which airport is the loneliest: the farthest from its nearest neighbour in the same country?"

STRATEGIES = {
    "serial": "serial",
    "threads": "threads",
    "asyncio": "coroutines",
    "processes": "processes",
    "hybrid": "hybrid",
    "dataflow": "dataflow",
}
"""The strategies and the module that each is in."""

SCALES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": MappingProxyType({"n_countries": 6, "latency_ms": 5}),
        "demo": MappingProxyType({"n_countries": 24, "latency_ms": 20}),
        "class": MappingProxyType({"n_countries": 26, "latency_ms": 40}),
        "large": MappingProxyType({"n_countries": 233, "latency_ms": 10}),
    }
)
"""How large the job is and how slow its site, so that waiting, parsing and computing weigh about the same."""


@dataclass(frozen=True, slots=True)
class Job:
    """The survey of the loneliest airport, ready to compare.

    Attributes:
        strategies: What to call, by name; each returns an equal report.
        services: Processes to measure beside the strategies, by name.
        settings: What was chosen, to be printed.
        workers: How many things each strategy does at once, by name.
        requests: How many requests one run makes if none fails.
        name: The job's name.
        question: What it asks.
    """

    strategies: Mapping[str, Callable[[], Report]]
    services: Mapping[str, int]
    settings: Mapping[str, object]
    workers: Mapping[str, int]
    requests: int
    name: str = "loneliest"
    question: str = QUESTION

    def answer(self, report: Report) -> str:
        """Return the answer to the question, as one sentence."""
        return report.answer()


def job(
    site: Site | str,
    n_countries: int = 24,
    *,
    countries: Iterable[str] | None = None,
    compute: str = "pairs",
    parser: str = "soup",
    workers: int | None = None,
    connections: int = CONNECTIONS,
    downloads: str | PathLike[str] | None = None,
    user: str | None = None,
    password: str | None = None,
    **unknown: Any,
) -> Job:
    """Return the job of surveying a site.

    Args:
        site: A running site, or the address of one.
        n_countries: How many countries, in the fixed order: CL FM IS NO ..., then the rest by size, all but US.
        countries: Country codes to take instead, by name.
        compute: "pairs" compares every airport with every other, "sorted" only with those that can be near.
        parser: "soup" is BeautifulSoup, "stdlib" the standard library's.
        workers: Worker processes; None for as many as there are cores.
        connections: Connections open at once.
        downloads: Folder to keep the files in; None for a temporary one.
        user: Who logs in; None for the site's own user.
        password: Their password; None for the site's own.
        **unknown: Anything else is an error.

    Raises:
        SettingError: A setting is unknown or impossible, or the site does not run.
        MissingPackageError: The extra `demo` is not installed.
    """
    refuse_unknown(unknown, JOB_SETTINGS, "the job")
    for package, why in (("httpx", "to fetch pages"), ("bs4", "to parse pages")):
        require(package, extra="demo", why=why)
    named = None if countries is None else tuple(countries)
    chosen = airports.choose(airports.sizes(), n_countries, named)
    settings = Settings(
        url=_address(site),
        user=user or (site.user if isinstance(site, Site) else USER),
        password=password or (site.password if isinstance(site, Site) else PASSWORD),
        n_countries=len(chosen),
        countries=named,
        compute=compute,
        parser=parser,
        workers=Machine.detect().cores if workers is None else workers,
        connections=connections,
        downloads=None if downloads is None else Path(downloads).absolute(),
    )
    return Job(
        strategies={name: partial(_strategy(module), settings) for name, module in STRATEGIES.items()},
        services={"site": site.pid} if isinstance(site, Site) else {},
        settings=_printed(settings, site),
        workers={"serial": 1, "threads": connections, "asyncio": 1}
        | dict.fromkeys(("processes", "hybrid", "dataflow"), settings.workers),
        requests=3 + 2 * len(chosen),
    )


JOB_SETTINGS = (
    "n_countries",
    "countries",
    "compute",
    "parser",
    "workers",
    "connections",
    "downloads",
    "user",
    "password",
)


def _strategy(module: str) -> Callable[[Settings], Report]:
    survey: Callable[[Settings], Report] = import_module(f"flowlab.workloads.loneliest.{module}").survey
    return survey


def _address(site: Site | str) -> str:
    if isinstance(site, str):
        return site.rstrip("/")
    if not isinstance(site, Site):
        raise SettingError(
            f"a job needs a site or its address, not {type(site).__name__}: give loneliest.site() or a URL."
        )
    if not site.url:
        raise SettingError("the site does not run: make the job within 'with loneliest.site() as site:'.")
    return site.url


def _printed(settings: Settings, site: Site | str) -> dict[str, object]:
    """Return what was chosen, without secrets; of the site's options, those that slow or fail it."""
    printed: dict[str, object] = {
        "countries": settings.n_countries if settings.countries is None else " ".join(settings.countries),
        "workers": settings.workers,
        "connections": settings.connections,
        "compute": settings.compute,
        "parser": settings.parser,
    }
    if settings.downloads is not None:
        printed["downloads"] = str(settings.downloads)
    if isinstance(site, Site):
        options = site.options
        printed["latency_ms"] = options.latency_ms
        for name in ("jitter_ms", "bandwidth_bytes_s", "capacity", "error_rate", "throttle_rate", "seed"):
            if getattr(options, name):
                printed[name] = getattr(options, name)
    return printed
