"""Streams: a context for each item of a source that may be endless, with a bounded number in flight."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sized
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Any

from flowlab.errors import FlowError, FlowlabError
from flowlab.metrics import active
from flowlab.run.drivers.inline import Inline
from flowlab.run.drivers.loop import Loop
from flowlab.run.outcome import going
from flowlab.run.outcome.context import run_name
from flowlab.run.outcome.headway import showing
from flowlab.run.outcome.result import Run
from flowlab.run.quick import Path, Quick, QuickRun
from flowlab.run.session import Prepared, Settings, finish, given_values, prepare, unreadable

_END = object()


class Source:
    """Items one by one, from an iterable or an async iterable."""

    def __init__(self, source: Any) -> None:
        if hasattr(source, "__aiter__"):
            self.iterator = aiter(source)
            self.plain = False
        elif hasattr(source, "__iter__"):
            self.iterator = iter(source)
            self.plain = True
        else:
            raise FlowError(
                f"a stream's source is an iterable or async iterable of inputs, not a {type(source).__name__}"
            )
        self.asked: asyncio.Task[Any] | None = None
        self.ended = False
        self.error: BaseException | None = None
        self.pushed: list[Any] = []

    def next(self) -> Any:
        """The next item of a plain source; _END after the last."""
        try:
            return next(self.iterator)
        except StopIteration:
            self.ended = True
        except Exception as error:
            self.ended = True
            self.error = error
        return _END

    def some(self, most: int) -> Iterator[Any]:
        """The next items of a plain source, each asked for when it is wanted; fewer than `most` at its end."""
        count = 0
        try:
            for item in islice(self.iterator, most):
                count += 1
                yield item
        except Exception as error:
            self.error = error
        self.ended = self.ended or count < most

    def ask(self) -> asyncio.Task[Any]:
        """A task that brings the next item of an async source."""
        if self.asked is None:
            self.asked = asyncio.ensure_future(self.bring())
        return self.asked

    async def bring(self) -> Any:
        """The next item of an async source; _END after the last."""
        try:
            return await anext(self.iterator)
        except StopAsyncIteration:
            self.ended = True
        except Exception as error:
            self.ended = True
            self.error = error
        return _END

    async def close(self) -> None:
        """Let go of the source."""
        if self.asked is not None and not self.asked.done():
            self.asked.cancel()
            await asyncio.wait([self.asked])
        close = getattr(self.iterator, "aclose", None)
        if close is not None:
            await close()
            return
        close = getattr(self.iterator, "close", None)
        if close is not None:
            close()


class Here:
    """Runs items on the caller's thread, as long as they need no event loop."""

    def __init__(self, flow: Any, outputs: Any, settings: Settings) -> None:
        self.flow = flow
        self.outputs = outputs
        self.settings = settings
        self.count = 0
        self.inline = Inline()
        self.inline.headway = settings.headway
        self.quick = Quick(run_name(), self.inline, settings.level)
        self.other: tuple[Prepared, Any] | None = None
        self.unwatched = active.recorder() is None and active.keeper() is None

    async def group(self, items: Source, limit: int) -> list[tuple[Path, Any]]:
        """The next items that go straight through; one that does not ends the group and is kept aside."""
        found: list[tuple[Path, Any]] = []
        paths = self.quick.paths
        for item in items.some(min(self.quick.size, limit)) if items.plain else (await items.bring(),):
            if item is _END:
                break
            try:
                if type(item) is not dict and not isinstance(item, Mapping):
                    raise unreadable(item)
                path = paths.get(tuple(item)) or self._path(item, items)
            except (FlowlabError, TypeError) as error:  # the items before it are handed out first
                items.ended = True
                items.error = error if isinstance(error, FlowlabError) else unreadable(item)
                break
            if path is None:
                break
            found.append((path, item))
        return found

    def _path(self, item: Any, items: Source) -> Path | None:
        prepared = prepare(self.flow, item, self.outputs)
        if not prepared.inline(self.settings):
            items.pushed.append(item)
            return None
        if not prepared.layout.straight or self.settings.level == "full":
            self.other = (prepared, given_values(prepared, item))
            return None
        found = self.quick.paths[tuple(item)] = Path(prepared)
        return found

    def through(self, group: list[tuple[Path, Any]]) -> Iterator[Run]:
        """The runs of items that go straight through."""
        runs = self.quick.through(group, self.count)
        if self.settings.headway is not None:
            runs = iter(ended := list(runs))
            quick = [path for (path, _), run in zip(group, ended, strict=True) if type(run) is QuickRun]
            failed = [run._context for run in ended if type(run) is not QuickRun]
            self.settings.headway.passed((path.prepared.layout for path in quick), failed)
        return runs

    def one(self) -> Run:
        """Run the item kept aside."""
        assert self.other is not None
        (prepared, values), self.other = self.other, None
        quick = self.quick
        context = prepared.context(quick.run, self.count, self.inline.locks, self.settings.level, quick.tid)
        self.count += 1
        self.inline.run(context, values)
        return context.result()

    def close(self) -> None:
        """Close the resources of the stream."""
        self.inline.close("run")


