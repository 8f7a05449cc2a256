"""The commands, and the one place where errors become exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from errno import EISDIR
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from flowlab.cli import notebooks
from flowlab.cli import runs as stored_runs
from flowlab.errors import FlowlabError, SettingError, require
from flowlab.files import write_whole

if TYPE_CHECKING:
    from flowlab.comparison import Comparison

FAILED, MISUSED = 1, 2
DEMO_S = 60


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 failed, 2 misused; an interrupt goes on to `main`."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.call(options)
        return status
    except SettingError as error:
        return _complain(error, MISUSED)
    except FlowlabError as error:
        return _complain(error, FAILED)
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


def _complain(error: object, status: int) -> int:
    print(f"flowlab: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowlab",
        description="Threads, asyncio, processes or a dataflow: what does each cost, and what should I run?",
    )
    parser.add_argument("--version", action="version", version=f"flowlab {version('flowlab')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _demo(_command(commands, "demo", demo, "compare all strategies on the built-in job, in about a minute"))
    _compare(_command(commands, "compare", compare, "compare strategies on a built-in job, with every setting"))
    _try(_command(commands, "try", try_, "compare strategies on your own functions, and be told what to run"))
    _site(_command(commands, "site", site, "serve the web site of the built-in job until Ctrl-C"))
    _lab(_command(commands, "lab", lab, "open the notebooks in JupyterLab"))
    notebooks.options(_command(commands, "notebooks", machine, "run or list the notebooks, with nobody there"))
    stored_runs.options(lambda *given: _command(commands, *given))
    _command(commands, "machine", machine, "print what this machine lets us use")
    return parser


def _command(
    commands: Any, name: str, call: Callable[[argparse.Namespace], int], about: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + "."
    )
    parser.set_defaults(call=call)
    return parser


def _measured(parser: argparse.ArgumentParser, repeats: int) -> None:
    parser.add_argument("--strategies", metavar="A,B,...", help="which to run (default: all)")
    parser.add_argument("--repeats", type=int, default=repeats, help=f"runs of each (default: {repeats})")
    parser.add_argument("--report", type=Path, metavar="FILE", help="where to write the HTML report")
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="write the figures as files too, light and dark")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="end a run after S seconds")


def _scaled(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", default="demo", help="tiny, demo, class or large (default: demo)")


def _demo(parser: argparse.ArgumentParser) -> None:
    _scaled(parser)
    _measured(parser, 3)


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", help="the built-in job: loneliest")
    _scaled(parser)
    _measured(parser, 3)
    parser.add_argument("--n-countries", type=int, help="how many countries to survey (default: the scale's)")
    parser.add_argument("--compute", help="pairs or sorted: how nearest neighbours are found")
    parser.add_argument("--parser", help="soup or stdlib: how pages are parsed")
    parser.add_argument("--workers", type=int, help="worker processes (default: the cores we may use)")
    parser.add_argument("--connections", type=int, help="connections at once (default: 8)")
    parser.add_argument("--downloads", type=Path, metavar="FOLDER", help="keep the downloaded files here")
    parser.add_argument("--url", help="a site that runs already (see `flowlab site`) instead of one of our own")
    _served(parser)


def _served(parser: argparse.ArgumentParser) -> None:
    site = parser.add_argument_group("the site")
    site.add_argument("--latency-ms", type=float, help="time before each answer")
    site.add_argument("--jitter-ms", type=float, help="random extra time before each answer, at most this")
    site.add_argument("--bandwidth-bytes-s", type=float, help="bytes a second on each connection")
    site.add_argument("--capacity", type=int, help="requests served at once; others queue")
    site.add_argument("--error-rate", type=float, help="share of requests answered with 503, 0 to 1")
    site.add_argument("--throttle-rate", type=float, help="share of requests answered with 429, 0 to 1")
    site.add_argument("--retry-after-s", type=int, help="what a 429 asks to wait, in whole seconds")
    site.add_argument("--seed", type=int, help="seed of all random draws")
    site.add_argument("--port", type=int, help="port to listen on (default: any free one)")
    site.add_argument("--user", help="who may log in")
    site.add_argument("--password", help="their password")


_SITE_OPTIONS = (
    "latency_ms", "jitter_ms", "bandwidth_bytes_s", "capacity", "error_rate", "throttle_rate", "retry_after_s", "seed",
    "port", "user", "password",
)  # fmt: skip
_OUR_SITE = _SITE_OPTIONS[:-2]
_JOB_OPTIONS = ("n_countries", "compute", "parser", "workers", "connections", "downloads")


def _try(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("functions", metavar="MODULE:F,G,...", help="a module (or file.py) and its functions, in order")
    parser.add_argument("--items", required=True, metavar="FILE", help="one item a line, or a .json list; - for stdin")
    parser.add_argument("--sample", type=int, help="run on this many items, drawn at random (default: all)")
    parser.add_argument("--workers", type=int, help="threads and processes (default: by this machine)")
    parser.add_argument("--equal", metavar="MODULE:F", help="a function that tells whether two results are equal")
    _measured(parser, 3)


def _site(parser: argparse.ArgumentParser) -> None:
    _served(parser)


def _lab(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.add_argument("--port", type=int, help="port to listen on")


def demo(options: argparse.Namespace) -> int:
    """The main job at its demo scale, all strategies, and a word if the machine is slow."""
    if options.repeats < 3:
        raise SettingError(f"--repeats {options.repeats}: the demo shows a spread, which needs 3 or more")
    parser = _parser()
    typed = parser.parse_args(["compare", "loneliest"])
    merged = argparse.Namespace(**{**vars(typed), **vars(options)})
    return compare(merged)


def compare(options: argparse.Namespace) -> int:
    """Compare the strategies of a built-in job."""
    started = time.monotonic()
    _needs_demo_extra()
    from flowlab.comparison import compare as run
    from flowlab.comparison.subjects import unknown
    from flowlab.live import show_progress
    from flowlab.workloads import loneliest

    if options.job != "loneliest":
        raise SettingError(
            f"no built-in job {options.job!r}: there is loneliest; for your own functions see `flowlab try`"
        )
    if options.scale not in loneliest.SCALES:
        raise SettingError(unknown("scale", options.scale, list(loneliest.SCALES)))
    if options.url is not None and (ours := _given(options, _OUR_SITE)):
        raise SettingError(f"{', '.join(ours)} set up a site of our own: leave them out with --url, or leave out --url")
    report = _report_path(options, f"loneliest-{options.scale}")
    chosen = {**loneliest.SCALES[options.scale], **_given(options, (*_JOB_OPTIONS, *_SITE_OPTIONS))}
    surveyed = {name: value for name, value in chosen.items() if name in _JOB_OPTIONS}
    with stored_runs.keeping(), show_progress(keep=False), _the_site(options, chosen) as site:
        comparison = run(
            loneliest.job(site, **surveyed, **_given(options, ("user", "password"))),
            strategies=_names(options.strategies), repeats=options.repeats, timeout_s=options.timeout,
        )  # fmt: skip
    return _show(comparison, report, options.figures, started if options.scale == "demo" else None)


def try_(options: argparse.Namespace) -> int:
    """Compare the strategies of the reader's own functions."""
    _needs_demo_extra()
    from flowlab.cli.loading import functions, items
    from flowlab.comparison import compare as run
    from flowlab.comparison import job
    from flowlab.live import show_progress

    report = _report_path(options, "try")
    equal = functions(options.equal)[0] if options.equal else None
    made = job(*functions(options.functions), items=items(options.items), workers=options.workers, equal=equal)
    with stored_runs.keeping(), show_progress(keep=False):
        comparison = run(
            made, strategies=_names(options.strategies), repeats=options.repeats, sample=options.sample,
            timeout_s=options.timeout,
        )  # fmt: skip
    return _show(comparison, report, options.figures)


