"""What notebook 13 reads off comparisons, flows and journals."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches import defences
from flowlab.adventure.journals import Journal
from flowlab.adventure.series import CHAPTERS
from flowlab.comparison import Comparison, StrategyRun

CHAPTER = CHAPTERS["13_your_adventure"]


def runs(strategy, walls, peak):
    energy = SimpleNamespace(total_j=10 * walls[0], low_j=1, high_j=20, method="model")
    return [StrategyRun(strategy, i, i, wall_s=w, peak_bytes=peak, energy=energy) for i, w in enumerate(walls)]


@pytest.fixture
def comparison():
    machine = SimpleNamespace(sentence=lambda: "a machine")
    made = (*runs("serial", [4.0, 4.4, 3.8], 50), *runs("threads", [2.0, 2.1, 2.2], 60), *runs("hybrid", [4.2], 90))
    return Comparison("test", ("serial", "threads", "hybrid"), made, machine)


@pytest.mark.parametrize(("goal", "best"), [("fast", "threads"), ("small", "serial"), ("frugal", "threads")])
def test_the_winner_has_the_least_of_the_goals_figure(comparison, goal, best):
    assert defences.winner(comparison, goal) == best


def test_a_defence_has_goal_figures_and_what_it_costs_elsewhere(comparison):
    text = defences.defence(comparison, "fast", "threads")
    assert text == (
        "My goal is fast; I would ship threads: 2.1 s (2 to 2.2, n = 3), serial 4. "
        "It takes 1.20 times serial's memory. It was measured on a machine."
    )


def test_a_defence_by_energy_has_the_band_of_the_estimate(comparison):
    assert "The estimate's band is 1 to 20 J" in defences.defence(comparison, "frugal", "threads")


def test_a_defence_owns_up_to_ranges_that_overlap(comparison):
    assert "the ranges overlap" in defences.defence(comparison, "fast", "hybrid")


def test_a_defence_names_the_rivals_that_it_is_not_shown_to_beat():
    made = (*runs("serial", [4.0, 4.4], 50), *runs("threads", [2.0, 2.1], 60), *runs("hybrid", [1.9, 2.05], 90))
    machine = SimpleNamespace(sentence=lambda: "a machine")
    rivalling = Comparison("test", ("serial", "threads", "hybrid"), made, machine)
    assert defences.untold(rivalling, "fast", "hybrid") == ["threads"]
    assert "The ranges of threads meet its own" in defences.defence(rivalling, "fast", "hybrid")
    assert defences.untold(rivalling, "small", "hybrid") == []


def test_every_goal_has_a_figure_and_claims_about_strategies_that_compete_for_it():
    options = list(CHAPTER.decision.options)
    assert list(defences.FIGURES) == list(defences.CLAIMS) == options


def test_the_comparison_as_a_flow_runs_every_strategy_and_finds_reports_that_differ():
    def job(*reports):
        strategies = {f"s{place}": (lambda report=report: report) for place, report in enumerate(reports)}
        return SimpleNamespace(name="job", strategies=strategies)

    same = defences.as_flow(job(7, 7, 7)).run({}, outputs=["reports", "equal"])
    assert (same["equal"], same["reports"], set(same.calls)) == (True, [7, 7, 7], {"s0", "s1", "s2", "agree"})
    assert defences.as_flow(job(7, 8)).run({}, outputs=["equal"])["equal"] is False


def test_a_path_has_a_row_a_notebook_and_counts_predictions_that_held(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("02_login_crawl_parse", "choice", "road", "download", by="default")
    journal.append("02_login_crawl_parse", "prediction", "bottleneck", "parse", outcome="parse")
    journal.append("03_threads", "prediction", "waiting", "same", outcome="more")
    journal.append("03_threads", "prediction", "working", None, outcome="same")
    rows = defences.path(journal).to_dict("records")
    assert [tuple(row.values()) for row in rows] == [
        ("02_login_crawl_parse", "download", 1, 1),
        ("03_threads", "", 1, 0),
    ]
    assert defences.path(Journal(None)).empty
