"""
`EventLog`, the one port of the library.

A log keeps the events of many threads. Each record has a *position* in the whole log and a *revision* in its thread's stream,
both counted from 1 and never reused: not by erasure, VACUUM, backup, or dump and restore.

What a log promises, and `threadstore.testing.check_event_log` proves:

- Appending is atomic, durable when it returns, and idempotent by event id for ever: an event that is already there keeps its
  position, and a retry succeeds whatever revision it expected. Another fact under a known id is a `ConflictingEvent`, and
  nothing of the batch is stored. A fact and its redacted twin are the same fact.
- No reader ever sees position *p* before every smaller position that will ever exist.
- `redact` takes the texts that an erasure absorbs out of the log and of everything derived from it, and remembers the
  erasure, so that a text that arrives later is stored without its words.
- Records are stored as the codec's bytes. A log never folds: it knows events, not threads' states.
- Damage costs what it has hit. Of a record that is not as it was stored, reading says so (`Record.damage`) and goes on; one that
  can not be fetched at all is left out, which its revision and its position show, since both are dense.

Erasure and merge aside, nothing is ever rewritten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple, NewType, Protocol, runtime_checkable

from msgspec import Struct

from threadstore.errors import ConflictingEvent, CorruptRecord, DataError, ThreadStoreError, UpcastFailed
from threadstore.heads import Heads, head
from threadstore.model.codec import decode
from threadstore.model.events import CommentPosted, Erasure, Event

__all__ = [
    "ANY",
    "MAX_FRONTS",
    "NONE",
    "Append",
    "Appended",
    "Damage",
    "EventLog",
    "Expect",
    "Expected",
    "Position",
    "Record",
    "Revision",
    "Snapshot",
    "Summary",
    "is_act",
]

Position = NewType("Position", int)
Revision = NewType("Revision", int)


class Expect(Enum):
    """What an append expects of its thread, in words."""

    ANY = "any revision"
    NONE = "no event yet"


ANY: Final = Expect.ANY
NONE: Final = Expect.NONE

#: How many fronts a log keeps of a thread, at most.
MAX_FRONTS: Final = 16

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


def is_act(record: Record, actor: str, *, posts_only: bool = False) -> bool:
    """
    Return whether a record is an event of the actor with this id, or with *posts_only* a comment that they posted.

    One that can not be read is nobody's.
    """
    with suppress(CorruptRecord, UpcastFailed):
        event = record.event
        is_theirs = event.actor is not None and event.actor.id == actor
        return is_theirs and (not posts_only or isinstance(event, CommentPosted))
    return False


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


class Snapshot(Struct, frozen=True):
    """
    A thread's stored state.

    Args:
        fingerprint: Names the fold that made it; a log answers only with a snapshot of the fold that asks.
        revision: The thread's revision that the state includes.
        state: The bytes, which the log does not understand.
    """

    fingerprint: str
    revision: Revision
    state: bytes


class Summary(Struct, frozen=True):
    """
    What a list over many threads says of one.

    Args:
        fingerprint: Names the fold and the rules that made it; a log answers only with one of those that ask.
        revision: The thread's revision that it is of; it is current while the thread has that revision.
        waiting: The id of the oldest fact that something waits for in the thread; empty if nothing waits.
        state: The bytes, which the log does not understand. They hold no words.
    """

    fingerprint: str
    revision: Revision
    waiting: str
    state: bytes


class Append(NamedTuple):
    """What is to be appended to one thread, and what the thread's summary will be if nobody else has written meanwhile."""

    thread: str
    events: Sequence[Event]
    summary: Summary | None = None


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
        summary: Summary | None = None,
    ) -> Appended:
        """
        Append *events*, all of *thread*, as one atomic batch, and redact what *erasures* absorb in the same step.

        The *summary* is kept in the same step as well if all the events were new and brought the thread to its revision.

        Repeats of one fact within the batch count once. An empty batch changes nothing and answers with the present revision.

        Raises:
            ValueError: An event belongs to another thread.
            ConflictingEvent: A known id with another fact, in this or any other thread; nothing was stored.
            WrongRevision: Something is new and the thread is not at *expected*; nothing was stored.
        """
        ...

    def append_all(self, appends: Sequence[Append]) -> Sequence[Appended | ThreadStoreError | None]:
        """
        Append several batches, each of one thread, in the order given and, if the log can, at the cost of one commit.

        The answer to each is what `append` would have answered, or the `ConflictingEvent` or `DataError` that it would have
        raised. A batch that is refused leaves no trace and stands in the way of later ones of its own thread alone, which may
        rest on it: they are not tried, and None is their answer. Where anything is raised, no batch is known to be stored.

        Raises:
            ValueError: An event belongs to another thread.
        """
        answers: list[Appended | ThreadStoreError | None] = []
        refused: set[str] = set()
        for thread, events, summary in appends:
            if thread in refused:
                answers.append(None)
                continue
            try:
                answers.append(self.append(thread, events, summary=summary))
            except (ConflictingEvent, DataError) as error:
                refused.add(thread)
                answers.append(error)
        return answers

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Yield the thread's records with a revision above *after*, in order: a consistent state of the moment of the call."""
        ...

    def heads(self, thread: str, *, after: int = 0) -> Heads:
        """
        Return the heads of the records that `read` would yield, as far as these can be read.

        A log may keep them beside the records; that a record itself is damaged shows only when it is read, then.

        Raises:
            UnsupportedSchema: A newer release wrote a record.
        """
        revisions, heads = list[int](), list[bytes]()
        for record in self.read(thread, after=after):
            with suppress(CorruptRecord, UpcastFailed):
                event = record.event
                if not revisions or record.revision > revisions[-1]:  # a damaged index may tell of a row twice
                    revisions.append(record.revision)
                    heads.append(head(event))
        return Heads(revisions, b"".join(heads))

    def fetch(self, thread: str, revisions: Sequence[int]) -> Iterator[Record]:
        """Yield the thread's records with these revisions, in no particular order; those that there are."""
        wanted = set(revisions)
        records = self.read(thread, after=min(wanted, default=1) - 1)
        return (record for record in islice(records, max(wanted, default=0)) if record.revision in wanted)

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Yield up to *limit* records of all threads with a position above *after*, in order."""
        ...

    def find(self, id: str) -> Record | None:
        """Return the record of the event with this id, or None."""
        ...

    def acts_of(
        self, actor: str, *, before: int | None = None, limit: int | None = None, posts_only: bool = False
    ) -> Iterator[Record]:
        """
        Yield the records of the actor with this id, the last first: at most *limit*, with a position below *before*.

        With *posts_only* they are the comments that the actor posted. Records that can not be read are left out.

        Raises:
            UnsupportedSchema: A newer release wrote a record.
        """
        below = (record for record in self.read_all() if before is None or record.position < before)
        found = (record for record in below if is_act(record, actor, posts_only=posts_only))
        return reversed(deque(found, limit))

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
        Take the absorbed texts out of the thread's records and out of its snapshots, and remember the erasures for what
        arrives later.

        Returns how many records were changed; doing it again changes none.
        """
        ...

    def load_snapshot(self, thread: str, fingerprint: str) -> Snapshot | None:
        """Return the thread's snapshot if it has one of this fold."""
        ...

    def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
        """Keep *snapshot* in place of the thread's former one, unless that one is of the same fold and newer."""
        ...

    def fronts(self, thread: str, fingerprint: str | None = None) -> Sequence[Snapshot]:  # noqa: ARG002  # for logs that keep some
        """
        Return the fronts that are kept of the thread, or the one of this *fingerprint*; none that is damaged.

        A log need not keep any.
        """
        return ()

    def store_front(self, thread: str, front: Snapshot) -> None:
        """
        Keep *front* beside those of its revision, in place of the thread's older ones, unless there is a newer one.

        Redacting drops fronts as it drops snapshots. At most `MAX_FRONTS` are kept of a thread.
        """

    def summaries(self, threads: Sequence[str], fingerprint: str) -> Mapping[str, Summary]:
        """Return, by thread, the summaries that are current and of this fingerprint; the others are missing."""
        ...

    def store_summary(self, thread: str, summary: Summary) -> None:
        """Keep *summary* if the thread has its revision still."""
        ...

    def recent(self, *, before: str = "", limit: int = 100) -> Sequence[tuple[str, str]]:
        """
        Return threads, each with the largest id of its events, the largest first: at most *limit* whose id is below *before*.

        An empty *before* begins with the largest of all.
        """
        ...

    def waiting(self, fingerprint: str) -> Sequence[tuple[str, str]]:
        """
        Return the threads in which something waits, each with the oldest fact that it waits for, the oldest first.

        Threads without a current summary of this fingerprint are among them, in front and with an empty id: nobody knows.
        """
        ...

    def verify(self) -> Iterator[Damage]:
        """Check every record and yield what is wrong; repair nothing."""
        ...

    def close(self) -> None:
        """Free all resources. Closing again does nothing."""
        ...
