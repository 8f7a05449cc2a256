"""The page is valid, says everything, and needs nothing but itself."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from flowlab import report
from flowlab.comparison import Comparison, StrategyRun, Verdict
from flowlab.errors import SettingError
from flowlab.report import page as page_module
from flowlab.report.page import as_html

VOID = {"meta", "img", "source", "br", "hr", "link", "input", "path", "circle"}
CLOSED_BY_SLASH = {"path", "circle"}
Attributes = list[tuple[str, str | None]]


class Reader(HTMLParser):
    """Reads a page as strictly as a test needs: every tag closed in order, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.seen.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in CLOSED_BY_SLASH:
            self.wrong.append(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def html(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "new folder" / "report.html"
    assert report.write(comparison, path) == path
    return path.read_text(encoding="utf-8")


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only words matter, nothing need be drawn."""
    monkeypatch.setattr(page_module, "FIGURES", ())


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    return read(html)


def test_every_tag_is_closed_in_order(reader: Reader) -> None:
    assert reader.wrong == []
    assert reader.open == []


def test_the_reader_of_these_tests_notices_what_is_wrong() -> None:
    assert read("<p><b></p></b>").wrong
    assert read("<div>").open
    assert read("<img alt='a' alt='b'>").wrong


def test_every_picture_has_alt_text_that_names_the_strategies(reader: Reader) -> None:
    pictures = [attributes for tag, attributes in reader.seen if tag == "img"]
    assert len(pictures) == 6
    for picture in pictures:
        assert "serial" in str(picture["alt"])
        assert "threads" in str(picture["alt"])


def test_every_picture_comes_in_both_themes_and_both_widths(reader: Reader) -> None:
    media = [attributes["media"] for tag, attributes in reader.seen if tag == "source"]
    assert len(media) == 3 * 6
    assert sum("dark" in str(each) for each in media) == 2 * 6
    assert sum("max-width" in str(each) for each in media) == 2 * 6


def test_nothing_is_loaded_from_anywhere(reader: Reader, html: str) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in reader.seen}
    for _, attributes in reader.seen:
        for name in ("src", "srcset", "href", "xlink:href", "poster", "data"):
            assert str(attributes.get(name, "data:")).startswith(("data:", "#"))
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_headings_go_down_one_step_at_a_time(reader: Reader) -> None:
    levels = [int(tag[1]) for tag, _ in reader.seen if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_it_says_question_answer_sentence_and_verdict(reader: Reader, comparison: Comparison) -> None:
    assert comparison.verdict is not None
    for words in (comparison.question, comparison.answer, comparison.sentence, comparison.verdict.text):
        assert words
        assert re.sub(r"\s+", " ", words) in reader.text
    assert "All strategies gave equal results." in reader.text


def test_it_says_n_and_machine_and_the_settings(reader: Reader, comparison: Comparison) -> None:
    assert "n = 3 runs a strategy" in reader.text
    assert comparison.machine.sentence() in reader.text
    assert "n items" in reader.text
    assert "a, b" in reader.text
    assert "exact yes" in re.sub(r"\s+", " ", reader.text)


def test_what_a_job_says_of_itself_is_shown_and_not_obeyed(reader: Reader, html: str) -> None:
    assert "items & <parts>" in reader.text
    assert "<b>us</b>" in reader.text
    assert not {"b", "i", "parts", "mine"} & {tag for tag, _ in reader.seen}
    assert escape("<mine>") in html


def test_every_run_is_a_row(html: str, comparison: Comparison) -> None:
    table = html.partition("<h2>Every run</h2>")[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + len(comparison.runs)
    for run in comparison.runs:
        assert f"<th scope='row'>{run.order + 1}</th><td>{escape(run.strategy)}</td><td>{run.repeat + 1}</td>" in table


def test_the_service_has_a_table_of_its_own(html: str) -> None:
    strategies = html.partition("What each strategy cost")[2].partition("</table>")[0]
    services = html.partition("Beside the strategies")[2].partition("</section>")[0]
    assert "site" not in strategies
    assert "<th scope='row'>site</th>" in services
    assert "no strategy's figures" in re.sub(r"\s+", " ", services)


def test_energy_is_called_an_estimate_with_its_band_and_source(reader: Reader, comparison: Comparison) -> None:
    energy = comparison.runs[0].energy
    assert energy is not None
    assert "An estimate from a model, not a measurement." in reader.text
    assert "The band is ±50 %." in reader.text
    assert energy.source in reader.text


@pytest.mark.usefixtures("without_figures")
def test_energy_that_counters_read_is_not_called_an_estimate_from_a_model(comparison: Comparison) -> None:
    runs = tuple(
        replace(run, energy=replace(run.energy, method="rapl", profile="rapl")) for run in comparison.runs if run.energy
    )
    page = as_html(replace(comparison, runs=runs))
    assert "Read from the machine's counters, and shared out by CPU time." in page
    assert "An estimate from a model" not in page


@pytest.mark.usefixtures("without_figures")
def test_without_energy_nothing_is_said_of_it(comparison: Comparison) -> None:
    runs = tuple(replace(run, energy=None) for run in comparison.runs)
    services = tuple(replace(use, energy=None) for use in comparison.services)
    assert "What the energy figures are" not in as_html(replace(comparison, runs=runs, services=services))


@pytest.mark.usefixtures("without_figures")
def test_results_that_differ_are_the_first_thing_said(comparison: Comparison) -> None:
    differ = "threads gave another result than <serial>."
    html = as_html(replace(comparison, agree=False, disagreements=(differ,)))
    assert html.index(escape(differ)) < html.index("What each strategy cost")
    assert "role='alert'" in html
    assert "equal results" not in html


@pytest.mark.usefixtures("without_figures")
def test_runs_and_items_that_failed_are_listed(comparison: Comparison) -> None:
    broken = StrategyRun("threads", 0, 1, error="ValueError: no <luck>")
    runs = (replace(comparison.runs[0], failures=((3, "OSError"),)), broken, *comparison.runs[2:])
    said = read(as_html(replace(comparison, runs=runs)))
    assert said.wrong == []
    assert "item 3 (OSError)" in said.text
    assert "ValueError: no <luck>" in said.text


@pytest.mark.usefixtures("without_figures")
def test_what_strategies_printed_is_folded_away_once_for_runs_that_printed_alike(comparison: Comparison) -> None:
    assert "What the strategies printed" not in as_html(comparison)
    printed = {0: "a <b>\n", 1: "a <b>\n", 2: "\x1bother\n"}
    runs = tuple(
        replace(run, output=printed[run.repeat] if run.strategy == "<mine>" else "") for run in comparison.runs
    )
    html = as_html(replace(comparison, runs=runs))
    assert read(html).wrong == []
    assert "<summary>&lt;mine&gt;, repeat 1 and 2</summary><pre>a &lt;b&gt;\n</pre>" in html
    assert "<summary>&lt;mine&gt;, repeat 3</summary><pre>other\n</pre>" in html


def test_a_comparison_in_which_nothing_ended_still_makes_a_page(comparison: Comparison) -> None:
    runs = tuple(StrategyRun(run.strategy, run.repeat, run.order, error="OSError: no") for run in comparison.runs)
    said = read(as_html(replace(comparison, runs=runs, verdict=None, answer=None)))
    assert said.wrong == []
    assert said.text.count("Not drawn:") == 6


@pytest.mark.usefixtures("without_figures")
def test_code_to_paste_is_shown_as_code(comparison: Comparison) -> None:
    verdict = Verdict("threads", 2, 1.5, 1.2, 1.8, 0, 0.5, 0.5, None, "Run it with threads.", "if a < b:\n    pass")
    assert "<pre><code>if a &lt; b:\n    pass</code></pre>" in as_html(replace(comparison, verdict=verdict))


@pytest.mark.usefixtures("without_figures")
def test_a_page_whose_writing_fails_half_way_leaves_the_old_one_whole(comparison: Comparison, tmp_path: Path) -> None:
    path = report.write(comparison, tmp_path / "report.html")
    old = path.read_bytes()
    (tmp_path / ".report.html.999999999.part").write_text("of a killed writer")
    with pytest.raises(UnicodeEncodeError):
        report.write(replace(comparison, name="no such character: \udc80"), path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("without_figures")
def test_a_page_that_cannot_be_written_says_where(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot write the report"):
        report.write(comparison, tmp_path / "file" / "report.html")
