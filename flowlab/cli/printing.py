"""What a person sees in the terminal: the table and the sentences (with rich)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowlab.comparison.wording import cells

if TYPE_CHECKING:
    from flowlab.comparison import Comparison

WIDE = 120  # columns, where the output goes to a file and has no width of its own
COLUMNS = (
    "strategy", "wall, median\n(min to max)", "speed-up", "CPU", "worker\nstart", "peak\nmemory", "data\nmoved",
    "energy, estimated\n(band)",
)  # fmt: skip
DISPENSABLE = {4: "worker start", 6: "data moved", 7: "energy", 3: "CPU", 5: "peak memory"}
"""Columns left out where the screen is too narrow for all, in this order, and what they are called in a sentence."""
LAST_LINES = 5


def comparison(found: Comparison) -> None:
    """Print a comparison: settings, table, sentences, answer, verdict."""
    from rich.console import Console
    from rich.text import Text

    of_its_own = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if of_its_own else WIDE, highlight=False, markup=False)
    runs = f": n = {found.n_repeats} runs each, interleaved, on {found.machine.sentence()}"
    console.print(Text.assemble((found.name, "bold"), runs))
    console.print("; ".join(f"{name} {value}" for name, value in found.settings.items()), style="dim")
    _print_table(console, found)
    for note in filter(None, (found.estimating, found.measuring)):
        console.print(note, style="dim")
    for line in filter(None, (found.sentence, *found.disagreements, *_failures(found), *_last_lines(found))):
        console.print(line)
    if found.question and found.answer:
        same = "equal for all strategies" if found.agree else "as the first strategy found it"
        console.print(f"{found.question} {found.answer} ({same})")
    if found.verdict:
        console.print(found.verdict.text, style="bold")
        if found.verdict.code:
            console.print(f"\n{found.verdict.code}", soft_wrap=True)


def _failures(found: Comparison) -> Iterator[str]:
    for name in found.strategies:
        failed = sorted({failure for run in found.runs_of(name) for failure in run.failures})
        if failed:
            shown = ", ".join(f"item {index} ({error})" for index, error in failed[:5])
            many = "1 item" if len(failed) == 1 else f"{len(failed)} items"
            yield f"{name}: {many} failed: {shown}{', ...' if len(failed) > 5 else ''}"


def _last_lines(found: Comparison) -> Iterator[str]:
    """The end of what each strategy that failed printed, its traceback included."""
    for name in found.strategies:
        failed = next((run for run in found.runs_of(name) if run.error and run.output.strip()), None)
        if failed is not None:
            lines = failed.output.rstrip().splitlines()
            title = f"The last lines that {name} printed:" if len(lines) > LAST_LINES else f"{name} printed:"
            yield "\n".join([title, *(f"  {line}" for line in lines[-LAST_LINES:])])


def _print_table(console: Any, found: Comparison) -> None:
    """Print as many columns as fit on the screen, and say which are left out."""
    left_out: list[int] = []
    unbounded = console.options.update(max_width=1000)
    table = _table(found, left_out)
    for index in DISPENSABLE:
        if console.measure(table, options=unbounded).maximum <= console.width:
            break
        left_out.append(index)
        table = _table(found, left_out)
    console.print(table)
    if left_out:
        names = ", ".join(DISPENSABLE[index] for index in left_out)
        console.print(f"Left out of this table for want of width: {names}. The report has all.", style="dim")


def _table(found: Comparison, left_out: Sequence[int]) -> Any:
    from rich import box
    from rich.table import Table

    def kept(texts: Sequence[str]) -> list[str]:
        return [text for index, text in enumerate(texts) if index not in left_out]

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, title in enumerate(kept(COLUMNS)):
        table.add_column(title, justify="right" if index else "left")
    for row in found.strategy_rows():
        table.add_row(*kept([str(row["strategy"]), *cells(row)]))
    apart = [kept([f"({row['service']})", *cells(row)]) for row in found.service_rows()]
    table.add_section()
    for texts in apart:
        if any(texts[1:]):
            table.add_row(*texts, style="dim")
    return table
