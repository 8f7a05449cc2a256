"""One real comparison, run once: three strategies in fresh processes, and a service beside them."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import flowlab as fl
from flowlab.comparison import Comparison


@fl.measured("fetch")
def fetch(item: int) -> int:
    fl.metric(requests=1, net_bytes=1000)
    time.sleep(0.01)
    return item


@fl.measured("score")
def score(item: int) -> int:
    return sum(range(30_000)) * 0 + item


def one_by_one() -> list[int]:
    return [score(fetch(item)) for item in range(4)]


def in_threads() -> list[int]:
    found: list[int] = []
    threads = [threading.Thread(target=lambda item=item: found.append(score(fetch(item)))) for item in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


@pytest.fixture(scope="session")
def comparison() -> Iterator[Comparison]:
    service = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        job = SimpleNamespace(
            name="items & <parts>",
            strategies={"serial": one_by_one, "threads": in_threads, "<mine>": one_by_one},
            services={"site": service.pid},
            settings={"n_items": 4, "who": "<b>us</b>", "parts": ["a", "b"], "exact": True},
            question="How many items? <i>All</i>?",
            answer=lambda items: f"{len(items)} items & no more.",
        )
        yield fl.compare(job, repeats=3, say=lambda _: None)
    finally:
        service.communicate()
