"""The page: which sections there are, and what each says.

The tables are made in `tables`, the looks in `style`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flowlab import plots
from flowlab.comparison.result import Comparison
from flowlab.comparison.wording import number
from flowlab.errors import PlotError, SettingError
from flowlab.files import remove_left_overs, write_whole
from flowlab.machine import Machine
from flowlab.plots.chart import Chart, address, data_table
from flowlab.plots.theme import THEMES, recoloured
from flowlab.plots.wording import listing, runs_each
from flowlab.report.style import style_sheet
from flowlab.report.tables import run_table, service_table, strategy_table

FIGURES: tuple[tuple[str, str, Callable[[Comparison], Chart]], ...] = (
    (
        "What speed costs",
        "Time against memory, and time against the energy estimate: the lower left corner is the best place.",
        plots.tradeoff,
    ),
    (
        "Where the time goes",
        "Waiting can be overlapped by threads, coroutines and processes alike; computing in Python only by processes.",
        plots.breakdown,
    ),
    ("Who was busy when", "Every strategy on the same time scale, one lane a worker.", plots.timeline),
    ("Memory over time", "All processes of a run together; the mark is the peak.", plots.memory),
    (
        "Time against requests",
        "How far each strategy had got, and when: a straight line is a steady pace, a step is a bottleneck.",
        plots.requests,
    ),
    (
        "Memory against requests",
        "What each strategy held in memory when that many requests were done.",
        lambda comparison: plots.requests(comparison, y="memory"),
    ),
)
MACHINE_FACTS = {
    "cpu_model": ("processor", "", 1.0),
    "cores": ("cores to use", "", 1.0),
    "cores_total": ("cores in all", "", 1.0),
    "cores_quota": ("quota of cores", "", 1.0),
    "memory_bytes": ("memory to use", " GB", 1e-9),
    "memory_free_bytes": ("of it free", " GB", 1e-9),
    "platform": ("system", "", 1.0),
    "python": ("Python", "", 1.0),
    "gil": ("interpreter lock (GIL)", "", 1.0),
    "mains": ("on mains power", "", 1.0),
    "clusters": ("clusters in reach", "", 1.0),
    "load_1m": ("load of the last minute", "", 1.0),
    "pressure_cpu_rel": ("time something waited for a core", " %", 100.0),
    "pressure_memory_rel": ("time something waited for memory", " %", 100.0),
}
"""Which facts of the machine are shown: title, unit, factor from SI to the unit."""

ENERGY_METHODS = {
    "model_tdp": "published, not fitted to this machine",
    "model_calibrated": "fitted to this machine",
    "rapl": "the processor's own counter",
}
NARROW = "(max-width: 700px)"
DARK = "(prefers-color-scheme: dark)"


def write(comparison: Comparison, path: str | Path) -> Path:
    """Write a comparison as one self-contained HTML page, whole or not at all, and return its path.

    Args:
        comparison: What `fl.compare` returned.
        path: The file to write; its folder is made if need be.

    Raises:
        SettingError: The file cannot be written.
    """
    path = Path(path)
    text = as_html(comparison)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_overs(path.parent, path.name)
        write_whole(path, text)
    except OSError as error:
        raise SettingError(f"cannot write the report to {path} ({error.strerror}): choose another path.") from error
    return path


def as_html(comparison: Comparison) -> str:
    """Return the page as HTML."""
    sections = (_verdict, _strategies, _services, _failures, _figures, _runs, _outputs, _energy, _facts, _method)
    title = escape(f"{comparison.name}: {len(comparison.strategies)} strategies compared")
    body = "".join(section(comparison) for section in sections)
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{title}</title>\n<style>{style_sheet()}</style>\n</head>\n<body>\n"
        f"{_header(comparison)}\n<main>\n{body}\n</main>\n{_footer()}\n</body>\n</html>\n"
    )


def _header(comparison: Comparison) -> str:
    count = len(comparison.strategies)
    what = f"{count} strategies compared" if count > 1 else "one strategy measured"
    question = f"<p class='lead'>{escape(comparison.question)}</p>" if comparison.question else ""
    answer = f"<p class='answer'>{escape(comparison.answer)}</p>" if comparison.answer else ""
    return (
        f"<header><p class='eyebrow'>flowlab comparison</p><h1>{escape(comparison.name)}: {what}</h1>"
        f"{question}{answer}<p class='muted'>{escape(_n_and_machine(comparison))}</p></header>"
    )


def _n_and_machine(comparison: Comparison) -> str:
    said = [runs_each(len(comparison.runs_of(name)) for name in comparison.strategies), comparison.machine.sentence()]
    if comparison.took_s is not None:
        said.append(f"measured in {number(comparison.took_s)}\u00a0s")
    return "; ".join(said)


def _verdict(comparison: Comparison) -> str:
    parts = []
    if not comparison.agree or comparison.disagreements:
        rows = "".join(f"<li>{escape(line)}</li>" for line in comparison.disagreements)
        parts.append(f"<div class='card alarm' role='alert'><h2>The results differ</h2><ul>{rows}</ul></div>")
    agree = "All strategies gave equal results." if comparison.agree and len(comparison.strategies) > 1 else ""
    said = [comparison.sentence, comparison.verdict.text if comparison.verdict else "", agree]
    prose = "".join(f"<p>{escape(line)}</p>" for line in said if line)
    code = ""
    if comparison.verdict and comparison.verdict.code:
        code = f"<pre><code>{escape(comparison.verdict.code)}</code></pre>"
    parts.append(f"<section class='card verdict'><h2>Verdict</h2>{prose}{code}</section>")
    return "".join(parts)


def _strategies(comparison: Comparison) -> str:
    return f"<h2>What each strategy cost</h2><section class='card'>{strategy_table(comparison)}</section>"


def _services(comparison: Comparison) -> str:
    if not comparison.services:
        return ""
    names = listing(list(dict.fromkeys(use.service for use in comparison.services)))
    return (
        "<section class='card'><h3>Beside the strategies</h3>"
        f"<p class='muted'>What the job talked to ({escape(names)}) ran in a process of its own. What it used is here, "
        f"and in no strategy's figures; the machine's idle power is counted once, with the strategies.</p>"
        f"{service_table(comparison)}</section>"
    )


def _figures(comparison: Comparison) -> str:
    return "<h2>Figures</h2>" + "".join(_figure(comparison, *figure) for figure in FIGURES)


def _figure(comparison: Comparison, title: str, lead: str, draw: Callable[[Comparison], Chart]) -> str:
    heading = f"<h3>{escape(title)}</h3><p class='muted'>{escape(lead)}</p>"
    try:
        chart = draw(comparison)
    except PlotError as error:
        return f"<section class='card'>{heading}<p>Not drawn: {escape(str(error))}</p></section>"
    return (
        f"<section class='card'>{heading}<figure>{picture(chart)}"
        f"<figcaption>{escape(chart.caption)}</figcaption>{data_table(chart.data)}</figure></section>"
    )


def picture(chart: Chart) -> str:
    """Return a figure in both themes and for both widths; the reader's browser takes the one that fits."""
    wide, narrow = (chart.redrawn(theme="light", narrow=small) for small in (False, True))
    svg, small_svg = wide.svg(), narrow.svg()
    light, dark = THEMES["light"], THEMES["dark"]
    pictures = (
        (f"{NARROW} and {DARK}", recoloured(small_svg, light, dark)),
        (NARROW, small_svg),
        (DARK, recoloured(svg, light, dark)),
    )
    sources = "".join(f"<source media='{media}' srcset='{address(each)}'>" for media, each in pictures)
    width, height = wide.size_px
    image = f"<img alt='{escape(chart.alt)}' src='{address(svg)}' width='{width}' height='{height}'>"
    return f"<picture>{sources}{image}</picture>"


