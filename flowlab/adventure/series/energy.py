"""Notebook 10: cost the same runs for several machines, and say only what the band permits."""

from dataclasses import replace

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter
from flowlab.adventure.quizzes import quizzed

CHAPTER = Chapter(
    "10_energy",
    "Count the joules",
    decision=Decision(
        "profile",
        "path",
        (
            Branch(
                "server",
                "a server, the site 2 ms away",
                "flowlab.adventure.branches.energy:server",
                ("12_optimise_for", "14_beyond_one_machine"),
            ),
            Branch(
                "desktop",
                "a desktop, the site 40 ms away",
                "flowlab.adventure.branches.energy:desktop",
                ("13_your_adventure", "11_estimate"),
            ),
            Branch(
                "edge",
                "a small computer at the edge, the site 200 ms away",
                "flowlab.adventure.branches.energy:edge",
                ("13_your_adventure", "12_optimise_for"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "desktop",
            "the power profile, and where such a machine stands: server, desktop or edge",
            choices=("server", "desktop", "edge"),
        ),
        guess(("cores", "idle", "memory"), "your prediction for the largest part", "guess_part"),
        guess(("yes", "no", "untold"), "your prediction for the fastest", "guess_fastest"),
        guess(("same", "changes"), "your prediction for the order", "guess_order"),
        guess(("race", "same", "pace"), "your prediction for the period", "guess_period"),
        *quizzed(),
        Parameter("n_countries", "int", None, "how many countries; None is the scale's", least=2),
        Parameter(
            "ship",
            "str",
            "do less",
            "the way you would ship, ringed in the last figure: serial, asyncio, processes, dataflow or do less",
            choices=("serial", "asyncio", "processes", "dataflow", "do less"),
        ),
        Parameter(
            "stretch", "float", None, "the period, in times what the work takes; None is 5, at scale tiny 2", least=1.5
        ),
        *(
            replace(each, text="the site's wait in branch desktop, every request; None is 40")
            if each.name == "latency_ms"
            else each
            for each in common(None, "runs of everything that is timed; None is 3, at scale tiny 1")
        ),
    ),
    exercises={
        "joules": (
            Case((1.0, 4.0, 2, 10.0, 0.0), 20.0),
            Case((0.0, 3.0, 8, 1.0, 2.0), 6.0),
            Case((1.0, 4.0, 2, 10.0, 5.0), 40.0),
            Case((0.5, 4.0, 1, 10.0, 2.5), 15.0),
            Case((0.5, 4.0, 4, 0.0, 0.0), 0.0),
        )
    },
    scaled={
        scale: {"n_countries": countries, "stretch": stretch, "latency_ms": 40.0}
        for scale, countries, stretch in (("tiny", 4, 2.0), ("demo", 6, 5.0), ("class", 8, 5.0), ("large", 24, 5.0))
    },
)
