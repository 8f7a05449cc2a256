"""A flow as a picture: mermaid text, and our own SVG (no Graphviz).

Operations are boxes, definitions are labels on the lines between them. The layout is by layers: an operation is below
all its makers. Colours say what happened in a run, always beside a word that says it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from flowlab.graph.graph import Graph

_RULES = """{0}.fl text{{fill:{1}}}{0}.fl .d{{fill:{2}}}{0}.fl rect{{fill:{3};stroke:{2}}}
{0}.fl .given rect{{fill:{4}}}{0}.fl .ok rect{{fill:{5};stroke:#1a7f37}}{0}.fl .failed rect{{fill:{6};stroke:#cf222e}}
"""
_LIGHT = ("#1b1f24", "#57606a", "#f6f8fa", "#fff", "#dafbe1", "#ffebe9")
_DARK = ("#e6edf3", "#9198a1", "#161b22", "#0d1117", "#12261e", "#3c1618")
_PAGES = (('[data-jp-theme-light="{}"] ', "true", "false"), ('html[data-theme="{}"] ', "light", "dark"))
"""What JupyterLab, and the site of the series, say of themselves when they are light, and when they are dark."""
_STYLE = f"""
.fl text{{font:13px system-ui,sans-serif}}.fl .d{{font-size:11px}}.fl path{{fill:none;stroke:#8c959f}}
.fl .given rect{{stroke-dasharray:3 2}}.fl .skipped rect{{stroke-dasharray:5 3}}
{_RULES.format("", *_LIGHT)}@media (prefers-color-scheme:dark){{
{_RULES.format("", *_DARK)}}}
""" + "".join(
    _RULES.format(page.format(light), *_LIGHT) + _RULES.format(page.format(dark), *_DARK)
    for page, light, dark in _PAGES
)
"""Light or dark as the system is, but on pages that have a theme as that is: the two need not agree."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What happened to an operation: "ok", "failed" or "skipped", and a few words about it."""

    state: str
    words: str


def mermaid(graph: Graph, marks: Mapping[str, Mark] | None = None) -> str:
    """The graph as a mermaid flowchart.

    Args:
        graph: The graph.
        marks: What happened to operations, by name.
    """
    marks = marks or {}
    number = {name: f"o{i}" for i, name in enumerate(graph.operations)}
    lines = ["flowchart TD"]
    for name, operation in graph.operations.items():
        mark = marks.get(name)
        text = _quoted(name) + (f"<br/>{_quoted(mark.words)}" if mark else "")
        shape = f'["{text}"]' if operation.scope is None else f'[("{text}")]'
        lines.append(f"    {number[name]}{shape}" + (f":::{mark.state}" if mark else ""))
    for i, name in enumerate(_given(graph)):
        lines.append(f'    d{i}(["{_quoted(name)}"])')
        lines.extend(f"    d{i} --> {number[taker]}" for taker in graph.takers[name])
    for source, target, name in _edges(graph):
        lines.append(f'    {number[source]} -- "{_quoted(name)}" --> {number[target]}')
    if marks:
        lines.append("    classDef ok fill:#dafbe1,stroke:#1a7f37,color:#1b1f24")
        lines.append("    classDef failed fill:#ffebe9,stroke:#cf222e,color:#1b1f24")
        lines.append("    classDef skipped stroke-dasharray:5 3")
    return "\n".join(lines)


def svg(graph: Graph, marks: Mapping[str, Mark] | None = None) -> str:
    """The graph as an SVG drawing with a title that says it in words."""
    marks = marks or {}
    boxes = _places(graph)
    width = max((box[0] + box[2] for box in boxes.values()), default=0) + 20
    height = max((box[1] + 40 for box in boxes.values()), default=0) + 20
    words = _words(graph, marks)
    parts = [
        f'<svg class="fl" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(words)}"><title>{escape(words)}</title>'
        f"<style>{_STYLE}</style>"
    ]
    for source, target, name in _lines(graph):
        parts.append(_line(boxes[source], boxes[target], name if source[0] == "o" else ""))
    for key, (x, y, wide) in boxes.items():
        kind, name = key
        mark = marks.get(name) if kind == "o" else None
        state = mark.state if mark else "given" if kind == "d" else ""
        parts.append(
            f'<g class="{state}"><rect x="{x}" y="{y}" width="{wide}" height="36" rx="{16 if kind == "d" else 5}"/>'
            f'<text x="{x + wide / 2:g}" y="{y + (16 if mark else 22)}" text-anchor="middle">{escape(name)}</text>'
        )
        if mark:
            parts.append(
                f'<text class="d" x="{x + wide / 2:g}" y="{y + 30}" text-anchor="middle">{escape(mark.words)}</text>'
            )
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;").replace("<", "&lt;")


def _given(graph: Graph) -> list[str]:
    return [name for name in graph.definitions if not graph.makers.get(name)]


def _edges(graph: Graph) -> list[tuple[str, str, str]]:
    return [
        (maker, taker, name)
        for name, makers in graph.makers.items()
        for maker in makers
        for taker in graph.takers.get(name, ())
    ]


def _lines(graph: Graph) -> list[tuple[tuple[str, str], tuple[str, str], str]]:
    found = [(("o", maker), ("o", taker), name) for maker, taker, name in _edges(graph)]
    found.extend((("d", name), ("o", taker), name) for name in _given(graph) for taker in graph.takers[name])
    return found


def _places(graph: Graph) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Where each box is: left, top, width."""
    layer: dict[tuple[str, str], int] = {("d", name): 0 for name in _given(graph)}
    rest = [name for name in graph.operations if name not in set(graph.order)]
    for name in (*graph.order, *rest):
        operation = graph.operations[name]
        above = [-1]
        for taken in operation.takes + operation.when:
            makers = graph.makers.get(taken, ())
            above.append(0 if not makers else max(layer.get(("o", maker), 0) for maker in makers))
        layer["o", name] = max(above) + 1
    rows: dict[int, list[tuple[str, str]]] = {}
    for key, number in layer.items():
        rows.setdefault(number, []).append(key)
    boxes: dict[tuple[str, str], tuple[int, int, int]] = {}
    for depth, number in enumerate(sorted(rows)):
        x = 20
        for key in rows[number]:
            wide = max(90, 8 * len(key[1]) + 24)
            boxes[key] = (x, 20 + 90 * depth, wide)
            x += wide + 30
    return boxes


def _line(source: tuple[int, int, int], target: tuple[int, int, int], name: str) -> str:
    x1, y1 = source[0] + source[2] / 2, source[1] + 36
    x2, y2 = target[0] + target[2] / 2, target[1]
    middle, beside, lower = (y1 + y2) / 2, (x1 + x2) / 2 + 4, 0
    if y2 <= y1:
        edge = max(source[0] + source[2], target[0] + target[2]) + 40
        path = f"M{x1:g} {y1} C{edge:g} {y1 + 30}, {edge:g} {y2 - 30}, {x2:g} {y2}"
        beside, lower = (x1 + x2) / 8 + 3 * edge / 4 + 4, 18  # where the curve is widest, below the others' labels
    else:
        path = f"M{x1:g} {y1} C{x1:g} {middle:g}, {x2:g} {middle:g}, {x2:g} {y2}"
    head = f"M{x2 - 4:g} {y2 - 7} L{x2:g} {y2} L{x2 + 4:g} {y2 - 7}"
    label = f'<text class="d" x="{beside:g}" y="{middle + lower:g}">{escape(name)}</text>' if name else ""
    return f'<path d="{path} {head}"/>{label}'


def _words(graph: Graph, marks: Mapping[str, Mark]) -> str:
    text = f"Flow {graph.name}: " + "; ".join(
        f"{name} makes {', '.join(operation.makes) or 'nothing'}"
        + (f" from {', '.join(operation.takes)}" if operation.takes else "")
        + (f" ({marks[name].state}, {marks[name].words})" if name in marks else "")
        for name, operation in list(graph.operations.items())[:30]
    )
    return text + ("; and more" if len(graph.operations) > 30 else "")
