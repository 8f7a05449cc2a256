"""What happens inside the fresh process of one run: load the strategy, wait for the word, call it, report its cost.

The parent reads two words on the child's standard output: `ready` (everything is imported), `done` (the figures
are written). What the strategy itself prints goes to a file, and the traceback of what ended it, so that the two never
mix. Started only by `runner`.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from flowlab.comparison.strategies import Results
from flowlab.errors import FlowlabError

if TYPE_CHECKING:
    from flowlab.metrics.keeping import Handing

PAYLOAD, RESULT, OUTPUT, HANDED = "payload.pickle", "result.pickle", "output.txt", "handed.jsonl"
"""What lies in the folder; the last only if the parent keeps records as they come."""


def main(folder: str, parent: str) -> None:
    """Run the strategy whose payload lies in the folder, and leave the result beside it."""
    _end_with_parent(int(parent))
    # httpx imports its command line, and rich with it, where it can: a quarter of a run's preparation, for nothing.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    word_in, word_out = _keep_the_words_apart(Path(folder))
    result: dict[str, Any]
    try:
        name, call, level = pickle.loads((Path(folder) / PAYLOAD).read_bytes())
    except BaseException as error:
        traceback.print_exc()
        result = {"error": _last_line(error)}
    else:
        from flowlab.metrics.keeping import Handing
        from flowlab.metrics.pipes import count_connections

        counted = count_connections()
        handed = Path(folder) / HANDED
        handing = Handing(str(handed)) if handed.exists() else None
        word_out.write(b"ready\n")
        word_in.readline()
        result = _measure(name, call, level, counted, handing)
    _write(Path(folder) / RESULT, result)
    word_out.write(b"done\n")


def _measure(name: str, call: Callable[[], Any], level: str, counted: bool, handing: Handing | None) -> dict[str, Any]:
    from flowlab.metrics import Recorder
    from flowlab.metrics.active import bytes_counted

    if handing is not None:
        handing.start()
    with Recorder(strategy=name, level=level) as recorder:
        cpu_before = _cpu_s()
        started_ns = time.perf_counter_ns()
        result: dict[str, Any] = {"started_ns": started_ns}
        try:
            result["value"] = call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            traceback.print_exc()
            result["error"] = _last_line(error)
            result["explained"] = str(error) if isinstance(error, FlowlabError) else None
        result["ended_ns"] = time.perf_counter_ns()
        result["wall_s"] = (result["ended_ns"] - started_ns) / 1e9
        if handing is not None:
            handing.close()
        _end_workers()
        cpu_after = _cpu_s()
    result["cpu_s"] = cpu_after - cpu_before if cpu_before is not None and cpu_after is not None else None
    result["pipe_bytes"] = bytes_counted() if counted else None
    result["records"] = recorder.records
    return result


def _end_workers() -> None:
    """End the workers that outlive a call, so that the kernel adds their CPU to ours."""
    if "flowlab.executors" in sys.modules:
        sys.modules["flowlab.executors"].close()
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for process in multiprocessing.active_children():
            process.join(timeout=5)
        for module, holder in (("forkserver", "_forkserver"), ("resource_tracker", "_resource_tracker")):
            server = getattr(sys.modules.get(f"multiprocessing.{module}"), holder, None)
            stop = getattr(server, "_stop", None)  # the standard library ends these only at exit
            if stop is not None:
                stop()


def _cpu_s() -> float | None:
    """CPU seconds of this process and of all its children that have ended; None where the kernel does not say."""
    try:
        import resource
    except ImportError:
        times = os.times()
        return times.user + times.system
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _write(path: Path, result: dict[str, Any]) -> None:
    import cloudpickle

    try:
        if isinstance(result.get("value"), Results) and not _can_travel(result):
            result["value"] = result["value"].portable()
        blob = cloudpickle.dumps(result)
    except BaseException as error:
        result.pop("value", None)
        result["error"] = f"its result cannot be sent between processes ({type(error).__name__}): return plain data"
        blob = cloudpickle.dumps(result)
    path.write_bytes(blob)


def _can_travel(result: dict[str, Any]) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(result.get("value"))
    except Exception:
        return False
    return True


def _keep_the_words_apart(folder: Path) -> tuple[BinaryIO, BinaryIO]:
    """Move standard input and output out of the strategy's reach; what it prints goes to a file."""
    word_in, word_out = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    printed = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a killed run keeps what it printed
    return word_in, word_out


def _end_with_parent(parent: int) -> None:
    """When the parent dies, even by SIGKILL, end this process and all it started (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    signal.signal(signal.SIGTERM, lambda *_: os.killpg(os.getpgrp(), signal.SIGKILL))
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG, prctl(2)
    if os.getppid() != parent:
        os._exit(1)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()
