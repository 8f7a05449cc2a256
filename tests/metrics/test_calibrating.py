"""A machine's own power profile, from a fake powercap tree that says what a machine of known power would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowlab.errors import SettingError
from flowlab.machine import Machine
from flowlab.metrics import calibrating
from flowlab.metrics.calibrating import Meter, busy, calibrate
from flowlab.metrics.rapl import Rapl

RANGE_UJ = 262_143_328_850
IDLE_W, DYNAMIC_W = 9.0, 4.0


class Computer:
    """A machine whose energy counters and busy time move as its load and the clock say."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.busy, self.joules, self.load = root, 0.0, 100.0, (RANGE_UJ / 1e6) - 30.0, 0
        (root / "powercap/intel-rapl:0").mkdir(parents=True)
        (root / "powercap/intel-rapl:0:0").mkdir()
        (root / "proc").mkdir()
        self.write()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.busy += self.load * seconds
        self.joules += (IDLE_W + DYNAMIC_W * self.load) * seconds
        self.write()

    def write(self) -> None:
        folder = self.root / "powercap/intel-rapl:0"
        (folder / "name").write_text("package-0\n")
        (folder / "energy_uj").write_text(f"{round(self.joules * 1e6) % RANGE_UJ}\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        memory = self.root / "powercap/intel-rapl:0:0"
        for name, text in (("name", "dram"), ("energy_uj", "5000000"), ("max_energy_range_uj", str(RANGE_UJ))):
            (memory / name).write_text(text + "\n")
        ticks = round(self.busy * 100)
        (self.root / "proc/stat").write_text(f"cpu  {ticks - 300} 100 100 9999 50 50 50 7 0 0\n")

    def meter(self) -> Meter:
        return Meter(Rapl(self.root / "powercap"), self.root, lambda: self.now)


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_a_meter_reads_joules_wall_and_busy_time_over_a_wrap_around(computer: Computer) -> None:
    meter = computer.meter()
    meter.start()
    computer.load = 2
    computer.sleep(4.0)
    reading = meter.stop()
    assert reading is not None
    assert reading.joules == pytest.approx((IDLE_W + 2 * DYNAMIC_W) * 4)
    assert (reading.wall_s, reading.cpu_s) == (4.0, pytest.approx(8.0))


def test_calibrating_finds_the_machines_power(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    @contextmanager
    def loaded(cores: int):
        computer.load = cores
        yield
        computer.load = 0

    monkeypatch.setattr(calibrating, "busy", loaded)
    profile = calibrate(3.0, computer.meter(), computer.sleep)
    assert profile.idle_w * Machine.detect().cores == pytest.approx(IDLE_W, rel=1e-4)
    assert profile.dynamic_w == pytest.approx(DYNAMIC_W, rel=1e-4)
    assert (profile.method, profile.uncertainty_rel < 0.001) == ("model_calibrated", True)


def test_without_counters_nothing_is_read_and_calibrating_says_what_to_do(tmp_path: Path) -> None:
    meter = Meter(Rapl(tmp_path), tmp_path)
    meter.start()
    assert meter.stop() is None
    with pytest.raises(SettingError, match="use a named profile"):
        calibrate(meter=meter)


def test_a_stop_without_a_start_reads_nothing(computer: Computer) -> None:
    assert computer.meter().stop() is None


def test_the_cores_kept_busy_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def note(*args, **settings):
        started.append(real(*args, **settings))
        return started[-1]

    monkeypatch.setattr(calibrating.subprocess, "Popen", note)
    with busy(2):
        assert [program.poll() for program in started] == [None, None]
    assert all(program.poll() is not None for program in started)
