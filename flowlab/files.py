"""Files that are complete or absent, even if their writer is killed in the middle.

Invariant: a file's name appears only when all of it is written; what a killed writer leaves is hidden, names its
process, and can be swept.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8 and with its line ends as they are, or leave what was there.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_left_overs(folder: Path, name: str = "*") -> None:
    """Remove the unfinished files, of this name or of any, whose writers were killed."""
    import psutil

    for part in folder.glob(f".{name}.*.part"):
        pid = part.suffixes[-2].removeprefix(".") if len(part.suffixes) > 1 else ""
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)
