"""The lag of a loop counts every moment that was due, a place's claim is about ways there are, races can be awaited."""

import asyncio
from functools import partial
from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import coroutines
from flowlab.adventure.branches.lags import Lags, percentile, probed
from flowlab.adventure.branches.races import race_async
from flowlab.adventure.series import CHAPTERS
from flowlab.metrics import Recorder, span
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import Settings

WAYS = (coroutines.LOOP, coroutines.LESS, coroutines.THREADS, coroutines.PROCESSES)


def test_while_the_loop_is_blocked_every_moment_that_was_due_counts():
    clock = [0.0]

    async def blocked():
        async with probed(0.25, lambda: clock[0]) as lags:
            clock[0] = 1.0
        return lags

    assert asyncio.run(blocked()) == [0.75, 0.5, 0.25, 0.0]


def test_a_moment_counts_once_also_when_the_probe_itself_saw_it():
    clock = [0.0]
    seen = []

    async def waiting():
        async with probed(1e-9, lambda: clock[0]) as lags:
            clock[0] = 2e-9
            while not lags:
                await asyncio.sleep(0)
            seen.extend(lags)
        return lags

    assert asyncio.run(waiting()) == seen == [1e-9, 0.0]


def test_the_probe_ends_with_its_block_also_if_that_fails():
    async def failing():
        with pytest.raises(KeyError):
            async with probed():
                raise KeyError
        return [task.get_name() for task in asyncio.all_tasks()]

    assert "lag probe" not in asyncio.run(failing())


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (25, 1), (26, 2), (95, 4), (100, 4)])
def test_a_percentile_is_a_value_that_was_measured(percent, expected):
    assert percentile([4, 1, 3, 2], percent) == expected


@pytest.fixture
def lags():
    slow = [[float(n) for n in range(1, 101)], [2.0 * n for n in range(1, 101)], [3.0 * n for n in range(1, 101)]]
    return Lags({"on the loop": slow, "in threads": [[1.0] * 50, [2.0] * 50, [5.0] * 50]})


def test_lags_are_told_by_their_tails_with_n_and_spread(lags):
    assert lags.tail_ms("on the loop") == [95, 190, 285]
    assert lags.ratio("on the loop", "in threads") == 95
    assert lags.noise == 5
    assert lags.facts("in threads") == {"lag_median_ms": 2, "lag_95_ms": 2, "lag_longest_ms": 5}
    assert "on the loop 190 ms (95 to 285, n = 3), at worst 300 ms; in threads 2 ms (1 to 5, n = 3)" in lags.sentence()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_says_in_words_and_numbers_what_it_shows(lags, theme):
    chart = lags.chart(theme)
    assert chart.alt == lags.sentence()
    assert list(chart.data["95 % [ms]"]) == [95, 190, 285, 1, 2, 5]
    assert "on the loop" in chart.svg()
    assert "<figcaption" in chart._repr_html_()


def test_every_place_claims_something_of_two_ways_that_are_compared():
    assert list(coroutines.CLAIMS) == list(CHAPTERS["04_asyncio"].decision.options)
    for text, slow, quick, at_least in coroutines.CLAIMS.values():
        assert text and {slow, quick} <= set(WAYS)
        assert at_least > 1


@pytest.fixture(scope="module")
def site():
    with loneliest.site(latency_ms=2) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_wherever_it_computes_the_report_is_the_serial_one_and_the_lag_is_in_the_records(site, way):
    settings = Settings(url=site.url, user=site.user, password=site.password, n_countries=3, workers=2)
    with Recorder() as recorder:
        report = coroutines.watched(way, settings)
    assert report == loneliest.job(site, n_countries=3).strategies["serial"]()
    run = SimpleNamespace(records=recorder.records, error=None)
    comparison = SimpleNamespace(strategies=("serial", way), runs_of=lambda _: [run])
    [found] = coroutines.lags_of(comparison).runs[way]
    assert found and min(found) >= 0


def test_a_race_can_be_awaited_and_its_ways_take_turns():
    order = []

    async def way(name):
        order.append(name)
        with span(name):
            await asyncio.sleep(0)
        return len(order)

    found = asyncio.run(race_async({name: partial(way, name) for name in "ab"}, 2))
    assert order == ["a", "b"] * 3
    assert found.values == {"a": 5, "b": 6}
    assert {name: len(walls) for name, walls in found.walls_s.items()} == {"a": 2, "b": 2}
    assert {name: [r.operation for r in records] for name, records in found.records.items()} == {"a": ["a"], "b": ["b"]}
