"""Widgets: a decision or a prediction made, or a quiz answered, by mouse or keyboard, in a cell of its own.

Here: the one view, of radio buttons and a button, the browser's own. JupyterLab keeps the arrows and Enter for itself;
Tab and Space reach everything, and the view says so. Not here: what a choice does; the widget calls what the
parameter's cell calls. The invariant: the view keeps no state that the trip does not have, prints nothing, and shows
an error where the reader looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from html import escape
from io import StringIO
from typing import Any

from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.trips import Trip, current
from flowlab.errors import require


def widget(key: str, **given: Any) -> Any:
    """Return the widget of a decision, of a prediction or of a quiz.

    Args:
        key: The decision's, the prediction's or the quiz's.
        given: What the experiment needs from the notebook, as `outcome` takes it.
    """
    trip = current()
    if key in trip.predictions:
        return _prediction_picker(trip, key)
    if key in trip.quizzes:
        return _quiz_picker(trip, key)
    decision = trip.decision(key)

    def take(option: str, say: Callable[[str], None]) -> str:
        outcome = take_option(trip, key, option, given, say)
        return (
            f"<p>{escape(outcome.line)}</p><p>{escape(outcome.sentence)}</p>"
            "<p>Go on from the next cell with <i>Run Selected Cell and All Below</i>; it uses this.</p>"
        )

    hint = f"Or change <code>{decision.parameter}</code> in the parameters cell and run all below."
    return picker(decision.options, trip.choices.get(key), f"Take this {key}", take, hint)


def take_option(
    trip: Trip, key: str, option: str, given: Mapping[str, Any], say: Callable[[str], None] = lambda line: None
) -> Outcome:
    """Return what came of an option, and leave it for the notebook's next cell: what the widget's button does."""
    trip.choose(key, option, by="widget")
    outcome = trip.run(key, option, given, say)
    trip.picked[key] = outcome
    return outcome


def _prediction_picker(trip: Trip, key: str) -> Any:
    prediction = trip.predictions[key]

    def take(option: str, say: Callable[[str], None]) -> str:
        prediction.give(option)
        return f"<p>{escape(prediction.line)}</p>"

    return picker(prediction.options, prediction.answer, "Predict", take, "Or go on without: nothing waits for it.")


def _quiz_picker(trip: Trip, key: str) -> Any:
    """Return a picker for every question, one below the other."""
    widgets = require("ipywidgets", extra="notebooks", why="to choose by widget")
    quiz = trip.quizzes[key]

    def taker(index: int) -> Take:
        def take(option: str, say: Callable[[str], None]) -> str:
            quiz.give(*quiz.answers[:index], option, *quiz.answers[index + 1 :])
            return f"<p>{escape(quiz.feedback(index))}</p><p>{escape(quiz.line)}</p>"

        return take

    rows = []
    for index, question in enumerate(quiz.questions):
        rows.append(widgets.HTML(f"<p><b>{index + 1}.</b> {escape(question.text)}</p>"))
        rows.append(picker(question.options, quiz.answers[index], f"Answer {index + 1}", taker(index), ""))
    return widgets.VBox(rows)


KEYS = "By keyboard: Tab to an option and Space to choose it, Tab to the button and Space to press it."
ECHO_S = 0.3


class Busy:
    """Tells a press that waited in line while an experiment ran from one made after it.

    The button stays enabled, as disabling it would take the keyboard's focus away.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ended: float | None = None

    def ended(self) -> None:
        """Note that an experiment is over."""
        self._ended = self._clock()

    def echo(self) -> bool:
        """Return whether this press was made while the last experiment ran."""
        return self._ended is not None and self._clock() - self._ended < ECHO_S


Take = Callable[[str, Callable[[str], None]], str]


def picker(
    options: Mapping[str, str], chosen: str | None, verb: str, take: Take, hint: str,
    clock: Callable[[], float] = time.monotonic,
) -> Any:  # fmt: skip
    """Return radio buttons for the options, a button that takes the one chosen, and the place where its result appears.

    Args:
        options: Option to text.
        chosen: The option chosen at first.
        verb: The button's label.
        take: Called with the option and with what shows a line meanwhile; returns HTML.
        hint: The other way to choose, as HTML.
        clock: Tells seconds.
    """
    widgets = require("ipywidgets", extra="notebooks", why="to choose by widget")
    wide = widgets.Layout(width="max-content", max_width="100%")
    radio = widgets.RadioButtons(
        options=[(f"{option}: {text}", option) for option, text in options.items()], value=chosen, layout=wide
    )
    button = widgets.Button(description=verb, layout=wide, button_style="primary")
    shown = widgets.HTML(f"<p>{hint} {KEYS}</p>")
    busy = Busy(clock)

    def press(_: Any) -> None:
        option = radio.value
        if option is None:
            shown.value = f"<p>Choose one first. {KEYS}</p>"
            return
        if busy.echo():
            return

        def say(line: str) -> None:
            shown.value = f"<p>{escape(option)} is running ... {escape(line)}</p>"

        say("")
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                shown.value = take(option, say)
        except Exception as error:
            shown.value = f"<p><b>It did not work:</b> {escape(str(error) or type(error).__name__)}</p>"
        finally:
            busy.ended()

    button.on_click(press)
    return widgets.VBox([radio, button, shown])
