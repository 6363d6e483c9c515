"""
`ThreadStore`: load, decide, append.

A store keeps hot threads in memory (`threadstore.hot`) and brings one up to date with a tail read each time it is used, since
other processes write too. Writers need no coordination: events commute. A cold thread starts from its snapshot, if it has one.

Ids come from one hybrid clock per store, above every id that the thread has seen. An erasure that has effect is handed to the log
in the same step as its event, and the thread's state in memory is dropped, so that it is read again without the words. An erasure
that somebody else wrote does the same when it is read.

Writers share commits (`threadstore.store.commits`). One decides with its thread locked, and lets the thread have what is queued, so
that the next decides on it; the lock is free again before it is stored. Readers, and whoever is refused or told that nothing
was to be done, wait until all that they were judged or shown by is stored.

Damage costs what it has hit. A thread is read without the events that are damaged, and counts them (`ThreadView.unreadable`):
revisions are dense, so one of which nothing is left is missed as well. Such a thread is written to as any other, but its state
is not kept as a snapshot, which would outlast the damage. Feeds leave out what is damaged. A copy of the log does not: `export`
raises, so that nobody takes what is left for the whole.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import groupby, islice
from threading import Condition, Lock
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import msgspec

from threadstore import fronts, frozen
from threadstore.decide.decide import is_same_request, resolve
from threadstore.dense import DenseThread
from threadstore.errors import (
    ClockSkew,
    ConflictingEvent,
    CorruptRecord,
    MergeRefused,
    Rejected,
    StoreError,
    StoreUnavailable,
    ThreadStoreError,
    UpcastFailed,
)
from threadstore.hot import Hot, HotThreads
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Append, Damage, EventLog, Record, Revision, Snapshot, Summary
from threadstore.log.sqlite import SqliteLog
from threadstore.model import commands as c
from threadstore.model.events import (
    MAX_ACTOR_ID,
    MAX_AT,
    MAX_THREAD_KEY,
    REGISTERS,
    CommentErased,
    Erasure,
    Event,
    PersonErased,
    ThreadDescribed,
    check_int,
    check_key,
    check_text,
)
from threadstore.model.ids import HybridClock, last_id_at, time_of
from threadstore.model.policy import Policy
from threadstore.model.status import erasure_of
from threadstore.store.commits import Commit, Commits, Overtaken
from threadstore.store.feeds import Feed, FeedItem
from threadstore.store.thread import By, Reveal, StoredThread, actor_of, find_readable, readable
from threadstore.store.verify import verify_store
from threadstore.streams import StreamOf
from threadstore.summaries import Digest, Summed, fingerprint, read_summary
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.lens import Lens
from threadstore.views.pages import check_bounds
from threadstore.views.thread import Thread
from threadstore.views.types import Counts, OverviewView, QueueView, ThreadLine

__all__ = ["FeedItem", "ThreadStore", "open"]

#: More events than this, and more than an eighth of what a thread has, are not folded one by one: it is read anew.
_TAIL: Final = 2_000
#: A thread that has so many events, and was read from its heads, gets a snapshot.
SNAPSHOT_FROM: Final = 2_000
_CACHE_BYTES: Final = 64 << 20
_MERGE_BATCH: Final = 10_000
_ERASING: Final = (CommentErased, PersonErased)
_CHUNK: Final = 1_000
_POLL_SECONDS: Final = 0.05
_POLICY: Final = Policy()

T = TypeVar("T")
Refusals = list[tuple[str, ThreadStoreError]]


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def open(  # the word that users expect, as in dbm.open
    target: str | os.PathLike[str],
    *,
    policy: Policy = _POLICY,
    durability: str = "full",
    cache_bytes: int = _CACHE_BYTES,
    now: Callable[[], int] = _wall_clock,
) -> ThreadStore:
    """
    Open a store, which is made if it does not exist.

    Args:
        target: The path of a SQLite file, or ``":memory:"`` for a store that ends with the process.
        policy: What the application allows; the default allows much.
        durability: What a returned write survives. "full": a loss of power; "normal": a crash of the process, and a loss of power
            up to the last moments; "off": a crash of the process.
        cache_bytes: How much memory hot threads may take, roughly. The one used last stays, whatever its size; 0 keeps none.
        now: The wall clock, in Unix milliseconds.

    Raises:
        StoreUnavailable: *target* can not be opened, or is something else.
        UnsupportedSchema: A newer release wrote it.
        ValueError: An argument is out of range, or no log is known for the target.
    """
    log = _log_at(os.fspath(target), durability)
    try:
        return ThreadStore(log, policy=policy, cache_bytes=cache_bytes, now=now)
    except BaseException:
        log.close()
        raise


def _log_at(target: str, durability: str) -> EventLog:
    if target == ":memory:":
        return MemoryLog()
    if "://" in target:
        raise ValueError(f"no log is known for {target.partition('://')[0]!r}; give the path of a file, or ':memory:'")
    return SqliteLog.open(target, durability=durability)


class ThreadStore:
    """
    Many threads in one log. Made by `threadstore.open`; may be shared by Python threads.

    Args:
        log: Where the events live; the store closes it.
        policy: What the application allows. Its hooks are called while their thread is locked.
        cache_bytes: How much memory hot threads may take, roughly. The one used last stays, whatever its size; 0 keeps none.
        now: The wall clock, in Unix milliseconds.
        random: ``random(k)`` returns k random bits.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        policy: Policy = _POLICY,
        cache_bytes: int = _CACHE_BYTES,
        now: Callable[[], int] = _wall_clock,
        random: Callable[[int], int] = secrets.randbits,
    ) -> None:
        if type(cache_bytes) is not int or cache_bytes < 0:
            raise ValueError(f"cache_bytes must be an int of at least 0, not {cache_bytes!r}")
        self.policy = policy
        self.log = log
        self._now = now
        self._random = random
        self._clock = HybridClock(now, random)
        self._minting = Lock()
        self._hot = HotThreads(cache_bytes, self._unread)
        self._commits = Commits(log)
        self._fingerprint = fingerprint(policy.rules)
        self._frozen = frozen.fingerprint(policy.rules)
        self._news = Condition()
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on a {type(self.log).__name__}, threads in memory: {len(self._hot)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free all resources; every write that returned is kept. Closing again does nothing."""
        self.log.close()
        if self._process == os.getpid():
            self._hot.close()
            self._spread_news()

    def now(self) -> int:
        """Return the store's wall clock, in Unix milliseconds."""
        return self._now()

    # --- threads --------------------------------------------------------------------------------------------------------------

    def thread(self, key: str) -> StoredThread:
        """
        Return the thread called *key*, which need not have any event yet. No I/O.

        Raises:
            TypeError, ValueError: *key* is no text, empty, too long or unsafe.
        """
        check_key(key, "thread", MAX_THREAD_KEY)
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
        self._check_process()
        with self._hot.lend(key) as hot:
            self._settle(hot, wait=True)
            self._catch_up(hot)
            yield hot.thread

    def ask(self, key: str, kind: str, how: dict[str, Any], answer: Callable[[Thread], T]) -> T:
        """
        Return what the up-to-date thread answers, whose method *kind* is asked in this way.

        A large thread that nobody has in memory need not be read for what it is asked first (`threadstore.fronts`).

        Complexity: that of `using` and of the method; O(answer) for a cold thread that has a front.
        """
        self._check_process()
        with self._hot.lend(key) as hot:
            if hot.is_cold and (ready := self._at_front(hot, kind, how)) is not None:
                return cast(T, ready)
            self._settle(hot, wait=True)
            self._catch_up(hot)
            told = answer(hot.thread)
            revision, unasked = hot.unasked
            if kind in unasked and revision == hot.thread.revision:
                unasked.discard(kind)
                self._keep_front(hot, kind, how, told)
            return told

    def _at_front(self, hot: Hot, kind: str, how: dict[str, Any]) -> Any:
        """Return what a thread that is not in memory answers, if it is known without reading the thread; None otherwise."""
        if kind == "counts":
            kept = self.log.summaries([hot.key], self._fingerprint).get(hot.key)
            if kept is not None and (summed := read_summary(kept.state)) is not None:
                return summed.counts
        revision = self.log.revision(hot.key)
        asked = fronts.question(kind, how) if revision >= SNAPSHOT_FROM else None
        if asked is None:
            return None
        front = hot.fronts.pop(asked.words, None)
        if front is None or front.revision != revision:
            front = fronts.find(self.log, hot.key, self.policy.rules, asked, revision)
        if front is None:
            return None
        hot.fronts[asked.words] = front
        return front.answer

    def _keep_front(self, hot: Hot, kind: str, how: dict[str, Any], answer: Any) -> None:
        """Keep what a large thread was asked first, for whoever asks the same before anything has happened."""
        thread, asked = hot.thread, fronts.question(kind, how)
        if asked is not None and thread.revision >= SNAPSHOT_FROM and not thread.unreadable:
            with suppress(StoreError):  # it is a shortcut only
                fronts.keep(self.log, hot.key, self.policy.rules, asked, thread.revision, answer)

    def _check_process(self) -> None:
        if self._process != os.getpid():  # a thread may be locked by a Python thread that the child does not have
            why = "it was opened before the process forked; open it anew in each process"
            raise StoreUnavailable(type(self.log).__name__, why)

    def _unread(self, key: str) -> DenseThread:
        return DenseThread(key, self.policy.rules, StreamOf(self.log, key))

    def _catch_up(self, hot: Hot) -> None:
        """Fold what the log holds beyond the thread's revision."""
        if hot.thread.revision == 0 and not hot.pending:
            self._start_cold(hot)
        elif not self._read_on(hot):
            hot.forget()
            self._settle(hot)
            self._start_cold(hot)

    def _settle(self, hot: Hot, *, wait: bool = False) -> None:
        """
        Take note of the appends of this thread that are done, or *wait* for all of them.

        One that was not stored is in the thread all the same, which is forgotten, therefore. One that was queued for a thread
        that is forgotten already is waited for in any case: who decides must see it, and it is to be read from the log.
        """
        while hot.pending:
            commit, thread = hot.pending[0]
            if not commit.done:
                if thread is hot.thread and not wait:
                    return
                self._commits.drive(commit)
            hot.pending.popleft()
            if thread is not hot.thread:
                continue
            if commit.answer is None:
                hot.forget()
            elif commit.answer.new == len(commit.append.events) == commit.answer.revision - thread.revision:
                for revision, event in enumerate(commit.append.events, thread.revision + 1):  # nobody else has written in between
                    thread.admit(event, revision)

    def _start_cold(self, hot: Hot) -> None:
        """Read a thread that nothing is known of yet, or nothing any longer."""
        thread = hot.thread
        try:
            is_resumed = self._resume(hot)
            if not is_resumed:
                thread.read()
            told = self.log.revision(hot.key)
            if told > thread.revision and not self._read_on(hot):  # somebody has written meanwhile, and has erased something
                thread.read()
            thread.miss(told)  # nothing is left of the last events, if there are still some
            if not is_resumed:
                self._keep_snapshot(thread)
            hot.fronts, hot.unasked = {}, (thread.revision, set(fronts.KINDS))
        except BaseException:
            hot.forget()
            raise

    def _resume(self, hot: Hot) -> bool:
        """Begin with the thread's snapshot, if it has one, and read on from there; return False where that is of no use."""
        kept = self.log.load_snapshot(hot.key, self._frozen)
        if kept is None or kept.revision > self.log.revision(hot.key):  # the log has lost its end
            return False
        if not hot.thread.resume(kept.revision, kept.state):
            return False
        return self._read_on(hot)

    def _keep_snapshot(self, thread: DenseThread) -> None:
        """Keep a snapshot of a thread that was long to read."""
        if thread.revision < SNAPSHOT_FROM or (state := thread.freeze()) is None:
            return
        with suppress(StoreError):  # it is a shortcut only: the thread was read without it
            self.log.store_snapshot(thread.key, Snapshot(self._frozen, Revision(thread.revision), state))

    def _read_on(self, hot: Hot) -> bool:
        """Fold the rest of the log; stop with False where it is better to begin anew: at an erasure, or where there is much."""
        thread = hot.thread
        many = thread.revision + max(_TAIL, thread.revision // 8)
        try:
            for record in self.log.read(hot.key, after=thread.revision):
                try:
                    event = record.event
                except (CorruptRecord, UpcastFailed):
                    continue  # the next revision tells of it, or the last
                if record.revision > many or erasure_of(event, self.policy.rules) is not None:
                    return False
                thread.miss(record.revision - 1)
                if record.revision > thread.revision:  # a damaged index may tell of a row twice
                    thread.admit(event, record.revision)
                    self._note(hot, event)
        except BaseException:
            hot.forget()  # an event may be half applied
            raise
        return True

    # --- writing --------------------------------------------------------------------------------------------------------------

    def execute(self, command: c.Command) -> str:
        """
        Decide *command*, append what it comes to, and return the id of the event that it is named after.

        A command that changes nothing returns the id of the fact that stands. A repeated request (the same `id`) returns its id
        at once, whatever has changed since.

        Raises:
            Rejected: The rules or the policy forbid it; nothing was stored.
            ConflictingEvent: Another fact bears the command's id.
            ClockSkew: The command's id lies too far in the future.
            StoreError: The log failed; nothing was stored, unless it failed while it said so. Repeating it with an `id` is safe.
            TypeError, ValueError: A field can not be part of any event.

        Complexity: that of `decide`, and of one append.
        """
        self._check_process()
        while True:
            with suppress(Overtaken):
                return self._execute(command)

    def _execute(self, command: c.Command) -> str:
        """Execute *command*; raise `Overtaken` if it was decided on what could not be stored."""
        hot = self._hot.take(command.thread)
        try:
            with hot.lock:
                self._settle(hot)
                self._catch_up(hot)
                try:
                    id, queued = self._decide(command, hot)
                except Rejected:
                    self._confirm(hot)
                    raise
            try:
                if queued is not None:
                    self._commits.wait(queued)
            except ConflictingEvent:
                # Another process may have made the same request since, and have filled in what it left open otherwise.
                if command.id is None or not self._was_made(command, command.id):
                    raise
        finally:
            self._hot.give_back(hot)
        self._spread_news()
        return id

    def _decide(self, command: c.Command, hot: Hot) -> tuple[str, Commit | None]:
        """
        Return the id that answers the command, and what has to be stored for it.

        The thread takes what is queued in at once, so that who decides next sees it; the log has it later.
        """
        if command.id is not None and hot.thread.fact(command.id) is None and self._was_made(command, command.id):
            return self._seen_through(command, command.id), None
        now = self._now()
        mint = partial(self._mint, now)
        decision = hot.thread.despite_damage(lambda: resolve(command, hot.thread, policy=self.policy, now=now, mint=mint))
        if not decision.events:
            self._confirm(hot)
            return self._seen_through(command, decision.id), None
        if erasures := self._erasures(decision.events):
            self._confirm(hot)
            self.log.append(hot.key, decision.events, erasures=erasures)
            hot.forget()
            return decision.id, None
        return decision.id, self._queue(hot, decision.events)

    def _confirm(self, hot: Hot) -> None:
        """See to it that the log has all that is in the thread; raise `Overtaken` if it could not be stored."""
        thread = hot.thread
        self._settle(hot, wait=True)
        if hot.thread is not thread:
            raise Overtaken

    def _queue(self, hot: Hot, events: Sequence[Event]) -> Commit:
        """Queue *events* to be stored, and let the thread have them."""
        thread = hot.thread
        try:
            for event in events:
                thread.apply(event)
                self._note(hot, event)
            append = Append(hot.key, events, self._sum_up(hot, hot.revision_behind_pending() + len(events)))
            commit = self._commits.add(append, hot.pending[-1][0] if hot.pending else None)
            hot.pending.append((commit, thread))
        except BaseException:
            hot.forget()  # it may hold what is not queued
            raise
        return commit

    def _was_made(self, command: c.Command, id: str) -> bool:
        """Return whether the log has the command's event, which the thread in memory may have let go of."""
        record = self.log.find(id)
        if record is None:
            return False
        if not is_same_request(command, record.event):
            raise ConflictingEvent(id)
        return True

    @staticmethod
    def _note(hot: Hot, event: Event) -> None:
        """Let what the thread's summary says follow an event."""
        if (digest := hot.digest) is not None:
            hot.thread.despite_damage(lambda: digest.note(event))

    def _sum_up(self, hot: Hot, revision: int) -> Summary | None:
        """Return the summary of the thread, which will have this *revision*; None for one that can not be read in full."""
        if hot.thread.unreadable:
            return None
        if hot.digest is None:
            hot.digest = hot.thread.despite_damage(lambda: Digest(hot.thread, self.policy.rules))
        waiting, state = hot.digest.state()
        return Summary(self._fingerprint, Revision(revision), waiting, state)

    def _seen_through(self, command: c.Command, id: str) -> str:
        """
        Return the *id* of what was done before, having seen to it that it was done to the end.

        A process that is killed when it has stored an erasure leaves the words in the WAL. The log cuts it when it is told again.
        """
        if isinstance(command, c.Erase | c.ErasePerson):
            done = [record.event for record in [self.log.find(id)] if record is not None]
            self.log.redact(command.thread, self._erasures(done))
        return id

    def _mint(self, now: int, after: str) -> str:
        """
        Return a new id above *after* and above all that were minted before.

        The clock starts afresh when it is ahead of the wall clock by more than clocks may differ. The wall clock was wrong, then,
        and a thread that has ids of that time must go on above them; but no other thread should follow it there.
        """
        with self._minting:
            if self._clock.latest > now + self.policy.max_clock_skew:
                self._clock = HybridClock(self._now, self._random)
            return self._clock.mint(after=after)

    def _erasures(self, events: Iterable[Event]) -> list[Erasure]:
        found = (erasure_of(event, self.policy.rules) for event in events if type(event) in _ERASING)
        return [erasure for erasure in found if erasure is not None]

    def _spread_news(self) -> None:
        with self._news:
            self._news.notify_all()

    # --- merging --------------------------------------------------------------------------------------------------------------

    def merge(self, events: Iterable[Event]) -> int:
        """
        Take in another replica's events, of any threads, in bulk, and return how many were new.

        Roles are believed: this is for replicas that the application trusts. Events are stored in batches, each thread's part of
        a batch in one step. A merge that broke off may be repeated: what is stored already is not stored twice.

        Raises:
            MergeRefused: Some events were refused and all others stored: `refused` names each with its error, `ConflictingEvent`
                or `ClockSkew`, or `CorruptRecord` where this store has it in a record that is damaged. One refused for its clock
                may be offered again at `retry_at`.
            TypeError: Something is no event; what came before it may be stored.

        Complexity: O(events).
        """
        self.log.position()  # a closed store says so, even of nothing
        refused: Refusals = []
        new = 0
        admitted = self._admitted(events, refused)
        while batch := list(islice(admitted, _MERGE_BATCH)):
            new += self._merge_batch(batch, refused)
        if refused:
            raise MergeRefused(new, refused)
        return new

    def _admitted(self, events: Iterable[Event], refused: Refusals) -> Iterator[Event]:
        """Yield the events whose time has come."""
        skew = self.policy.max_clock_skew
        latest = last_id_at(self._now() + skew)
        for event in events:
            if type(event) not in REGISTERS:
                raise TypeError(f"an event is needed, not {type(event).__name__}")
            if event.id > latest:
                refused.append((event.id, ClockSkew(event.id, time_of(event.id) - skew)))
            else:
                yield event

    def _merge_batch(self, batch: Iterable[Event], refused: Refusals) -> int:
        """Store a batch, thread by thread; erasures go first, so that what they absorb never reaches the disk after them."""
        of_threads: dict[str, list[Event]] = {}
        for event in batch:
            of_threads.setdefault(event.thread, []).append(event)
        new = 0
        for key, events in of_threads.items():
            if self._erasures(events):
                events.sort(key=lambda event: erasure_of(event, self.policy.rules) is None)
            new += self._merge_thread(key, events, refused)
        self._spread_news()
        return new

    def _merge_thread(self, key: str, events: list[Event], refused: Refusals) -> int:
        """Store events of one thread together or, where one conflicts, in halves."""
        erasures = self._erasures(events)
        try:
            appended = self.log.append(key, events, erasures=erasures)
        except (ConflictingEvent, CorruptRecord) as error:
            if isinstance(error, CorruptRecord) and error.position is None:
                raise  # not one record is damaged, but the log
            if len(events) == 1:
                refused.append((events[0].id, error))
                return 0
            half = len(events) // 2
            return self._merge_thread(key, events[:half], refused) + self._merge_thread(key, events[half:], refused)
        if erasures:
            self._hot.forget(key)
        return appended.new

    # --- all threads ----------------------------------------------------------------------------------------------------------

    def counts(self, keys: Iterable[str]) -> dict[str, Counts]:
        """
        Return how many comments each thread has: what a front page asks for.

        Raises:
            TypeError: *keys* is a single key.

        Complexity: O(1) for each thread; that of using it if nobody has summed it up since it was written to by a merge, a
        store of other rules, or an older release.
        """
        if isinstance(keys, str):
            raise TypeError("keys must be several keys, not one str")
        wanted = [self.thread(key).key for key in keys]
        return {key: summed.counts for key, summed in self._summed(wanted).items()}

    def overview(self, *, limit: int = 20, after: str | None = None) -> OverviewView:
        """
        Return a page of all threads, with their titles and counts: those first in which something has happened last.

        Pages go on by the time of each thread's last event. A thread in which something happens meanwhile moves to the front.

        Args:
            limit: How many threads, at most.
            after: The `next` of the page before; None begins at the front.

        Raises:
            InvalidCursor: *after* is malformed, or was made for something else.
            ValueError: *limit* is out of range.

        Complexity: O(limit), as for `counts`.
        """
        check_bounds(limit)
        before = "" if after is None else str(read_cursor(after, "", "overview", (str,)).key[0])
        found = self.log.recent(before=before, limit=limit + 1)
        page = found[:limit]
        summed = self._summed([key for key, _ in page])
        return OverviewView(
            threads=tuple(self._line_of(key, summed[key]) for key, _ in page),
            next=write_cursor("", "overview", (page[-1][1],)) if len(found) > limit else None,
        )

    def _line_of(self, key: str, summed: Summed) -> ThreadLine:
        described = find_readable(self.log, summed.described) if summed.described else None
        title, url = (described.title, described.url) if isinstance(described, ThreadDescribed) else ("", "")
        return ThreadLine(key, title, url, summed.counts, summed.locked, time_of(summed.latest), summed.waiting)

    def _summed(self, keys: Sequence[str]) -> dict[str, Summed]:
        """Return what the summaries of these threads say; what is missing is made, and kept."""
        return dict(self._summed_lazily(list(dict.fromkeys(keys))))

    def _summed_lazily(self, keys: Sequence[str]) -> Iterator[tuple[str, Summed]]:
        kept = self.log.summaries(keys, self._fingerprint)
        for key in keys:
            said = read_summary(kept[key].state) if key in kept else None
            yield key, self._sum_up_anew(key) if said is None else said

    def _sum_up_anew(self, key: str) -> Summed:
        with self.using(key) as thread:
            digest = thread.despite_damage(lambda: Digest(thread, self.policy.rules))
            revision, (waiting, state) = thread.revision, digest.state()
            if revision and not thread.unreadable:
                with suppress(StoreError):  # it is a shortcut only
                    self.log.store_summary(key, Summary(self._fingerprint, Revision(revision), waiting, state))
        said = read_summary(state)
        assert said is not None
        return said

    def queue(self, *, limit: int = 20, threads: int | None = None, after: str | None = None) -> tuple[QueueView, ...]:
        """
        Return what waits for a moderator, for moderators' eyes: the first page of each thread's queue, longest waiting first.

        Args:
            limit: How many items of each thread, at most.
            threads: How many threads, at most; None sets no limit.
            after: The `since` of the first item of the last thread of an earlier page; None begins with the longest waiting.

        Complexity: O(threads), one statement, and that of using those in which something waits.
        """
        if threads is not None:
            check_bounds(threads)
        waiting = self.log.waiting(self._fingerprint)
        unknown = [key for key, since in waiting if not since]
        found = [(since, key) for key, since in waiting if since]
        found += [(summed.since, key) for key, summed in self._summed(unknown).items() if summed.since]
        found = sorted(place for place in found if after is None or place[0] > after)
        pages = (self.thread(key).queue(limit=limit) for _, key in found)
        return tuple(islice((page for page in pages if page.items), threads))

    def latest(
        self, *, limit: int = 20, before: int | None = None, reader: By = None, reveal: Reveal = ()
    ) -> tuple[FeedItem, ...]:
        """
        Return the comments that were posted last, newest first, as this reader sees them; see `FeedItem` for what is left out.

        Those whose body is withheld are left out, save spoilers, which come without it.

        Args:
            limit: How many, at most.
            before: The `position` of the last comment of an earlier page; None starts at the end of the log.
            reader: Who looks, as an Actor or an id. Only an Actor brings a role.
            reveal: The ids of comments whose spoilers this reader has opened, or "all".

        Complexity: O(limit), and O(1) for each thread in which something has happened since the last of them was posted; that of
            using a thread, as for `counts`, and where one has more than a few of the newest.
        """
        check_int(limit, "limit", 0)
        below = "" if before is None else self._id_at(before)
        feed = self._feed_for(reader, reveal)
        return () if below is None or not limit else tuple(feed.page(limit, below))

    def _id_at(self, position: int) -> str | None:
        """Return the id of the event at this position, empty behind the end of the log, and None before its beginning."""
        check_int(position, "before", -MAX_AT)
        if position <= 1:
            return None
        if position > self.log.position():
            return ""
        return next((event.id for _, event in readable(self.log.read_all(after=position - 1, limit=_CHUNK))), "")

    def by_person(
        self, id: str, *, limit: int = 20, before: int | None = None, reader: By = None, reveal: Reveal = ()
    ) -> tuple[FeedItem, ...]:
        """
        Return what the actor with this *id* said in all threads, the last in the log first; arguments as for `latest`.

        Complexity: O(log n) for each comment, and for each act of another kind that comes after one of them; that of using a
            thread, as for `counts`, and where a comment is not among the newest.
        """
        check_text(id, "id", MAX_ACTOR_ID)
        check_int(limit, "limit", 0)
        if before is not None:
            check_int(before, "before", -MAX_AT)
        posts = self.log.acts_of(id, before=before, posts_only=True)
        return tuple(islice(self._feed_for(reader, reveal).of(posts), limit))

    def _feed_for(self, reader: By, reveal: Reveal) -> Feed:
        return Feed(self.log, self._summed_lazily, self.using, Lens(Thread(), self.policy.rules, reader, reveal))

    def export(self, *, after: int = 0) -> Iterator[Event]:
        """
        Yield every event behind the position *after*, raw, in the order of the log: all that another store needs to `merge`.

        For the application only: nothing is withheld. Complexity: O(n).

        Raises:
            CorruptRecord: An event is damaged, or missing. Exporting on *after* the error's `position` gives the rest.
        """
        return _without_gaps(self.log.read_all(after=after), after)

    def subscribe(self, *, after: int = 0, timeout: float = 0.0) -> Iterator[Record]:
        """
        Yield the records behind the position *after*, raw, as they come; nothing is missed or repeated.

        A record's `position` is the checkpoint to go on from. Ends when none has come for *timeout* seconds. Writers of this
        process wake a subscriber; what other processes write is found by looking. A record that is damaged says so when its
        `event` is asked for, and does not end the subscription.

        For the application only: nothing is withheld.
        """
        position = after
        deadline = time.monotonic() + timeout
        while True:
            for record in self.log.read_all(after=position, limit=_CHUNK):
                yield record
                position = record.position
                deadline = time.monotonic() + timeout
            with self._news:  # a writer who comes now finds us waiting
                if self.log.position() > position:
                    continue
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return
                self._news.wait(min(remaining, _POLL_SECONDS))

    def erase_person(self, actor_id: str, *, by: By) -> tuple[str, ...]:
        """
        Forget every text that this actor wrote, in all threads, and return the ids of the erasures.

        In a thread where they wrote, a damaged record is erased if it still reads as theirs or as nothing at all. Every record is
        looked at: an index, which may be damaged unseen, is not trusted with what must be complete.

        Raises:
            NotAllowed: *by* is neither a moderator nor the person.

        Complexity: O(all events).
        """
        check_key(actor_id, "actor_id", MAX_ACTOR_ID)
        told = (event for _, event in readable(self.log.read_all()))
        keys = list(dict.fromkeys(event.thread for event in told if event.actor is not None and event.actor.id == actor_id))
        return tuple(self.execute(c.ErasePerson(thread=key, by=actor_of(by), person=actor_id)) for key in keys)

    def export_person(self, actor_id: str) -> bytes:
        """
        Return all events of this actor, in all threads, as a JSON array in the order of the log; what is damaged is left out.

        Complexity: O(log n) for each of them.
        """
        return msgspec.json.encode([event for _, event in readable(self._acts_of(actor_id))])

    def _acts_of(self, actor_id: str) -> list[Record]:
        check_text(actor_id, "actor_id", MAX_ACTOR_ID)
        return list(self.log.acts_of(actor_id))[::-1]

    def verify(self) -> Iterator[Damage]:
        """
        Check every record, thread and snapshot, and yield what is wrong; repair nothing.

        A snapshot that was made under other rules than the policy's is held against its checksum alone.

        Complexity: O(n log n) for all events, and the memory of the largest thread.
        """
        return verify_store(self.log, self.policy)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Write a copy of the whole log to a new SQLite file, as of one moment, while others write.

        Erasing a text later does not reach into copies.

        Raises:
            StoreUnavailable: *path* exists or can not be written.
            StoreFull: There is no room for it.
        """
        if isinstance(self.log, SqliteLog):
            self.log.backup(path)
        else:
            self._copy_to(os.fspath(path), self.log.read_all())

    def _copy_to(self, path: str, records: Iterator[Record]) -> None:
        """Write *records* to a new file, each at its position."""
        if os.path.lexists(path):
            raise StoreUnavailable(path, "a file of this name exists already")
        copy = SqliteLog.open(path, durability="normal")
        try:
            with closing(copy):
                for key, group in groupby(records, key=lambda record: record.thread):
                    events = [record.event for record in group]
                    copy.append(key, events, erasures=self._erasures(events))
        except BaseException:
            os.unlink(path)
            raise


def _without_gaps(records: Iterable[Record], after: int) -> Iterator[Event]:
    """Yield the events of all records behind the position *after*."""
    for expected, record in enumerate(records, max(after, 0) + 1):
        if record.position != expected:
            raise CorruptRecord(expected, "it is missing")
        yield record.event
