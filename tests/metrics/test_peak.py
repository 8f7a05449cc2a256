"""The peak of a run's memory, and the calls that ran at it."""

from __future__ import annotations

import os
import threading

import pytest

from flowlab.metrics import Record, Recorder
from flowlab.metrics.record import running_at
from flowlab.metrics.sampler import Samples

MB = 1 << 20


def test_the_calls_at_a_moment_are_those_that_had_begun_and_not_ended() -> None:
    records = [
        Record(operation="late", started_ns=50, ended_ns=60),
        Record(operation="second", started_ns=15, ended_ns=25),
        Record(operation="first", started_ns=10, ended_ns=20),
        Record(operation="never ended", started_ns=10),
        Record(operation="never began"),
    ]
    assert [record.operation for record in running_at(records, 18)] == ["first", "second"]
    assert running_at(records, 30) == ()


def test_samples_know_when_their_peak_was() -> None:
    assert Samples("a", "pss", (0, 7, 9), (5, 9, 7), (0.0, 0.1, 0.2), (1, 2, 1)).peak_at_ns == 7
    assert Samples("a", "pss").peak_at_ns is None


def test_a_recorder_that_samples_has_the_whole_trees_peak_and_the_calls_running_at_it() -> None:
    with Recorder(sample_hz=100) as recorder:
        with recorder.span("small"):
            threading.Event().wait(0.1)
        with recorder.span("large"):
            block = bytearray(120 * MB)
            block[::4096] = b"x" * len(block[::4096])
            threading.Event().wait(0.2)
            del block
        with recorder.span("after"):
            threading.Event().wait(0.1)
        assert recorder.samples is None
    assert recorder.samples is not None
    assert (recorder.samples.peak_bytes or 0) > 120 * MB
    assert [record.operation for record in recorder.at_peak] == ["large"]
    assert recorder.at_peak[0].pid == os.getpid()


def test_without_samples_the_peak_is_unknown() -> None:
    with Recorder() as recorder, recorder.span("load"):
        pass
    assert (recorder.samples, recorder.at_peak) == (None, ())


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="samples a second"), Recorder(sample_hz=0):
        pass
