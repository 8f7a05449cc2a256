"""The notebooks in a real JupyterLab and a real Chromium: all cells run, a widget does what its parameter does."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue

import nbformat
import psutil
import pytest

from flowlab.adventure import notebooks_folder
from flowlab.adventure.journals import Journal
from flowlab.adventure.walks import walked, walks

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (chromium, chromium-browser, google-chrome): "
                                                "install one to run the browser tests"),
]  # fmt: skip

CELLS = """() => (window.jupyterapp.shell.currentWidget?.content?.widgets ?? [])
    .filter(cell => cell.model.type === 'code')
    .map(cell => ({id: cell.model.id, count: cell.model.executionCount, outputs: cell.model.outputs.toJSON()}))"""
FAILED = "cells.some(cell => cell.outputs.some(output => output.output_type === 'error'))"
RAN = f"""() => {{ const cells = ({CELLS})(); return {FAILED}
    || cells.length > 0 && cells.every(cell => cell.count !== null) }}"""
FOCUSED = """([selector, text]) => document.activeElement.matches(selector)
    && (document.activeElement.closest('label') ?? document.activeElement).innerText.startsWith(text)"""
SEEN = """() => [...document.querySelectorAll('figure img')].filter(picture => picture.checkVisibility())
    .map(picture => picture.classList[0])"""
IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home of its own: the notebooks, and every folder Jupyter writes in."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(notebooks_folder(), folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    (folder / "config" / "labconfig").mkdir(parents=True)
    quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(quiet))
    return folder


@pytest.fixture(scope="module")
def lab(home):
    """The address of a running JupyterLab, with its token; at the end it and all its kernels are gone."""
    environment = os.environ | {
        "HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "XDG_CACHE_HOME": str(home / "cache"), "FLOWLAB_SCALE": "tiny", "FLOWLAB_JOURNAL": str(home / "journal.jsonl"),
    }  # fmt: skip
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
               "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--IdentityProvider.token={token}",
               f"--ServerApp.root_dir={home / 'notebooks'}"]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said: Queue = Queue()
    reader = threading.Thread(target=listen, args=(server.stderr, said), daemon=True)
    reader.start()
    try:
        port = said.get(timeout=120)
        assert port, "JupyterLab ended before it served"
        yield lambda name: f"http://127.0.0.1:{port}/lab/workspaces/{name}/tree/{name}.ipynb?token={token}"
    finally:
        family = [server, *psutil.Process(server.pid).children(recursive=True)] if server.poll() is None else [server]
        server.terminate()
        server.wait(timeout=60)
        reader.join(timeout=10)
        _, alive = psutil.wait_procs(family[1:], timeout=20)
        for process in alive:
            process.kill()
        assert not alive, "JupyterLab left processes behind"


def listen(stream, said):
    """Put the port a server says it listens on into the queue, and None when it ends."""
    for line in stream:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/lab", line)
        if found:
            said.put(found[1])
    said.put(None)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(chromium, address, complaints):
    """A page with a notebook whose kernel is ready; what the page complains of is collected."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".jp-Notebook")
    page.wait_for_function(IDLE)
    yield page
    page.close()


def run_all(page):
    """Run all cells from the menu, and return their outputs by the cells' names."""
    page.evaluate("""() => { for (const cell of window.jupyterapp.shell.currentWidget.content.widgets)
        if (cell.model.type === 'code') cell.model.executionCount = null }""")  # so that we see which have run
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(RAN)
    page.wait_for_function(IDLE)
    return outputs(page)


def outputs(page):
    return {cell["id"]: cell["outputs"] for cell in page.evaluate(CELLS)}


def printed(outputs):
    return "".join("".join(out["text"]) for out in outputs if out.get("name") == "stdout")


def wrong(found):
    """The outputs that no learner should see."""
    return [
        out for each in found.values() for out in each if out["output_type"] == "error" or out.get("name") == "stderr"
    ]


