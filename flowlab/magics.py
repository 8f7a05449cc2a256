"""The IPython extension: `%load_ext flowlab`, then `%%measure` on a cell or `%measure` before an expression.

Here are the two magics and the table they show. Not here: measuring itself (`metrics`). Invariant: a measured cell does
what it does without the magic - its value, its variables, its errors, `await` included - and what was measured until an
error is kept.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from statistics import median
from types import CodeType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from flowlab.errors import SettingError
from flowlab.live.wording import UNKNOWN, columns, table
from flowlab.metrics import Record, Recorder, active
from flowlab.metrics.active import LEVELS
from flowlab.metrics.memory import HighWater

VARIABLE = "_measured"
"""Where the recorder is kept, unless `-o` names another variable."""
HEADS = ("operation", "calls", "wall", "CPU", "waiting for a core", "blocked", "peak memory")
TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
LONGEST = 40
"""An expression is named by at most so many of its letters."""
VALUED = ("--level", "--repeat", "-o")
"""The options that take a value."""
_CALL = "get_ipython().run_cell_magic('measure', "
Display = Callable[..., Any]


class MeasureError(SettingError):
    """`%measure` was asked for something it cannot do; IPython shows the sentence alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a magic's line asks for."""

    name: str
    level: str
    repeats: int
    memory: bool
    variable: str


class Measurement:
    """What a cell cost, as a table: one row an operation, medians where it was called more than once."""

    def __init__(self, records: Iterable[Record], variable: str) -> None:
        self.rows = tuple(_rows(records))
        several = any(not row[1].startswith("1") or row[1][1:2].isdigit() for row in self.rows)
        each = "a call: median (least to most); " if several else ""
        self.caption = f"{each}records in {variable}.records, as a frame {variable}.table()"

    def __repr__(self) -> str:
        rows = [tuple(cell.replace("\n", " ") for cell in row) for row in self.rows]
        return f"{columns([HEADS, *rows])}\n{self.caption}"

    def _repr_html_(self) -> str:
        return table(
            HEADS, [tuple(escape(cell).replace("\n", "<br>") for cell in row) for row in self.rows], self.caption
        )


