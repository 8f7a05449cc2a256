"""The same flow under every executor: order, errors, where bodies run, what records say."""

import asyncio
import functools
import os
import signal
import threading

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import RunError, WorkerLost
from flowlab.graph import Definition, operation, resource

EXECUTORS = ["inline", "asyncio", "threads", "processes"]
every = pytest.mark.parametrize("executor", EXECUTORS)
MANY_X = [Definition("x", many=True)]


def where(x):
    return os.getpid(), threading.get_ident(), x


@every
def test_bodies_run_where_the_executor_says(executor):
    run = DataFlow(operation(outputs="y")(where)).run({"x": 1}, executor=executor)
    pid, thread, _ = run["y"]
    assert (pid == os.getpid()) == (executor != "processes")
    assert (thread == threading.get_ident()) == (executor in ("inline", "asyncio"))
    assert [record.executor for record in run.records if record.stage is None] == [executor]


def test_runs_beats_executor():
    near = operation(outputs="y", runs="inline")(where)
    far = operation(name="far", outputs="z", runs="processes")(where)
    run = DataFlow(near, far).run({"x": 1}, executor="threads")
    assert run["y"][:2] == (os.getpid(), threading.get_ident())
    assert run["z"][0] != os.getpid()


def test_plain_functions_leave_the_loop_free_where_there_are_coroutines():
    async def start(x):
        return x

    run = DataFlow(operation(outputs="s")(start), operation(outputs="y", inputs={"x": "s"})(where)).run({"x": 1})
    assert run["y"][1] != threading.get_ident()
    assert {r.operation: r.executor for r in run.records} == {"start": "asyncio", "where": "threads"}


@every
def test_lambdas_closures_partials_and_callable_objects_work_everywhere(executor):
    offset = 10

    class Adder:
        def __call__(self, x):
            return x + offset

    flow = DataFlow(
        operation(outputs="a")(lambda x: x + offset),
        operation(name="b", inputs={"y": "x"}, outputs="b")(functools.partial(lambda k, y: y * k, 3)),
        operation(name="c", outputs="c")(Adder()),
    )
    run = flow.run({"x": 1}, executor=executor)
    assert (run["a"], run["b"], run["c"]) == (11, 3, 11)


@every
def test_values_of_local_classes_come_back_as_the_same_class(executor):
    class Point:
        def __init__(self, x):
            self.x = x

    flow = DataFlow(operation(outputs="p")(lambda x: Point(x)), operation(outputs="q")(lambda p: Point(p.x + 1)))
    run = flow.run({"x": 1}, ["p", "q"], executor=executor)
    assert type(run["p"]) is Point and type(run["q"]) is Point and run["q"].x == 2


@every
def test_order_does_not_depend_on_who_ends_first(executor):
    turn = threading.Event()

    def slow_first(x):
        if executor == "threads":
            if x == 0:
                turn.wait(20)
            elif x == 3:
                turn.set()
        return x * 10

    flow = DataFlow(
        operation(outputs="y")(slow_first) if executor == "threads" else operation(outputs="y")(lambda x: x * 10),
        operation(outputs="all", collect="y")(lambda y: y),
        definitions=MANY_X,
    )
    assert flow.run({"x": range(4)}, ["all"], executor=executor, workers=2)["all"] == [0, 10, 20, 30]


@every
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), RecursionError("deep"), ValueError("v")], ids=repr
)
def test_whatever_a_body_raises_fails_its_call_alone(executor, error):
    def body(x):
        if x == 1:
            raise error
        return x

    flow = DataFlow(operation(outputs="y", on_error="skip")(body), definitions=MANY_X)
    run = flow.run({"x": [0, 1, 2]}, executor=executor, workers=2)
    assert run["y"] == [0, 2]
    assert [(e.operation, type(e.error)) for e in run.errors] == [("body", type(error))]


