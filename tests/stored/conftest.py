"""A store of its own for each test, and a flow whose calls can be told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowlab as fl


@fl.operation(outputs="number", expand=True)
def numbers(count: int) -> range:
    return range(count)


@fl.operation(outputs="square")
def square(number: int) -> int:
    with fl.span("multiply"):
        fl.metric(number=number)
        return number * number


@fl.operation(outputs="total", collect="square")
def total(square: list[int]) -> int:
    return sum(square)


@pytest.fixture
def flow() -> fl.DataFlow:
    return fl.DataFlow(numbers, square, total, name="squares")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"
