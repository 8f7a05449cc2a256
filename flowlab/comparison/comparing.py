"""Comparing: the same job with several strategies, repeats interleaved, results held equal.

Serial goes first, as everybody's baseline; a job of plain functions is then placed by what that run measured, or by a
trial, one serial run more, where serial is not among the strategies. From there the order within each round is
shuffled, so that a machine that slows down slows all strategies alike. No run is dropped.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from flowlab.comparison.jobs import PLACED
from flowlab.comparison.kept import Kept
from flowlab.comparison.result import Comparison, StrategyRun
from flowlab.comparison.runner import Bench, Outcome
from flowlab.comparison.strategies import Results
from flowlab.comparison.subjects import Subject, equal_values, subject
from flowlab.comparison.verdict import computing_by_operation, sentence, verdict
from flowlab.errors import ComparisonError, FlowlabError, SettingError
from flowlab.live import Steps, shown
from flowlab.machine import Machine
from flowlab.metrics import active
from flowlab.metrics.active import LEVELS

Progress = Callable[[int, int, str], None]
"""Called before each run and after the last with: runs done, runs in all, the strategy that starts (or "")."""


def compare(
    job: Any,
    strategies: Sequence[str] | None = None,
    repeats: int = 3,
    sample: int | None = None,
    equal: Callable[[Any, Any], bool] | None = None,
    timeout_s: float = 600.0,
    seed: int = 0,
    level: str = "full",
    progress: Progress | bool | None = None,
    say: Callable[[str], None] = print,
) -> Comparison:
    """Run the same job with several strategies and return what each cost.

    Args:
        job: `fl.job(...)`, a dict of callables, a (flow, inputs) pair (compared over executors), or any object with
            `name` and `strategies`.
        strategies: Names of those to run; default all.
        repeats: How often each runs, 1 or more; a spread needs 3.
        sample: For `fl.job`: run on this many items, drawn at random; default all.
        equal: Tells whether two results are equal, where `==` does not.
        timeout_s: A run that takes longer is ended and the comparison stops with an error.
        seed: Of the order of the runs and of the sample.
        level: What is measured of every call: "off", "time" (wall and CPU) or "full" (also waiting for a core, and
            memory in flowlab's worker processes).
        progress: Show how far it is while it goes on; None shows it inside `fl.show_progress()` only. Or what is called
            as the runs go on, to be shown elsewhere.
        say: Called with the one line that says how many real calls will be made.

    Raises:
        SettingError: An argument is not usable; the message lists the choices.
        ComparisonError: A run could not be made or did not end in time.
    """
    if repeats < 1:
        raise SettingError(f"repeats={repeats}: give 1 or more")
    if level not in LEVELS:
        raise SettingError(f"level={level!r}: choose one of {', '.join(LEVELS)}")
    if timeout_s <= 0:
        raise SettingError(f"timeout_s={timeout_s}: give the seconds a run may take, above 0")
    if sample is not None:
        if not hasattr(job, "sampled"):
            raise SettingError("sample= works for fl.job(...), whose items are known; other jobs run whole")
        job = job.sampled(sample, seed)
    chosen = subject(job, equal)
    if strategies is not None:
        chosen = chosen.only([strategies] if isinstance(strategies, str) else list(strategies))
    _say_calls(job, chosen, repeats, say)
    if callable(progress) or progress is False or (progress is None and active.display() is None):
        return _Comparing(chosen, repeats, seed, level, progress or None).run(timeout_s)
    with shown(Steps(chosen.name, "runs", len(chosen.strategies) * repeats)) as steps:
        return _Comparing(chosen, repeats, seed, level, steps.update).run(timeout_s)


def _say_calls(job: Any, chosen: Subject, repeats: int, say: Callable[[str], None]) -> None:
    calls = getattr(job, "calls", None)
    if calls is None:
        return
    n = len(chosen.strategies)
    text = f"{n} strategies x {repeats} repeats x {calls:,} calls = {n * repeats * calls:,} real calls"
    if chosen.source is not None and chosen.source.needs_trial(chosen.strategies):
        text += (
            f"; before them {calls:,}, serially, to see which functions compute: {(n * repeats + 1) * calls:,} in all"
        )
    say(text)


@dataclass(slots=True)
class _Comparing:
    """One comparison under way."""

    subject: Subject
    repeats: int
    seed: int
    level: str
    progress: Progress | None

    def run(self, timeout_s: float) -> Comparison:
        from flowlab.metrics.sampler import Sampler

        machine = Machine.detect()
        started = time.monotonic()
        names = tuple(self.subject.strategies)
        reference: list[tuple[str, Any]] = []
        outcomes: list[Outcome] = []
        differing: dict[str, None] = {}
        trial: StrategyRun | None = None
        kept = Kept(self.subject.name, {"strategies": names, "settings": dict(self.subject.settings)})
        with ExitStack() as stack:
            stack.callback(kept.stop)
            bench = Bench(machine, stack.enter_context(Sampler()), self.subject.services, timeout_s, self.level, kept)
            if self.subject.source is not None and self.subject.source.needs_trial(names):
                trial = self._trial(bench)
            for order, (repeat, name) in enumerate(self._order(names)):
                if self.progress:
                    self.progress(order, len(names) * self.repeats, name)
                outcome = bench.run(name, self.subject.strategies[name], repeat, order)
                if order == 0:
                    _stop_if_hopeless(outcome)
                outcome = self._judged(outcome, reference, differing)
                kept.end(outcome.run)
                if order == 0 and name == "serial":
                    self._place(outcome.run)
                outcomes.append(outcome)
            made = self._comparison(names, outcomes, reference, tuple(differing), machine, time.monotonic() - started)
            kept.finish(made)
        if self.progress:
            self.progress(len(outcomes), len(names) * self.repeats, "")
        return replace(made, trial=trial)

    def _order(self, names: Sequence[str]) -> list[tuple[int, str]]:
        draw = random.Random(self.seed)
        rounds = []
        for repeat in range(self.repeats):
            shuffled = draw.sample(names, len(names))
            if repeat == 0 and "serial" in names:
                shuffled.sort(key=lambda name: name != "serial")
            rounds += [(repeat, name) for name in shuffled]
        return rounds

    def _trial(self, bench: Bench) -> StrategyRun:
        """Make the serial run that nobody asked for, to place what the others compute."""
        if self.progress:
            self.progress(0, len(self.subject.strategies) * self.repeats, "serial trial")
        outcome = bench.run("serial", self.subject.source.strategies["serial"], 0, -1)
        _stop_if_hopeless(outcome)
        bench.kept.end(outcome.run)
        self._place(outcome.run, " (by a serial run made first)")
        return outcome.run

    def _place(self, run: StrategyRun, how: str = "") -> None:
        """Let a job of plain functions place its steps by what a serial run measured."""
        if self.subject.source is None:
            return
        if run.error is not None:
            how = " (the serial run did not end, so nothing is known)"
        names = list(self.subject.strategies)
        placed = self.subject.source.placed(computing_by_operation(run.records))
        settings = dict(placed.settings)
        if chosen := [name for name in PLACED if name in names]:
            heavy = ", ".join(step.name for step in placed.steps if step.name in placed.in_processes)
            settings["in worker processes"] = f"{heavy or 'nothing'} of {' and '.join(chosen)}{how}"
        self.subject = replace(subject(placed, self.subject.equal).only(names), settings=settings)

    def _judged(self, outcome: Outcome, reference: list[tuple[str, Any]], differing: dict[str, None]) -> Outcome:
        """Hold a result against the first that came; without keeping more than one."""
        run = outcome.run
        if self.subject.source is not None:
            run = replace(run, failures=self.subject.source.numbered(run.failures))
            outcome = replace(outcome, run=run)
        if run.error is not None:
            differing[f"{run.strategy} failed: {run.error}"] = None
            return replace(outcome, run=replace(run, equal=None), value=None)
        if not reference:
            reference.append((run.strategy, outcome.value))
            return replace(outcome, run=replace(run, equal=True))
        first, expected = reference[0]
        same = self._equal(expected, outcome.value)
        if not same:
            told = self.subject.source.same if self.subject.source is not None else self.subject.equal
            hint = "" if told else " (if they only look different to ==, give equal=)"
            differing[f"{run.strategy} gave another result than {first}{hint}"] = None
        return replace(outcome, run=replace(run, equal=same), value=None)

    def _equal(self, expected: Any, found: Any) -> bool:
        try:
            return bool((self.subject.equal or equal_values)(expected, found))
        except FlowlabError:
            raise
        except Exception as error:
            raise ComparisonError(
                f"two results could not be compared ({type(error).__name__}): equal= is called with both, and answers "
                "whether they are equal"
            ) from error

    def _comparison(
        self, names: tuple[str, ...], outcomes: list[Outcome], reference: list[tuple[str, Any]],
        differing: tuple[str, ...], machine: Machine, took_s: float,
    ) -> Comparison:  # fmt: skip
        runs = tuple(outcome.run for outcome in outcomes)
        value = reference[0][1] if reference else None
        differing += _different_failures(names, runs)
        made = Comparison(
            name=self.subject.name, strategies=names, runs=runs, machine=machine,
            services=tuple(use for outcome in outcomes for use in outcome.services),
            settings=dict(self.subject.settings),
            question=self.subject.question, agree=not differing, disagreements=differing, value=value, took_s=took_s,
            answer=self.subject.answer(value) if self.subject.answer and reference else None,
        )  # fmt: skip
        made = replace(made, sentence=sentence(made))
        return replace(made, verdict=verdict(made, self.subject.workers, self.subject.source))


def _stop_if_hopeless(outcome: Outcome) -> None:
    """Let what dooms every run end the comparison with its own words, after the first."""
    if outcome.explained is not None:
        raise ComparisonError(outcome.explained)
    n = len(outcome.value.values) if isinstance(outcome.value, Results) else 0
    if n and len(outcome.run.failures) == n:
        kinds = ", ".join(sorted({kind for _, kind in outcome.run.failures}))
        raise ComparisonError(
            f"every item failed ({n} of {n}, {kinds}), so there is nothing to compare: call the functions on one of "
            "them by hand"
        )


def _different_failures(names: Sequence[str], runs: Sequence[StrategyRun]) -> tuple[str, ...]:
    """One sentence for each strategy whose items failed otherwise than the first one's."""
    failed = {name: {index for run in runs if run.strategy == name for index, _ in run.failures} for name in names}
    ended = [name for name in names if any(run.strategy == name and run.error is None for run in runs)]
    return tuple(
        f"{name} failed on other items than {ended[0]}: {_items(failed[name])} against {_items(failed[ended[0]])}"
        for name in ended[1:]
        if failed[name] != failed[ended[0]]
    )


def _items(indices: set[int]) -> str:
    shown = ", ".join(str(index) for index in sorted(indices)[:10])
    return f"items {shown}{', ...' if len(indices) > 10 else ''}" if indices else "none"
