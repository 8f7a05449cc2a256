"""The README: nothing left to fill in, and every file it links is there."""

import re
from pathlib import Path

import pytest

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
        assert re.search(rf"^  {strategy} +[\d.]+ s", text, re.MULTILINE)
    assert "n = 3 runs each, interleaved, on " in text and "real calls" in text
