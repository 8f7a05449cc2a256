"""Notebook 09: fit the scaling laws, and choose a number of workers."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

OWN = {"capacity": 4, "n_requests": 32, "latency_ms": 40, "n_countries": 24}

CHAPTER = Chapter(
    "09_scaling_laws",
    "Fit the scaling laws",
    decision=Decision(
        "workers",
        "path",
        (
            Branch(
                "cores",
                "one thread for every core",
                "flowlab.adventure.branches.scaling:cores",
                ("05_processes", "10_energy"),
            ),
            Branch(
                "knee",
                "as many threads as the fit says, and no more",
                "flowlab.adventure.branches.scaling:knee",
                ("10_energy", "11_estimate"),
            ),
            Branch(
                "many",
                "sixteen threads, they only wait",
                "flowlab.adventure.branches.scaling:many",
                ("08_backpressure", "12_optimise_for"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "knee",
            "how many workers: cores, knee or many",
            choices=("cores", "knee", "many"),
        ),
        guess(("all", "half", "few"), "your prediction for sixteen threads", "guess_sixteen"),
        guess(("same", "double", "more"), "your prediction for one page", "guess_page"),
        guess(("faster", "same", "slower"), "your prediction for many processes", "guess_processes"),
        Parameter("capacity", "int", None, "requests that the site serves at once; None is the scale's", least=1),
        Parameter("n_requests", "int", None, "pages that a run downloads; None is the scale's", least=16),
        Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
        *common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
    ),
    exercises={
        "speedup": (
            Case((1, 0.1, 0.01), 1.0),
            Case((4, 0.0, 0.0), 4.0),
            Case((64, 0.1, 0.0), 8.767123),
            Case((10, 0.0, 0.01), 5.263158),
            Case((10, 0.05, 0.01), 4.255319),
            Case((20, 0.05, 0.01), 3.478261),
        )
    },
    scaled={
        "tiny": {"capacity": 4, "n_requests": 16},
        "demo": OWN,
        "class": OWN | {"n_requests": 48},
        "large": OWN | {"n_requests": 96, "n_countries": 60},
    },
)
