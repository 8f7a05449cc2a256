"""The site: built as `make site` builds it, without a warning or a broken link, and read in a real Chromium."""

import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowlab.adventure import CHAPTERS
from flowlab.adventure.series import PLACES, QUIZZES

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SEEN = """() => [...document.querySelectorAll('figure img')].filter(picture => picture.checkVisibility())
    .map(picture => picture.classList[0])"""
READY = [chapter for chapter in CHAPTERS.values() if chapter.ready]
WORDS = (
    "Definition", "Operation", "DataFlow", "Input", "Context", "Plan", "Run", "Record", "Executor", "Machine",
    "Forecast", "Strategy",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("sphinx_book_theme") is None,
        reason="Sphinx and its theme are not installed (group site): uv run --group site pytest",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site's pages, built at scale tiny."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs" / "build.py"), "--scale", "tiny", "--out", str(folder / "site")]
    own = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | own, timeout=800)
    assert built.returncode == 0, built.stdout + built.stderr
    assert " 0 links broken" in built.stdout
    return folder / "site" / "html"


def text_of(page):
    text = re.sub(r"<[^>]+>", " ", page.read_text("utf-8"))
    return re.sub(r"\s+", " ", html.unescape(text)).replace("’", "'")


def test_every_notebook_is_a_page_with_its_outputs_and_its_time(site):
    times = text_of(site / "times.html")
    for chapter in READY:
        page = (site / "notebooks" / f"{chapter.name}.html").read_text("utf-8")
        assert f"{chapter.decision.key} &#39;" in page or f"{chapter.decision.key} '" in page, "the outcome's line"
        assert "there are buttons here" in page
        assert "Traceback" not in page
        assert re.search(rf"{re.escape(title_of(site, chapter))} \d+ \d+\.\d ", times)
    assert "these are no measurements" in times or "One ran at a time" in times


def title_of(site, chapter):
    page = (site / "notebooks" / f"{chapter.name}.html").read_text("utf-8")
    return re.search(r"<title>(.*?) (?:&#8212;|—)", page)[1].replace("&#39;", "'")


def test_the_glossary_has_every_word_of_the_design_and_readers_are_led_to_it(site):
    page = text_of(site / "glossary.html")
    for word in WORDS:
        assert f" {word} " in page
    assert "docs/glossary.md" in (ROOT / "notebooks" / "README.md").read_text("utf-8")


def test_the_answers_are_the_notebooks_and_the_quizzes_own(site):
    page = text_of(site / "answers.html")
    for chapter in READY:
        for exercise in chapter.exercises:
            assert exercise in page
    for key, place in PLACES.items():
        if CHAPTERS[place].ready:
            for question in QUIZZES[key]:
                assert question.text.split(".")[0] in page


def test_the_page_on_dataflow_programming_shows_a_real_run(site):
    page = text_of(site / "dataflow.html")
    assert "6 links came in, 3 pages were fetched" in page
    assert "notes that overlap: 0" in page
    assert "last: report" in page


def test_a_link_that_is_broken_and_a_page_that_loads_from_elsewhere_are_found(tmp_path):
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="https://example.org">out</a><p id="top">')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html#top">a</a><a href="c.html">c</a>')
    (tmp_path / "d.html").write_text('<script src="https://example.org/x.js"></script>')
    found = sorted(build.broken_links(tmp_path))
    assert found == [
        "a.html: b.html#here leads nowhere",
        "b.html: c.html leads nowhere",
        "d.html: loads https://example.org/x.js from elsewhere",
    ]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def served(folder):
    """The address of a folder on the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (chromium, chromium-browser, google-chrome): "
                                             "install one to run the browser tests")  # fmt: skip
def test_in_a_browser_pages_are_sound_search_finds_and_solutions_are_folded(site, tmp_path):
    from playwright.sync_api import sync_playwright

    complaints = []
    with served(site) as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: complaints.append(r.url) if not r.url.startswith((home, "data:", "blob:")) else None
        )
        for path in ["index.html", "dataflow.html", "glossary.html", *(f"notebooks/{c.name}.html" for c in READY)]:
            page.goto(home + path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is too wide"
        assert page.locator("details.hide").count() >= 1, "solutions are folded"
        for theme, shown in (("light", "flowlab-day"), ("dark", "flowlab-night")):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            assert page.locator("figcaption").count() >= 1
            assert page.evaluate("[...document.querySelectorAll('figcaption')].every(each => each.checkVisibility())")
            assert set(page.evaluate(SEEN)) == {shown}
        page.screenshot(path=tmp_path / "notebook.png")
        page.goto(f"{home}search.html?q=redundancy")
        page.locator("#search-results a", has_text="What is dataflow programming?").first.wait_for()
        browser.close()
    assert complaints == []
