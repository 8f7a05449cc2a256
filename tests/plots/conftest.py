"""Comparisons made by hand, so that every number in a picture is known beforehand."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count

import pytest

from flowlab.comparison import Comparison, StrategyRun
from flowlab.machine import Machine
from flowlab.metrics import Record
from flowlab.metrics.power import estimate
from flowlab.metrics.sampler import Samples

STRATEGIES = ("serial", "threads", "asyncio", "processes", "hybrid", "dataflow")
MACHINE = Machine(cores=2, cores_total=2, cpu_model="Intel Xeon", memory_bytes=24 << 30, platform="Linux")
MS = 1_000_000
IDS = count(1)


def made_call(operation: str, start_ms: float, end_ms: float, cpu_ms: float | None = 0.0, **fields: object) -> Record:
    """A call by its stamps in milliseconds; it ran on the main thread of process 1 unless `fields` say otherwise."""
    cpu_ns = None if cpu_ms is None else round(cpu_ms * MS)
    whole = {"run": "r", "id": next(IDS), "host": "here", "pid": 1, "tid": 1, "cpu_ns": cpu_ns, "cpu_self_ns": cpu_ns}
    return Record(operation=operation, started_ns=round(start_ms * MS), ended_ns=round(end_ms * MS), **whole | fields)  # type: ignore[arg-type]


def made_run(strategy: str, repeat: int, wall_ms: float, peak_mb: float, records: Sequence[Record]) -> StrategyRun:
    """A run from 0 to `wall_ms`, its memory sampled at the start, in the middle (the peak) and at the end."""
    times = tuple(round(share * wall_ms * MS) for share in (0, 0.5, 1))
    sizes = (round(5e5 * peak_mb), round(1e6 * peak_mb), round(7e5 * peak_mb))
    cpu_s = sum(record.cpu_self_ns or 0 for record in records) / 1e9
    return StrategyRun(
        strategy=strategy, repeat=repeat, order=repeat, wall_s=wall_ms / 1e3, cpu_s=cpu_s, peak_bytes=max(sizes),
        memory_method="pss", bytes_moved=2_000_000, energy=estimate(cpu_s, wall_ms / 1e3, max(sizes), cores=2),
        records=tuple(records), samples=Samples("strategy", "pss", times, sizes, (0.0, 0.1, 0.2), (1, 2, 1)),
        started_ns=0, ended_ns=round(wall_ms * MS),
    )  # fmt: skip


def steps(strategy: str, items: int = 3, cpu_ms: float = 60.0) -> list[Record]:
    """Log in, then download and compute every item: one after the other, or all at once."""
    records = [made_call("log in", 0, 20, 2, strategy=strategy, custom={"requests": 2})]
    for item in range(items):
        start = 20.0 if strategy in ("asyncio", "hybrid", "dataflow") else 20 + 140.0 * item
        worker = {"processes": {"pid": 10 + item, "tid": 10 + item}, "threads": {"tid": 10 + item}}.get(strategy, {})
        executor = "asyncio" if strategy in ("asyncio", "hybrid", "dataflow") else "inline"
        net = {"requests": 1, "net_bytes": 1000}
        records += [
            made_call("download", start, start + 40, 4, strategy=strategy, executor=executor, custom=net, **worker),
            made_call("compute", start + 50, start + 50 + cpu_ms, cpu_ms, strategy=strategy, **worker),
        ]
    return records


def made_comparison(
    strategies: Iterable[str] = STRATEGIES,
    repeats: int = 3,
    items: int = 3,
    change: Callable[[StrategyRun], StrategyRun] = lambda run: run,
) -> Comparison:
    """A comparison in which each strategy is faster and larger than the one before it."""
    names = tuple(strategies)
    runs = [
        change(made_run(name, repeat, 1000 / (1 + place) + 30 * repeat, 50 + 20 * place + repeat, steps(name, items)))
        for repeat in range(repeats)
        for place, name in enumerate(names)
    ]
    ordered = tuple(replace(run, order=order) for order, run in enumerate(runs))
    return Comparison("survey", names, ordered, MACHINE, question="Which?", answer="That.", sentence="It was faster.")


@pytest.fixture
def comparison() -> Comparison:
    return made_comparison()


@pytest.fixture
def compared() -> Callable[..., Comparison]:
    return made_comparison


@pytest.fixture
def call() -> Callable[..., Record]:
    return made_call


@pytest.fixture
def run_of() -> Callable[..., StrategyRun]:
    return made_run
