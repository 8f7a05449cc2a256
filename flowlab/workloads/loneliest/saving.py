"""The downloads folder. Invariant: a file in it is complete or absent, even if the run is killed in the middle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flowlab.files import remove_left_overs, write_whole
from flowlab.workloads.loneliest.problems import FolderError


@contextmanager
def downloads_folder(named: Path | None) -> Iterator[Path]:
    """Yield the folder for a run's files: the named one, or a temporary one that goes when the run ends.

    A named folder that was made for the run and is still empty at its end is removed again.

    Raises:
        FolderError: The folder cannot be made or written.
    """
    if named is None:
        with tempfile.TemporaryDirectory(prefix="flowlab-downloads-") as folder:
            yield Path(folder)
        return
    made = [path for path in (named, *named.parents) if not path.exists()]
    try:
        named.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=named).close()
        remove_left_overs(named)
    except OSError as error:
        raise _unwritable(named, error) from error
    try:
        yield named
    finally:
        with suppress(OSError):  # not empty: the run saved something
            for path in made:
                path.rmdir()


def save_whole(folder: Path, name: str, text: str) -> None:
    """Write a file so that its name appears only when it is complete.

    Raises:
        FolderError: The folder cannot be written, or the disk is full.
    """
    try:
        write_whole(folder / name, text)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> FolderError:
    reason = error.strerror or type(error).__name__
    return FolderError(
        f"cannot write to the downloads folder {str(folder)!r} ({reason}): choose another one with downloads=."
    )
