"""A trip: one notebook under way, with its settings, its choices, and what is open for it.

Here: the functions a notebook calls between its experiments. Not here: the experiments (branches), the file
(journals), the table of what may be chosen (series). The invariant: the parameter, the widget and the call from
another cell run the same function of the branch table with the same settings.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from textwrap import fill
from typing import Any, TypeVar

from flowlab.adventure import claims, parameters
from flowlab.adventure.chapters import SCALES, Chapter, Decision
from flowlab.adventure.folders import journal_file
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import WIDTH, Outcome
from flowlab.adventure.predictions import Prediction
from flowlab.adventure.quizzes import Quiz
from flowlab.adventure.series import chapter, quiz_of
from flowlab.errors import SettingError, StoreError, require

Opened = TypeVar("Opened")


@dataclass(slots=True)
class Trip:
    """One notebook under way.

    Attributes:
        chapter: Which one.
        settings: Every parameter's value, the scale's filled in.
        journal: Where choices, predictions and results are kept.
        choices: The option taken, by decision.
        predictions: The predictions asked for, by key.
        quizzes: The quizzes asked for, by key.
    """

    chapter: Chapter
    settings: dict[str, Any]
    journal: Journal
    choices: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    quizzes: dict[str, Quiz] = field(default_factory=dict)
    picked: dict[str, Outcome] = field(default_factory=dict)
    _open: dict[str, ExitStack] = field(default_factory=dict)

    def open(self, opener: AbstractContextManager[Opened], name: str = "site") -> Opened:
        """Open what must be closed again, and return it; whatever was open under that name is closed first."""
        self.close(name)
        with ExitStack() as stack:
            opened = stack.enter_context(opener)
            self._open[name] = stack.pop_all()
        return opened

    def close(self, name: str | None = None) -> None:
        """Close what is open under that name, or everything."""
        for each in [name] if name else list(self._open):
            if each in self._open:
                self._open.pop(each).close()

    def note(self, kind: str, key: str, value: str | None, **facts: Any) -> None:
        """Keep an entry in the journal."""
        self.journal.append(self.chapter.name, kind, key, value, **facts)

    def decision(self, key: str) -> Decision:
        """Return this notebook's decision of that key.

        Raises:
            SettingError: It has no such decision.
        """
        decision = self.chapter.decision
        if decision is None or decision.key != key:
            raise SettingError(
                f"notebook {self.chapter.name} has no decision {key!r}. It has: {decision.key if decision else 'none'}"
            )
        return decision

    def choose(self, key: str, option: str, by: str) -> str:
        """Take an option, keep it in the journal, and return its text."""
        text = self.decision(key).branch(option).text
        self.choices[key] = option
        self.note("choice", key, option, by=by)
        return text

    def run(self, key: str, option: str, given: Mapping[str, Any], say: Callable[[str], None]) -> Outcome:
        """Run the option's function with this notebook's settings, and keep the summary in the journal.

        Args:
            key: The decision.
            option: The branch.
            given: What the experiment needs from the notebook.
            say: Called with a line about how far it is, and with "" at the end.
        """

        def progress(done: int, total: int, now: str) -> None:
            say(f"run {done + 1} of {total}: {now}" if now else "")

        decision = self.decision(key)
        settings = {**self.settings, decision.parameter: option}  # as if the parameter had said so
        outcome = _function(decision.branch(option).function)(settings, progress, **given)
        self.note(
            "result",
            key,
            option,
            line=outcome.line,
            sentence=outcome.sentence,
            summary=dict(outcome.facts),
            parameters={k: v for k, v in settings.items() if k != "journal"},
            machine=_machine(),
        )
        return outcome

    def __repr__(self) -> str:
        return f"{self.chapter.name}: {', '.join(f'{k} {v}' for k, v in self._shown().items())}"

    def _repr_html_(self) -> str:
        rows = {**self._shown(), "machine": _machine(), "journal": self.journal.trouble or _count(self.journal)}
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(str(k))}</th>"
            f"<td style='text-align:left'>{escape(str(v))}</td></tr>"
            for k, v in rows.items()
        )
        return f"<table>{cells}</table>"

    def _shown(self) -> dict[str, Any]:
        return {name: value for name, value in self.settings.items() if value is not None and name != "journal"}


def _count(journal: Journal) -> str:
    count = len(journal.entries())
    return f"{count} {'entry' if count == 1 else 'entries'} in {journal.path}" if journal.path else "none kept"


def _machine() -> str:
    from flowlab.machine import Machine

    return Machine.detect().sentence()


def _function(dotted: str) -> Callable[..., Outcome]:
    module, _, name = dotted.partition(":")
    function: Callable[..., Outcome] = getattr(import_module(module), name)
    return function


_current: Trip | None = None


def current() -> Trip:
    """Return the trip under way.

    Raises:
        SettingError: None is.
    """
    if _current is None:
        raise SettingError("no notebook is under way: run its first code cells, adventure.begin(...) among them")
    return _current


def begin(name: str, namespace: Mapping[str, Any]) -> Trip:
    """Check the parameters, find the journal, and return the trip.

    Args:
        name: The notebook, such as "02_login_crawl_parse".
        namespace: The notebook's globals(), where the parameters are.

    Raises:
        SettingError: A parameter's name or value is unknown; the message lists the choices.
    """
    global _current
    this = chapter(name)
    given = parameters.names_given(this.parameters, namespace)
    settings = resolved(this, parameters.checked(this.parameters, namespace, given))
    if _current is not None:
        _current.close()
    _current = Trip(this, settings, Journal(journal_file(settings.get("journal"))))
    _current.note("start", "scale", settings["scale"])
    _keep_runs(_current)
    _past_proxies()
    return _current


def _past_proxies() -> None:
    """Have every client go straight to the notebook's site on this computer, also where a proxy is set for the rest."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


