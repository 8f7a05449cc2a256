"""The slope plot: every branch from before to after, told apart by more than colour."""

import pytest
from matplotlib.text import Text

from flowlab import plots
from flowlab.errors import PlotError, SettingError
from flowlab.plots.slopes import CHOSEN, ELSEWHERE, LOOKS, OWN, End, Slope

BEFORE = End("serial", 4.0, 3.5, 4.5, 3)
LINES = [
    Slope("03 threads", "rule", BEFORE, End("threads", 2.0, 1.5, 2.5, 3), CHOSEN, "measured just now"),
    Slope("03 threads", "cores", BEFORE, End("threads", 3.0, n=5), ELSEWHERE, "recorded elsewhere"),
    Slope("08 bound", "one", End("bound of 16", 10.0), End("bound of 1", 20.0), OWN, "your journal"),
]


@pytest.fixture
def chart():
    return plots.slope(LINES, source="A machine.")


def test_the_alt_text_says_what_each_line_took_and_whose_it_is(chart):
    assert chart.alt == (
        "Wall time before and after, in 2 panels, a line a branch. "
        "03 threads, your rule: serial 4 s, threads 2 s, 0.50 times; others cores 0.75 times. "
        "08 bound, not walked; others one 2.00 times."
    )


def test_the_caption_says_n_ranges_and_where_the_figures_are_from(chart):
    assert "Where there is no bar, the range was not kept." in chart.caption
    assert chart.caption.endswith("n = 3 to 5 runs an end. A machine.")
    with_ranges = plots.slope(LINES[:1], "energy_j")
    assert "the band of the estimate" in with_ranges.caption and "not kept" not in with_ranges.caption


def test_the_table_has_a_row_a_line_with_both_ends_and_their_ranges(chart):
    assert list(chart.data["branch"]) == ["rule", "cores", "one"]
    first = chart.data.iloc[0]
    assert (first["before [s]"], first["after from [s]"], first["after / before"]) == (4.0, 1.5, 0.5)
    assert chart.data["where from"].tolist() == ["measured just now", "recorded elsewhere", "your journal"]


def test_a_panel_begins_at_zero_holds_every_range_and_names_every_branch(chart):
    first, second = (ax for ax in chart.figure.axes if ax.axison)
    assert first.get_ylim()[0] == second.get_ylim()[0] == 0
    assert first.get_ylim()[1] >= 4.5 and second.get_ylim()[1] >= 20
    names = {text.get_text() for ax in (first, second) for text in ax.texts}
    assert names >= {"rule (you)", "cores", "one"}


def test_whose_a_line_is_is_told_by_colour_marker_and_line_style():
    for what in ("label", "colour", "marker", "line"):
        assert len({getattr(look, what) for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize("narrow", [False, True])
def test_it_is_drawn_in_both_themes_and_for_narrow_screens_with_letters_of_10_points(chart, narrow):
    light, dark = (chart.redrawn(theme=theme, narrow=narrow) for theme in ("light", "dark"))
    assert "#161b21" in dark.svg() and "#161b21" not in light.svg()
    assert min(text.get_fontsize() for text in light.figure.findobj(Text)) >= 10


def test_memory_is_shown_in_megabytes():
    ends = End("serial", 40e6), End("threads", 50e6)
    assert (
        "serial 40 MB, threads 50 MB, 1.25 times"
        in plots.slope([Slope("03", "rule", *ends, CHOSEN, "")], "peak_bytes").alt
    )


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(PlotError, match="no branch has a wall time before and after"):
        plots.slope([])
    with pytest.raises(SettingError, match="choose one of wall_s"):
        plots.slope(LINES, "lag_ms")
    with pytest.raises(SettingError, match="'mine' is no way to know a line"):
        plots.slope([Slope("03", "rule", BEFORE, BEFORE, "mine", "")])
