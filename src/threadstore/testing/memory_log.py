"""
A log that keeps everything in memory: the smallest that keeps the contract, and the one that explains the others.

One list holds all records, so a position is an index plus one; each thread lists its positions, so a revision is an index plus
one too. One lock makes every method a single step, and reading copies, so an iterator shows the state of its call.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from msgspec.structs import replace

from threadstore.errors import StoreClosed, StoreUnavailable
from threadstore.log.batch import Erasures, check_expected, check_limit, check_place, check_same, distinct
from threadstore.log.protocol import ANY, Appended, Damage, EventLog, Expected, Position, Record, Revision
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure, is_redacted, redact
from threadstore.model.events import Event

__all__ = ["MemoryLog"]


class MemoryLog(EventLog):
    """
    An `EventLog` that lasts as long as the process.

    A forked child is refused: it would write to a copy that nobody else sees.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = os.getpid()
        self._closed = False
        self._records: list[Record] = []
        self._positions: dict[str, Position] = {}  # by event id
        self._threads: dict[str, list[Position]] = {}
        self._erasures: dict[str, set[Erasure]] = {}

    @contextmanager
    def _step(self) -> Iterator[None]:
        if self._process != os.getpid():
            raise StoreUnavailable(":memory:", "it was opened before the process forked; a store in memory is its process' own")
        with self._lock:
            if self._closed:
                raise StoreClosed(":memory:")
            yield

    def append(
        self,
        thread: str,
        events: Sequence[Event],
        *,
        expected: Expected = ANY,
        erasures: Sequence[Erasure] = (),
    ) -> Appended:
        """Append as the protocol says. Complexity: O(1) for each event; with new erasures O(events of the thread)."""
        facts = distinct(thread, events)
        with self._step():
            new = []
            for event in facts.values():
                if position := self._positions.get(event.id):
                    check_same(event, self._records[position - 1].data, position)
                else:
                    new.append(event)
            revision = self._revision(thread)
            if new:
                check_expected(thread, expected, revision)
            remembered = Erasures([*self._erasures.get(thread, ()), *erasures])
            stored = [(event, encode(redact(event) if remembered.covers(event) else event)) for event in new]
            self._erase(thread, erasures)
            for event, data in stored:
                self._add(thread, event.id, data)
            return Appended(tuple(self._positions[event.id] for event in events), len(new), self._revision(thread))

    def _add(self, thread: str, id: str, data: bytes) -> None:
        positions = self._threads.setdefault(thread, [])
        position, revision = Position(len(self._records) + 1), Revision(len(positions) + 1)
        self._records.append(Record(position, revision, thread, data))
        self._positions[id] = position
        positions.append(position)

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(records), at the call."""
        start = check_place(after)
        with self._step():
            return iter([self._records[position - 1] for position in self._threads.get(thread, [])[start:]])

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(records), at the call."""
        start, count = check_place(after), check_limit(limit)
        with self._step():
            return iter(self._records[start : start + count])

    def find(self, id: str) -> Record | None:
        """Return the record, or None. Complexity: O(1)."""
        with self._step():
            position = self._positions.get(id)
            return self._records[position - 1] if position else None

    def threads(self) -> Iterator[str]:
        """Yield the keys. Complexity: O(threads), at the call."""
        with self._step():
            return iter(list(self._threads))

    def revision(self, thread: str) -> Revision:
        """Return the thread's last revision. Complexity: O(1)."""
        with self._step():
            return self._revision(thread)

    def _revision(self, thread: str) -> Revision:
        return Revision(len(self._threads.get(thread, ())))

    def position(self) -> Position:
        """Return the last position. Complexity: O(1)."""
        with self._step():
            return Position(len(self._records))

    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        """Redact as the protocol says. Complexity: O(events of the thread) if an erasure is new."""
        with self._step():
            return self._erase(thread, erasures)

    def _erase(self, thread: str, erasures: Sequence[Erasure]) -> int:
        """Redact what is held and remember the erasures."""
        remembered = self._erasures.setdefault(thread, set())
        fresh = [erasure for erasure in erasures if erasure not in remembered]
        remembered.update(fresh)
        absorbing, changed = Erasures(fresh), 0
        for position in self._threads.get(thread, ()) if fresh else ():
            record = self._records[position - 1]
            event = record.event
            if absorbing.covers(event) and not is_redacted(event):
                self._records[position - 1] = replace(record, data=encode(redact(event)))
                changed += 1
        return changed

    def verify(self) -> Iterator[Damage]:
        """Yield nothing: what this process has encoded does not rot."""
        with self._step():
            return iter(())

    def close(self) -> None:
        """Let go of everything. Closing again does nothing."""
        if self._process != os.getpid():
            return  # a thread may have held the lock that the child does not have
        with self._lock:
            self._closed = True
            self._records, self._positions, self._threads, self._erasures = [], {}, {}, {}
