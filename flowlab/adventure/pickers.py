"""Widgets: a decision or a prediction made by mouse or keyboard, in a cell of its own.

Here: the one view, of radio buttons and a button, the browser's own, so that Tab, the arrows and Space work. Not
here: what a choice does; the widget calls what the parameter's cell calls. The invariant: the view keeps no state
that the trip does not have, prints nothing, and shows an error where the reader looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from html import escape
from io import StringIO
from typing import Any

from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.trips import Trip, current
from flowlab.errors import require


def widget(key: str, **given: Any) -> Any:
    """Return the widget of a decision or of a prediction.

    Args:
        key: The decision's or the prediction's.
        given: What the experiment needs from the notebook, as `outcome` takes it.
    """
    trip = current()
    if key in trip.predictions:
        return _prediction_picker(trip, key)
    decision = trip.decision(key)

    def take(option: str) -> str:
        outcome = take_option(trip, key, option, given)
        return (f"<p>{escape(outcome.line)}</p><p>{escape(outcome.sentence)}</p>"
                "<p>Go on from the next cell with <i>Run Selected Cell and All Below</i>; it uses this.</p>")

    hint = f"or change <code>{decision.parameter}</code> in the parameters cell and run all below"
    return picker(decision.options, trip.choices.get(key), f"Take this {key}", take, hint)


def take_option(trip: Trip, key: str, option: str, given: Mapping[str, Any]) -> Outcome:
    """Return what came of an option, and leave it for the notebook's next cell: what the widget's button does."""
    trip.choose(key, option, by="widget")
    outcome = trip.run(key, option, given)
    trip.picked[key] = outcome
    return outcome


def _prediction_picker(trip: Trip, key: str) -> Any:
    prediction = trip.predictions[key]

    def take(option: str) -> str:
        prediction.give(option)
        return f"<p>{escape(prediction.line)}</p>"

    return picker(prediction.options, prediction.answer, "Predict", take, "or go on without; nothing waits for it")


def picker(options: Mapping[str, str], chosen: str | None, verb: str, take: Callable[[str], str], hint: str) -> Any:
    """Return radio buttons for the options, a button that takes the one chosen, and the place where its result appears.

    Args:
        options: Option to text.
        chosen: The option chosen at first.
        verb: The button's label.
        take: Called with the option; returns HTML.
        hint: The other way to choose, as HTML.
    """
    widgets = require("ipywidgets", extra="notebooks", why="to choose by widget")
    wide = widgets.Layout(width="max-content", max_width="100%")
    radio = widgets.RadioButtons(options=[(f"{option}: {text}", option) for option, text in options.items()],
                                 value=chosen, layout=wide)
    button = widgets.Button(description=verb, layout=wide, button_style="primary")
    shown = widgets.HTML(f"<p>{hint}</p>")

    def press(_: Any) -> None:
        if radio.value is None:
            shown.value = "<p>Choose one first.</p>"
            return
        button.disabled = True
        shown.value = f"<p>{escape(radio.value)} is running ...</p>"
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                shown.value = take(radio.value)
        except Exception as error:
            shown.value = f"<p><b>It did not work:</b> {escape(str(error) or type(error).__name__)}</p>"
        finally:
            button.disabled = False

    button.on_click(press)
    return widgets.VBox([radio, button, shown])
