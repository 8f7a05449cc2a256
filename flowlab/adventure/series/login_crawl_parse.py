"""Notebook 02: find the bottleneck, and choose a road."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter
from flowlab.adventure.quizzes import quizzed

CHAPTER = Chapter(
    "02_login_crawl_parse",
    "Log in, crawl, parse",
    decision=Decision(
        "road",
        "path",
        (
            Branch(
                "download",
                "wait for many pages at once: threads, asyncio",
                "flowlab.adventure.branches.roads:download",
                ("03_threads", "04_asyncio"),
            ),
            Branch(
                "parse",
                "parse on several cores, or with a lighter parser",
                "flowlab.adventure.branches.roads:parse",
                ("05_processes", "09_scaling_laws"),
            ),
            Branch(
                "algorithm",
                "compare fewer airports: sort by latitude and stop early",
                "flowlab.adventure.branches.roads:algorithm",
                ("05_processes", "11_estimate"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "download",
            "the road you take: download, parse or algorithm",
            choices=("download", "parse", "algorithm"),
        ),
        guess(("download", "parse", "compute")),
        *quizzed(),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "ceiling": (
            Case((0.0,), 1.0),
            Case((0.5,), 2.0),
            Case((0.8,), 5.0),
            Case((0.5, 2), 4 / 3),
            Case((0.9, 3), 2.5),
        )
    },
)
