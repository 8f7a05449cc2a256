"""The code to paste: every variant is run as a reader would run it, and does what was measured."""

import functools
import importlib
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

import flowlab as fl
from flowlab.comparison.pasting import code
from flowlab.comparison.strategies import ALL

MINE = """
import asyncio, sys

{prefix}def first(a):
    if a == 7:
        raise ValueError(a)
    if a == 8:
        sys.exit(3)
    return a + 1

def second(b):
    return 2 * b

async def turns(c):
    loop = asyncio.get_running_loop()
    loop.turns = getattr(loop, "turns", 0) + 1
    return loop.turns
"""


@pytest.fixture(params=["", "async "], ids=["sync", "async"])
def mine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A reader's module."""
    (tmp_path / "mine.py").write_text(MINE.format(prefix=request.param))
    sys.path.insert(0, str(tmp_path))
    sys.modules.pop("mine", None)
    yield importlib.import_module("mine")
    sys.path.remove(str(tmp_path))
    del sys.modules["mine"]


def pasted(strategy: str, steps: Any, items: str, folder: Path, failed: Collection[str] = ()) -> tuple[str, Any, str]:
    """What is pasted, what its results are, and what it says on standard error."""
    made = fl.job(*steps, items=range(3), workers=2)
    source = code(strategy, made.steps, made.workers, frozenset({"second"}), failed)
    script = folder / "pasted.py"
    script.write_text(f"items = {items}\n{source}\nif __name__ == '__main__':\n    print(results)\n")
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=folder, timeout=120)
    assert found.returncode == 0, source + found.stderr
    return source, eval(found.stdout), found.stderr


@pytest.mark.parametrize("strategy", ALL)
def test_it_runs_and_gives_the_same_results(strategy: str, mine: Any, tmp_path: Path) -> None:
    source, results, _ = pasted(strategy, (mine.first, mine.second, mine.second), "range(3)", tmp_path)
    assert results == [4, 8, 12], source
    assert ("ProcessPoolExecutor" in source) == (strategy in ("processes", "hybrid"))
    assert "except" not in source and "strict" not in source  # nothing failed, so nothing is caught


@pytest.mark.parametrize("strategy", ALL)
def test_where_items_failed_when_measured_it_goes_on_without_them(strategy: str, mine: Any, tmp_path: Path) -> None:
    failed = {"ValueError", "SystemExit"}
    source, results, said = pasted(strategy, (mine.first, mine.second), "[1, 7, 8, 2]", tmp_path, failed)
    assert results == [4, None, None, 6], source
    if strategy != "dataflow":
        assert "7 failed" in said and "8 failed" in said


@pytest.mark.parametrize("strategy", ALL)
def test_an_async_function_runs_on_one_event_loop_a_worker(strategy: str, mine: Any, tmp_path: Path) -> None:
    source, results, _ = pasted(strategy, (mine.turns,), "range(6)", tmp_path)
    workers = 2 if strategy in ("threads", "processes") else 1
    assert results.count(1) <= workers, source  # a loop counts its turns from 1


def test_the_verdict_of_a_job_whose_items_failed_pastes_code_that_goes_on() -> None:
    def picky(item: int) -> int:
        if item == 1:
            raise KeyError(item)
        return item

    found = fl.compare(fl.job(picky, items=range(3)), ["serial", "threads"], say=lambda _: None)
    assert found.verdict is not None and found.verdict.code is not None
    assert "except Exception:" in found.verdict.code


def test_it_asks_for_a_name_where_a_step_has_none() -> None:
    made = fl.job(functools.partial(pow, 2), items=range(3), workers=2)
    source = code("serial", made.steps, made.workers, frozenset())
    assert "# step_1: give your partial this name" in source and "value = step_1(item)" in source
