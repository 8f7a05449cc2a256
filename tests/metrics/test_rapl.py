"""RAPL counters, on a fake powercap tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowlab.metrics.rapl import Rapl


def counter(root: Path, folder: str, name: str, value: int, range_uj: int = 1_000_000_000) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for file, text in (("name", name), ("energy_uj", str(value)), ("max_energy_range_uj", str(range_uj))):
        (root / folder / file).write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """Two packages with cores and memory, and the platform around them, as a server shows them."""
    (tmp_path / "intel-rapl").mkdir()
    counter(tmp_path, "intel-rapl:0", "package-0", 10_000_000)
    counter(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
    counter(tmp_path, "intel-rapl:0:1", "dram", 2_000_000)
    counter(tmp_path, "intel-rapl:1", "package-1", 20_000_000)
    counter(tmp_path, "intel-rapl:1:0", "dram", 3_000_000)
    counter(tmp_path, "intel-rapl:2", "psys", 90_000_000)
    return tmp_path


def test_packages_and_memory_count_and_what_they_hold_does_not(powercap: Path) -> None:
    rapl = Rapl(powercap)
    before = rapl.read()
    counter(powercap, "intel-rapl:0", "package-0", 12_500_000)
    counter(powercap, "intel-rapl:0:0", "core", 9_000_000)
    counter(powercap, "intel-rapl:0:1", "dram", 2_250_000)
    counter(powercap, "intel-rapl:1:0", "dram", 3_250_000)
    counter(powercap, "intel-rapl:2", "psys", 99_000_000)
    assert rapl.joules(before, rapl.read()) == {"package-0": 2.5, "package-1": 0.0, "dram": 0.5}


def test_a_counter_that_wrapped_around_is_unwound(powercap: Path) -> None:
    counter(powercap, "intel-rapl:0", "package-0", 999_000_000)
    rapl = Rapl(powercap)
    before = rapl.read()
    counter(powercap, "intel-rapl:0", "package-0", 1_500_000)
    assert rapl.joules(before, rapl.read())["package-0"] == pytest.approx(2.5)


def test_without_counters_nothing_works_and_nothing_fails(tmp_path: Path) -> None:
    rapl = Rapl(tmp_path / "nothing")
    assert not rapl.works
    assert rapl.joules(rapl.read(), rapl.read()) == {}


def test_a_counter_that_may_not_be_read_is_left_out(powercap: Path) -> None:
    (powercap / "intel-rapl:0/energy_uj").write_text("", encoding="utf-8")
    rapl = Rapl(powercap)
    assert rapl.works
    assert set(rapl.joules(rapl.read(), rapl.read())) == {"package-1", "dram"}
