"""The store's keeper: appends what is measured in this process to a file while it goes on.

Here are the steps of `metrics.keeping` as transactions, the runs of a comparison, and `store`, the block while which
all this happens. Not here: the file's form (`file`, `rows`). Invariant: a batch is in the file as a whole or not at
all, and the first thing that goes wrong with the file is one warning and the end of keeping, not of the run.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from flowlab.errors import StoreError
from flowlab.machine import Machine
from flowlab.metrics import active
from flowlab.metrics.keeping import Added, Begun, Handed, Keeper, Sampled, Step, Withdrawn
from flowlab.metrics.record import Record, plain
from flowlab.metrics.sampler import Samples
from flowlab.stored.facts import conditions, machine_json, process_facts
from flowlab.stored.file import connect
from flowlab.stored.folder import store_file
from flowlab.stored.rows import Rows

if TYPE_CHECKING:
    from sqlite3 import Connection


PATIENCE = 3
"""How often a file that another process holds for `file.BUSY_S` is tried where the caller waits for it."""


class StoreWarning(UserWarning):
    """Nothing more is kept; the run goes on."""


@dataclass(slots=True)
class _Watched:
    """A run of a comparison that is going on in another process."""

    handed: Handed
    samples: Callable[[int], Samples] | None
    seen_ns: int = 0


class StoreKeeper(Keeper):
    """Appends to one store.

    Attributes:
        ids: The ids of the runs kept so far, those of a comparison's runs left out.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.ids: list[str] = []
        self._numbered: dict[str, int] = {}
        self._watched: dict[int, _Watched] = {}
        self._sampled: set[int] = set()
        self._database = threading.Lock()
        self._detected: tuple[int, Machine] | None = None
        self._connection: Connection | None = None
        self._rows: Rows | None = None
        try:
            self._connection = connect(path)
            self._rows = Rows(self._connection)
        except StoreError:
            raise
        except Exception as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left, and close the file."""
        super().close()
        if os.getpid() != self._pid:
            return
        for _ in range(PATIENCE):
            self.flush()
        if self._unwritten:
            self._give_up(TimeoutError("another process has been writing all the time"))
        with self._database:
            self._disconnect()

    def flush(self) -> None:
        """Write all there is now, also what the processes of a comparison have handed over."""
        for number, watched in list(self._watched.items()):
            steps: list[Step] = list(watched.handed.steps(f"#{number}"))
            if watched.samples is not None:
                with suppress(Exception):  # it is being stopped
                    found = watched.samples(watched.seen_ns)
                    if found.times_ns:
                        watched.seen_ns = found.times_ns[-1]
                        steps.append(Sampled(f"#{number}", found))
            with self.lock:
                if number in self._watched:
                    self._steps += steps
        super().flush()

    def write(self, steps: list[Step]) -> None:
        """Write steps in one transaction.

        Raises:
            TimeoutError: Another process writes for long: the steps are written with the next ones.
        """

        def write(_: Connection, rows: Rows) -> None:
            for step in steps:
                self._apply(step, rows)

        self._transaction(write)

    # a comparison's runs

    def begin(self, kind: str, name: str, parent: int | None = None, figures: dict[str, Any] | None = None) -> int:
        """Note that a run of a comparison, or a comparison, begins; return its number, 0 if it cannot be kept."""
        made: list[int] = []
        self._transaction(
            lambda *_: made.append(self._begin(kind, name, perf_counter_ns(), parent, figures)), patient=True
        )
        return made[0] if made else 0

    def watch(self, number: int, path: str, samples: Callable[[int], Samples] | None = None) -> None:
        """Read what a run's process hands over, and its samples since a stamp, until `finish`."""
        if number:
            with self.lock:
                self._watched[number] = _Watched(Handed(path), samples)

    def stop(self, number: int) -> None:
        """Note that such a run was interrupted; what was handed over stays."""
        self.flush()
        with self.lock:
            self._watched.pop(number, None)
        self._transaction(lambda *_: self._end(number, "interrupted", perf_counter_ns(), {}), patient=True)

    def finish(
        self, number: int, status: str, figures: dict[str, Any],
        records: tuple[Record, ...] = (), samples: Samples | None = None,
    ) -> None:  # fmt: skip
        """Note that such a run has ended; these records and samples replace what was handed over."""
        if not number:
            return
        with self.lock:
            self._watched.pop(number, None)

        def write(connection: Connection, rows: Rows) -> None:
            rows.clear(number)
            rows.add(number, records, None)
            if samples is not None:
                rows.add_samples(number, samples)
            self._end(number, status, perf_counter_ns(), figures)

        with self._writing:  # no older batch comes after it
            self._unwritten = [step for step in self._unwritten if step.key != f"#{number}"]
            with self.lock:
                self._steps = [step for step in self._steps if step.key != f"#{number}"]
            self._transaction(write, patient=True)

    # writing

    def _transaction(self, write: Callable[[Connection, Rows], object], patient: bool = False) -> None:
        """Write in one transaction; whatever goes wrong with the file ends keeping.

        Args:
            patient: Whether to wait for another process for as long as `PATIENCE` goes.

        Raises:
            TimeoutError: Another process holds the file, and we are not patient.
        """
        import sqlite3

        with self._database:
            for tries in range(PATIENCE if patient else 1):
                if not self.on or self._connection is None or self._rows is None:
                    return
                try:
                    self._connection.execute("BEGIN IMMEDIATE")
                    write(self._connection, self._rows)
                    self._connection.execute("COMMIT")
                    return
                except Exception as error:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                    if _busy(error) and not patient:
                        raise TimeoutError from error
                    if not _busy(error) or tries == PATIENCE - 1:
                        self._give_up(error)

    def _apply(self, step: Step, rows: Rows) -> None:
        if isinstance(step, Begun):
            self._numbered[step.key] = self._begin(step.kind, step.name, step.at_ns)
            return
        number = int(step.key[1:]) if step.key.startswith("#") else self._numbered[step.key]
        if isinstance(step, Added):
            rows.add(number, step.records, step.pending)
        elif isinstance(step, Withdrawn):
            rows.withdraw(number, step.pending)
        elif isinstance(step, Sampled):
            self._sample(number, step.samples, rows)
        else:
            self._end(number, step.status, step.at_ns, {})

    def _sample(self, number: int, samples: Samples, rows: Rows) -> None:
        rows.add_samples(number, samples)
        if number not in self._sampled:
            self._sampled.add(number)
            self._note(number, {"memory_method": samples.method, "sampled_as": samples.name})

    def _note(self, number: int, figures: dict[str, Any]) -> None:
        """Add to what is known of a run."""
        assert self._connection is not None
        row = self._connection.execute("SELECT figures FROM stored WHERE number = ?", (number,)).fetchone()
        if row is not None:  # not pruned meanwhile
            text = json.dumps({**json.loads(row[0]), **figures}, default=plain)
            self._connection.execute("UPDATE stored SET figures = ? WHERE number = ?", (text, number))

    def _begin(
        self, kind: str, name: str, at_ns: int, parent: int | None = None, figures: dict[str, Any] | None = None
    ) -> int:
        machine = self._machine()
        facts = json.dumps({"start": conditions(machine), "process": process_facts()}, default=plain)
        connection, described = self._connection, machine_json(machine)
        assert connection is not None
        connection.execute("INSERT OR IGNORE INTO machine (facts) VALUES (?)", (described,))
        (where,) = connection.execute("SELECT number FROM machine WHERE facts = ?", (described,)).fetchone()
        made = {
            "id": os.urandom(4).hex(), "parent": parent, "kind": kind, "name": name, "status": "running",
            "host": host_name(), "pid": os.getpid(), "epoch_ns": time.time_ns() - perf_counter_ns(),
            "began_ns": at_ns, "machine": where, "facts": facts, "figures": json.dumps(figures or {}, default=plain),
        }  # fmt: skip
        marks = ", ".join(f":{column}" for column in made)
        number = connection.execute(f"INSERT INTO stored ({', '.join(made)}) VALUES ({marks})", made).lastrowid
        assert number is not None
        if parent is None:
            self.ids.append(str(made["id"]))
        return number

    def _end(self, number: int, status: str, at_ns: int, figures: dict[str, Any]) -> None:
        assert self._connection is not None
        row = self._connection.execute("SELECT facts FROM stored WHERE number = ?", (number,)).fetchone()
        if row is None:  # pruned meanwhile
            return
        facts = json.dumps({**json.loads(row[0]), "end": conditions(self._machine())}, default=plain)
        query = "UPDATE stored SET status = ?, ended_ns = ?, facts = ? WHERE number = ?"
        self._connection.execute(query, (status, at_ns, facts, number))
        self._note(number, figures)

    def _machine(self) -> Machine:
        """Return the machine as it is now; a batch of many short runs reads it once."""
        if self._detected is None or perf_counter_ns() - self._detected[0] > 100_000_000:
            self._detected = (perf_counter_ns(), Machine.detect())
        return self._detected[1]

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _give_up(self, error: Exception) -> None:
        if not self.on:
            return
        self.on = False
        self._disconnect()
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        with suppress(StoreWarning):  # where warnings are errors, on a thread of ours
            warnings.warn(
                f"nothing more is kept in the store {self.path} ({why}); the run goes on. Make room there, or name "
                "another place with FLOWLAB_HOME=FOLDER",
                StoreWarning,
                stacklevel=2,
            )


