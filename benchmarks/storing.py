"""What the store costs: writing records, and keeping a comparison's runs while they go on.

    python benchmarks/storing.py                  10,000 records, and 9 pairs of runs of the demo's job
    python benchmarks/storing.py --pairs 0        the records alone

A pair is one run of the dataflow strategy with a store open and one without, in random order; what is compared is the
wall and CPU of the measured process, so the parent's share of keeping shows in the wall only.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flowlab as fl
from flowlab.comparison import StrategyRun
from flowlab.machine import Machine
from flowlab.metrics import Record
from flowlab.metrics.keeping import Added, Handing
from flowlab.stored.keeper import StoreKeeper
from flowlab.workloads import loneliest


def records(count: int) -> tuple[Record, ...]:
    """Records of real calls, with what level "full" reads of a call in a worker process."""

    @fl.operation(outputs="number", expand=True)
    def numbers(n: int) -> range:
        return range(n)

    @fl.operation(outputs="half")
    def halve(number: int) -> float:
        return number / 2

    run = fl.DataFlow(numbers, halve).run({"n": count - 1}, executor="processes", workers=1, level="full")
    return tuple(record for record in run.records if record.stage is None)[:count]


def handing(kept: tuple[Record, ...], rounds: int) -> str:
    """Say what CPU a measured process spends on handing its records to its parent."""
    took = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            keeper = Handing(str(Path(folder) / "handed.jsonl"))
            began = time.thread_time_ns()
            keeper.write([Added("run", kept, 1)])
            took.append((time.thread_time_ns() - began) / len(kept) / 1000)
            keeper.close()
    spread = f"median {statistics.median(took):.1f}, most {max(took):.1f}, n = {rounds}"
    return f"handed over by a measured process: {min(took):.1f} us of CPU a record ({spread})"


def writing(kept: tuple[Record, ...], rounds: int) -> str:
    """Say how long one transaction with so many records takes, and how large it is."""
    took, size = [], 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "runs.db"
            keeper = StoreKeeper(path)
            number = keeper.begin("flow", "bench")
            empty = path.stat().st_size
            began = time.perf_counter()
            keeper.finish(number, "ended", {}, kept)
            took.append(time.perf_counter() - began)
            keeper.close()
            size = path.stat().st_size - empty
    least, middle, most = (1000 * value for value in (min(took), statistics.median(took), max(took)))
    spread = f"{least:.0f} ms (median {middle:.0f}, most {most:.0f}, n = {rounds})"
    return f"{len(kept):,} records in one transaction: {spread}, {size / 1e6:.2f} MB"


def keeping(pairs: int) -> str:
    """Say what an open store costs a run of the demo's dataflow."""
    found: dict[bool, list[StrategyRun]] = {True: [], False: []}
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder, loneliest.site(**_site(loneliest.SCALES["demo"])) as site:
        for _ in range(pairs):
            for kept in draw.sample([True, False], 2):
                with fl.store(Path(folder) / "runs.db") if kept else nullcontext():
                    job = loneliest.job(site, n_countries=loneliest.SCALES["demo"]["n_countries"])
                    comparison = fl.compare(job, strategies=["dataflow"], repeats=1, say=lambda text: None)
                found[kept].append(comparison.runs[0])
    lines = []
    for what in ("wall_s", "cpu_s", "peak_bytes"):
        with_, without = ([float(getattr(run, what)) for run in found[kept]] for kept in (True, False))
        change = statistics.median(with_) / statistics.median(without) - 1
        noise = (max(without) - min(without)) / statistics.median(without)
        lines.append(f"  {what}: {change:+.1%} (medians; without a store the runs alone span {noise:.0%})")
    return "\n".join([f"the demo's dataflow with a store open against without, n = {pairs} each:", *lines])


def _site(scale: dict[str, object]) -> dict[str, object]:
    names = ("latency_ms", "jitter_ms", "bandwidth_bytes_s", "capacity", "error_rate", "throttle_rate", "seed")
    return {name: scale[name] for name in names if name in scale}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    print(Machine.detect().sentence())
    kept = records(options.records)
    print(writing(kept, options.rounds))
    print(handing(kept, options.rounds))
    if options.pairs:
        print(keeping(options.pairs))


if __name__ == "__main__":
    main()
