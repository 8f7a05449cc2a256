"""How much of a call is measured, in every executor: off, time, full."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

import flowlab as fl

MB = 1 << 20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs schedstat and clear_refs")


def spend(seconds: float = 0.02) -> int:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass
    return 1


@fl.operation(outputs="spun")
def spin(x):
    return spend()


@fl.operation(outputs="slept")
def sleep(spun):
    threading.Event().wait(0.05)
    return spun


@fl.operation(outputs="held")
def hold(slept):
    block = bytearray(50 * MB)
    block[::4096] = b"x" * len(block[::4096])
    return slept


@fl.operation(outputs="part", expand=True)
def parts(x):
    for n in range(3):
        spend(0.005)
        yield n


@fl.operation(outputs="waited")
async def wait(spun):
    spend()
    await asyncio.sleep(0.05)
    return spun


FLOW = fl.DataFlow(spin, sleep, hold)
EXECUTORS = ("inline", "asyncio", "threads", "processes")
every = pytest.mark.parametrize("executor", EXECUTORS)


def by_name(run):
    return {record.operation: record for record in run.records if record.stage is None}


@linux
@every
def test_at_level_full_wall_is_cpu_and_run_queue_and_blocked(executor):
    found = by_name(FLOW.run({"x": 1}, executor=executor, level="full"))
    for record in found.values():
        assert record.cpu_ns + record.runqueue_ns + record.blocked_ns == record.wall_ns
    assert found["spin"].cpu_ns > 15_000_000
    assert found["sleep"].blocked_ns > 45_000_000 > found["sleep"].cpu_ns


@every
def test_at_level_time_waiting_is_not_told_apart_and_says_so(executor):
    for record in by_name(FLOW.run({"x": 1}, executor=executor)).values():
        assert (record.runqueue_ns, record.blocked_ns) == (None, None)
        assert (record.mem_peak_bytes, record.mem_method, record.mem_quality) == (None, "none", "unavailable")
        assert (record.cpu_quality, record.cpu_ns is None) == ("measured", False)


@linux
def test_memory_of_a_call_is_measured_in_worker_processes_and_nowhere_else():
    for executor in EXECUTORS:
        record = by_name(FLOW.run({"x": 1}, executor=executor, level="full"))["hold"]
        if executor == "processes":
            assert abs(record.mem_peak_bytes - 50 * MB) < MB
            assert (record.mem_method, record.mem_quality) == ("hwm_reset", "measured")
        else:
            assert (record.mem_peak_bytes, record.mem_method, record.mem_quality) == (None, "none", "unavailable")


@linux
@pytest.mark.parametrize("executor", [None, "threads"])
def test_coroutines_are_split_over_their_steps(executor):
    record = by_name(fl.DataFlow(spin, wait).run({"x": 1}, executor=executor, level="full"))["wait"]
    assert record.cpu_ns + record.runqueue_ns + record.blocked_ns == record.wall_ns
    assert record.cpu_ns > 15_000_000
    assert record.blocked_ns > 45_000_000
    assert record.steps == 2


@linux
@every
def test_generators_are_split_over_their_steps(executor):
    record = by_name(fl.DataFlow(parts).run({"x": 1}, executor=executor, level="full"))["parts"]
    assert record.cpu_ns > 10_000_000
    assert record.runqueue_ns is not None


@linux
def test_an_asynchronous_generator_is_split_over_its_steps():
    @fl.operation(outputs="part", expand=True)
    async def parts(x):
        for n in range(3):
            spend(0.005)
            await asyncio.sleep(0)
            yield n

    run = fl.DataFlow(parts).run({"x": 1}, ["part"], level="full")
    assert run["part"] == [0, 1, 2]
    assert by_name(run)["parts"].runqueue_ns is not None


def test_memory_of_a_coroutine_is_exact_if_asked_for():
    @fl.operation(outputs="held")
    async def hold(x):
        block = bytearray(20 * MB)
        await asyncio.sleep(0)
        with fl.span("inside"):
            more = bytearray(10 * MB)
        del more
        return len(block)

    with fl.Recorder(level="full", trace_memory=True) as recorder:
        fl.DataFlow(hold).run({"x": 1})
    found = {record.operation: record for record in recorder.records}
    assert round(found["hold"].mem_peak_bytes / MB) == 30
    assert found["hold"].mem_method == "tracemalloc_step"
    assert found["hold"].mem_quality in ("measured", "estimated")


@linux
def test_the_phases_of_process_calls_follow_each_other_without_a_gap_or_an_overlap():
    """In a chain, one call's result is back before the next is submitted, and all of it lies within the run."""
    chain = fl.DataFlow(spin, sleep, hold)
    chain.run({"x": 1}, executor="processes")
    for level in ("time", "full"):
        began = time.perf_counter_ns()
        run = chain.run({"x": 1}, executor="processes", level=level)
        ended = time.perf_counter_ns()
        at = began
        for record in (record for record in run.records if record.stage is None):
            phases = (
                record.queue_ns, record.transfer_ns, record.deserialise_ns, record.run_ns, record.serialise_ns,
                record.return_ns,
            )  # fmt: skip
            assert all(phase >= 0 for phase in phases)
            assert record.whole_ns == sum(phases) + record.overhead_ns
            assert at <= record.submitted_ns
            assert record.submitted_ns + record.queue_ns + record.transfer_ns <= record.started_ns
            at = record.submitted_ns + record.whole_ns
        assert at <= ended


