"""A clock that tests turn by hand, and the recorder that reads it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from flowlab.metrics import Recorder
from flowlab.metrics.clocks import Clocks


class HandClock:
    """Time that only passes when a test says so; CPU and run-queue time are each thread's own."""

    def __init__(self) -> None:
        self.now = 0
        self.own = threading.local()

    def spend(self, ns: int) -> None:
        """Compute for so long."""
        self.now += ns
        self.own.cpu = self.cpu() + ns

    def queue(self, ns: int) -> None:
        """Wait for a core for so long."""
        self.now += ns
        self.own.queued = self.runqueue() + ns

    def wait(self, ns: int) -> None:
        """Do nothing for so long."""
        self.now += ns

    def wall(self) -> int:
        return self.now

    def cpu(self) -> int:
        return getattr(self.own, "cpu", 0)

    def runqueue(self) -> int:
        return getattr(self.own, "queued", 0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def recorder(clock: HandClock) -> Iterator[Recorder]:
    with Recorder(clock=Clocks(clock.wall, clock.cpu, clock.runqueue, "by hand")) as active:
        yield active
