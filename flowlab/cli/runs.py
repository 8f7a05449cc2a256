"""Stored runs on the command line: keeping those of a command, listing, showing and removing them."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowlab.errors import StoreError

if TYPE_CHECKING:
    from flowlab.metrics import Record
    from flowlab.stored import StoredRun

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def options(command: Command) -> None:
    """Add the commands runs, show and prune to a parser."""
    command("runs", runs, "list the runs that were kept")
    one = command("show", show, "show one run that was kept: its machine, and what its calls cost")
    one.add_argument("run", metavar="RUN", help="its id, the beginning of its id, or `last`")
    one.add_argument("--export", type=Path, metavar="FILE", help="write its calls to .csv, .parquet, .jsonl or .json")
    old = command("prune", prune, "remove runs that were kept, and say which").add_mutually_exclusive_group(
        required=True
    )
    old.add_argument("--keep", type=int, metavar="N", help="keep the newest N runs")
    old.add_argument("--older-than", type=float, metavar="DAYS", help="remove runs that began longer ago")


@contextmanager
def keeping() -> Iterator[None]:
    """Keep the runs of this process while the block lasts, and say under which id, or in a line why not."""
    from flowlab.stored import StoreWarning, store

    def say(message: Any, *_: Any, **__: Any) -> None:
        print(f"flowlab: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", StoreWarning)
        warnings.showwarning = say
        try:
            opened = store()
        except StoreError as error:
            say(f"{error}. This run is not kept")
            yield
            return
        with opened:
            yield
            for each in opened.ids:
                print(f"Kept as run {each}: flowlab show {each}")


def runs(_: argparse.Namespace) -> int:
    """List the stored runs."""
    from flowlab.stored import runs as stored
    from flowlab.stored.folder import store_file

    found = stored()
    print(found if found else f"no runs: nothing has been kept yet in {store_file()}")
    return 0


def show(chosen: argparse.Namespace) -> int:
    """Print one stored run, or write it to a file."""
    from flowlab.stored import load

    run = load(chosen.run)
    if chosen.export is not None:
        from flowlab.exports import export

        print(f"Written: {export(run, chosen.export)}")
        return 0
    print(run)
    for line in _facts(run):
        print(line)
    if run.kind == "comparison":
        _comparison(run)
    _aligned(OPERATION, operation_rows(run.records))
    if run.runs:
        print()
        _aligned(("run", "strategy", "repeat", "status", "wall", "calls"), _below(run))
    return 0


def prune(chosen: argparse.Namespace) -> int:
    """Remove stored runs, and say which."""
    from flowlab.stored import prune as remove

    found = remove(keep=chosen.keep, older_than_days=chosen.older_than)
    if found:
        print(found)
    print(f"removed {'1 run' if len(found) == 1 else f'{len(found):,} runs'}")
    return 0


def _facts(run: StoredRun) -> Iterator[str]:
    yield f"on {run.machine.sentence()}"
    told = {"flowlab": "flowlab {}", "start_method": "processes by {}", "blas_threads": "BLAS threads {}"}
    if said := [text.format(run.process[name]) for name, text in told.items() if name in run.process]:
        yield ", ".join(said)
    for when, facts in (("at the start", run.start), ("at the end", run.end)):
        if said := list(_conditions(facts)):
            yield f"{when}: {', '.join(said)}"
    if (start := run.start.get("steal_s")) is not None and (end := run.end.get("steal_s")) is not None:
        yield f"taken by the hypervisor meanwhile: {end - start:.2f} s of CPU"
    if run.samples is not None and run.samples.peak_bytes is not None:
        peak = f"{run.samples.peak_bytes / 1e6:.3g} MB ({run.samples.method})"
        during = Counter(record.operation for record in run.at_peak)
        said = [name if count == 1 else f"{count} x {name}" for name, count in during.items()]
        yield f"peak memory of its processes {peak}, in {len(run.samples.times_ns)} samples" + (
            f", while these ran: {', '.join(said)}" if said else ""
        )
    if run.records and run.kind != "comparison":  # a comparison says it itself
        yield str(run.overhead)


def _conditions(facts: Mapping[str, Any]) -> Iterator[str]:
    if "load_1m" in facts:
        yield f"load {facts['load_1m']:.2f}"
    for what in ("cpu", "memory", "io"):
        if (share := facts.get(f"pressure_{what}_rel")) is not None:
            yield f"{what} pressure {share:.0%}"
    if "memory_free_bytes" in facts:
        yield f"{facts['memory_free_bytes'] / 1e9:.3g} GB free"


def _comparison(run: StoredRun) -> None:
    from flowlab.comparison.kept import comparison_of

    found = comparison_of(run)
    try:
        import rich  # noqa: F401
    except ImportError:
        print(found)
        return
    from flowlab.cli import printing

    print()
    printing.comparison(found)
    print()


OPERATION = ("operation", "calls", "failed", "wall, median", "wall, all", "CPU, all", "no core free", "peak memory")


def operation_rows(records: Iterable[Record]) -> Iterator[tuple[str, ...]]:
    """Yield one row an operation, as texts; what no call measured is empty."""
    from statistics import median

    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.operation, []).append(record)
    for name, calls in grouped.items():
        walls = [call.wall_ns for call in calls if call.wall_ns is not None]
        failed = sum(call.status != "ok" for call in calls)
        peaks = [call.mem_peak_bytes for call in calls if call.mem_peak_bytes is not None]
        yield (
            name, f"{len(calls):,}", str(failed or ""), _seconds([median(walls)] if walls else []), _seconds(walls),
            _seconds([call.cpu_self_ns for call in calls]), _seconds([call.runqueue_ns for call in calls]),
            f"{max(peaks) / 1e6:.3g} MB" if peaks else "",
        )  # fmt: skip


def _seconds(values_ns: Sequence[float | None]) -> str:
    known = [value for value in values_ns if value is not None]
    return f"{sum(known) / 1e9:.3g} s" if known else ""


def _below(run: StoredRun) -> Iterator[tuple[str, ...]]:
    for each in run.runs:
        wall = each.figures.get("wall_s")
        text = "" if wall is None else f"{wall:.3g} s"
        yield each.id, each.name, str(each.figures.get("repeat", "")), each.status, text, f"{each.calls:,}"


def _aligned(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: words to the left, quantities to the right."""
    lines = [tuple(titles), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [
        any(cell[:1].isalpha() for cell in column[1:]) or not at for at, column in enumerate(zip(*lines, strict=True))
    ]
    for line in lines:
        cells = (
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(line, widths, left, strict=True)
        )
        print("  ".join(cells).rstrip())
