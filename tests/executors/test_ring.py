"""The memory that a worker and its caller share."""

import os

import pytest

from flowlab.executors.ring import ENTRY, SIZE, Ring, shared_file


@pytest.fixture
def ends():
    fd = shared_file()
    writer, reader = Ring(os.dup(fd)), Ring(fd)
    yield writer, reader
    writer.close()
    reader.close()


def entry(number, size):
    return ENTRY.pack(ENTRY.size + size, number, 0, 0, 0, 0, 0, 0) + bytes([number % 256]) * size


def test_what_is_put_is_read_once(ends):
    writer, reader = ends
    assert writer.put(entry(1, 5)) and writer.put(entry(2, 0))
    assert reader.read() == entry(1, 5) + entry(2, 0)
    assert reader.read() == b""


def test_entries_go_round_the_end_whole(ends):
    writer, reader = ends
    for number in range(500):
        assert writer.put(entry(number, 999))
        assert reader.read() == entry(number, 999)


def test_what_has_no_room_is_refused_until_there_is(ends):
    writer, reader = ends
    count = 0
    while writer.put(entry(count, 999)):
        count += 1
    assert count == SIZE // (ENTRY.size + 999)
    assert reader.read() == b"".join(entry(number, 999) for number in range(count))
    assert writer.put(entry(7, 999)) and reader.read() == entry(7, 999)


def test_a_full_ring_is_read_whole(ends):
    writer, reader = ends
    assert writer.put(bytes(SIZE)) and not writer.put(b"x")
    assert len(reader.read()) == SIZE and reader.read() == b""
