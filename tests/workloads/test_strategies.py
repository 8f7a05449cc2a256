"""The six strategies: equal reports, whatever the site does; nothing left behind, whatever goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from flowlab import executors
from flowlab.errors import FlowlabError, SettingError
from flowlab.metrics import Recorder
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import airports
from flowlab.workloads.loneliest.problems import FolderError, LoginError, PageError, SiteError

STRATEGIES = ["serial", "threads", "asyncio", "processes", "hybrid", "dataflow"]
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def survey(site: loneliest.Site | str, strategy: str, **settings: object) -> loneliest.Report:
    job = loneliest.job(site, **({"n_countries": 6, "workers": 2} | settings))  # type: ignore[arg-type]
    return job.strategies[strategy]()


@pytest.fixture(scope="module")
def tiny_report(quick_site: loneliest.Site) -> loneliest.Report:
    return survey(quick_site, "serial")


@every_strategy
def test_every_strategy_gives_the_report_of_serial(
    quick_site: loneliest.Site, strategy: str, tiny_report: loneliest.Report
) -> None:
    assert survey(quick_site, strategy) == tiny_report


@every_strategy
def test_every_strategy_finds_mataveri_from_24_countries_on(quick_site: loneliest.Site, strategy: str) -> None:
    report = survey(quick_site, strategy, n_countries=24, compute="sorted", parser="stdlib")
    assert report.loneliest is not None
    assert report.loneliest.airport.name == "Mataveri Airport"
    assert report.loneliest.country == "CL"
    assert round(report.loneliest.distance_km or 0) == 2907
    assert "Mataveri Airport (SCIP) is the loneliest of 3,722 airports in 24 countries" in report.answer()
    assert "2,907 km" in report.answer()
    assert len(report.ranked) == 24


@pytest.mark.parametrize("compute", ["pairs", "sorted"])
@pytest.mark.parametrize("parser", ["soup", "stdlib"])
def test_neither_search_nor_parser_changes_the_report(
    quick_site: loneliest.Site, compute: str, parser: str, tiny_report: loneliest.Report
) -> None:
    assert survey(quick_site, "serial", compute=compute, parser=parser) == tiny_report


@every_strategy
def test_countries_with_one_airport_are_listed_not_ranked(quick_site: loneliest.Site, strategy: str) -> None:
    sizes = airports.sizes()
    alone = [code for code in sorted(sizes) if sizes[code] == 1][:3]
    report = survey(quick_site, strategy, countries=[alone[2], "FM", alone[0], alone[1]])
    assert [finding.country for finding in report.single] == alone
    assert all((finding.neighbour, finding.distance_km) == (None, None) for finding in report.single)
    assert [finding.country for finding in report.ranked] == ["FM"]
    assert report.n_airports == 3 + sizes["FM"]


def test_a_survey_of_lone_airports_says_so(quick_site: loneliest.Site) -> None:
    alone = next(code for code, size in airports.sizes().items() if size == 1)
    report = survey(quick_site, "serial", countries=[alone])
    assert report.loneliest is None
    assert "No country surveyed has two airports" in report.answer()


@every_strategy
def test_every_strategy_saves_page_and_csv_of_each_country_and_the_report(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "downloads"
    report = survey(quick_site, strategy, n_countries=3, downloads=folder)
    codes = ["CL", "FM", "IS"]
    assert {path.name for path in folder.iterdir()} == {f"{c}.{kind}" for c in codes for kind in ("csv", "html")} | {
        "report.json"
    }
    for code in codes:
        assert airports.read_csv((folder / f"{code}.csv").read_text(encoding="utf-8")) == airports.load()[code]
        assert "<table>" in (folder / f"{code}.html").read_text(encoding="utf-8")
    saved = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert saved["n_airports"] == report.n_airports
    assert [entry["country"] for entry in saved["ranked"]] == [finding.country for finding in report.ranked]


@every_strategy
def test_without_a_named_folder_nothing_is_left_behind(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    survey(quick_site, strategy, n_countries=2)
    assert [path for path in tmp_path.iterdir() if "downloads" in path.name] == []


def requests_seen(strategy: str, site: loneliest.Site) -> tuple[loneliest.Report, Counter[tuple[str, str]]]:
    """Return the report and, for each page asked for, the statuses that came back, one after the other."""
    with Recorder(strategy=strategy) as recorder:
        report = survey(site, strategy, compute="sorted", parser="stdlib")
    seen = [(str(r.custom["item"]), str(r.custom["statuses"])) for r in recorder.records if "statuses" in r.custom]
    return report, Counter(seen)


def test_all_strategies_meet_the_same_failures_and_end_with_the_same_report(tiny_report: loneliest.Report) -> None:
    with loneliest.site(latency_ms=1, seed=5, error_rate=0.2, throttle_rate=0.2, retry_after_s=0) as site:
        found = {strategy: requests_seen(strategy, site) for strategy in STRATEGIES}
    expected_report, expected = found["serial"]
    assert expected_report == tiny_report
    assert any("503" in statuses for _, statuses in expected)
    assert any("429" in statuses for _, statuses in expected)
    for strategy, (report, seen) in found.items():
        assert report == expected_report, strategy
        assert seen == expected, strategy


@every_strategy
def test_every_strategy_measures_the_same_steps(quick_site: loneliest.Site, strategy: str, tmp_path: Path) -> None:
    executors.close()  # else the workers of an earlier flow are still warm
    with Recorder(strategy=strategy) as recorder:
        survey(quick_site, strategy, downloads=tmp_path)
    counts = Counter(record.operation for record in recorder.records)
    assert (counts["log in"], counts["parse"], counts["compute"], counts["save"]) == (1, 6, 6, 6)
    assert sum(count for name, count in counts.items() if name.startswith("download")) == 12
    assert all(record.status == "ok" for record in recorder.records)
    asked = [record.custom["requests"] for record in recorder.records if "requests" in record.custom]
    assert sum(int(str(number)) for number in asked) == loneliest.job(quick_site, n_countries=6).requests
    received = sum(int(str(r.custom["loopback_bytes"])) for r in recorder.records if r.operation.startswith("download"))
    assert received == sum(path.stat().st_size for path in tmp_path.iterdir() if path.name != "report.json")
    starts = [record for record in recorder.records if record.stage == "start"]
    assert bool(starts) == (strategy in ("processes", "hybrid", "dataflow"))


@every_strategy
def test_a_site_that_does_not_answer_is_one_clear_sentence(strategy: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(FlowlabError, match=f"nothing answers at {url}: start the site with 'flowlab site'") as caught:
        survey(url, strategy)
    assert isinstance(caught.value, ConnectionError)


@every_strategy
def test_a_wrong_password_is_one_clear_sentence_without_the_password(quick_site: loneliest.Site, strategy: str) -> None:
    with pytest.raises(
        LoginError, match="does not accept this user and password: 'flowlab site' prints both"
    ) as caught:
        survey(quick_site, strategy, password="open sesame")
    assert "sesame" not in str(caught.value)


@every_strategy
def test_an_unwritable_folder_is_one_clear_sentence(quick_site: loneliest.Site, strategy: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot write to the downloads folder"):
        survey(quick_site, strategy, downloads=tmp_path / "file" / "downloads")


@every_strategy
def test_a_site_that_keeps_failing_is_one_clear_sentence_and_leaves_nothing(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowlab.workloads.loneliest.fetching.FIRST_PAUSE_S", 1e-4)
    with (
        loneliest.site(latency_ms=0, error_rate=1) as site,
        pytest.raises(SiteError, match="failed 8 times to answer /login"),
    ):
        survey(site, strategy, downloads=tmp_path / "downloads")
    assert list(tmp_path.iterdir()) == []


@every_strategy
def test_a_failure_in_the_middle_ends_the_run_with_its_own_error(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path
) -> None:
    """The folder's files cannot replace a directory of their name: the second country's save fails."""
    (tmp_path / "FM.html").mkdir()
    with pytest.raises(FolderError, match="cannot write to the downloads folder"):
        survey(quick_site, strategy, n_countries=3, downloads=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


class Impostor(threading.Thread):
    """A web server that answers every request with the same page: not a site of airports."""

    def __init__(self, page: bytes) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(page) + page
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self.answer)

    def __enter__(self) -> Impostor:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.join()


@every_strategy
def test_a_login_page_without_token_is_one_clear_sentence(strategy: str) -> None:
    with (
        Impostor(b"<form><input name=user></form>") as impostor,
        pytest.raises(
            PageError, match="the login page has no authenticity token: is this a site started by 'flowlab site'"
        ),
    ):
        survey(impostor.url, strategy)


def test_a_page_and_a_csv_that_disagree_are_an_error() -> None:
    from flowlab.workloads.loneliest.computing import check
    from flowlab.workloads.loneliest.parsing import CountryPage

    chile = airports.load()["CL"]
    page = CountryPage(chile, "/downloads/CL.csv")
    assert check(page, airports.write_csv(chile), "CL") == chile
    for other in (chile[:-1], [chile[0]._replace(lat=0.0), *chile[1:]], chile[::-1], []):
        with pytest.raises(PageError, match="page and the CSV file of CL do not list the same airports"):
            check(page, airports.write_csv(other), "CL")
    with pytest.raises(PageError, match="another country"):
        check(page, airports.write_csv(chile), "IS")


class Relay(threading.Thread):
    """Passes every connection on to a site, and counts how many are open at once."""

    def __init__(self, site: loneliest.Site) -> None:
        super().__init__(daemon=True)
        self.target = ("127.0.0.1", int(site.url.rpartition(":")[2]))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.open = self.most = self.all = 0
        self.lock = threading.Lock()

    def run(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                with self.lock:
                    self.open, self.all = self.open + 1, self.all + 1
                    self.most = max(self.most, self.open)
                site = socket.create_connection(self.target)
                threading.Thread(target=self.pass_on, args=(site, client), daemon=True).start()
                threading.Thread(target=self.pass_on, args=(client, site, True), daemon=True).start()

    def pass_on(self, source: socket.socket, target: socket.socket, counted: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        if counted:  # before the other side can know, and open a new one
            with self.lock:
                self.open -= 1
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Relay:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.join()


@every_strategy
@pytest.mark.parametrize(("connections", "workers"), [(3, 2), (1, 2)])
def test_no_strategy_opens_more_connections_than_it_may_and_all_keep_them_open(
    quick_site: loneliest.Site, strategy: str, connections: int, workers: int
) -> None:
    with Relay(quick_site) as relay:
        survey(
            relay.url,
            strategy,
            n_countries=10,
            connections=connections,
            workers=workers,
            compute="sorted",
            parser="stdlib",
        )
    # The processes log in with one connection, and close it before they open their own.
    assert 1 <= relay.most <= connections + (strategy == "processes")
    assert relay.all <= connections + (strategy == "processes")


RUN = """
import sys
from flowlab.workloads import loneliest
url, strategy, folder = sys.argv[1:]
call = loneliest.job(url, n_countries=24, workers=2, downloads=folder or None).strategies[strategy]
print("begun", flush=True)
call()
"""


def start_run(site: loneliest.Site, strategy: str, folder: Path | None) -> subprocess.Popen[str]:
    """Return a run in the middle of its work: some files are saved, in the folder or a temporary one."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, site.url, strategy, str(folder or "")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    assert run.stdout
    assert run.stdout.readline() == "begun\n"
    where = Path(os.environ.get("TMPDIR", "")) if folder is None else folder.parent
    while not list(where.glob("*downloads*/*.csv")):
        assert run.poll() is None, run.stderr and run.stderr.read()
        time.sleep(0.01)
    return run