def test_where_interrupts_are_ignored_a_bodys_own_fails_its_call_alone():
    def body(x):
        raise KeyboardInterrupt

    flow = DataFlow(operation(outputs="y", on_error="skip")(body))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = flow.run({"x": 1}, executor="inline", strict=False)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert [type(e.error) for e in run.errors] == [KeyboardInterrupt]


@every
def test_a_real_recursion_error_fails_its_call_alone(executor):
    def deep(x):
        return deep(x)

    run = DataFlow(operation(outputs="y")(deep)).run({"x": 1}, executor=executor, strict=False)
    assert [type(e.error) for e in run.errors] == [RecursionError]


class Unloadable(Exception):
    def __init__(self, one, two):
        super().__init__("odd")


@every
def test_an_exception_that_does_not_unpickle_keeps_its_name(executor):
    def body(x):
        raise Unloadable(1, 2)

    run = DataFlow(operation(outputs="y")(body)).run({"x": 1}, executor=executor, strict=False)
    assert [type(e.error).__name__ for e in run.errors] == ["Unloadable"]


def test_an_error_from_a_worker_keeps_the_workers_traceback():
    def innermost(x):
        raise ValueError(x)

    with pytest.raises(RunError) as caught:
        DataFlow(operation(outputs="y")(lambda x: innermost(x))).run({"x": 1}, executor="processes")
    assert "innermost" in str(caught.value.__cause__.__cause__)


@pytest.mark.parametrize("what", ["argument", "result"])
def test_what_cannot_be_sent_to_a_worker_fails_its_call_with_the_way_out(what):
    value = threading.Lock()
    function = (lambda x: 1) if what == "argument" else (lambda x: __import__("threading").Lock())
    flow = DataFlow(operation(name="f", outputs="y")(function))
    run = flow.run({"x": value if what == "argument" else 1}, executor="processes", strict=False)
    assert "runs='threads'" in str(run.errors[0].error)


def test_what_a_worker_prints_reaches_the_callers_stdout(capsys):
    DataFlow(operation(outputs="y")(lambda x: print("hello from", x))).run({"x": "afar"}, executor="processes")
    assert capsys.readouterr().out == "hello from afar\n"


def test_a_killed_worker_costs_exactly_its_call():
    def fall(x):
        if x == 2:
            os.kill(os.getpid(), 9)
        return x

    flow = DataFlow(operation(outputs="y", on_error="skip")(fall), definitions=MANY_X)
    run = flow.run({"x": range(6)}, executor="processes", workers=2)
    assert run["y"] == [0, 1, 3, 4, 5]
    assert [type(e.error) for e in run.errors] == [WorkerLost]


def test_a_worker_killed_amid_many_short_calls_costs_exactly_one():
    def fall(x):
        if x == 1500:
            os.kill(os.getpid(), 9)
        return x

    flow = DataFlow(operation(outputs="y", on_error="skip")(fall), definitions=MANY_X)
    run = flow.run({"x": range(3000)}, executor="processes", workers=2)
    assert run["y"] == [x for x in range(3000) if x != 1500] and len(run.lost) == 1


def test_no_call_waits_behind_a_straggler(tmp_path):
    mark = tmp_path / "mark"

    def wait_for_a_later_one(x):
        import time

        if x == 400:
            end = time.monotonic() + 30
            while not mark.exists() and time.monotonic() < end:
                time.sleep(0.001)
            return mark.exists()
        if x == 401:
            mark.touch()
        return True

    flow = DataFlow(operation(outputs="y")(wait_for_a_later_one), definitions=MANY_X)
    assert all(flow.run({"x": range(800)}, executor="processes", workers=2)["y"])


def test_large_arrays_cross_without_a_copy_in_the_pickle_and_stay_writable():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(3_000_000, dtype="float64")

    def add(x):
        x += 1
        return x

    run = DataFlow(operation(outputs="y")(add)).run({"x": array}, executor="processes")
    assert (run["y"] == array + 1).all() and array[0] == 0
    run["y"][0] = 7
    (record,) = [r for r in run.records if r.stage is None]
    assert record.bytes_in > array.nbytes and record.bytes_out > array.nbytes