def show(page, name):
    """Scroll to a cell, as a reader would, so that it is drawn."""
    page.evaluate(
        """name => { const notebook = window.jupyterapp.shell.currentWidget.content;
        const index = notebook.widgets.findIndex(cell => cell.model.id === name);
        notebook.activeCellIndex = index; return notebook.scrollToItem(index, 'start') }""",
        name,
    )


def test_the_first_notebook_runs_and_its_map_is_drawn(lab, chromium, tmp_path):
    complaints = []
    with opened(chromium, lab("00_start_here"), complaints) as page:
        assert wrong(run_all(page)) == []
        show(page, "map")
        page.wait_for_function("() => document.querySelector('img[alt^=\"Map of \"]')?.naturalWidth > 500")
        page.screenshot(path=tmp_path / "map.png")
        seen = [set(page.evaluate(SEEN))]
        page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
        seen.append(set(page.evaluate(SEEN)))
    assert seen == [{"flowlab-day"}, {"flowlab-night"}]
    assert complaints == []


def test_the_widget_does_by_keyboard_what_the_parameter_does(lab, chromium, home, tmp_path):
    complaints = []
    with ThreadPoolExecutor(1) as pool, opened(chromium, lab("02_login_crawl_parse"), complaints) as page:
        by_parameter = pool.submit(run_with, "parse", home, tmp_path)
        before = run_all(page)
        assert wrong(before) == []
        show(page, "decide")
        page.keyboard.press("Escape")
        reach(page, "input[type=radio]", "parse: ")
        page.keyboard.press("Space")
        reach(page, "button.widget-button", "Take this road")
        page.keyboard.press("Space")
        line = page.get_by_text(re.compile("^road 'parse': ")).inner_text()
        page.screenshot(path=tmp_path / "widget.png")
        show(page, "outcome")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run Selected Cell and All Below", exact=True).click()
        page.wait_for_function(
            f"""count => {{ const cells = ({CELLS})(); return {FAILED}
            || cells.find(cell => cell.id === 'roads').count > count }}""",
            arg=len(before),
        )
        page.wait_for_function(IDLE)
        after = outputs(page)
    assert wrong(after) == []
    assert words(line) in words(printed(after["outcome"]))
    assert words(line) in words(by_parameter.result())
    assert complaints == []
    journal = Journal(home / "journal.jsonl")
    assert (journal.last("choice").value, journal.last("choice").facts["by"]) == ("parse", "widget")


def words(text):
    return " ".join(text.split())


