"""What holds for every figure, and what each one says."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Annotation, Text

from flowlab import plots
from flowlab.comparison import Comparison, StrategyRun
from flowlab.errors import PlotError, SettingError
from flowlab.metrics import Record
from flowlab.metrics.power import estimate, profiles
from flowlab.plots import Chart
from flowlab.plots.pareto import frontier

Compared = Callable[..., Comparison]

FIGURES: dict[str, Callable[..., Chart]] = {
    "tradeoff": plots.tradeoff,
    "breakdown": plots.breakdown,
    "overhead": lambda comparison, **looks: plots.breakdown(comparison, parts="overhead", **looks),
    "timeline": plots.timeline,
    "memory": plots.memory,
    "requests": plots.requests,
    "memory against requests": lambda comparison, **looks: plots.requests(comparison, y="memory", **looks),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
every_look = pytest.mark.parametrize(("theme", "narrow"), [("light", False), ("dark", True)])


def words_in(chart: Chart) -> list[Any]:
    """The texts of a figure that show; matplotlib also keeps labels of ticks beyond the ends of an axis."""
    beyond = set()
    for axes in chart.figure.axes:
        for place, (axis, (low, high)) in enumerate(
            ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim())))
        ):
            beyond |= {id(label) for label in axis.get_ticklabels() if not low <= label.get_position()[place] <= high}
    texts = chart.figure.findobj(Text)
    return [text for text in texts if text.get_text().strip() and text.get_visible() and id(text) not in beyond]


@every_look
@every_figure
def test_no_word_is_smaller_than_ten_points_or_cut_off(
    draw: Callable[..., Chart], theme: str, narrow: bool, comparison: Comparison
) -> None:
    chart = draw(comparison, theme=theme, narrow=narrow)
    chart.png(chart.figure.dpi)  # lay every word out
    width, height = chart.figure.bbox.width, chart.figure.bbox.height
    for text in words_in(chart):
        assert text.get_fontsize() >= 10, text.get_text()
        box = Text.get_window_extent(text)
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= width + 1, text.get_text()
        assert box.y0 >= -1, text.get_text()
        assert box.y1 <= height + 1, text.get_text()


@every_figure
def test_alt_text_has_every_strategy_and_the_caption_n_and_machine(
    draw: Callable[..., Chart], comparison: Comparison
) -> None:
    chart = draw(comparison)
    assert all(name in chart.alt for name in comparison.strategies)
    assert "n = 3 runs a strategy" in chart.caption
    assert comparison.machine.sentence() in chart.caption
    assert set(chart.data["strategy"]) == set(comparison.strategies)


@every_figure
def test_a_strategy_that_never_ended_is_left_out_and_the_rest_drawn(
    draw: Callable[..., Chart], compared: Compared
) -> None:
    def break_threads(run: StrategyRun) -> StrategyRun:
        if run.strategy != "threads":
            return run
        return StrategyRun("threads", run.repeat, run.order, error="ValueError: no")

    chart = draw(compared(change=break_threads))
    assert set(chart.data["strategy"]) == {"serial", "asyncio", "processes", "hybrid", "dataflow"}


@every_figure
def test_when_nothing_ended_the_error_says_so(draw: Callable[..., Chart], compared: Compared) -> None:
    nothing = compared(change=lambda run: StrategyRun(run.strategy, run.repeat, run.order, error="ValueError: no"))
    with pytest.raises(PlotError):
        draw(nothing)


@every_figure
def test_an_unknown_theme_is_refused(draw: Callable[..., Chart], comparison: Comparison) -> None:
    with pytest.raises(SettingError, match="sepia"):
        draw(comparison, theme="sepia")


@every_figure
def test_a_strategy_keeps_its_looks_when_others_are_missing(draw: Callable[..., Chart], compared: Compared) -> None:
    chart = draw(compared(["mine", "dataflow"], repeats=2))
    assert "mine" in chart.alt


# tradeoff


def test_names_beside_points_cover_neither_each_other_nor_the_points(comparison: Comparison) -> None:
    chart = plots.tradeoff(comparison, chosen="hybrid")
    chart.png(chart.figure.dpi)  # lay every word out
    for axes in chart.figure.axes:
        names = [text for text in axes.texts if isinstance(text, Annotation)]
        boxes = [Text.get_window_extent(name) for name in names]
        assert len(names) == 6
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_the_readers_choice_is_marked_and_said(comparison: Comparison) -> None:
    chart = plots.tradeoff(comparison, chosen="threads")
    assert chart.alt.endswith("Your choice: threads.")
    assert "threads (your choice)" in [text.get_text() for text in words_in(chart)]
    with pytest.raises(SettingError, match="serial, threads"):
        plots.tradeoff(comparison, chosen="treads")


def test_every_repeat_is_in_the_tradeoff(comparison: Comparison) -> None:
    chart = plots.tradeoff(comparison)
    assert len(chart.data) == len(comparison.runs)
    assert list(chart.data["wall_s"]) == [run.wall_s for run in comparison.runs]


def test_energy_is_a_facet_of_its_own_called_an_estimate_with_its_band(comparison: Comparison) -> None:
    chart = plots.tradeoff(comparison)
    assert [axes.get_ylabel() for axes in chart.figure.axes] == ["peak memory [MB]", "energy (estimate) [J]"]
    assert "not a measurement" in chart.caption
    assert (chart.data["energy_high_j"] > chart.data["energy_j"]).all()
    energy = chart.figure.axes[1]
    band = chart.data["energy_high_j"].max()
    assert energy.get_ylim()[1] >= band


def test_energy_says_by_which_model_and_coefficients_within_which_band(compared: Compared) -> None:
    estimated = plots.tradeoff(compared(change=_as_edge), y="energy_j").caption
    assert "an estimate (model_tdp, edge, +-50%), not a measurement: TDP curve" in estimated
    read = plots.tradeoff(compared(change=lambda run: _as_edge(run, "rapl")), y="energy_j").caption
    assert "Energy was read from the machine's counters (rapl, edge, +-50%)" in read
    assert "not a measurement" not in read


def _as_edge(run: StrategyRun, method: str = "model_tdp") -> StrategyRun:
    profile = replace(profiles()["edge"], method=method)
    return replace(run, energy=estimate(run.cpu_s or 0, run.wall_s or 0, 0, cores=2, profile=profile))


def test_without_energy_there_is_one_facet(compared: Compared) -> None:
    chart = plots.tradeoff(compared(change=lambda run: replace(run, energy=None)))
    assert len(chart.figure.axes) == 1
    assert "energy" not in chart.alt.lower()


def test_an_unknown_quantity_is_refused_with_the_choices(comparison: Comparison) -> None:
    with pytest.raises(SettingError, match="wall_s, cpu_s"):
        plots.tradeoff(comparison, x="speed")


def test_memory_counted_as_rss_is_said_to_be(compared: Compared) -> None:
    chart = plots.tradeoff(compared(change=lambda run: replace(run, memory_method="rss")))
    assert "RSS" in chart.caption


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_frontier_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    found = {points[index] for index in frontier(points)}
    unbeaten = {a for a in points if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in points)}
    assert found == unbeaten
    assert len(frontier(points)) == len(found)


# breakdown


def test_computing_in_the_bars_is_what_the_records_measured(comparison: Comparison) -> None:
    data = plots.breakdown(comparison).data
    for name in comparison.strategies:
        records = comparison.best(name).records
        drawn = data[(data["strategy"] == name) & (data["kind"] == "computing")]["time_s"].sum()
        assert drawn == pytest.approx(sum(record.cpu_self_ns or 0 for record in records) / 1e9)


def test_cpu_time_of_no_call_is_a_part_of_its_own(compared: Compared) -> None:
    more = compared(change=lambda run: replace(run, cpu_s=(run.cpu_s or 0) + 0.25))
    data = plots.breakdown(more).data
    outside = data[data["operation"] == "outside calls"]
    assert list(outside["time_s"]) == [pytest.approx(0.25)] * 6


def test_worker_start_is_shown_apart(compared: Compared) -> None:
    data = plots.breakdown(compared(change=lambda run: replace(run, start_s=0.4))).data
    assert list(data[data["kind"] == "worker start"]["time_s"]) == [0.4] * 6


def test_time_whose_cpu_was_not_measured_is_never_called_waiting(
    call: Callable[..., Record], run_of: Callable[..., StrategyRun], comparison: Comparison
) -> None:
    blind = run_of("serial", 0, 100, 50, [call("parse", 0, 80, None)])
    data = plots.breakdown(replace(comparison, strategies=("serial",), runs=(blind,))).data
    assert list(data["kind"]) == ["not divided", "wall"]


def test_queue_and_moving_are_added_up_on_request(
    call: Callable[..., Record], run_of: Callable[..., StrategyRun], comparison: Comparison
) -> None:
    moved = call("parse", 0, 80, 70, queue_ns=10**7, transfer_ns=10**6, serialise_ns=10**6)
    run = run_of("serial", 0, 100, 50, [moved])
    data = plots.breakdown(replace(comparison, strategies=("serial",), runs=(run,)), parts="overhead").data
    assert data[data["kind"] == "queue"]["time_s"].item() == pytest.approx(0.01)
    assert data[data["kind"] == "overhead"]["time_s"].item() == pytest.approx(0.002)
    with pytest.raises(SettingError, match="calls or overhead"):
        plots.breakdown(comparison, parts="phases")


# timeline


def test_all_panels_of_a_timeline_share_one_scale(comparison: Comparison) -> None:
    axes = plots.timeline(comparison).figure.axes
    assert len(axes) == 6
    assert len({axis.get_xlim() for axis in axes}) == 1


def test_two_timelines_can_be_given_one_scale(comparison: Comparison) -> None:
    ends = {
        plots.timeline(comparison.best(name), until_s=2.0).figure.axes[0].get_xlim() for name in ("serial", "dataflow")
    }
    assert ends == {(0.0, 2.02)}


def test_a_failed_call_is_marked(call: Callable[..., Record]) -> None:
    chart = plots.timeline([call("a", 0, 10), call("b", 10, 30, status="error", error_type="OSError")])
    (crosses,) = [line for line in chart.figure.axes[0].lines if line.get_marker() == "x"]
    assert list(crosses.get_xdata()) == [pytest.approx(0.03)]
    assert list(chart.data["status"]) == ["ok", "error"]


def test_a_timeline_of_records_alone_says_that_one_run_has_no_spread(call: Callable[..., Record]) -> None:
    chart = plots.timeline([call("a", 0, 10, 5)])
    assert "n = 1 run, so no spread" in chart.caption
    assert "1 call in 1 lane" in chart.alt
    assert "50 % of call time computing" in chart.alt


def test_waiting_is_hatched_and_computing_is_not(call: Callable[..., Record]) -> None:
    axes = plots.timeline([call("a", 0, 10, 5)]).figure.axes[0]
    hatches = sorted(str(artist.get_hatch()) for artist in axes.patches)
    assert hatches == ["/////", "None"]


# memory


def test_the_peak_is_named_where_it_was(comparison: Comparison) -> None:
    chart = plots.memory(comparison)
    assert "serial: peak 51 MB at 0.515 s" in chart.alt
    titles = [axes.get_title(loc="left") for axes in chart.figure.axes]
    assert titles[0] == "serial: peak 51 MB"
    assert len(chart.data) == 3 * len(comparison.runs)


def test_memory_of_one_run_can_be_drawn(comparison: Comparison) -> None:
    chart = plots.memory(comparison.best("hybrid"))
    assert set(chart.data["strategy"]) == {"hybrid"}
    assert "n = 1 run" in chart.caption


def test_a_run_without_samples_is_not_drawn_as_zero(compared: Compared) -> None:
    with pytest.raises(PlotError, match="no run was sampled"):
        plots.memory(compared(change=lambda run: replace(run, samples=None)))


# requests


def test_requests_add_up_along_each_line(comparison: Comparison) -> None:
    data = plots.requests(comparison).data
    for _, line in data.groupby(["strategy", "repeat"]):
        assert list(line["requests"]) == [2, 3, 4, 5]
        assert line["time_s"].is_monotonic_increasing


def test_memory_at_a_request_is_the_last_sample_before_it(comparison: Comparison) -> None:
    data = plots.requests(comparison, y="memory").data
    serial = data[(data["strategy"] == "serial") & (data["repeat"] == 0)]
    assert list(serial["memory_bytes"]) == [25_000_000] * 4


def test_several_comparisons_give_one_point_a_size(compared: Compared) -> None:
    chart = plots.requests([compared(items=items) for items in (2, 6, 4)])
    serial = chart.data[chart.data["strategy"] == "serial"]
    assert list(serial["requests"]) == [4, 6, 8]
    assert chart.figure.axes[0].get_xlabel() == "requests of the job"


def test_without_reported_requests_the_error_says_what_to_report(compared: Compared) -> None:
    silent = compared(change=lambda run: replace(run, records=tuple(replace(r, custom={}) for r in run.records)))
    with pytest.raises(PlotError, match=re.escape("fl.metric(requests=1)")):
        plots.requests(silent)
