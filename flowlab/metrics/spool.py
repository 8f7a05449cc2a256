"""The spool: a folder through which child processes hand their records to the recorder of their parent.

Here are the folder, the writer and the reader: one file a process, one JSON line a record. Not here: when to write
and when to read (`recorder`). Invariant: a line is read once and only when it is complete, and a child whose parent's
folder is gone works on and records nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flowlab.metrics.active import SPOOL, handed_down
from flowlab.metrics.record import Record, as_dict, from_dict, plain

SETTINGS = "recorder.json"
PREFIX = "flowlab-spool-"
STALE_S = 86_400.0


class Spool:
    """The parent's end: the folder, and what was read of it so far."""

    def __init__(self, **settings: Any) -> None:
        self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        remove_stale(Path(self.folder).parent)
        self._pid = os.getpid()
        self._read: dict[str, int] = {}
        self._before: tuple[str | None, object] = (None, None)
        Path(self.folder, SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        atexit.register(self.remove)

    def announce(self) -> None:
        """Let child processes that start from now on find the folder."""
        configuration = handed_down()
        self._before = (os.environ.get(SPOOL), configuration.get(SPOOL))
        os.environ[SPOOL] = configuration[SPOOL] = self.folder

    def withdraw(self) -> None:
        """Put back what children found before."""
        environment, configured = self._before
        if environment is None:
            os.environ.pop(SPOOL, None)
        else:
            os.environ[SPOOL] = environment
        handed_down()[SPOOL] = configured if configured is not None else environment

    def read(self) -> Iterator[Record]:
        """Yield the records that were completed since the last reading, process by process."""
        for path in sorted(Path(self.folder).glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path.name, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path.name] = self._read.get(path.name, 0) + len(whole)
            for line in whole.splitlines():
                yield from_dict(json.loads(line))

    def remove(self) -> None:
        """Delete the folder, if this is the process that made it."""
        if os.getpid() == self._pid:
            shutil.rmtree(self.folder, ignore_errors=True)
            atexit.unregister(self.remove)


def remove_stale(parent: Path) -> None:
    """Delete folders of processes that were killed: their pid is nobody's, and nothing was written for a day."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        try:
            if time.time() - folder.stat().st_mtime > STALE_S and pid.isdigit() and not _alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def _alive(pid: int) -> bool:
    if sys.platform == "win32":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def settings_of(folder: str) -> dict[str, Any]:
    """Return the settings of the recorder that owns a spool folder, empty if it is gone."""
    try:
        found: dict[str, Any] = json.loads(Path(folder, SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


class SpoolWriter:
    """The child's end: one file, opened with the first record."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._fd: int | None = None
        self._lock = threading.Lock()

    def write(self, records: Iterable[Record]) -> None:
        """Append records, one line each; what is written is there for the reader at once."""
        lines = "".join(json.dumps(as_dict(record), default=plain) + "\n" for record in records)
        with self._lock:
            fd = self._open() if self._fd is None else self._fd
            try:
                if fd >= 0:
                    os.write(fd, lines.encode())
            except OSError:
                self._fd = -1

    def _open(self) -> int:
        path = Path(self.folder, f"{os.getpid()}-{os.urandom(4).hex()}.jsonl")
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self._fd = -1
        return self._fd
