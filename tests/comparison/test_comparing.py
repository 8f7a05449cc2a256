"""Comparing for real: fresh processes, interleaved, results held equal, nothing left behind."""

import functools
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import psutil
import pytest

import flowlab as fl
from flowlab.errors import ComparisonError, SettingError


def quiet(_: str) -> None:
    """Say nothing."""


def pid() -> int:
    return os.getpid()


def test_every_run_is_a_fresh_process_and_every_run_is_kept() -> None:
    found = fl.compare({"a": pid, "b": pid}, repeats=2, equal=lambda *_: True, say=quiet)
    assert [run.order for run in found.runs] == [0, 1, 2, 3]
    assert {(run.strategy, run.repeat) for run in found.runs} == {("a", 0), ("b", 0), ("a", 1), ("b", 1)}
    stamps = [(run.started_ns, run.ended_ns) for run in found.runs]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(stamps) if one[1] and other[0])


def test_repeats_are_interleaved_and_serial_goes_first() -> None:
    calls = dict.fromkeys(("threads", "serial", "asyncio"), pid)
    found = fl.compare(calls, repeats=3, equal=lambda *_: True, say=quiet)
    assert found.runs[0].strategy == "serial"
    for repeat in range(3):
        assert {run.strategy for run in found.runs[3 * repeat : 3 * repeat + 3]} == set(calls)


def test_a_run_has_neither_pandas_nor_matplotlib() -> None:
    def loaded() -> set[str]:
        return {"pandas", "matplotlib", "aiohttp", "rich"} & set(sys.modules)

    assert fl.compare({"a": loaded}, repeats=1, say=quiet).value == set()


SPIN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def spin_in_a_worker() -> None:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(exec, SPIN).result()


def spin_under_forkserver() -> None:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
        pool.submit(exec, SPIN).result()


@pytest.mark.parametrize("call", [spin_in_a_worker, spin_under_forkserver])
def test_cpu_seconds_hold_those_of_worker_processes(call: Any) -> None:
    run = fl.compare({"a": call}, repeats=1, say=quiet).runs[0]
    assert run.error is None and run.cpu_s is not None and run.cpu_s >= 0.29


def allocate() -> int:
    held = bytearray(200_000_000)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(0.5)  # long enough for the sampler to see it
    return len(held)


def test_peak_memory_is_sampled_from_outside() -> None:
    run = fl.compare({"a": allocate}, repeats=1, say=quiet).runs[0]
    assert run.peak_bytes is not None and 200_000_000 < run.peak_bytes < 300_000_000
    assert run.memory_method in ("pss", "rss")


def test_different_results_are_named_and_do_not_agree() -> None:
    found = fl.compare({"serial": lambda: 1, "threads": lambda: 2}, repeats=1, say=quiet)
    assert not found.agree
    assert (
        found.disagreements[0].startswith("threads gave another result than serial")
        and "equal=" in found.disagreements[0]
    )


def test_an_equal_that_fails_is_said_to_have_failed() -> None:
    with pytest.raises(ComparisonError, match=r"two results could not be compared \(TypeError\)"):
        fl.compare({"a": pid, "b": pid}, repeats=1, equal=lambda one: True, say=quiet)  # type: ignore[arg-type,misc]


def test_a_strategy_that_raises_is_reported_and_the_rest_compared() -> None:
    def broken() -> int:
        raise ZeroDivisionError("no")

    found = fl.compare({"serial": lambda: 1, "threads": broken, "asyncio": lambda: 1}, repeats=1, say=quiet)
    assert found.runs_of("threads")[0].error == "ZeroDivisionError: no"
    assert found.runs_of("threads")[0].output.endswith("ZeroDivisionError: no\n")  # its traceback
    assert not found.agree and found.spread("asyncio", "wall_s") is not None


def test_what_dooms_every_run_ends_the_comparison_after_the_first() -> None:
    def doomed() -> None:
        raise SettingError("the site is not there: start it")

    with pytest.raises(ComparisonError, match="the site is not there: start it"):
        fl.compare({"serial": doomed, "threads": doomed}, repeats=3, say=quiet)


def test_a_job_whose_every_item_fails_has_no_verdict() -> None:
    def broken(item: int) -> int:
        raise KeyError(item)

    with pytest.raises(ComparisonError, match=r"every item failed \(3 of 3, KeyError\)"):
        fl.compare(fl.job(broken, items=range(3)), repeats=1, say=quiet)


def test_a_result_that_cannot_travel_fails_its_item_alone_in_every_strategy() -> None:
    found = fl.compare(
        fl.job(lambda item: threading.Lock() if item == 2 else item, items=range(4), workers=2), repeats=1, say=quiet
    )
    assert found.agree, found.disagreements
    assert {run.failures for run in found.runs} == {((2, "TypeError"),)}


