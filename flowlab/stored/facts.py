"""The facts beside a run's records: what the machine and this Python are, and how busy the machine was.

Invariant: only reading; what is not known is left out. Nothing that may be secret is a fact: no environment, no
command line, no values.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, fields
from importlib import import_module
from typing import Any

from flowlab.machine import Machine

VARYING = (
    "memory_free_bytes", "mains", "load_1m", "pressure_cpu_rel", "pressure_memory_rel", "pressure_io_rel", "steal_s",
)  # fmt: skip
"""What of a machine is read at the start and at the end of a run; the rest is taken not to change."""

_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")


def machine_json(machine: Machine) -> str:
    """Return what does not change while runs go on, the same text for the same machine."""
    known = {name: value for name, value in asdict(machine).items() if name not in VARYING and value is not None}
    return json.dumps(known, sort_keys=True)


def conditions(machine: Machine) -> dict[str, Any]:
    """Return what changes."""
    found = {name: getattr(machine, name, None) for name in VARYING}
    return {name: value for name, value in found.items() if value is not None}


def machine_of(text: str, start: dict[str, Any]) -> Machine:
    """Return the machine as it was at a run's start; facts that this version does not know are left out."""
    known = {entry.name for entry in fields(Machine)}
    facts = {name: value for name, value in {**json.loads(text), **start}.items() if name in known}
    return Machine(**{**facts, "clusters": tuple(facts.get("clusters", ()))})


def process_facts() -> dict[str, Any]:
    """Return what is known of this process: flowlab, how it starts processes, and how many threads BLAS may use."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {"start_method": _start_method(), "blas_threads": _blas_threads()}
    with suppress(PackageNotFoundError):
        found["flowlab"] = version("flowlab")
    return {name: value for name, value in found.items() if value is not None}


def _start_method() -> str | None:
    """Return how multiprocessing starts processes here, None if it is not in use; nothing is settled by asking."""
    if "multiprocessing" not in sys.modules:
        return None
    import multiprocessing  # waits where another thread is still importing it

    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _blas_threads() -> int | None:
    """Return how many threads BLAS may use: what threadpoolctl reads if numpy is loaded, else what is set."""
    if "numpy" in sys.modules:
        with suppress(ImportError):
            pools: Any = import_module("threadpoolctl")
            counts = [entry["num_threads"] for entry in pools.threadpool_info() if entry.get("user_api") == "blas"]
            if counts:
                return int(max(counts))
    given = next((os.environ[name] for name in _BLAS if os.environ.get(name, "").isdigit()), None)
    return None if given is None else int(given)
