"""Build the site: run the notebooks, gather the pages, let Sphinx make HTML of them, and hold every link.

    python docs/build.py [--scale tiny|demo|class|large] [--out DIR]

Warnings are errors. At scale tiny (CI) notebooks run side by side; else (to publish) one at a time, since the page of
execution times shows what was measured. The site is in DIR/html and works from there, offline.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import nbformat

from flowlab.adventure import CHAPTERS, notebooks_folder
from flowlab.adventure.chapters import SCALES
from flowlab.adventure.series import PLACES, QUIZZES
from flowlab.adventure.walks import Walked, all_walked, kernels_at, walks
from flowlab.machine import Machine

HERE = Path(__file__).parent
ROOT = HERE.parent
REFERENCE = (
    "flowlab", "flowlab.errors", "flowlab.metrics", "flowlab.comparison", "flowlab.plots",
    "flowlab.workloads.loneliest", "flowlab.adventure",
)  # fmt: skip
REFERENCE_PAGE = """# The package

`import flowlab as fl` is all that most programs need; what it offers is described on the first page. The others
are what some programs need besides.

```{{toctree}}
:maxdepth: 1

{pages}
```
"""
BUTTONS = "<p><i>In JupyterLab, there are buttons here.</i></p>"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site and return 0, or 1 after saying what is wrong."""
    parser = argparse.ArgumentParser(description="Build the site.")
    parser.add_argument("--scale", choices=SCALES, default="class")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    options = parser.parse_args(arguments)
    source, html = options.out / "source", options.out / "html"
    shutil.rmtree(options.out, ignore_errors=True)
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("*.py", "__pycache__", "loneliest-*"))
    own = {"FLOWLAB_JOURNAL": "none", "FLOWLAB_HOME": str(options.out / "store")}  # nothing of the user's
    os.environ.update(own, FLOWLAB_SCALE=options.scale)
    walked = all_walked(walks([]), options.out / "executed", kernels_at(options.scale), say)
    failed = [each for each in walked if not each.right]
    for each in failed:
        print(f"{each.walk.name}, cell {each.cell}:\n{each.source}\n\n{each.error}", file=sys.stderr)
    if failed:
        return 1
    gather(walked, source, options.scale)
    if status := sphinx(source, html, options.out / "doctrees"):
        return status
    wrong = list(broken_links(html))
    print(
        "\n".join(
            [*wrong, f"{html / 'index.html'}: {len(list(html.rglob('*.html')))} pages, {len(wrong)} links broken"]
        )
    )
    return 1 if wrong else 0


def say(done: int, total: int, now: str) -> None:
    """Tell how far the notebooks are."""
    print(f"notebooks: {done} of {total} {now}", flush=True)


def gather(walked: Sequence[Walked], source: Path, scale: str) -> None:
    """Put the executed notebooks and the pages made of them beside the written ones."""
    (source / "notebooks").mkdir()
    for each in walked:
        nbformat.write(shown(nbformat.read(each.out, as_version=4)), source / "notebooks" / each.out.name)
    (source / "series.md").write_text(series_page(), "utf-8")
    (source / "times.md").write_text(times_page(walked, scale), "utf-8")
    (source / "answers.md").write_text(answers_page(), "utf-8")
    write_reference(source / "reference")


