"""What is read off notebook 09's sweeps and branches, by comparisons made by hand and by small real runs."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import scaling
from flowlab.adventure.branches.scaling import CORES, MOST, SERIAL, STOP, TWICE
from flowlab.adventure.exercises import cases_of
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, StrategyRun
from flowlab.machine import Machine
from flowlab.metrics import Record, measured
from flowlab.scaling import LEAST_LEVELS, Law, Sweep

OPTIONS = list(CHAPTERS["09_scaling_laws"].decision.options)
S = 1_000_000_000


@pytest.fixture
def corner():
    """A site of four places: as fast as it gets with four threads."""
    return Sweep("downloading", {n: [2 / min(n, 4)] for n in scaling.THREADS})


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(Machine, "detect", classmethod(lambda cls: SimpleNamespace(cores=2)))


def run(strategy, wall_s, page_ms):
    page = Record(operation="download", started_ns=0, ended_ns=int(page_ms * S / 1000))
    return StrategyRun(strategy, 0, 0, wall_s=wall_s, cpu_s=0.4, peak_bytes=30_000_000, records=(page,))


@pytest.fixture
def comparison():
    ways = {SERIAL: (2.4, 45), CORES: (1.3, 46), STOP: (0.8, 50), TWICE: (0.7, 85), MOST: (0.7, 160)}
    return Comparison("test", tuple(ways), tuple(run(way, *figures) for way, figures in ways.items()), Machine.detect())


def test_enough_is_where_the_nearer_law_says_to_stop_and_the_others_are_seen_from_there(corner, two_cores):
    assert scaling.better(corner) == corner.usl()
    assert scaling.counts(corner) == {SERIAL: 1, CORES: 2, STOP: 4, TWICE: 8, MOST: 16}
    assert [scaling.chosen(option, corner) for option in OPTIONS] == [2, 4, 16]
    assert set(scaling.OWN) == set(scaling.WAYS) == set(scaling.CLAIMS) == set(OPTIONS)
    assert all(scaling.OWN[option] in scaling.WAYS[option] for option in OPTIONS)


def test_every_branch_has_claims_that_can_be_read_off_its_comparison(comparison, corner, two_cores):
    for option in OPTIONS:
        found = scaling.claims(option, comparison, corner)
        assert found
        assert all(factor > at_least for _, factor, at_least in found)


def test_with_as_many_cores_as_are_enough_nothing_is_claimed_of_a_thread_a_core(comparison, corner, monkeypatch):
    monkeypatch.setattr(Machine, "detect", classmethod(lambda cls: SimpleNamespace(cores=8)))
    assert scaling.claims("cores", comparison, corner) == []


def test_falling_short_is_threads_over_gain(comparison, corner, two_cores):
    assert scaling.short(comparison, scaling.counts(corner), TWICE) == pytest.approx(2 / (0.8 / 0.7))
    assert scaling.page_ms(comparison, MOST) == pytest.approx(160)


def test_what_threads_cost_is_said_of_every_way(comparison, corner, two_cores):
    said = scaling.costs(comparison, corner)
    assert len(said) == len(comparison.strategies)
    assert said[0] == "serial (1): 0.40 s of CPU time (medians of 1)"
    assert said[2].startswith("enough (4): 0.40 s of CPU time, 0.0 MB more for every thread after the first")


def test_a_sweep_gives_each_number_to_the_call_and_keeps_its_times_and_records():
    given = []

    @measured("download")
    def call(n):
        given.append(n)
        return "the same"

    sweep, race = scaling.swept("calls", call, (1, 2, 3, 4, 6, 8), 2)
    assert given == [1, 2, 3, 4, 6, 8] * 3
    assert sweep.levels == (1, 2, 3, 4, 6, 8)
    assert sweep.repeats == 2
    assert set(race.values.values()) == {"the same"}
    table = scaling.table(sweep, race)
    assert list(table.index) == [1, 2, 3, 4, 6, 8]
    assert all(table["n"] == 2)


def test_in_the_table_the_rate_times_the_mean_is_what_is_in_flight():
    pages = tuple(Record(operation="download", started_ns=0, ended_ns=ms * S // 1000) for ms in (40, 40, 100))
    sweep = Sweep("downloading", {1: [0.5, 0.6, 0.7]})
    row = scaling.table(sweep, SimpleNamespace(records={scaling.way(1): pages})).loc[1]
    assert (row["pages/s"], row["ms a page"], row["mean"], row["in flight"]) == (5, 40, 60, 0.3)


def test_what_a_law_says_of_more_and_more_workers():
    assert scaling.foretold(Law(0.05, 0.01)) == "fastest with 10, 4.3 times, then slower"
    assert scaling.foretold(Law(0.1)) == "never slower, and never more than 10.0 times"
    assert scaling.foretold(Law(0.0)) == "N times with N, for ever"


@pytest.mark.parametrize(
    ("wrong", "shares"),
    [
        (lambda n, s, k: s + (1 - s) / n, (0, 0)),  # the time, not the speed-up
        (lambda n, s, k: n / 1 + s * (n - 1) + k * n * (n - 1), (1, 0)),  # no brackets
        (lambda n, s, k: n / (1 + s * (n - 1)), (0, 1)),  # Amdahl's law
        (lambda n, s, k: n / (1 + s * (n - 1) + k * n * (n - 1) / 2), (0, 1)),  # every pair once
    ],
    ids=["time", "brackets", "amdahl", "pairs"],
)
def test_a_wrong_law_is_caught_where_only_the_share_that_is_wrong_is_not_0(wrong, shares):
    caught = next(case for case in cases_of("speedup")[1:] if not case.holds(wrong(*case.arguments)))
    assert tuple(share > 0 for share in caught.arguments[1:]) == shares


def test_there_are_enough_numbers_for_a_fit_whatever_the_cores():
    assert len(scaling.THREADS) >= LEAST_LEVELS
    for cores in (1, 2, 3, 8, 64):
        levels = scaling.around(cores)
        assert len(levels) >= LEAST_LEVELS
        assert levels[-1] >= 2 * cores


def test_pools_of_processes_compute_what_serial_does_and_end(tmp_path):
    from multiprocessing import active_children

    from flowlab.workloads.loneliest import airports
    from flowlab.workloads.loneliest.stragglers import blocks_by, serially

    countries = {code: airports.load()[code] for code in ("FM", "IS")}
    before = set(active_children())
    with scaling.process_pools((1, 2)) as pools:
        assert {n: blocks_by(pool, countries, 40) == serially(countries) for n, pool in pools.items()} == {
            1: True,
            2: True,
        }
        assert len(set(active_children()) - before) == 3
        assert scaling.process_mb() > 1
    assert not set(active_children()) - before


def test_an_answer_is_right_by_what_was_measured():
    assert [scaling.times_of(speedup, 16) for speedup in (12, 6, 5.9)] == ["all", "half", "few"]
