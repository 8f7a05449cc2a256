"""Work a call starts beside itself - child tasks, threads - belongs to it, once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flowlab.metrics import Record, Recorder, measured, metric, span
from flowlab.metrics.active import CALL, Call, stack


def by_name(recorder: Recorder) -> dict[str, Record]:
    return {record.operation: record for record in recorder.records}


@pytest.fixture
def work(clock):
    """Unmeasured things to do, and a measured one."""

    class Work:
        @staticmethod
        async def child(ns: int) -> None:
            clock.spend(ns)
            await asyncio.sleep(0)
            clock.spend(ns)

        @staticmethod
        @measured("named child")
        async def named_child(ns: int) -> None:
            clock.spend(ns)
            await asyncio.sleep(0)

        @staticmethod
        def compute(ns: int) -> None:
            clock.spend(ns)

        @staticmethod
        @measured("named compute")
        def named_compute(ns: int) -> None:
            metric(ns=ns)
            clock.spend(ns)

    return Work


def test_a_child_task_belongs_to_the_call_that_started_it(recorder, clock, work) -> None:
    @measured("parent")
    async def parent() -> None:
        clock.spend(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(work.child(10))
            group.create_task(work.child(100))

    async def main() -> None:
        await asyncio.gather(parent(), work.child(10_000))

    asyncio.run(main())
    (record,) = recorder.records
    assert (record.cpu_ns, record.cpu_self_ns) == (221, 221)


def test_a_measured_child_task_is_in_its_parents_cpu_and_not_in_its_self(recorder, clock, work) -> None:
    @measured("parent")
    async def parent() -> None:
        clock.spend(1)
        await asyncio.gather(work.named_child(10), work.child(100))

    asyncio.run(parent())
    found = by_name(recorder)
    assert found["named child"].parent == found["parent"].id
    assert (found["named child"].cpu_ns, found["parent"].cpu_ns, found["parent"].cpu_self_ns) == (10, 211, 201)


def test_a_grandchild_in_a_task_of_a_task_counts_once(recorder, clock, work) -> None:
    async def unmeasured() -> None:
        clock.spend(2)
        await asyncio.create_task(work.named_child(10))

    @measured("parent")
    async def parent() -> None:
        await asyncio.create_task(unmeasured())

    asyncio.run(parent())
    found = by_name(recorder)
    assert found["named child"].parent == found["parent"].id
    assert (found["parent"].cpu_ns, found["parent"].cpu_self_ns) == (12, 2)


def test_a_thread_of_to_thread_belongs_to_the_call_that_started_it(recorder, clock, work) -> None:
    @measured("parent")
    async def parent() -> None:
        clock.spend(1)
        await asyncio.to_thread(work.compute, 10)
        await asyncio.to_thread(work.named_compute, 100)

    asyncio.run(parent())
    found = by_name(recorder)
    assert found["named compute"].parent == found["parent"].id
    assert (found["parent"].cpu_ns, found["parent"].cpu_self_ns) == (111, 11)
    assert (found["named compute"].cpu_ns, dict(found["named compute"].custom)) == (100, {"ns": 100})
    assert found["named compute"].executor == "threads"
    assert found["named compute"].tid != found["parent"].tid


def test_spans_in_tasks_started_after_the_recorder_are_measured_though_no_call_is_around(recorder, clock) -> None:
    async def page(ns: int) -> None:
        with span(f"page {ns}"):
            clock.spend(ns)
            await asyncio.sleep(0)
            clock.spend(ns)

    async def main() -> None:
        with span("first"):
            pass
        await asyncio.gather(page(1), page(100))

    asyncio.run(main())
    found = by_name(recorder)
    assert [found[name].cpu_ns for name in ("page 1", "page 100")] == [2, 200]


def test_a_measured_function_that_runs_a_loop_counts_what_ran_in_it_once(recorder, clock, work) -> None:
    async def main() -> None:
        await work.named_child(10)
        await asyncio.gather(work.named_child(10), work.child(100))

    @measured("whole")
    def whole() -> None:
        clock.spend(1)
        asyncio.run(main())

    whole()
    record = by_name(recorder)["whole"]
    assert (record.cpu_ns, record.cpu_self_ns) == (221, 201)
    assert sum(other.cpu_self_ns or 0 for other in recorder.records) == 221


def test_work_spread_over_threads_says_nothing_about_blocking(recorder, clock, work) -> None:
    @measured("parent")
    async def parent() -> None:
        await asyncio.to_thread(work.compute, 10)
        clock.now -= 10  # as if it had run beside, not after

    asyncio.run(parent())
    (record,) = recorder.records
    assert (record.cpu_ns, record.blocked_ns) == (10, None)


def test_a_followed_task_is_still_itself(recorder, work) -> None:
    names: list[object] = []

    @measured("parent")
    async def parent() -> None:
        task = asyncio.create_task(work.child(1), name="mine")
        names.extend([task.get_name(), task.get_coro().__name__, "child" in repr(task)])
        await task

    asyncio.run(parent())
    assert names == ["mine", "child", True]


def test_a_followed_task_can_be_cancelled_before_and_while_it_runs(recorder, clock) -> None:
    seen: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            clock.spend(3)
            raise

    @measured("parent")
    async def parent() -> None:
        unstarted = asyncio.create_task(stubborn())
        unstarted.cancel()
        running = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(unstarted, running, return_exceptions=True)

    asyncio.run(parent())
    assert seen == ["cancelled"]
    assert recorder.records[0].cpu_ns == 3


def test_a_loop_with_its_own_task_factory_and_threads_keeps_them(recorder, clock, work) -> None:
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: object, **settings: object) -> asyncio.Task[object]:
        made.append(coro.__name__)  # type: ignore[attr-defined]
        return asyncio.Task(coro, loop=loop, **settings)  # type: ignore[arg-type]

    @measured("parent")
    async def parent() -> None:
        await asyncio.create_task(work.child(5))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        await parent()

    asyncio.run(main())
    assert "child" in made
    assert recorder.records[0].cpu_ns == 10


def test_threads_of_ones_own_record_without_a_parent(recorder, clock, work) -> None:
    with span("around"):
        threads = [threading.Thread(target=work.named_compute, args=(ns,)) for ns in (5, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    *inside, around = recorder.records
    assert sorted(record.cpu_ns for record in inside) == [5, 50]
    assert {(record.parent, record.executor) for record in inside} == {(None, "threads")}
    assert around.cpu_ns == 0


def test_calls_of_another_runtime_nest_by_the_same_rules(clock) -> None:
    kept = Recorder(run="r7", keeps_nested=True)
    kept.clocks = kept.clocks.__class__(clock.wall, clock.cpu)
    call = Call(kept.next_id(), kept)
    token = CALL.set(call)
    stack().append(call)
    with Recorder() as active:
        clock.spend(2)
        with span("nested"):
            clock.spend(30)
    stack().pop()
    CALL.reset(token)
    assert active.records == ()
    (nested,) = kept.records
    assert (nested.run, nested.parent, nested.cpu_ns) == ("r7", call.id, 30)
    assert call.totals(32) == (32, 2)


def test_a_driver_with_a_clock_of_its_own_pauses_what_is_open_inside_its_coroutine(recorder, clock) -> None:
    from flowlab.metrics.probes import pause_above, resume_all

    frame = Call(0)
    stack().append(frame)
    with span("outer"), span("inner"):
        clock.spend(5)
        paused = pause_above(frame, clock.cpu(), clock.runqueue())
        clock.spend(1000)
        resume_all(paused)
        clock.spend(7)
    stack().pop()
    assert [record.cpu_ns for record in recorder.records] == [12, 12]
    assert [record.cpu_self_ns for record in recorder.records] == [12, 0]
    assert frame.inner_ns == 12


def test_a_task_that_runs_eagerly_within_its_parents_step_counts_once(recorder, clock, work) -> None:
    """As `asyncio.eager_task_factory` (Python 3.12) does: the first step is run where the task is made."""

    def eager(loop: asyncio.AbstractEventLoop, coro: object, **settings: object) -> asyncio.Future[object]:
        try:
            asked = coro.send(None)  # type: ignore[attr-defined]
        except StopIteration as stop:
            future: asyncio.Future[object] = loop.create_future()
            future.set_result(stop.value)
            return future

        async def rest() -> None:
            await asyncio.sleep(0) if asked is None else await asked
            with pytest.raises(StopIteration):
                coro.send(None)  # type: ignore[attr-defined]

        return asyncio.Task(rest(), loop=loop)

    async def quick() -> None:
        clock.spend(10)

    @measured("quick call")
    async def quick_call() -> None:
        clock.spend(100)

    @measured("parent")
    async def parent() -> None:
        clock.spend(1)
        await asyncio.gather(asyncio.create_task(quick()), asyncio.create_task(quick_call()))
        await asyncio.create_task(work.child(1000))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(eager)
        await parent()

    asyncio.run(main())
    found = by_name(recorder)
    assert (found["parent"].cpu_ns, found["parent"].cpu_self_ns) == (2111, 2011)
    assert (found["quick call"].cpu_ns, found["quick call"].parent) == (100, found["parent"].id)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="no eager tasks in this Python")
def test_pythons_own_eager_tasks_count_once(recorder, clock, work) -> None:
    @measured("parent")
    async def parent() -> None:
        await asyncio.gather(asyncio.create_task(work.child(10)), asyncio.create_task(work.named_child(100)))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await parent()

    asyncio.run(main())
    found = by_name(recorder)
    assert (found["parent"].cpu_ns, found["parent"].cpu_self_ns) == (120, 20)