@magics_class
class MeasureMagics(Magics):
    """`%%measure` and `%measure`."""

    shell: Any

    @no_var_expand
    @line_cell_magic
    def measure(self, line: str, cell: str | None = None) -> Any:
        """Measure a cell, or an expression, and show what it cost.

            %%measure [NAME] [--level LEVEL] [--repeat N] [--memory] [-o VARIABLE]
            %measure [--level LEVEL] [--repeat N] [--memory] [-o VARIABLE] EXPRESSION

        Spans, measured functions and flows inside are measured too. The cell may await. Its value is that of its last
        expression, as ever; the recorder is in the variable `_measured`.

        Options:
            NAME: What the cell is called in the records; "cell" if not given.
            --level: "full" (the default: wall, CPU, waiting for a core) or "time" (wall and CPU, at less cost).
            --repeat: How often to run it; 1 if not given.
            --memory: Read the memory of every call, by tracemalloc: code that allocates much runs up to 14 times
                slower. Without it there is the peak of the whole process while the cell ran.
            -o: The variable for the recorder.
        """
        wish, rest = self._asked(line, cell is None)
        code, last = self._compiled(rest if cell is None else "\n" + cell, cell is None)
        silenced: Any = DisplayHook.semicolon_at_end_of_expression
        silent = cell is not None and silenced(cell)
        recorder = Recorder(level=wish.level, trace_memory=wish.memory)
        if any(part is not None and part.co_flags & inspect.CO_COROUTINE for part in (code, last)):
            if cell is None:
                raise MeasureError("%measure cannot await: put the line into a cell of its own, under %%measure")
            return self._await(recorder, wish, code, last, silent)
        return self._run(recorder, wish, code, last, silent)

    def _run(self, recorder: Recorder, wish: Wish, code: CodeType, last: CodeType | None, silent: bool) -> Any:
        space = self.shell.user_ns

        def body() -> Any:
            try:
                exec(code, space)
                return None if last is None else eval(last, space)
            finally:
                tell_memory(high)

        value: Any = None
        high = None if wish.memory else HighWater()
        try:
            with recorder, shown_as_usual(self.shell, code.co_filename):
                for _ in range(wish.repeats):
                    if high is not None:
                        high.start()
                    value = recorder.measured(wish.name)(body)()
        finally:
            self._show(recorder, wish)
        return None if silent else value

    async def _await(self, recorder: Recorder, wish: Wish, code: CodeType, last: CodeType | None, silent: bool) -> Any:
        space = self.shell.user_ns

        async def body() -> Any:
            value: Any = None
            try:
                for part in filter(None, (code, last)):
                    value = eval(part, space)
                    if part.co_flags & inspect.CO_COROUTINE:
                        value = await value
                return None if last is None else value
            finally:
                tell_memory(high)

        value: Any = None
        high = None if wish.memory else HighWater()
        try:
            with recorder, shown_as_usual(self.shell, code.co_filename):
                for _ in range(wish.repeats):
                    if high is not None:
                        high.start()
                    value = await recorder.measured(wish.name)(body)()
        finally:
            self._show(recorder, wish)
        return None if silent else value

    def _asked(self, line: str, whole: bool) -> tuple[Wish, str]:
        """The options of a line, and what comes after them."""
        options, rest = parsed(line, whole)
        level, repeats, variable = (
            options.get(name, default) for name, default in (("--level", "full"), ("--repeat", "1"), ("-o", VARIABLE))
        )
        if level not in LEVELS[1:]:
            raise MeasureError(f"--level {level}: choose one of {', '.join(LEVELS[1:])}")
        if not repeats.isdecimal() or int(repeats) < 1:
            raise MeasureError(f"--repeat {repeats}: give a whole number, 1 or more")
        if not variable.isidentifier():
            raise MeasureError(f"-o {variable}: give the name of a variable")
        if whole and not rest.strip():
            raise MeasureError("%measure has nothing to measure: give an expression after it, or use %%measure")
        name = rest.strip() or "cell"
        name = name if not whole or len(name) <= LONGEST else name[: LONGEST - 1] + "…"
        return Wish(name, level, int(repeats), "--memory" in options, variable), rest

    def _compiled(self, text: str, whole: bool) -> tuple[CodeType, CodeType | None]:
        """The code of a cell, and that of its last expression, whose value is the cell's."""
        compiler: Any = self.shell.compile
        source = self.shell.transform_cell(text)
        if text.startswith("\n"):
            source = "\n" + source.lstrip("\n")  # the first line is the magic's: numbers of lines are the cell's
        name = compiler.cache(source, self.shell.execution_count, raw_code=source)
        tree = self.shell.transform_ast(compiler.ast_parse(source, filename=name))
        if whole and not (len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)):
            raise MeasureError("%measure measures one expression: for more, use %%measure on a cell of its own")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.shell.autoawait else 0
        with compiler.extra_flags(flags):
            code = compiler(tree, name, "exec")
            value = None if last is None else compiler(ast.Expression(last.value), name, "eval")
        return code, value

    def _show(self, recorder: Recorder, wish: Wish) -> None:
        from IPython import display

        self.shell.user_ns[wish.variable] = recorder
        show: Any = display.display
        show(Measurement(recorder.records, wish.variable))


def parsed(line: str, whole: bool) -> tuple[dict[str, str], str]:
    """The options of a magic's line, and the rest of it.

    Args:
        line: What was typed.
        whole: The options come first and the rest is an expression; else they may come anywhere.

    >>> parsed("--repeat 3 f(-o)", True), parsed("parse --repeat=3", False)
    (({'--repeat': '3'}, 'f(-o)'), ({'--repeat': '3'}, 'parse'))
    """
    options: dict[str, str] = {}
    words: list[str] = []
    rest = line.strip()
    while rest:
        word, _, after = rest.partition(" ")
        name, equals, value = word.partition("=")
        if name in VALUED:
            if not equals:
                value, _, after = after.strip().partition(" ")
            options[name] = value
        elif word == "--memory":
            options[word] = ""
        elif whole and not word.startswith("--"):
            return options, rest
        elif word.startswith("-"):
            raise MeasureError(f"there is no option {word}: choose from {', '.join(VALUED)} and --memory")
        else:
            words.append(word)
        rest = after.strip()
    return options, " ".join(words)