def test_a_killed_workers_call_is_tried_again(tmp_path):
    mark = tmp_path / "fell"

    def fall_once(x):
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return x

    run = DataFlow(operation(outputs="y", retries=1, backoff_s=0)(fall_once)).run({"x": 1}, executor="processes")
    assert run["y"] == 1 and run.calls == ("fall_once",) and not run.errors
    assert [r.status for r in run.records if r.operation == "fall_once"] == ["error", "ok"]


def test_a_timeout_stops_a_process_that_hangs():
    def hang(x):
        while True:
            pass

    run = DataFlow(operation(outputs="y", timeout_s=0.2)(hang)).run({"x": 1}, executor="processes", strict=False)
    assert isinstance(run.errors[0].error, TimeoutError)
    assert [r.status for r in run.records if r.operation == "hang"] == ["timeout"]


def test_a_timeout_stops_a_coroutine_that_hangs():
    stopped = []

    async def hang(x):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(x)

    run = DataFlow(operation(outputs="y", timeout_s=0.05)(hang)).run({"x": 1}, strict=False)
    assert isinstance(run.errors[0].error, TimeoutError) and stopped == [1]


def test_a_timeout_gives_up_on_a_thread_and_says_that_it_goes_on():
    never = threading.Event()
    run = DataFlow(operation(outputs="y", timeout_s=0.05)(lambda x: never.wait(20))).run(
        {"x": 1}, executor="threads", strict=False
    )
    never.set()
    assert "cannot be stopped" in str(run.errors[0].error)


@pytest.mark.parametrize("executor", ["inline", "asyncio"])
def test_a_call_that_ends_too_late_failed_wherever_it_ran(executor):
    def busy(x):
        import time

        end = time.perf_counter() + 0.03
        while time.perf_counter() < end:
            pass

    run = DataFlow(operation(outputs="y", timeout_s=0.01)(busy)).run({"x": 1}, executor=executor, strict=False)
    assert isinstance(run.errors[0].error, TimeoutError)


@every
def test_metrics_reported_in_a_body_are_in_its_record(executor):
    def body(x):
        from flowlab.metrics import metric, progress

        metric(rows=x)
        progress(x, 10)
        return x

    run = DataFlow(operation(outputs="y")(body), definitions=MANY_X).run({"x": [1, 2]}, executor=executor)
    said = sorted((dict(r.custom) for r in run.records if r.operation == "body"), key=lambda custom: custom["rows"])
    assert said == [{"rows": x, "progress_done": x, "progress_total": 10} for x in (1, 2)]


@every
def test_every_call_has_a_record_with_wall_and_cpu(executor):
    run = DataFlow(operation(outputs="y")(lambda x: sum(range(20000)))).run({"x": 1}, executor=executor)
    (record,) = [r for r in run.records if r.stage is None]
    assert record.wall_ns > 0 and record.cpu_ns > 0 and record.status == "ok"
    if executor == "processes":
        assert record.bytes_in > 0 and record.bytes_out > 0 and record.deserialise_ns is not None


def test_starting_workers_is_a_record_of_its_own():
    from flowlab import executors

    executors.close()
    flow = DataFlow(operation(outputs="y")(where))
    starts = [r for r in flow.run({"x": 1}, executor="processes").records if r.stage == "start"]
    assert [r.operation for r in starts] == ["start workers"] and starts[0].wall_ns > 0
    again = flow.run({"x": 1}, executor="processes")
    assert [r for r in again.records if r.stage == "start"] == []


def test_workers_stay_warm_and_close_ends_them():
    from flowlab import executors

    flow = DataFlow(operation(outputs="y")(where))
    first, second = (flow.run({"x": 1}, executor="processes")["y"][0] for _ in range(2))
    assert first == second
    executors.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


@every
def test_run_works_inside_a_running_event_loop(executor):
    async def main():
        return DataFlow(operation(outputs="y")(lambda x: x + 1)).run({"x": 1}, executor=executor)["y"]

    assert asyncio.run(main()) == 2


