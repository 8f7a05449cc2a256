"""Notebook 08: bound the memory, and choose the bound."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

FEED = {"n_items": 400, "item_bytes": 256_000, "hold_ms": 20, "latency_ms": 10}

CHAPTER = Chapter(
    "08_backpressure",
    "Bound the memory",
    decision=Decision(
        "bound",
        "path",
        (
            Branch(
                "one",
                "one item at a time, the least memory there is",
                "flowlab.adventure.branches.bounds:one",
                ("04_asyncio", "09_scaling_laws"),
            ),
            Branch(
                "sixteen",
                "at most sixteen items at a time",
                "flowlab.adventure.branches.bounds:sixteen",
                ("09_scaling_laws", "10_energy"),
            ),
            Branch(
                "unbounded",
                "no bound, memory is cheap",
                "flowlab.adventure.branches.bounds:unbounded",
                ("11_estimate", "12_optimise_for"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "sixteen",
            "the bound: one, sixteen or unbounded",
            choices=("one", "sixteen", "unbounded"),
        ),
        guess(("few", "half", "most"), "your prediction for the items waiting", "guess_waiting"),
        guess(("faster", "same", "slower"), "your prediction for the bounded queue", "guess_time"),
        Parameter("n_items", "int", None, "how many items the feed has; None is the scale's", least=1),
        Parameter("item_bytes", "int", None, "how large each is; None is the scale's", least=16),
        Parameter("hold_ms", "float", None, "how long the store takes an item; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "bound": (
            Case((100, 30), 3),
            Case((100, 35), 4),
            Case((3, 100), 1),
            Case((50, 200), 10),
            Case((2000, 250), 500),
        )
    },
    scaled={
        "tiny": {"n_items": 24, "item_bytes": 16_000, "hold_ms": 4},
        "demo": FEED | {"hold_ms": 10},
        "class": FEED,
        "large": FEED,
    },
)
