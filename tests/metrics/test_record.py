"""The record: what it holds, and that it survives every way it travels."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab.metrics import Record
from flowlab.metrics.record import NAMES, as_dict, from_dict

KINDS = {
    "int": st.integers(0, 2**60),
    "int | None": st.none() | st.integers(0, 2**60),
    "float | None": st.none() | st.floats(0, 1e12),
    "str": st.text(),
    "str | None": st.none() | st.text(),
    "tuple[int, ...] | None": st.none() | st.lists(st.integers(0, 2**60), max_size=4).map(tuple),
    "Mapping[str, object]": st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()),
}
RECORDS = st.builds(Record, **{field.name: KINDS[str(field.type)] for field in dataclasses.fields(Record)})


@given(RECORDS)
def test_a_record_is_the_same_after_json_and_after_pickle(record: Record) -> None:
    assert from_dict(json.loads(json.dumps(as_dict(record)))) == record
    assert pickle.loads(pickle.dumps(record)) == record


def test_what_was_not_measured_is_none_and_never_zero() -> None:
    record = Record(operation="parse")
    given_or_identity = {"run", "operation", "id", "executor", "attempt", "status", "custom"}
    assert {name for name in NAMES if getattr(record, name) is not None} == given_or_identity


@pytest.mark.parametrize(
    ("started", "ended", "wall"),
    [(None, None, None), (5, None, None), (None, 9, None), (5, 9, 4)],
    ids=["never started", "never ended", "no start known", "both"],
)
def test_wall_is_from_start_to_end_if_both_are_known(started: int | None, ended: int | None, wall: int | None) -> None:
    assert Record(operation="parse", started_ns=started, ended_ns=ended).wall_ns == wall


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Record(operation="parse").cpu_ns = 1  # type: ignore[misc]


def test_names_of_a_later_version_are_left_out() -> None:
    assert from_dict({"operation": "parse", "warp_factor": 9}) == Record(operation="parse")
