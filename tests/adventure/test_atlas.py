"""The map: readable however much was walked, and no arrow runs through a frame or along another."""

from itertools import pairwise, permutations

import pytest

from flowlab.adventure.atlas import draw_map, shown
from flowlab.adventure.journals import Journal
from flowlab.adventure.routes import BOX, place, routes
from flowlab.adventure.series import CHAPTERS

CELLS = [(column, row) for column in range(4) for row in range(4)]
EVERYTHING = list(permutations(CELLS, 2))


def crosses(line, cell):
    """Whether a straight line, along an axis, runs through the inside of a frame."""
    (x1, y1), (x2, y2) = line
    x, y = place(cell)
    return (
        min(x1, x2) < x + BOX[0] / 2 - 1e-9
        and max(x1, x2) > x - BOX[0] / 2 + 1e-9
        and min(y1, y2) < y + BOX[1] / 2 - 1e-9
        and max(y1, y2) > y - BOX[1] / 2 + 1e-9
    )


@pytest.mark.parametrize(("start", "end"), EVERYTHING)
def test_an_arrow_runs_through_no_frame_from_its_own_to_its_own(start, end):
    [corners] = routes([(start, end)])
    assert not [cell for cell in CELLS for line in pairwise(corners) if crosses(line, cell)]
    for point, cell in ((corners[0], start), (corners[-1], end)):
        x, y = place(cell)
        assert abs(point[0] - x) == pytest.approx(BOX[0] / 2) or abs(point[1] - y) == pytest.approx(BOX[1] / 2)


def test_arrows_that_share_a_corridor_have_lanes_of_their_own():
    found = routes([((1, 0), (2, 2)), ((1, 3), (2, 0)), ((2, 1), (1, 2)), ((1, 1), (2, 3))])
    across = [corners[1][0] for corners in found]
    assert len(set(across)) == len(across)
    assert not [cell for cell in CELLS for corners in found for line in pairwise(corners) if crosses(line, cell)]


@pytest.fixture
def walked(tmp_path):
    """A journal of somebody who was everywhere and took the last branch."""
    journal = Journal(tmp_path / "journal.jsonl")
    for each in CHAPTERS.values():
        if each.decision:
            option = each.decision.branches[-1].option
            journal.append(each.name, "choice", each.decision.key, option, by="default")
            journal.append(each.name, "result", each.decision.key, option)
    return journal


def test_every_choice_stands_in_its_frame_and_in_the_alt_text(walked):
    chart = draw_map(walked, here="02_login_crawl_parse")
    written = "\n".join(text.get_text() for text in chart.figure.axes[0].texts)
    for each in CHAPTERS.values():
        if each.decision:
            option = each.decision.branches[-1].option
            assert f"\u2192 {option}" in written
            assert f"In {each.number} you chose {option}, which leads to" in chart.alt
    assert min(text.get_fontsize() for text in chart.figure.axes[0].texts if text.get_text()) >= 10


def test_of_every_road_the_first_leg_is_drawn_and_of_the_readers_own_all():
    legs = {name: ["one", "two"] for name in ("00", "02")}
    roads = [[Leg(name, leg) for leg in found] for name, found in legs.items()]
    assert [(road, leg.name) for road, leg in shown(roads, "02")] == [(0, "one"), (1, "one"), (1, "two")]


class Leg:
    """What `shown` looks at in a leg."""

    def __init__(self, start, name):
        self.start, self.name = start, name
