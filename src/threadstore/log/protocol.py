"""
`EventLog`, the one port of the library.

A log keeps the events of many threads. Each record has a *position* in the whole log and a *revision* in its thread's stream,
both counted from 1 and never reused: not by erasure, VACUUM, backup, or dump and restore.

What a log promises, and `threadstore.testing.check_event_log` proves:

- Appending is atomic, durable when it returns, and idempotent by event id for ever: an event that is already there keeps its
  position, and a retry succeeds whatever revision it expected. Another fact under a known id is a `ConflictingEvent`, and
  nothing of the batch is stored. A fact and its redacted twin are the same fact.
- No reader ever sees position *p* before every smaller position that will ever exist.
- `redact` takes the texts that an erasure absorbs out of the log, and remembers the erasure, so that a text that
  arrives later is stored without its words.
- Records are stored as the codec's bytes. A log never folds: it knows events, not threads' states.
- Damage costs what it has hit. Of a record that is not as it was stored, reading says so (`Record.damage`) and goes on; one that
  can not be fetched at all is left out, which its revision and its position show, since both are dense.

Erasure and merge aside, nothing is ever rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NewType, Protocol, runtime_checkable

from msgspec import Struct

from threadstore.errors import CorruptRecord, UpcastFailed
from threadstore.model.codec import decode
from threadstore.model.erasure import Erasure
from threadstore.model.events import Event

__all__ = [
    "ANY",
    "NONE",
    "Appended",
    "Damage",
    "EventLog",
    "Expect",
    "Expected",
    "Position",
    "Record",
    "Revision",
    "readable",
    "without_gaps",
]

Position = NewType("Position", int)
Revision = NewType("Revision", int)


class Expect(Enum):
    """What an append expects of its thread, in words."""

    ANY = "any revision"
    NONE = "no event yet"


ANY: Final = Expect.ANY
NONE: Final = Expect.NONE

Expected = Expect | Revision


class Record(Struct, frozen=True):
    """
    One stored event: where it is, and its canonical bytes.

    `damage` says what is wrong with a record that is not as it was stored; its other fields are not to be believed then.
    """

    position: Position
    revision: Revision
    thread: str
    data: bytes
    damage: str = ""

    @property
    def event(self) -> Event:
        """
        Decode the event, anew at each use.

        Raises:
            CorruptRecord, UnsupportedSchema, UpcastFailed: as `threadstore.model.codec.decode`, naming the position. A damaged
                record is corrupt, and so is an event that is filed under another thread than its own.
        """
        if self.damage:
            raise CorruptRecord(self.position, self.damage)
        event = decode(self.data, position=self.position)
        if event.thread != self.thread:
            raise CorruptRecord(self.position, f"it is filed under another thread than its own, {event.thread!r:.80}")
        return event


class Appended(Struct, frozen=True):
    """
    What an append did.

    Args:
        positions: The position of each event of the batch, in the batch's order, whether new or already there.
        new: How many of them were new.
        revision: The thread's revision after the append.
    """

    positions: tuple[Position, ...]
    new: int
    revision: Revision


class Damage(Struct, frozen=True):
    """One thing that `verify` found: its kind (``"checksum"``, ``"record"``, ``"revision"``, …), where, and what is wrong."""

    kind: str
    position: Position | None
    thread: str | None
    why: str


@runtime_checkable
class EventLog(Protocol):
    """
    A store of events. Every method may raise `StoreClosed`, `StoreUnavailable`; those that write also `StoreFull`.

    A log may be used by several threads at once.
    """

    def append(
        self,
        thread: str,
        events: Sequence[Event],
        *,
        expected: Expected = ANY,
        erasures: Sequence[Erasure] = (),
    ) -> Appended:
        """
        Append *events*, all of *thread*, as one atomic batch, and redact what *erasures* absorb in the same step.

        Repeats of one fact within the batch count once. An empty batch changes nothing and answers with the present revision.

        Raises:
            ValueError: An event belongs to another thread.
            ConflictingEvent: A known id with another fact, in this or any other thread; nothing was stored.
            WrongRevision: Something is new and the thread is not at *expected*; nothing was stored.
        """
        ...

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Yield the thread's records with a revision above *after*, in order: a consistent state of the moment of the call."""
        ...

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Yield up to *limit* records of all threads with a position above *after*, in order."""
        ...

    def find(self, id: str) -> Record | None:
        """Return the record of the event with this id, or None."""
        ...

    def threads(self) -> Iterator[str]:
        """Yield the keys of all threads that have an event, in the order of their first."""
        ...

    def revision(self, thread: str) -> Revision:
        """Return the thread's last revision; 0 if it has no event."""
        ...

    def position(self) -> Position:
        """Return the last position; 0 if the log is empty."""
        ...

    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        """
        Take the absorbed texts out of the thread's records, and remember the erasures for what arrives later.

        Returns how many records were changed; doing it again changes none.
        """
        ...

    def verify(self) -> Iterator[Damage]:
        """Check every record and yield what is wrong; repair nothing."""
        ...

    def close(self) -> None:
        """Free all resources. Closing again does nothing."""
        ...


def readable(records: Iterable[Record]) -> Iterator[tuple[Record, Event]]:
    """
    Yield the records that can be read, with their events; those that are damaged are left out.

    Raises:
        UnsupportedSchema: A newer release has written one; that is no damage.
    """
    for record in records:
        try:
            event = record.event
        except (CorruptRecord, UpcastFailed):
            continue
        yield record, event


def without_gaps(records: Iterable[Record], after: int) -> Iterator[Event]:
    """Yield the events of all records behind the position *after*."""
    for expected, record in enumerate(records, max(after, 0) + 1):
        if record.position != expected:
            raise CorruptRecord(expected, "it is missing")
        yield record.event
