"""How the page looks: light and dark by the reader's setting, wide and narrow by the reader's screen."""

from __future__ import annotations

from flowlab.plots.theme import THEMES, Theme

_RULES = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--desk); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 1000px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
header p { max-width: none; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4em; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 2.4em 0 .6em; }
h3 { font-size: 1.08rem; margin: 0 0 .2em; }
p { margin: .4em 0 .8em; max-width: 72ch; }
p, li, h1, figcaption { overflow-wrap: anywhere; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: .9em; }
pre { overflow-x: auto; padding: 14px 16px; background: var(--desk); border: 1px solid var(--grid);
  border-radius: 8px; }
.muted, figcaption, .note { color: var(--muted); }
.eyebrow { text-transform: uppercase; letter-spacing: .08em; font-size: .8rem; color: var(--muted);
  margin: 0 0 .4em; }
.lead { font-size: 1.15rem; }
.answer { font-size: 1.15rem; font-weight: 600; }
.card { background: var(--paper); border: 1px solid var(--grid); border-radius: 12px; padding: 20px 22px;
  margin: 0 0 20px; }
.verdict { border-left: 6px solid var(--good); }
.alarm { border-left: 6px solid var(--alarm); }
.verdict h2, .alarm h2 { font-size: 1.08rem; margin: 0 0 .2em; }
.verdict p, .alarm p { margin: .3em 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding-bottom: 8px; }
th, td { padding: 7px 10px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th { font-weight: 600; }
thead th { color: var(--muted); font-weight: 500; font-size: .9rem; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
.words td { white-space: normal; overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
.range { display: block; color: var(--muted); font-size: .82rem; }
.bar { display: block; height: 5px; border-radius: 3px; margin: 5px 0 1px auto; background: var(--bar);
  min-width: 2px; }
.key { display: inline-block; width: 22px; height: 14px; vertical-align: -2px; margin-right: 9px; }
.scroll { overflow-x: auto; }
figure { margin: 12px 0 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .88rem; margin-top: 10px; max-width: 90ch; }
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--link); }
details table { font-size: .85rem; margin-top: 8px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 20px; }
footer { color: var(--muted); font-size: .88rem; padding-top: 12px; padding-bottom: 48px; }
@media (max-width: 700px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 22px; }
  h1 { font-size: 1.6rem; }
  .card { padding: 15px 14px; border-radius: 10px; }
  .pair { grid-template-columns: 1fr; gap: 0; }
  dl { grid-template-columns: minmax(0, 11em) 1fr; }
  .stack, .stack caption, .stack tbody, .stack tr, .stack th, .stack td { display: block; width: 100%; }
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack tr { padding: 10px 0; border-bottom: 1px solid var(--grid); }
  .stack tr:last-child { border-bottom: 0; }
  .stack th, .stack td { border: 0; padding: 2px 0; text-align: left; white-space: normal; }
  .stack td { display: grid; grid-template-columns: 10em 1fr; }
  .stack td::before { content: attr(data-label); color: var(--muted); }
  .stack td.empty, .stack .bar { display: none; }
  .stack .range { display: inline; }
}
@media print { body { background: #fff; } .card { break-inside: avoid; } }
"""


def style_sheet() -> str:
    """Return the page's style sheet, in the colours of the figures."""
    light, dark = THEMES["light"], THEMES["dark"]
    day = _variables(light, desk="#f4f6f8", link="#0b5fa5", alarm="#b3261e", good="#00795a", bar="#9db9d3")
    night = _variables(dark, desk="#0e1216", link="#7cc0f5", alarm="#ff8a7a", good="#3ecf9f", bar="#456d92")
    return (
        f":root {{ color-scheme: light dark; {day} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {night} }} }}\n{_RULES}"
    )


def _variables(theme: Theme, **others: str) -> str:
    named = {"paper": theme.paper, "ink": theme.ink, "muted": theme.muted, "grid": theme.grid, **others}
    return " ".join(f"--{name}: {value};" for name, value in named.items())
