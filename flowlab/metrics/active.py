"""Who is measuring, and which call is running now.

Here are the active recorder of this process, the innermost measured call of this context (`CALL`), the stack of
measured calls that are running on this thread, and what code inside a call may say to it (`metric`, `progress`). Not
here: clocks and records. Invariant: with no recorder active everything here is nearly free and keeps nothing.

How calls nest without counting twice: whoever measures a call appends its `Call` to `stack()` while it runs on this
thread, and pops it. A nested call that ends a piece of work adds its CPU to `inner_ns` of the call below it on the
stack: that CPU is also in the outer call's own reading. What ran elsewhere (another thread, a child task) is appended
to `away` if it was a measured call, to `followed` if not; the outer call's reading has neither. `Call.totals` adds up.
"""

from __future__ import annotations

import os
import sys
import threading
from contextvars import ContextVar
from typing import Any

LEVELS = ("off", "time", "full")
"""What is measured of a call: nothing; wall and CPU; also waiting for a core, and memory where that can be told."""
SPOOL = "FLOWLAB_SPOOL"
"""Environment variable that names the folder where child processes write their records."""


class Call:
    """A measured call that is running: its id, who records it, and what it reported so far.

    What most calls never have is a default of the class, not of the instance: making one costs half as much. A driver
    looks at a call again when its `custom` is not None.

    Attributes:
        about: Who is told how far the call says it is, if anybody is.
        node: What runs on the caller's thread now, if this is its driver's call.
    """

    custom: dict[str, object] | None = None
    loop: Any = None
    inner_ns: int = 0
    away: list[int] | None = None
    followed: list[int] | None = None
    blind: list[bool] | None = None
    about: Any = None
    node: Any = None
    fields: dict[str, Any] | None = None
    followers = 0
    alone = True
    mem_at = mem_top = mem_peak_bytes = mem_net_bytes = 0

    def __init__(self, id: int, recorder: Any = None) -> None:
        self.id = id
        self.recorder = recorder

    @property
    def tid(self) -> int | None:
        """The thread it began on, where that is known."""
        return None

    def add_away(self, cpu_ns: int) -> None:
        """Add the CPU of a measured call that this one started on another thread or in another task."""
        if self.away is None:
            self.away = []
        if self.custom is None:
            self.custom = {}
        self.away.append(cpu_ns)

    def add_followed(self, cpu_ns: int) -> None:
        """Add CPU of this call's own that was spent on another thread or in another task."""
        if self.followed is None:
            self.followed = []
        if self.custom is None:
            self.custom = {}
        self.followed.append(cpu_ns)

    def totals(self, read_ns: int) -> tuple[int, int]:
        """Return (all CPU, CPU without nested calls) of this call.

        Args:
            read_ns: What the clock of the call's own thread said while it ran there.
        """
        followed = sum(self.followed) if self.followed else 0
        away = sum(self.away) if self.away else 0
        return read_ns + followed + away, read_ns + followed - self.inner_ns

    def take(self, read_ns: int | None) -> dict[str, Any] | None:
        """Take what was said inside this call, by the names of `Record`, and be as new; None if there was nothing.

        For a driver that uses one Call for many calls, one after the other.

        Args:
            read_ns: What the clock of the call's own thread said while it ran there; None if it was not read.
        """
        if self.custom is None and not self.inner_ns and self.away is None and self.followed is None:
            return None
        found: dict[str, Any] = {}
        if read_ns is not None:
            found["cpu_ns"], found["cpu_self_ns"] = self.totals(read_ns)
        if self.custom:
            found["custom"] = self.custom
        if self.fields is not None:
            found.update(self.fields)
            self.fields, self.alone = None, True
            self.mem_top = self.mem_peak_bytes = self.mem_net_bytes = 0
        if self.id:
            found["id"] = self.id
        self.id, self.custom, self.inner_ns, self.away, self.followed = 0, None, 0, None, None
        return found


def lay_out(kind: type[Call], *names: str) -> None:
    """Have the first call of a kind get what most calls of that kind get.

    CPython keeps the attributes of instances in arrays of one layout, which is settled by the first few: calls that get
    others later cost more. So a program's first coroutines would make its functions dearer.
    """
    call = kind.__new__(kind)
    for name in names:
        setattr(call, name, None)


CALL: ContextVar[Call | None] = ContextVar("flowlab_call", default=None)


class Here:
    """What is known of one thread: its measured calls that are running now (outermost first), its id, and its kind.

    `cpu_ns` is what its clock said last, at `read_at`; `waited_ns` how long it had waited for a core, at `waited_at`.
    """

    __slots__ = ("calls", "cpu_ns", "kind", "read_at", "schedstat", "tid", "waited_at", "waited_ns")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.tid = threading.get_native_id()
        self.kind = "inline" if threading.get_ident() == threading.main_thread().ident else "threads"
        self.cpu_ns = 0
        self.waited_ns: int | None = None
        self.read_at = self.waited_at = -(1 << 60)
        self.schedstat: int | None = None

    def open_schedstat(self) -> int:
        """Open the file that says how long this thread waited; -1 where there is none."""
        try:
            self.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.schedstat = -1
        return self.schedstat

    def __del__(self, close: Any = os.close) -> None:
        if self.schedstat is not None and self.schedstat >= 0:
            close(self.schedstat)  # at the interpreter's end `os` is gone before the last thread's reading


class Thread(threading.local):
    """The same by thread: `here` is this thread's, with its calls, id and kind at hand."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Look again: a forked child's thread is another one."""
        self.here = Here()
        self.calls, self.tid, self.kind = self.here.calls, self.here.tid, self.here.kind


THREAD = Thread()


def stack() -> list[Call]:
    """Return this thread's measured calls that are running now, outermost first."""
    return THREAD.calls


