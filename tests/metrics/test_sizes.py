"""How much a call works on: what its record says, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy
import pytest

import flowlab as fl
from flowlab.metrics.sizes import input_size


class Broken:
    @property
    def nbytes(self) -> int:
        raise RuntimeError("not now")


class Counted(list[int]):
    def __len__(self) -> int:
        raise AssertionError("the caller's own code must not run")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), None),
        ((3, None, 2.5, object()), None),
        (("abc",), (3, "characters")),
        ((b"abc", "ab"), (3, "bytes")),
        (([1, 2], {"a": 1}), (2, "items")),
        ((numpy.zeros(4), "abc"), (32, "bytes")),
        ((numpy.float64(1.5),), (8, "bytes")),
        ((memoryview(b"abcde"),), (5, "bytes")),
        ((Broken(), [1]), (1, "items")),
        ((Counted(),), None),
    ],
)
def test_it_is_the_largest_of_the_arguments_that_say_it_at_once(arguments: tuple[object, ...], found: object) -> None:
    assert input_size(arguments) == found


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
def test_an_operation_says_it_at_level_full_under_every_executor(executor: str, kind: str) -> None:
    if kind == "function":

        @fl.operation(outputs="words")
        def split(text):
            return len(text.split())

    elif kind == "coroutine":

        @fl.operation(outputs="words")
        async def split(text):
            await asyncio.sleep(0)
            return len(text.split())

    else:

        @fl.operation(outputs="words", expand=True)
        def split(text):
            yield from text.split()

    run = fl.DataFlow(split).run({"text": "to be or not"}, executor=executor, level="full")
    (record,) = (record for record in run.records if record.operation == "split")
    assert (record.input_size, record.input_unit) == (12, "characters")


def test_a_call_in_a_worker_process_else_says_the_bytes_it_was_sent() -> None:
    @fl.operation(outputs="y")
    def double(x):
        return 2 * x

    for level in ("time", "full"):
        run = fl.DataFlow(double).run({"x": 2.5}, executor="processes", level=level)
        (record,) = (record for record in run.records if record.operation == "double")
        assert (record.input_size, record.input_unit) == (record.bytes_in, "bytes")
        assert record.bytes_in


def test_measured_functions_of_every_kind_say_it_at_level_full_only() -> None:
    @fl.measured
    def plain(text: str, n: int = 0) -> None: ...

    @fl.measured
    def generator(*, text: str) -> Iterator[str]:
        yield from text

    @fl.measured
    async def coroutine(text: str) -> None:
        await asyncio.sleep(0)

    @fl.measured
    async def elements(text: str):
        for letter in text:
            yield letter

    async def take() -> None:
        await coroutine("abc")
        assert [letter async for letter in elements("abc")] == list("abc")

    for level, said in (("time", (None, None)), ("full", (3, "characters"))):
        with fl.Recorder(level=level) as recorder:
            plain("abc", n=4)
            list(generator(text="abc"))
            asyncio.run(take())
            with fl.span("no arguments"):
                pass
        found = {record.operation: (record.input_size, record.input_unit) for record in recorder.records}
        assert found.pop("no arguments") == (None, None)
        assert len(found) == 4
        assert set(found.values()) == {said}
