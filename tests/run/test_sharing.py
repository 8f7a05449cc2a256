"""The CPU of short calls in straight runs: read once for a few of them, shared out, and marked."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

import flowlab as fl
from flowlab.run.outcome.sharing import SHORT_NS, shares

SPANS = st.lists(st.lists(st.integers(0, 3 * SHORT_NS), min_size=1, max_size=5), min_size=1, max_size=5)


@given(SPANS, st.data())
def test_the_shares_of_a_group_add_up_to_what_was_read(groups, data):
    walls, reads = [7], [0, 11]
    for spans in groups:
        for span in spans:
            walls.append(walls[-1] + span)
        reads += [len(walls) - 1, reads[-1] + data.draw(st.integers(0, 2 * sum(spans) + 1))]
    found = list(shares(walls, reads))
    assert [(one[0], one[1]) for one in found] == list(pairwise(walls))
    assert all(one[2] >= 0 for one in found)
    for at in range(0, len(reads) - 2, 2):
        first, used, last, read = reads[at : at + 4]
        assert sum(one[2] for one in found[first:last]) == read - used
        assert {one[3] for one in found[first:last]} == {last - first > 1}


def test_a_long_call_that_waits_gets_none_of_the_cpu_of_the_short_ones_before_it():
    walls = [0, 5_000, 9_000, 9_000 + 100 * SHORT_NS]
    assert [one[2] for one in shares(walls, [0, 0, 3, 9_000])] == [5_000, 4_000, 0]


def straight(*functions):
    made = [
        fl.operation(name=f"o{k}", inputs={"x": f"d{k}"}, outputs=f"d{k + 1}")(function)
        for k, function in enumerate(functions)
    ]
    return fl.DataFlow(*made), f"d{len(functions)}"


def tiny(x):
    return x


def spin(x):
    end = time.thread_time_ns() + 5_000_000
    while time.thread_time_ns() < end:
        pass
    return x


def test_long_calls_have_a_reading_of_their_own_and_short_ones_say_that_theirs_is_shared_out():
    flow, last = straight(spin, spin, *[tiny] * 200)
    found = flow.run({"d0": 1}, [last]).records
    assert [record.operation for record in found] == [f"o{k}" for k in range(202)]
    assert [record.cpu_quality for record in found[:2]] == ["measured"] * 2
    assert all(record.cpu_ns >= 5_000_000 for record in found[:2])
    assert "estimated" in {record.cpu_quality for record in found[2:]}


def fail(x):
    raise ValueError(x)


def test_what_ran_before_a_failure_keeps_its_record():
    flow, last = straight(spin, tiny, tiny, fail)
    run = flow.run({"d0": 1}, [last], strict=False)
    assert [(record.operation, record.status) for record in run.records] == [
        ("o0", "ok"), ("o1", "ok"), ("o2", "ok"), ("o3", "error"),
    ]  # fmt: skip
    assert all(record.cpu_ns is not None and record.cpu_ns >= 0 for record in run.records)


def tell(x):
    fl.metric(rows=x)
    return x


def test_what_a_short_call_says_is_on_its_own_record():
    flow, last = straight(tiny, tell, tiny, tell)
    found = flow.run({"d0": 3}, [last]).records
    assert [record.custom.get("rows") for record in found] == [None, 3, None, 3]
    assert all(record.cpu_self_ns <= record.cpu_ns for record in found)