@every
def test_run_async_is_the_native_form(executor):
    async def main():
        run = await DataFlow(operation(outputs="y")(lambda x: x + 1)).run_async({"x": 1}, executor=executor)
        return run["y"]

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (3, 3), (None, 100)])
def test_an_operations_workers_bound_its_calls_and_a_hundred_coroutines_otherwise(workers, most):
    active, seen, meeting = [0], [0], asyncio.Barrier(most)

    async def step(x):
        active[0] += 1
        seen[0] = max(seen[0], active[0])
        await asyncio.wait_for(meeting.wait(), 20)
        active[0] -= 1

    DataFlow(operation(outputs="y", workers=workers)(step), definitions=MANY_X).run({"x": range(3 * most)})
    assert seen[0] == most


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_an_operations_workers_bound_threads_and_processes_too(executor, tmp_path):
    def step(x):
        mark = tmp_path / "inside"
        mark.touch(exist_ok=False)
        mark.unlink()

    flow = DataFlow(operation(outputs="y", workers=1)(step), definitions=MANY_X)
    assert flow.run({"x": range(30)}, executor=executor, workers=4)["y"] == [None] * 30


@every
def test_operations_that_take_a_resource_stay_in_the_calling_process(executor):
    @resource
    def handle():
        yield threading.Lock()

    flow = DataFlow(handle, operation(outputs="y")(lambda handle, x: os.getpid()))
    assert flow.run({"x": 1}, ["y"], executor=executor)["y"] == os.getpid()


@pytest.mark.parametrize("form", [*EXECUTORS, "coroutine"])
def test_a_span_inside_a_body_is_not_counted_twice(form):
    def body(x):
        from flowlab.metrics import span

        with span("inner"):
            sum(range(200_000))
        return x

    async def coroutine(x):
        return body(x)

    from flowlab.metrics import Recorder

    with Recorder() as recorder:
        made = operation(name="body", outputs="y")(coroutine if form == "coroutine" else body)
        DataFlow(made).run({"x": 1}, executor=None if form == "coroutine" else form)
    calls = {record.operation: record for record in recorder.records}
    assert calls["body"].cpu_self_ns <= calls["body"].cpu_ns - calls["inner"].cpu_ns


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_short_calls_that_say_print_fail_or_return_more_than_a_number_keep_what_is_theirs(executor, capsys):
    def body(x):
        import sys

        from flowlab.metrics import metric

        if x % 50 == 7:
            raise ValueError(x)
        if x % 50 == 8:
            metric(rows=x)
        if x % 50 == 9:
            sys.stdout.write(f"said {x}\n")
        return {0: x, 1: str(x), 2: [x, [x]], 3: None, 4: x / 3, 5: b"x" * x, 6: 1 << 40 * x, 10: (x, x)}.get(x % 50, x)

    flow = DataFlow(operation(outputs="y", on_error="skip")(body), definitions=MANY_X)
    run = flow.run({"x": range(600)}, executor=executor, workers=2)
    here = [x for x in range(600) if x % 50 != 7]
    assert len(run["y"]) == len(here)
    for x, found in zip(here, run["y"], strict=True):
        wanted = {1: str(x), 2: [x, [x]], 3: None, 4: x / 3, 5: b"x" * x, 6: 1 << 40 * x, 10: (x, x)}.get(x % 50, x)
        assert found == wanted and type(found) is type(wanted)
    assert sorted(str(entry.error) for entry in run.errors) == sorted(str(x) for x in range(600) if x % 50 == 7)
    assert sorted(r.custom["rows"] for r in run.records if "rows" in r.custom) == [x for x in range(600) if x % 50 == 8]
    if executor == "processes":
        said = capsys.readouterr().out.splitlines()
        assert sorted(said) == sorted(f"said {x}" for x in range(600) if x % 50 == 9)
    assert all(record.cpu_ns is not None and record.wall_ns is not None for record in run.records if not record.stage)
