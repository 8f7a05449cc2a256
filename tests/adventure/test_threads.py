"""The rule for a number of threads, the answers a ratio makes right, and races that are fair."""

from types import SimpleNamespace

import pytest

from flowlab.adventure.branches.races import Race, race
from flowlab.adventure.branches.threads import by_rule, times
from flowlab.metrics import span


def call(operation, wall_ns, cpu_ns):
    return SimpleNamespace(operation=operation, wall_ns=wall_ns, cpu_ns=cpu_ns)


@pytest.mark.parametrize(("waits", "works", "threads"), [(20, 10, 3), (0, 10, 1), (21, 10, 4), (5, 0, 6)])
def test_the_rule_is_waiting_over_working_and_one_more(waits, works, threads):
    assert by_rule([call("download", waits + 3, 3), call("parse", 999, works), call("save", 1, 1)]) == threads


def test_the_rule_goes_by_medians():
    downloads = [call("download", wall, 0) for wall in (10, 30, 9_000)]
    assert by_rule([*downloads, call("parse", 10, 10)]) == 4


def test_a_ratio_makes_one_answer_right():
    assert [times(ratio) for ratio in (0.5, 1.5, 2.9, 3.0)] == ["same", "double", "double", "more"]


def test_in_a_race_the_ways_take_turns_and_every_repeat_is_kept():
    order = []

    def way(name):
        def run():
            order.append(name)
            with span(name):
                return len(order)

        return run

    found = race({"a": way("a"), "b": way("b")}, 2)
    assert order == ["a", "b"] * 3
    assert found.values == {"a": 5, "b": 6}
    assert {name: len(walls) for name, walls in found.walls_s.items()} == {"a": 2, "b": 2}
    assert {name: [r.operation for r in records] for name, records in found.records.items()} == {"a": ["a"], "b": ["b"]}


def test_a_race_is_read_by_medians_and_its_noise_is_the_worst_spread():
    found = Race({"slow": (4.0, 6.0, 5.0), "fast": (1.0, 1.1, 0.9)}, {}, {})
    assert found.ratio("slow", "fast") == pytest.approx(5.0)
    assert found.noise == pytest.approx(1.5)
    assert found.strip.median("slow") == pytest.approx(5000)
