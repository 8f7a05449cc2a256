"""Notebook 00: fetch one page, and choose a goal."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

CHAPTER = Chapter(
    "00_start_here",
    "Start here: fetch one page",
    decision=Decision(
        "goal",
        "goal",
        (
            Branch(
                "fast",
                "the answer as soon as possible",
                "flowlab.adventure.branches.goals:fast",
                ("02_login_crawl_parse", "03_threads"),
            ),
            Branch(
                "small",
                "as little memory as possible",
                "flowlab.adventure.branches.goals:small",
                ("02_login_crawl_parse", "08_backpressure"),
            ),
            Branch(
                "frugal",
                "as little energy as possible",
                "flowlab.adventure.branches.goals:frugal",
                ("02_login_crawl_parse", "10_energy"),
            ),
            Branch(
                "simple",
                "as little code as possible",
                "flowlab.adventure.branches.goals:simple",
                ("02_login_crawl_parse", "07_dataflow"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "goal",
            "str",
            "fast",
            "what you care about: fast, small, frugal or simple",
            choices=("fast", "small", "frugal", "simple"),
        ),
        guess(("wait", "work", "even")),
        *common(5, "runs of everything that is timed"),
    ),
    exercises={
        "summary": (
            Case(([3.0, 1.0, 2.0],), (3, 2.0, 1.0, 3.0)),
            Case(([5.0],), (1, 5.0, 5.0, 5.0)),
            Case(([0.4, 0.1, 0.2, 0.3],), (4, 0.25, 0.1, 0.4)),
        )
    },
)
