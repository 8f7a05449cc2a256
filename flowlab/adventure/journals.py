"""The journal: what the reader chose, predicted and measured, one JSON object a line.

Here: the file, appended so that two notebooks running at once lose nothing, read so that a torn or newer line spoils
nothing. Not here: when something is written; the trip does that. The invariant: a journal helps and never hinders; an
empty one, a missing one, and one that cannot be written leave every notebook running.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from flowlab.errors import SettingError, require

SCHEMA = 1
KINDS = ("start", "choice", "prediction", "result", "quiz")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    Attributes:
        notebook: The notebook that wrote it, by name.
        kind: "start", "choice", "prediction", "result" or "quiz".
        key: What it is about, such as "road".
        value: The choice, the answer or answers, or the option measured.
        facts: Anything more: parameters, machine, a summary of the metrics.
        at: When, in UTC.
        schema: The version of this layout.
    """

    notebook: str
    kind: str
    key: str
    value: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    schema: int = SCHEMA


class Journal:
    """A file of entries; None instead of a path keeps nothing.

    Attributes:
        path: The file, or None.
        trouble: Why the last entry could not be kept, or None.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self.trouble: str | None = None
        self._now = now

    def append(self, notebook: str, kind: str, key: str, value: str | None, **facts: Any) -> None:
        """Keep one entry; trouble with the file is noted in `trouble`, never raised."""
        if kind not in KINDS:
            raise SettingError(f"{kind!r} is not a kind of journal entry. Kinds: {', '.join(KINDS)}")
        entry = Entry(notebook, kind, key, value, facts, self._now().isoformat(timespec="seconds"))
        line = json.dumps(asdict(entry), ensure_ascii=False, default=str).encode() + b"\n"
        if self.path is None:
            return
        try:
            _append(self.path, line)
            self.trouble = None
        except OSError as error:
            self.trouble = f"the journal {self.path} cannot be written: {error.strerror or error}"

    def entries(
        self, kind: str | None = None, notebook: str | None = None, key: str | None = None
    ) -> tuple[Entry, ...]:
        """Return the entries that can be read, oldest first; torn lines and lines of a newer schema are left out."""
        found = (_entry(line) for line in self._lines())
        return tuple(
            entry
            for entry in found
            if entry and kind in (None, entry.kind) and notebook in (None, entry.notebook) and key in (None, entry.key)
        )

    def last(self, kind: str | None = None, notebook: str | None = None, key: str | None = None) -> Entry | None:
        """Return the newest such entry, or None."""
        found = self.entries(kind, notebook, key)
        return found[-1] if found else None

    def reset(self) -> str:
        """Begin anew; the old journal is kept beside it as `.old`. Returns what was done, one sentence."""
        count = len(self.entries())
        if self.path is None or not self.path.exists():
            return "The journal was empty already."
        kept = self.path.with_name(self.path.name + ".old")
        self.path.replace(kept)
        return f"The journal is empty again; its {count} entries are kept in {kept.name}."

    def table(self) -> Any:
        """Return the entries as a pandas frame, one row each."""
        pandas = require("pandas", extra="demo", why="to show the journal as a table")
        columns = ("at", "notebook", "kind", "key", "value")
        return pandas.DataFrame([{c: getattr(e, c) or "" for c in columns} for e in self.entries()], columns=columns)

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text("utf-8", errors="replace").splitlines() if self.path else []
        except OSError:
            return []


def _entry(line: str) -> Entry | None:
    try:
        data = json.loads(line)
        if not isinstance(data, dict) or not 1 <= int(data["schema"]) <= SCHEMA or data["kind"] not in KINDS:
            return None
        return Entry(**{name: data[name] for name in Entry.__slots__ if name in data})
    except (ValueError, KeyError, TypeError):
        return None


def _append(path: Path, line: bytes) -> None:
    """Write the line in one piece after what other processes wrote, on a new line if a killed one left its own torn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file, _alone(file):
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


_BEYOND = 1 << 30


@contextmanager
def _alone(file: IO[bytes]) -> Iterator[None]:
    """Hold the file's lock, the platform's own."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        file.seek(_BEYOND)  # a byte nobody reads: such a lock shuts readers out too
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
    yield
