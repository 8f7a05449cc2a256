"""One path through the series on every Python there is to be had, and on a system that tells less than Linux does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from flowlab.adventure import CHAPTERS, notebooks_folder

ROOT = Path(__file__).parents[2]
HERE = f"3.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13", "3.14", "3.15") if version != HERE]
NOTEBOOK = "02_login_crawl_parse"
WITHOUT_LINUX = """
import os
_open, _exists = os.open, os.path.exists
MISSING = ("/proc/thread-self/schedstat", "/proc/self/clear_refs", "/proc/self/statm")

def open(path, *more, **named):
    if not isinstance(path, int) and os.fspath(path) in MISSING:
        raise FileNotFoundError(2, "No such file or directory", path)
    return _open(path, *more, **named)

os.open = open
os.path.exists = lambda path: isinstance(path, int) or os.fspath(path) not in MISSING and _exists(path)
"""
ASKED = """
import flowlab as fl
from flowlab.executors.probing import HighWater

with fl.Recorder() as recorder, fl.span("asked"):
    sum(range(100_000))
print("run-queue time:", recorder.records[0].runqueue_ns, "high-water mark:", HighWater().works)
"""


def walk(python, arguments, folder, environment):
    """What `flowlab notebooks run` prints, run as a reader would from a folder that is not the checkout."""
    command = [
        str(python),
        "-m",
        "flowlab.cli",
        "notebooks",
        "run",
        *arguments,
        "--scale",
        "tiny",
        "--out",
        str(folder),
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, env=os.environ | environment
    )


@pytest.fixture(scope="module")
def uv():
    here = Path(sys.executable).parent
    found = next(
        filter(None, [shutil.which("uv"), *(str(p) for p in (here / "uv", here / "uv.exe") if p.exists())]), None
    )
    return found or pytest.skip("uv is not to be found, and other Pythons are obtained by it")


def interpreter(version):
    """A Python of that version that is here already, else the version: uv may know one, or fetch it."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (*kept.glob(f"{version}.*/bin/python"), shutil.which(f"python{version}")):
        if candidate and "shims" not in str(candidate):
            return str(candidate)
    return version


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", OTHERS)
def test_a_whole_path_is_right_on_another_python(uv, version, tmp_path, surroundings):
    quick = {"UV_COMPILE_BYTECODE": "0", "UV_HTTP_RETRIES": "0"}
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    made = subprocess.run(
        [uv, "venv", "--quiet", "--python", interpreter(version), str(tmp_path / "env")],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ | quick,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"Python {version} is not to be had here: {made.stderr.strip().rpartition(chr(10))[2].strip()}")
    needed = [uv, "pip", "install", "--quiet", "--python", str(python), "-r", "pyproject.toml", "--extra", "notebooks"]
    installed = subprocess.run(needed, cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ | quick)
    assert installed.returncode == 0, installed.stderr
    own = surroundings | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    own.pop("PYTHONDONTWRITEBYTECODE")
    done = walk(python, [NOTEBOOK], tmp_path, own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Python {version}." in done.stdout
    entries = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()]
    assert [f"Python {version}." in e["facts"]["machine"] for e in entries if e["kind"] == "result"] == [True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is hidden here")
@pytest.mark.parametrize("name", [name for name in ("01_measure_first", NOTEBOOK) if CHAPTERS[name].ready])
def test_what_only_linux_tells_is_left_out_elsewhere_and_nothing_fails(name, tmp_path, surroundings):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_LINUX)
    notebook = nbformat.read(notebooks_folder() / f"{name}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ASKED))
    nbformat.write(notebook, tmp_path / f"{name}-asked.ipynb")
    out = tmp_path / "out"
    out.mkdir()
    done = walk(
        sys.executable, [str(tmp_path / f"{name}-asked.ipynb")], out, surroundings | {"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [
        cell for cell in nbformat.read(out / f"{name}-asked.ipynb", as_version=4).cells if cell.cell_type == "code"
    ]
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert cells[-1].outputs[0].text == "run-queue time: None high-water mark: False\n"
