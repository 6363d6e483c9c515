"""
What an append finds, and where a thread ends: remembered while nobody else writes.

A post asks the tables where its thread stands, and so does every look at a thread, since other processes write too: together a
third of what a post costs. `PRAGMA data_version` of the writing connection answers for all of it: it changes when anybody else
has committed (sqlite.org/pragma.html). With the number of transactions that this process has begun, it is a *mark* of the file's
state (`threadstore.log._connections`).

What is remembered is of one mark. A transaction that appends carries it on to the next mark, with what it adds; any other leaves
it behind, and so does one that fails. A fork does as well: the connection that is opened behind it counts versions anew.

Law: what is remembered is what the tables would say.
"""

from __future__ import annotations

from threading import Lock
from typing import Final, NamedTuple

__all__ = ["Mark", "Standing", "Standings"]

#: How many transactions this process has begun, failed with, or forked behind, and the version of the data that others have
#: written.
Mark = tuple[int, int]

#: Of so many threads is anything remembered.
_MANY: Final = 4_096


class Standing(NamedTuple):
    """
    What an append finds: the last position given, the thread's number if it has one, its revision, whether something was erased
    from it, and the log's last erasure.
    """

    position: int
    thread: int | None
    revision: int
    erased: bool
    erasure: int

    def behind(self, new: int, together: int = 0) -> Standing:
        """Return the standing behind so many *new* events, or as many as the log got *together*."""
        position, thread, revision, erased, erasure = self
        return Standing(position + (together or new), thread, revision + new, erased, erasure)


class Standings:
    """How the threads stand that were used last."""

    __slots__ = ("_ends", "_lock", "_mark", "_position", "_standings")

    def __init__(self) -> None:
        self._lock = Lock()
        self._mark: Mark = (-1, -1)
        self._position = 0
        self._standings: dict[str, Standing] = {}
        #: The revisions of these and of threads that were read to their end.
        self._ends: dict[str, int] = {}

    def carry_on(self, mark: Mark) -> None:
        """Turn to the *mark* of a transaction that has begun; what is remembered stays if that is the next one."""
        begun, version = mark
        with self._lock:
            if self._mark != (begun - 1, version) or len(self._ends) > _MANY:
                self._standings, self._ends = {}, {}
            self._mark = mark

    def of(self, thread: str) -> Standing | None:
        """Return how a thread stands, in a transaction that was carried on to."""
        standing = self._standings.get(thread)
        if standing is None or standing.position == self._position:
            return standing
        return standing._replace(position=self._position)

    def note(self, thread: str, standing: Standing) -> None:
        """Remember how a thread stands behind what the transaction adds; of a new one the number is not known yet."""
        with self._lock:
            self._position = standing.position
            self._ends[thread] = standing.revision
            if standing.thread is not None:
                self._standings[thread] = standing

    def forget(self) -> None:
        """Remember nothing of the transaction, nor of what was before."""
        with self._lock:
            self._standings, self._ends = {}, {}

    def note_end(self, thread: str, revision: int, mark: Mark) -> None:
        """Remember with which revision a thread ends; the *mark* is older than that knowledge."""
        with self._lock:
            if mark > self._mark:
                self._standings, self._ends, self._mark = {}, {}, mark
            if mark == self._mark:
                self._ends[thread] = revision

    def end(self, thread: str) -> tuple[int | None, Mark]:
        """Return the revision with which a thread ends, if it is remembered, and the mark that this is of."""
        with self._lock:
            return self._ends.get(thread), self._mark
