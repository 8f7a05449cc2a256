"""When the steps of coroutines and generators were: at level "full", in records and in the table of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import flowlab as fl
from flowlab.metrics import Record
from flowlab.metrics.probes import STEPS_KEPT


def check(record: Record, count: int) -> None:
    """The steps follow each other within the call."""
    stamps = record.steps_at_ns
    assert stamps is not None
    assert len(stamps) == 2 * count
    assert list(stamps) == sorted(stamps)
    assert (record.started_ns or 0) <= stamps[0]
    assert stamps[-1] <= (record.ended_ns or 0)


def test_each_step_of_a_measured_coroutine_has_its_start_and_end(recorder, clock) -> None:
    @fl.measured
    async def visit() -> None:
        clock.spend(10)
        await asyncio.sleep(0)
        clock.wait(3)

    async def main() -> None:
        task = asyncio.create_task(visit())
        await asyncio.sleep(0)
        clock.wait(100)
        await task

    clock.wait(5)
    asyncio.run(main())
    (record,) = recorder.records
    assert record.steps_at_ns == (5, 15, 115, 118)
    assert record.steps == 2


def test_a_generator_and_an_async_generator_have_theirs_over_all_their_elements(recorder) -> None:
    @fl.measured
    def numbers() -> Iterator[int]:
        yield from range(2)

    @fl.measured
    async def letters():
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    async def main() -> None:
        assert [letter async for letter in letters()] == ["a", "b"]

    assert list(numbers()) == [0, 1]
    asyncio.run(main())
    for record in recorder.records:
        check(record, record.steps or 0)
        assert record.steps in (3, 4)


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads"])
def test_an_operation_has_them_too_and_at_level_time_none(executor: str) -> None:
    @fl.operation(outputs="y")
    async def wait(x):
        for _ in range(2):
            await asyncio.sleep(0)
        return x

    @fl.operation(outputs="z")
    def plain(y):
        return y

    flow = fl.DataFlow(wait, plain)
    full = {record.operation: record for record in flow.run({"x": 1}, executor=executor, level="full").records}
    check(full["wait"], 3)
    assert full["wait"].steps == 3
    assert full["plain"].steps_at_ns is None
    assert all(record.steps_at_ns is None for record in flow.run({"x": 1}, executor=executor, level="time").records)


def test_of_endlessly_many_steps_the_first_are_kept_and_all_are_counted() -> None:
    count = STEPS_KEPT + 50

    async def wait(x=0):
        for _ in range(count):
            await asyncio.sleep(0)
        return x

    with fl.Recorder(level="full") as recorder:
        asyncio.run(fl.measured(wait)())
    run = fl.DataFlow(fl.operation(outputs="y")(wait)).run({"x": 1}, level="full")
    for record in (*recorder.records, *run.records):
        check(record, STEPS_KEPT)
        assert record.steps == count + 1


def test_the_table_of_steps_shows_them_beside_the_phases(recorder) -> None:
    @fl.measured
    async def visit() -> None:
        await asyncio.sleep(0)

    asyncio.run(visit())
    table = recorder.table("steps")
    assert list(table["step"]) == ["run", "step", "step"]
    assert list(table["operation"].unique()) == [recorder.records[0].operation]
