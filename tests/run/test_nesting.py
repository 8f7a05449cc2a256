"""Spans and measured calls inside operation bodies: records of the run, under the call around them."""

import asyncio
import contextvars
import os
import platform
import threading
import time

import pytest

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation
from flowlab.metrics import Recorder, measured, metric, recorder, span

MANY_X = [Definition("x", many=True)]


def work():
    return sum(range(30_000))


@measured("deep")
def deep():
    return work()


def plain(x):
    with span("inner"):
        deep()
        work()
    return x


async def coroutine(x):
    with span("inner"):
        deep()
        await asyncio.sleep(0)
        work()
    return x


def generator(x):
    with span("inner"):
        deep()
        yield x
        work()


async def async_generator(x):
    with span("inner"):
        deep()
        await asyncio.sleep(0)
        yield x
        work()


FORMS = [(plain, place) for place in ("inline", "asyncio", "threads", "processes")]
FORMS += [(generator, place) for place in ("inline", "asyncio", "threads", "processes")]
FORMS += [(coroutine, None), (async_generator, None)]
every = pytest.mark.parametrize(("body", "place"), FORMS, ids=lambda form: getattr(form, "__name__", form))


def flow(body, **settings):
    expand = body in (generator, async_generator)
    return DataFlow(operation(name="body", outputs="y", expand=expand, **settings)(body), definitions=MANY_X)


@every
def test_what_nests_carries_the_runs_name_and_the_call_around_it(body, place):
    run = flow(body).run({"x": range(3)}, executor=place, workers=2)
    records = {record.id: record for record in run.records}
    assert len(records) == len(run.records)
    assert {record.run for record in run.records} == {run.records[0].run}
    assert [r.operation for r in run.records if r.stage is None].count("body") == 3
    for name, around in (("inner", "body"), ("deep", "inner")):
        found = [record for record in run.records if record.operation == name]
        assert len(found) == 3
        assert [records[record.parent].operation for record in found] == [around] * 3
        assert len({record.parent for record in found}) == 3
        assert {r.executor for r in found} <= {"inline", "asyncio", "threads"} or place == "processes"


@every
def test_cpu_of_nested_calls_is_known_and_counted_once(body, place):
    run = flow(body).run({"x": range(3)}, executor=place, workers=2)
    calls = [record for record in run.records if record.stage is None]
    assert all(record.cpu_ns is not None and record.cpu_quality == "measured" for record in calls)
    for record in calls:
        inside = sum(other.cpu_ns for other in calls if other.parent == record.id)
        assert abs(record.cpu_ns - inside - record.cpu_self_ns) < 1_000
    whole = sum(record.cpu_ns for record in calls if record.operation == "body")
    assert abs(sum(record.cpu_self_ns for record in calls) - whole) < 10_000


@every
def test_every_record_says_where_it_ran(body, place):
    run = flow(body).run({"x": range(2)}, executor=place, workers=2)
    for record in run.records:
        assert record.host == platform.node() and record.pid and record.tid
        assert (record.pid == os.getpid()) == (place != "processes" or record.stage == "start")
        if place == "inline":
            assert record.tid == threading.get_native_id()


@pytest.mark.parametrize("place", ["inline", "asyncio", "threads", "processes"])
def test_what_a_failed_call_reported_stays_with_it(place):
    def body(x):
        if x == 0:
            metric(seen=x)
            with span("inner"):
                work()
            raise ValueError
        return x

    run = flow(body, on_error="skip").run({"x": [0, 1]}, executor=place, workers=1)
    calls = {record.status: record for record in run.records if record.operation == "body"}
    assert dict(calls["error"].custom) == {"seen": 0} and not calls["ok"].custom
    (inner,) = [record for record in run.records if record.operation == "inner"]
    assert inner.parent == calls["error"].id


def test_a_straight_run_keeps_what_nests_with_its_call():
    made = DataFlow(operation(name="a", outputs="y")(plain), operation(name="b", inputs={"x": "y"}, outputs="z")(plain))
    run = made.run({"x": 1})
    names = {record.id: record.operation for record in run.records}
    assert sorted(names[r.parent] for r in run.records if r.operation == "inner") == ["a", "b"]


def test_an_active_recorder_gets_what_nests_once():
    with Recorder(strategy="s") as recorder:
        run = flow(plain).run({"x": [1]})
        flow(plain).run({"x": [1]}, executor="processes")
    assert [r.operation for r in recorder.records].count("inner") == 2
    assert {r.strategy for r in recorder.records} == {"s"}
    assert {r.run for r in recorder.records if r.operation == "inner"} > {run.records[0].run}


def test_what_nests_in_a_sub_flow_is_under_its_call():
    inner = DataFlow(operation(name="body", outputs="y")(plain), name="nested")
    run = DataFlow(inner, operation(name="other", outputs="w")(plain)).run({"x": 1})
    names = {record.id: record.operation for record in run.records}
    assert len(names) == len(run.records)
    assert sorted(names[r.parent] for r in run.records if r.operation == "inner") == ["nested/body", "other"]


@pytest.mark.parametrize("executor", [None, "threads"])
def test_a_streams_items_keep_what_nests_in_them(executor):
    made = DataFlow(
        operation(name="a", outputs="y")(plain), operation(name="b", inputs={"x": "y"}, outputs="z")(lambda x: x)
    )

    async def runs():
        return [run async for run in made.stream(({"x": n} for n in range(5)), ["z"], executor=executor)]

    for number, run in enumerate(asyncio.run(runs())):
        (found,) = [record for record in run.records if record.operation == "inner"]
        (around,) = [record for record in run.records if record.operation == "a"]
        assert found.parent == around.id and found.context == around.context == number
        assert 0 <= around.cpu_self_ns <= around.cpu_ns - found.cpu_ns


def test_the_record_of_a_call_stopped_in_a_worker_names_the_worker():
    def hang(x):
        import time

        time.sleep(60)

    run = DataFlow(operation(outputs="y", timeout_s=0.05)(hang)).run({"x": 1}, executor="processes", strict=False)
    (record,) = [record for record in run.records if record.stage is None]
    assert record.status == "timeout" and record.pid == record.tid != os.getpid()


def test_the_first_spans_of_two_threads_at_once_are_both_kept(monkeypatch):
    made, both = recorder.Recorder, threading.Barrier(2)

    def slowly(*args, **settings):
        time.sleep(0.05)  # as long as importing it may take
        return made(*args, **settings)

    monkeypatch.setattr(recorder, "Recorder", slowly)

    def body(x):
        both.wait(10)
        return plain(x)

    run = flow(body).run({"x": [1, 2]}, executor="threads", workers=2)
    assert len({record.id for record in run.records}) == len(run.records)
    assert [record.operation for record in run.records if record.operation != "body"].count("inner") == 2


def test_threads_of_the_users_own_in_one_call_find_the_same_call_around_them(monkeypatch):
    made = recorder.Recorder

    def slowly(*args, **settings):
        time.sleep(0.05)
        return made(*args, **settings)

    monkeypatch.setattr(recorder, "Recorder", slowly)

    def body(x):
        both = threading.Barrier(2)

        def inner():
            both.wait(10)
            with span("inner"):
                pass

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(inner,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return x

    run = flow(body).run({"x": [1]}, executor="threads", workers=1)
    (around,) = [record for record in run.records if record.operation == "body"]
    assert [r.parent for r in run.records if r.operation == "inner"] == [around.id] * 2
