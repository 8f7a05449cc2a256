"""Counting the bytes that this process and its workers send each other through multiprocessing's connections.

Pools and queues of the standard library send through `multiprocessing.connection.Connection`; each message has this
process at one end, so counting both directions here counts every message once. Invariant: what is sent is not
changed.
"""

from __future__ import annotations

from typing import Any

from flowlab.metrics.active import count_bytes


def count_connections() -> bool:
    """Count, from now on, all that crosses this process's connections; False where their inside is not as expected.

    For a process made to be measured: there is no way back. Read the sum with `active.bytes_counted()`.
    """
    from multiprocessing.connection import Connection

    kind: Any = Connection
    send, receive = getattr(kind, "_send_bytes", None), getattr(kind, "_recv_bytes", None)
    if send is None or receive is None:
        return False

    def send_counted(self: Any, buffer: Any) -> None:
        count_bytes(len(buffer))
        send(self, buffer)

    def receive_counted(self: Any, maxsize: int | None = None) -> Any:
        buffer = receive(self, maxsize)
        count_bytes(buffer.getbuffer().nbytes)
        return buffer

    kind._send_bytes, kind._recv_bytes = send_counted, receive_counted
    return True
