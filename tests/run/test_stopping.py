"""What stopping one context leaves to others: its locks and its places, once its bodies have ended."""

import asyncio
import threading

import pytest

from flowlab.dataflow import DataFlow
from flowlab.graph import Definition, operation, resource
from flowlab.run.drivers.loop import Loop
from flowlab.run.outcome.context import Context
from flowlab.run.session import prepare


@resource
def session():
    yield 1


LOCK = [Definition("session", lock=True)]


def test_a_context_that_waits_for_a_lock_goes_on_when_the_one_that_holds_it_is_cancelled():
    events = []

    async def hang(session, x):
        events.append("held")
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            events.append("let go")

    async def begin(x):
        while not events:
            await asyncio.sleep(0)
        return x

    async def use(session, begun):
        events.append("taken")
        return begun

    stopped = DataFlow(session, operation(outputs="y")(hang), definitions=LOCK, name="stopped")
    other = DataFlow(session, operation(outputs="begun")(begin), operation(outputs="z")(use), definitions=LOCK)
    flow = DataFlow(
        stopped.as_operation(timeout_s=0.1), other.as_operation("other", outputs={"z": "z"}),
    )  # fmt: skip
    run = flow.run({"x": 1}, strict=False)
    assert run["z"] == 1 and events == ["held", "let go", "taken"]
    assert "stopped" in [error.operation for error in run.errors]


def test_a_cancelled_map_lets_go_of_all_its_locks():
    inside = []

    async def hold(session, x):
        inside.append(x)
        try:
            await asyncio.Event().wait()
        finally:
            inside.remove(x)

    flow = DataFlow(session, operation(outputs="y")(hold), definitions=LOCK)

    async def main():
        stream = flow.stream(({"x": x} for x in range(20)), ["y"], limit=10)
        task = asyncio.ensure_future(anext(stream))
        while not inside:
            await asyncio.sleep(0)
        flight = stream.ag_frame.f_locals["flight"] if stream.ag_frame else None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return flight

    flight = asyncio.run(main())
    assert inside == []
    locks = flight.driver.locks
    assert not locks.held and not locks.queues and not locks.waiting and not locks.owners


@pytest.mark.parametrize("workers", [1, None])
def test_calls_that_were_stopped_leave_their_places_to_the_next(workers):
    attempts = []

    async def step(x):
        attempts.append(x)
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return x

    inner = DataFlow(operation(outputs="y", workers=workers)(step), name="inner")
    flow = DataFlow(inner.as_operation(timeout_s=1, retries=1, backoff_s=0))
    assert flow.run({"x": 5})["y"] == 5 and attempts == [5, 5]


def test_nothing_waits_at_a_closed_place_for_a_hundred_stopped_calls():
    async def hang(x):
        if x < 100:
            await asyncio.Event().wait()
        return x

    inner = DataFlow(operation(outputs="y")(hang), definitions=[Definition("x", many=True)], name="inner")
    outer = DataFlow(
        inner.as_operation("first", inputs={"x": "a"}, outputs={"y": "b"}, timeout_s=0.2),
        operation(outputs="c")(lambda b: b),
        operation(name="spare", outputs="c", weight=100)(lambda a: [100, 101]),
        inner.as_operation("second", inputs={"x": "c"}, outputs={"y": "d"}, timeout_s=30),
    )
    run = outer.run({"a": list(range(100))}, ["d"], strict=False)
    assert run["d"] == [100, 101]


def held_up(events, **settings):
    """Two calls that need one lock; the first goes on after its time until it is let go."""
    going_on, let_go = threading.Event(), threading.Event()

    def slow(lock):
        going_on.set()
        let_go.wait(60)
        events.append("slow ended")

    def quick(lock, after):
        events.append("quick began")
        return 1

    def after(x):
        going_on.wait(60)
        return x

    flow = DataFlow(
        operation(outputs="s", name="slow", timeout_s=0.05, **settings)(slow),
        operation(outputs="q", name="quick")(quick),
        operation(outputs="after", name="after")(after),
        definitions=[Definition("lock", lock=True)],
    )
    return flow, let_go


@pytest.mark.parametrize("retries", [0, 1])
def test_a_thread_that_goes_on_after_its_time_keeps_its_locks(retries, monkeypatch):
    events = []
    flow, let_go = held_up(events, retries=retries, backoff_s=0)
    good = Loop._after

    def after(self, call, outcome, error):
        good(self, call, outcome, error)
        if isinstance(error, TimeoutError):
            self.loop.call_later(0.05, let_go.set)  # the others had their chance to begin

    monkeypatch.setattr(Loop, "_after", after)
    run = flow.run({"lock": 1, "x": 1}, executor="threads", strict=False)
    assert run["q"] == 1
    assert events.index("slow ended") < events.index("quick began")
    assert {type(entry.error).__name__ for entry in run.errors} <= {"CallTimeout"}


def test_a_run_does_not_wait_for_ever_for_the_lock_of_a_thread_that_never_ends(monkeypatch):
    monkeypatch.setattr("flowlab.run.drivers.ending.LINGER_S", 0.05)
    events = []
    flow, let_go = held_up(events)
    try:
        run = flow.run({"lock": 1, "x": 1}, executor="threads", strict=False)
        assert events == []
        assert [(entry.operation, type(entry.error).__name__) for entry in run.errors] == [
            ("quick", "CallTimeout"), ("slow", "CallTimeout"),
        ]  # fmt: skip
        assert "still holds" in str(run.errors[0].error)
    finally:
        let_go.set()


def test_a_context_that_was_cancelled_keeps_the_lock_of_a_thread_that_goes_on():
    began, let_go, events = threading.Event(), threading.Event(), []

    def work(x, session):
        if x == 0:
            began.set()
            let_go.wait(60)
        events.append(x)
        return x

    flow = DataFlow(session, operation(outputs="y", name="work")(work), definitions=LOCK)

    async def main():
        prepared = prepare(flow, {"x": 0}, ("y",))
        driver = Loop("threads", None)
        contexts = [Context(prepared.layout, prepared.handlers, "1", number, 0, driver.locks) for number in range(2)]
        first = asyncio.create_task(driver.run(contexts[0], {"x": 0}))
        await asyncio.to_thread(began.wait, 60)
        second = asyncio.create_task(driver.run(contexts[1], {"x": 1}))
        first.cancel()
        await asyncio.wait([first])
        done, _ = await asyncio.wait([second], timeout=0.2)
        assert not done and not events
        let_go.set()
        await asyncio.wait_for(second, 60)
        await driver.close()

    asyncio.run(main())
    assert events == [0, 1]
