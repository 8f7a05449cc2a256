"""The branch table: every notebook, what may be set in it, what may be chosen, and where each choice leads.

Here: data. The tests run every branch named here and hold every notebook to it; the map is drawn from it. Not here:
what a branch does; its function is named, and loaded when the branch is taken. The invariant: a notebook offers
exactly these parameters and options, and is marked ready exactly if it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowlab.adventure.parameters import Parameter
from flowlab.errors import SettingError

SCALES = ("tiny", "demo", "class", "large")
DEFAULT_SCALE = "demo"


@dataclass(frozen=True, slots=True)
class Branch:
    """One option of a decision.

    Attributes:
        option: The word the reader chooses by.
        text: What it means, as the notebook says it.
        function: Where the experiment is, "module:function".
        then: The notebooks it leads to, the nearest first.
    """

    option: str
    text: str
    function: str
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice in a notebook: its key, the parameter that sets it, and its branches."""

    key: str
    parameter: str
    branches: tuple[Branch, ...]

    @property
    def options(self) -> dict[str, str]:
        """Option to text, in the order they are offered."""
        return {branch.option: branch.text for branch in self.branches}

    def branch(self, option: str) -> Branch:
        """Return the branch of that option.

        Raises:
            SettingError: There is none; the message lists the options.
        """
        for branch in self.branches:
            if branch.option == option:
                return branch
        raise SettingError(f"{option!r} is not a {self.key} to take. Choose: {', '.join(self.options)}")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One notebook.

    Attributes:
        name: The file's name without `.ipynb`.
        title: What one does in it.
        parameters: What may be set.
        decision: What is to be chosen, if it is ready.
        ready: Whether the notebook is there yet.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...] = ()
    decision: Decision | None = None
    ready: bool = False

    @property
    def number(self) -> str:
        """The two digits its name begins with."""
        return self.name[:2]


def _common(repeats: int | None, how_often: str) -> tuple[Parameter, ...]:
    return (
        Parameter(
            "scale",
            "str",
            None,
            "how much work: tiny, demo, class, large; None is demo, or FLOWLAB_SCALE",
            choices=SCALES,
        ),
        Parameter("latency_ms", "float", None, "the site's wait, every request; None is the scale's", least=0),
        Parameter("repeats", "int", repeats, how_often, least=1),
        Parameter("seed", "int", 7, "the site's random draws", least=0),
        Parameter("journal", "str", None, "the journal's file; None is .flowlab/journal.jsonl, 'none' keeps none"),
    )


_GOALS = Decision(
    "goal",
    "goal",
    (
        Branch(
            "fast",
            "the answer as soon as possible",
            "flowlab.adventure.branches.goals:fast",
            ("02_login_crawl_parse", "03_threads"),
        ),
        Branch(
            "small",
            "as little memory as possible",
            "flowlab.adventure.branches.goals:small",
            ("02_login_crawl_parse", "08_backpressure"),
        ),
        Branch(
            "frugal",
            "as little energy as possible",
            "flowlab.adventure.branches.goals:frugal",
            ("02_login_crawl_parse", "10_energy"),
        ),
        Branch(
            "simple",
            "as little code as possible",
            "flowlab.adventure.branches.goals:simple",
            ("02_login_crawl_parse", "07_dataflow"),
        ),
    ),
)

_ROADS = Decision(
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
)

CHAPTERS: Mapping[str, Chapter] = {
    chapter.name: chapter
    for chapter in (
        Chapter(
            "00_start_here",
            "Start here: fetch one page",
            ready=True,
            decision=_GOALS,
            parameters=(
                Parameter(
                    "goal",
                    "str",
                    "fast",
                    "what you care about: fast, small, frugal or simple",
                    choices=("fast", "small", "frugal", "simple"),
                ),
                Parameter(
                    "guess",
                    "str",
                    None,
                    "your prediction: wait, work or even; None is no answer",
                    choices=("wait", "work", "even"),
                ),
                *_common(5, "runs of everything that is timed"),
            ),
        ),
        Chapter("01_measure_first", "Measure first"),
        Chapter(
            "02_login_crawl_parse",
            "Log in, crawl, parse",
            ready=True,
            decision=_ROADS,
            parameters=(
                Parameter(
                    "path",
                    "str",
                    "download",
                    "the road you take: download, parse or algorithm",
                    choices=("download", "parse", "algorithm"),
                ),
                Parameter(
                    "guess",
                    "str",
                    None,
                    "your prediction: download, parse or compute; None is no answer",
                    choices=("download", "parse", "compute"),
                ),
                Parameter("n_countries", "int", None, "how many countries to survey; None is the scale's", least=1),
                *_common(None, "runs of everything that is timed; None is 3, at scale tiny 1"),
            ),
        ),
        Chapter("03_threads", "Wait in threads"),
        Chapter("04_asyncio", "Wait on one loop"),
        Chapter("05_processes", "Work in processes"),
        Chapter("06_hazards", "Find the hazards"),
        Chapter("07_dataflow", "Wire a dataflow"),
        Chapter("08_backpressure", "Bound the memory"),
        Chapter("09_scaling_laws", "Fit the scaling laws"),
        Chapter("10_energy", "Count the joules"),
        Chapter("11_estimate", "Know before running"),
        Chapter("12_optimise_for", "Optimise under limits"),
        Chapter("13_your_adventure", "Defend your choice"),
        Chapter("14_beyond_one_machine", "Leave the machine"),
    )
}


def chapter(name: str) -> Chapter:
    """Return the chapter of that name that is ready.

    Raises:
        SettingError: There is none; the message lists those there are.
    """
    ready = [each.name for each in CHAPTERS.values() if each.ready]
    if name not in ready:
        raise SettingError(f"there is no notebook {name!r} to begin. Ready: {', '.join(ready)}")
    return CHAPTERS[name]
