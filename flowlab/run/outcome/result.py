"""The run: what came out of one context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowError, RunError
from flowlab.graph.definition import MISSING
from flowlab.graph.names import nearest
from flowlab.run.layout.steps import straight
from flowlab.run.outcome.outcome import value as value_of
from flowlab.run.state.losses import Loss, Lost

if TYPE_CHECKING:
    from flowlab.machine import Machine
    from flowlab.metrics.overhead import Overhead
    from flowlab.metrics.record import Record
    from flowlab.run.outcome.context import Context


@dataclass(frozen=True, slots=True)
class CallError:
    """A call that failed for good: the operation's name and what it raised."""

    operation: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A call that failed for good, and the parameter set it failed on."""

    operation: str
    error: BaseException
    parameters: Mapping[str, Any]


class Run:
    """What came out of one context: values, errors, lineage, records."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._records: tuple[Record, ...] | None = None
        self._values: dict[str, Any] = {}
        self.failures: dict[str, Loss | None] = {}
        layout = context.layout
        if context.cells is not None:
            self._values = {name: context.cells[slot] for name, slot in straight(layout).kept}
            return
        state = context.state
        plan = layout.plan
        for name in dict.fromkeys((*plan.given, *plan.wanted)):
            value = value_of(state, name)
            if type(value) is Lost:
                self.failures[name] = value.loss
            elif value is MISSING:
                self.failures[name] = None
            else:
                self._values[name] = value

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        graph = self._context.layout.graph
        if name not in graph.definitions:
            raise KeyError(f"{name!r} is not a definition of flow {graph.name!r}{nearest(name, graph.definitions)}")
        if name in self.failures:
            raise KeyError(f"{name!r} was not made: {self.explain(name)}")
        raise KeyError(f"{name!r} was not kept: ask for it, outputs=[{name!r}]")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        names = ", ".join(self._values)
        failed = f", {len(self.errors)} failed" if self.errors else ""
        return f"Run({self._context.layout.graph.name!r}: {names}; {len(self.calls)} calls{failed})"

    @property
    def values(self) -> dict[str, Any]:
        """The values given and requested, by name."""
        return dict(self._values)

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the operations whose bodies ran, in start order; retries count once."""
        return self._context.log.calls()

    @property
    def errors(self) -> tuple[CallError, ...]:
        """The calls that failed for good, rescued by an alternative or not."""
        return tuple(self._context.errors)

    @property
    def lost(self) -> tuple[CallError, ...]:
        """The elements that lists go on without."""
        return tuple(
            CallError(loss.operation, loss.error) for loss in self._context.state.losses if loss.error is not None
        )

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The parameter sets of failed calls of operations with on_error="dead-letter"."""
        return tuple(self._context.dead)

    @property
    def records(self) -> tuple[Record, ...]:
        """What each attempt of each call cost."""
        if self._records is None:
            self._records = self._context.log.records()
        return self._records

    @property
    def overhead(self) -> Overhead:
        """What measuring cost this run."""
        from flowlab.metrics.overhead import overhead

        return overhead(self.records)

    @property
    def machine(self) -> Machine:
        """Where it ran. A run reads nothing of that: what changes, as load and free memory, is as of now.

        A stored run has what was read at its start and at its end.
        """
        from flowlab.machine import Machine

        return Machine.detect()

    def table(self, rows: str = "calls") -> Any:
        """The records as a pandas frame, one row each; `rows` may be "steps", one row a phase or step of a call."""
        from flowlab.metrics.tables import table

        return table(self, rows)

    def explain(self, name: str) -> str:
        """Say in a sentence why a definition or operation came to be, or did not.

        Raises:
            FlowError: The flow knows no such name.
        """
        from flowlab.run.outcome.explain import explain

        return explain(self, self._context, name)

    def lineage(self, name: str, place: int | None = None) -> Any:
        """Where a definition's value came from: the operations and definitions it was made of.

        Args:
            name: The definition.
            place: For one element of a list, its place in `run[name]`; each line then says which elements it was made
                of, `link[2]`. None for the definition as a whole.

        Raises:
            FlowError: The flow knows no such name, or its list no such place.
        """
        from flowlab.run.outcome.lineage import lineage

        return lineage(self._context, name, place)

    def _repr_html_(self) -> str:
        from flowlab.run.outcome.picture import run_html

        return run_html(self)


def check(run: Run, requested: bool) -> None:
    """Raise if a wanted output is missing.

    Args:
        run: The run.
        requested: Outputs were requested by name; else only what failed counts, not what was refused.

    Raises:
        RunError: A wanted output could not be made.
    """
    wanted = run._context.layout.plan.wanted
    missing = [
        name for name in wanted
        if name in run.failures and (requested or ((loss := run.failures[name]) is not None and loss.error is not None))
    ]  # fmt: skip
    if not missing:
        return
    errors = run.errors
    flow = run._context.layout.graph.name
    parts = []
    for name in missing[:5]:
        loss = run.failures[name]
        if loss is None:
            parts.append(f"{name!r} was not made")
        elif loss.error is None:
            parts.append(f"{name!r} was not made because operation {loss.operation!r} was refused: {loss.why}")
        else:
            parts.append(
                f"{name!r} was not made because operation {loss.operation!r} failed with {type(loss.error).__name__}"
            )
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    way_out = "see .run.errors, or run with strict=False for what could be made"
    failure = RunError(f"flow {flow!r}: {'; '.join(parts)}{more}. {way_out}", run, errors)
    raise failure from cause([entry.error for entry in errors])


def cause(errors: list[BaseException]) -> BaseException | None:
    """One exception that stands for all of these."""
    if len(errors) < 2:
        return errors[0] if errors else None
    return BaseExceptionGroup(f"{len(errors)} calls failed", errors)


__all__ = ["CallError", "DeadLetter", "FlowError", "Run", "cause", "check"]
