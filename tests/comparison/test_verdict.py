"""What a comparison means: sentences computed from runs made by hand, so that nothing depends on the machine."""

from dataclasses import replace

import pytest

from flowlab.comparison import Comparison, Spread, StrategyRun, job
from flowlab.comparison.verdict import computing_by_operation, sentence, shares, verdict
from flowlab.machine import Machine
from flowlab.metrics import Record

WORKERS = {"threads": 8, "asyncio": 32, "processes": 2}


def comparison(walls: dict[str, list[float]], peaks: dict[str, int] | None = None) -> Comparison:
    peaks = peaks or dict.fromkeys(walls, 50_000_000)
    runs = [
        StrategyRun(name, repeat, order, wall_s=wall, cpu_s=wall, peak_bytes=peaks[name], memory_method="pss")
        for order, (name, repeat, wall) in enumerate(
            (name, repeat, wall) for name, values in walls.items() for repeat, wall in enumerate(values)
        )
    ]
    return Comparison("job", tuple(walls), tuple(runs), Machine.detect())


def test_a_difference_beyond_the_spread_names_winner_and_factor() -> None:
    text = sentence(comparison({"serial": [3.0, 3.1, 3.2], "threads": [1.0, 1.1, 1.2]}))
    assert text.startswith("threads was fastest: 1.1 s against 3.1 s for serial (2.82 times).")


def test_a_difference_within_the_spread_is_called_that() -> None:
    text = sentence(comparison({"serial": [3.0, 3.1, 3.2], "threads": [2.9, 3.05, 3.4]}))
    assert "serial is within the spread of it" in text and "times" not in text.split(".")[1]


def test_the_verdict_is_stay_serial_when_the_gain_is_within_the_spread() -> None:
    found = verdict(comparison({"serial": [3.0, 3.1, 3.2], "threads": [2.9, 3.05, 3.4]}), WORKERS)
    assert found is not None and found.strategy == "serial" and found.text.startswith("Stay serial")


def test_among_equally_fast_strategies_the_simplest_is_chosen() -> None:
    walls = {"serial": [3.0, 3.1, 3.2], "asyncio": [1.0, 1.1, 1.2], "threads": [1.05, 1.15, 1.25]}
    found = verdict(comparison(walls), WORKERS)
    assert found is not None and found.strategy == "threads" and found.workers == 8
    assert "less simple: asyncio" in found.text


def test_a_simple_strategy_that_another_one_beats_is_not_saved_by_the_fastest_ones_outlier() -> None:
    walls = {
        "serial": [3.0, 3.1, 3.2],
        "threads": [1.9, 2.0, 2.1],
        "hybrid": [1.4, 1.5, 1.6],
        "dataflow": [1.3, 1.3, 2.2],
    }
    found = comparison(walls)
    told = verdict(found, WORKERS)
    assert told is not None and told.strategy == "hybrid" and "less simple: dataflow." in told.text
    assert "; hybrid is within the spread of it." in sentence(found)


def test_a_strategy_within_the_spread_of_serial_is_never_advised() -> None:
    walls = {"serial": [0.43, 0.44, 0.45], "threads": [0.13, 0.14, 0.434], "asyncio": [0.12, 0.13, 0.14]}
    told = verdict(comparison(walls), WORKERS)
    assert told is not None and told.strategy == "asyncio"
    told = verdict(comparison({name: walls[name] for name in ("serial", "threads")}), WORKERS)
    assert told is not None and told.strategy == "serial"


def test_the_gain_has_an_interval_that_holds_the_ratio_of_medians() -> None:
    found = verdict(comparison({"serial": [3.0, 3.3, 3.6], "threads": [1.0, 1.1, 1.2]}), WORKERS)
    assert found is not None and found.gain == pytest.approx(3.0)
    assert found.gain_low is not None and found.gain_high is not None
    assert 3.0 / 1.2 <= found.gain_low < 3.0 < found.gain_high <= 3.6 / 1.0


def test_extra_memory_is_against_serial() -> None:
    found = verdict(
        comparison({"serial": [3.0] * 3, "processes": [1.0] * 3}, {"serial": 40_000_000, "processes": 160_000_000}),
        WORKERS,
    )
    assert found is not None and found.extra_bytes == 120_000_000 and "120 MB more memory" in found.text


