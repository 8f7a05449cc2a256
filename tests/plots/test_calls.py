"""Lanes and shares: laws that hold for any set of calls."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flowlab.metrics import Record
from flowlab.plots.calls import arranged, shares

Call = Callable[..., Record]

spans = st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(1, 3))


def record(place: int, start: int, length: int, tid: int, parent: int | None = None) -> Record:
    return Record(
        operation="f", id=place, run="r", pid=1, tid=tid, parent=parent, started_ns=start, ended_ns=start + length
    )


@given(st.lists(spans, min_size=1, max_size=40))
def test_calls_of_one_lane_never_overlap(drawn: list[tuple[int, int, int]]) -> None:
    _, slots = arranged([record(place, *span) for place, span in enumerate(drawn)])
    lanes = defaultdict(list)
    for slot in slots:
        lanes[slot.lane, slot.depth].append((slot.record.started_ns, slot.record.ended_ns))
    for calls in lanes.values():
        calls.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(calls))


@given(st.lists(spans, min_size=1, max_size=40))
def test_every_call_gets_one_slot_in_the_lanes_of_its_worker(drawn: list[tuple[int, int, int]]) -> None:
    groups, slots = arranged([record(place, *span) for place, span in enumerate(drawn)])
    assert sorted(slot.record.id for slot in slots) == list(range(len(drawn)))
    for group in groups:
        assert len({slot.record.tid for slot in slots if group.first <= slot.lane <= group.last}) == 1
    assert [lane for group in groups for lane in range(group.first, group.last + 1)] == list(range(groups[-1].last + 1))


@given(st.lists(st.integers(0, 100), min_size=2, max_size=12, unique=True))
def test_own_times_of_nested_calls_add_up_to_the_outer_call(cuts: list[int]) -> None:
    cuts.sort()
    outer = record(0, 0, 100, 1)
    inner = [
        record(place + 1, a, b - a, 1, parent=0)
        for place, (a, b) in enumerate(zip(cuts[::2], cuts[1::2], strict=False))
    ]
    assert sum(share.own_ns for share in shares([outer, *inner]).values()) == 100


def test_nested_calls_that_overlap_are_counted_once(call: Call) -> None:
    outer = call("gather", 0, 10)
    inner = [call("one", 1, 5, parent=outer.id), call("two", 3, 7, parent=outer.id)]
    assert shares([outer, *inner])["r", outer.id].own_ns == 4_000_000


def test_computing_that_was_not_measured_stays_unknown(call: Call) -> None:
    (share,) = shares([call("parse", 0, 10, None)]).values()
    assert share.computing_ns is None
    assert share.waiting_ns is None


def test_a_call_that_never_ended_is_left_out() -> None:
    assert arranged([Record(operation="f", started_ns=3)]) == ([], [])


def test_a_nested_call_lies_in_its_parents_lane(call: Call) -> None:
    outer = call("survey", 0, 10)
    _, slots = arranged([outer, call("parse", 2, 4, parent=outer.id)])
    assert [(slot.lane, slot.depth) for slot in slots] == [(0, 0), (0, 1)]


def test_workers_are_named_by_what_they_are(call: Call) -> None:
    records = [
        call("start workers", 0, 9, tid=7),
        call("log in", 1, 2),
        *(call("download", 3, 5, executor="asyncio", tid=8) for _ in range(3)),
        call("compute", 2.5, 6, pid=20, tid=20),
        call("compute", 6, 9, pid=21, tid=21),
    ]
    groups, _ = arranged(records)
    assert [(group.label, group.last - group.first + 1) for group in groups] == [
        ("thread 1", 1), ("main", 1), ("event loop", 3), ("process 1", 1), ("process 2", 1),
    ]  # fmt: skip


def test_a_worker_asked_for_before_anything_else_is_not_taken_for_its_caller(call: Call) -> None:
    records = [
        call("start workers", 0, 3, pid=20, tid=20, stage="start"),
        call("log in", 1, 2),
        call("compute", 3, 6, pid=20, tid=20),
    ]
    groups, _ = arranged(records)
    assert sorted(group.label for group in groups) == ["main", "process 1"]


def test_no_thread_of_a_pool_is_called_main(call: Call) -> None:
    groups, _ = arranged([call("download", 0, 2, tid=71), call("download", 1, 3, tid=72)])
    assert [group.label for group in groups] == ["thread 1", "thread 2"]


def test_time_ready_for_a_core_is_told_from_waiting(call: Call) -> None:
    outer = call("survey", 0, 10, 2, runqueue_ns=3_000_000)
    inner = call("parse", 1, 5, 1, parent=outer.id, runqueue_ns=1_000_000)
    found = shares([outer, inner])
    share = found["r", outer.id]
    assert (share.own_ns, share.computing_ns, share.ready_ns, share.waiting_ns) == (6e6, 2e6, 2e6, 2e6)


def test_a_host_or_process_that_was_not_recorded_is_that_of_the_same_thread(call: Call) -> None:
    records = [call("a", 0, 1), call("b", 1, 2, host=None, pid=None), call("c", 2, 3, host=None)]
    groups, _ = arranged(records)
    assert [group.label for group in groups] == ["main"]
