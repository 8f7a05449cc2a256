"""The scored rubric has a place for every notebook, and a score for every point."""

from flowlab.adventure import CHAPTERS, notebooks_folder

TEXT = (notebooks_folder() / "RUBRIC.md").read_text("utf-8")
LATER = {"11", "12", "14"}


def rows():
    """The table's rows: number of the point to scores by notebook."""
    head, *body = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line.startswith("|")
    ]
    return head[2:], {cells[0]: cells[2:] for cells in body if cells[0].isdigit()}


def test_every_point_is_scored_with_0_1_or_2_or_not_yet():
    names, scores = rows()
    assert list(scores) == [str(number) for number in range(1, 21)]
    assert set(names) == {chapter.number for chapter in CHAPTERS.values()} - LATER
    for line in scores.values():
        assert len(line) == len(names)
        assert set(line) <= {"0", "1", "2", "·"}