class Stream:
    """The contexts of one stream that are in flight."""

    def __init__(self, flow: Any, outputs: Any, limit: int, ordered: bool, settings: Settings) -> None:
        self.flow = flow
        self.outputs = outputs
        self.limit = limit
        self.ordered = ordered
        self.settings = settings
        self.name = run_name()
        self.count = 0
        self.driver: Loop | None = None
        self.flying: deque[asyncio.Task[Run]] = deque()
        self.finished: deque[asyncio.Task[Run]] = deque()

    def launch(self, item: Any, items: Source) -> None:
        """Start a context for an item; one that does not fit the flow ends the source, after the items before it."""
        try:
            prepared = prepare(self.flow, item, self.outputs)
            values = given_values(prepared, item)
        except FlowlabError as error:
            items.ended, items.error = True, error
            return
        if self.driver is None:
            self.driver = Loop(prepared.place(self.settings), self.settings.workers)
            self.driver.expected = self.limit
            self.driver.headway = self.settings.headway
        task = asyncio.create_task(self._one(prepared, values, self.count))
        self.flying.append(task)
        if not self.ordered:
            task.add_done_callback(self.finished.append)
        self.count += 1

    async def _one(self, prepared: Prepared, values: Any, number: int) -> Run:
        driver = self.driver
        assert driver is not None
        context = prepared.context(self.name, number, driver.locks, self.settings.level)
        await driver.run(context, values)
        if number == 0:
            context.log.rows.extend(driver.start_rows())
        return context.result()

    def landed(self) -> asyncio.Task[Run] | None:
        """A finished context that may be handed out now."""
        if self.ordered:
            return self.flying.popleft() if self.flying and self.flying[0].done() else None
        if not self.finished:
            return None
        task = self.finished.popleft()
        self.flying.remove(task)
        return task

    async def close(self) -> None:
        """Stop what is in flight."""
        for task in self.flying:
            task.cancel()
        if self.flying:
            await asyncio.wait(self.flying)
        if self.driver is not None:
            await self.driver.close()


def stream(flow: Any, source: Any, outputs: Any, limit: int, ordered: bool, settings: Settings) -> AsyncIterator[Run]:
    """Yield a run for each item of the source, at most `limit` in flight; shown, if that is asked for."""
    return (_shown if settings.progress else _stream)(flow, source, outputs, limit, ordered, settings)


async def _shown(
    flow: Any, source: Any, outputs: Any, limit: int, ordered: bool, settings: Settings
) -> AsyncGenerator[Run, None]:
    expected = len(source) if isinstance(source, Sized) else None
    with showing(flow.name, expected) as headway:
        watched = replace(settings, progress=False, headway=headway)
        async with aclosing(_stream(flow, source, outputs, limit, ordered, watched)) as runs:
            async for run in runs:
                yield run


async def _stream(
    flow: Any, source: Any, outputs: Any, limit: int, ordered: bool, settings: Settings
) -> AsyncGenerator[Run, None]:
    """Yield a run for each item of the source, at most `limit` in flight."""
    if limit < 1:
        raise FlowError("limit is at least 1")
    outputs = outputs if outputs is None or isinstance(outputs, str) else tuple(outputs)
    items = Source(source)
    here = Here(flow, outputs, settings)
    try:
        while not (items.ended or items.pushed):
            group = await here.group(items, limit)
            if group:
                unwatched = here.unwatched
                for run in here.through(group):
                    yield run if unwatched and type(run) is QuickRun else finish(run, outputs, settings)
                here.count += len(group)
                await asyncio.sleep(0)
            if here.other is not None:
                yield finish(here.one(), outputs, settings)
    except BaseException:
        await items.close()
        going.over(here.quick.run)
        raise
    finally:
        here.close()
    if items.ended and not items.pushed:
        await items.close()
        going.over(here.quick.run)
        if items.error is not None:
            raise items.error
        return
    flight = Stream(flow, outputs, limit, ordered, settings)
    flight.name, flight.count = here.quick.run, here.count
    async with aclosing(_flown(items, flight)) as runs:
        async for run in runs:
            yield finish(run, outputs, settings)


async def _flown(items: Source, flight: Stream) -> AsyncGenerator[Run, None]:
    """Yield the run of each item from the first that could not go straight through, at most `limit` in flight."""
    try:
        flight.launch(items.pushed.pop(), items)
        while True:
            while items.plain and not items.ended and len(flight.flying) < flight.limit:
                item = items.next()
                if item is not _END:
                    flight.launch(item, items)
            asked = None if items.plain or items.ended or len(flight.flying) >= flight.limit else items.ask()
            task = flight.landed()
            if task is not None:
                yield task.result()
                continue
            waiting: list[Any] = list(flight.flying)
            if asked is not None:
                waiting.append(asked)
            if not waiting:
                break
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            waiting.clear()  # else all that landed is kept in memory until something is waited for again
            if asked is not None and asked.done():
                items.asked = None
                if asked.result() is not _END:
                    flight.launch(asked.result(), items)
        if items.error is not None:
            raise items.error
    finally:
        await flight.close()
        await items.close()
        going.over(flight.name)
