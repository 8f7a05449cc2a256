"""Locks: calls that hold the same Input of a lock definition, or one derived from it, never overlap.

A call takes all its locks at once or waits, so no call holds one lock while it waits for another and nothing can
deadlock. One table serves all contexts of a session, as a resource of scope "run" is one Input for all of them. Pure:
it says who may go on, and whoever asked acts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlab.run.layout.layout import Node
    from flowlab.run.state.state import State

Key = tuple[Hashable, int | None]
"""What is locked: a lock definition (with its context), and which of its Inputs; None for all of them."""


class Locks:
    """Who holds which locks, and who waits."""

    def __init__(self) -> None:
        self.held: dict[Hashable, dict[int | None, Any]] = {}
        self.queues: dict[Hashable, dict[int | None, deque[Any]]] = {}
        self.owners: dict[Any, tuple[Key, ...]] = {}
        self.waiting: dict[Any, tuple[tuple[Key, ...], Key]] = {}

    def take(self, owner: Any, keys: tuple[Key, ...]) -> bool:
        """Take all keys for an owner; if one is held, the owner waits and False comes back."""
        for key in keys:
            if self._held(key) or self._queued(key):
                self._queue(owner, keys, key)
                return False
        self._hold(owner, keys)
        return True

    def free(self, owner: Any) -> list[Any]:
        """Let go of what an owner holds or waits for; the owners that may go on now, first come first."""
        waited = self.waiting.pop(owner, None)
        if waited is not None:
            lock, element = waited[1]
            self.queues[lock][element].remove(owner)
            return self._next(lock)
        granted: list[Any] = []
        keys = self.owners.pop(owner, ())
        for lock, element in keys:
            elements = self.held[lock]
            del elements[element]
            if not elements:
                del self.held[lock]
        for lock in dict.fromkeys(lock for lock, _ in keys):
            granted.extend(self._next(lock))
        return granted

    def hand_on(self, owner: Any, other: Any) -> bool:
        """What an owner holds is another's from now on; whether it holds anything."""
        keys = self.owners.pop(owner, ())
        if keys:
            self._hold(other, keys)
        return bool(keys)

    def behind(self, owner: Any) -> list[Any]:
        """The owners that wait for something this one holds."""
        held = self.owners.get(owner, ())
        return [
            waiter for waiter, (keys, _) in self.waiting.items()
            if any(a[0] == b[0] and (a[1] == b[1] or a[1] is None or b[1] is None) for a in keys for b in held)
        ]  # fmt: skip

    def _next(self, lock: Hashable) -> list[Any]:
        """Grant what can be granted of those that wait for a lock."""
        granted: list[Any] = []
        queues = self.queues.get(lock)
        for element in list(queues or ()):
            queue = queues[element]  # type: ignore[index]
            while queue:
                owner = queue[0]
                keys, _ = self.waiting[owner]
                blocked = next((key for key in keys if self._held(key)), None)
                if blocked == (lock, element):
                    break
                queue.popleft()
                del self.waiting[owner]
                if blocked is None:
                    self._hold(owner, keys)
                    granted.append(owner)
                else:
                    self._queue(owner, keys, blocked)
                    if blocked[0] == lock:
                        break
            if not queue and queues is not None and queues.get(element) is queue:
                del queues[element]
        if queues is not None and not queues:
            self.queues.pop(lock, None)
        return granted

    def _hold(self, owner: Any, keys: tuple[Key, ...]) -> None:
        for lock, element in keys:
            self.held.setdefault(lock, {})[element] = owner
        self.owners[owner] = keys

    def _queue(self, owner: Any, keys: tuple[Key, ...], key: Key) -> None:
        self.queues.setdefault(key[0], {}).setdefault(key[1], deque()).append(owner)
        self.waiting[owner] = (keys, key)

    def _held(self, key: Key) -> bool:
        elements = self.held.get(key[0])
        return elements is not None and (key[1] is None or None in elements or key[1] in elements)

    def _queued(self, key: Key) -> bool:
        queues = self.queues.get(key[0])
        return bool(queues and (key[1] is None or queues.get(key[1]) or queues.get(None)))


def keys_of(state: State, node: Node, element: int) -> tuple[Key, ...]:
    """What a call locks, in the one order for all calls; all Inputs of a definition cover each of them."""
    keys: dict[Key, None] = {}
    for name, shared, path in node.locks:
        lock = name if shared else (id(state), name)
        keys[lock, None if path is None else state.elements.follow(path, element) if path else element] = None
    whole = {lock for lock, at in keys if at is None}
    return tuple(sorted((key for key in keys if key[1] is None or key[0] not in whole), key=repr))
