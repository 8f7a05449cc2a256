"""How right flowlab's measurements are, against known truths, and what measuring costs.

    python benchmarks/accuracy.py                 everything; about four minutes
    python benchmarks/accuracy.py --quick         fewer tries, no block of 1 GB, no demo
    python benchmarks/accuracy.py --write         also put the table into benchmarks/README.md

Every line has n and its spread: least, median and most of the tries. What must never happen is held against the worst
try, what is a rate against the median, and costs against the least: whatever else the machine does only adds to them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import measuring
import truths

from flowlab.machine import Machine
from flowlab.metrics.clocks import readings_ns

README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Line:
    """One goal.

    Attributes:
        values: One a try.
        goal: What the value is to be at most; at least, if `least` is set. None if it is there to compare with.
        by: "worst", "median" or "least": which of the tries is held against it.
    """

    name: str
    values: list[float]
    goal: float | None
    by: str = "worst"
    least: bool = False

    @property
    def reached(self) -> float:
        """The value that counts."""
        if self.by == "median":
            return statistics.median(self.values)
        return min(self.values) if (self.by == "least") != self.least else max(self.values)

    def __str__(self) -> str:
        spread = ", ".join(f"{f(self.values):.3g}" for f in (min, statistics.median, max))
        word = bound = ""
        if self.goal is not None:
            held = self.reached >= self.goal if self.least else self.reached <= self.goal
            word, bound = "held" if held else "MISSED", f"{'>=' if self.least else '<='} {self.goal:.3g}"
        return f"| {word} | {self.name} | {self.reached:.3g} ({self.by}) | {bound} | {len(self.values)} | {spread} |"


def cpu_lines(tries: int) -> Iterator[Line]:
    """CPU of calls beside the CPU of their processes."""
    found, by_hand = truths.coroutines(tries)
    yield Line("CPU of coroutines, share of the process's", found, 0.98, "median", least=True)
    yield Line("the same, read by hand in bare coroutines", by_hand, None, "median", least=True)
    yield Line("CPU of threads' calls against these threads', relative", truths.threads(tries), 0.01, "median")
    yield Line("CPU of workers against their processes', relative", truths.workers(tries), 0.01, "median")


def split_lines(tries: int) -> Iterator[Line]:
    """Where a call's wall went."""
    yield Line("blocked, the remainder, share of wall", truths.remainders(tries), -0.01, "worst", least=True)
    for name, case, by in (
        ("a sleep is blocked", truths.sleeping, "median"),
        ("a spin is CPU", truths.spinning, "median"),
        ("waiting for a lock is blocked", truths.locked, "median"),
        ("waiting for the GIL is blocked", truths.gil, "median"),
        ("waiting for a core is run queue", truths.queueing, "median"),
    ):
        yield Line(f"{name}: off by, share of wall", case(tries), 0.05, by)


def memory_lines(tries: int, quick: bool) -> Iterator[Line]:
    """Peaks of single calls, and of runs."""
    for size, values in truths.memory(tries, (256 if quick else 1024) * truths.MB).items():
        yield Line(f"peak of {size // truths.MB} MB in a warm worker: off by, of max(1 MB, 1 %)", values, 1.0)
    yield Line("longest gap of the sampler at 50 Hz while sorted holds the GIL, ms", truths.sampling_gaps(3), 50.0)


def cost_lines(tries: int, quick: bool) -> Iterator[Line]:
    """What measuring costs."""
    yield Line("rows of an energy balance against its total, relative", truths.conservation(tries), 1e-9)
    wrapped = measuring.wrapper_us(tries)
    ways = {executor: measuring.operation_us(executor, tries) for executor in ("inline", "asyncio", "threads")}
    ways["processes"] = measuring.worker_us(tries)
    names = {
        "inline": "an operation inline",
        "asyncio": "a coroutine that never waits",
        "threads": "an operation in a thread",
        "processes": "an operation in a worker process (CPU)",
    }
    for level, goal in (("time", 2.0), ("full", 6.0)):
        yield Line(f"a measured function at level {level}, us a call", wrapped[level], goal, "least")
        for executor, name in names.items():
            bound = 80.0 if executor == "processes" else goal
            yield Line(f"{name} at level {level}, us a call", ways[executor][level], bound, "least")
    if not quick:
        costs = {level: {executor: found[level] for executor, found in ways.items()} for level in ("time", "full")}
        for level, by_executor in costs.items():
            by_executor["inline"] = [max(pair) for pair in zip(by_executor["inline"], wrapped[level], strict=True)]
        for name, values in measuring.demo(3, costs).items():
            yield Line(f"the demo, {name}", values, 0.03, "median")


def report(lines: list[Line]) -> list[str]:
    """The table, and what is no goal."""
    cost = readings_ns()
    clocks = f"One reading costs here: wall {cost.wall} ns, CPU {cost.cpu} ns, run queue {cost.runqueue} ns."
    flow = measuring.FLOW
    said = [
        f"{level}: {flow.run({'part': range(300)}, ['n'], executor='inline', level=level).overhead}"
        for level in ("time", "full")
    ]
    head = ["| | goal | reached | wanted | n | least, median, most |", "|---|---|--:|--:|--:|--:|"]
    told = "`run.overhead` of 300 operations that do nothing: " + "; ".join(said) + "."
    return [*head, *map(str, lines), "", clocks, "", told, "", *measuring.second_opinion()]


def write(lines: list[str], command: str) -> None:
    """Put the table between its marks in the README."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split("<!-- accuracy -->\n", 1)
    after = rest.split("<!-- end of accuracy -->\n", 1)[1]
    body = "\n".join([f"`{command}`, {Machine.detect().sentence()}:", "", *lines])
    README.write_text(f"{before}<!-- accuracy -->\n{body}\n<!-- end of accuracy -->\n{after}", encoding="utf-8")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="fewer tries, no block of 1 GB, no demo")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    settings = parser.parse_args()
    tries = 3 if settings.quick else settings.tries
    found: list[Line] = []
    for lines in (
        cpu_lines(tries), split_lines(tries), memory_lines(min(tries, 5), settings.quick),
        cost_lines(tries, settings.quick),
    ):  # fmt: skip
        for line in lines:
            print(line, flush=True)
            found.append(line)
    text = report(found)
    print("\n".join(text[2 + len(found) :]))
    if settings.write:
        write(text, "python benchmarks/accuracy.py" + (" --quick" if settings.quick else ""))


if __name__ == "__main__":
    main()