def test_failing_items_of_a_sample_are_numbered_among_all_items() -> None:
    def picky(item: int) -> int:
        if item % 10 == 7:
            raise ValueError
        return item

    made = fl.job(picky, items=range(50), workers=1)
    found = fl.compare(made, strategies=["serial"], sample=40, repeats=1, say=quiet)
    assert found.runs[0].failures and all(index % 10 == 7 for index, _ in found.runs[0].failures)


def test_a_killed_run_is_reported() -> None:
    def killed() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    found = fl.compare({"serial": lambda: 1, "threads": killed}, repeats=1, say=quiet)
    assert "without a result" in str(found.runs_of("threads")[0].error)


def test_a_result_that_cannot_be_pickled_is_reported() -> None:
    found = fl.compare({"serial": threading.Lock}, repeats=1, say=quiet)
    assert "cannot be sent between processes" in str(found.runs[0].error)


def test_what_a_strategy_prints_is_kept_apart() -> None:
    assert "hello" in fl.compare({"serial": lambda: print("hello")}, repeats=1, say=quiet).runs[0].output


def test_a_run_that_does_not_end_is_stopped_with_all_it_started() -> None:
    def hang() -> None:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)

    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(ComparisonError, match="did not end within 1 s"):
        fl.compare({"serial": hang}, repeats=1, timeout_s=1, say=quiet)
    assert not [left for left in psutil.Process().children(recursive=True) if left not in before]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="parents' deaths are told to children on Linux only")
