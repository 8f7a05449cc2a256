"""%load_ext flowlab in a real kernel: a measured cell does what it does without the magic, and says what it cost."""

import pytest

SETUP = """
%load_ext flowlab
import asyncio
import flowlab as fl
def work():
    with fl.span("inner"):
        sum(range(1000))
    return 5
"""


@pytest.fixture
def cell(kernel):
    """Run a cell in a kernel that has the extension, and return what it showed."""
    kernel.run(SETUP)

    def run(code, status="ok"):
        return Shown(kernel.run(code, status))

    return run


class Shown:
    def __init__(self, sent):
        def data(kind):
            return [message["content"]["data"] for message in sent if message["msg_type"] == kind]

        self.tables = [bundle["text/plain"] for bundle in data("display_data")]
        self.pages = [bundle["text/html"] for bundle in data("display_data")]
        self.values = [bundle["text/plain"] for bundle in data("execute_result")]
        self.printed = "".join(m["content"]["text"] for m in sent if m["msg_type"] == "stream")
        self.errors = ["\n".join(m["content"]["traceback"]) for m in sent if m["msg_type"] == "error"]


def test_a_cell_shows_its_value_and_one_row_an_operation(cell):
    shown = cell("%%measure hello\nanswer = work()\nanswer")
    assert shown.values == ["5"] and not shown.printed
    (table,) = shown.tables
    for word in ("wall", "CPU", "waiting for a core", "blocked", "peak memory", "hello", "inner"):
        assert word in table and word in shown.pages[0]
    assert cell("[r.operation for r in _measured.records], answer").values == ["(['inner', 'hello'], 5)"]


def test_the_parts_of_the_wall_are_in_the_records(cell):
    cell("%%measure\nwork()")
    shown = cell(
        "(call,) = [r for r in _measured.records if r.operation == 'cell']\n"
        "import sys\n"
        "parts = (call.cpu_ns, call.runqueue_ns, call.blocked_ns)\n"
        "sys.platform != 'linux' or None in parts or sum(parts) == call.wall_ns"
    )
    assert shown.values == ["True"]


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ("-o rec", "len(rec.records) == 2 and rec is not _measured"),
        ("three --repeat 3", "[r.operation for r in _measured.records].count('three') == 3"),
        ("--level=time", "_measured.level == 'time'"),
        ("--memory", "all(r.mem_method == 'tracemalloc_step' for r in _measured.records)"),
        ("-o rec --repeat 2 a name", "[r.operation for r in rec.records].count('a name') == 2"),
    ],
)
def test_options(cell, options, check):
    cell("_measured = rec = None")
    cell(f"%%measure {options}\nwork()")
    assert cell(check).values == ["True"]


def test_a_cell_that_awaits_is_measured_on_the_same_loop(cell):
    cell("loop = asyncio.get_running_loop()")
    shown = cell("%%measure waiting\nhere = asyncio.get_running_loop() is loop\nawait asyncio.sleep(0, 'slept')")
    assert shown.values == ["'slept'"] and "waiting" in shown.tables[0]
    assert cell("here, _measured.records[-1].steps").values == ["(True, 2)"]
    assert cell("%%measure\nasync with asyncio.timeout(9):\n    pass").tables


@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)"], ids=["plain", "awaiting"])
def test_an_error_is_shown_as_ever_and_what_was_measured_is_kept(cell, wait):
    shown = cell(f"%%measure\nbefore = work()\n{wait}\n1 / 0", status="error")
    (error,) = shown.errors
    assert "ZeroDivisionError" in error and "line 4" in plain(error)
    for ours in ("magics.py", "spans.py", "run_cell_magic"):
        assert ours not in error
    assert "1, 1 failed" in shown.tables[0]
    assert cell("before, [(r.operation, r.status) for r in _measured.records]").values == [
        "(5, [('inner', 'ok'), ('cell', 'error')])"
    ]


def plain(text):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_semicolon_hides_the_value_as_ever(cell):
    assert cell("%%measure\nwork();").values == []


def test_other_magics_and_definitions_work_inside(cell):
    shown = cell("%%measure\nwhere = %pwd\ndef twice(x):\n    return 2 * x\nprint(twice(4), len(where) > 0)")
    assert shown.printed == "8 True\n"
    assert "return 2 * x" in cell("import inspect; inspect.getsource(twice)").values[0]


def test_a_line_measures_an_expression_and_returns_it(cell):
    shown = cell("found = %measure -o rec [work() for _ in range(2)]\nfound")
    assert shown.values == ["[5, 5]"]
    assert cell("{r.operation for r in rec.records} == {'inner', '[work() for _ in range(2)]'}").values == ["True"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%measure --level nope\n1", "--level nope: choose one of time, full"),
        ("%%measure --repeat 0\n1", "--repeat 0: give a whole number"),
        ("%%measure -o 1x\n1", "-o 1x: give the name of a variable"),
        ("%%measure --often\n1", "there is no option --often: choose from"),
        ("%measure", "nothing to measure"),
        ("%measure x = 3", "one expression"),
        ("%measure await asyncio.sleep(0)", "cannot await: put the line into a cell of its own"),
    ],
)
def test_what_it_cannot_do_is_one_sentence_with_the_way_out(cell, code, words):
    (error,) = cell(code, status="error").errors
    assert words in error and "Traceback" not in error


def test_a_flow_in_the_cell_is_measured_too(cell):
    cell("flow = fl.DataFlow(fl.operation(outputs='b', name='add')(lambda a: a + 1))")
    assert "add" in cell("%%measure\nflow.run({'a': 1})['b']").tables[0]


def test_unloading_takes_it_away(kernel):
    kernel.run(SETUP)
    kernel.run("%unload_ext flowlab")
    (message,) = [m for m in kernel.run("%%measure\n1", "error") if m["msg_type"] == "stream"]
    assert "Cell magic `%%measure` not found" in message["content"]["text"]
    kernel.run("%load_ext flowlab")