def _keep_runs(trip: Trip) -> None:
    """Keep what this notebook measures in the user's store, or warn once that it is not kept."""
    from flowlab.stored import StoreWarning, store

    try:
        trip.open(store(), "store")
    except StoreError as error:
        warnings.warn(f"{error}. What this notebook measures is not kept", StoreWarning, stacklevel=3)


def resolved(this: Chapter, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's settings with the scale, and what it says, filled in where nothing was said."""
    scale = settings.get("scale") or os.environ.get("FLOWLAB_SCALE") or this.scale
    if scale not in SCALES:
        raise SettingError(f"FLOWLAB_SCALE is {scale!r}, which is no scale. Choose: {', '.join(SCALES)}")
    says = _said(this, scale)
    return {name: says.get(name) if value is None else value for name, value in settings.items()} | {"scale": scale}


def _said(this: Chapter, scale: str) -> dict[str, Any]:
    """Return what a scale says of a notebook's parameters."""
    from flowlab.workloads import loneliest

    return {"repeats": 1 if scale == "tiny" else 3, **loneliest.SCALES[scale], **this.scaled.get(scale, {})}


def decide(key: str, options: Mapping[str, str] | Iterable[str], default: str) -> str:
    """Return the option taken, after printing it in one line.

    Args:
        key: The decision.
        options: What may be chosen, in words.
        default: The choice, usually the parameter's value.

    Raises:
        SettingError: The choice is not an option; the message lists them.
    """
    trip = current()
    decision = trip.decision(key)
    if default not in options:
        raise SettingError(f"{default!r} is not a {key} to take. Choose: {', '.join(options)}")
    stored = next(p.default for p in trip.chapter.parameters if p.name == decision.parameter)
    text = trip.choose(key, default, by="default" if default == stored else "parameter")
    trip.picked.pop(key, None)
    print(f"Your {key}: {default}, {text}.")
    return default


def outcome(key: str, **given: Any) -> Outcome:
    """Return what came of the option taken, running its experiment unless the widget has just done so.

    Args:
        key: The decision.
        given: What the experiment needs from the notebook, such as the site.
    """
    trip = current()
    if key not in trip.choices:
        raise SettingError(f"nothing is decided about {key!r} yet: run the cell with adventure.decide({key!r}, ...)")
    return trip.picked.pop(key, None) or trip.run(key, trip.choices[key], given, _line_below())


def _line_below() -> Callable[[str], None]:
    """Return what shows a line below the running cell of a notebook, each in place of the one before."""
    namespace = sys.modules.get("IPython")
    if namespace is None or namespace.get_ipython() is None:
        return lambda line: None
    ipython = require("IPython.display", extra="notebooks", why="to show how far an experiment is")

    handle = ipython.DisplayHandle()
    handle.display(ipython.HTML(""))
    return lambda line: handle.update(ipython.HTML(f"<p>{escape(line)}</p>" if line else ""))


def predict(key: str, question: str, options: Mapping[str, str], answer: str | None = None) -> Prediction:
    """Return the prediction, after printing its state; no answer is as good as any.

    Raises:
        SettingError: The answer is not an option; the message lists them.
    """
    trip = current()
    prediction = Prediction(
        key, question, dict(options), noted=lambda given, came: trip.note("prediction", key, given, outcome=came)
    )
    prediction.give(answer)
    trip.predictions[key] = prediction
    print(prediction.line)
    return prediction


def quiz(key: str, *answers: str | None) -> Quiz:
    """Return a quiz, after printing its state; shown, it asks its questions and answers every answer.

    Args:
        key: The part's.
        answers: A letter a question, None for no answer; usually the parameters `quiz_1` and so on.

    Raises:
        SettingError: An answer is no option; the message lists them.
    """
    trip = current()

    def noted(letters: str, right: int) -> None:
        given = letters.strip("-") and letters
        trip.note("quiz", key, given or None, right=right, questions=len(letters))

    def measured(notebook: str) -> str:
        entry = trip.journal.last("result", notebook)
        return str(entry.facts.get("sentence", "")) if entry else ""

    questions = quiz_of(key)
    found = Quiz(key, questions, [None] * len(questions), noted, measured)
    found.give(*answers)
    trip.quizzes[key] = found
    print(found.line)
    return found


def journal() -> Journal:
    """Return the journal of the notebook under way, or the one that would be used."""
    return _current.journal if _current else Journal(journal_file(None))


def claim(text: str, gain: float, at_least: float, noise: float) -> None:
    """Print a claim with its figures, held against what was measured; see `claims.claim`.

    Raises:
        AssertionError: It does not hold, and the machine's noise cannot explain it.
    """
    trip = current()
    own = ", ".join(f"{name} = {value}" for name, value in _own(trip).items())
    print(fill(claims.claim(text, gain, at_least, noise, trip.settings["scale"], own), WIDTH))


def _own(trip: Trip) -> dict[str, Any]:
    """Return what the reader set differently from notebook and scale, answers and how often it is run left out."""
    this, says = trip.chapter, _said(trip.chapter, trip.settings["scale"])
    taken = {"scale", "repeats", "seed", "journal", *(p.name for p in this.guesses)}
    taken |= {this.decision.parameter} if this.decision else set()
    usual = {p.name: p.default for p in this.parameters} | says
    return {
        name: trip.settings[name]
        for name, value in usual.items()
        if name not in taken and not name.startswith("quiz_") and trip.settings.get(name, value) != value
    }
