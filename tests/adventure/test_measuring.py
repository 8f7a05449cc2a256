"""Notebook 01's laboratory: work of known cost, what the probes say of it, and the steps under each probe."""

import math
import os
from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import measuring, probes
from flowlab.adventure.branches.races import Race
from flowlab.executors import close
from flowlab.metrics import Record, Recorder
from flowlab.workloads import loneliest


def call(wall, cpu, queue, operation="parse"):
    blocked = None if queue is None else wall - cpu - queue
    return Record(
        operation=operation, started_ns=5, ended_ns=5 + wall, cpu_ns=cpu, runqueue_ns=queue, blocked_ns=blocked
    )


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (call(100, 90, 5), "cpu"),
        (call(100, 30, 60), "queue"),
        (call(100, 10, 20), "blocked"),
        (call(100, 10, None), "blocked"),
    ],
)
def test_the_largest_part_of_a_call_is_named(record, found):
    assert measuring.largest(record) == found
    assert measuring.adds_up(record)


def test_parts_that_do_not_make_the_wall_do_not_add_up():
    assert not measuring.adds_up(
        Record(operation="off", started_ns=0, ended_ns=9, cpu_ns=1, runqueue_ns=1, blocked_ns=1)
    )


def test_a_spin_has_the_cpu_time_it_was_asked_to_use_and_the_lock_is_waited_for():
    with Recorder(level="full") as recorder:
        for name, work in measuring.cases(0.02).items():
            with recorder.span(name):
                work()
    found = {record.operation: record for record in recorder.records}
    assert list(found) == ["sleep", "spin", "lock", "allocate"]
    assert found["spin"].cpu_ns >= 20_000_000
    assert min(found[name].wall_ns for name in ("sleep", "spin")) >= 20_000_000
    assert all(map(measuring.adds_up, found.values()))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads are kept to a core on Linux only")
def test_a_crowd_is_on_one_core_and_is_gone_afterwards():
    import psutil

    cores, before = os.sched_getaffinity(0), set(psutil.Process().children())
    with measuring.crowded():
        [core] = os.sched_getaffinity(0)
        [neighbour] = set(psutil.Process().children()) - before
        assert neighbour.cpu_affinity() == [core]
    assert os.sched_getaffinity(0) == cores
    assert not neighbour.is_running()


def test_three_probes_tell_three_different_things_of_memory():
    try:
        told = measuring.memory_told()
    finally:
        close()
    assert {how: measuring.sees(each["tracemalloc"]) for how, each in told.items()} == dict.fromkeys(told, True)
    resident = [measuring.sees(each["resident set"]) for each in told.values()]
    assert resident == [False, True, False]
    marks = [each["high-water mark"] for each in told.values()]
    assert [measuring.sees(mark) for mark in marks] in ([False, True, True], [mark is not None for mark in marks])


@pytest.mark.parametrize(
    ("python", "system", "answer"),
    [(9, 0, "python"), (0, 9, "system"), (9, 9, "both"), (9, None, "python"), (0, 0, "neither")],
)
def test_who_saw_memory_that_was_only_asked_for(python, system, answer):
    million = measuring.BLOCK_BYTES // 8
    told = {"tracemalloc": python * million, "resident set": system and system * million}
    assert measuring.memory_answer({"asked for": told}) == answer


def test_a_measured_loop_does_the_same_at_every_level_and_leaves_a_record_a_call():
    found = measuring.observers(1, calls=10)
    assert found.values == {"off": (55, 0), "time": (55, 10), "full": (55, 10)}
    assert [measuring.cost_answer(each) for each in (5e-8, 5e-6, 5e-4)] == ["free", "little", "much"]


def test_a_probe_fills_what_it_reads_and_leaves_the_rest_unsaid():
    with loneliest.site(latency_ms=0) as site:
        told = []
        found = {
            option: getattr(probes, option)({"repeats": 1}, lambda *said: told.append(said), site=site)
            for option in ("clock", "cpu", "everything")
        }
    assert told[-1][2] == ""
    assert len({each.line.partition("digest")[2] for each in found.values()}) == 1
    records = {option: each.value.records for option, each in found.items()}
    assert {len(each) for each in records.values()} == {len(probes.STEPS) * len(probes.COUNTRIES)}
    assert {record.cpu_ns for record in records["clock"]} == {None}
    assert None not in {record.cpu_ns for record in records["cpu"]}
    assert {record.mem_peak_bytes for record in records["cpu"]} == {None}
    assert min(record.mem_peak_bytes for record in records["everything"]) >= 0
    blind = found["clock"].value.table()
    assert list(blind.columns) == ["step", "calls", *probes.COLUMNS]
    assert set(blind["CPU ms"]) == {"–"}
    assert set(blind["calls"]) == {2, 4}


def probed(option, slow, records):
    return probes.Probed(option, Race({"nothing": (1.0,), option: (slow,)}, {}, {}), tuple(records))


def test_what_is_claimed_follows_from_what_the_probe_saw():
    calls = [call(100, 10, 0, "download"), call(100, 80, 10)]
    assert [claimed[1:] for claimed in probes.claims(probed("clock", 2.0, calls))] == [(0.5, 0.6)]
    assert [claimed[1:] for claimed in probes.claims(probed("cpu", 1.0, calls))] == [(1.0, 0.6), (8.0, 1.3)]
    dear = [claimed[1:] for claimed in probes.claims(probed("everything", 3.0, calls))]
    assert dear == [(3.0, 1.3), (pytest.approx(9.0), 2.0)]


def test_where_the_run_queue_is_not_told_nothing_is_claimed_of_it():
    calls = [call(100, 10, None, "download"), call(100, 80, None)]
    watched = probed("everything", 3.0, calls)
    assert math.isnan(watched.share("download", "blocked_ns"))
    assert [claimed[1:] for claimed in probes.claims(watched)] == [(3.0, 1.3)]


def test_bars_are_one_a_piece_of_work():
    chart = measuring.bars([call(100, 90, 5, "spin"), call(100, 1, 1, "sleep")])
    assert set(chart.data["strategy"]) == {"spin", "sleep"}
    assert "sleep" in chart.alt
    assert "process" not in chart.caption, "they ran in this kernel"


def test_how_many_times_a_call_took_what_it_had():
    assert measuring.times(SimpleNamespace(wall_ns=30, cpu_ns=10)) == 3
