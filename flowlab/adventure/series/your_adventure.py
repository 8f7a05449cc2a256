"""Notebook 13: read your path back, and defend what you would ship."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

GOALS = ("fast", "small", "frugal", "simple")
STRATEGIES = ("serial", "threads", "asyncio", "processes", "hybrid", "dataflow")
ROWS = [("serial", 3.0, 50), ("threads", 2.0, 60), ("hybrid", 1.4, 110), ("dataflow", 1.5, 100)]

CHAPTER = Chapter(
    "13_your_adventure",
    "Defend your choice",
    decision=Decision(
        "goal",
        "goal",
        (
            Branch(
                "fast",
                "the answer as soon as possible",
                "flowlab.adventure.branches.defences:fast",
                ("12_optimise_for", "14_beyond_one_machine"),
            ),
            Branch(
                "small",
                "as little memory as possible",
                "flowlab.adventure.branches.defences:small",
                ("12_optimise_for", "11_estimate"),
            ),
            Branch(
                "frugal",
                "as little energy as possible",
                "flowlab.adventure.branches.defences:frugal",
                ("12_optimise_for", "11_estimate"),
            ),
            Branch(
                "simple",
                "as little code as possible",
                "flowlab.adventure.branches.defences:simple",
                ("11_estimate", "14_beyond_one_machine"),
            ),
        ),
    ),
    parameters=(
        Parameter("goal", "str", "fast", "what you care about: fast, small, frugal or simple", choices=GOALS),
        guess(STRATEGIES),
        guess(("same", "another"), "whether your own job has the same winner", "guess_own"),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "ship": (
            Case((ROWS, 1000), "hybrid"),
            Case((ROWS, 100), "dataflow"),
            Case((ROWS, 60), "threads"),
            Case((ROWS, 59), "serial"),
            Case(([("a", 2.0, 5), ("b", 1.0, 9)], 6), "a"),
        )
    },
)
