"""The high-water mark of one call, on a fake /proc and in a real warm process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowlab.metrics import Recorder, measured, span
from flowlab.metrics.memory import NOT_READ, HighWater, Memory

WARM = """
import json
from flowlab.metrics.memory import HighWater
memory = HighWater()
found = []
for mb in (1, 64, 1, 64, 200):
    memory.start()
    block = bytearray(mb << 20)
    block[::4096] = b"x" * len(block[::4096])
    del block
    read = memory.stop()
    found.append((mb, read.peak_bytes, read.net_bytes, read.method))
memory.start()
kept = bytearray(30 << 20)
read = memory.stop()
found.append((30, read.peak_bytes, read.net_bytes, read.method))
print(json.dumps(found))
"""


@pytest.mark.skipif(not HighWater().works, reason="this system has no high-water mark to reset")
def test_a_warm_process_reads_every_calls_own_peak() -> None:
    done = subprocess.run([sys.executable, "-c", WARM], capture_output=True, text=True, check=True)
    *calls, keeping = json.loads(done.stdout)
    for mb, peak, net, method in calls:
        assert abs(peak - (mb << 20)) < (2 << 20), mb
        assert abs(net) < (2 << 20)
        assert method == "hwm_reset"
    assert abs(keeping[2] - (30 << 20)) < (2 << 20)


@pytest.fixture
def process(tmp_path: Path) -> Path:
    (tmp_path / "clear_refs").write_bytes(b"")
    status(tmp_path, hwm_kb=900, rss_kb=400)
    return tmp_path


def status(process: Path, hwm_kb: int, rss_kb: int) -> None:
    text = f"Name:\tpython\nVmHWM:\t  {hwm_kb} kB\nVmRSS:\t  {rss_kb} kB\n"
    (process / "status").write_text(text, encoding="utf-8")


def test_memory_is_trimmed_and_reset_before_a_call_and_read_after(process: Path) -> None:
    trimmed: list[bool] = []
    memory = HighWater(process, lambda: trimmed.append(True))
    memory.start()
    assert (process / "clear_refs").read_bytes() == b"5"
    status(process, hwm_kb=1400, rss_kb=350)
    assert memory.stop() == Memory(1000 * 1024, -50 * 1024, "hwm_reset", "measured")
    assert trimmed == [True]


def test_a_stop_without_a_start_reads_nothing(process: Path) -> None:
    assert HighWater(process, lambda: None).stop() == NOT_READ


def test_where_the_mark_cannot_be_reset_memory_is_unknown(tmp_path: Path) -> None:
    memory = HighWater(tmp_path / "nothing", lambda: None)
    assert not memory.works
    memory.start()
    assert memory.stop() == NOT_READ


MB = 1 << 20


def test_coroutines_on_one_loop_have_each_their_own_peak_if_asked_for() -> None:
    @measured
    async def hold(mb: int, keep: list[bytearray]) -> None:
        block = bytearray(mb * MB)
        await asyncio.sleep(0)
        with span(f"more {mb}"):
            more = bytearray(mb * MB)
            await asyncio.sleep(0)
        del more
        await asyncio.sleep(0)
        keep.append(block)

    kept: list[bytearray] = []

    async def main() -> None:
        await asyncio.gather(hold(2, kept), hold(30, kept))

    with Recorder(trace_memory=True) as recorder:
        asyncio.run(main())
    found = {record.operation: record for record in recorder.records if record.operation.startswith("more")}
    holds = sorted((r for r in recorder.records if r.operation.endswith("hold")), key=lambda r: r.mem_peak_bytes or 0)
    assert [round((record.mem_peak_bytes or 0) / MB) for record in holds] == [4, 60]
    assert [round((record.mem_net_bytes or 0) / MB) for record in holds] == [2, 30]
    assert [round((found[name].mem_peak_bytes or 0) / MB) for name in ("more 2", "more 30")] == [2, 30]
    assert {record.mem_method for record in recorder.records} == {"tracemalloc_step"}


def test_an_outer_call_keeps_the_peak_it_had_before_and_the_one_inside() -> None:
    with Recorder(trace_memory=True) as recorder:
        with span("before"):
            bytearray(20 * MB)
            with span("small"):
                bytearray(MB)
        with span("around"), span("large"):
            bytearray(40 * MB)
    peaks = {record.operation: round((record.mem_peak_bytes or 0) / MB) for record in recorder.records}
    assert peaks == {"before": 20, "small": 1, "around": 40, "large": 40}


def test_memory_is_unknown_unless_asked_for() -> None:
    with Recorder() as recorder, span("load"):
        pass
    assert (recorder.records[0].mem_peak_bytes, recorder.records[0].mem_quality) == (None, "unavailable")


def test_memory_beside_other_threads_is_an_estimate() -> None:
    import threading

    end = threading.Event()
    other = threading.Thread(target=end.wait)
    with Recorder(trace_memory=True) as recorder:
        with span("beside"):
            other.start()
        end.set()
        other.join()
    assert recorder.records[0].mem_quality == "estimated"
