"""Notebook 04: wait on one loop, and choose where to parse."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter
from flowlab.adventure.series.threads import TIMES

TICKS = ("all", "some", "none")

CHAPTER = Chapter(
    "04_asyncio",
    "Wait on one loop",
    decision=Decision(
        "place",
        "path",
        (
            Branch(
                "loop",
                "parse on the loop, and see what less work there does",
                "flowlab.adventure.branches.coroutines:loop",
                ("06_hazards", "11_estimate"),
            ),
            Branch(
                "threads",
                "parse in threads, off the loop",
                "flowlab.adventure.branches.coroutines:threads",
                ("05_processes", "06_hazards"),
            ),
            Branch(
                "processes",
                "parse in processes, off the loop and off the GIL",
                "flowlab.adventure.branches.coroutines:processes",
                ("05_processes", "07_dataflow"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "processes",
            "where to parse: loop, threads or processes",
            choices=("loop", "threads", "processes"),
        ),
        guess(TIMES, "your prediction for waiting", "guess_wait"),
        guess(TIMES, "your prediction for parsing", "guess_work"),
        guess(TICKS, "your prediction for the clock", "guess_ticks"),
        guess(TIMES, "your prediction for the loop lag in threads", "guess_lag"),
        Parameter("n_at_once", "int", 8, "pages on their way at once, before the choice", least=2),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "finish": (
            Case(([20, 20, 20, 20], 2), 40),
            Case(([50, 10, 10, 10], 2), 50),
            Case(([10, 50, 10, 10], 2), 50),
            Case(([30, 10, 10, 30], 2), 50),
            Case(([5, 6, 7], 3), 7),
            Case(([5, 6, 7], 1), 18),
        )
    },
)
