"""The wheel, installed where nothing of the checkout can be seen, runs the demo."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(command: list[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**clean, **more})


@pytest.fixture(scope="module")
def uv() -> str:
    here = Path(sys.executable).parent
    found = shutil.which("uv") or next((str(path) for path in (here / "uv", here / "uv.exe") if path.exists()), None)
    if found is None:
        pytest.skip("uv is not to be found, and installing a wheel with its extras needs it")
    return found


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the files git knows, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    assert listed.returncode == 0, listed.stderr
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    built = _run([uv, "build", "--quiet", "--wheel", "--out-dir", str(folder)], folder / "source")
    assert built.returncode == 0, built.stderr
    return next(folder.glob("flowlab-*.whl"))


def test_the_wheel_carries_the_data_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("share/flowlab/airports.csv") for name in names)
    assert "flowlab/adventure/branches/recorded/02_login_crawl_parse.json" in names
    assert not [name for name in names if name.startswith(("tests", "notebooks", "benchmarks"))]


@pytest.mark.slow
def test_the_wheel_runs_the_demo_outside_the_checkout(wheel: Path, uv: str, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    bin_ = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_ / "python")
    bare = _run([uv, "pip", "install", "--quiet", "--python", python, str(wheel)], tmp_path)
    assert bare.returncode == 0, bare.stderr
    refused = _run([str(bin_ / "flowlab"), "demo"], tmp_path)
    assert refused.returncode != 0
    assert "flowlab[demo]" in refused.stderr and "Traceback" not in refused.stderr
    full = _run([uv, "pip", "install", "--quiet", "--python", python, f"{wheel}[demo]"], tmp_path)
    assert full.returncode == 0, full.stderr
    (tmp_path / "elsewhere").mkdir()
    demo = _run([str(bin_ / "flowlab"), "demo", "--scale", "tiny"], tmp_path / "elsewhere")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for strategy in ("serial", "threads", "asyncio", "processes", "hybrid", "dataflow"):
        assert strategy in demo.stdout
    lab = _run([str(bin_ / "flowlab"), "lab"], tmp_path / "elsewhere")
    assert lab.returncode != 0 and "notebooks" in lab.stderr