def _busy(error: Exception) -> bool:
    """Whether another process holds the file. Source: SQLite result codes, SQLITE_BUSY 5 and SQLITE_LOCKED 6."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (5, 6)


def host_name() -> str:
    """This computer's name."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


class Store:
    """An open store: flow runs, recorders and comparisons of this process are appended until it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    def _open(self) -> None:
        keeper = active.keeper()
        if isinstance(keeper, StoreKeeper) and keeper.path == self.path:
            self._keeper, self._mine = keeper, False
            return
        self._keeper, self._mine = StoreKeeper(self.path), True
        if self._keeper.on:
            self._keeper.start()
            atexit.register(self.close)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the runs appended so far, in the order they began; what waits is written first."""
        self._keeper.flush()
        return tuple(self._keeper.ids)

    def close(self) -> None:
        """Write what is left, and close the file, unless an outer block has it open."""
        if self._mine:
            self._keeper.close()
            atexit.unregister(self.close)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"


def store(path: str | PathLike[str] | None = None) -> Store:
    """Open a store and append to it until it is closed: `with fl.store("runs.db"):`, or `.close()`.

    While it is open every flow's run, recorder and comparison of this process is appended as it goes on; a kill loses
    what ended in the last second. Within another store's block it takes what happens meanwhile. Runs without records
    (`level="off"`) are not kept.

    Args:
        path: The file; None for this user's own, below FLOWLAB_HOME or in the user's data folder.

    Raises:
        StoreError: The file is not a store, or is of a version that this flowlab does not know.

    Warns:
        StoreWarning: Nothing can be written there; runs go on and are not kept.
    """
    return Store(store_file() if path is None else Path(path).expanduser().absolute())
