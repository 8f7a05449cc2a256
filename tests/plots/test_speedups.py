"""The picture of a sweep: every repeat, both laws with their bands, the limit and the choice, in words too."""

import math

import pytest
from matplotlib.text import Text

from flowlab import plots
from flowlab.errors import SettingError
from flowlab.scaling import Sweep

LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)


@pytest.fixture
def sweep():
    """A corner at four workers, three repeats of each number."""
    return Sweep("downloads", {n: [2 / min(n, 4) * factor for factor in (1.0, 0.95, 1.1)] for n in LEVELS})


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


@pytest.mark.parametrize(("theme", "narrow"), [("light", False), ("dark", True)])
def test_no_word_is_smaller_than_ten_points_or_cut_off(sweep, theme, narrow):
    chart = plots.scaling(sweep, chosen=4, limit=4, theme=theme, narrow=narrow)
    chart.png(chart.figure.dpi)
    width = chart.figure.bbox.width
    for text in chart.figure.findobj(Text):
        if text.get_text().strip() and text.get_visible():
            assert text.get_fontsize() >= 10, text.get_text()
            box = Text.get_window_extent(text)
            assert box.x0 >= -1 and box.x1 <= width + 1, text.get_text()


def test_speedup_and_efficiency_are_panels_of_their_own_and_told_apart_without_colour(sweep):
    speed, share = plots.scaling(sweep, chosen=4, limit=4).figure.axes
    assert (speed.get_ylabel(), share.get_ylabel()) == ("speed-up", "efficiency (speed-up per worker)")
    for axes in (speed, share):
        drawn = lines(axes)
        named = ("N workers, N times", "Amdahl fitted", "USL fitted", "allowed from outside")
        assert len({drawn[name].get_linestyle() for name in named}) == len(named)
        assert drawn["measured (median)"].get_marker() == "D"
    assert list(lines(speed)["your choice"].get_ydata()) == [sweep.speedup(4)]
    assert list(lines(share)["your choice"].get_ydata()) == [sweep.efficiency(4)]


def test_a_lines_end_is_what_its_law_says(sweep):
    speed, share = plots.scaling(sweep).figure.axes
    for name, fit in (("Amdahl fitted", sweep.amdahl()), ("USL fitted", sweep.usl())):
        assert lines(speed)[name].get_ydata()[-1] == pytest.approx(fit.law.speedup(16))
        assert lines(share)[name].get_ydata()[-1] == pytest.approx(fit.law.efficiency(16))


def test_every_repeat_is_in_the_table_beside_what_the_laws_say(sweep):
    data = plots.scaling(sweep).data
    assert len(data) == len(LEVELS) * 3
    assert list(data["wall_s"]) == [wall_s for n in LEVELS for wall_s in sweep.walls_s[n]]
    assert list(data["efficiency"]) == pytest.approx(list(data["speedup"] / data["workers"]))
    last = data[data["workers"] == 16].iloc[0]
    assert last["speedup_usl"] == pytest.approx(sweep.usl().law.speedup(16))


def test_alt_text_and_caption_say_levels_medians_fits_n_and_machine(sweep):
    chart = plots.scaling(sweep, chosen=6, limit=4)
    assert "1, 2, 3, 4, 6, 8, 12 and 16 workers" in chart.alt
    assert "16: 4 and 25 %" in chart.alt
    assert sweep.amdahl().sentence() in chart.alt
    assert sweep.usl().sentence() in chart.alt
    assert chart.alt.endswith("A line marks what is allowed from outside: 4 times. Your choice: 6 workers.")
    assert "n = 3 runs a number of workers" in chart.caption
    assert "Python" in chart.caption
    plain = plots.scaling(sweep)
    assert "outside" not in plain.alt + plain.caption


def test_fewer_than_six_numbers_of_workers_are_refused():
    few = Sweep("few", {n: [1 / n] for n in (1, 2, 3, 4, 8)})
    with pytest.raises(SettingError, match="6 numbers of workers or more"):
        plots.scaling(few)


def test_a_choice_that_was_not_measured_is_refused_with_those_that_were(sweep):
    with pytest.raises(SettingError, match="5 workers were not measured: choose one of 1, 2, 3, 4, 6, 8, 12, 16"):
        plots.scaling(sweep, chosen=5)


def test_one_repeat_has_no_spread_and_is_drawn_all_the_same():
    once = Sweep("once", {n: [1 / min(n, 3)] for n in LEVELS})
    chart = plots.scaling(once)
    assert "n = 1 run a number of workers" in chart.caption
    assert not any(math.isnan(value) for value in chart.data["speedup"])
