"""Stores to test with: a wall clock that is set by hand, and a place where a store can be opened again and again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from threadstore.logs.memory import MemoryLog
from threadstore.logs.sqlite import SqliteLog
from threadstore.store import ThreadStore
from threadstore.testing.given import EPOCH

__all__ = ["Place", "Wall"]


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
