"""The memory that a worker and its caller share."""

import marshal
import os

import pytest

from flowlab.executors.ring import SIZE, Ring, shared_file


@pytest.fixture
def ends():
    fd = shared_file()
    writer, reader = Ring(os.dup(fd)), Ring(fd)
    yield writer, reader
    writer.close()
    reader.close()


def entry(number, size):
    return marshal.dumps((number, bytes([number % 256]) * size), 2)


def held(*entries):
    return [marshal.loads(found) for found in entries], sum(map(len, entries))


def test_what_is_put_is_read_once(ends):
    writer, reader = ends
    assert writer.put(entry(1, 5)) and writer.put(entry(2, 0))
    assert reader.read() == held(entry(1, 5), entry(2, 0))
    assert reader.read() == ([], 0)


@pytest.mark.parametrize("start", [0, (1 << 40) - 5000, (1 << 64) - 3 * (1 << 40)])
def test_entries_go_round_the_end_whole_and_the_marks_too(ends, start):
    writer, reader = ends
    writer.word = writer.tail = reader.word = start
    reader.tail = writer.marks[1] = start & (1 << 40) - 1
    writer.marks[0] = start
    for number in range(500):
        assert writer.put(entry(number, 999))
        assert reader.read() == held(entry(number, 999))


def test_what_has_no_room_is_refused_until_there_is(ends):
    writer, reader = ends
    count = 0
    while writer.put(entry(count, 999)):
        count += 1
    assert count == SIZE // len(entry(0, 999))
    assert reader.read() == held(*(entry(number, 999) for number in range(count)))
    assert writer.put(entry(7, 999)) and reader.read() == held(entry(7, 999))


def test_a_full_ring_is_read_whole(ends):
    writer, reader = ends
    whole = marshal.dumps(bytes(SIZE - 5), 2)
    assert writer.put(whole) and not writer.put(b"N")
    assert reader.read() == held(whole) and reader.read() == ([], 0)


def test_what_it_took_is_said_beside_the_entries(ends):
    writer, reader = ends
    writer.share(12, 34)
    assert reader.shared() == (12, 34)
