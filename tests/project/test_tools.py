"""Lint, format, types and import rules: each is the tool itself, called as anyone would call it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="lint"),
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["mypy"], id="types"),
        pytest.param(["importlinter.cli", "lint"], id="import rules"),
    ],
)
def test_the_tool_finds_nothing(command: list[str]) -> None:
    module, *arguments = command
    code = [sys.executable, "-m", module] if module != "importlinter.cli" else [_script("lint-imports")]
    arguments = arguments if module != "importlinter.cli" else []
    found = subprocess.run([*code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def _script(name: str) -> str:
    folder = Path(sys.executable).parent
    return str(next(path for path in (folder / name, folder / f"{name}.exe") if path.exists()))
