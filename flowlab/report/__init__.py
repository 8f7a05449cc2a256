"""A comparison as one HTML page that needs nothing else: no network, no script, no second file.

What the page says and how it looks is here; the figures come from `plots`, their numbers and the verdict from
`comparison`. The invariants: every run is on the page, what was not measured is an empty cell, the energy estimate
never stands without its band, and whatever a job says of itself is escaped.
"""

from flowlab.report.page import write

__all__ = ["write"]
