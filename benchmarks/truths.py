"""Known truths to measure: each function returns what was measured against what is true, one value a try.

Here is the work whose cost is known - so much CPU, a sleep, a lock held so long, a block of so many bytes - and the
comparison. What is printed and what is wanted is in `accuracy`. Every value says how far off a measurement was.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.metrics import Record, Recorder, measured, span
from flowlab.metrics.costing import balance
from flowlab.metrics.power import profiles
from flowlab.metrics.sampler import Sampler, process_cpu_ns

MB = 1 << 20
PART_S = 0.05


def spin(seconds: float) -> None:
    """Use so many seconds of this thread's CPU."""
    end = time.thread_time_ns() + int(seconds * 1e9)
    while time.thread_time_ns() < end:
        pass


def own_s(records: tuple[Record, ...]) -> float:
    """The CPU seconds of calls, nothing twice."""
    return sum(record.cpu_self_ns or 0 for record in records) / 1e9


def _crawl(visit: Callable[[], Coroutine[object, object, None]]) -> float:
    """CPU seconds of the process while 20 such coroutines run."""

    async def crawl() -> float:
        used = time.process_time()
        await asyncio.gather(*(visit() for _ in range(20)))
        return time.process_time() - used

    return asyncio.run(crawl())


async def _visit(read: Callable[[], int] = lambda: 0, add: Callable[[int], object] = lambda _: None) -> None:
    for _ in range(20):
        began = read()
        spin(0.002)
        add(read() - began)
        await asyncio.sleep(0)


def coroutines(tries: int) -> tuple[list[float], list[float]]:
    """CPU of 20 coroutines of 20 steps of 2 ms, as a share of the process's: as recorded, and read by hand in them.

    The rest is the event loop's own. Both are measured in turns, so that what is read by hand says how much that is.
    """
    visit = measured("visit")(_visit)
    found, by_hand = [], []
    for _ in range(tries):
        with Recorder() as recorder:
            used = _crawl(visit)
        found.append(own_s(recorder.records) / used)
        spent: list[int] = []
        used = _crawl(lambda spent=spent: _visit(time.thread_time_ns, spent.append))
        by_hand.append(sum(spent) / 1e9 / used)
    return found, by_hand


def threads(tries: int) -> list[float]:
    """CPU of 16 calls on 4 threads beside the process's without this thread, which makes none of them, relative."""
    work, found = measured("spin")(spin), []
    for _ in range(tries):
        with ThreadPoolExecutor(4) as pool, Recorder() as recorder:
            list(pool.map(work, [0.005] * 16))  # so that all threads have started
            before = own_s(recorder.records)
            used, here = time.process_time(), time.thread_time()
            list(pool.map(work, [0.02] * 16))
            used = (time.process_time() - used) - (time.thread_time() - here)
        found.append(abs((own_s(recorder.records) - before) / used - 1))
    return found


@operation(outputs="n")
def spin_in_worker(part: float) -> int:
    """Use so many seconds of CPU, in a worker process."""
    spin(part)
    return os.getpid()


@operation(outputs="n")
def hold(part: int) -> int:
    """Hold so many bytes for a moment."""
    block = bytearray(part)
    block[::4096] = b"x" * len(block[::4096])
    return len(block)


def parts_flow(one: object) -> DataFlow:
    """A flow that does one thing for every part given."""
    return DataFlow(one, definitions=[Definition("part", many=True)])


def workers(tries: int) -> list[float]:
    """CPU of 16 calls in 2 warm worker processes beside what the kernel says of these, relative."""
    flow, parts = parts_flow(spin_in_worker), [0.02] * 16
    pids = sorted(set(flow.run({"part": parts}, executor="processes", workers=2)["n"]))
    found = []
    for _ in range(tries):
        before = sum(map(process_cpu_ns, pids))
        run = flow.run({"part": parts}, executor="processes", workers=2)
        used = (sum(map(process_cpu_ns, pids)) - before) / 1e9
        if set(run["n"]) <= set(pids):
            found.append(abs(own_s(run.records) / used - 1))
    return found


def _split(work: Callable[[], object]) -> tuple[int, int, int, int]:
    """Wall, CPU, run queue and the rest of a piece of work, in nanoseconds."""
    with Recorder(level="full") as recorder, span("work"):
        work()
    (record,) = recorder.records
    wall, cpu, queued = record.wall_ns or 0, record.cpu_ns or 0, record.runqueue_ns or 0
    return wall, cpu, queued, wall - cpu - queued


def remainders(tries: int) -> list[float]:
    """What is left of a call's wall after CPU and run queue, as a share of it, for calls that compute and wait."""
    draw = random.Random(0)
    found = []
    for _ in range(20 * tries):
        spun, slept = draw.random() * 0.01, draw.random() * 0.01 * (draw.random() < 0.5)

        def work(spun: float = spun, slept: float = slept) -> None:
            spin(spun)
            time.sleep(slept)

        wall, _, _, rest = _split(work)
        found.append(rest / wall)
    return found


