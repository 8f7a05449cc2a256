"""Records of child processes come back to the recorder of their parent, whichever way the child was started."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from flowlab.metrics import Recorder, span
from flowlab.metrics.active import SPOOL, inherited_spool
from flowlab.metrics.spool import Spool, SpoolWriter, remove_stale

JOBS = """
import os
from flowlab.metrics import measured, metric, span

@measured
def parse(n):
    with span("inside", stage="part"):
        metric(n=n, pid=os.getpid())
    return os.getpid()

def fail(n):
    with span("failing"):
        raise ValueError(n)

def die(n):
    with span("before"):
        pass
    os._exit(9)
"""
METHODS = [name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that child processes can import."""
    (tmp_path / "jobs_of_children.py").write_text(JOBS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "jobs_of_children", raising=False)
    import jobs_of_children  # type: ignore[import-not-found]

    return jobs_of_children


@pytest.mark.parametrize("method", METHODS)
def test_spans_in_pool_workers_come_back_each_once(jobs: ModuleType, method: str) -> None:
    with Recorder(strategy="processes", level="full") as recorder:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            pids = list(pool.map(jobs.parse, range(6)))
            meanwhile = len(recorder.records)
        with pytest.raises(ValueError, match="3"), ProcessPoolExecutor(1) as pool:
            pool.submit(jobs.fail, 3).result()
    records = recorder.records
    outer = {record.id: record for record in records if record.operation == "parse"}
    inner = [record for record in records if record.operation == "inside"]
    assert meanwhile == 12
    assert len(records) == 13
    assert len({(record.run, record.id) for record in records}) == 13
    assert sorted(record.custom["n"] for record in inner) == list(range(6))
    assert all(outer[record.parent or 0].pid == record.pid == record.custom["pid"] for record in inner)
    assert sorted(record.pid or 0 for record in outer.values()) == sorted(pids)
    assert {(record.executor, record.strategy, record.run) for record in records} == {
        ("processes", "processes", recorder.run)
    }
    assert all(record.runqueue_ns is not None for record in outer.values()) or not Path("/proc/self/schedstat").exists()
    assert [(record.operation, record.status) for record in records if record.status != "ok"] == [("failing", "error")]


@pytest.mark.skipif("forkserver" not in METHODS, reason="no fork server here")
def test_a_fork_server_older_than_the_recorder_does_not_hide_its_children(jobs: ModuleType) -> None:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(jobs.parse, 0).result()
    for _ in range(2):
        with Recorder() as recorder, ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(jobs.parse, 0).result()
        assert [record.operation for record in recorder.records] == ["inside", "parse"]


def test_children_that_are_plain_programs_and_their_children_record_too(jobs: ModuleType) -> None:
    program = "import sys, subprocess, jobs_of_children as jobs\njobs.parse(1)\n"
    child = program + f"subprocess.run([sys.executable, '-c', {program!r}], check=True)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with Recorder() as recorder:
        subprocess.run([sys.executable, "-c", child], check=True, env=environment | {SPOOL: recorder.spool or ""})
    assert sorted(record.operation for record in recorder.records) == ["inside", "inside", "parse", "parse"]
    assert len({record.pid for record in recorder.records}) == 2


def test_a_worker_that_dies_has_lost_only_what_it_had_not_ended(jobs: ModuleType) -> None:
    with Recorder() as recorder:
        process = multiprocessing.get_context("spawn").Process(target=jobs.die, args=(1,))
        process.start()
        process.join()
    assert process.exitcode == 9
    assert [record.operation for record in recorder.records] == ["before"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_count_into_the_call_it_was_forked_in() -> None:
    with Recorder() as recorder, span("parent"):
        child = os.fork()
        if child == 0:
            try:
                with span("child"):
                    pass
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    found = {record.operation: record for record in recorder.records}
    assert (found["child"].parent, found["child"].pid, found["parent"].pid) == (None, child, os.getpid())


def test_leaving_puts_the_environment_back_and_removes_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPOOL, "of somebody else")
    with Recorder() as recorder:
        folder = recorder.spool
        assert folder is not None
        assert os.environ[SPOOL] == folder
        assert inherited_spool() == folder
    assert os.environ[SPOOL] == "of somebody else"
    assert not Path(folder).exists()


def test_a_line_is_read_once_and_only_when_it_is_complete() -> None:
    spool = Spool()
    try:
        path = Path(spool.folder, "1-a.jsonl")
        whole, half = json.dumps({"operation": "a"}) + "\n", json.dumps({"operation": "b"})
        path.write_text(whole + half[:7], encoding="utf-8")
        assert [record.operation for record in spool.read()] == ["a"]
        path.write_text(whole + half + "\n", encoding="utf-8")
        assert [record.operation for record in spool.read()] == ["b"]
        assert list(spool.read()) == []
    finally:
        spool.remove()


def test_a_child_that_outlives_the_recorder_works_on_and_records_nothing(tmp_path: Path) -> None:
    with Recorder() as gone:
        pass
    writer = SpoolWriter(str(tmp_path / "gone"))
    writer.write(gone.records)
    writer.write(gone.records)
    assert not (tmp_path / "gone").exists()


def test_what_json_cannot_hold_comes_back_as_its_text() -> None:
    from flowlab.metrics import Record

    spool = Spool()
    try:
        custom = {"path": Path("a/b"), "n": 3}
        SpoolWriter(spool.folder).write([Record(operation="save", custom=custom)])
        (record,) = spool.read()
        assert dict(record.custom) == {"path": str(Path("a/b")), "n": 3}
    finally:
        spool.remove()


def test_a_warm_worker_changes_owner_when_it_is_told(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from flowlab.metrics import span\n"
        "from flowlab.metrics.active import SPOOL, adopt\n"
        "for folder in (sys.argv[1], '', sys.argv[2]):\n"
        "    adopt(folder or None)\n"
        "    assert os.environ.get(SPOOL, '') == folder\n"
        "    with span('for ' + folder[-1:]):\n"
        "        pass\n"
    )
    first, second = Spool(), Spool()
    try:
        subprocess.run([sys.executable, "-c", program, first.folder, second.folder], check=True)
        assert [len(list(spool.read())) for spool in (first, second)] == [1, 1]
    finally:
        first.remove()
        second.remove()


def test_folders_of_killed_processes_are_removed_after_a_day_and_no_others(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = (
        f"flowlab-spool-{ended.pid}-old",
        f"flowlab-spool-{ended.pid}-new",
        f"flowlab-spool-{os.getpid()}-old",
        "mine",
    )
    for name in names:
        (tmp_path / name).mkdir()
        if not name.endswith("new"):
            os.utime(tmp_path / name, (0, 0))
    remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