def test_the_level_is_that_of_the_active_recorder_unless_told():
    with fl.Recorder(level="full"):
        full, time_ = FLOW.run({"x": 1}, executor="inline"), FLOW.run({"x": 1}, executor="inline", level="time")
    assert by_name(full)["spin"].runqueue_ns is not None or not sys.platform.startswith("linux")
    assert by_name(time_)["spin"].runqueue_ns is None


def test_an_unknown_level_is_refused_with_the_choices():
    with pytest.raises(fl.FlowError, match="off, time, full"):
        FLOW.run({"x": 1}, level="loud")


def test_a_stream_and_a_sub_flow_take_the_level_too():
    async def streamed():
        return [run async for run in FLOW.stream([{"x": 1}, {"x": 2}], ["spun"], executor="inline", level="full")]

    outer = fl.DataFlow(fl.DataFlow(spin, name="part").as_operation()).run({"x": 1}, level="full")
    runs = [*asyncio.run(streamed()), *FLOW.map([{"x": 1}], ["spun"], level="full"), outer]
    if sys.platform.startswith("linux"):
        assert all(record.runqueue_ns is not None for run in runs for record in run.records)


@linux
@every
@pytest.mark.parametrize("level", ["time", "full"])
def test_spans_inside_a_call_are_measured_as_much_as_the_call(executor, level):
    @fl.operation(outputs="y")
    def outer(x):
        import flowlab

        with flowlab.span("inner"):
            sum(range(10_000))
        return x

    found = by_name(fl.DataFlow(outer).run({"x": 1}, executor=executor, level=level))
    assert found["inner"].parent == found["outer"].id
    for record in found.values():
        assert (record.runqueue_ns is not None) == (level == "full")


class TestWorkBesideACall:
    """What a body starts beside itself is its own cost."""

    async def _spend(self):
        spend(0.02)

    @pytest.mark.parametrize("level", ["time", "full"])
    def test_child_tasks_and_threads_belong_to_the_call_that_started_them(self, level):
        @fl.operation(outputs="a")
        async def tasks(x):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._spend())
                group.create_task(self._spend())

        @fl.operation(outputs="b")
        async def thread(a):
            await asyncio.to_thread(spend, 0.02)

        found = by_name(fl.DataFlow(tasks, thread).run({"x": 1}, level=level))
        assert found["tasks"].cpu_ns > 35_000_000
        assert found["thread"].cpu_ns > 15_000_000

    def test_a_child_that_outlives_its_call_is_not_the_next_calls(self):
        @fl.operation(outputs="child")
        async def start(x):
            async def late():
                await asyncio.sleep(0)
                spend(0.02)

            task = asyncio.create_task(late())
            await asyncio.sleep(0)
            return [task]

        @fl.operation(outputs="b")
        async def following(child):
            await asyncio.sleep(0.05)
            return child[0].done()

        run = fl.DataFlow(start, following).run({"x": 1}, ["b"])
        assert run["b"]
        assert by_name(run)["following"].cpu_ns < 15_000_000


@pytest.mark.parametrize("executor", [None, "threads", "processes"])
def test_a_measured_call_around_a_run_counts_nothing_twice(executor):
    @fl.measured
    def around():
        spend(0.03)
        fl.DataFlow(spin).run({"x": 1}, executor=executor)

    with fl.Recorder() as recorder:
        used = time.process_time_ns()
        around()
        used = time.process_time_ns() - used
    found = {record.operation.rpartition(".")[2]: record for record in recorder.records}
    assert found["around"].cpu_ns >= found["around"].cpu_self_ns + found["spin"].cpu_self_ns
    if executor != "processes":
        assert sum(record.cpu_self_ns or 0 for record in recorder.records) <= used


def test_loading_a_function_is_no_part_of_its_first_calls_cpu(tmp_path, monkeypatch):
    module = tmp_path / "slow_to_import.py"
    module.write_text("import time\nend = time.thread_time() + .2\nwhile time.thread_time() < end: pass\n"
                      "def same(x): return x\n")  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    import slow_to_import

    flow = fl.DataFlow(fl.operation(outputs="y")(slow_to_import.same))
    record = by_name(flow.run({"x": 1}, executor="processes"))["same"]
    assert record.deserialise_ns > 150_000_000 or record.transfer_ns > 150_000_000
    assert record.cpu_ns < 100_000_000


@linux
def test_a_failed_call_in_a_worker_is_split_and_its_phases_are_whole_too():
    @fl.operation(outputs="y")
    def fail(x):
        spend()
        raise ValueError

    run = fl.DataFlow(fail).run({"x": 1}, executor="processes", level="full", strict=False)
    record = by_name(run)["fail"]
    assert (record.status, record.error_type) == ("error", "ValueError")
    assert record.cpu_ns + record.runqueue_ns + record.blocked_ns == record.wall_ns
    assert 0 < record.overhead_ns < 1_000_000_000
    assert record.mem_method == "hwm_reset"
    assert min(record.queue_ns, record.transfer_ns, record.deserialise_ns, record.serialise_ns) >= 0