def _runs(comparison: Comparison) -> str:
    count = len(comparison.runs)
    return (
        f"<h2>Every run</h2><section class='card'><p class='muted'>All {count} runs, in the order they ran; none is "
        f"left out.</p><details><summary>Table of {count} runs</summary>{run_table(comparison)}</details></section>"
    )


def _outputs(comparison: Comparison) -> str:
    """Return what the strategies printed, folded away; what several runs printed alike stands once."""
    folded = ""
    for name in comparison.strategies:
        repeats: dict[str, list[str]] = {}
        for run in comparison.runs_of(name):
            text = "".join(letter for letter in run.output if letter.isprintable() or letter in "\n\t")
            if text.strip():
                repeats.setdefault(text, []).append(str(run.repeat + 1))
        for text, numbers in repeats.items():
            title = f"{name}, repeat {listing(numbers)}"
            folded += f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
    return f"<h2>What the strategies printed</h2><section class='card'>{folded}</section>" if folded else ""


def _failures(comparison: Comparison) -> str:
    """Return what failed: items, as each strategy met them, and runs that did not end; nothing if nothing did."""
    lines = []
    for name in comparison.strategies:
        runs = comparison.runs_of(name)
        items = dict.fromkeys(failure for run in runs for failure in run.failures)
        if items:
            said = ", ".join(f"item {index} ({kind})" for index, kind in items)
            lines.append(f"{name}: {said}")
        lines += [f"{name}, repeat {run.repeat + 1}: {run.error}" for run in runs if run.error]
    if not lines:
        return ""
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<section class='card'><h3>What failed</h3><ul>{rows}</ul></section>"


