"""What a worker prints, on its way to its caller.

It is sent at once and before the result of the call that printed it.
"""

from __future__ import annotations

from typing import Any

from flowlab.executors.wire import OUT, frame


class Forward:
    """A text stream that sends what is printed to the caller."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self, kind: int, worker: Any) -> None:
        self.kind = kind
        self.worker = worker

    def write(self, text: str) -> int:
        """Send text, and return its length."""
        if text:
            self.worker.said = True
            self.worker.send(frame(self.kind, text.encode("utf-8", "replace")))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Send lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Everything is sent at once."""

    def isatty(self) -> bool:
        """No terminal."""
        return False

    def fileno(self) -> int:
        """The descriptor that programs started here inherit."""
        return 1 if self.kind == OUT else 2

    def readable(self) -> bool:
        """Only for writing."""
        return False

    def writable(self) -> bool:
        """Only for writing."""
        return True
