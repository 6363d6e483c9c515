"""
Stores to test with: a wall clock that is set by hand, a place where a store can be opened again and again, and snapshots and
fronts of small threads.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from threadstore import fronts
from threadstore.dense import DenseThread
from threadstore.frozen import fingerprint
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import EventLog, Revision, Snapshot
from threadstore.log.sqlite import SqliteLog
from threadstore.model.policy import Policy
from threadstore.store.store import ThreadStore
from threadstore.streams import StreamOf
from threadstore.testing.given import EPOCH

__all__ = ["Place", "Wall", "frozen_of", "keep_front", "keep_frozen"]

_POLICY: Final = Policy()


class Wall:
    """A wall clock that stands still until `ms` is set."""

    def __init__(self, ms: int = EPOCH) -> None:
        self.ms = ms

    def __call__(self) -> int:
        """Return the time that it shows."""
        return self.ms


class Place:
    """
    Where the events of a store are. Each store that is opened here stands for one more process: it finds the events, and nothing
    in memory.

    Args:
        path: The file; None keeps the events in memory.
        cache_bytes: How much memory the hot threads of each store may take.
        wall: The clock that all of them look at.
    """

    def __init__(self, path: Path | None, *, cache_bytes: int = 1 << 20, wall: Wall | None = None) -> None:
        self.path = path
        self.cache_bytes = cache_bytes
        self.wall = Wall() if wall is None else wall
        self._memory = MemoryLog()
        self._opened: list[ThreadStore] = []

    def open(self, **options: Any) -> ThreadStore:
        """Open a store; *options* are those of `ThreadStore`."""
        log = self._memory if self.path is None else SqliteLog.open(self.path, durability="off")
        store = ThreadStore(log, cache_bytes=self.cache_bytes, now=self.wall, **options)
        self._opened.append(store)
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all stores that were opened here."""
        for store in self._opened:
            store.close()


def frozen_of(log: EventLog, key: str) -> Snapshot | None:
    """Return the snapshot that a store with the default policy makes of a thread, however small; None where it makes none."""
    thread = DenseThread(key, _POLICY.rules, StreamOf(log, key))
    thread.read()
    state = thread.freeze() if thread.revision else None
    return None if state is None else Snapshot(fingerprint(_POLICY.rules), Revision(thread.revision), state)


def keep_frozen(log: EventLog, key: str) -> None:
    """Keep the snapshot that a store with the default policy makes of a thread, so that the next one starts from it."""
    snapshot = frozen_of(log, key)
    if snapshot is not None:
        log.store_snapshot(key, snapshot)


def keep_front(log: EventLog, key: str) -> None:
    """Keep the first page of a thread, however small, as a store with the default policy keeps it."""
    thread = DenseThread(key, _POLICY.rules, StreamOf(log, key))
    thread.read()
    asked = fronts.question("view", {"limit": 50, "reveal": "all"})
    assert asked is not None
    state = fronts.pack(asked, fronts.ask(thread, asked, _POLICY))
    if thread.revision and state is not None:
        log.store_front(key, Snapshot(fronts.fingerprint(_POLICY.rules, asked), Revision(thread.revision), state))
