"""Spans and measured functions on a clock turned by hand: every number is exact."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import subprocess
import sys
import types
import weakref
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import cloudpickle
import pytest

from flowlab.errors import FlowlabError, SettingError
from flowlab.metrics import Record, Recorder, measured, metric, progress, span
from flowlab.metrics.active import CALL, THREAD, stack
from flowlab.metrics.clocks import NEAR_NS, Clocks


def by_name(recorder: Recorder) -> dict[str, Record]:
    return {record.operation: record for record in recorder.records}


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert CALL.get() is None
    assert stack() == []


def test_wall_is_cpu_and_run_queue_and_blocked(recorder, clock) -> None:
    with span("load", stage="start"):
        clock.spend(5)
        clock.queue(3)
        clock.wait(11)
    (record,) = recorder.records
    assert (record.operation, record.stage, record.status, record.run) == ("load", "start", "ok", recorder.run)
    assert (record.cpu_ns, record.runqueue_ns, record.blocked_ns, record.wall_ns) == (5, 3, 11, 19)
    assert (record.cpu_method, record.cpu_quality) == ("by hand", "measured")


def test_self_time_counts_nothing_twice_and_nesting_gives_parents(recorder, clock) -> None:
    @measured
    def inner() -> None:
        clock.spend(7)

    @measured("outside")
    def outer() -> None:
        clock.spend(1)
        inner()
        with span("block"):
            clock.spend(20)
            inner()

    outer()
    records = recorder.records
    outside, block = by_name(recorder)["outside"], by_name(recorder)["block"]
    assert (outside.cpu_ns, outside.cpu_self_ns) == (35, 1)
    assert (block.cpu_ns, block.cpu_self_ns) == (27, 20)
    assert [record.parent for record in records if record.operation.endswith("inner")] == [outside.id, block.id]
    assert sum(record.cpu_self_ns or 0 for record in records) == outside.cpu_ns


def test_a_coroutine_is_measured_step_by_step_not_while_others_run(recorder, clock) -> None:
    @measured
    async def visit(own: int, rounds: int) -> int:
        for _ in range(rounds):
            clock.spend(own)
            await asyncio.sleep(0)
        return own

    async def both() -> list[int]:
        return await asyncio.gather(visit(1, 3), visit(100, 5))

    assert asyncio.run(both()) == [1, 100]
    first, second = recorder.records
    assert (first.cpu_ns, first.steps, first.executor) == (3, 4, "asyncio")
    assert (second.cpu_ns, second.steps) == (500, 6)
    assert first.wall_ns == first.cpu_ns + (first.blocked_ns or 0)


def test_spans_inside_a_measured_coroutine_pause_with_it(recorder, clock) -> None:
    @measured
    async def visit(own: int) -> None:
        clock.spend(own)
        async with span(f"part {own}"):
            clock.spend(own)
            await asyncio.sleep(0)
            clock.spend(own)

    async def both() -> None:
        await asyncio.gather(visit(1), visit(100))

    asyncio.run(both())
    found = by_name(recorder)
    assert [found[name].cpu_ns for name in ("part 1", "part 100")] == [2, 200]
    assert sorted(record.cpu_self_ns for record in recorder.records) == [1, 2, 100, 200]
    visits = {record.id: record for record in recorder.records if record.operation.endswith("visit")}
    assert [visits[found[name].parent or 0].cpu_self_ns for name in ("part 1", "part 100")] == [1, 100]


def test_a_span_in_a_task_nobody_steps_is_measured_while_the_loop_does_not_turn(recorder, clock) -> None:
    @measured
    def parse() -> None:
        clock.spend(4)

    async def page() -> None:
        with span("still"):
            clock.spend(2)
            parse()
        with span("turning"):
            clock.spend(2)
            await asyncio.sleep(0)

    asyncio.run(page())
    still, turning = by_name(recorder)["still"], by_name(recorder)["turning"]
    assert (still.cpu_ns, still.cpu_self_ns, still.cpu_quality) == (6, 2, "measured")
    assert (turning.cpu_ns, turning.cpu_self_ns, turning.cpu_quality) == (None, None, "unavailable")
    assert turning.wall_ns == 2


def test_generators_are_measured_while_they_run_and_not_between(recorder, clock) -> None:
    @measured
    def numbers() -> Generator[int, int, str]:
        total = 0
        for n in range(3):
            with span("one"):
                clock.spend(5)
                total += yield n
        return f"sum {total}"

    source = numbers()
    assert next(source) == 0
    clock.spend(1000)
    assert [source.send(10), source.send(20)] == [1, 2]
    with pytest.raises(StopIteration) as end:
        source.send(30)
    assert end.value.value == "sum 60"
    record = recorder.records[-1]
    assert (record.cpu_ns, record.cpu_self_ns, record.steps, record.status) == (15, 0, 4, "ok")
    assert [other.cpu_ns for other in recorder.records[:-1]] == [5, 5, 5]


def test_async_generators_are_measured_while_they_run_and_not_between(recorder, clock) -> None:
    @measured
    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            clock.spend(5)
            await asyncio.sleep(0)
            yield n

    async def consume() -> list[int]:
        found = []
        async for n in numbers():
            clock.spend(1000)
            found.append(n)
        return found

    assert asyncio.run(consume()) == [0, 1, 2]
    (record,) = recorder.records
    assert (record.cpu_ns, record.status) == (15, "ok")


def test_an_async_generator_gets_what_is_sent_and_thrown(recorder) -> None:
    @measured
    async def echo() -> AsyncIterator[object]:
        got: object = None
        while True:
            try:
                got = yield got
            except ValueError as error:
                got = repr(error)

    async def talk() -> list[object]:
        source = echo()
        replies = [await source.asend(None), await source.asend("a"), await source.athrow(ValueError("b"))]
        await source.aclose()
        return replies

    assert asyncio.run(talk()) == [None, "a", "ValueError('b')"]
    assert recorder.records[0].status == "cancelled"


def test_a_generator_gets_what_is_thrown_and_is_closed(recorder) -> None:
    closed = []

    @measured
    def echo() -> Generator[object, object, None]:
        try:
            while True:
                try:
                    yield 1
                except ValueError:
                    yield 2
        finally:
            closed.append(True)

    source = echo()
    assert (next(source), source.throw(ValueError()), next(source)) == (1, 2, 1)
    source.close()
    assert closed == [True]
    assert recorder.records[0].status == "cancelled"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no"), "error"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
def test_an_error_passes_through_and_is_named(recorder, error: BaseException, status: str) -> None:
    @measured
    def fail() -> None:
        raise error

    @measured
    async def fail_later() -> None:
        await once()
        raise error

    with pytest.raises(type(error)):
        fail()
    with pytest.raises(type(error)), span("around"):
        raise error
    steps = fail_later()
    assert steps.send(None) == "once"
    with pytest.raises(type(error)):
        steps.send(None)
    assert [(record.status, record.error_type) for record in recorder.records] == [(status, type(error).__name__)] * 3


@types.coroutine
def once() -> Iterator[str]:
    """A suspension without an event loop."""
    yield "once"


def test_an_error_is_not_kept_alive_by_its_wrapper(recorder) -> None:
    class Heavy(Exception):
        pass

    @measured
    async def fail() -> None:
        await once()
        raise Heavy

    steps, kept = fail(), None
    gc.disable()
    try:
        steps.send(None)
        try:
            steps.send(None)
        except Heavy as error:
            kept = weakref.ref(error)
        assert kept is not None
        assert kept() is None
    finally:
        gc.enable()


class Parser:
    """Something with every kind of method."""

    @measured
    def method(self, text: str) -> str:
        return text.upper()

    @measured
    async def slow(self, text: str) -> str:
        return text

    @measured
    @classmethod
    def of_class(cls, text: str) -> str:
        return cls.__name__ + text

    @staticmethod
    @measured
    def of_none(text: str) -> str:
        return text


def test_methods_of_every_kind_are_measured_under_their_class(recorder) -> None:
    parser = Parser()
    assert parser.method("a") == "A"
    assert asyncio.run(parser.slow("b")) == "b"
    assert Parser.of_class("c") == "Parserc"
    assert Parser.of_none("d") == "d"
    assert recorder.measured(parser.method)("e") == "E"
    names = [record.operation for record in recorder.records]
    assert names == [
        "Parser.method",
        "Parser.slow",
        "Parser.of_class",
        "Parser.of_none",
        "Parser.method",
        "Parser.method",
    ]


def test_a_measured_function_is_still_what_it_was() -> None:
    async def coroutine() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def stream() -> AsyncIterator[int]:
        yield 1

    assert inspect.iscoroutinefunction(measured(coroutine))
    assert inspect.isasyncgenfunction(measured(stream))
    wrapped = measured(generator)
    assert (wrapped.__wrapped__, wrapped.__name__, wrapped.__flowlab_measured__) == (generator, "generator", True)


def test_callable_objects_and_partials_are_measured(recorder) -> None:
    class Slow:
        async def __call__(self) -> str:
            return "done"

    assert asyncio.run(measured(Slow())()) == "done"
    assert measured(functools.partial(max, 3))(2) == 3
    assert [record.operation.rpartition(".")[2] for record in recorder.records] == ["Slow", "max"]


def test_measuring_something_that_is_no_function_is_refused() -> None:
    with pytest.raises(SettingError, match="needs a function, not int"):
        measured(3)  # type: ignore[call-overload]


def test_metrics_go_to_the_innermost_call_and_nowhere_outside_one(recorder) -> None:
    metric(lost=1)
    progress(1, 2)

    @measured
    def inner() -> None:
        metric(rows=120)
        progress(3, 4)

    with span("outer"):
        metric(pages=2)
        inner()
        metric(pages=3, done=True)
    inside, outside = recorder.records
    assert dict(inside.custom) == {"rows": 120, "progress_done": 3, "progress_total": 4}
    assert dict(outside.custom) == {"pages": 3, "done": True}


def test_with_no_recorder_active_nothing_is_kept_and_everything_works(clock) -> None:
    @measured
    def double(x: int) -> int:
        with span("inside"):
            metric(x=x)
            return 2 * x

    @measured
    async def later(x: int) -> int:
        async with span("inside"):
            return x

    assert double(4) == 8
    assert asyncio.run(later(3)) == 3
    assert CALL.get() is None


def test_the_innermost_recorder_is_the_active_one_and_the_outer_one_comes_back() -> None:
    with Recorder() as outer:
        with Recorder() as inner, span("first"):
            pass
        with span("second"):
            pass
    with span("third"):
        pass
    assert [record.operation for record in inner.records] == ["first"]
    assert [record.operation for record in outer.records] == ["second"]


def test_a_recorder_needs_no_with_for_its_own_spans(clock) -> None:
    recorder = Recorder(strategy="serial")
    with recorder.span("load"):
        pass
    assert recorder.measured(len)("abc") == 3
    with span("elsewhere"):
        pass
    assert [(record.operation, record.strategy) for record in recorder.records] == [
        ("load", "serial"),
        ("len", "serial"),
    ]


def test_level_off_keeps_nothing() -> None:
    with Recorder(level="off") as recorder:
        with recorder.span("load"), span("load"):
            pass
        assert recorder.measured(len)("abc") == 3
    assert recorder.records == ()


def test_level_time_does_not_tell_waiting_for_a_core_from_being_blocked() -> None:
    with Recorder(level="time") as recorder, span("load"):
        pass
    (record,) = recorder.records
    assert record.cpu_ns is not None
    assert (record.runqueue_ns, record.blocked_ns) == (None, None)


def test_calls_soon_after_a_reading_of_the_clocks_are_worked_out_from_it_and_say_so(clock) -> None:
    THREAD.reset()
    read: list[int] = []

    def cpu() -> int:
        read.append(clock.now)
        return clock.cpu()

    with Recorder(clock=Clocks(clock.wall, cpu, near=True)) as recorder:
        for spent in (10 * NEAR_NS, 100, 200, NEAR_NS):
            with span("short" if spent < NEAR_NS else "long"):
                clock.spend(spent)
            clock.spend(10)
        with span("outer"), span("inner"):
            clock.spend(50)
    THREAD.reset()
    assert len(read) == 3
    assert [(record.operation, record.cpu_ns, record.cpu_quality) for record in recorder.records] == [
        ("long", 10 * NEAR_NS, "measured"), ("short", 100, "estimated"), ("short", 200, "estimated"),
        ("long", NEAR_NS, "measured"), ("inner", 50, "estimated"), ("outer", 50, "estimated"),
    ]  # fmt: skip
    assert [record.cpu_self_ns for record in recorder.records[-2:]] == [50, 0]


def test_an_unknown_level_is_refused_with_the_choices() -> None:
    with pytest.raises(FlowlabError, match="off, time, full"):
        Recorder(level="loud")


def test_records_of_a_run_join_those_of_the_active_recorder(recorder) -> None:
    made = []

    def make() -> tuple[Record, ...]:
        made.append(True)
        return (Record(operation="late", run="r2"),)

    recorder.extend([Record(operation="a", run="r1"), Record(operation="b", run="r1")])
    recorder.extend(make)
    assert made == []
    assert [record.operation for record in recorder.records] == ["a", "b", "late"]
    assert len(recorder.records) == 3
    assert made == [True]


def test_joined_records_get_the_strategy_they_lack() -> None:
    recorder = Recorder(strategy="dataflow")
    recorder.extend((Record(operation="a"), Record(operation="b", strategy="hybrid")))
    assert [record.strategy for record in recorder.records] == ["dataflow", "hybrid"]


def test_a_call_left_open_by_mistake_does_not_disturb_those_around_it(recorder, clock) -> None:
    with span("outer"):
        forgotten = span("forgotten")
        forgotten.__enter__()
        clock.spend(3)
    with span("next"):
        clock.spend(4)
    CALL.set(None)
    assert (by_name(recorder)["outer"].cpu_ns, by_name(recorder)["next"].cpu_ns) == (3, 4)


def test_every_record_says_what_measuring_it_cost() -> None:
    @measured
    async def stepping() -> None:
        await once()
        await once()

    with Recorder() as recorder:
        with span("load"):
            pass
        steps = stepping()
        with pytest.raises(StopIteration):
            for _ in range(4):
                steps.send(None)
    load, stepped = recorder.records
    assert 0 < (load.overhead_ns or 0) < (stepped.overhead_ns or 0) < 10_000_000


async def _twice_async(value: int) -> int:
    return 2 * value


def _up_to(value: int) -> Iterator[int]:
    yield from range(value)


@pytest.mark.parametrize(
    "function", [lambda value: 2 * value, _twice_async, _up_to], ids=["plain", "async", "generator"]
)
def test_a_measured_function_defined_anywhere_can_be_sent_to_another_process(function: Any) -> None:
    wrapper = measured("twice")(function)
    sent = subprocess.run(
        [sys.executable, "-c", "import pickle, sys; assert callable(pickle.load(sys.stdin.buffer))"],
        input=_by_value(wrapper),
    )
    assert sent.returncode == 0


def _by_value(function: Any) -> bytes:
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        blob: bytes = cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    return blob
