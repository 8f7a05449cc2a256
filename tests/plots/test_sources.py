"""Pictures of runs, recorders and stored runs: the same calls give the same picture, whatever carries them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowlab as fl
from flowlab import plots
from flowlab.comparison import Comparison
from flowlab.errors import PlotError
from flowlab.metrics import active
from flowlab.plots import Chart
from flowlab.stored import StoredRun

FIGURES: dict[str, Callable[..., Chart]] = {"timeline": plots.timeline, "breakdown": plots.breakdown}
ALL: dict[str, Callable[..., Chart]] = {
    **FIGURES, "memory": plots.memory, "tradeoff": plots.tradeoff, "requests": plots.requests,
}  # fmt: skip


@pytest.fixture
def measured(tmp_path: Path) -> dict[str, Any]:
    """One run's calls, carried by everything that carries calls."""
    flow = fl.DataFlow(
        fl.operation(outputs="b", name="first")(lambda a: sum(range(a))),
        fl.operation(outputs="c", name="second")(lambda b: b + 1),
    )
    path = tmp_path / "runs.db"
    with fl.store(path):
        run = flow.run({"a": 20_000})
        with fl.Recorder() as recorder:
            recorder.extend(run.records)
    of_recorder, of_run = fl.load("last", path), fl.load(fl.runs(path)[0], path)
    return {
        "run": run, "recorder": recorder, "records": run.records, "stored run": of_run, "stored recorder": of_recorder,
    }  # fmt: skip


@pytest.mark.parametrize("carrier", ["run", "recorder", "records", "stored run", "stored recorder"])
@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_picture_shows_the_calls_of_whatever_carries_them(
    draw: Callable[..., Chart], carrier: str, measured: dict[str, Any]
) -> None:
    chart = draw(measured[carrier])
    assert {"first", "second"} <= set(chart.data["operation"]) and "first" in chart.alt
    assert "n = 1 run" in chart.caption and fl.Machine.detect().sentence() in chart.caption


def test_what_was_not_sampled_is_said(measured: dict[str, Any]) -> None:
    with pytest.raises(PlotError, match="sampled"):
        plots.memory(measured["stored run"])


@pytest.fixture
def stored(comparison: Comparison, tmp_path: Path) -> StoredRun:
    """The comparison made by hand, after a way through the store."""
    from flowlab.comparison.kept import Kept

    with fl.store(tmp_path / "runs.db"):
        assert active.keeper() is not None
        kept = Kept(comparison.name, {"strategies": comparison.strategies})
        for run in comparison.runs:
            kept.begin(run.strategy, run.repeat, run.order)
            kept.end(run)
        kept.finish(comparison)
    return fl.load("last", tmp_path / "runs.db")


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_a_stored_comparison_gives_the_same_picture(
    draw: Callable[..., Chart], comparison: Comparison, stored: StoredRun
) -> None:
    mine, theirs = draw(comparison), draw(stored)
    assert mine.data.equals(theirs.data) and mine.alt == theirs.alt
    assert "interleaved" in theirs.caption


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_one_stored_run_of_a_comparison_can_be_drawn(draw: Callable[..., Chart], stored: StoredRun) -> None:
    run = next(run for run in stored.runs if run.name == "threads")
    chart = draw(run)
    assert set(chart.data["strategy"]) == {"threads"} and "n = 1 run" in chart.caption


def test_memory_takes_several_stored_runs(stored: StoredRun) -> None:
    chart = plots.memory([run for run in stored.runs if run.name in ("serial", "threads")])
    assert set(chart.data["strategy"]) == {"serial", "threads"}
