"""A race that is forced loses the same every time, a remedy loses nothing in any order, and stuck threads are found."""

import threading
from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import hazards
from flowlab.adventure.branches.hazards import BEFORE, SHORT_S, WAYS, Meeting, Tally, shared_out
from flowlab.adventure.series import CHAPTERS
from flowlab.machine import Machine
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import Settings
from flowlab.workloads.loneliest.fetching import open_client
from flowlab.workloads.loneliest.steps import log_in

REMEDIES = [name for name in WAYS if name != BEFORE]


def counted(way, pages, between=None):
    return WAYS[way](shared_out(range(pages)), lambda page: 3, between)


@pytest.mark.parametrize(("pages", "lost"), [(2, 1), (3, 1), (20, 10), (21, 10)])
def test_threads_that_meet_between_read_and_write_lose_every_second_update(pages, lost):
    for _ in range(5):
        tally = counted(BEFORE, pages, Meeting())
        assert (tally.pages, tally.airports) == (pages - lost, 3 * (pages - lost))


@pytest.mark.parametrize("way", REMEDIES)
@pytest.mark.parametrize("pages", [2, 21])
def test_a_remedy_loses_nothing_though_they_would_meet(way, pages):
    tally = counted(way, pages, Meeting(SHORT_S))
    assert (tally.pages, tally.airports) == (pages, 3 * pages)


@pytest.mark.parametrize("way", REMEDIES)
def test_a_remedy_loses_nothing_left_to_itself(way):
    assert counted(way, 10_001).pages == 10_001


@pytest.mark.parametrize("way", WAYS)
def test_an_error_in_a_thread_is_raised_and_keeps_nobody_waiting(way):
    def broken(page):
        raise KeyError(page)

    with pytest.raises(KeyError):
        WAYS[way](shared_out(range(4)), broken, Meeting())


def test_whoever_waits_in_vain_goes_on():
    meeting, gone_on = Meeting(0.01), []
    for _ in range(2):
        meeting()
        gone_on.append(meeting.in_vain)
    assert gone_on == [True, True]
    assert not Meeting().in_vain


@pytest.mark.skipif(Machine.detect().gil is False, reason="there plain updates do get lost")
def test_plain_updates_lose_nothing_under_the_gil():
    assert hazards.plain(50_000) == 0


@pytest.mark.parametrize(
    ("lost", "answer"), [(0, "none"), (1, "some"), (39, "some"), (40, "half"), (50, "half"), (100, "half")]
)
def test_what_was_lost_makes_one_answer_right(lost, answer):
    assert hazards.said(lost, 100) == answer


def test_every_remedy_claims_something_of_two_ways_that_it_times():
    assert list(hazards.CLAIMS) == list(CHAPTERS["06_hazards"].decision.options) == REMEDIES
    for option, (text, slow, quick, _) in hazards.CLAIMS.items():
        assert text and {slow, quick} <= {BEFORE, "lock", option}


@pytest.fixture(scope="module")
def site():
    with loneliest.site(latency_ms=1) as running:
        yield running


@pytest.mark.parametrize(
    ("branch", "option"), [(hazards.by_lock, "lock"), (hazards.by_queue, "queue"), (hazards.by_confining, "confine")]
)
def test_a_branch_counts_the_sites_own_pages_before_and_after(site, branch, option):
    said = []
    with open_client(Settings(url=site.url, user=site.user, password=site.password, n_countries=4)) as client:
        countries = log_in(client, Settings(url=site.url, n_countries=4))
        outcome = branch(
            {"repeats": 2, "n_updates": 50}, lambda *now: said.append(now), client=client, countries=countries
        )
    assert outcome.line == (
        f"remedy {option!r}: 4 pages by 2 threads; unguarded 2 updates lost and the airports right 0 times, "
        f"with {option} 0 lost and all airports right."
    )
    assert outcome.facts[BEFORE]["lost_updates"] == 2
    assert outcome.facts[option]["lost_updates"] == 0
    assert {len(values) for values in outcome.value.cost.values.values()} == {2}
    assert said[-1] == (said[-1][1], said[-1][1], "")


def test_threads_that_are_stuck_are_found_with_their_line():
    gate = threading.Event()
    thread = threading.Thread(target=lambda: gate.wait(60), name="stuck")
    thread.start()
    try:
        assert list(hazards.waits_in([thread], "acquire")) == ["stuck"]
        with pytest.raises(TimeoutError, match=r"'elsewhere' within 0\.05 s"):
            hazards.waits_in([thread, SimpleNamespace(name="ended", ident=None)], "elsewhere", 0.05)
    finally:
        gate.set()
        thread.join()


def test_a_tally_reads_before_and_writes_after():
    tally = Tally()
    tally.add(5, lambda: tally.add(7))
    assert (tally.pages, tally.airports) == (1, 5)
