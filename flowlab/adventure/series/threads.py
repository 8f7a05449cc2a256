"""Notebook 03: wait in threads, and choose how many."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

TIMES = ("same", "double", "more")

CHAPTER = Chapter(
    "03_threads",
    "Wait in threads",
    decision=Decision(
        "count",
        "path",
        (
            Branch(
                "cores",
                "one thread for every core",
                "flowlab.adventure.branches.threads:cores",
                ("04_asyncio", "05_processes"),
            ),
            Branch(
                "rule",
                "as many as the rule says: waiting over working, and one more",
                "flowlab.adventure.branches.threads:rule",
                ("04_asyncio", "09_scaling_laws"),
            ),
            Branch(
                "all",
                "one thread for every country",
                "flowlab.adventure.branches.threads:everyone",
                ("06_hazards", "08_backpressure"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "rule",
            "how many threads: cores, rule or all",
            choices=("cores", "rule", "all"),
        ),
        guess(TIMES, "your prediction for waiting", "guess_wait"),
        guess(TIMES, "your prediction for parsing", "guess_work"),
        Parameter("n_workers", "int", 8, "threads in the two experiments before the choice", least=2),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "enough": (
            Case((0, 5), 1),
            Case((20, 10), 3),
            Case((90, 10), 10),
            Case((5, 10), 2),
            Case((1, 1000), 2),
        )
    },
)