class _Process:
    """What this process knows: its active recorders and keepers, innermost last, and the bytes it moved."""

    __slots__ = ("bytes", "display", "keepers", "lock", "looked", "recorders")

    def __init__(self) -> None:
        self.recorders: tuple[Any, ...] = ()
        self.keepers: tuple[Any, ...] = ()
        self.looked = False
        self.bytes = 0
        self.display: Any = None
        self.lock = threading.Lock()


_PROCESS = _Process()


def recorder() -> Any:
    """Return the recorder that is active in this process, or None.

    A child process of one with an active recorder finds it by the environment variable FLOWLAB_SPOOL, and gets a
    recorder that writes to that folder.
    """
    recorders = _PROCESS.recorders
    if recorders:
        return recorders[-1]
    return None if _PROCESS.looked else _look()


def nearest_recorder() -> Any:
    """Return who records here: the current call's own recorder if that `keeps_nested`, else the active one."""
    call = CALL.get()
    if call is not None and call.recorder is not None and call.recorder.keeps_nested:
        return call.recorder
    recorders = _PROCESS.recorders
    return recorders[-1] if recorders else recorder()


def _look() -> Any:
    """Look for a parent's recorder, once a process."""
    with _PROCESS.lock:
        if not _PROCESS.looked:
            _PROCESS.looked = True
            folder = inherited_spool()
            if folder:
                _PROCESS.recorders = (_spooling(folder),)
    recorders = _PROCESS.recorders
    return recorders[-1] if recorders else None


def inherited_spool() -> str | None:
    """Return the spool folder this process inherited, or None.

    A fork server keeps the environment of the moment it was started, so what multiprocessing hands to every child
    comes first.
    """
    configuration = handed_down()
    if SPOOL in configuration:
        return configuration[SPOOL] or None
    return os.environ.get(SPOOL) or None


def handed_down() -> dict[str, Any]:
    """Return what multiprocessing hands to every child; a dict of no consequence if it is not in use."""
    process = sys.modules.get("multiprocessing.process")
    current = getattr(process, "current_process", None)  # missing while another thread imports the module
    configuration = getattr(current(), "_config", None) if current is not None else None
    return configuration if isinstance(configuration, dict) else {}


def adopt(folder: str | None) -> None:
    """Record for the owner of a spool folder from now on, or for nobody.

    This is what a warm worker does when its caller changes. The environment says so too, for the worker's own children.
    """
    with _PROCESS.lock:
        _PROCESS.looked = True
        _PROCESS.recorders = (_spooling(folder),) if folder else ()
    if folder:
        os.environ[SPOOL] = folder
    else:
        os.environ.pop(SPOOL, None)


def _spooling(folder: str) -> Any:
    from flowlab.metrics.recorder import spooling

    return spooling(folder)


def activate(recorder: Any) -> None:
    """Make a recorder the active one of this process, until `deactivate`."""
    with _PROCESS.lock:
        _PROCESS.looked = True
        _PROCESS.recorders = (*_PROCESS.recorders, recorder)


def deactivate(recorder: Any) -> None:
    """Take a recorder off again; the one that was active before it is active once more."""
    with _PROCESS.lock:
        _PROCESS.recorders = tuple(other for other in _PROCESS.recorders if other is not recorder)


def recorders() -> tuple[Any, ...]:
    """Return the active recorders of this process, innermost last."""
    return _PROCESS.recorders


def keeper() -> Any:
    """Return who hands on what is measured in this process while it goes on (`keeping`), or None."""
    keepers = _PROCESS.keepers
    return keepers[-1] if keepers else None


def keep(keeper: Any) -> None:
    """Make somebody this process's keeper, until `unkeep`."""
    with _PROCESS.lock:
        _PROCESS.keepers = (*_PROCESS.keepers, keeper)


def unkeep(keeper: Any) -> None:
    """Take a keeper off again; the one before it is the keeper once more."""
    with _PROCESS.lock:
        _PROCESS.keepers = tuple(other for other in _PROCESS.keepers if other is not keeper)


def metric(**values: object) -> None:
    """Attach values to the innermost measured call; outside one, do nothing."""
    call = CALL.get()
    if call is None:
        return
    if call.custom is None:
        call.custom = {}
    call.custom.update(values)


def progress(done: float, total: float | None = None) -> None:
    """Say how far the innermost measured call has come; outside one, do nothing."""
    metric(progress_done=done, progress_total=total)
    innermost = call = CALL.get()
    while call is not None and call.about is None:
        call = getattr(call, "parent", None)
    if call is not None:
        call.about.tell(done, total)
    elif _PROCESS.display is not None and hasattr(innermost, "operation"):
        _PROCESS.display.tell(innermost)


def display() -> Any:
    """Return what shows progress in this process, or None."""
    return _PROCESS.display


def set_display(display: Any) -> None:
    """Have progress shown there; None for nowhere."""
    _PROCESS.display = display


def count_bytes(count: int) -> None:
    """Count bytes that moved between this process and another."""
    with _PROCESS.lock:
        _PROCESS.bytes += count


def bytes_counted() -> int:
    """Return the bytes counted in this process so far."""
    return _PROCESS.bytes


def _after_fork() -> None:
    """A forked child has no measured call of its own, and writes for the recorder that was active in its parent."""
    before = _PROCESS.recorders
    _PROCESS.lock = threading.Lock()
    _PROCESS.recorders = ()
    _PROCESS.keepers = ()
    _PROCESS.looked = bool(before)
    _PROCESS.bytes = 0
    _PROCESS.display = None
    THREAD.reset()
    CALL.set(None)
    if before:
        _PROCESS.recorders = (_spooling(before[-1].spool),) if before[-1].spool else ()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
