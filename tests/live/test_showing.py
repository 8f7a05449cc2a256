"""Showing: one thread that draws as often as it may, and that is gone when what it shows is over."""

import threading

import pytest

import flowlab as fl
from flowlab.live import Count
from flowlab.live.pages import Plain
from flowlab.live.showing import LONGEST_S, PAUSE_S, Display, pause_after, shown
from flowlab.metrics import active


class Paper:
    """A page that keeps every picture, and says when there are enough."""

    def __init__(self, enough=3):
        self.pictures = []
        self.enough = enough
        self.drawn = threading.Event()

    def draw(self, picture):
        self.pictures.append(picture)
        if len(self.pictures) >= self.enough:
            self.drawn.set()

    def close(self, picture):
        self.draw(picture)


class Work:
    title = "survey"

    def __init__(self):
        self.found = [Count("parse", 1, 1, 8)]

    def counts(self):
        return self.found


def living():
    return [thread for thread in threading.enumerate() if thread.name == "flowlab-live"]


@pytest.fixture
def paper(monkeypatch):
    page = Paper()
    monkeypatch.setattr("flowlab.live.showing.page_here", lambda keep: page)
    return page


def test_the_thread_draws_what_it_reads_and_is_gone_afterwards(paper):
    work = Work()
    with shown(work):
        assert paper.drawn.wait(30)
        assert len(living()) == 1
        work.found = [Count("parse", 10)]
    assert not living() and active.display() is None
    assert [picture.state for picture in paper.pictures[:3]] == ["running"] * 3
    last = paper.pictures[-1]
    assert last.state == "done" and last.sections["survey"][0].count == Count("parse", 10)


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError, "failed"), (KeyboardInterrupt, "stopped")], ids=["an error", "an interrupt"]
)
def test_however_it_ends_the_last_picture_says_so(paper, error, state):
    with pytest.raises(error), shown(Work()):
        raise error
    assert paper.pictures[-1].state == state and not living() and active.display() is None


def test_what_grows_while_it_is_read_is_read_again(paper):
    work = Work()
    tries = iter([RuntimeError("set changed size during iteration")])

    def counts():
        for error in tries:
            raise error
        return [Count("parse", 2)]

    with shown(work):
        work.counts = counts
        assert paper.drawn.wait(30)
    assert next(tries, None) is None
    assert paper.pictures[-1].sections["survey"][0].count.done == 2


def test_a_page_that_is_gone_ends_the_drawing_and_not_the_work(paper):
    gone = threading.Event()

    def draw(picture):
        if threading.current_thread().name == "flowlab-live":
            gone.set()
            raise BrokenPipeError

    paper.draw = draw
    with shown(Work()):
        assert gone.wait(30)
        (thread,) = living() or [None]
        if thread is not None:
            thread.join(30)
        assert not living()


def test_ten_pictures_a_second_at_most_and_half_a_hundredth_of_a_core():
    assert pause_after(0.0) == PAUSE_S == 0.1
    assert pause_after(0.01) == pytest.approx(2.0)
    assert pause_after(60.0) == LONGEST_S


def test_a_block_shows_all_that_runs_in_it_once(paper):
    flow = fl.DataFlow(fl.operation(outputs="b")(lambda a: a + 1), name="one")
    with fl.show_progress():
        for a in range(3):
            flow.run({"a": a})
        flow.run({"a": 9}, progress=False)
        flow.map([{"a": a} for a in range(4)])
        assert len(living()) == 1
    (line,) = paper.pictures[-1].sections["one"]
    assert line.count == Count("b", 7)


def test_a_measured_call_of_no_flow_says_how_far_it_is(paper):
    with fl.Recorder(), fl.show_progress():
        with fl.span("scan"):
            fl.progress(3, 12)
            paper.enough = len(paper.pictures) + 2
            paper.drawn.clear()
            assert paper.drawn.wait(30)
        assert any(
            line.count.inside == (3, 12) for picture in paper.pictures for line in picture.sections.get("calls", ())
        )
    assert paper.pictures[-1].sections["calls"][0].count == Count("scan", 1)


def test_plain_lines_come_every_few_seconds_and_at_the_end():
    said = []
    now = [0.0]
    display = Display(Plain(every_s=5.0, write=said.append), lambda: now[0])
    display.add(Work())
    for second in range(12):
        now[0] = float(second)
        display._page.draw(display.picture("running"))
    assert len(said) == 2
    display.close("done")
    assert said[-1] == "survey: done, 11 s; parse 1 of 10"


def test_nothing_is_shown_unasked(capfd):
    flow = fl.DataFlow(fl.operation(outputs="b")(lambda a: a + 1))
    flow.run({"a": 1})
    assert capfd.readouterr() == ("", "") and not living()
