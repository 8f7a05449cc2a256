"""Large values in memory that a worker and its caller share: independent of one another, and never left behind."""

import array
import os
import signal
from pathlib import Path

import pytest

from flowlab import executors
from flowlab.dataflow import DataFlow
from flowlab.executors import child
from flowlab.executors.blocks import HELD, INWARD, LARGE, OUTWARD, length
from flowlab.executors.packing import PLACED, drop, pack, unpack
from flowlab.executors.ring import Ring, shared_file
from flowlab.graph import Definition, operation

pytestmark = pytest.mark.skipif(length() is None, reason="needs files without a name")
MANY_X = [Definition("x", many=True)]
KINDS = ["bytes", "array", "text", "numpy"]


def large(kind, start=0):
    numbers = [(start + at) % 251 for at in range(4 * LARGE)]
    if kind == "numpy":
        return pytest.importorskip("numpy").array(numbers, dtype="float64")
    if kind == "array":
        return array.array("d", numbers)
    return bytes(numbers) if kind == "bytes" else "".join(map(chr, numbers))


def same(one, other):
    return type(one) is type(other) and bytes(memoryview(encoded(one))) == bytes(memoryview(encoded(other)))


def encoded(value):
    return value.encode() if isinstance(value, str) else value


@pytest.fixture
def ends():
    fd = shared_file()
    sender, receiver = Ring(os.dup(fd)), Ring(fd, OUTWARD)
    yield sender.blocks, receiver.blocks
    sender.close()
    receiver.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_value_is_copied_out_or_lent_and_its_block_is_free_when_it_is_gone(ends, kind):
    sender, receiver = ends
    value = {"deep": [large(kind), 1]}
    for lend in (False, True):
        packed, flags, beside = pack(value, sender)
        assert flags == PLACED and len(packed) < 200 < beside and sender.marks[0]
        found = unpack(packed, flags, receiver, lend)
        assert same(found["deep"][0], value["deep"][0]) and found["deep"][1] == 1
        receiver.sweep()
        assert bool(sender.marks[0]) == bool(receiver.held) == (lend and kind == "numpy")
        del found
        receiver.sweep()
        assert not sender.marks[0] and not receiver.held


def test_a_value_lent_is_writable_and_keeps_its_block_from_the_next(ends):
    numpy = pytest.importorskip("numpy")
    sender, receiver = ends
    values = [numpy.full(LARGE, at) for at in range(len(INWARD))]
    found = [unpack(*pack(value, sender)[:2], receiver, True) for value in values]
    receiver.sweep()
    assert len(receiver.held) == HELD  # the others are copies
    for value in found:
        value += 1
    last = found[0][5:6]
    del found[1:], value
    receiver.sweep()
    assert len(receiver.held) == HELD - 1
    found[0] = None
    receiver.sweep()
    assert len(receiver.held) == HELD - 1 and last[0] == 1  # a part of a value keeps it too
    pack(values[5], sender)
    assert last[0] == 1
    del last
    receiver.sweep()
    assert not receiver.held


def test_without_a_free_block_a_value_goes_through_the_socket(ends):
    sender, receiver = ends
    value = large("bytes")
    packed = [pack(value, sender) for _ in range(len(INWARD) + 1)]
    assert [flags for _, flags, _ in packed] == [PLACED] * len(INWARD) + [0]
    assert unpack(*packed[-1][:2], receiver) == value
    drop(*packed[0][:2], receiver)
    assert pack(value, sender)[1] == PLACED


def test_what_lives_when_a_process_is_forked_keeps_its_block(ends):
    numpy = pytest.importorskip("numpy")
    sender, receiver = ends
    value = unpack(*pack(numpy.zeros(LARGE), sender)[:2], receiver, True)
    receiver.retire()
    del value
    receiver.sweep()
    assert sender.marks[0]


def blocks_in_use():
    return [mark for worker in child._IDLE for mark in worker.ring.blocks.marks if mark]


@pytest.mark.parametrize("kind", KINDS)
def test_large_values_go_there_and_back_and_use_no_block_afterwards(kind):
    values = [large(kind, start) for start in range(12)]
    flow = DataFlow(operation(outputs="y")(lambda x: x), definitions=MANY_X)
    run = flow.run({"x": values}, executor="processes", workers=2)
    assert all(map(same, run["y"], values))
    flow.run({"x": [1, 2]}, executor="processes", workers=2)
    assert not blocks_in_use()


def test_values_that_a_worker_keeps_are_not_written_over():
    numpy = pytest.importorskip("numpy")

    def keep(x):
        import builtins

        kept = builtins.__dict__.setdefault("kept_for_a_test", [])
        kept.append(x)
        return [float(entry.sum()) for entry in kept]

    flow = DataFlow(operation(outputs="y")(keep), definitions=MANY_X)
    values = [numpy.full(LARGE, float(at)) for at in range(20)]
    try:
        seen = flow.run({"x": values}, executor="processes", workers=1)["y"]
        assert seen[-1] == [float(at) * LARGE for at in range(20)]
    finally:
        executors.close()


def mapped():
    """The shared memory that this process has, by worker."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    held = {line.split()[4] for line in lines if "memfd:flowlab" in line}
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return held | {str(entry.stat().st_ino) for entry in links if "memfd:flowlab" in str(entry.readlink())}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["during", "returning"])
def test_a_worker_killed_with_a_large_value_costs_its_call_and_leaves_no_memory(kind, when):
    executors.close()

    def fall(x):
        if when == "returning":
            import threading

            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGKILL)).start()
        if when == "during" and len(x) == 4 * LARGE + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    short, longer = large(kind), large(kind)
    longer = pytest.importorskip("numpy").append(longer, 1.0) if kind == "numpy" else longer + longer[:1]
    flow = DataFlow(operation(outputs="y", on_error="skip")(fall), definitions=MANY_X)
    if when == "during":
        run = flow.run({"x": [short, short, longer, short, short]}, executor="processes", workers=2)
        assert len(run["y"]) == 4 and len(run.lost) == 1 and all(same(value, short) for value in run["y"])
    else:
        flow.run({"x": [short] * 5}, executor="processes", workers=2)
    assert len(mapped()) == len(child._IDLE)
    executors.close()
    assert not mapped()


def test_a_call_that_is_cancelled_leaves_no_memory():
    executors.close()

    def hang(x):
        while True:
            pass

    flow = DataFlow(operation(outputs="y", timeout_s=0.2)(hang), definitions=MANY_X)
    run = flow.run({"x": [large("bytes")] * 3}, executor="processes", workers=2, strict=False)
    assert len(run.errors) == 3
    executors.close()
    assert not mapped()
