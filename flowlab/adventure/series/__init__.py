"""The branch table: every notebook, what may be set in it, what may be chosen, and where each choice leads.

Here: data, a module a notebook. The tests run every branch named here and hold every notebook to it; the map is drawn
from it. Not here: what a branch does (`branches`). The invariant: a notebook offers exactly these parameters and
options.
"""

from collections.abc import Mapping

from flowlab.adventure.chapters import Chapter
from flowlab.adventure.series import (
    backpressure,
    coroutines,
    dataflow,
    energy,
    hazards,
    login_crawl_parse,
    measuring,
    processes,
    scaling_laws,
    start_here,
    threads,
    your_adventure,
)
from flowlab.adventure.series.quizzes import PLACES, QUIZZES, quiz_of
from flowlab.errors import SettingError

__all__ = ["CHAPTERS", "PLACES", "QUIZZES", "chapter", "quiz_of"]

CHAPTERS: Mapping[str, Chapter] = {
    chapter.name: chapter
    for chapter in (
        start_here.CHAPTER,
        measuring.CHAPTER,
        login_crawl_parse.CHAPTER,
        threads.CHAPTER,
        coroutines.CHAPTER,
        processes.CHAPTER,
        hazards.CHAPTER,
        dataflow.CHAPTER,
        backpressure.CHAPTER,
        scaling_laws.CHAPTER,
        energy.CHAPTER,
        Chapter("11_estimate", "Know before running"),
        Chapter("12_optimise_for", "Optimise under limits"),
        your_adventure.CHAPTER,
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