def tell_memory(high: HighWater | None) -> None:
    """Let the call that ends here know the process's memory, in which whatever else the process did is too."""
    call = active.CALL.get()
    if high is not None and call is not None:
        memory = high.stop()
        call.fields = {
            "mem_peak_bytes": memory.peak_bytes, "mem_net_bytes": memory.net_bytes, "mem_method": memory.method,
            "mem_quality": "unavailable" if memory.peak_bytes is None else "estimated",
        }  # fmt: skip


@contextmanager
def shown_as_usual(shell: Any, name: str) -> Iterator[None]:
    """Have an error be shown with the frames of the cell's own code only, as if the cell had been run without us.

    Args:
        name: The file name of the cell's code.
    """
    try:
        yield
    except BaseException as error:
        with suppress(AttributeError):  # an exception without a dict is shown with all frames
            error._render_traceback_ = partial(rendered, shell, error, name)  # type: ignore[attr-defined]
        raise


def rendered(shell: Any, error: BaseException, name: str) -> list[str]:
    """The lines that show an error from the frame of this file on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)
    return lines


def awaiting(shell: Any) -> Callable[[list[str]], list[str]]:
    """A transformation of cells: `%%measure` is awaited where the cell under it awaits."""

    def transform(lines: list[str]) -> list[str]:
        if not (lines and lines[0].startswith(_CALL)):
            return lines
        call = ast.parse(lines[0]).body[0].value  # type: ignore[attr-defined]
        body = shell.transform_cell(ast.literal_eval(call.args[2]))
        return ["await " + lines[0], *lines[1:]] if shell.should_run_async(body, transformed_cell=body) else lines

    return transform


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell: what `%load_ext flowlab` calls."""
    shell.register_magics(MeasureMagics)
    if not any(getattr(known, "__module__", "") == __name__ for known in shell.input_transformers_post):
        shell.input_transformers_post.append(awaiting(shell))


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics off again."""
    ours = [known for known in shell.input_transformers_post if getattr(known, "__module__", "") == __name__]
    for known in ours:
        shell.input_transformers_post.remove(known)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("measure", None)


def _rows(records: Iterable[Record]) -> Iterator[tuple[str, ...]]:
    """The cells of the table: one row an operation, in the order they began."""
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.started_ns or 0):
        found.setdefault(record.operation, []).append(record)
    for name, calls in found.items():
        failed = sum(call.status != "ok" for call in calls)
        count = f"{len(calls):,}, {failed:,} failed" if failed else f"{len(calls):,}"
        yield (
            name, count, _said([call.wall_ns for call in calls], TIMES), _said([call.cpu_ns for call in calls], TIMES),
            _said([call.runqueue_ns for call in calls], TIMES), _said([call.blocked_ns for call in calls], TIMES),
            _memory(calls),
        )  # fmt: skip


def _said(values: Iterable[int | None], units: Sequence[tuple[float, str]]) -> str:
    """The median, and below it the least and the most if there are several; what was not measured says so.

    >>> _said([1_500, 20_000_000, 40_000_000], TIMES), _said([None], TIMES)
    ('20 ms\\n(0.0015 to 40)', '–')
    """
    known = [value for value in values if value is not None]
    if not known:
        return UNKNOWN
    most = max(abs(value) for value in known)
    size, unit = next((pair for pair in units if most >= pair[0]), units[-1])
    middle, least, highest = (f"{value / size:.3g}" for value in (median(known), min(known), max(known)))
    return f"{middle} {unit}" if len(known) == 1 else f"{middle} {unit}\n({least} to {highest})"


def _memory(calls: Sequence[Record]) -> str:
    said = _said([call.mem_peak_bytes for call in calls], SIZES)
    return f"about {said}" if any(call.mem_quality == "estimated" for call in calls) else said
