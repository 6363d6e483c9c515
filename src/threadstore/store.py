"""
`ThreadStore`: load, decide, append.

A store keeps hot threads in memory, bounded by bytes, and brings one up to date with a tail read each time it is used, since other processes
write too. Writers need no coordination: events commute. A cold thread starts from its snapshot, if it has one.

Ids come from one hybrid clock per store, above every id that the thread has seen. An erasure that has effect is handed to the log in the same
step as its event, and the thread's state in memory is dropped, so that it is read again without the words.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from threading import Condition, Lock, RLock
from types import TracebackType
from typing import Final, Self

import msgspec

from threadstore import commands as c
from threadstore.decide import is_same_request, resolve
from threadstore.errors import ClockSkew, ConflictingEvent, MergeRefused, StoreUnavailable, ThreadStoreError
from threadstore.events import Actor, Erasure, Event
from threadstore.ids import HybridClock, time_of
from threadstore.logs.memory import MemoryLog
from threadstore.logs.protocol import Damage, EventLog, Record, Snapshot
from threadstore.logs.sqlite import SqliteLog
from threadstore.policy import Policy
from threadstore.snapshots import FINGERPRINT, restore, snapshot
from threadstore.standing import erasure_of
from threadstore.stored import StoredThread
from threadstore.thread import Thread

__all__ = ["ThreadStore", "open"]

#: A cold thread that had to fold more than this many events beyond its snapshot gets a new one.
SNAPSHOT_AFTER: Final = 2_000
#: What an event costs in memory beside its bytes, roughly (measured with tracemalloc on replies with one reaction each).
_EVENT_OVERHEAD: Final = 1_000
_MERGE_BATCH: Final = 10_000
_POLL_SECONDS: Final = 0.05


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def open(  # the word that users expect, as in dbm.open
    target: str | os.PathLike[str],
    *,
    policy: Policy | None = None,
    durability: str = "full",
    cache_bytes: int = 64 << 20,
    now: Callable[[], int] = _wall_clock,
) -> ThreadStore:
    """
    Open a store, which is made if it does not exist.

    Args:
        target: The path of a SQLite file, or ``":memory:"`` for a store that ends with the process.
        policy: What the application allows; the default allows much.
        durability: What a returned write survives. "full": a loss of power; "normal": a crash of the process, and a loss of power
            up to the last moments; "off": a crash of the process.
        cache_bytes: How much memory hot threads may take, roughly.
        now: The wall clock, in Unix milliseconds.

    Raises:
        StoreUnavailable: *target* can not be opened, or is something else.
        UnsupportedSchema: A newer release wrote it.
        ValueError: An argument is out of range, or no log is known for the target.
    """
    name = os.fspath(target)
    if name == ":memory:":
        log: EventLog = MemoryLog()
    elif "://" in name:
        raise ValueError(f"no log is known for {name.split('://')[0]!r}; give the path of a file, or ':memory:'")
    else:
        log = SqliteLog.open(name, durability=durability)
    return ThreadStore(log, policy=policy, cache_bytes=cache_bytes, now=now)


class _Hot:
    """A thread in memory."""

    __slots__ = ("lock", "size", "thread")

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.size = 0
        self.lock = RLock()


class ThreadStore:
    """
    Many threads in one log. Made by `threadstore.open`; may be shared by Python threads.

    Args:
        log: Where the events live.
        policy: What the application allows.
        cache_bytes: How much memory hot threads may take, roughly.
        now: The wall clock, in Unix milliseconds.
        random: ``random(k)`` returns k random bits.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        policy: Policy | None = None,
        cache_bytes: int = 64 << 20,
        now: Callable[[], int] = _wall_clock,
        random: Callable[[int], int] = secrets.randbits,
    ) -> None:
        if type(cache_bytes) is not int or cache_bytes < 0:
            raise ValueError(f"cache_bytes must be an int of at least 0, not {cache_bytes!r}")
        self.policy = Policy() if policy is None else policy
        self.log = log
        self._clock = HybridClock(now, random)
        self._cache_bytes = cache_bytes
        self._hot: OrderedDict[str, _Hot] = OrderedDict()
        self._lock = Lock()
        self._news = Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free all resources; every write that returned is kept. Closing again does nothing."""
        with self._lock:
            self._hot.clear()
        self.log.close()

    def now(self) -> int:
        """Return the store's wall clock, in Unix milliseconds."""
        return self._clock.now()

    # --- threads --------------------------------------------------------------------------------------------------------------

    def thread(self, key: str) -> StoredThread:
        """Return the thread called *key*, which need not have any event yet. No I/O."""
        return StoredThread(self, key)

    def threads(self) -> Iterator[str]:
        """Yield the keys of all threads, in the order of their first events."""
        return self.log.threads()

    @contextmanager
    def using(self, key: str) -> Iterator[Thread]:
        """
        Lend the up-to-date thread for reading, and hold its lock meanwhile.

        Complexity: O(events that others wrote since the last use); O(n) for a cold thread.
        """
        hot = self._lookup(key)
        with hot.lock:
            try:
                self._catch_up(hot)
                yield hot.thread
            finally:
                self._trim()

    def _lookup(self, key: str) -> _Hot:
        with self._lock:
            hot = self._hot.get(key)
            if hot is None:
                hot = self._hot[key] = _Hot(Thread(key))
            self._hot.move_to_end(key)
            return hot

    def _catch_up(self, hot: _Hot) -> None:
        """Fold what the log holds beyond the thread's revision."""
        thread = hot.thread
        start = self._start_cold(hot) if thread.revision == 0 else thread.revision
        thread = hot.thread
        for record in self.log.read(thread.key, after=start):
            event = record.event
            if start and erasure_of(event, self.policy.rules) is not None:
                hot.thread, hot.size = Thread(thread.key), 0
                return self._catch_up(hot)
            thread.apply(event)
            thread.revision = record.revision
            hot.size += _EVENT_OVERHEAD + 2 * len(record.data)
        if thread.revision - start > SNAPSHOT_AFTER and start < thread.revision // 2:
            self.log.store_snapshot(thread.key, Snapshot(FINGERPRINT, thread.revision, snapshot(thread)))  # type: ignore[arg-type]

    def _start_cold(self, hot: _Hot) -> int:
        """Restore a cold thread from its snapshot if it has one, and return the revision to read on from."""
        kept = self.log.load_snapshot(hot.thread.key, FINGERPRINT)
        restored = None if kept is None else restore(hot.thread.key, kept.revision, kept.state)
        if kept is None or restored is None:
            return 0
        hot.thread = restored
        hot.size = 2 * len(kept.state) + _EVENT_OVERHEAD * sum(1 for _ in restored.facts())
        return kept.revision

    def _trim(self) -> None:
        """Let go of the threads used longest ago, until the others keep within the bound."""
        with self._lock:
            total = sum(hot.size for hot in self._hot.values())
            while total > self._cache_bytes and len(self._hot) > 1:
                _, cold = self._hot.popitem(last=False)
                total -= cold.size

    # --- writing --------------------------------------------------------------------------------------------------------------

    def execute(self, command: c.Command) -> str:
        """
        Decide *command*, append what it comes to, and return the id of the event that it is named after.

        A command that changes nothing returns the id of the fact that stands. A repeated request (the same `id`) returns its id at
        once, whatever has changed since.

        Raises:
            Rejected: The rules or the policy forbid it; nothing was stored.
            ConflictingEvent: Another fact bears the command's id.
            ClockSkew: The command's id lies too far in the future.
            StoreError: The log failed; nothing was stored.
            TypeError, ValueError: A field can not be part of any event.

        Complexity: that of `decide`, and of one append.
        """
        with self.using(command.thread) as thread:
            if command.id is not None and thread.fact(command.id) is None and self._was_made(command, command.id):
                return command.id
            decision = resolve(command, thread, policy=self.policy, now=self._clock.now(), mint=self._mint)
            if decision.events:
                self._append(thread, decision.events)
        return decision.id

    def _was_made(self, command: c.Command, id: str) -> bool:
        """Return whether the log has the command's event, which the thread in memory may have let go of."""
        record = self.log.find(id)
        if record is None:
            return False
        if not is_same_request(command, record.event):
            raise ConflictingEvent(id)
        return True

    def _mint(self, after: str) -> str:
        with self._lock:
            return self._clock.mint(after=after)

    def _append(self, thread: Thread, events: Collection[Event]) -> None:
        erasures = self._erasures(events)
        appended = self.log.append(thread.key, tuple(events), erasures=erasures)
        if erasures:
            self._forget(thread.key)
        else:
            for event in events:
                thread.apply(event)
            if appended.revision - appended.new == thread.revision:
                thread.revision = appended.revision
        with self._news:
            self._news.notify_all()

    def _erasures(self, events: Iterable[Event]) -> list[Erasure]:
        found = (erasure_of(event, self.policy.rules) for event in events)
        return [erasure for erasure in found if erasure is not None]

    def _forget(self, key: str) -> None:
        with self._lock:
            self._hot.pop(key, None)

    def merge(self, events: Iterable[Event]) -> int:
        """
        Take in another replica's events, of any threads, in bulk, and return how many were new.

        Roles are believed: this is for replicas that the application trusts. Events are stored in batches; within one all is stored
        or nothing.

        Raises:
            MergeRefused: Some events were refused and all others stored: `refused` names each with its error, `ConflictingEvent` or
                `ClockSkew`. A refused event may be offered again; what is stored already is not stored twice.
            TypeError: Something is no event; what came before it is stored.

        Complexity: O(events).
        """
        new = 0
        refused: list[tuple[str, ThreadStoreError]] = []
        batch: list[Event] = []
        latest = self._clock.now() + self.policy.max_clock_skew
        for event in events:
            if not isinstance(event, Event):
                new += self._merge_batch(batch, refused)
                raise TypeError(f"an event is needed, not {type(event).__name__}")
            if time_of(event.id) > latest:
                refused.append((event.id, ClockSkew(event.id, time_of(event.id) - self.policy.max_clock_skew)))
                continue
            batch.append(event)
            if len(batch) >= _MERGE_BATCH:
                new += self._merge_batch(batch, refused)
                batch = []
        new += self._merge_batch(batch, refused)
        if refused:
            raise MergeRefused(new, refused)
        return new

    def _merge_batch(self, batch: Iterable[Event], refused: list[tuple[str, ThreadStoreError]]) -> int:
        """Store a batch, thread by thread; erasures go first, so that what they absorb never reaches the disk after them."""
        of_threads: dict[str, list[Event]] = {}
        for event in batch:
            of_threads.setdefault(event.thread, []).append(event)
        new = 0
        for key, events in of_threads.items():
            events.sort(key=lambda event: erasure_of(event, self.policy.rules) is None)
            new += self._merge_thread(key, events, refused)
        with self._news:
            self._news.notify_all()
        return new

    def _merge_thread(self, key: str, events: list[Event], refused: list[tuple[str, ThreadStoreError]]) -> int:
        """Store events of one thread together or, where one conflicts, one by one."""
        erasures = self._erasures(events)
        try:
            appended = self.log.append(key, events, erasures=erasures)
        except ConflictingEvent as error:
            if len(events) == 1:
                refused.append((events[0].id, error))
                return 0
            half = len(events) // 2
            return self._merge_thread(key, events[:half], refused) + self._merge_thread(key, events[half:], refused)
        if erasures:
            self._forget(key)
        return appended.new

    # --- all threads ----------------------------------------------------------------------------------------------------------

    def export(self, *, after: int = 0) -> Iterator[Event]:
        """
        Yield every event, raw, in the order of the log: all that another store needs to `merge`.

        For the application only: nothing is withheld. Complexity: O(n).
        """
        for record in self.log.read_all(after=after):
            yield record.event

    def subscribe(self, *, after: int = 0, timeout: float = 0.0) -> Iterator[Record]:
        """
        Yield the records behind the position *after*, raw, as they come; nothing is missed or repeated.

        A record's `position` is the checkpoint to go on from. Ends when none has come for *timeout* seconds. Wake-ups within the process are
        a hint; what other processes write is found by looking.

        For the application only: nothing is withheld.
        """
        position = after
        deadline = time.monotonic() + timeout
        while True:
            for record in self.log.read_all(after=position, limit=1_000):
                yield record
                position = record.position
                deadline = time.monotonic() + timeout
            remaining = deadline - time.monotonic()
            if self.log.position() > position:
                continue
            if remaining <= 0:
                return
            with self._news:
                self._news.wait(min(remaining, _POLL_SECONDS))

    def erase_person(self, person: str, *, by: Actor) -> tuple[str, ...]:
        """
        Forget every text that the actor with the id *person* wrote, in all threads, and return the ids of the erasures.

        Raises:
            NotAllowed: *by* is neither a moderator nor the person.

        Complexity: O(all events).
        """
        keys = {event.thread: None for event in self.export() if event.actor is not None and event.actor.id == person}
        return tuple(self.execute(c.ErasePerson(thread=key, by=by, person=person)) for key in keys)

    def export_person(self, person: str) -> bytes:
        """
        Return all events of the actor with the id *person*, in all threads, as a JSON array in the order of the log.

        Complexity: O(all events).
        """
        own = [event for event in self.export() if event.actor is not None and event.actor.id == person]
        return msgspec.json.encode(own)

    def verify(self) -> Iterator[Damage]:
        """Check every record and yield what is wrong; repair nothing. Complexity: O(all events)."""
        return self.log.verify()

    def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Write a copy of the whole log to a new SQLite file, as of one moment, while others write.

        Raises:
            StoreUnavailable: *path* exists or can not be written.
        """
        name = os.fspath(path)
        if isinstance(self.log, SqliteLog):
            self.log.backup(name)
            return
        if os.path.lexists(name):
            raise StoreUnavailable(name, "a file of this name exists already")
        with closing(SqliteLog.open(name)) as copy:
            for key, records in groupby(self.log.read_all(), key=lambda record: record.thread):
                copy.append(key, [record.event for record in records])