def reach(page, selector, text):
    """Press Tab until the focus is on such an element whose label begins so."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED, [selector, text]):
            return
    raise AssertionError(f"Tab never reaches {selector} {text!r}")


def run_with(path, home, tmp_path):
    """What the notebook prints when the parameter says the same as the widget did."""
    import papermill

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWLAB_SCALE", "tiny")
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        source, out = home / "notebooks" / "02_login_crawl_parse.ipynb", tmp_path / "out.ipynb"
        papermill.execute_notebook(
            str(source),
            str(out),
            parameters={"path": path, "journal": "none"},
            kernel_name="python3",
            progress_bar=False,
            cwd=str(tmp_path),
        )
    cells = nbformat.read(out, as_version=4).cells
    return printed(next(cell for cell in cells if cell.id == "outcome").outputs)


PATH = (
    ("00_start_here", "goal", "small", "Take this goal"),
    ("02_login_crawl_parse", "road", "parse", "Take this road"),
)
ACTIVE = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
HEADINGS = (
    "() => [...document.querySelectorAll('.jp-TableOfContents-content .jp-tocItem-content')].map(e => e.innerText)"
)


@pytest.mark.timeout(600)
def test_a_whole_path_is_walked_by_keyboard_only_and_leaves_the_journal_that_parameters_leave(
    lab, chromium, home, tmp_path
):
    journal = home / "journal.jsonl"
    journal.unlink(missing_ok=True)
    complaints = []
    with ThreadPoolExecutor(1) as pool, opened(chromium, lab(PATH[0][0]), complaints) as page:
        by_parameter = pool.submit(walk_with_parameters, tmp_path)
        for (name, key, option, verb), following in zip(PATH, [*(step[0] for step in PATH[1:]), None], strict=True):
            assert headings(page) == toc(page)
            press_through(page, 0)
            choose(page, key, option, verb)
            press_through(page, index_of(page, "outcome"))
            assert wrong(outputs(page)) == []
            assert page.evaluate("document.documentElement.scrollWidth <= 1280"), f"{name} is too wide"
            if following:
                follow(page, following)
        for name, *_ in PATH:
            assert told(Journal(journal), name) == told(by_parameter.result(), name)
    assert complaints == []


def told(journal, name):
    """What a journal keeps of a notebook that does not depend on how it was said: the last choice, its result."""
    choice, result = journal.last("choice", name), journal.last("result", name)
    asked = {(e.key, e.value) for e in journal.entries("prediction", name)}
    return choice.key, choice.value, result.value, result.facts["line"], result.facts["parameters"], asked


def walk_with_parameters(folder):
    """The journal of the same path, walked headless."""
    journal = folder / "journal.jsonl"
    for name, _, option, _ in PATH:
        [walk] = walks([name], option, scale="tiny", journal=str(journal))
        walked(walk, folder / f"{name}.ipynb")
    return Journal(journal)


def headings(page):
    """The notebook's own headings."""
    sources = page.evaluate("""() => window.jupyterapp.shell.currentWidget.content.widgets
        .filter(cell => cell.model.type === 'markdown').map(cell => cell.model.sharedModel.getSource())""")
    return [each.strip() for source in sources for each in re.findall(r"^#+ (.+)$", source, re.M)]


def toc(page):
    """The headings that the table of contents shows; it is opened and closed by its keys."""
    page.keyboard.press("Control+Shift+K")
    page.wait_for_function(f"count => ({HEADINGS})().length === count", arg=len(headings(page)))
    found = [each.strip() for each in page.evaluate(HEADINGS)]
    page.keyboard.press("Control+Shift+K")
    return found


def index_of(page, name):
    return page.evaluate(
        "name => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(cell => cell.model.id === name)", name
    )


def go_to(page, index):
    """Move to a cell with the arrow keys."""
    page.keyboard.press("Escape")
    while (now := page.evaluate(ACTIVE)) != index:
        page.keyboard.press("ArrowDown" if now < index else "ArrowUp")
        page.wait_for_function(f"now => ({ACTIVE})() !== now", arg=now)


def press_through(page, first):
    """Run the cells from this one to the last with Shift+Enter, and the last with Control+Enter."""
    go_to(page, first)
    last = page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length - 1")
    page.evaluate("""first => window.jupyterapp.shell.currentWidget.content.widgets.slice(first)
        .forEach(cell => { if (cell.model.type === 'code') cell.model.executionCount = null })""", first)  # fmt: skip
    for index in range(first, last):
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(f"index => ({ACTIVE})() === index", arg=index + 1)
    page.keyboard.press("Control+Enter")
    page.wait_for_function(RAN)
    page.wait_for_function(IDLE)


def choose(page, key, option, verb):
    """Choose an option with Tab and Space, and wait for its result."""
    go_to(page, index_of(page, "decide"))
    reach(page, "input[type=radio]", f"{option}: ")
    page.keyboard.press("Space")
    reach(page, "button.widget-button", verb)
    page.keyboard.press("Space")
    page.get_by_text(re.compile(f"^{key} '{option}': ")).first.wait_for()


def follow(page, name):
    """Open the next notebook by its link, with Tab and Enter."""
    page.keyboard.press("Escape")
    reach(page, f"a[href*='{name}']", name[:2])
    page.keyboard.press("Enter")
    page.wait_for_function("name => window.jupyterapp.shell.currentWidget?.title.label === name", arg=f"{name}.ipynb")
    page.wait_for_function(IDLE)
