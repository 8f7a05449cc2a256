"""The public DataFlow: plans, explanations, lineage, drawings, parts of flows, settings, and what its import costs."""

import re
import subprocess
import sys
from collections import defaultdict

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError, RunError
from flowlab.graph import Definition, operation
from flowlab.metrics import active


def f(a):
    return a + 1


def g(a):
    return a + 10


def h(b, c):
    return b * c


FLOW = DataFlow(
    operation(outputs="b")(f), operation(outputs="c", weight=3, domain=lambda a: a > 0)(g), operation(outputs="e")(h)
)


def test_the_plan_shows_operations_cost_and_alternatives_without_running():
    spare = operation(name="spare", outputs="c", weight=9)(lambda a: 1 / 0)
    plan = DataFlow(*FLOW.operations, spare).plan(["a"], outputs=["e"])
    assert set(plan.operations) == {"f", "g", "h"} and plan.operations[-1] == "h"
    assert plan.cost == 4 and plan.alternatives == {"c": ("spare",)}


def test_a_run_has_values_calls_records_and_a_table():
    run = FLOW.run({"a": 1}, outputs=["e"])
    assert run["e"] == 22 and run.values == {"a": 1, "e": 22} and sorted(run.calls) == ["f", "g", "h"]
    assert len(run.records) == 3 and list(run.table()["operation"])[-1] == "h"
    assert "e" in run and "b" not in run and "3 calls" in repr(run)


def test_asking_a_run_for_what_it_has_not_says_why():
    run = FLOW.run({"a": 1}, outputs=["e"])
    with pytest.raises(KeyError, match="was not kept: ask for it"):
        run["b"]
    with pytest.raises(KeyError, match="is not a definition"):
        run["zz"]


EXPLANATIONS = [
    ({"a": 1}, "a", "'a' was given"),
    ({"a": 1}, "b", "'b' was made by 'f', at cost 1."),
    ({"a": 1}, "g", "operation 'g' ran once."),
    ({"a": -1}, "c", "'c' was not made: operation 'g' was refused, its domain says no."),
    ({"a": -1}, "h", "operation 'h' did not run: something it needs was not made."),
    ({"b": 1}, "e", "'e' cannot be made: operation 'h' needs 'c'"),
    ({"a": 1, "b": 1}, "f", "operation 'f' did not run: nothing requested needs it"),
]


@pytest.mark.parametrize(("given", "name", "says"), EXPLANATIONS, ids=[f"{n} given {g}" for g, n, _ in EXPLANATIONS])
def test_explain_reads_as_a_sentence(given, name, says):
    told = FLOW.run(given).explain(name)
    assert told.startswith(says) and told.endswith(".")


def test_explain_says_which_alternative_failed_and_which_was_not_needed():
    flow = DataFlow(
        operation(name="one", outputs="b", weight=1)(lambda a: 1 / 0),
        operation(name="two", outputs="b", weight=2)(lambda a: 2),
        operation(name="three", outputs="b", weight=3)(lambda a: 3),
    )
    run = flow.run({"a": 1})
    assert run.explain("b").startswith("'b' was made by 'two'") and "because 'one' failed" in run.explain("b")
    assert "'three' would have cost as much or more" in run.explain("b")
    assert run.explain("three").startswith("operation 'three' did not run: 'b' was made by 'two'")
    assert run.explain("one") == "operation 'one' ran once and failed once (ZeroDivisionError)."


def test_explain_of_an_unknown_name_suggests_the_nearest():
    with pytest.raises(FlowError, match="asked to explain 'ee'"):
        FLOW.run({"a": 1}).explain("ee")


def test_lineage_names_operations_and_definitions():
    text = str(FLOW.run({"a": 1}, ["e"]).lineage("e"))
    assert text.splitlines() == ["e <- h", "  b <- f", "    a (given)", "  c <- g", "    a (given)"]


def test_lineage_shows_the_alternative_that_was_taken():
    flow = DataFlow(
        operation(name="one", outputs="b", weight=1)(lambda a: 1 / 0),
        operation(name="two", outputs="b", weight=2)(lambda z: 2),
    )
    assert str(flow.run({"a": 1, "z": 1}, ["b"]).lineage("b")) == "b <- two\n  z (given)"


def test_a_flow_draws_itself_as_mermaid_and_svg():
    text = FLOW.mermaid()
    assert text.startswith("flowchart TD") and '"b"' in text and "g" in text
    drawing = FLOW._repr_html_()
    assert drawing.startswith("<svg") and 'aria-label="Flow flow: f makes b from a' in drawing
    assert drawing.count("<rect") == 4 and "<script" not in drawing


def test_a_runs_drawing_shows_what_ran_failed_and_was_skipped():
    def fail(a):
        raise ValueError

    flow = DataFlow(operation(outputs="b")(fail), operation(outputs="c")(g), operation(outputs="d")(lambda b: b))
    drawing = flow.run({"a": 1}, strict=False)._repr_html_()
    for state, words in (("ok", "ms"), ("failed", "1 failed"), ("skipped", "did not run")):
        assert re.search(f'<g class="{state}">.*?{words}', drawing)


def test_names_in_drawings_are_escaped():
    flow = DataFlow(operation(name='<b>"x"', outputs="<i>")(lambda a: a))
    assert "<b>" not in flow.svg() and '["<b>' not in flow.mermaid()