def site(options: argparse.Namespace) -> int:
    """Serve the site in the foreground."""
    _needs_demo_extra()
    from flowlab.workloads import loneliest

    loneliest.run_site(**_given(options, _SITE_OPTIONS))
    return 0


def lab(options: argparse.Namespace) -> int:
    """Open JupyterLab at the first notebook, and stay until it ends."""
    from subprocess import call

    from flowlab.adventure.folders import FIRST, notebooks_folder

    folder = notebooks_folder()
    require("jupyterlab", extra="notebooks", why="to open the notebooks")
    chosen = [*(["--no-browser"] if options.no_browser else []), *([f"--port={options.port}"] if options.port else [])]
    if getattr(os, "geteuid", lambda: 1)() == 0:  # in a container; it listens on the loopback address only
        chosen.append("--allow-root")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *chosen]
    command += [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{FIRST}"]
    return call(command, cwd=folder)


def machine(options: argparse.Namespace) -> int:
    """Print what this machine lets us use."""
    from flowlab.machine import Machine

    print(Machine.detect())
    return 0


def _show(comparison: Comparison, path: Path, figures: Path | None, started: float | None = None) -> int:
    from flowlab import report
    from flowlab.cli import printing

    printing.comparison(comparison)
    print(f"Report: {report.write(comparison, path)}")
    if figures is not None:
        print(f"Figures: {', '.join(str(drawn) for drawn in _draw(comparison, figures))}")
    if started is not None and (took_s := time.monotonic() - started) > DEMO_S:
        print(f"All this took {took_s:.1f} s instead of at most {DEMO_S}: this machine is slow or busy.")
    if not comparison.agree:
        failed = any(run.error for run in comparison.runs)
        print(
            f"flowlab: {'a strategy failed' if failed else 'the strategies do not agree'}, see above", file=sys.stderr
        )
        return FAILED
    return 0


def _draw(comparison: Comparison, folder: Path) -> Iterator[Path]:
    """The figures a README shows, for light and for dark pages, each with its alt text in a file beside it."""
    from flowlab import plots

    for name, draw in (("tradeoff", plots.tradeoff), ("breakdown", plots.breakdown)):
        chart = draw(comparison)
        alt = folder / f"{comparison.name}-{name}-alt.txt"
        write_whole(alt, chart.alt + "\n")
        yield alt
        for theme in ("light", "dark"):
            yield chart.redrawn(theme=theme).save(folder / f"{comparison.name}-{name}-{theme}.svg")


def _needs_demo_extra() -> None:
    for package in ("rich", "pandas", "matplotlib", "aiohttp", "httpx", "bs4"):
        require(package, extra="demo", why="for this command")


def _the_site(options: argparse.Namespace, chosen: dict[str, Any]) -> Any:
    """A site of our own while the block lasts, or the address of one that runs already."""
    from contextlib import nullcontext

    from flowlab.workloads import loneliest

    if options.url is not None:
        return nullcontext(options.url)
    return loneliest.site(**{name: value for name, value in chosen.items() if name in _SITE_OPTIONS})


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name, None)) is not None}


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _report_path(options: argparse.Namespace, name: str) -> Path:
    """Where the report goes; it and the figures' folder are made sure of before anything runs."""
    path: Path = options.report or Path("reports") / f"{name}.html"
    try:
        _make_writable(path.parent)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
    except OSError as error:
        raise SettingError(f"cannot write the report to {path} ({error.strerror}): give --report FILE") from error
    try:
        if options.figures is not None:
            _make_writable(options.figures)
    except OSError as error:
        folder = options.figures
        raise SettingError(f"cannot write figures to {folder} ({error.strerror}): give --figures FOLDER") from error
    return path


def _make_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass
