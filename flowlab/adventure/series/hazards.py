"""Notebook 06: find races and a deadlock, and choose a remedy."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter
from flowlab.adventure.quizzes import quizzed

LOST = ("none", "some", "half")

CHAPTER = Chapter(
    "06_hazards",
    "Find the hazards",
    decision=Decision(
        "remedy",
        "path",
        (
            Branch(
                "lock",
                "share the tally, and guard it by a lock",
                "flowlab.adventure.branches.hazards:by_lock",
                ("07_dataflow", "05_processes"),
            ),
            Branch(
                "queue",
                "give the tally to one thread, and send it what there is to count",
                "flowlab.adventure.branches.hazards:by_queue",
                ("08_backpressure", "07_dataflow"),
            ),
            Branch(
                "confine",
                "give every thread a tally of its own, and add them up at the end",
                "flowlab.adventure.branches.hazards:by_confining",
                ("05_processes", "09_scaling_laws"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "lock",
            "what you do about it: lock, queue or confine",
            choices=("lock", "queue", "confine"),
        ),
        guess(LOST, "your prediction for plain updates", "guess_plain"),
        guess(LOST, "your prediction for threads that meet", "guess_met"),
        guess(LOST, "your prediction for two small locked steps", "guess_locked"),
        guess(("one", "both", "neither"), "who saves the page", "guess_saved"),
        *quizzed(),
        Parameter(
            "n_updates", "int", None, "updates of each thread where they are timed; None is the scale's", least=1
        ),
        Parameter("n_countries", "int", None, "how many countries to count; None is the scale's", least=2),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "play": (
            Case(("AABB",), 2),
            Case(("BBAA",), 2),
            Case(("ABAB",), 1),
            Case(("ABBA",), 1),
            Case(("AABABB",), 2),
            Case(("ABBBBA",), 1),
            Case(("ABCABC",), 1),
        )
    },
    scaled={
        "tiny": {"n_updates": 1000},
        "demo": {"n_updates": 50_000},
        "class": {"n_updates": 100_000},
        "large": {"n_updates": 300_000},
    },
)
