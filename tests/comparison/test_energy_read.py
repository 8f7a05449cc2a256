"""Energy of a run where the machine has counters: what was read, not what a table says."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import flowlab as fl
from flowlab.comparison import runner
from flowlab.metrics.calibrating import Meter
from flowlab.metrics.rapl import Rapl

USED_J = 40.0


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake powercap tree that the runner reads instead of this machine's."""
    folder = tmp_path / "intel-rapl:0"
    folder.mkdir()
    for name, text in (("name", "package-0"), ("energy_uj", "1000"), ("max_energy_range_uj", "262143328850")):
        (folder / name).write_text(text + "\n", encoding="utf-8")
    monkeypatch.setattr(runner, "Meter", lambda: Meter(Rapl(tmp_path)))
    return folder / "energy_uj"


def use(counter: str) -> int:
    """A strategy while which the counter moves."""
    total = sum(n * n for n in range(2_000_000))
    Path(counter).write_text(f"{1000 + int(USED_J * 1e6)}\n", encoding="utf-8")
    return total


def test_what_the_counters_read_is_the_energy_of_the_machine_and_shared_by_cpu(counter: Path) -> None:
    compared = fl.compare({"serial": functools.partial(use, str(counter))}, repeats=1, say=lambda _: None)
    (run,) = compared.runs
    assert run.profile is not None and run.energy is not None
    assert (run.energy.method, run.energy.profile) == ("rapl", "rapl")
    assert "RAPL read 40 J" in run.energy.source
    found = fl.energy(compared)["serial"]
    assert found.total_j == pytest.approx(found.energy.total_j, rel=1e-9)
    assert 0 < found.energy.dynamic_j <= USED_J
    assert fl.energy(compared, "laptop")["serial"].energy.method == "model_tdp"


def test_without_counters_it_is_a_model_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Meter", lambda: Meter(Rapl(tmp_path)))
    compared = fl.compare({"serial": functools.partial(sum, [1, 2])}, repeats=1, say=lambda _: None)
    (run,) = compared.runs
    assert run.profile is None and run.energy is not None
    assert (run.energy.method, run.energy.uncertainty_rel) == ("model_tdp", 0.5)


@pytest.mark.parametrize(("name", "costs"), [("net_bytes", True), ("loopback_bytes", False)])
def test_only_bytes_that_left_the_machine_cost_and_the_run_says_what_is_said_of_it_later(
    name: str, costs: bool
) -> None:
    def fetch() -> int:
        with fl.span("fetch"):
            fl.metric(**{name: 1_000_000})
        return 1

    compared = fl.compare({"serial": fetch}, repeats=1, say=lambda _: None)
    (run,) = compared.runs
    assert run.energy is not None and run.bytes_moved is not None and run.bytes_moved >= 1_000_000
    assert (run.energy.network_j > 0) == costs
    assert fl.energy(run).total_j == pytest.approx(run.energy.total_j, rel=1e-9)
