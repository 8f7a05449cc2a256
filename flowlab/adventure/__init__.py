"""The adventure: what the notebooks of the series call between their experiments.

Here: parameters, decisions and the branch table, predictions, exercises, the journal, widgets, and the branches
themselves. Not here: what is measured and drawn; the rooms below do that. The invariant: choices are data, and a
widget is a view of them; every notebook runs without a reader, with an empty journal, from any folder.
"""

from flowlab.adventure.atlas import draw_map
from flowlab.adventure.branches.recorded import side_by_side
from flowlab.adventure.exercises import check
from flowlab.adventure.folders import notebooks_folder
from flowlab.adventure.journals import Entry, Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.pickers import widget
from flowlab.adventure.predictions import Prediction
from flowlab.adventure.quizzes import Quiz
from flowlab.adventure.series import CHAPTERS, chapter
from flowlab.adventure.trips import Trip, begin, claim, current, decide, journal, outcome, predict, quiz

__all__ = [
    "CHAPTERS",
    "chapter",
    "notebooks_folder",
    "draw_map",
    "Trip",
    "begin",
    "current",
    "decide",
    "outcome",
    "Outcome",
    "predict",
    "Prediction",
    "quiz",
    "Quiz",
    "side_by_side",
    "widget",
    "check",
    "claim",
    "Journal",
    "Entry",
    "journal",
]