def tree(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def assert_complete(folder: Path) -> None:
    countries = airports.load()
    for path in folder.glob("*.csv"):
        assert airports.read_csv(path.read_text(encoding="utf-8")) == countries[path.stem]
    for path in folder.glob("*.html"):
        assert path.read_text(encoding="utf-8").endswith("</html>\n")


@posix
@every_strategy
def test_a_run_killed_by_sigkill_leaves_no_half_file_and_no_process(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path
) -> None:
    with start_run(quick_site, strategy, tmp_path / "downloads") as run:
        children = tree(run.pid)
        run.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert_complete(tmp_path / "downloads")


@posix
@every_strategy
def test_ctrl_c_ends_a_run_with_complete_files_and_no_process(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path
) -> None:
    with start_run(quick_site, strategy, tmp_path / "downloads") as run:
        children = tree(run.pid)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
        assert run.stderr
        complaints = run.stderr.read()
    assert run.returncode != 0
    assert complaints.rstrip().endswith("KeyboardInterrupt")
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert_complete(tmp_path / "downloads")
    assert not list((tmp_path / "downloads").glob(".*.part"))


@posix
@every_strategy
def test_ctrl_c_leaves_nothing_of_an_unnamed_folder(
    quick_site: loneliest.Site, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with start_run(quick_site, strategy, None) as run:
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr
        run.stderr.read()
    assert run.returncode != 0
    assert not list(tmp_path.glob("flowlab-downloads-*"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_country": 3}, "the job has no setting 'n_country': did you mean 'n_countries'"),
        ({"n_countries": 0}, "n_countries=0 is not possible"),
        ({"n_countries": 1000}, "choose a whole number from 1 to 233"),
        ({"countries": ["QQ"]}, "there is no country 'QQ'"),
        ({"compute": "fast"}, "compute='fast' is not possible: choose 'pairs' or 'sorted'"),
        ({"parser": "lxml"}, "parser='lxml' is not possible: choose 'soup' or 'stdlib'"),
        ({"workers": 0}, "workers=0 is not possible"),
        ({"connections": 0}, "connections=0 is not possible"),
        ({"connections": 1.5}, "connections=1.5 is not possible"),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused_before_anything_starts(
    settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingError, match=re.escape(sentence)):
        loneliest.job("http://127.0.0.1:1", **settings)  # type: ignore[arg-type]


def test_a_job_needs_a_running_site_or_an_address() -> None:
    with pytest.raises(SettingError, match="the site does not run: make the job within"):
        loneliest.job(loneliest.site())
    with pytest.raises(SettingError, match="must look like http://"):
        loneliest.job("localhost:8080")
    with pytest.raises(SettingError, match="needs a site or its address, not int"):
        loneliest.job(8080)  # type: ignore[arg-type]


def test_a_job_is_what_a_comparison_takes(quick_site: loneliest.Site) -> None:
    import cloudpickle

    job = loneliest.job(quick_site, n_countries=6, workers=3)
    assert job.name == "loneliest"
    assert list(job.strategies) == STRATEGIES
    assert job.services == {"site": quick_site.pid}
    assert job.requests == 15
    assert job.question.endswith("?")
    assert job.settings["connections"] == 8 and job.settings["workers"] == 3 and job.settings["latency_ms"] == 0
    assert "solitude" not in repr(job) and "solitude" not in str(job.settings)
    for call in job.strategies.values():
        assert len(cloudpickle.dumps(call)) < 1000
    assert cloudpickle.loads(cloudpickle.dumps(job.strategies["serial"]))() == survey(quick_site, "serial")


def test_all_modules_a_strategy_needs_are_there_before_its_call(quick_site: loneliest.Site) -> None:
    script = """
import sys
from flowlab.workloads import loneliest
job = loneliest.job(sys.argv[1], n_countries=2, workers=1)
before = set(sys.modules)
job.strategies[sys.argv[2]]()
clients = ("httpx", "httpcore", "anyio", "bs4", "h11")
late = [name for name in sys.modules if name.split(".")[0] in clients and name not in before]
assert "pandas" not in sys.modules and "matplotlib" not in sys.modules
print(late)
"""
    for strategy in ("serial", "asyncio"):
        found = subprocess.run([sys.executable, "-c", script, quick_site.url, strategy], capture_output=True, text=True)
        assert found.stdout == "[]\n", found.stderr
