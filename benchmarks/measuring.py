"""What measuring costs: a call at each level, and a whole run of the demo's job; and a second opinion on its energy.

Costs are differences of CPU time between minima of short batches, taken in turns, so that what else the machine does is
in none.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flowlab as fl
from flowlab.metrics import Recorder, measured
from flowlab.metrics.sampler import process_cpu_ns

BATCH = 40
ROUNDS = 1000
LEVELS = ("off", "time", "full")


def nothing() -> None:
    """A call that does nothing."""


@fl.operation(outputs="n")
def same(part: int) -> int:
    """An operation that does next to nothing."""
    return part


@fl.operation(outputs="n")
async def same_later(part: int) -> int:
    """A coroutine that does next to nothing, in one step."""
    return part


FLOW = fl.DataFlow(same, definitions=[fl.Definition("part", many=True)])
COROUTINES = fl.DataFlow(same_later, definitions=[fl.Definition("part", many=True)])


def _least_us(call: Callable[[], object], n: int, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        began = time.process_time_ns()
        call()
        found.append((time.process_time_ns() - began) / n / 1e3)
    return min(found)


def wrapper_us(tries: int) -> dict[str, list[float]]:
    """What a measured function costs beyond the bare one, in microseconds, by level."""
    wrapped = measured(nothing)

    def batch(function: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(BATCH):
                function()

        return run

    found: dict[str, list[float]] = {level: [] for level in LEVELS}
    for _ in range(tries):
        found["off"].append(_least_us(batch(nothing), BATCH, ROUNDS))
        for level in LEVELS[1:]:
            with Recorder(level=level):
                found[level].append(_least_us(batch(wrapped), BATCH, ROUNDS))
    return _beyond(found)


def _beyond(found: dict[str, list[float]]) -> dict[str, list[float]]:
    """What each level cost beyond the least that was seen without measuring."""
    bare = min(found["off"])
    return {level: [value - bare for value in found[level]] for level in LEVELS[1:]}


def operation_us(executor: str, tries: int, n: int = 300) -> dict[str, list[float]]:
    """What an operation of a flow costs beyond one that is not measured, in microseconds, by level."""
    flow = COROUTINES if executor == "asyncio" else FLOW
    calls = {
        level: lambda level=level: flow.run({"part": range(n)}, ["n"], executor=executor, workers=1, level=level)
        for level in LEVELS
    }
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {level: [] for level in LEVELS}
    for _ in range(tries):
        for level, call in calls.items():
            found[level].append(_least_us(call, n, ROUNDS // 20))
    return _beyond(found)


Costs = dict[str, dict[str, list[float]]]
"""What a call costs, in microseconds, one value a try: by level, then by executor."""


def demo(tries: int, costs: Costs, strategies: tuple[str, ...] = ("serial", "dataflow")) -> dict[str, list[float]]:
    """The demo's job: what it says of measuring, and what a call costs times its calls, as a share of its CPU.

    The second says what measuring adds, though two runs of the job differ by ten times as much: what a call costs is
    found out by calls alone, level by level in turns (`costs`). A coroutine is counted as often as it had steps.
    """
    from flowlab.workloads import loneliest

    found: dict[str, list[float]] = {}
    scale = loneliest.SCALES["demo"]
    with loneliest.site(latency_ms=scale["latency_ms"]) as site:
        job = loneliest.job(site, n_countries=scale["n_countries"])
        for level in LEVELS[1:] * tries:
            compared = fl.compare(job, list(strategies), repeats=1, level=level, say=lambda _: None)
            for run in compared.runs:
                if run.error is not None:
                    raise SystemExit(f"the demo failed: {run.strategy}: {run.error}")
                name = f"{run.strategy} at level {level}"
                found.setdefault(f"{name}: what it says of itself, share of wall", []).append(run.overhead.share or 0)
                added = found.setdefault(f"{name}: cost of a call x calls, share of CPU", [])
                added += _added(run, costs[level])
    return found


def _added(run: Any, costs: dict[str, list[float]]) -> list[float]:
    """What measuring added to the CPU of a run, one value for each value a call may cost."""
    times = Counter[str]()
    for record in run.records:
        times[record.executor] += record.steps or 1
    rows = zip(*(costs[executor] for executor in times), strict=True)
    return [sum(n * cost for n, cost in zip(times.values(), row, strict=True)) / 1e6 / run.cpu_s for row in rows]


def worker_us(tries: int, n: int = 300) -> dict[str, list[float]]:
    """What an operation in a worker process costs beyond one that is not measured: CPU of caller and worker."""

    def run(level: str) -> Any:
        return FLOW.run({"part": range(n)}, ["n"], executor="processes", workers=1, level=level)

    pid = max(record.pid or 0 for record in run("full").records if record.stage is None)
    found: dict[str, list[float]] = {level: [] for level in LEVELS}
    for _ in range(tries):
        for level, values in found.items():
            used = time.process_time_ns() + process_cpu_ns(pid)
            run(level)
            values.append((time.process_time_ns() + process_cpu_ns(pid) - used) / n / 1e3)
    return _beyond(found)


@contextmanager
def _no_network() -> Iterator[None]:
    """Refuse every connection while the block lasts."""
    connect = socket.socket.connect

    def refuse(*_: Any) -> None:
        raise OSError("no network in this benchmark")

    socket.socket.connect = refuse  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]


def second_opinion() -> list[str]:
    """A run's energy as flowlab and as codecarbon estimate it, over the same five seconds of work."""
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        return ["codecarbon is not installed (group `bench`): no second opinion on energy."]
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    with _no_network(), Recorder(sample_hz=20) as recorder:
        tracker = OfflineEmissionsTracker(
            country_iso_code="USA", save_to_file=False, log_level="critical", tracking_mode="machine",
            measure_power_secs=1, allow_multiple_runs=True,
        )  # fmt: skip
        tracker.start()
        began, used = time.perf_counter(), time.process_time()
        with recorder.span("compute"):
            while time.perf_counter() - began < 5:
                sum(range(10_000))
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - used
        tracker.stop()
    data = tracker.final_emissions_data
    theirs = {"CPU": data.cpu_energy, "memory": data.ram_energy, "all": data.energy_consumed}
    ours = fl.energy(recorder)
    seen = ", ".join(f"{name} {kwh * 3.6e6:.3g} J" for name, kwh in theirs.items())
    return [
        f"One core busy for {wall_s:.3g} s ({cpu_s:.3g} s of CPU): flowlab says {ours.total_j:.3g} J "
        f"({ours.energy.low_j:.3g} to {ours.energy.high_j:.3g} J; dynamic {ours.energy.dynamic_j:.3g}, idle "
        f"{ours.idle_j:.3g}, memory {ours.ram_j:.3g}; {ours.energy.profile}); codecarbon, offline and by machine, says "
        f"{seen}: it takes the processor's whole power and the memory that is built in.",
    ]
