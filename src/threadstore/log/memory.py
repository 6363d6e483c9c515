"""
The log that keeps everything in memory: the reference that explains the others, and the store of tests and of ``":memory:"``.

One list holds all records, so a position is an index plus one; each thread lists its positions, so a revision is an index plus
one too. One lock makes every method a single step, and reading copies, so an iterator shows the state of its call.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import nlargest
from itertools import islice
from threading import Lock

from msgspec.structs import replace

from threadstore.errors import StoreClosed, StoreUnavailable
from threadstore.log.batch import END, Erasures, check_expected, check_limit, check_place, check_same, distinct, fronts_beside
from threadstore.log.protocol import (
    ANY,
    Appended,
    Damage,
    EventLog,
    Expected,
    Position,
    Record,
    Revision,
    Snapshot,
    Summary,
    is_act,
)
from threadstore.model.codec import encode
from threadstore.model.events import Erasure, Event, is_redacted, redact

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
        self._acts: dict[str, list[Position]] = {}  # by actor
        self._erasures: dict[str, dict[Erasure, Revision]] = {}  # with the first revision that shows the erasure
        self._snapshots: dict[str, Snapshot] = {}
        self._fronts: dict[str, dict[str, Snapshot]] = {}
        self._summaries: dict[str, Summary] = {}
        self._latest: dict[str, str] = {}  # by thread, the largest id of an event

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
        summary: Summary | None = None,
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
            stored = [(event, encode(redact(event) if remembered.absorb(event) else event)) for event in new]
            self._erase(thread, erasures, Revision(revision + (len(new) or 1)))
            for event, data in stored:
                self._add(thread, event.id, data)
                if event.actor is not None:
                    self._acts.setdefault(event.actor.id, []).append(self._positions[event.id])
            if summary is not None and new and len(new) == len(events):
                self._keep(thread, summary)
            return Appended(tuple(self._positions[event.id] for event in events), len(new), self._revision(thread))

    def _add(self, thread: str, id: str, data: bytes) -> None:
        positions = self._threads.setdefault(thread, [])
        position, revision = Position(len(self._records) + 1), Revision(len(positions) + 1)
        self._records.append(Record(position, revision, thread, data))
        self._positions[id] = position
        positions.append(position)
        self._latest[thread] = max(id, self._latest.get(thread, ""))

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

    def acts_of(
        self, actor: str, *, before: int | None = None, limit: int | None = None, posts_only: bool = False
    ) -> Iterator[Record]:
        """Find as the protocol says. Complexity: O(acts of the actor), at the call."""
        below, count = END if before is None else check_place(before), check_limit(limit)
        with self._step():
            records = [self._records[position - 1] for position in reversed(self._acts.get(actor, ())) if position < below]
        found = (record for record in records if is_act(record, actor, posts_only=posts_only))
        return islice(found, count)

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
            return self._erase(thread, erasures, Revision(self._revision(thread) + 1))

    def _erase(self, thread: str, erasures: Sequence[Erasure], shown: Revision) -> int:
        """Redact what is held and remember the erasures; a state of a revision below *shown* may still hold the texts."""
        remembered = self._erasures.get(thread, {})
        fresh = [erasure for erasure in erasures if erasure not in remembered]
        if not fresh:
            return 0
        self._erasures[thread] = remembered | dict.fromkeys(fresh, shown)
        self._snapshots.pop(thread, None)
        self._fronts.pop(thread, None)
        absorbing, changed = Erasures(fresh), 0
        for position in self._threads.get(thread, ()):
            record = self._records[position - 1]
            event = record.event
            if absorbing.absorb(event) and not is_redacted(event):
                self._records[position - 1] = replace(record, data=encode(redact(event)))
                changed += 1
        return changed

    def load_snapshot(self, thread: str, fingerprint: str) -> Snapshot | None:
        """Load as the protocol says. Complexity: O(1)."""
        with self._step():
            snapshot = self._snapshots.get(thread)
            return snapshot if snapshot and snapshot.fingerprint == fingerprint else None

    def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
        """Store as the protocol says. Complexity: O(erasures of the thread)."""
        with self._step():
            former = self._snapshots.get(thread)
            if former and former.fingerprint == snapshot.fingerprint and former.revision > snapshot.revision:
                return
            if snapshot.revision >= max(self._erasures.get(thread, {}).values(), default=0):
                self._snapshots[thread] = snapshot

    def fronts(self, thread: str, fingerprint: str | None = None) -> Sequence[Snapshot]:
        """Return fronts as the protocol says. Complexity: O(fronts of the thread)."""
        with self._step():
            fronts = self._fronts.get(thread, {}).values()
            return [front for front in fronts if fingerprint in (None, front.fingerprint)]

    def store_front(self, thread: str, front: Snapshot) -> None:
        """Store as the protocol says. Complexity: O(fronts and erasures of the thread)."""
        with self._step():
            former = self._fronts.get(thread, {})
            shown = max(self._erasures.get(thread, {}).values(), default=0)
            others = fronts_beside(front, {name: kept.revision for name, kept in former.items()}, shown)
            if others is not None:
                self._fronts[thread] = {name: former[name] for name in others} | {front.fingerprint: front}

    def summaries(self, threads: Sequence[str], fingerprint: str) -> Mapping[str, Summary]:
        """Return summaries as the protocol says. Complexity: O(1) for each thread."""
        with self._step():
            return {key: self._summaries[key] for key in threads if self._is_summed(key, fingerprint)}

    def store_summary(self, thread: str, summary: Summary) -> None:
        """Store as the protocol says. Complexity: O(1)."""
        with self._step():
            self._keep(thread, summary)

    def _keep(self, thread: str, summary: Summary) -> None:
        if 0 < summary.revision == self._revision(thread):
            self._summaries[thread] = summary

    def _is_summed(self, thread: str, fingerprint: str) -> bool:
        summary = self._summaries.get(thread)
        return summary is not None and (summary.fingerprint, summary.revision) == (fingerprint, self._revision(thread))

    def recent(self, *, before: str = "", limit: int = 100) -> Sequence[tuple[str, str]]:
        """Return threads as the protocol says. Complexity: O(threads)."""
        with self._step():
            below = [(id, key) for key, id in self._latest.items() if not before or id < before]
            return [(key, id) for id, key in nlargest(check_limit(limit), below)]

    def waiting(self, fingerprint: str) -> Sequence[tuple[str, str]]:
        """Return threads as the protocol says. Complexity: O(threads)."""
        with self._step():
            since = {key: self._summaries[key].waiting if self._is_summed(key, fingerprint) else "" for key in self._threads}
            found = [(id, key) for key, id in since.items() if id or not self._is_summed(key, fingerprint)]
            return [(key, id) for id, key in sorted(found)]

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
            self._records, self._positions, self._threads, self._erasures, self._snapshots = [], {}, {}, {}, {}
            self._fronts = {}
            self._summaries, self._latest, self._acts = {}, {}, {}
