"""Comparisons in the store: told to this process's keeper as they go on, and made again from what was stored.

Not here: the store itself, which knows nothing of strategies. Invariant: what the strategies returned and printed is
never stored; all else of a comparison comes back equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from flowlab.comparison.result import Comparison, ServiceUse, StrategyRun, Verdict
from flowlab.metrics import active
from flowlab.metrics.power import Energy, Profile
from flowlab.metrics.sampler import Sampler
from flowlab.stored.run import StoredRun

_NOUNS: Mapping[str, type[Any]] = {"energy": Energy, "profile": Profile, "verdict": Verdict}
_APART = ("records", "samples", "output", "runs", "trial", "machine", "value", "services")
"""What is stored as rows of its own, and what is not stored."""


class Kept:
    """One comparison, told to the keeper if there is one.

    Args:
        name: Of the job.
        facts: What is known of it before it begins.
    """

    def __init__(self, name: str, facts: Mapping[str, Any]) -> None:
        self._keeper = active.keeper()
        self._number = 0 if self._keeper is None else self._keeper.begin("comparison", name, figures=dict(facts))
        self._run = 0

    def begin(self, strategy: str, repeat: int, order: int) -> None:
        """Tell that a run begins."""
        if self._number:
            facts = {"strategy": strategy, "repeat": repeat, "order": order}
            self._run = self._keeper.begin("strategy", strategy, self._number, facts)

    def watching(self, sampler: Sampler) -> Callable[[str], None] | None:
        """Return what is to be called with the path to which the run's process hands its records; None if nobody asks.

        Args:
            sampler: Watches the run as "strategy".
        """
        if not self._run:
            return None
        number = self._run
        return lambda path: self._keeper.watch(number, path, lambda since_ns: sampler.so_far("strategy", since_ns))

    def end(self, run: StrategyRun) -> None:
        """Tell what a run cost."""
        if self._run:
            status = "failed" if run.error is not None or run.equal is False else "ended"
            self._keeper.finish(self._run, status, _figures(run), run.records, run.samples)
            self._run = 0

    def finish(self, made: Comparison) -> None:
        """Tell what the comparison found."""
        if self._number:
            services = [_figures(use) for use in made.services]
            figures = {**_figures(made), "services": services}
            self._keeper.finish(self._number, "ended" if made.agree else "failed", figures)
            self._number = 0

    def stop(self) -> None:
        """Tell that what has not ended will not end."""
        for number in (self._run, self._number):
            if number:
                self._keeper.stop(number)
        self._run = self._number = 0


def _figures(noun: Any) -> dict[str, Any]:
    found = {entry.name: getattr(noun, entry.name) for entry in fields(noun) if entry.name not in _APART}
    return {name: asdict(value) if is_dataclass(value) else value for name, value in found.items()}  # type: ignore[arg-type]


def comparison_of(stored: StoredRun) -> Comparison:
    """Return a comparison as it was, but for what its strategies returned and printed.

    Args:
        stored: A stored run of kind "comparison"; one that was cut short has the runs it had.
    """
    runs = tuple(strategy_run_of(run) for run in stored.runs)
    figures = {**_read(Comparison, stored.figures), "machine": stored.machine, "name": stored.name}
    figures["strategies"] = tuple(figures.get("strategies") or dict.fromkeys(run.strategy for run in runs))
    figures["disagreements"] = tuple(figures.get("disagreements", ()))
    figures["services"] = tuple(ServiceUse(**_read(ServiceUse, use)) for use in stored.figures.get("services", ()))
    trials = [run for run in runs if run.order < 0]
    figures["trial"] = trials[0] if trials else None
    return Comparison(**figures, runs=tuple(run for run in runs if run.order >= 0))


def strategy_run_of(stored: StoredRun) -> StrategyRun:
    """Return one run as it was, but for what it printed; of any kind, so that whatever takes one takes it."""
    figures = {"strategy": stored.name, "repeat": 0, "order": 0, **_read(StrategyRun, stored.figures)}
    figures["failures"] = tuple((index, kind) for index, kind in figures.get("failures", ()))
    if stored.kind != "strategy":
        figures |= {"wall_s": stored.took_s, "started_ns": stored.began_ns, "ended_ns": stored.ended_ns}
    elif "wall_s" not in figures and "error" not in figures:
        figures["error"] = f"it did not end ({stored.status})"
    return StrategyRun(**figures, records=stored.records, samples=stored.samples)


def _read(noun: type[Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a noun that were stored; what this version does not know is left out."""
    known = {entry.name for entry in fields(noun)}
    found = {name: value for name, value in figures.items() if name in known and name not in _APART}
    for name, inner in _NOUNS.items():
        if isinstance(found.get(name), Mapping):
            found[name] = inner(**_known(inner, found[name]))
    return found


def _known(noun: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    names: Iterable[str] = (entry.name for entry in fields(noun))
    return {name: values[name] for name in names if name in values}
