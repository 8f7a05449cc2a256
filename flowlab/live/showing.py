"""Showing: the thread that draws, and the two ways to ask for it, for one piece of work or for all in a block."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from flowlab.live.counts import Count, Line, Picture, Rates, merged
from flowlab.live.pages import Page, page_here
from flowlab.metrics import active

PAUSE_S = 0.1
"""The least time between two pictures."""
LONGEST_S = 5.0
"""The longest, however dear a picture is."""
SHARE = 200
"""What a picture cost in CPU is waited for this many times over before the next: half a hundredth of a core at most."""


class Source(Protocol):
    """Work that can be asked how far it is, from another thread."""

    title: str

    def counts(self) -> list[Count]:
        """How far each of its operations is."""


Work = TypeVar("Work", bound=Source)


class Steps:
    """Work that says itself how far it is, as a comparison does."""

    def __init__(self, title: str, name: str, total: int) -> None:
        self.title = title
        self._count = Count(name, waiting=total)

    def update(self, done: int, total: int, note: str) -> None:
        """So many of so many are done, and this one runs."""
        running = int(done < total)
        self._count = Count(self._count.name, done, running, total - done - running, note=note)

    def counts(self) -> list[Count]:
        """How far it is."""
        return [self._count]


class Display:
    """Draws sources on a page until it is closed."""

    def __init__(self, page: Page, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._clock = clock
        self._began_s = clock()
        self._rates = Rates()
        self._sources: dict[int, Any] = {}
        self._ended: dict[str, dict[str, Count]] = {}
        self._calls: dict[int, Any] = {}
        self._titles: dict[str, None] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Draw the first picture here, the next ones from a thread."""
        self._page.draw(self.picture("running"))
        work = copy_context().run  # a notebook's kernel finds the cell by it
        self._thread = threading.Thread(target=work, args=(self._work,), name="flowlab-live", daemon=True)
        self._thread.start()

    def add(self, source: Source) -> None:
        """Show a source from now on."""
        with self._lock:
            self._sources[id(source)] = source
            self._titles[source.title] = None

    def remove(self, source: Source) -> None:
        """Keep what a source says last."""
        with self._lock:
            self._sources.pop(id(source), None)
            kept = self._ended.setdefault(source.title, {})
            for count in source.counts():
                kept[count.name] = merged((kept[count.name], count)) if count.name in kept else count

    def tell(self, call: Any) -> None:
        """Show what a measured call of no flow says of itself."""
        self._calls[id(call)] = call

    def picture(self, state: str) -> Picture:
        """What there is to see now."""
        now = self._clock()
        with self._lock:
            sections = {title: self._lines(title, now) for title in self._titles}
            calls = self._told(now)
        if calls:
            sections["calls"] = calls
        return Picture(state, now - self._began_s, sections)

    def close(self, state: str) -> None:
        """End the thread and draw the last picture."""
        self._stop.set()
        thread, self._thread = self._thread, None
        try:
            if thread is not None:
                thread.join()
        finally:
            self._page.close(self.picture(state))

    def _lines(self, title: str, now: float) -> tuple[Line, ...]:
        found: dict[str, list[Count]] = {name: [count] for name, count in self._ended.get(title, {}).items()}
        for source in self._sources.values():
            if source.title == title:
                for count in source.counts():
                    found.setdefault(count.name, []).append(count)
        return tuple(self._rates.line(title, merged(counts), now) for counts in found.values())

    def _told(self, now: float) -> tuple[Line, ...]:
        """Measured calls that said how far they are, and run."""
        found: dict[str, Count] = {}
        for key, call in list(self._calls.items()):
            said = call.custom or {}
            over = call.ended_ns is not None
            if over:
                self._calls.pop(key, None)
            done, total = said.get("progress_done", 0), said.get("progress_total")
            count = Count(call.operation, int(over), int(not over), inside=None if over else (done, total))
            kept = self._ended.get("calls", {})
            if over:
                self._ended.setdefault("calls", {})[count.name] = (
                    merged((kept[count.name], count)) if count.name in kept else count
                )
            else:
                found[count.name] = merged((found[count.name], count)) if count.name in found else count
        for name, count in self._ended.get("calls", {}).items():
            found[name] = merged((count, found[name])) if name in found else count
        return tuple(self._rates.line("calls", count, now) for count in found.values())

    def _work(self) -> None:
        pause = PAUSE_S
        while not self._stop.wait(pause):
            used = time.thread_time()
            try:
                self._page.draw(self.picture("running"))
            except RuntimeError:  # something grew while it was read: the next picture shows it
                pass
            except OSError:  # nobody is there to see it any more
                return
            pause = pause_after(time.thread_time() - used)


def pause_after(cost_s: float) -> float:
    """How long to wait after a picture that cost so much CPU.

    >>> pause_after(0.0001), pause_after(0.004), pause_after(1.0)
    (0.1, 0.8, 5.0)
    """
    return min(LONGEST_S, max(PAUSE_S, SHARE * cost_s))


@contextmanager
def _displayed(keep: bool, source: Source | None = None) -> Iterator[Display]:
    display = Display(page_here(keep))
    if source is not None:
        display.add(source)
    outer, state = active.display(), "done"
    active.set_display(display)
    try:
        display.start()
        yield display
        state = "done"
    except BaseException as error:
        state = "failed" if isinstance(error, Exception) else "stopped"
        raise
    finally:
        active.set_display(outer)
        if source is not None:
            display.remove(source)
        display.close(state)


@contextmanager
def show_progress(*, keep: bool = True) -> Iterator[None]:
    """Show how far all that runs within the block is: flows, comparisons, and measured calls that say so.

    In a notebook the output is updated in place and saved as it was last; on a terminal (with rich) it is drawn at the
    lower end; elsewhere a line is written to standard error every few seconds. `progress=False` leaves a run out.

    Args:
        keep: Whether the last picture stays when the block ends.
    """
    with _displayed(keep):
        yield


@contextmanager
def shown(source: Work) -> Iterator[Work]:
    """Show one piece of work while the block lasts, within what a `show_progress` block shows, if there is one."""
    outer = active.display()
    if outer is None:
        with _displayed(True, source):
            yield source
        return
    outer.add(source)
    try:
        yield source
    finally:
        outer.remove(source)
