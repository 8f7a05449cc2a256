"""What a person sees in the terminal: progress while it runs, then the table and the sentences (with rich)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowlab.comparison.result import cells

if TYPE_CHECKING:
    from flowlab.comparison import Comparison

WIDE = 120  # columns, where the output goes to a file and has no width of its own
COLUMNS = (
    "strategy", "wall, median\n(min to max)", "speed-up", "CPU", "worker\nstart", "peak\nmemory", "data\nmoved",
    "energy, estimated\n(band)",
)  # fmt: skip


class Progress:
    """The progress bar of a comparison; `update` and `say` are what `compare` calls."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("getting ready", total=None)

    def update(self, done: int, total: int, strategy: str) -> None:
        """Show that `done` of `total` runs have ended and which strategy is running."""
        self._bar.update(self._task, completed=done, total=total, description=strategy or "done")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error while the block lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar)


def comparison(found: Comparison) -> None:
    """Print a comparison: settings, table, sentences, answer, verdict."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(
        f"[bold]{found.name}[/bold]: n = {found.n_repeats} runs each, interleaved, on {found.machine.sentence()}"
    )
    console.print("; ".join(f"{name} {value}" for name, value in found.settings.items()), style="dim")
    console.print(_table(found))
    energy = next((run.energy for run in found.runs if run.energy), None)
    if energy is not None:
        band = f"+-{energy.uncertainty_rel:.0%}"
        console.print(
            f"Energy is an estimate ({energy.method}, {band}), not a measurement: {energy.source}.", style="dim"
        )
    for line in filter(None, (found.sentence, *found.disagreements, *_failures(found))):
        console.print(line, markup=False)
    if found.question and found.answer:
        same = "equal for all strategies" if found.agree else "as the first strategy found it"
        console.print(f"{found.question} {found.answer} ({same})", markup=False)
    if found.verdict:
        console.print(found.verdict.text, style="bold", markup=False)
        if found.verdict.code:
            console.print(f"\n{found.verdict.code}", markup=False, soft_wrap=True)


def _failures(found: Comparison) -> Iterator[str]:
    for name in found.strategies:
        failed = sorted({failure for run in found.runs_of(name) for failure in run.failures})
        if failed:
            shown = ", ".join(f"item {index} ({error})" for index, error in failed[:5])
            many = "1 item" if len(failed) == 1 else f"{len(failed)} items"
            yield f"{name}: {many} failed: {shown}{', ...' if len(failed) > 5 else ''}"


def _table(found: Comparison) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for index, title in enumerate(COLUMNS):
        table.add_column(title, justify="right" if index else "left")
    for row in found.strategy_rows():
        table.add_row(str(row["strategy"]), *cells(row))
    if found.services:
        table.add_section()
    for row in found.service_rows():
        table.add_row(f"({row['service']}, apart)", *cells(row), style="dim")
    return table
