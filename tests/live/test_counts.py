"""What follows from counts: rates, remaining times that are known or not there, and the words for them."""

import pytest

from flowlab.live.counts import Count, Line, Picture, Rates, merged
from flowlab.live.wording import brief, headline, html, text


def lines(readings):
    """The lines of one operation, read at these moments."""
    rates = Rates()
    return [rates.line("survey", count, at) for at, count in readings]


def test_the_time_left_is_what_waits_by_the_rate():
    last = lines([(t, Count("parse", done=2 * t, running=1, waiting=99 - 2 * t)) for t in range(11)])[-1]
    assert last.rate_hz == pytest.approx(2.0)
    assert last.left_s == pytest.approx(40.0)


def test_a_rate_is_that_of_the_last_seconds():
    readings = [(t, Count("parse", done=min(t, 100), running=1, waiting=500)) for t in range(100)]
    readings += [(100 + t, Count("parse", done=100 + 5 * t, running=1, waiting=500)) for t in range(60)]
    assert lines(readings)[-1].rate_hz == pytest.approx(5.0)


def test_nothing_is_guessed_while_more_calls_may_become_known():
    last = lines([(t, Count("parse", done=t, running=1, waiting=5, final=False)) for t in range(5)])[-1]
    assert last.rate_hz == pytest.approx(1.0) and last.left_s is None


def test_what_has_not_begun_has_no_rate_and_no_time_left():
    assert lines([(0, Count("parse", waiting=5)), (9, Count("parse", waiting=5))])[-1] == Line(
        Count("parse", waiting=5), None, None
    )


def test_a_call_that_says_how_far_it_is_counts_by_its_share():
    last = lines([(t, Count("parse", running=1, inside=(10.0 * t, 100.0))) for t in range(6)])[-1]
    assert last.count.share == pytest.approx(0.5)
    assert last.left_s == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (((10.0, Count("parse", 10, 1, 9)),), "about 10 s left"),
        (((10.0, Count("parse", 10, 1, 9)), (10.0, Count("report", waiting=1))), "at least 10 s left"),
        (((10.0, Count("report", waiting=1)),), "10 s"),
    ],
    ids=["known", "some of it known", "unknown"],
)
def test_the_headline_says_what_is_known_of_the_time_left(counts, words):
    rates = Rates()
    for _, count in counts:
        rates.line("survey", Count(count.name, running=count.running), 0.0)
    found = tuple(rates.line("survey", count, at) for at, count in counts)
    assert headline(Picture("running", 10.0, {"survey": found}), "survey").endswith(words)


def test_counts_of_the_same_operation_add_up():
    one, other = Count("parse", 1, 2, 3, 4), Count("parse", 10, 20, 30, 40, final=False)
    assert merged((one, other)) == Count("parse", 11, 22, 33, 44, final=False)


def test_every_page_says_the_same_numbers():
    picture = Picture("running", 3.0, {"survey": (Line(Count("<parse>", 12, 2, 30, 1, False), 4.0, None),)})
    for page in (text(picture), html(picture)):
        for word in ("12 of 45 so far", "30", "4.0/s", "survey: running, 3 s"):
            assert word in page
    assert "&lt;parse&gt;" in html(picture) and "<parse>" not in html(picture)
    assert brief(picture) == "survey: running, 3 s; <parse> 12 of 45 so far, 1 failed"