def test_time_for_all_items_counts_worker_start_once_and_is_called_an_extrapolation() -> None:
    made = job(abs, items=range(100), workers=2).sampled(10)
    found = comparison({"serial": [10.0] * 3, "processes": [3.0] * 3})
    runs = tuple(replace(run, start_s=1.0 if run.strategy == "processes" else None) for run in found.runs)
    told = verdict(replace(found, runs=runs), WORKERS, made)
    assert told is not None and told.projected_s == pytest.approx(1.0 + 2.0 * 10)
    assert "extrapolation from 10" in told.text


def test_a_strategy_with_another_result_is_never_chosen() -> None:
    found = comparison({"serial": [3.0] * 3, "threads": [1.0] * 3, "processes": [2.0] * 3})
    runs = tuple(replace(run, equal=run.strategy != "threads") for run in found.runs)
    told = verdict(replace(found, runs=runs), WORKERS)
    assert told is not None and told.strategy == "processes"


def test_a_strategy_that_failed_once_cannot_win() -> None:
    found = comparison({"serial": [3.0] * 3, "threads": [1.0] * 3, "processes": [2.0] * 3})
    runs = tuple(replace(run, error="lost" if run.order == 3 else None) for run in found.runs)
    assert "processes was fastest" in sentence(replace(found, runs=runs))
    told = verdict(replace(found, runs=runs), WORKERS)
    assert told is not None and told.strategy == "processes"


def test_without_serial_there_is_no_verdict() -> None:
    found = comparison({"threads": [1.0] * 3, "asyncio": [2.0] * 3})
    assert verdict(found, WORKERS) is None
    assert sentence(found).endswith("There is no verdict on what to run, because serial did not run.")
    found = comparison({"serial": [3.0] * 3, "threads": [1.0] * 3, "asyncio": [2.0] * 3})
    runs = tuple(replace(run, error="lost" if run.order == 1 else None) for run in found.runs)
    assert "because serial did not end with an equal result every time." in sentence(replace(found, runs=runs))


def test_one_run_is_not_a_result() -> None:
    found = comparison({"serial": [3.0], "threads": [1.0]})
    assert verdict(found, WORKERS) is None
    assert sentence(found).endswith("With n = 1 there is no spread to hold a difference against: repeat 3 times.")


def test_time_the_machine_was_busy_is_told_apart() -> None:
    call = Record(operation="a", started_ns=0, ended_ns=100, cpu_ns=30, runqueue_ns=40)
    found = comparison({"serial": [3.0] * 3, "threads": [1.0] * 3})
    told = verdict(replace(found, runs=tuple(replace(run, records=(call,)) for run in found.runs)), WORKERS)
    assert told is not None
    assert "30% waiting, 30% computing, and 40% ready to run while the machine was busy" in told.text


def test_shares_of_waiting_and_computing_leave_out_nested_calls() -> None:
    outer = Record(operation="a", id=1, started_ns=0, ended_ns=100, cpu_ns=30, runqueue_ns=10)
    inner = Record(operation="b", id=2, parent=1, started_ns=0, ended_ns=50, cpu_ns=30, runqueue_ns=0)
    assert shares([outer, inner]) == (pytest.approx(0.6), pytest.approx(0.3))
    assert shares([]) == (None, None)
    assert computing_by_operation([outer, inner]) == {"a": pytest.approx(30 / 90), "b": pytest.approx(0.6)}


def test_what_computes_on_a_busy_machine_is_not_taken_for_waiting() -> None:
    call = Record(operation="a", started_ns=0, ended_ns=100, cpu_ns=39, runqueue_ns=60)
    assert computing_by_operation([call]) == {"a": pytest.approx(39 / 40)}


def test_a_spread_leaves_out_what_was_not_measured() -> None:
    assert Spread.of([None, None]) is None
    assert Spread.of([1.0, None, 3.0]) == Spread(2.0, 1.0, 3.0, 2)
    assert Spread(2, 1, 3, 3).overlaps(Spread(4, 3, 5, 3)) and not Spread(2, 1, 3, 3).overlaps(Spread(5, 4, 6, 3))
