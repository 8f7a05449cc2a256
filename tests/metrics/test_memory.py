"""The high-water mark of one call, on a fake /proc and in a real warm process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
