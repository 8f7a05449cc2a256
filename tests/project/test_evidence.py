"""Texts that name tests as their evidence name tests and vectors that there are."""

import json
import re
from pathlib import Path

import pytest

from flowlab.adventure import notebooks_folder

TESTS = Path(__file__).parents[1]
CONFORMANCE = TESTS / "conformance"
TEXTS = {
    "rubric": (notebooks_folder() / "RUBRIC.md").read_text("utf-8"),
    "meaning": (CONFORMANCE / "README.md").read_text("utf-8"),
}
NAMED = [
    pytest.param(found, id=f"{text}: {found}")
    for text, whole in TEXTS.items()
    for found in sorted(set(re.findall(r"`(test_\w+\.py(?:::\w+)?)`", whole)))
]


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_is_there(named):
    file, _, function = named.partition("::")
    [path] = TESTS.rglob(file)
    assert not function or f"def {function}(" in path.read_text("utf-8")


def test_every_sentence_of_what_a_flow_means_is_held_by_a_test_or_a_vector():
    rows = [line.split(" | ") for line in TEXTS["meaning"].splitlines() if line.startswith("| ") and "`" in line]
    cases = {
        f"{path.stem}: {case['name']}" for path in CONFORMANCE.glob("*.json") for case in json.loads(path.read_text())
    }
    assert len(rows) > 60
    for sentence, evidence in rows:
        held = re.findall(r"`([^`]+)`", evidence)
        assert held, sentence
        assert {name for name in held if not name.startswith("test_")} <= cases, sentence
