"""A run as a picture: the flow's drawing with what ran, what was skipped, what failed, and how long it took."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from flowlab.graph.drawing import Mark, mermaid, svg

if TYPE_CHECKING:
    from flowlab.run.outcome.result import Run


def marks(run: Run) -> dict[str, Mark]:
    """What happened to each operation of the flow."""
    spent: dict[str, float] = {}
    count: dict[str, int] = {}
    for record in run.records:
        spent[record.operation] = spent.get(record.operation, 0.0) + (record.wall_ns or 0) / 1e6
    for name in run.calls:
        count[name] = count.get(name, 0) + 1
    failed: dict[str, int] = {}
    for entry in run.errors:
        failed[entry.operation] = failed.get(entry.operation, 0) + 1
    found = {}
    for name in run._context.layout.graph.operations:
        ran = count.get(name, 0)
        times = f"{ran} calls, " if ran > 1 else ""
        if name in failed:
            found[name] = Mark("failed", f"{times}{failed[name]} failed, {_took(spent.get(name, 0.0))}")
        elif ran:
            found[name] = Mark("ok", f"{times}{_took(spent.get(name, 0.0))}")
        else:
            found[name] = Mark("skipped", "did not run")
    return found


def _took(milliseconds: float) -> str:
    """Return a time in three digits, without an exponent.

    >>> _took(0.1234), _took(999.9), _took(1249.6)
    ('0.123 ms', '1,000 ms', '1,250 ms')
    """
    return f"{milliseconds:,.0f} ms" if milliseconds >= 999.5 else f"{milliseconds:.3g} ms"


def run_svg(run: Run) -> str:
    """The run as an SVG drawing."""
    return svg(run._context.layout.graph, marks(run))


def run_mermaid(run: Run) -> str:
    """The run as a mermaid diagram."""
    return mermaid(run._context.layout.graph, marks(run))


def run_html(run: Run) -> str:
    """The run as HTML: its drawing, one line about it, and what measuring it cost."""
    measuring = f"; {run.overhead}" if run.records else ""
    return f"<figure>{run_svg(run)}<figcaption>{escape(repr(run) + measuring)}</figcaption></figure>"
