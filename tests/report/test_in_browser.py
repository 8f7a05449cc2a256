"""The page as a reader meets it: both themes, a desk's width and a phone's."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowlab import report
from flowlab.comparison import Comparison

pytestmark = pytest.mark.browser

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--no-first-run",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here, so the page was not opened in one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def written(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(comparison, tmp_path_factory.mktemp("report") / "report.html")


@pytest.mark.parametrize("width", [1280, 400], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_shows_fits_and_stays_offline(browser: Any, written: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written.as_uri(), wait_until="load")
    assert [url for url in asked if not url.startswith("data:")] == [written.as_uri()]
    widths = page.evaluate("[...document.images].map(image => image.complete ? image.naturalWidth : 0)")
    assert len(widths) == 6
    assert all(natural > 0 for natural in widths)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 27, 33)"}[scheme]
    narrow = max(widths) < 500
    assert narrow == (width == 400)
    page.close()
