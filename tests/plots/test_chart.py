"""A chart on its own: words, bytes, files, and nothing left in matplotlib's or the session's state."""

import re
import subprocess
import sys
from base64 import b64decode
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from PIL import Image

from flowlab import plots
from flowlab.comparison import Comparison
from flowlab.errors import SettingError
from flowlab.plots.chart import Chart, data_table
from flowlab.plots.theme import THEMES, recoloured


@pytest.fixture
def chart(comparison: Comparison) -> Chart:
    return plots.tradeoff(comparison)


def test_a_notebook_gets_figure_alt_text_caption_and_data_table(chart: Chart) -> None:
    html = chart._repr_html_()
    pictures = re.findall(
        r"<img alt='([^']+)' src='data:image/png;base64,[^']+'[^>]* class='(\S+) \S+' style='([^']*)'", html
    )
    assert [name for _, name, _ in pictures] == ["flowlab-day", "flowlab-night"]
    assert {unescape(alt) for alt, _, _ in pictures} == {chart.alt}
    assert ["display:none" in style for _, _, style in pictures] == [False, True]
    assert chart.caption in unescape(html)
    assert html.count("<tr>") == 1 + len(chart.data)
    assert html.endswith("</details></figure>")


def test_what_a_job_calls_itself_cannot_break_out_of_the_page() -> None:
    html = data_table(pandas.DataFrame({"<b>": ["</td><script>", "it's"]}))
    assert "<script>" not in html
    assert "<b>" not in html


def test_what_was_not_measured_is_an_empty_cell() -> None:
    html = data_table(pandas.DataFrame({"a": [1.0, None], "b": ["x", None]}))
    assert html.count("<td></td>") == 2


def test_a_long_data_table_says_how_many_rows_there_are() -> None:
    html = data_table(pandas.DataFrame({"a": range(250)}))
    assert "the first 100 of 250 rows" in html
    assert html.count("<td>") == 100


def test_the_same_chart_gives_the_same_bytes(comparison: Comparison, chart: Chart) -> None:
    assert chart.svg() == chart.svg() == plots.tradeoff(comparison).svg()
    assert chart.png() == plots.tradeoff(comparison).png()


@pytest.mark.parametrize("name", ["tradeoff", "timeline", "breakdown"])
def test_the_dark_picture_beside_the_light_one_is_as_if_drawn_in_the_dark_theme(
    comparison: Comparison, name: str
) -> None:
    chart = getattr(plots, name)(comparison)
    (night,) = re.findall(r"src='data:image/png;base64,([^']+)'[^>]* class='flowlab-night", chart._repr_html_())
    found, drawn = (
        numpy.asarray(Image.open(BytesIO(png)).convert("RGB"), float)
        for png in (b64decode(night), chart.redrawn(theme="dark").png())
    )
    off = abs(found - drawn).max(axis=2)
    assert off.mean() < 2
    assert (off > 40).mean() < 0.005


def test_saving_writes_svg_or_png_by_the_ending(chart: Chart, tmp_path: Path) -> None:
    assert chart.save(tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert chart.save(str(tmp_path / "a.PNG")).read_bytes().startswith(b"\x89PNG")


def test_saving_as_anything_else_names_the_two_endings(chart: Chart, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"\.svg or \.png"):
        chart.save(tmp_path / "a.jpeg")
    assert not list(tmp_path.iterdir())


def test_text_in_the_svg_stays_text(chart: Chart) -> None:
    assert re.search("<text[^>]*>dataflow</text>", chart.svg())


def test_a_picture_in_a_notebook_is_small(comparison: Comparison) -> None:
    for draw in (plots.tradeoff, plots.timeline, plots.memory):
        assert len(draw(comparison).png()) < 100_000


def test_recolouring_is_the_same_as_drawing_in_the_other_theme(comparison: Comparison) -> None:
    drawings: list[Any] = [plots.tradeoff, plots.breakdown, plots.timeline, plots.memory, plots.requests]
    for draw in drawings:
        light = draw(comparison)
        dark = light.redrawn(theme="dark")
        quick = recoloured(light.svg(), THEMES["light"], THEMES["dark"])
        colours = [re.findall(r"(?:stroke|fill): (#[0-9a-f]{6})", svg) for svg in (quick, dark.svg())]
        assert colours[0] == colours[1], draw.__name__


def test_redrawing_keeps_words_and_numbers(chart: Chart) -> None:
    other = chart.redrawn(theme="dark", narrow=True)
    assert (other.alt, other.caption, other.theme, other.narrow) == (chart.alt, chart.caption, "dark", True)
    assert other.data is chart.data
    assert other.size_px[0] < chart.size_px[0]
    assert chart.redrawn() is chart


def test_drawing_leaves_matplotlibs_settings_as_they_were(comparison: Comparison) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.breakdown(comparison, theme="dark").png()
    assert dict(matplotlib.rcParams) == before


def test_importing_plots_loads_neither_matplotlib_nor_pandas() -> None:
    code = "import sys, flowlab.plots; print({'matplotlib', 'pandas', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_drawing_never_touches_pyplot() -> None:
    code = (
        "import sys; from flowlab import plots; from flowlab.metrics import Record;"
        "chart = plots.timeline([Record(operation='f', started_ns=0, ended_ns=10**9, cpu_ns=10**8)]);"
        "chart.png(); chart.svg(); print('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
