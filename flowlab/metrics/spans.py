"""Spans and measured functions: the two ways to say "this is a call".

Here are what `with span(...)` returns and the wrappers that `measured` puts around functions, coroutine functions,
generators and async generators. Not here: who records (`recorder`) and how clocks are read (`probes`). Invariant: a
wrapper behaves as what it wraps - same results, errors, sends and throws - and with no recorder active it only calls
it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar, overload

from flowlab.errors import SettingError
from flowlab.metrics.active import CALL, THREAD, Call, nearest_recorder
from flowlab.metrics.probes import STEPPED, Measured, drive, running_loop
from flowlab.metrics.sizes import input_size

F = TypeVar("F", bound=Callable[..., Any])


class Span:
    """A measured piece of code, between `with` and the end of its block."""

    __slots__ = ("call", "name", "recorder", "stage", "turn")

    def __init__(self, recorder: Any, name: str, stage: str | None) -> None:
        self.recorder = recorder
        self.name = name
        self.stage = stage
        self.turn: Any = None

    def __enter__(self) -> Call:
        loop = running_loop()
        blind = loop is not None and (not THREAD.calls or THREAD.calls[-1].loop is not loop)
        where = None if loop is None else "asyncio"
        call: Measured = self.recorder.open(self.name, self.stage, where, not blind)
        self.call = call
        if blind:
            CALL.set(call)
            self._enter_blind(loop, call)
        return call

    def _enter_blind(self, loop: Any, call: Measured) -> None:
        """Nobody steps this task: the thread's clock is this span's only until the loop turns to something else."""
        from flowlab.metrics.follow import follow

        follow(loop, call.clocks)
        call.resume_blind()
        self.turn = loop.call_soon(call.mark_turned)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        call: Measured = self.call
        if call.blind is not None:
            self.turn.cancel()
            call.pause_blind()
            if CALL.get() is call:
                CALL.set(call.parent)
            self.recorder.finish(call, error)
        else:
            shown = CALL.get()
            call.stop(error)
            if shown is not call:  # it is left in another context than it was entered in
                CALL.set(shown)

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.__exit__(kind, error, trace)


class NoSpan:
    """A span while nothing records."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *error: object) -> None:
        return None


NO_SPAN = NoSpan()


def span(name: str, stage: str | None = None) -> Span | NoSpan:
    """Return a block to measure: `with span("parse"):`, or `async with`, on whatever recorder is active.

    Args:
        name: The operation's name in the record.
        stage: What part of the job it is, as in "start"; None for ordinary work.
    """
    recorder = nearest_recorder()
    return NO_SPAN if recorder is None else recorder.span(name, stage)


@overload
def measured(function: F, /) -> F: ...
@overload
def measured(name: str | None = None, /, *, stage: str | None = None) -> Callable[[F], F]: ...
def measured(function: Any = None, /, *, stage: str | None = None) -> Any:
    """Return a function that does the same and is measured by whatever recorder is active when it is called.

    Use it as `@measured`, or as `@measured("log in")` to name the operation; the name is the function's own otherwise.
    Functions, methods, coroutine functions, generators and async generators are measured as what they are.
    """
    return decorate(function, stage, nearest_recorder)


def decorate(function: Any, stage: str | None, find: Callable[[], Any]) -> Any:
    """Return the measured function; for a name, or nothing, instead of a function the decorator that makes it."""
    if function is None or isinstance(function, str):
        return lambda real: wrap(real, function, stage, find)
    return wrap(function, None, stage, find)


def wrap(function: Any, name: str | None, stage: str | None, find: Callable[[], Any]) -> Any:
    """Return the wrapper for whatever kind of function this is."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(function.__func__, name, stage, find))
    if not callable(function):
        raise SettingError(f"measured needs a function, not {type(function).__name__}: decorate a function with it")
    name = name or operation_name(function)
    body = function if inspect.isroutine(function) or isinstance(function, functools.partial) else function.__call__
    kind = next((make for check, make in KINDS if check(body)), _plain)
    wrapper: Any = functools.wraps(function)(kind(function, name, stage, find))
    wrapper.__flowlab_measured__ = True
    return wrapper


def operation_name(function: Any) -> str:
    """Return the name a function's records have: its own, with its class if it is a method.

    >>> operation_name(str.upper), operation_name(functools.partial(len))
    ('str.upper', 'len')
    """
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__name__
    return str(name).rpartition("<locals>.")[2]


def _plain(function: Any, name: str, stage: str | None, find: Callable[[], Any]) -> Any:
    # No context variable by name here: a notebook's function travels with its wrapper, and such a one does not pickle.
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        recorder = find()
        if recorder is None or not recorder.on:
            return function(*args, **kwargs)
        call = recorder.open(name, stage, None, True)
        if call.clocks.runqueue is not None:
            _size(call, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.stop(error)
            raise
        call.stop()
        return result

    return wrapper


def _coroutine(function: Any, name: str, stage: str | None, find: Callable[[], Any]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        recorder = find()
        if recorder is None or not recorder.on:
            return await function(*args, **kwargs)
        call = recorder.open(name, stage, "asyncio")
        _follow(call)
        _size(call, args, kwargs)
        error: BaseException | None = None
        try:
            return await drive(function(*args, **kwargs), call)
        except BaseException as raised:
            error = raised
            raise
        finally:
            recorder.finish(call, error)
            error = None

    STEPPED.add(wrapper.__code__)
    return wrapper


def _generator(function: Any, name: str, stage: str | None, find: Callable[[], Any]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        recorder = find()
        if recorder is None or not recorder.on:
            return (yield from function(*args, **kwargs))
        call = recorder.open(name, stage)
        _size(call, args, kwargs)
        error: BaseException | None = None
        try:
            return (yield from drive(function(*args, **kwargs), call))
        except BaseException as raised:
            error = raised
            raise
        finally:
            recorder.finish(call, error)
            error = None

    return wrapper


def _async_generator(function: Any, name: str, stage: str | None, find: Callable[[], Any]) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        recorder = find()
        source = function(*args, **kwargs)
        call = recorder.open(name, stage, "asyncio") if recorder is not None and recorder.on else None
        if call is not None:
            _follow(call)
            _size(call, args, kwargs)
        error: BaseException | None = None
        method, argument = source.asend, None
        try:
            while True:
                step = method(argument)
                try:
                    item = await (step if call is None else drive(step, call))
                except StopAsyncIteration:
                    return
                finally:
                    argument = None
                try:
                    sent = yield item
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as thrown:
                    method, argument = source.athrow, thrown
                else:
                    method, argument = source.asend, sent
        except BaseException as raised:
            error = raised
            raise
        finally:
            if call is not None:
                recorder.finish(call, error)
            error = None

    return wrapper


def _size(call: Measured, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Have a call say how much it works on, at level "full"."""
    if call.clocks.runqueue is not None:
        call.sized = input_size((*args, *kwargs.values()))


def _follow(call: Measured) -> None:
    """Count child tasks and threads of this loop for the calls that start them."""
    loop = running_loop()
    if loop is not None:
        from flowlab.metrics.follow import follow

        follow(loop, call.clocks)


KINDS: tuple[tuple[Callable[[Any], bool], Callable[..., Any]], ...] = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
)
