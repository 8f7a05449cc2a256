"""The README: nothing left to fill in, and every file it links is there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flowlab.cli.commands import _parser

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "flowlab/README.md", "notebooks/README.md", "data/README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_of_a_page_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'(?:src|srcset)="([^":]+)"', text)
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert not missing
    assert all(alt.strip() for alt in re.findall(r'<img alt="([^"]*)"', text))


def test_the_readme_shows_what_its_commands_print() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for strategy in ("serial", "threads", "asyncio", "processes", "hybrid", "dataflow"):
        assert len(re.findall(rf"^ {strategy} +[\d.]+ s", text, re.MULTILINE)) == 2
    assert "n = 3 runs each, interleaved, on " in text and "real calls" in text


def blocks(kind: str) -> list[str]:
    return re.findall(
        rf"^```{kind}\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


PRINTED = {"own job": "real calls", "dataflow": "README.md'", "store": "sizes  ended"}


@pytest.mark.parametrize(
    ("snippet", "printed"), list(zip(blocks("python"), PRINTED.values(), strict=True)), ids=PRINTED
)
def test_a_python_snippet_of_the_readme_runs_as_it_stands(snippet: str, printed: str, tmp_path: Path) -> None:
    (tmp_path / "pasted.py").write_text(snippet, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "pasted.py")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert found.returncode == 0, found.stderr
    assert printed in found.stdout


def test_the_commands_of_the_readme_are_commands_on_files_that_are_there() -> None:
    typed = re.findall(r"uv run flowlab ([^`\n]*)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert any(line.startswith("try") for line in typed) and any(line.startswith("demo") for line in typed)
    for line in typed:
        options = _parser().parse_args(shlex.split(line))
        if line.startswith("try"):
            assert (ROOT / options.functions.partition(":")[0]).exists() and (ROOT / options.items).exists()
