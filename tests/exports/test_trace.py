"""Traces against the Trace Event Format: what each kind of event must have, and what must hold between them."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowlab as fl
from flowlab.exports.trace import events, trace_json
from flowlab.metrics import Record
from flowlab.metrics.sampler import Samples

REQUIRED = {
    "M": {"name", "pid", "tid", "args"},
    "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
    "b": {"name", "cat", "pid", "tid", "ts", "id", "args"},
    "e": {"name", "cat", "pid", "tid", "ts", "id"},
    "s": {"name", "cat", "pid", "tid", "ts", "id"},
    "f": {"name", "cat", "pid", "tid", "ts", "id", "bp"},
    "C": {"name", "pid", "ts", "args"},
}
Event = dict[str, Any]


def check(found: list[Event]) -> dict[str, list[Event]]:
    """Hold a trace against the format; return its events by kind."""
    kinds: dict[str, list[Event]] = defaultdict(list)
    for event in found:
        assert REQUIRED[event["ph"]] <= set(event), event
        assert isinstance(event["name"], str) and isinstance(event["pid"], int) and event["pid"] >= 0
        assert event["ph"] == "M" or event["ts"] >= 0
        kinds[event["ph"]].append(event)
    stamps = [event["ts"] for event in found if event["ph"] != "M"]
    assert stamps == sorted(stamps)
    check_slices(kinds["X"])
    check_pairs(kinds["b"], kinds["e"])
    check_arrows(kinds["s"], kinds["f"], kinds["X"])
    assert all(isinstance(value, int) for event in kinds["C"] for value in event["args"].values())
    named = {(event["pid"], event["tid"]) for event in kinds["M"] if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in kinds["X"] + kinds["b"]} <= named
    return kinds


def check_slices(slices: list[Event]) -> None:
    """The slices of one thread nest or do not touch."""
    threads: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in slices:
        assert event["dur"] >= 0
        threads[event["pid"], event["tid"]].append(event)
    for own in threads.values():
        open_until: list[int] = []
        for event in own:
            start, end = round(event["ts"] * 1000), round(event["ts"] * 1000) + round(event["dur"] * 1000)
            while open_until and open_until[-1] <= start:
                open_until.pop()
            assert not open_until or end <= open_until[-1], event
            open_until.append(end)


def check_pairs(begins: list[Event], ends: list[Event]) -> None:
    """Every `b` has its one `e`, of the same category, name and id, and not before it."""
    keys = [(event["cat"], event["id"]) for event in begins]
    assert len(set(keys)) == len(keys)
    by_key = {(event["cat"], event["id"]): event for event in ends}
    assert set(by_key) == set(keys) and len(ends) == len(begins)
    for event in begins:
        end = by_key[event["cat"], event["id"]]
        assert (end["name"], end["pid"]) == (event["name"], event["pid"]) and end["ts"] >= event["ts"]


def check_arrows(starts: list[Event], ends: list[Event], slices: list[Event]) -> None:
    """Every `s` has its one `f`, not before it, and each lies in a slice of its thread."""
    assert sorted(event["id"] for event in starts) == sorted(event["id"] for event in ends)
    assert len({event["id"] for event in starts}) == len(starts)
    by_id = {event["id"]: event for event in ends}
    for event in starts:
        assert by_id[event["id"]]["ts"] >= event["ts"]
        for end in (event, by_id[event["id"]]):
            assert any(
                (each["pid"], each["tid"]) == (end["pid"], end["tid"])
                and each["ts"] <= end["ts"] <= each["ts"] + each["dur"]
                for each in slices
            )


def call(operation: str, start: int, end: int, id: int, **more: Any) -> Record:
    place = {"host": "here", "pid": 7, "tid": 7, **more}
    return Record(run="r", id=id, operation=operation, started_ns=start, ended_ns=end, **place)


def of(*records: Record, **more: Any) -> Any:
    return SimpleNamespace(records=records, **more)


def test_calls_one_after_the_other_and_nested_are_slices_with_arrows_to_what_they_started() -> None:
    kinds = check(list(events(of(
        call("outer", 1000, 9000, 1), call("inner", 2000, 3000, 2, parent=1), call("next", 9000, 9500, 3),
        call("elsewhere", 4000, 5000, 4, parent=1, pid=8, tid=8, executor="processes"),
    ))))  # fmt: skip
    assert [(event["name"], event["ts"], event["dur"]) for event in kinds["X"]] == [
        ("outer", 0.0, 8.0), ("inner", 1.0, 1.0), ("elsewhere", 3.0, 1.0), ("next", 8.0, 0.5),
    ]  # fmt: skip
    assert not kinds["b"] and [event["ts"] for event in kinds["f"]] == [1.0, 3.0]


def test_coroutines_that_overlap_on_one_thread_are_pairs_with_ids_of_their_own() -> None:
    aio = {"executor": "asyncio"}
    kinds = check(list(events(of(
        call("a", 0, 5000, 1, **aio), call("b", 1000, 9000, 2, **aio), call("within", 2000, 3000, 3, **aio),
        call("plain", 9500, 9900, 4),
    ))))  # fmt: skip
    assert [event["name"] for event in kinds["b"]] == ["a", "b", "within"]
    assert [event["name"] for event in kinds["X"]] == ["plain"]


def test_a_second_attempt_is_a_pair_of_its_own() -> None:
    aio = {"executor": "asyncio"}
    check(list(events(of(call("a", 0, 10, 1, **aio), call("a", 5, 20, 1, attempt=2, **aio)))))


def test_memory_is_a_counter_and_what_never_ended_is_left_out() -> None:
    samples = Samples("run", "pss", (500, 2500), (10, 20), (0.0, 0.1), (1, 1))
    records = call("a", 1000, 2000, 1), Record(run="r", operation="b", id=2, started_ns=5)
    kinds = check(list(events(of(*records, samples=samples))))
    assert [(event["ts"], event["args"]) for event in kinds["C"]] == [(0.0, {"pss": 10}), (2.0, {"pss": 20})]
    assert [event["name"] for event in kinds["X"]] == ["a"]


def test_processes_of_two_hosts_with_one_id_are_two() -> None:
    kinds = check(list(events(of(call("a", 0, 10, 1), call("b", 0, 10, 2, host="there")))))
    assert len({event["pid"] for event in kinds["X"]}) == 2


def test_nothing_is_a_trace_too() -> None:
    assert json.loads(trace_json(of()))["traceEvents"] == []


CALLS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 30), st.sampled_from(["inline", "asyncio", "threads"]),
              st.integers(1, 3), st.none() | st.integers(1, 20)),
    max_size=20,
)  # fmt: skip


@given(CALLS)
def test_whatever_the_calls_the_trace_keeps_to_the_format(calls: list[tuple[int, int, str, int, int | None]]) -> None:
    records = [
        call(f"o{number}", start, start + wall, number, executor=executor, tid=tid, parent=parent)
        for number, (start, wall, executor, tid, parent) in enumerate(calls, 1)
    ]
    kinds = check(list(events(of(*records))))
    assert len(kinds["X"]) + len(kinds["b"]) == len(records)


@pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
def test_the_trace_of_a_real_run_keeps_to_the_format(executor: str, tmp_path: Path) -> None:
    @fl.operation(outputs="number", expand=True)
    def numbers(count: int) -> range:
        return range(count)

    @fl.operation(outputs="page")
    async def wait(number: int) -> int:
        import asyncio

        await asyncio.sleep(0.002)
        return number

    @fl.operation(outputs="row")
    def work(page: int) -> int:
        with fl.span("inner"):
            time.sleep(0.001)
        return page

    run = fl.DataFlow(numbers, wait, work, name="real").run({"count": 8}, executor=executor, workers=2)
    found = json.loads(fl.export(run, tmp_path / "trace.json").read_text())
    assert set(found) == {"traceEvents", "displayTimeUnit"}
    kinds = check(found["traceEvents"])
    names = {event["name"] for event in kinds["X"] + kinds["b"]}
    assert {"numbers", "wait", "work", "inner"} <= names