def sleeping(tries: int) -> list[float]:
    """A sleep must be blocked time; how much of the wall is not."""
    splits = [_split(lambda: time.sleep(PART_S)) for _ in range(tries)]
    return [abs(rest - PART_S * 1e9) / wall for wall, _, _, rest in splits]


def spinning(tries: int) -> list[float]:
    """So much CPU must be CPU."""
    splits = [_split(lambda: spin(PART_S)) for _ in range(tries)]
    return [abs(cpu - PART_S * 1e9) / wall for wall, cpu, _, _ in splits]


def locked(tries: int) -> list[float]:
    """Waiting for a lock that another thread holds must be blocked time."""
    found = []
    for _ in range(tries):
        lock, waited = threading.Lock(), 0

        def work(lock: threading.Lock = lock) -> None:
            nonlocal waited
            began = time.perf_counter_ns()
            with lock:
                waited = time.perf_counter_ns() - began

        lock.acquire()
        timer = threading.Timer(PART_S, lock.release)
        timer.start()
        wall, _, _, rest = _split(work)
        timer.join()
        found.append(abs(rest - waited) / wall)
    return found


def gil(tries: int) -> list[float]:
    """Waiting for the interpreter lock, held in C code by another thread, must be blocked time.

    A waiting thread looks every 5 ms whether the lock is free, and each time it may have to wait for a core; that is
    run-queue time in truth, and left out.
    """
    words = [str(n) for n in random.Random(0).sample(range(10**6), 150_000)]
    found = []
    for _ in range(tries):
        go = threading.Event()

        def hog(go: threading.Event = go) -> None:
            go.wait()
            sorted(words)

        def work(go: threading.Event = go) -> None:
            go.set()
            time.sleep(0.001)

        other = threading.Thread(target=hog)
        other.start()
        wall, _, queued, rest = _split(work)
        other.join()
        found.append(1 - rest / (wall - queued))
    return found


def _compete(core: int, ready: object, end: object) -> None:
    os.sched_setaffinity(0, {core})
    ready.set()  # type: ignore[attr-defined]
    while not end.is_set():  # type: ignore[attr-defined]
        pass


def queueing(tries: int) -> list[float]:
    """On a core shared with another process, what is not CPU must be run-queue time."""
    context = get_context("spawn")
    ready, end, cores = context.Event(), context.Event(), os.sched_getaffinity(0)
    core = max(cores)
    other = context.Process(target=_compete, args=(core, ready, end), daemon=True)
    other.start()
    ready.wait()
    os.sched_setaffinity(0, {core})
    try:
        splits = [_split(lambda: spin(4 * PART_S)) for _ in range(tries)]
    finally:
        os.sched_setaffinity(0, cores)
        end.set()
        other.join()
    return [abs(queued - (wall - 4 * PART_S * 1e9)) / wall for wall, _, queued, _ in splits]


def memory(tries: int, largest: int) -> dict[int, list[float]]:
    """Peaks of blocks in a warm worker, by size: how far off, as a share of what is allowed (1 MB or 1 %)."""
    sizes = [size * MB for size in (1, 4, 16, 64, 256, 1024) if size * MB <= largest]
    draw = random.Random(0)
    found: dict[int, list[float]] = {size: [] for size in sizes}
    flow = parts_flow(hold)
    flow.run({"part": [MB]}, executor="processes", workers=1)
    for _ in range(tries):
        order = draw.sample(sizes, len(sizes))
        run = flow.run({"part": order}, executor="processes", workers=1, level="full")
        calls = sorted((r for r in run.records if r.stage is None), key=lambda record: record.started_ns or 0)
        for size, record in zip(order, calls, strict=True):
            found[size].append(abs((record.mem_peak_bytes or 0) - size) / max(MB, size // 100))
    return found


def sampling_gaps(tries: int) -> list[float]:
    """The longest time between two samples at 50 Hz while `sorted` holds the interpreter lock, in milliseconds."""
    words = [str(n) for n in random.Random(0).sample(range(10**7), 600_000)]
    found = []
    with Sampler(50) as sampler:
        for number in range(tries):
            sampler.watch(str(number), os.getpid())
            sorted(words)
            found.append((sampler.stop(str(number)).worst_gap_s or 0) * 1e3)
    return found


def conservation(tries: int) -> list[float]:
    """The rows of random balances beside their totals, relative."""
    draw = random.Random(0)
    found = []
    for _ in range(50 * tries):
        records = [Record(operation=str(n % 3), cpu_self_ns=draw.randrange(10**9)) for n in range(draw.randrange(30))]
        cpu_s = own_s(tuple(records)) + draw.random()
        made = balance(
            records, cpu_s=cpu_s, wall_s=draw.random() * 10, memory_bytes=draw.random() * 1e10, cores=4,
            network_bytes=draw.random() * 1e9, machine_cpu_s=cpu_s + 1, profile=draw.choice(sorted(profiles())),
        )  # fmt: skip
        rows = made.rows
        found.append(abs(sum(rows.values()) - rows["other processes"] - made.energy.total_j) / made.energy.total_j)
    return found
