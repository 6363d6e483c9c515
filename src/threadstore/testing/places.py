"""
Stores to test with: a wall clock that is set by hand, a place where a store can be opened again and again, and snapshots of small
threads.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from threadstore.dense import DenseThread
from threadstore.frozen import fingerprint
from threadstore.logs.memory import MemoryLog
from threadstore.logs.protocol import EventLog, Revision, Snapshot
from threadstore.logs.sqlite import SqliteLog
from threadstore.policy import Policy
from threadstore.store import ThreadStore
from threadstore.streams import StreamOf
from threadstore.testing.given import EPOCH

__all__ = ["Place", "Wall", "frozen_of", "keep_frozen"]

_RULES: Final = Policy().rules


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
    thread = DenseThread(key, _RULES, StreamOf(log, key))
    thread.read()
    state = thread.freeze() if thread.revision else None
    return None if state is None else Snapshot(fingerprint(_RULES), Revision(thread.revision), state)


def keep_frozen(log: EventLog, key: str) -> None:
    """Keep the snapshot that a store with the default policy makes of a thread, so that the next one starts from it."""
    snapshot = frozen_of(log, key)
    if snapshot is not None:
        log.store_snapshot(key, snapshot)