def shown(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return an executed notebook as the site shows it: solutions folded, a word where a widget cannot work."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            cell.metadata.tags = [*tags, "hide-input"]
        if cell.cell_type == "code" and "adventure.widget(" in cell.source:
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": BUTTONS, "text/plain": ""})]
    notebook.metadata.pop("widgets", None)
    return notebook


def series_page() -> str:
    """Return the page with all notebooks in their order."""
    ready = [f"notebooks/{chapter.name}" for chapter in CHAPTERS.values() if chapter.ready]
    later = [f"{chapter.number} {chapter.title.lower()}" for chapter in CHAPTERS.values() if not chapter.ready]
    missing = f"\nNot there yet: {', '.join(later)}.\n" if later else ""
    return f"""# The series

Notebooks to be run, shown here as they ran when this site was built, with nobody there: the default branch, no
prediction made, no exercise solved. On your own computer they measure it, and what you choose decides what is run.
{missing}
```{{toctree}}
:maxdepth: 1

{chr(10).join(ready)}
```
"""


def times_page(walked: Sequence[Walked], scale: str) -> str:
    """Return the page of execution times."""
    rows = "\n".join(f"| {{doc}}`notebooks/{w.walk.name}` | {w.cells} | {w.wall_s:.1f} |" for w in walked)
    kernels = kernels_at(scale)
    how = "One ran at a time." if kernels == 1 else f"{kernels} ran at once: these are no measurements."
    return f"""# Execution times

Each notebook's default branch, in a kernel of its own, start and end of the kernel included, at scale {scale}. {how}
Machine: {Machine.detect().sentence()}. One run has no spread: take these as what to expect, not as a comparison.

| notebook | cells | wall time [s] |
|---|---:|---:|
{rows}

All together {sum(w.wall_s for w in walked):.0f} s. `flowlab notebooks run` prints such a table for your machine.
"""


def answers_page() -> str:
    """Return the solutions of all exercises and quizzes, as the notebooks and the package have them."""
    parts = [
        "# Answers",
        "For teachers, and for readers who have tried. Taken from the notebooks when the site was built.",
    ]
    for path in sorted(notebooks_folder().glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        solutions = [cell.source for cell in cells if "solution" in cell.metadata.get("tags", [])]
        parts.append(f"## {path.stem}")
        parts += [f"```python\n{source}\n```" for source in solutions]
        parts += [quiz_answers(key) for key, place in PLACES.items() if place == path.stem]
    return "\n\n".join(parts) + "\n"


def quiz_answers(key: str) -> str:
    """Return the questions of a quiz with the right option and why."""
    lines = [f"**Quiz {key}**", ""]
    for number, question in enumerate(QUIZZES[key], 1):
        lines.append(f"{number}. {question.text} **{question.right}**: {question.options[question.right]}.")
        lines.append(f"   {question.feedback[question.right]}")
    return "\n".join(lines)


def write_reference(folder: Path) -> None:
    """Write a page for every public module, from what it says is public; each thing is described in one place."""
    folder.mkdir()
    described: dict[int, str] = {}
    for name in REFERENCE:
        module = import_module(name)
        lines = [f"# {name}", "```{eval-rst}", f".. automodule:: {name}", "```"]
        for each in getattr(module, "__all__", vars(module)):
            found = getattr(module, each)
            own = hasattr(module, "__all__") or getattr(found, "__module__", "") == name
            if own and not each.startswith("_") and not isinstance(found, ModuleType):
                lines += _entry(f"{name}.{each}", found, described.setdefault(id(found), f"{name}.{each}"))
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "index.md").write_text(REFERENCE_PAGE.format(pages="\n".join(REFERENCE)), "utf-8")


def _entry(path: str, found: object, at: str) -> list[str]:
    if at != path:
        return ["", f"{{py:obj}}`{path.rpartition('.')[2]} <{at}>`: see there.", ""]
    if isinstance(found, type):
        return ["```{eval-rst}", f".. autoclass:: {path}", "   :members:", "```"]
    if callable(found):
        return ["```{eval-rst}", f".. autofunction:: {path}", "```"]
    return ["```{eval-rst}", f".. py:data:: {path}", f"   :type: {type(found).__name__}", "```"]


def sphinx(source: Path, html: Path, doctrees: Path) -> int:
    """Let Sphinx build the site, with every warning an error."""
    from sphinx.cmd.build import main as build

    options = ["-W", "--keep-going", "-q", "-c", str(HERE), "-d", str(doctrees)]
    return build([*options, "-b", "html", str(source), str(html)])


class Page(HTMLParser):
    """What a page of HTML links to, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's links and names."""
        found = dict(attrs)
        self.anchors |= {str(found[name]) for name in ("id", "name") if found.get(name)}
        self.links += [str(found[name]) for name in ("href", "src") if found.get(name)]
        if found.get("src") or (tag == "link" and "stylesheet" in (found.get("rel") or "")):
            self.loaded.append(str(found.get("src") or found.get("href")))


def broken_links(html: Path) -> Iterator[str]:
    """Yield a line for every link inside the site that leads nowhere, and for whatever a page loads from elsewhere."""
    pages = {
        path.resolve(): Page(path.read_text("utf-8")) for path in html.rglob("*.html") if "_static" not in path.parts
    }
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    yield f"{path.name}: loads {link} from elsewhere"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or (target in pages and anchor not in pages[target].anchors):
                yield f"{path.name}: {link} leads nowhere"


if __name__ == "__main__":
    sys.exit(main())
