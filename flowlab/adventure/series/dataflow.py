"""Notebook 07: wire a dataflow, and choose its grain."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

CHAPTER = Chapter(
    "07_dataflow",
    "Wire a dataflow",
    decision=Decision(
        "grain",
        "path",
        (
            Branch(
                "step",
                "an operation for every step: waiting on the loop, computing in processes",
                "flowlab.adventure.branches.grains:step",
                ("08_backpressure", "11_estimate"),
            ),
            Branch(
                "country",
                "one operation for a whole country, in threads",
                "flowlab.adventure.branches.grains:country",
                ("03_threads", "09_scaling_laws"),
            ),
            Branch(
                "worker",
                "one operation for a whole country, in worker processes",
                "flowlab.adventure.branches.grains:worker",
                ("05_processes", "14_beyond_one_machine"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "step",
            "the grain of your flow: step, country or worker",
            choices=("step", "country", "worker"),
        ),
        guess(("once", "twice"), "how often the page is fetched", "guess_fetched"),
        guess(("alone", "four"), "how the calls with a lock run", "guess_lock"),
        guess(("endless", "borders", "countries"), "how often a border is crossed", "guess_cycle"),
        guess(("free", "little", "much"), "your prediction for the overhead", "guess_cost"),
        guess(("less", "alike", "more"), "your flow's time against hybrid's", "guess_grain"),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "dearest": (
            Case(({"a": ()}, {"a": 3}), 3),
            Case(({"a": (), "b": ("a",)}, {"a": 3, "b": 4}), 7),
            Case(({"a": (), "b": (), "c": ("a", "b")}, {"a": 1, "b": 5, "c": 2}), 7),
            Case(({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}, {"a": 1, "b": 9, "c": 2, "d": 1}), 11),
        )
    },
)