def _energy(comparison: Comparison) -> str:
    energies = [run.energy for run in comparison.runs if run.energy]
    if not energies:
        return ""
    one = energies[0]
    band = f" The band is ±{100 * one.uncertainty_rel:.0f} %."
    kind = "An estimate from a model, not a measurement."
    if all(energy.method == "rapl" for energy in energies):
        kind = "Read from the machine's counters, and shared out by CPU time."
    return (
        "<h2>What the energy figures are</h2><section class='card'>"
        f"<p><strong>{kind}</strong> CPU seconds times the power a busy core "
        "draws, plus the machine's idle power and its memory's power over the wall time, plus the network's share.</p>"
        f"<p>Coefficients: {escape(one.profile)} ({ENERGY_METHODS.get(one.method, escape(one.method))}).{band} Most of "
        "that doubt is the same for all strategies: it moves their figures together and hardly changes their order.</p>"
        f"<p class='muted'>Source: {escape(one.source)}</p></section>"
    )


def _facts(comparison: Comparison) -> str:
    settings = _list(comparison.settings) if comparison.settings else "<p class='muted'>The job names none.</p>"
    return (
        f"<h2>Settings and machine</h2><div class='pair'><section class='card'><h3>Settings</h3>{settings}</section>"
        f"<section class='card'><h3>Machine</h3>{_list(_machine(comparison.machine))}</section></div>"
    )


def _machine(machine: Machine) -> dict[str, object]:
    """Return what is known of the machine, in the reader's units."""
    facts: dict[str, object] = {}
    for name, (title, unit, factor) in MACHINE_FACTS.items():
        value = getattr(machine, name)
        if value is None or value == ():
            continue
        facts[title] = f"{number(value * factor)}{unit}" if unit else value
    return facts


def _list(facts: Mapping[str, object]) -> str:
    rows = "".join(
        f"<dt>{escape(str(name).replace('_', ' '))}</dt><dd>{escape(_said(value))}</dd>"
        for name, value in facts.items()
    )
    return f"<dl>{rows}</dl>"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(str(each) for each in value)
    return str(value)


def _method(comparison: Comparison) -> str:
    memory = {run.memory_method for run in comparison.runs} - {None}
    kinds = {
        "pss": "PSS, which counts a page shared by n processes as 1/n of it in each",
        "rss": "RSS, which counts a shared page once in each process that shares it",
    }
    said = listing([kinds[name] for name in sorted(str(each) for each in memory) if name in kinds])
    sampled = f" It is {said}." if said else ""
    lines = (
        "Every run happened in a fresh process; the repeats of the strategies took turns, so that a slow moment of the "
        "machine meets them all.",
        "Wall time runs from the call of a strategy to its end; its workers' start is part of it, and also a column.",
        "CPU time is that of the strategy's process and of all processes it started.",
        f"Peak memory is of all its processes together, sampled from another process.{sampled}",
        "Data moved is what its processes sent each other and what its calls report to have sent or received.",
    )
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>How it was measured</h2><section class='card'><ul>{items}</ul></section>"


def _footer() -> str:
    try:
        made_by = f"flowlab {version('flowlab')}"
    except PackageNotFoundError:
        made_by = "flowlab"
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<footer><p>Made by {escape(made_by)}, {day}. This page loads nothing from the network.</p></footer>"
