"""A name or value nobody knows is refused, and the refusal lists the choices."""

import pytest

from flowlab.adventure.parameters import Parameter, assigned_names, checked, names_given
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError

ROAD = Parameter("path", "str", "download", "the road", choices=("download", "parse", "algorithm"))
COUNT = Parameter("n_countries", "int", None, "how many", least=1)
WAIT = Parameter("latency_ms", "float", None, "how long", least=0)
KNOWN = (ROAD, COUNT, WAIT)
CELL = 'path = "parse"  # type: str\nn_countries = None  # type: int\nlatency_ms = None  # type: float\n'


def test_values_that_are_allowed_come_back_with_defaults_filled_in():
    assert checked(KNOWN, {"path": "parse", "latency_ms": 5}, ["path"]) == {
        "path": "parse",
        "n_countries": None,
        "latency_ms": 5,
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"path": "prase"}, "did you mean 'parse'.*Choose: download, parse, algorithm"),
        ({"path": 3}, "'download' | 'parse' | 'algorithm'"),
        ({"path": None}, "NoneType"),
        ({"n_countries": "6"}, "n_countries is a str, and may be: n_countries \\(int or None\\)"),
        ({"n_countries": True}, "n_countries is a bool"),
        ({"n_countries": 0}, "n_countries must be 1 or more"),
        ({"n_countries": 2.5}, "n_countries is a float"),
        ({"latency_ms": -1.0}, "latency_ms must be 0 or more"),
        ({"latency_ms": float("nan")}, "latency_ms must be 0 or more"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(values, said):
    with pytest.raises(SettingError, match=said):
        checked(KNOWN, values, values)


def test_an_unknown_name_is_refused_with_the_nearest_and_all_names():
    with pytest.raises(SettingError, match=r"no parameter 'pth' \(did you mean 'path'\?\).*n_countries.*latency_ms"):
        checked(KNOWN, {"path": "parse"}, ["path", "pth"])


def test_the_refusal_is_also_a_value_error():
    with pytest.raises(ValueError, match="no parameter"):
        checked(KNOWN, {}, ["nothing"])


@pytest.mark.parametrize(
    ("history", "given"),
    [
        (["", CELL, "begin()"], ("path", "n_countries", "latency_ms")),
        (["", CELL, "# Parameters\npth = 'x'\n", "begin()"], ("path", "n_countries", "latency_ms", "pth")),
        (["", CELL, "begin()", "site = 1", CELL, "begin()"], ("path", "n_countries", "latency_ms")),
        (["", "scratch = 1", CELL + "speed = 3\n", "begin()"], ("path", "n_countries", "latency_ms", "speed")),
        (["", CELL, "# Parameters\nold = 1\n", "begin()", CELL, "begin()"], ("path", "n_countries", "latency_ms")),
    ],
    ids=["as stored", "injected", "run twice", "by hand", "the last parameters cell counts"],
)
def test_the_history_of_cells_tells_what_the_reader_set(history, given):
    assert names_given(KNOWN, {"In": history, "site": 1, "scratch": 2}) == given


def test_without_a_history_every_plain_public_name_counts():
    import json

    assert names_given(KNOWN, {"path": "parse", "pth": "x", "json": json, "len": len, "_1": 2}) == ("path", "pth")


def test_a_cell_that_is_no_python_assigns_nothing():
    assert assigned_names("%%bash\nls ->") == ()
    assert assigned_names("a, (b, *c) = 1, (2, 3)\nfor d in a: e = 1\nf += 1") == ("a", "b", "c", "d", "f")


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS.values() if c.ready], ids=lambda c: c.name)
def test_every_default_in_the_table_is_allowed_and_every_decision_has_its_parameter(chapter):
    assert checked(chapter.parameters, {}, ())
    decision = chapter.decision
    parameter = next(p for p in chapter.parameters if p.name == decision.parameter)
    assert parameter.choices == tuple(decision.options)
    assert len(decision.branches) >= 2
    for branch in decision.branches:
        assert set(branch.then) <= set(CHAPTERS)
