"""Notebook 05: work in processes, and share the work out so that nobody waits for a straggler."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

OWN = {"n_workers": 2, "rows": 200}

CHAPTER = Chapter(
    "05_processes",
    "Work in processes",
    decision=Decision(
        "order",
        "path",
        (
            Branch(
                "listed",
                "whole countries, in the order of the list",
                "flowlab.adventure.branches.processes:listed",
                ("06_hazards", "07_dataflow"),
            ),
            Branch(
                "largest",
                "whole countries, the largest first",
                "flowlab.adventure.branches.processes:largest",
                ("07_dataflow", "09_scaling_laws"),
            ),
            Branch(
                "blocks",
                "blocks of a country's rows, so that no call is long",
                "flowlab.adventure.branches.processes:blocks",
                ("08_backpressure", "09_scaling_laws"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "largest",
            "how the work is shared out: listed, largest or blocks",
            choices=("listed", "largest", "blocks"),
        ),
        guess(("faster", "same", "slower"), "your prediction for two new processes", "guess_start"),
        guess(("faster", "same", "slower"), "your prediction for checking in processes", "guess_pass"),
        guess(("same", "double", "more"), "your prediction for chunks", "guess_chunk"),
        guess(("all", "most", "part"), "your prediction for memory", "guess_memory"),
        guess(("end", "late", "half"), "your prediction for the first worker done", "guess_last"),
        Parameter("n_workers", "int", None, "worker processes; None is 2", least=2),
        Parameter("rows", "int", None, "airports in a block of branch blocks; None is 200", least=1),
        Parameter("n_countries", "int", None, "how many countries; None is the scale's", least=2),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1", "class"),
    ),
    exercises={
        "makespan": (
            Case(([3, 3, 3, 3], 2), 6),
            Case(([1, 1, 1, 1, 6], 2), 8),
            Case(([6, 1, 1, 1, 1], 2), 6),
            Case(([5, 4, 3, 3, 3], 2), 10),
            Case(([2, 2, 2], 1), 6),
            Case(([4, 1], 3), 4),
        )
    },
    scale="class",
    # At demo CA is the one straggler; the scale's own 24 countries would stop before it.
    scaled={"tiny": OWN, "demo": OWN | {"n_countries": 25}, "class": OWN, "large": OWN},
)
