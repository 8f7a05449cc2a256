"""DataFlow: operations wired by definition names. It only delegates: to the graph, the planner, the orchestrator, the
drawing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from flowlab.errors import FlowError
from flowlab.graph import Definition, Graph, Operation, wire
from flowlab.graph.operation import PLACES
from flowlab.metrics.active import LEVELS, display, recorder

if TYPE_CHECKING:
    from flowlab.planning import Plan
    from flowlab.run.late import Started
    from flowlab.run.outcome.result import Run

Inputs = Mapping[str, Any]


class DataFlow:
    """Operations wired by the names of their definitions.

    Args:
        operations: Operations, or other flows, which become one operation each.
        name: The flow's name.
        definitions: What is more to say about definitions than their names.

    Raises:
        FlowError: The flow is built wrongly.

    Example:
        >>> import flowlab as fl
        >>> double = fl.operation(outputs="b")(lambda a: 2 * a)  # doctest: +SKIP
    """

    def __init__(self, *operations: Any, name: str = "flow", definitions: Iterable[Definition] = ()) -> None:
        self.name = name
        self.graph: Graph = wire([_as_operation(name, item) for item in operations], definitions, name)
        self._layouts: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"DataFlow({self.name!r}: {', '.join(self.graph.operations)})"

    # planning

    def plan(self, inputs: Iterable[str], outputs: Iterable[str] | None = None) -> Plan:
        """The plan for these names, without running anything.

        Raises:
            FlowError: A name is not one the flow knows.
        """
        from flowlab.planning import plan

        return plan(self.graph, *self._names(inputs, outputs))

    def _names(
        self, inputs: Iterable[str], outputs: Iterable[str] | None
    ) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        given = tuple(inputs)
        for name in given:
            self.graph.known(name, "given is")
        if isinstance(outputs, str):
            raise FlowError(f"outputs is a list of names: say outputs=[{outputs!r}]")
        wanted = None if outputs is None else tuple(outputs)
        for name in wanted or ():
            self.graph.known(name, "wanted is")
        return given, wanted

    # running

    def run(
        self, inputs: Inputs | None = None, outputs: Iterable[str] | None = None, *, executor: str | None = None,
        workers: int | None = None, strict: bool = True, level: str | None = None,
        progress: bool | None = None,
    ) -> Run:  # fmt: skip
        """Run once and return what came out; works in scripts and notebooks alike.

        Args:
            inputs: Values by definition name; a many takes an iterable of values.
            outputs: The names wanted; None for all that can be computed.
            executor: Where plain functions run: "inline", "asyncio", "threads", "processes". None runs them inline if
                there are no coroutines, else in threads.
            workers: How many threads and processes there are at most.
            strict: Raise if a wanted output is missing.
            level: What is measured of every call: "off" (nothing, no records), "time" (wall and CPU) or "full" (also
                waiting for a core, and memory in worker processes). None for what the active recorder measures, else
                "time".
            progress: Show how far it is while it goes on; None shows it inside `fl.show_progress()` only.

        Raises:
            FlowError: A name or value does not fit the flow.
            RunError: A wanted output could not be made.
        """
        from flowlab.run.session import run

        return run(self, inputs, outputs, _settings(executor, workers, strict, level, progress))

    async def run_async(
        self, inputs: Inputs | None = None, outputs: Iterable[str] | None = None, *, executor: str | None = None,
        workers: int | None = None, strict: bool = True, level: str | None = None,
        progress: bool | None = None,
    ) -> Run:  # fmt: skip
        """Run once on the running event loop; as `run`."""
        from flowlab.run.session import run_async

        return await run_async(self, inputs, outputs, _settings(executor, workers, strict, level, progress))

    def map(
        self, items: Iterable[Inputs], outputs: Iterable[str] | None = None, *, executor: str | None = None,
        workers: int | None = None, strict: bool = True, level: str | None = None,
        progress: bool | None = None,
    ) -> list[Run]:  # fmt: skip
        """Run once for each item and return the runs in order; resources of scope "run" are shared.

        Raises:
            RunError: At the end, if a wanted output of any item could not be made; `.runs` has all runs.
        """
        from flowlab.run.session import run_map

        return run_map(self, items, outputs, _settings(executor, workers, strict, level, progress))

    def stream(
        self, source: Any, outputs: Iterable[str] | None = None, *, limit: int = 64, ordered: bool = True,
        executor: str | None = None, workers: int | None = None, strict: bool = True, level: str | None = None,
        progress: bool | None = None,
    ) -> AsyncIterator[Run]:  # fmt: skip
        """Run once for each item of an endless source, at most `limit` at a time, and yield the runs.

        Args:
            source: An iterable or async iterable of inputs.
            limit: How many items are in flight at most; the source is not asked for more.
            ordered: Yield in the order of the source, else in the order in which items finish.
        """
        from flowlab.run.streams import stream

        return stream(self, source, outputs, limit, ordered, _settings(executor, workers, strict, level, progress))

    def start(
        self, inputs: Inputs | None = None, outputs: Iterable[str] | None = None, *, executor: str | None = None,
        workers: int | None = None, strict: bool = True, level: str | None = None,
        progress: bool | None = None,
    ) -> Started:  # fmt: skip
        """Start a run that takes late inputs: `with flow.start(inputs) as run: run.add(name, value)`.

        Values may be added for every many, and for what was not given and is needed or has a definition's default;
        what takes the latter waits for a value, at most until the block ends.
        """
        from flowlab.run.late import Started

        return Started(self, inputs, outputs, _settings(executor, workers, strict, level, progress))

    # other flows

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations, in the order given; `fl.DataFlow(*one.operations, *other.operations)` merges flows."""
        return tuple(self.graph.operations.values())

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The definitions that say more than a name."""
        return tuple(found for name, found in self.graph.definitions.items() if found != Definition(name))

    def sub(
        self, inputs: Iterable[str] | None = None, outputs: Iterable[str] | None = None, name: str | None = None
    ) -> DataFlow:
        """The part of the flow that leads from the inputs to the outputs, alternatives included.

        Raises:
            FlowError: A name is unknown, or nothing leads there.
        """
        from flowlab.planning import part

        given, wanted = self._names(inputs or (), outputs)
        names = part(self.graph, None if inputs is None else given, wanted)
        if not names:
            raise FlowError(f"nothing in flow {self.name!r} leads from these inputs to these outputs")
        operations = [self.graph.operations[found] for found in self.graph.operations if found in names]
        known = {d for operation in operations for d in (*operation.takes, *operation.makes, *operation.when)}
        return DataFlow(
            *operations, name=name or self.name, definitions=[d for d in self.definitions if d.name in known]
        )

    def as_operation(
        self,
        name: str | None = None,
        inputs: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Operation:
        """The flow as one operation of another flow.

        Args:
            name: The operation's name; the flow's if None.
            inputs: The other flow's names for this flow's inputs; their own if left out.
            outputs: The other flow's names for what it makes; what nothing in this flow takes, if None.
            settings: weight, when, stage, retries, backoff_s, timeout_s, on_error, workers.
        """
        from flowlab.run.nested import nested_operation

        return nested_operation(self, name or self.name, inputs, outputs, settings)

    def configured(self, settings: Mapping[str, Mapping[str, Any]] | str | PathLike[str]) -> DataFlow:
        """A copy with other settings of operations, by name, or from a TOML file with a table an operation.

        Raises:
            FlowError: An operation or setting is unknown.
        """
        if isinstance(settings, (str, PathLike)):
            import tomllib
            from pathlib import Path

            settings = tomllib.loads(Path(settings).read_text(encoding="utf-8"))
        for name in settings:
            if name not in self.graph.operations:
                from flowlab.graph.names import nearest

                raise FlowError(f"flow {self.name!r} has no operation {name!r}{nearest(name, self.graph.operations)}")
        operations = [o.configured(**settings[o.name]) if o.name in settings else o for o in self.operations]
        return DataFlow(*operations, name=self.name, definitions=self.definitions)

    # drawing

    def mermaid(self) -> str:
        """The flow as a mermaid diagram."""
        from flowlab.graph.drawing import mermaid

        return mermaid(self.graph)

    def svg(self) -> str:
        """The flow as an SVG drawing."""
        from flowlab.graph.drawing import svg

        return svg(self.graph)

    def _repr_html_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.svg(), "text/vnd.mermaid": self.mermaid()}


def _settings(executor: str | None, workers: int | None, strict: bool, level: str | None, progress: bool | None) -> Any:
    from flowlab.run.session import Settings

    if executor is not None and executor not in PLACES:
        from flowlab.graph.names import nearest

        raise FlowError(f"executor is one of {', '.join(PLACES)}, not {executor!r}{nearest(str(executor), PLACES)}")
    if workers is not None and workers < 1:
        raise FlowError("workers is at least 1, or None for as many as this machine has cores")
    if level is None:
        measuring = recorder()
        level = "time" if measuring is None else measuring.level
    elif level not in LEVELS:
        raise FlowError(f"level is one of {', '.join(LEVELS)}, not {level!r}")
    return Settings(executor, workers, strict, level, display() is not None if progress is None else progress)


def _as_operation(flow: str, item: Any) -> Operation:
    if isinstance(item, Operation):
        return item
    if isinstance(item, DataFlow):
        return item.as_operation()
    if callable(item):
        name = getattr(item, "__name__", type(item).__name__)
        raise FlowError(f"flow {flow!r} got the plain function {name!r}: decorate it with fl.operation")
    raise FlowError(f"flow {flow!r} got a {type(item).__name__} among its operations: give operations")
