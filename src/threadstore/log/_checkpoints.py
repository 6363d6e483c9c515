"""
Checkpoints beside the writers: who copies the WAL into the file, and when.

SQLite lets the commit that fills the WAL pay for all before it: with 10,000 posts in a row, one in a
hundred waited twenty times as long as the others. So a thread with a connection of its own copies
what has been committed while others write (PASSIVE, which blocks nobody), as soon as there are
`SOFT` pages of it. A log that never comes to rest is never begun anew that way, so at `HARD` pages
the last of it is copied while no writer of this process may begin, and the WAL is cut to nothing
(TRUNCATE), unless a reader is in the way, for whom nobody waits. Beside writers that would meet them
in SQLite's busy handler (posts waited 130 to 240 ms, measured). RESTART would leave the length of the
WAL as it is, which is what tells how much there is to copy.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Final

__all__ = ["HARD", "SOFT", "Checkpoints"]

#: In bytes of the WAL, of 4,096 and a header of 24 a page: what is copied beside the writers, and what they wait for.
SOFT: Final = 1_000 * 4_120
HARD: Final = 4_000 * 4_120
_PASSIVE: Final = "PRAGMA wal_checkpoint(PASSIVE)"
_TRUNCATE: Final = "PRAGMA wal_checkpoint(TRUNCATE)"


class Checkpoints:
    """
    The checkpoints of one file.

    Args:
        path: The file.
        connect: Opens a connection to it.
        writing: The lock that every writer of this process holds.
    """

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection], writing: Lock) -> None:
        self._wal = f"{path}-wal"
        self._connect = connect
        self._writing = writing
        self._due = Event()
        self._working = Lock()  # held while the connection is in use, and by whoever forbids that
        self._connection: sqlite3.Connection | None = None
        self._thread: Thread | None = None
        self._copied = 0
        self._closed = False

    def note(self) -> None:
        """Note that something was committed; the writer's lock is held. Complexity: O(1), one look at the WAL's length."""
        length = self._length()
        if length < self._copied:  # it has been cut
            self._copied = 0
        if length - self._copied >= SOFT and not self._due.is_set():
            self._due.set()
            if self._thread is None or not self._thread.is_alive():
                self._start()

    def _length(self) -> int:
        try:
            return os.stat(self._wal).st_size
        except OSError:
            return 0

    def _start(self) -> None:
        self._thread = Thread(target=self._work, name="threadstore-checkpoints", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the process ends, or may have no more threads: the next commit tries again
            self._thread = None
            self._due.clear()

    def _work(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            with suppress(sqlite3.Error):  # the next writer is told what is wrong with the file
                self._copy()

    def _copy(self) -> None:
        length = self._length()
        self._checkpoint(_PASSIVE)
        self._copied = length
        if length >= HARD:
            with self._writing:
                self._checkpoint(_TRUNCATE)

    def _checkpoint(self, how: str) -> None:
        with self._working:
            if self._closed:
                return
            if self._connection is None:
                self._connection = self._connect()
                self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute(how)

    def rest(self) -> None:
        """Wait until no checkpoint is under way, close the connection, and let none begin until `resume`."""
        self._working.acquire()
        self._drop()

    def resume(self) -> None:
        """Let checkpoints begin again, after `rest`."""
        self._working.release()

    def close(self) -> None:
        """End the thread, and close the connection."""
        self._closed = True
        self._due.set()
        with self._working:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
