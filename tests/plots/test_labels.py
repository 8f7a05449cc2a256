"""Where a name goes beside its point."""

from hypothesis import given
from hypothesis import strategies as st

from flowlab.plots.labels import Box, best_spot

FRAME = Box(0, 0, 400, 300)
SIZE = (50.0, 12.0)


def test_a_lonely_point_has_its_name_at_its_right() -> None:
    spot = best_spot(200, 150, 5, SIZE, [], FRAME)
    assert (spot.across, spot.up, spot.distance) == (1, 0.0, 7.0)


def test_at_the_right_edge_the_name_goes_left() -> None:
    spot = best_spot(390, 150, 5, SIZE, [], FRAME)
    assert spot.across == -1


def test_a_name_moves_away_from_what_is_there() -> None:
    there = Box(150, 130, 260, 170)
    spot = best_spot(200, 150, 5, SIZE, [(there, 20.0)], FRAME)
    assert spot.box(200, 150, *SIZE).overlap(there) == 0


@given(st.lists(st.tuples(st.integers(100, 300), st.integers(100, 200)), min_size=2, max_size=6, unique=True))
def test_names_of_a_handful_of_points_never_cover_each_other(points: list[tuple[int, int]]) -> None:
    taken: list[tuple[Box, float]] = []
    for x, y in points:
        taken.append((best_spot(x, y, 5, SIZE, taken, FRAME).box(x, y, *SIZE), 20.0))
    boxes = [box for box, _ in taken]
    assert all(one.overlap(other) == 0 for place, one in enumerate(boxes) for other in boxes[:place])
