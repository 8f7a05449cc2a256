"""What is read off notebook 08's branches: how many items were in the system when, by records made by hand."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import bounds
from flowlab.adventure.branches.bounds import BOUNDED, NO_BOUND, ONE, POOL
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, StrategyRun
from flowlab.metrics import Record, Recorder
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest.options import Settings

S = 1_000_000_000
OPTIONS = list(CHAPTERS["08_backpressure"].decision.options)


def call(operation, item, started, ended):
    stamps = {"started_ns": int(started * S), "ended_ns": int(ended * S)}
    return Record(operation=operation, custom={"item": item}, **stamps)


@pytest.fixture
def found():
    """Three items: asked for at once, stored one after the other, two seconds each."""
    fetches = [call("fetch", n, 10, 11) for n in range(3)]
    return bounds.stays([*fetches, *(call("store", n, 11 + 2 * n, 13 + 2 * n) for n in range(3))])


def test_an_item_is_in_the_system_from_being_asked_for_to_being_stored(found):
    assert found.spans_ns == ((10 * S, 13 * S), (10 * S, 15 * S), (10 * S, 17 * S))
    assert [found.at(int(moment * S)) for moment in (9, 10, 14, 15, 17)] == [0, 3, 2, 1, 0]
    assert found.most == 3


def test_littles_law_holds_of_what_was_counted(found):
    assert (found.rate_per_s, found.time_s) == (pytest.approx(3 / 7), pytest.approx(5))
    assert found.counted() == pytest.approx(found.rate_per_s * found.time_s, rel=0.01)


def run(strategy, wall_s, peak_mb):
    held = Record(operation="store", started_ns=0, ended_ns=30_000_000)
    return StrategyRun(strategy, 0, 0, wall_s=wall_s, peak_bytes=peak_mb * bounds.MB, records=(held,))


@pytest.fixture
def comparison():
    ways = {NO_BOUND: (8.0, 130), POOL: (8.0, 128), BOUNDED: (8.0, 36), ONE: (14.0, 32)}
    runs = tuple(run(way, *figures) for way, figures in ways.items())
    return Comparison("test", tuple(ways), runs, SimpleNamespace())


def test_every_branch_has_claims_that_can_be_read_off_its_comparison(comparison):
    assert list(bounds.CLAIMS) == OPTIONS == list(bounds.WAYS)
    for option in OPTIONS:
        assert all(figure(comparison) > at_least for _, figure, at_least in bounds.CLAIMS[option])


def test_memory_is_told_by_how_much_it_is_higher_and_time_by_how_often(comparison):
    assert bounds.higher(comparison, NO_BOUND) == pytest.approx(94)
    assert bounds.slower(comparison, ONE, BOUNDED) == pytest.approx(1.75)
    assert bounds.throughput(comparison, 400).median(BOUNDED) == pytest.approx(50)
    assert "no bound 8.00 s, 130 MB" in bounds.said(comparison)


def test_a_store_that_held_items_longer_than_it_meant_to_is_noise(comparison):
    assert bounds.noise(comparison, 0.020) == pytest.approx(1.5)
    assert bounds.noise(comparison, 0.030) == pytest.approx(1.0)


def test_an_answer_is_right_by_what_was_measured():
    assert [bounds.waiting(most, 40) for most in (9, 20, 30)] == ["few", "half", "most"]
    assert [bounds.sooner(ratio) for ratio in (0.7, 1.0, 1.3)] == ["faster", "same", "slower"]


@pytest.fixture(scope="module")
def site():
    with loneliest.site(latency_ms=0, feed_items=30, feed_bytes=1000, seed=7) as running:
        yield running


@pytest.mark.parametrize("limit", [1, 5])
def test_a_stream_never_has_more_items_in_the_system_than_its_limit(site, limit):
    with Recorder() as recorder:
        bounds.in_stream(Settings(url=site.url), 30, 0.001, limit)
    found = bounds.stays(recorder.records)
    assert len(found.spans_ns) == 30
    assert found.most <= limit


def test_every_way_of_taking_the_feed_stores_the_same(site):
    told = Settings(url=site.url)
    digests = {bounds.in_stream(told, 30, 0.0, 30), bounds.in_stream(told, 30, 0.0, 1), bounds.in_pool(told, 30, 0.0)}
    assert len(digests) == 1