def test_when_the_comparison_is_killed_its_run_ends_too(tmp_path: Path) -> None:
    script = tmp_path / "hangs.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, pathlib, time
            import flowlab as fl
            def hang():
                pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
                time.sleep(600)
            fl.compare({{"serial": hang}}, repeats=1)
            """
        )
    )
    comparing = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline and comparing.poll() is None
        time.sleep(0.02)
    running = psutil.Process(int((tmp_path / "pid").read_text()))
    comparing.kill()
    comparing.wait()
    running.wait(timeout=30)


@pytest.mark.parametrize(
    ("job", "arguments", "message"),
    [
        pytest.param({"serial": pid}, {"strategies": ["treads"]}, "no strategy 'treads'", id="unknown strategy"),
        pytest.param({"serial": pid}, {"strategies": []}, "no strategy chosen", id="none chosen"),
        pytest.param({"serial": pid}, {"repeats": 0}, "repeats=0", id="no repeat"),
        pytest.param({"serial": pid}, {"sample": 3}, "sample=", id="a sample of what has no items"),
        pytest.param({"serial": 3}, {}, "not callable", id="not a callable"),
        pytest.param({}, {}, "no strategies", id="nothing to compare"),
        pytest.param(42, {}, "cannot compare a int", id="not a job"),
    ],
)
def test_what_cannot_be_compared_is_refused(job: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        fl.compare(job, **arguments)


def fetch(item: int) -> int:
    time.sleep(0.01)
    return item


def score(item: int) -> int:
    return sum(range(item * 1000))


def process_of(item: int) -> int:
    score(item + 100)
    return os.getpid()


def test_a_job_of_plain_functions_says_its_calls_first_and_ends_with_a_verdict() -> None:
    said: list[str] = []
    found = fl.compare(fl.job(fetch, score, items=range(30), workers=2), sample=6, repeats=3, say=said.append)
    assert said == ["6 strategies x 3 repeats x 12 calls = 216 real calls"]
    assert found.agree, found.disagreements
    assert found.verdict is not None and found.verdict.projected_s is not None and found.verdict.code
    assert {record.operation for record in found.best("serial").records} == {"fetch", "score"}
    for name in found.strategies:
        calls = [record for record in found.best(name).records if record.operation in ("fetch", "score")]
        assert len(calls) == 12, name


def test_without_serial_a_serial_trial_places_what_hybrid_and_dataflow_compute() -> None:
    said: list[str] = []
    made = fl.job(fetch, process_of, items=range(4), workers=1)
    found = fl.compare(made, ["hybrid", "dataflow"], repeats=1, equal=lambda *_: True, say=said.append)
    assert said == [
        "2 strategies x 1 repeats x 8 calls = 16 real calls; "
        "before them 8, serially, to see which functions compute: 24 in all"
    ]
    assert found.trial is not None and found.trial.strategy == "serial" and len(found.trial.records) == 8
    assert found.strategies == ("hybrid", "dataflow") and len(found.runs) == 2
    told = "process_of of hybrid and dataflow (by a serial run made first)"
    assert found.settings["in worker processes"] == told
    for run in found.runs:
        pids = {record.operation: record.pid for record in run.records}
        assert pids["process_of"] != pids["fetch"], run.strategy


def test_where_serial_runs_or_nothing_can_be_placed_there_is_no_trial() -> None:
    async def waits(item: int) -> int:
        return item

    for function, names in ((score, ["serial", "hybrid"]), (score, ["threads"]), (waits, ["hybrid", "dataflow"])):
        assert fl.compare(fl.job(function, items=[1]), names, repeats=1, say=quiet).trial is None


def test_a_trial_whose_every_item_fails_ends_the_comparison() -> None:
    def broken(item: int) -> int:
        raise KeyError(item)

    with pytest.raises(ComparisonError, match=r"every item failed \(3 of 3, KeyError\)"):
        fl.compare(fl.job(broken, items=range(3)), ["hybrid"], repeats=1, say=quiet)


def test_an_item_that_ends_the_process_ends_the_strategies_that_run_in_it_and_says_so() -> None:
    def leaves(item: int) -> int:
        print(f"item {item}")
        if item == 1:
            os._exit(7)
        return item

    found = fl.compare(fl.job(leaves, items=range(3), workers=1), ["serial", "processes"], repeats=1, say=quiet)
    ended = "its process ended without a result (exit status 7: a function ended it)"
    assert found.disagreements[0] == f"serial failed: {ended}"
    assert found.runs_of("serial")[0].output == "item 0\nitem 1\n"
    (survived,) = found.runs_of("processes")
    assert survived.error is None and survived.failures == ((1, "WorkerLost"),)


def test_failing_items_are_listed_for_each_strategy_and_the_rest_compared() -> None:
    def picky(item: int) -> int:
        if item == 2:
            raise KeyError("secret")
        return item

    found = fl.compare(fl.job(picky, items=range(4), workers=2), repeats=1, say=quiet)
    assert found.agree and all(run.failures == ((2, "KeyError"),) for run in found.runs)
    assert "secret" not in str(found)


def test_strategies_that_fail_on_different_items_are_reported() -> None:
    parent = os.getpid()

    def fails_elsewhere(item: int) -> int:
        import multiprocessing

        if item == 1 and multiprocessing.current_process().name != "MainProcess":
            raise OSError
        return item + parent

    found = fl.compare(
        fl.job(fails_elsewhere, items=range(3), workers=1), strategies=["serial", "processes"], repeats=1, say=quiet
    )
    assert not found.agree
    assert "processes failed on other items than serial: items 1 against none" in found.disagreements


def test_a_flow_is_compared_over_executors() -> None:
    @fl.operation(outputs="b")
    def plus(a: int) -> int:
        return a + 1

    found = fl.compare((fl.DataFlow(plus), {"a": 1}), repeats=1, say=quiet)
    assert found.strategies == ("inline", "asyncio", "threads", "processes") and found.agree
    assert found.value == {"a": 1, "b": 2}


@pytest.mark.parametrize(("level", "reads"), [("off", None), ("time", "cpu_ns"), ("full", "runqueue_ns")])
def test_a_comparison_measures_as_much_as_it_is_told(level: str, reads: str | None) -> None:
    flow = fl.DataFlow(fl.operation(outputs="total")(_total))
    found = fl.compare((flow, {"n": 10}), strategies=["inline"], repeats=1, level=level, say=lambda _: None)
    (run,) = found.runs
    assert (len(run.records) > 0) == (reads is not None)
    assert reads is None or getattr(run.records[0], reads) is not None
    assert run.overhead.calls == len(run.records)
    assert found.agree
    assert bool(found.measuring) == (reads is not None)
    assert found.measuring in str(found)
    assert escape(found.measuring) in found._repr_html_()


def test_what_kind_of_energy_it_is_stands_wherever_the_table_does() -> None:
    found = fl.compare({"serial": functools.partial(_total, 10)}, repeats=1, say=lambda _: None)
    (run,) = found.runs
    assert run.energy is not None
    assert run.energy.source in found.estimating
    assert found.estimating.startswith(f"Energy is an estimate ({run.energy.method}, {run.energy.profile}, +-50%)")
    assert found.estimating in str(found)
    assert escape(found.estimating) in found._repr_html_()
    assert replace(found, runs=(replace(run, energy=None),)).estimating == ""


def _total(n: int) -> int:
    return sum(range(n))


def test_an_unknown_level_is_refused_before_anything_runs() -> None:
    with pytest.raises(SettingError, match="off, time, full"):
        fl.compare({"a": _total}, level="loud")
