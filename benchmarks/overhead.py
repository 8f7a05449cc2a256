"""What the runtime costs per operation, beside plain loops and its peers, in one interleaved run.

    python benchmarks/overhead.py                 all that is installed, N = 1000
    python benchmarks/overhead.py --n 100000 --only flowlab,plain --shapes chain,expand --no-figures
    python benchmarks/overhead.py --profile fan   where flowlab's CPU goes
    python benchmarks/overhead.py --write         also put the tables into benchmarks/README.md

Every contender has its turn in each round, in shuffled order; a short one is called a few times, of which the least
counts. Minimum and median are over the rounds. CPU is of this process and, for processes, of its children too. Read
ratios within one run, never the absolute numbers of two.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from figures import Figure, all_figures
from others import peers, plain
from shapes import SHAPES, SHORT, Contender, contenders

from flowlab.machine import Machine

README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Goal:
    """The highest ratio to another contender that is wanted or, without one, the most microseconds an operation."""

    shape: str
    ours: str
    theirs: str | None
    most: float
    wall: bool = False


LOOP, STAMPS = "plain loop, same clocks", "plain loop, clocks read once between calls"
GROUPS = "plain loop, CPU clock read once for 64 calls"
SHORT_PEERS = ("pipefunc", "hamilton", "distributed")
EACH = "ProcessPoolExecutor, a call each"
GOALS = (
    *(Goal(shape, "flowlab inline", None, 5.0) for shape in ("chain", "fan", "grid")),
    *(Goal(shape, "flowlab inline", LOOP, 2.0) for shape in ("chain", "fan", "grid")),
    *(Goal(shape, "flowlab inline", STAMPS, 2.0) for shape in ("chain", "fan", "grid")),
    *(Goal(shape, "flowlab inline", GROUPS, 2.0) for shape in ("chain", "fan", "grid")),
    *(Goal(shape, "flowlab inline, records off", None, 2.5) for shape in ("chain", "fan", "grid")),
    *(
        Goal("chain", f"flowlab inline, {SHORT} operations" if peer in SHORT_PEERS else "flowlab inline", peer, 0.1)
        for peer in ("schedula", "pipefunc", "hamilton", "dask sync", "dask threads", "distributed")
    ),
    Goal("build", "flowlab build", None, 20.0),
    Goal("build", "flowlab decorate", None, 5.0),
    Goal("chain", "flowlab coroutines", "asyncio tasks", 1.3),
    Goal("fan", "flowlab coroutines", "asyncio tasks", 1.3),
    Goal("suspend", "flowlab coroutines", "asyncio tasks, same clocks", 1.3),
    Goal("fan", "flowlab threads", "ThreadPoolExecutor", 0.6),
    Goal("fan", "flowlab threads, one operation", "ThreadPoolExecutor", 0.6),
    Goal("fan", "flowlab processes", EACH, 1 / 15),
    Goal("fan", "flowlab processes, one operation", EACH, 1 / 15),
    Goal("chain", "flowlab processes", EACH, 1 / 4),
    Goal("arrays", "flowlab processes", "pickling once", 1.0),
    Goal("arrays", "flowlab processes", "pickling once", 1.0, wall=True),
    Goal("expand", "flowlab inline", None, 8.0),
    Goal("stream", "flowlab stream", "asyncio.Queue(100)", 1 / 1.5),
)


def cpu_s(children: bool) -> float:
    """CPU of this process, and of its children that live if asked: pools are warm, and their start is not counted."""
    total = time.process_time()
    for task in Path("/proc/self/task").iterdir() if children else ():
        with suppress(FileNotFoundError):  # a thread that has just ended
            for pid in (task / "children").read_text().split():
                total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return total


def measure(found: list[Contender], rounds: int) -> None:
    """Call every contender in each round, in shuffled order: a few times if it is short, of which the least counts.

    What the contenders are made of is hidden from the garbage collector, which would otherwise look at all of it during
    the call of any of them.
    """
    rng = random.Random(0)
    times = {id(one): _times(one) for one in found}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for one in rng.sample(found, len(found)):
            gc.collect()
            spent = [_spent(one) for _ in range(times[id(one)])]
            one.cpu_us.append(min(cpu for cpu, _ in spent))
            one.wall_us.append(min(wall for _, wall in spent))
    gc.unfreeze()


def _spent(one: Contender) -> tuple[float, float]:
    """The CPU and wall of one call, microseconds an operation."""
    used, began = cpu_s(one.children), time.perf_counter()
    one.call()
    ended = time.perf_counter()
    return (cpu_s(one.children) - used) / one.count * 1e6, (ended - began) / one.count * 1e6


def _times(one: Contender) -> int:
    """How many calls make up 30 ms, at most 20."""
    began = time.perf_counter()
    one.call()
    return max(1, min(20, int(0.03 / (time.perf_counter() - began))))


def cost_table(found: list[Contender]) -> list[str]:
    """What each contender cost."""
    lines = ["| shape | contender | N | CPU min | median | wall min | median |", "|---|---|--:|--:|--:|--:|--:|"]
    for one in found:
        figures = [f(times) for times in (one.cpu_us, one.wall_us) for f in (min, statistics.median)]
        lines.append(f"| {one.shape} | {one.name} | {one.count} | " + " | ".join(f"{x:.2f}" for x in figures) + " |")
    return lines


def goal_table(found: list[Contender], figures: Iterable[Figure]) -> list[str]:
    """Every goal, with what was reached: the ratio of the minima, and the least, median and most of the rounds."""
    lines = ["| | goal | reached | rounds: least, median, most | wanted at most |", "|---|---|--:|--:|--:|"]

    def add(name: str, best: float, rounds: list[float], most: float) -> None:
        word = "held" if best <= most else "MISSED"
        spread = ", ".join(f"{x:.3g}" for x in (min(rounds), statistics.median(rounds), max(rounds)))
        lines.append(f"| {word} | {name} | {best:.3g} | {spread} | {most:.3g} |")

    known = {(one.shape, one.name): one for one in found}
    for goal in GOALS:
        ours, theirs = known.get((goal.shape, goal.ours)), known.get((goal.shape, goal.theirs or ""))
        if ours is None or (goal.theirs and theirs is None):
            continue
        mine = ours.wall_us if goal.wall else ours.cpu_us
        if theirs is None:
            add(f"{goal.shape}: {goal.ours}, us of CPU", min(mine), mine, goal.most)
            continue
        other = theirs.wall_us if goal.wall else theirs.cpu_us
        rounds = [a / b for a, b in zip(mine, other, strict=True)]
        what = "wall" if goal.wall else "CPU"
        add(f"{goal.shape}: {goal.ours} / {goal.theirs}, {what}", min(mine) / min(other), rounds, goal.most)
    for one in figures:
        add(f"{one.name}, {one.unit}", min(one.values), list(one.values), one.goal)
    return lines


def profile(found: list[Contender]) -> None:
    """Print where the CPU of each contender goes: on this thread by function, and how much is on others."""
    import cProfile
    import pstats

    for one in found:
        mine, used, began = time.thread_time(), cpu_s(False), cpu_s(True)
        for _ in range(10):
            one.call()
        count = 10 * one.count / 1e6
        mine, other = time.thread_time() - mine, cpu_s(False) - used
        children = cpu_s(True) - began - other if one.children else 0.0
        print(
            f"{one.shape}: {one.name}: {mine / count:.2f} us of CPU an operation on this thread, "
            f"{(other - mine) / count:.2f} on other threads, {children / count:.2f} in processes"
        )
        watched = cProfile.Profile()
        for _ in range(10):
            watched.runcall(one.call)
        pstats.Stats(watched).sort_stats("tottime").print_stats(20)


def write(lines: list[str], command: str) -> None:
    """Put the tables between the marks in the README."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split("<!-- tables -->\n", 1)
    after = rest.split("<!-- end -->\n", 1)[1]
    body = "\n".join([f"`{command}`, {Machine.detect().sentence()}:", "", *lines])
    README.write_text(f"{before}<!-- tables -->\n{body}\n<!-- end -->\n{after}", encoding="utf-8")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--only", default="flowlab,plain,peers")
    parser.add_argument("--executors", default="inline,threads,processes")
    parser.add_argument("--no-figures", action="store_true", help="leave out import time, memory and growth")
    parser.add_argument("--profile", metavar="SHAPE", help="print where flowlab's CPU goes in it, and measure nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--json", type=Path, help="also write all rounds here")
    return parser.parse_args()


def main() -> None:
    """Parse, measure, print."""
    settings = parse()
    if settings.profile:
        profile(contenders(settings.profile, settings.n, set(settings.executors.split(","))))
        return
    found: list[Contender] = []
    for shape in settings.shapes.split(","):
        if "flowlab" in settings.only:
            found += contenders(shape, settings.n, set(settings.executors.split(",")))
        if "plain" in settings.only:
            found += plain(shape, settings.n)
        if "peers" in settings.only:
            found += peers(shape, settings.n)
    measure(found, settings.rounds)
    figures = [] if settings.no_figures else all_figures(settings.rounds)
    lines = [*goal_table(found, figures), "", "Microseconds an operation:", "", *cost_table(found)]
    print("\n".join(lines))
    if settings.write:
        write(lines, f"python benchmarks/overhead.py --n {settings.n} --rounds {settings.rounds}")
    if settings.json:
        rows = [
            {"shape": c.shape, "name": c.name, "n": c.count, "cpu_us": c.cpu_us, "wall_us": c.wall_us} for c in found
        ]
        settings.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
