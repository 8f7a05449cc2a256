"""What the site and the job can be told, checked before anything starts.

Invariant: an unknown name or an impossible value is a SettingError that says what is possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flowlab.errors import SettingError
from flowlab.workloads.loneliest.distances import METHODS

USER = "learner"
PASSWORD = "solitude"
CONNECTIONS = 8
PARSERS = ("soup", "stdlib")


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """How the site behaves.

    Attributes:
        latency_ms: Wait before every answer.
        jitter_ms: A further wait, drawn between 0 and this.
        bandwidth_bytes_s: Speed of one connection, None without limit.
        capacity: Requests served at once before the next one queues, None without limit.
        error_rate: Share of requests answered 503.
        throttle_rate: Share of requests answered 429 with Retry-After.
        retry_after_s: What Retry-After says, whole seconds.
        feed_items: How many items the feed has, 0 for no feed.
        feed_bytes: How large each is.
        seed: Key of all random draws.
        port: Port on the loopback interface, 0 for a free one.
        user: Who may log in.
        password: Their password.
    """

    latency_ms: float = 20.0
    jitter_ms: float = 0.0
    bandwidth_bytes_s: float | None = None
    capacity: int | None = None
    error_rate: float = 0.0
    throttle_rate: float = 0.0
    retry_after_s: int = 1
    feed_items: int = 0
    feed_bytes: int = 256_000
    seed: int = 0
    port: int = 0
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)

    def __post_init__(self) -> None:
        for name in ("latency_ms", "jitter_ms"):
            _number(name, getattr(self, name), 0, 600_000)
        for name in ("error_rate", "throttle_rate"):
            _number(name, getattr(self, name), 0, 1)
        if self.bandwidth_bytes_s is not None:
            _number("bandwidth_bytes_s", self.bandwidth_bytes_s, 1, 1e15)
        if self.capacity is not None:
            _whole("capacity", self.capacity, 1, 1_000_000)
        _whole("retry_after_s", self.retry_after_s, 0, 3600)
        _whole("feed_items", self.feed_items, 0, 1_000_000)
        _whole("feed_bytes", self.feed_bytes, 16, 100_000_000)
        _whole("seed", self.seed, -(2**63), 2**63)
        _whole("port", self.port, 0, 65535)
        _text("user", self.user)
        _text("password", self.password)


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run of the job needs to know; the same for every strategy.

    Attributes:
        url: The site's address.
        user: Who logs in.
        password: Their password.
        n_countries: How many countries, in the order of the survey.
        countries: Country codes to take instead, by name.
        compute: How to search for neighbours, "pairs" or "sorted".
        parser: How to parse pages, "soup" or "stdlib".
        workers: Worker processes, in the strategies that have them.
        connections: Connections open at once, in every strategy.
        downloads: Folder for the files; None for a temporary one, removed at the end.
    """

    url: str
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)
    n_countries: int = 24
    countries: tuple[str, ...] | None = None
    compute: str = "pairs"
    parser: str = "soup"
    workers: int = 1
    connections: int = CONNECTIONS
    downloads: Path | None = None

    def __post_init__(self) -> None:
        one_of("compute", self.compute, METHODS)
        one_of("parser", self.parser, PARSERS)
        _whole("workers", self.workers, 1, 10_000)
        _whole("connections", self.connections, 1, 10_000)
        _text("user", self.user)
        _text("password", self.password)
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError("the site's address must look like http://127.0.0.1:8080, as 'flowlab site' prints it.")


def site_options(values: Mapping[str, Any]) -> SiteOptions:
    """Return the options of a site.

    Raises:
        SettingError: A name is unknown or a value impossible.
    """
    refuse_unknown(values, (entry.name for entry in fields(SiteOptions)), "site")
    return SiteOptions(**values)


def as_dict(options: SiteOptions) -> dict[str, Any]:
    """Return the options as plain values."""
    return asdict(options)


def refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise SettingError if a given name is not a known one, with the nearest known one."""
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}? It" if near else "it"
            raise SettingError(f"{what} has no setting {name!r}: {hint} takes {', '.join(names)}.")


def one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise SettingError if a value is not one of the choices."""
    if value not in (listed := list(choices)):
        raise SettingError(f"{name}={value!r} is not possible: choose {' or '.join(map(repr, listed))}.")


def _number(name: str, value: object, low: float, high: float) -> None:
    fits = (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )
    if not fits:
        raise SettingError(f"{name}={value!r} is not possible: give a number from {low:,} to {high:,}.")


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SettingError(f"{name}={value!r} is not possible: give a whole number from {low:,} to {high:,}.")


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise SettingError(f"{name} must be a text that is not empty.")
