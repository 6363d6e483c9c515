"""Stores to test with: a wall clock that is set by hand, and a place where a store can be opened again and again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from threadstore.log._connections import MEMORY
from threadstore.log.sqlite import SqliteLog
from threadstore.store.store import ThreadStore
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
    Where the events of a store are. Each store that is opened here stands for one more process: it finds the database, and
    nothing in memory.

    Args:
        path: The file; None keeps the database in memory, which all stores that are opened here share, each with nothing
            remembered.
        wall: The clock that all of them look at.
    """

    def __init__(self, path: Path | None, *, wall: Wall | None = None) -> None:
        self.path = path
        self.wall = Wall() if wall is None else wall
        self._memory: SqliteLog | None = None
        self._opened: list[ThreadStore] = []

    def open(self, **options: Any) -> ThreadStore:
        """Open a store; *options* are those of `ThreadStore`."""
        log = self._memory or SqliteLog.open(MEMORY if self.path is None else self.path, durability="off")
        if self.path is None:
            self._memory = log
        store = ThreadStore(log, now=self.wall, **options)
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
