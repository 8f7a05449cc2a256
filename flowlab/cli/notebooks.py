"""`flowlab notebooks run`, `list` and `grades`: the series without hands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlab.errors import SettingError, require

if TYPE_CHECKING:
    from flowlab.adventure.walks import Walked

FAILED = 1
JOURNAL = "journal.jsonl"
STRANGE = (
    "is no notebook of the series: no cell calls adventure.begin with a notebook's name, and the file's name has none. "
    "It ran as it is, without --scale, --branch and the journal."
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add what may be typed after `flowlab notebooks`."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    about = "run notebooks with nobody there, and show every cell that fails"
    run_ = commands.add_parser("run", help=about, description=about[0].upper() + about[1:] + ".")
    run_.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="name, number, file or pattern such as in/*.ipynb (default: all there are)",
    )
    run_.add_argument("--branch", metavar="B", help="the branch to take, or all (default: each notebook's own)")
    run_.add_argument("--scale", help="tiny, demo, class or large (default: each notebook's own)")
    run_.add_argument("--out", type=Path, default=Path("reports") / "notebooks", metavar="DIR",
                      help="where the outputs and the journal go (default: reports/notebooks)")  # fmt: skip
    run_.add_argument("--timeout", type=float, metavar="MINUTES",
                      help="stop a notebook that takes longer, and go on with the others (default: 30)")  # fmt: skip
    run_.set_defaults(call=run)
    about = "list the notebooks, their branches and what may be set in them"
    listed = commands.add_parser("list", help=about, description=about[0].upper() + about[1:] + ".")
    listed.set_defaults(call=list_)
    about = "tell which exercises and quizzes are right in notebooks that were run"
    graded = commands.add_parser("grades", help=about, description=about[0].upper() + about[1:] + ".")
    graded.add_argument("folder", type=Path, metavar="DIR", help="where the notebooks with their outputs are")
    graded.add_argument("--csv", type=Path, metavar="FILE", help="write the table to a file, too")
    graded.set_defaults(call=grades)


def run(options: argparse.Namespace) -> int:
    """Run the notebooks, print a table, and show every cell that failed."""
    from flowlab.adventure.walks import MINUTES, all_walked, kernels_at, walks
    from flowlab.live import Steps, show_progress, shown

    require("rich", extra="demo", why="for this command")
    journal = _folder(options.out) / JOURNAL
    chosen = walks(options.notebooks, options.branch, scale=options.scale, journal=str(journal))
    minutes = MINUTES if options.timeout is None else options.timeout
    kernels = kernels_at(options.scale)
    with show_progress(keep=False), shown(Steps("notebooks", "walks", len(chosen))) as steps:
        found = all_walked(chosen, options.out, kernels, steps.update, minutes)
    _print(found, kernels)
    print(f"Notebooks with their outputs, and their journal: {options.out}")
    for walk in chosen:
        if walk.strange:
            print(f"{walk.source} {STRANGE}", file=sys.stderr)
    for each in found:
        if not each.right:
            print(f"\n{each.out} {each.state}:\n\n{each.source}\n\n{each.error}", file=sys.stderr)
    return 0 if all(each.right for each in found) else FAILED


def list_(options: argparse.Namespace) -> int:
    """Print the notebooks that are there, what may be chosen in them, and what may be set."""
    require("rich", extra="demo", why="for this command")
    from flowlab.adventure.series import CHAPTERS

    table = _table("notebook", "choose", "by", "set with -p (papermill)")
    for each in CHAPTERS.values():
        if each.decision:
            names = ", ".join(p.name for p in each.parameters)
            table.add_row(each.name, "\n".join(each.decision.options), each.decision.parameter, names)
        else:
            table.add_row(each.name, "", "", "not there yet", style="dim")
    _console().print(table)
    return 0


def grades(options: argparse.Namespace) -> int:
    """Print a row for every check of every notebook in a folder."""
    import csv

    require("rich", extra="demo", why="for this command")
    from flowlab.adventure.grading import counted
    from flowlab.adventure.grading import grades as found_in

    found = found_in(options.folder)
    table = _table("notebook", "exercise or quiz", "state")
    for each in found:
        table.add_row(each.file, each.task, each.state)
    console = _console()
    console.print(table)
    console.print(counted(found))
    if options.csv:
        try:
            with options.csv.open("w", encoding="utf-8", newline="") as file:
                rows = [(each.file, each.task, each.state) for each in found]
                csv.writer(file).writerows([("notebook", "task", "state"), *rows])
        except OSError as error:
            raise SettingError(f"cannot write {options.csv} ({error.strerror}): give --csv FILE") from error
    return 0


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"cannot write to {out} ({error.strerror}): give --out DIR") from error
    return out.absolute()


def _print(found: Sequence[Walked], kernels: int) -> None:
    from flowlab.machine import Machine

    table = _table("notebook", "branch", "cells", "wall time", "")
    for each in found:
        state = f"{each.state}; no notebook of the series" if each.walk.strange else each.state
        style = None if each.right else "bold"
        table.add_row(each.walk.name, each.walk.option, str(each.cells), f"{each.wall_s:.1f} s", state, style=style)
    console = _console()
    console.print(table)
    at_once = "one at a time" if kernels == 1 else f"{kernels} at once, so the times are no measurements"
    right = sum(each.right for each in found)
    console.print(f"{right} of {len(found)} right; {at_once}; {Machine.detect().sentence()}.", highlight=False)


def _table(*titles: str) -> Any:
    from rich import box
    from rich.table import Table

    return Table(*titles, box=box.SIMPLE_HEAD)


def _console() -> Any:
    from rich.console import Console

    from flowlab.cli.printing import WIDE

    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
