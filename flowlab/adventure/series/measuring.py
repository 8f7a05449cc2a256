"""Notebook 01: tell wall, CPU, queue, blocked, memory and energy apart, and choose a probe."""

from flowlab.adventure.chapters import Branch, Case, Chapter, Decision, common, guess
from flowlab.adventure.parameters import Parameter

PARTS = ("cpu", "queue", "blocked")
REPEATS = {"tiny": 3, "demo": 10, "class": 10, "large": 20}

CHAPTER = Chapter(
    "01_measure_first",
    "Measure first",
    decision=Decision(
        "probe",
        "path",
        (
            Branch(
                "clock",
                "a clock around every step: wall time, and no more",
                "flowlab.adventure.branches.probes:clock",
                ("02_login_crawl_parse", "03_threads"),
            ),
            Branch(
                "cpu",
                "wall and CPU time of every step",
                "flowlab.adventure.branches.probes:cpu",
                ("02_login_crawl_parse", "05_processes"),
            ),
            Branch(
                "everything",
                "wall, CPU, run queue, blocked, and every allocation",
                "flowlab.adventure.branches.probes:everything",
                ("02_login_crawl_parse", "10_energy"),
            ),
        ),
    ),
    parameters=(
        Parameter(
            "path",
            "str",
            "cpu",
            "which probe: clock, cpu or everything",
            choices=("clock", "cpu", "everything"),
        ),
        *(
            guess(PARTS, f"your prediction for {what}", f"guess_{name}")
            for name, what in (
                ("sleep", "a sleep"),
                ("spin", "a loop that computes"),
                ("lock", "waiting for a lock"),
            )
        ),
        guess(("python", "system", "both", "neither"), "who sees memory asked for and not written", "guess_memory"),
        guess(("free", "little", "much"), "what measuring a call costs", "guess_cost"),
        guess(("none", "some", "most"), "in how many rounds equal runs differ by a tenth", "guess_again"),
        Parameter("part_ms", "float", 100, "how long each piece of work sleeps, waits or computes", least=20),
        *common(None, "runs of everything that is timed; None is 10, at scale tiny 3"),
    ),
    exercises={
        "split": (
            Case((100, 100, 0), (1.0, 0.0, 0.0)),
            Case((100, 0, 0), (0.0, 0.0, 1.0)),
            Case((200, 50, 100), (0.25, 0.5, 0.25)),
            Case((1000, 500, 120), (0.5, 0.12, 0.38)),
        )
    },
    scaled={scale: {"repeats": repeats} for scale, repeats in REPEATS.items()},
)
