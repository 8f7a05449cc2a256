"""Where the store's file lies: below FLOWLAB_HOME, else in the user's data folder. Nothing is made here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

HOME, FILE = "FLOWLAB_HOME", "runs.db"


def store_file(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Return the path of this user's store.

    Args:
        environ: The environment; None for this process's.
        platform: As `sys.platform`.

    Source: XDG Base Directory Specification; known folders of Windows; Apple's File System Programming Guide.
    """
    found = os.environ if environ is None else environ
    if found.get(HOME):
        return Path(found[HOME]).expanduser().absolute() / FILE
    home = Path(found["HOME"]) if found.get("HOME") else Path.home()
    if platform == "win32":
        data = Path(found["LOCALAPPDATA"]) if found.get("LOCALAPPDATA") else home / "AppData" / "Local"
    elif platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        given = found.get("XDG_DATA_HOME", "")
        data = Path(given) if given.startswith("/") else home / ".local" / "share"
    return data / "flowlab" / FILE
