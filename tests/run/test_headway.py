"""Headway: how far a run is, read while it goes on and when it is over, under every executor."""

import asyncio
import threading
from collections import Counter
from dataclasses import astuple

import pytest

import flowlab as fl
from flowlab.run.outcome.headway import Headway
from flowlab.run.session import Settings, run, run_map
from flowlab.run.streams import stream

EXECUTORS = ("inline", "asyncio", "threads", "processes")


def pages(n):
    return list(range(n))


def rows(page):
    yield page
    yield page + 100


def half(row):
    if row % 2:
        raise ValueError("odd")
    return row // 2


def never_odd(half):
    return half


def survey(kept):
    return len(kept)


def flow():
    tried = set()

    def flaky(survey):
        if survey not in tried:
            tried.add(survey)
            raise OSError
        return survey

    inner = fl.DataFlow(
        fl.operation(never_odd, inputs={"half": "one"}, outputs="same"),
        fl.operation(lambda same: same, outputs="kept", name="keep"),
        name="inner",
    )
    return fl.DataFlow(
        fl.operation(pages, outputs="page", expand=True),
        fl.operation(rows, outputs="row", expand=True),
        fl.operation(half, on_error="skip"),
        inner.as_operation(inputs={"one": "half"}),
        fl.operation(survey, collect="kept"),
        fl.operation(flaky, outputs="sure", retries=1, backoff_s=0.0, runs="inline"),
        name="survey",
    )


def by_name(headway):
    return {count.name: count for count in headway.counts()}


@pytest.mark.parametrize("level", ["off", "time", "full"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_when_a_run_is_over_the_counts_are_those_of_its_calls(executor, level):
    headway = Headway("survey")
    done = run(flow(), {"n": 6}, None, Settings(executor, 2, True, level, headway=headway))
    found = by_name(headway)
    assert done["sure"] == 6
    assert {name: count.done + count.failed for name, count in found.items()} == Counter(done.calls)
    assert {name: count.failed for name, count in found.items() if count.failed} == {"half": 6}
    assert all(count.running == count.waiting == 0 and count.final for count in found.values())


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("level", ["off", "time"])
def test_many_contexts_add_up(executor, level):
    headway = Headway("survey", 5)
    runs = run_map(flow(), [{"n": n} for n in range(5)], None, Settings(executor, 2, True, level, headway=headway))
    calls = Counter(name for one in runs for name in one.calls)
    assert {name: count.done + count.failed for name, count in by_name(headway).items()} == calls


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("sized", [True, False])
def test_a_stream_counts_its_items_as_they_pass(executor, sized):
    def half_of(n):
        return 12 // n

    straight = fl.DataFlow(fl.operation(half_of, outputs="m"), fl.operation(lambda m: -m, outputs="k", name="negative"))
    headway = Headway("halves", 200 if sized else None)

    async def take():
        settings = Settings(executor, 2, False, headway=headway)
        return [item async for item in stream(straight, [{"n": n % 20} for n in range(200)], None, 64, True, settings)]

    runs = asyncio.run(take())
    assert len(runs) == 200
    found = by_name(headway)
    assert astuple(found["half_of"])[1:6] == (190, 0, 0, 10, sized)
    assert found["negative"].done == 190


def test_inside_a_call_on_the_callers_thread_it_runs_and_the_others_wait():
    headway, seen = Headway("squares"), []

    def square(n):
        fl.progress(n, 10)
        seen.append(by_name(headway))
        return n * n

    squares = fl.DataFlow(
        fl.operation(pages, outputs="n", inputs={"n": "count"}, expand=True),
        fl.operation(square),
        fl.operation(lambda square: sum(square), outputs="total", name="total", collect="square"),
    )
    run(squares, {"count": 4}, None, Settings("inline", headway=headway))
    assert [(found["square"].done, found["square"].running, found["square"].waiting) for found in seen] == [
        (0, 1, 3), (1, 1, 2), (2, 1, 1), (3, 1, 0),
    ]  # fmt: skip
    assert [found["square"].inside for found in seen] == [(n, 10) for n in range(4)]
    assert all(found["square"].final and found["pages"].done == 1 for found in seen)
    assert all(found["total"].waiting == 1 for found in seen)


def test_no_total_is_final_while_an_expand_goes_on():
    headway, seen = Headway("numbers"), []

    def numbers(count):
        for n in range(count):
            yield n
            seen.append(by_name(headway).get("double"))

    run(
        fl.DataFlow(fl.operation(numbers, outputs="n", expand=True), fl.operation(lambda n: 2 * n, name="double")),
        {"count": 5}, None, Settings("inline", headway=headway),
    )  # fmt: skip
    assert seen and not any(count is not None and count.final for count in seen)
    assert by_name(headway)["double"].final


@pytest.mark.parametrize("kind", ["threads", "coroutines"])
def test_calls_that_run_at_once_are_told_from_those_that_wait(kind):
    headway, seen, together = Headway("waiting"), [], threading.Barrier(2)
    released = asyncio.Event()

    def in_thread(page):
        fl.progress(page + 1, 4)
        if page < 2 and together.wait(60) == 0:
            seen.append(by_name(headway))
        if page < 2:
            together.wait(60)
        return page

    async def in_coroutine(page):
        fl.progress(page + 1, 4)
        if page == 1:
            seen.append(by_name(headway))
            released.set()
        await released.wait()
        return page

    body = in_thread if kind == "threads" else in_coroutine
    run(
        fl.DataFlow(fl.operation(pages, outputs="page", expand=True), fl.operation(body, outputs="x", workers=2)),
        {"n": 5}, None, Settings("threads", 2, headway=headway),
    )  # fmt: skip
    count = seen[0][body.__name__]
    assert (count.done, count.running, count.waiting, count.total) == (0, 2, 3, 5)
    assert count.inside == (3, 8)


def test_a_worker_process_says_how_far_its_call_is(tmp_path):
    go_on = tmp_path / "go on"

    def long(n):
        while not go_on.exists():
            fl.progress(n, 8)
            threading.Event().wait(0.01)
        return n

    headway = Headway("long")
    done = threading.Thread(
        target=run,
        args=(fl.DataFlow(fl.operation(long, outputs="m")), {"n": 3}, None, Settings("processes", 1, headway=headway)),
    )
    done.start()
    try:
        ticks = threading.Event()
        for _ in range(6000):
            found = by_name(headway).get("long")
            if found is not None and found.inside == (3, 8):
                break
            ticks.wait(0.01)
        else:
            pytest.fail(f"never told: {found}")
    finally:
        go_on.touch()
        done.join(60)
    assert by_name(headway)["long"].done == 1


def test_reading_from_another_thread_all_the_while_changes_nothing():
    headway, over = Headway("survey"), threading.Event()
    counts = []

    def read():
        while not over.is_set():
            try:
                counts.append(by_name(headway).get("half"))
            except RuntimeError:  # it grew meanwhile: what draws tries again
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = run(flow(), {"n": 400}, None, Settings("threads", 4, headway=headway))
    finally:
        over.set()
        reader.join(60)
    assert done["sure"] == 400
    ended = [count.done + count.failed for count in counts if count is not None]
    assert len(ended) > 2 and max(ended) <= 800
