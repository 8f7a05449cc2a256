"""Notebook 00's branches: one page of the site, looked at with one goal in mind, done in two ways.

Here: the four goals. The invariant: both ways give the same airports, which is checked, and every repeat is kept.
"""

from __future__ import annotations

import ast
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import getsource
from typing import Any

from flowlab.adventure.branches.strips import Strip
from flowlab.adventure.outcomes import Outcome, Progress

COUNTRY = "NO"


def fast(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Time the page with a new login for every fetch, and with the session kept."""
    from flowlab.workloads.loneliest.computing import parse
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.options import Settings
    from flowlab.workloads.loneliest.steps import country_path, download, log_in

    told = Settings(url=site.url, user=site.user, password=site.password)

    def log_in_first() -> Any:
        with open_client(told) as client:
            log_in(client, told)
            return parse(download(client, country_path(COUNTRY))).airports

    with open_client(told) as kept:
        log_in(kept, told)
        ways = {
            "log in each time": log_in_first,
            "keep the session": lambda: parse(download(kept, country_path(COUNTRY))).airports,
        }
        strip, airports = _repeated(ways, settings["repeats"], _wall_ms, "wall time", "ms")
    return _outcome("fast", strip, f"{airports} airports of {COUNTRY} either way; 4 requests a fetch against 1")


def small(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Watch the peak of Python's memory while the page is parsed, by BeautifulSoup and by the standard library."""
    strip, airports = _repeated(_parsers(site), settings["repeats"], _peak_kb, "peak memory while parsing", "kB")
    return _outcome("small", strip, f"{airports} airports of {COUNTRY} by either parser")


def frugal(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Estimate the energy of parsing the page from its CPU time, by BeautifulSoup and by the standard library."""
    from flowlab.machine import Machine
    from flowlab.metrics import power

    cores = Machine.detect().cores

    def millijoules(call: Callable[[], Any]) -> tuple[float, Any]:
        wall, cpu = time.perf_counter(), time.process_time()
        value = call()
        used = power.estimate(time.process_time() - cpu, time.perf_counter() - wall, 0, cores=cores)
        return 1000 * used.dynamic_j, value

    strip, airports = _repeated(_parsers(site), settings["repeats"], millijoules, "dynamic energy", "mJ")
    model = power.estimate(1.0, 1.0, 0, cores=cores)
    note = (
        f"An estimate from CPU time, not a measurement ({model.source}), give or take "
        f"{100 * model.uncertainty_rel:.0f} %; the doubt moves both ways together."
    )
    return _outcome("frugal", strip, f"{airports} airports of {COUNTRY} by either parser", note)


def simple(settings: Mapping[str, Any], progress: Progress, *, site: Any) -> Outcome:
    """Count the lines of code of every strategy's module."""
    from flowlab.workloads.loneliest.jobs import STRATEGIES

    lines = {
        name: [code_lines(getsource(import_module(f"flowlab.workloads.loneliest.{module}")))]
        for name, module in STRATEGIES.items()
    }
    strip = Strip("code of one strategy", "lines", lines)
    return _outcome("simple", strip, f"{len(lines)} strategies for the same job, all from the same steps")


def code_lines(source: str) -> int:
    """Return the number of lines that are neither blank nor comment nor docstring.

    >>> code_lines("'''Doc.'''\\n# why\\nx = 1\\n\\ny = (2,\\n     3)")
    3
    """
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        if isinstance(node, ast.stmt) and hasattr(node, "body"):
            found.add(node.lineno)
        elif isinstance(node, ast.stmt):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(found)


def _parsers(site: Any) -> dict[str, Callable[[], Any]]:
    from flowlab.workloads.loneliest.computing import parse
    from flowlab.workloads.loneliest.fetching import open_client
    from flowlab.workloads.loneliest.options import Settings
    from flowlab.workloads.loneliest.steps import country_path, download, log_in

    told = Settings(url=site.url, user=site.user, password=site.password)
    with open_client(told) as client:
        log_in(client, told)
        html = download(client, country_path(COUNTRY))
    return {
        "BeautifulSoup": lambda: parse(html, "soup").airports,
        "standard library": lambda: parse(html, "stdlib").airports,
    }


Measure = Callable[[Callable[[], Any]], tuple[float, Any]]


def _wall_ms(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = call()
    return 1000 * (time.perf_counter() - started), value


def _peak_kb(call: Callable[[], Any]) -> tuple[float, Any]:
    tracemalloc.start()
    try:
        value = call()
        return tracemalloc.get_traced_memory()[1] / 1000, value
    finally:
        tracemalloc.stop()


def _repeated(
    ways: Mapping[str, Callable[[], Any]], repeats: int, measure: Measure, quantity: str, unit: str
) -> tuple[Strip, int]:
    """Measure every way `repeats` times in turn, after once for nothing, and hold the results equal."""
    values: dict[str, list[float]] = {name: [] for name in ways}
    first = next(iter(ways.values()))()
    for call in ways.values():
        call()
    for _ in range(repeats):
        for name, call in ways.items():
            value, found = measure(call)
            values[name].append(value)
            if found != first:
                raise AssertionError(f"{name!r} found other airports than {next(iter(ways))!r}")
    return Strip(quantity, unit, values), len(first)


def _outcome(option: str, strip: Strip, what: str, note: str = "") -> Outcome:
    best: Sequence[str] = sorted(strip.values, key=strip.median)
    facts = {
        name: {
            "n": len(values),
            "median": strip.median(name),
            "low": min(values),
            "high": max(values),
            "unit": strip.unit,
        }
        for name, values in strip.values.items()
    }
    sentence = f"{strip.sentence()} Least: {best[0]}. {note}".rstrip()
    return Outcome("goal", option, f"goal {option!r}: {what}.", sentence, strip, facts)