def test_sub_extracts_a_part_with_its_alternatives():
    spare = operation(name="spare", outputs="b", weight=9)(lambda z: 1)
    whole = DataFlow(
        *FLOW.operations, spare, operation(outputs="other")(lambda q: q), definitions=[Definition("q", unit="m")]
    )
    part = whole.sub(inputs=["a", "z"], outputs=["b"])
    assert set(part.graph.operations) == {"f", "spare"} and part.definitions == ()
    assert set(whole.sub(outputs=["e"]).graph.operations) == {"f", "g", "h", "spare"}
    with pytest.raises(FlowError, match="leads from"):
        whole.sub(inputs=["q"], outputs=["e"])


def test_flows_merge_by_their_operations():
    other = DataFlow(operation(name="k", outputs="z")(lambda e: -e))
    assert DataFlow(*FLOW.operations, *other.operations).run({"a": 1}, ["z"])["z"] == -22


def test_settings_come_from_a_mapping_or_a_toml_file(tmp_path):
    path = tmp_path / "flow.toml"
    path.write_text("[g]\nweight = 7\ntimeout_s = 2\n")
    for source in (str(path), path, {"g": {"weight": 7, "timeout_s": 2}}):
        made = FLOW.configured(source).graph.operations["g"]
        assert (made.weight, made.timeout_s) == (7, 2)
    with pytest.raises(FlowError, match="no operation 'gg'"):
        FLOW.configured({"gg": {}})
    with pytest.raises(FlowError, match="no setting 'wait'"):
        FLOW.configured({"g": {"wait": 1}})


BAD = [
    (dict.fromkeys(["a"], 1), {"outputs": "e"}, r"say outputs=\['e'\]"),
    ({"a": 1}, {"executor": "thread"}, "did you mean 'threads'"),
    ({"a": 1}, {"workers": 0}, "workers is at least 1"),
    ({"b": 1, "aa": 2}, {}, "given is 'aa', which flow 'flow' does not know"),
    ({"a": 1}, {"outputs": ["ee"]}, "wanted is 'ee'"),
]


@pytest.mark.parametrize(("given", "settings", "says"), BAD, ids=[says for *_, says in BAD])
def test_bad_arguments_are_an_error_before_anything_runs(given, settings, says):
    with pytest.raises(FlowError, match=says):
        FLOW.run(given, **settings)


def test_unreachable_outputs_say_what_to_seed():
    with pytest.raises(RunError, match="operation 'h' needs 'c', and nothing given leads to it: seed 'a'") as caught:
        FLOW.run({"b": 1}, ["e"])
    assert caught.value.run is None


def test_the_ancestors_output_helpers_are_ordinary_functions():
    def single(price):
        return price[0]

    def group_by(name, price):
        groups = defaultdict(list)
        for key, value in zip(name, price, strict=True):
            groups[key].append(value)
        return dict(groups)

    flow = DataFlow(
        operation(name="split", outputs=["name", "price"], expand=True)(lambda rows: rows),
        operation(outputs="first", collect="price")(single),
        operation(name="multi", outputs="all", collect="price")(lambda price: price),
        operation(name="associate", outputs="latest", collect=["name", "price"])(
            lambda name, price: dict(zip(name, price, strict=True))
        ),
        operation(outputs="groups", collect=["name", "price"])(group_by),
    )
    run = flow.run({"rows": [("a", 1), ("b", 2), ("a", 3)]})
    assert run["first"] == 1 and run["all"] == [1, 2, 3] and run["latest"] == {"a": 3, "b": 2}
    assert run["groups"] == {"a": [1, 3], "b": [2]}


def test_a_finished_run_adds_its_records_to_the_active_recorder():
    class Keeper:
        keeps_nested = False
        level = "time"
        spool = None

        def __init__(self):
            self.found = []

        def extend(self, records):
            self.found.extend(records)

    keeper = Keeper()
    active.activate(keeper)
    try:
        FLOW.run({"a": 1})
        FLOW.map([{"a": 1}, {"a": 2}])
    finally:
        active.deactivate(keeper)
    assert [r.operation for r in keeper.found].count("h") == 3


def test_map_gives_runs_in_order_and_nothing_for_nothing():
    assert [run["b"] for run in FLOW.map([{"a": i} for i in range(3)], ["b"])] == [1, 2, 3]
    assert FLOW.map([]) == []


def test_importing_the_dataflow_loads_nothing_heavy():
    heavy = [
        "asyncio",
        "psutil",
        "sqlite3",
        "cloudpickle",
        "pandas",
        "matplotlib",
        "socket",
        "multiprocessing",
        "subprocess",
    ]
    code = (
        "import sys, types; package = types.ModuleType('flowlab'); package.__path__ = [sys.argv[1]]; "
        "sys.modules['flowlab'] = package; import flowlab.dataflow; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    folder = re.sub(r"dataflow\.py$", "", sys.modules[DataFlow.__module__].__file__)
    assert (
        subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_an_inline_run_loads_no_event_loop():
    code = (
        "import sys, types; package = types.ModuleType('flowlab'); package.__path__ = [sys.argv[1]]; "
        "sys.modules['flowlab'] = package; from flowlab.dataflow import DataFlow; from flowlab.graph import operation; "
        "DataFlow(operation(outputs='b')(lambda a: a)).run({'a': 1}); print('asyncio' in sys.modules)"
    )
    folder = re.sub(r"dataflow\.py$", "", sys.modules[DataFlow.__module__].__file__)
    assert (
        subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
