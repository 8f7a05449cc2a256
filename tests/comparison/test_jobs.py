"""Jobs made of plain functions: what is refused, what is derived, and that every strategy makes the same calls."""

import asyncio
import functools
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from flowlab.comparison import Job, job
from flowlab.comparison.strategies import ALL, Results
from flowlab.errors import SettingError


def double(value: int) -> int:
    return 2 * value


async def shift(value: int) -> int:
    await asyncio.sleep(0)
    return value + 1


def picky(value: int) -> int:
    if value % 3 == 0:
        raise ValueError("a multiple of three")
    return value


def endless(value: int) -> Iterator[int]:
    yield value


def where(value: int) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        pytest.param((double,), [0, 2, 4, 6], id="sync"),
        pytest.param((shift,), [1, 2, 3, 4], id="async"),
        pytest.param((double, shift, double), [2, 6, 10, 14], id="mixed, one function twice"),
        pytest.param((lambda value: value - 1,), [-1, 0, 1, 2], id="lambda"),
        pytest.param((functools.partial(pow, 2),), [1, 2, 4, 8], id="partial of a builtin"),
    ],
)
def test_every_strategy_gives_one_value_an_item_in_order(name: str, functions: Any, expected: list[int]) -> None:
    made = job(*functions, items=range(4), workers=2)
    assert made.strategies[name]() == Results(tuple(expected))


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize("first", [double, shift], ids=["sync first", "async first"])
def test_a_failing_item_is_kept_as_a_failure_and_the_rest_go_on(name: str, first: Any) -> None:
    made = job(picky, first, items=range(5), workers=2)
    assert [index for index, _ in made.strategies[name]().failures] == [0, 3]
    assert {error for _, error in made.strategies[name]().failures} == {"ValueError"}
    assert made.strategies[name]().values[1] is not None


def leave(value: int) -> int:
    if value == 2:
        sys.exit(3)
    return value


async def leave_a_loop(value: int) -> int:
    return leave(value)


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize("function", [leave, leave_a_loop], ids=["sync", "async"])
def test_sys_exit_in_one_item_fails_that_item(name: str, function: Any) -> None:
    made = job(function, items=range(4), workers=2).placed({"leave": 0.9})
    assert made.strategies[name]() == Results((0, 1, None, 3), ((2, "SystemExit"),))


def end_the_process(value: int) -> int:
    if value % 4 == 2:
        os._exit(7)
    return value


@pytest.mark.parametrize("name", ["processes", "hybrid", "dataflow"])
def test_an_item_that_ends_its_worker_process_costs_itself_alone(name: str) -> None:
    made = job(end_the_process, double, items=range(8), workers=2).placed({"end_the_process": 0.9})
    lost = ((2, "WorkerLost"), (6, "WorkerLost"))
    assert made.strategies[name]() == Results((0, 2, None, 6, 8, 10, None, 14), lost)


class Unloadable:
    """Pickles, and ends whoever unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)

    def __call__(self, value: int) -> int:
        return value


def test_workers_that_cannot_start_are_not_taken_for_items_that_fail() -> None:
    with pytest.raises(BrokenProcessPool):
        job(Unloadable(), items=range(3), workers=2).strategies["processes"]()


@pytest.mark.parametrize("name", list(ALL))
def test_steps_measured_as_computing_go_where_the_strategy_says(name: str) -> None:
    made = job(where, items=range(6), workers=2).placed({"where": 0.9})
    found = made.strategies[name]().values
    others = {pid for pid, _ in found} - {os.getpid()}
    assert bool(others) == (name in ("processes", "hybrid", "dataflow"))


def test_async_functions_run_on_one_loop_a_worker() -> None:
    loops: list[int] = []

    async def remember(value: int) -> int:
        loops.append(id(asyncio.get_running_loop()))
        return value

    job(remember, items=range(6)).strategies["serial"]()
    assert len(loops) == 6 and len(set(loops)) == 1


def test_only_measured_computing_is_placed_in_processes() -> None:
    made = job(double, shift, picky, items=[1]).placed({"double": 0.9, "shift": 0.9, "picky": 0.1})
    assert made.in_processes == {"double"}  # shift is async: it stays on the loop


def test_a_sample_is_drawn_by_seed_and_keeps_the_order() -> None:
    made = job(double, items=range(100))
    assert made.sampled(10, seed=1) == made.sampled(10, seed=1) != made.sampled(10, seed=2)
    assert list(made.sampled(10).items) == sorted(made.sampled(10).items)
    assert made.sampled(10).n_all == 100 and made.sampled(1000) is made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: job(items=[1]), "at least one function", id="no function"),
        pytest.param(lambda: job(double, items=[]), "at least one item", id="no item"),
        pytest.param(lambda: job(double, items="urls.txt"), "one thing", id="a str for items"),
        pytest.param(lambda: job(3, items=[1]), "not callable", id="not a function"),  # type: ignore[arg-type]
        pytest.param(lambda: job(lambda: 1, items=[1]), "cannot be called with one value", id="takes nothing"),
        pytest.param(lambda: job(lambda a, b: 1, items=[1]), "functools.partial", id="takes two"),
        pytest.param(lambda: job(endless, items=[1]), "is a generator", id="a generator"),
        pytest.param(lambda: job(double, items=[1], workers=0), "workers=0", id="no worker"),
        pytest.param(lambda: job(double, items=[1]).sampled(0), "sample=0", id="empty sample"),
    ],
)
def test_what_makes_no_job_is_refused_with_the_way_out(make: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()


def test_results_are_compared_item_by_item_without_those_that_failed() -> None:
    made = job(double, items=range(3))
    assert made.equal(Results((1, None, 3), ((1, "ValueError"),)), Results((1, 2, 3)))
    assert not made.equal(Results((1, 2, 3)), Results((1, 2, 4)))
    close = job(double, items=range(2), equal=lambda one, other: abs(one - other) < 0.1)
    assert close.equal(Results((1.0, 2.0)), Results((1.05, 2.0)))
    assert isinstance(made, Job)
