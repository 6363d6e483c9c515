"""
`ThreadStore`: many threads in one database.

A command is decided inside the transaction that stores it, on rows that nobody can change meanwhile
(`threadstore.store.plans`); writers share commits (`threadstore.store.writer`). The application's
hooks are asked before, under no lock: first the command is decided on what stands, so that they are
asked of nothing that the rules forbid, then they have their say, then it is decided in earnest.

A page is read from tables in one short transaction that waits for nobody and writes nothing, and
finished pages are remembered while their thread has the same revision. Rows that cannot be used (of
other rules, of an older release, damaged) are made anew first; where somebody writes at that
moment, the answer comes from a fold of the log instead of a wait.

Ids come from one hybrid clock per store, above every id that the thread has seen.

Damage costs what it has hit. A thread is shown without the events that are damaged, and counts them
(`ThreadView.unreadable`). Such a thread is written to as any other. A copy of the log is not made of
what is left: `export` raises, so that nobody takes that for the whole.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from threadstore.decide.questions import ask_hooks
from threadstore.errors import (
    CorruptRecord,
    MergeRefused,
    StoreError,
    ThreadStoreError,
)
from threadstore.log.protocol import Damage, Record, readable, without_gaps
from threadstore.log.sqlite import TIMEOUT, SqliteLog, execute
from threadstore.model import commands as c
from threadstore.model.events import Event
from threadstore.model.ids import HybridClock
from threadstore.model.policy import Policy, Verdict
from threadstore.model.values import MAX_ACTOR_ID, MAX_AT, MAX_THREAD_KEY, check_int, check_key, check_text
from threadstore.plans import Plan, run
from threadstore.readmodel.lists import FeedItem, by_person, counts_in, latest_in, overview_of, unfit_in, waiting_in
from threadstore.readmodel.queries import Unfit
from threadstore.readmodel.source import KnownRows, opened_source
from threadstore.store.merging import Merge
from threadstore.store.pages import FinishedPages
from threadstore.store.plans import AskAgain, accepted, ask_again, commanded, decided, erasures_in, unminted
from threadstore.store.rebuilding import Rebuilding
from threadstore.store.subscriptions import News, records_after
from threadstore.store.thread import StoredThread, actor_of
from threadstore.store.verify import verify_store
from threadstore.store.writer import Writer
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.request import By, PageRequest, Reveal, check_bounds
from threadstore.views.source import Source
from threadstore.views.thread import Thread
from threadstore.views.types import Counts, OverviewView, QueueView

__all__ = ["FeedItem", "ThreadStore", "open"]

_MERGE_BATCH: Final = 10_000
_POLICY: Final = Policy()
_LIMIT: Final = 10_000
#: How often rows that cannot be used are made anew for one question.
_TRIES: Final = 3
#: How often where there is no other way; a process with another policy may undo it now and then.
_MANY_TRIES: Final = 100

T = TypeVar("T")


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def open(  # the word that users expect, as in dbm.open
    target: str | os.PathLike[str],
    *,
    policy: Policy = _POLICY,
    durability: str = "full",
    timeout: float = TIMEOUT,
    now: Callable[[], int] = _wall_clock,
) -> ThreadStore:
    """
    Open a store, which is made if it does not exist.

    Args:
        target: The path of a SQLite file, or ``":memory:"`` for a store that ends with the process.
        policy: What the application allows; the default allows much.
        durability: What a returned write survives. "full": a loss of power; "normal": a crash of the process, and a loss of power
            up to the last moments; "off": a crash of the process.
        timeout: How many seconds a writer waits for the writers of other processes before it gives up (`StoreUnavailable`).
            Readers never wait.
        now: The wall clock, in Unix milliseconds.

    Raises:
        StoreUnavailable: *target* cannot be opened, or is something else.
        UnsupportedSchema: A newer release wrote it.
        ValueError: An argument is out of range, or no log is known for the target.
    """
    name = os.fspath(target)
    if "://" in name:
        raise ValueError(f"no log is known for {name.partition('://')[0]!r}; give the path of a file, or ':memory:'")
    log = SqliteLog.open(name, durability=durability, timeout=timeout)
    try:
        return ThreadStore(log, policy=policy, now=now)
    except BaseException:
        log.close()
        raise


class ThreadStore:
    """
    Many threads in one database. Made by `threadstore.open`; may be shared by Python threads.

    Args:
        log: Where the events live, with the read model beside them; the store closes it.
        policy: What the application allows. Its hooks are called under no lock.
        now: The wall clock, in Unix milliseconds.
        random: ``random(k)`` returns k random bits.
    """

    def __init__(
        self,
        log: SqliteLog,
        *,
        policy: Policy = _POLICY,
        now: Callable[[], int] = _wall_clock,
        random: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.policy = policy
        self.log = log
        self._now = now
        self._random = random
        self._clock = HybridClock(now, random)
        self._minting = Lock()
        self._writer = Writer(log.database)
        self._rebuilding = Rebuilding(log.database, self._writer, policy.rules, random)
        self._pages = FinishedPages()
        self._rows = KnownRows()
        self._news = News()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self.log.database.target!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free all resources; every write that returned is kept. Closing again does nothing."""
        self.log.close()
        if not self.log.database.is_inherited:
            self._pages.clear()
            self._rows.clear()
            self._news.spread()

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

    # --- reading --------------------------------------------------------------------------------------------------------------

    def ask(self, key: str, plan: Callable[[Source], Plan[T]], question: Any = None) -> T:
        """
        Return what a plan answers of a thread.

        Args:
            key: The thread.
            plan: Makes the plan.
            question: What is asked, if the answer may be remembered while the thread has its revision.
        """
        with suppress(StoreError, CorruptRecord):  # rows cannot be read or made; the log may know a way around it
            for _ in range(_TRIES):
                try:
                    return self._read(partial(self._asked, key, plan, question))
                except Unfit as unfit:
                    if not self.mended(unfit.thread):
                        break
        return self._from_log(key, plan)

    def _asked(self, key: str, plan: Callable[[Source], Plan[T]], question: Any) -> Plan[T]:
        source = yield from opened_source(key, self.policy.rules, self._rows)
        if question is None:
            return (yield from plan(source))
        known = self._pages.find(question, source.revision)
        if known is None:
            known = yield from plan(source)
            self._pages.keep(question, source.revision, known)
        return known  # type: ignore[no-any-return]  # under a question there is its answer

    def _read(self, make: Callable[[], Plan[T]]) -> T:
        """Run a plan in a transaction that reads one state."""
        with self.log.database.reading() as connection:
            connection.execute("BEGIN")
            try:
                return execute(connection, make())
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def mended(self, key: str, *, wait: bool = False) -> bool:
        """Make the rows of a thread anew; return False where somebody else writes, for whom a reader does not wait."""
        return self._rebuilding.rebuild(key, self.log.revision(key), wait=wait)

    def _from_log(self, key: str, plan: Callable[[Source], Plan[T]]) -> T:
        """Return what a plan answers of a thread that is folded from the log. Complexity: O(n)."""
        thread, revision, unreadable = self.fold(key)
        return run(plan(thread.source(self.policy, revision=revision, unreadable=unreadable)))

    def fold(self, key: str) -> tuple[Thread, int, int]:
        """Return a thread folded from its log, its revision, and how many events up to there could not be read."""
        thread = Thread(key)
        count = 0
        told = self.log.revision(key)
        for record, event in readable(self.log.read(key)):
            thread.apply(event)
            count += 1
            told = max(told, record.revision)
        return thread, told, max(told - count, 0)

    def _list(self, make: Callable[[], Plan[T]]) -> T:
        """Return what a plan answers of many threads, having made anew the rows of those that cannot be used."""
        mended: list[str] = []
        while True:
            try:
                return self._read(make)
            except Unfit as unfit:
                self._mend(unfit, mended)

    def _mend(self, unfit: Unfit, mended: list[str]) -> None:
        """
        Make the rows of a thread anew, and note that.

        Raises:
            CorruptRecord: It was done so often that it cannot help.
        """
        if mended.count(unfit.thread) == _MANY_TRIES:
            raise CorruptRecord(None, f"the rows of thread {unfit.thread!r} cannot be made anew: {unfit.why}")
        mended.append(unfit.thread)
        self.mended(unfit.thread, wait=True)

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
            StoreError: The database failed; nothing was stored, unless it failed while it said so. Repeating it with an `id` is
                safe.
            TypeError, ValueError: A field can not be part of any event.

        Complexity: that of `decide`, and of one transaction.
        """
        erases = isinstance(command, c.Erase | c.ErasePerson)
        mended: list[str] = []
        while True:
            screened = self._screened(command)
            now = self._now()
            make = partial(commanded, command, self.policy, now, partial(self._mint, now), screened)
            try:
                outcome = self._writer.write(make, erases=erases)
            except Unfit as unfit:
                self._mend(unfit, mended)
            except AskAgain:
                continue
            else:
                if erases:
                    self._pages.clear()  # they may have the words
                if outcome.new:
                    self._news.spread()
                return outcome.id

    def _screened(self, command: c.Command) -> Callable[[], Verdict]:
        """Ask the hooks about a command that the rules allow, and return what tells their answer."""
        if self.policy.may is None and self.policy.screen is None:
            return accepted
        now = self._now()
        asked: list[bool] = []
        mended: list[str] = []

        def note() -> Verdict:
            asked.append(True)
            return "accept"

        while True:
            try:
                self._read(partial(decided, command, self.policy, now, unminted(now), note))
                break
            except Unfit as unfit:
                self._mend(unfit, mended)
        if not asked:
            return ask_again
        verdict = ask_hooks(command, self.policy, self.thread(command.thread))
        return lambda: verdict

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

    # --- merging --------------------------------------------------------------------------------------------------------------

    def merge(
        self,
        events: Iterable[Event],
        *,
        progress: Callable[[int], object] | None = None,
        on_refused: Callable[[str, ThreadStoreError], object] | None = None,
    ) -> int:
        """
        Fold in another replica's events, of any threads, in bulk, and return how many were new.

        Roles are believed: this is for replicas that the application trusts. Events are stored in batches of 10,000, each in one
        transaction, whatever threads they are of. A merge that broke off may be repeated: what is stored already is not stored
        twice.

        Args:
            events: The events.
            progress: Called after each batch with how many events were looked at so far.
            on_refused: Called with the id and the error of each event that is refused, in the place of `MergeRefused`.

        Raises:
            MergeRefused: Some events were refused and all others stored: `refused` names each with its error, `ConflictingEvent`
                or `ClockSkew`, or `CorruptRecord` where this store has it in a record that is damaged. One refused for its clock
                may be offered again at `retry_at`.
            TypeError: Something is no event; what came before it may be stored.

        Complexity: O(events).
        """
        self.log.position()  # a closed store says so, even of nothing
        merge = Merge(self.policy, self._now(), self.log, self._writer, self._rebuilding)
        new = looked_at = 0
        admitted = merge.admitted(events)
        while batch := list(islice(admitted, _MERGE_BATCH)):
            new += merge.store(batch)
            if erasures_in(batch, self.policy.rules):
                self._pages.clear()  # they may have the words
            self._news.spread()
            looked_at += len(batch)
            if progress is not None:
                progress(looked_at)
            merge.tell(on_refused)
        merge.tell(on_refused)
        merge.finish()
        if merge.refused:
            raise MergeRefused(new, merge.refused)
        return new

    # --- all threads ----------------------------------------------------------------------------------------------------------

    def counts(self, keys: Iterable[str]) -> dict[str, Counts]:
        """
        Return how many comments each thread has: what a front page asks for.

        Raises:
            TypeError: *keys* is a single key.

        Complexity: O(log threads) for each thread, also one without comments.
        """
        if isinstance(keys, str):
            raise TypeError("keys must be several keys, not one str")
        wanted = list(dict.fromkeys(keys))
        for key in wanted:
            check_key(key, "thread", MAX_THREAD_KEY)
        found = self._list(partial(counts_in, wanted, self.policy.rules))
        return {key: found.get(key, _NO_COMMENTS) for key in wanted}

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

        Complexity: O(limit log threads).
        """
        check_bounds("limit", limit, 1, _LIMIT)
        before = "" if after is None else str(read_cursor(after, "", "overview", (str,)).key[0])
        found = self._list(partial(overview_of, before, limit + 1, self.policy.rules))
        page = found[:limit]
        return OverviewView(
            threads=tuple(line for _, line in page),
            next=write_cursor("", "overview", (page[-1][0],)) if len(found) > limit else None,
        )

    def queue(self, *, limit: int = 20, threads: int | None = None, after: str | None = None) -> tuple[QueueView, ...]:
        """
        Return what waits for a moderator, for moderators' eyes: the first page of each thread's queue, longest waiting first.

        Args:
            limit: How many items of each thread, at most.
            threads: How many threads, at most; None sets no limit.
            after: The `since` of the first item of the last thread of an earlier page; None begins with the longest waiting.

        Complexity: O(threads), one statement, and that of a page for each thread in which something waits.
        """
        if threads is not None:
            check_bounds("threads", threads, 1, _LIMIT)
        for key in self._list(partial(unfit_in, self.policy.rules)):
            self.mended(key, wait=True)
        found = self._list(partial(waiting_in, after))
        pages = (self.thread(key).queue(limit=limit) for key in found)
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

        Complexity: O(limit), and O(limit) for each thread in which something has happened since the last of them was posted.
        """
        check_int(limit, "limit", 0)
        below = "" if before is None else self._id_at(before)
        request = PageRequest(reader=reader, reveal=reveal)
        if below is None or not limit:
            return ()
        return self._list(partial(latest_in, limit, below, self.policy.rules, request))

    def _id_at(self, position: int) -> str | None:
        """Return the id of the event at this position, empty behind the end of the log, and None before its beginning."""
        check_int(position, "before", -MAX_AT)
        if position < 1:
            return None
        if position > self.log.position():
            return ""
        return next((event.id for _, event in readable(self.log.read_all(after=position - 1, limit=1_000))), "")

    def by_person(
        self, id: str, *, limit: int = 20, before: int | None = None, reader: By = None, reveal: Reveal = ()
    ) -> tuple[FeedItem, ...]:
        """
        Return what the actor with this *id* said in all threads, newest first; arguments as for `latest`.

        Complexity: O(comments of the person).
        """
        check_text(id, "id", MAX_ACTOR_ID)
        check_int(limit, "limit", 0)
        below = "" if before is None else self._id_at(before)
        request = PageRequest(reader=reader, reveal=reveal)
        if below is None or not limit or not id:
            return ()
        return self._list(partial(by_person, id, limit, below, self.policy.rules, request))

    def export(self, *, after: int = 0) -> Iterator[Event]:
        """
        Yield every event behind the position *after*, raw, in the order of the log: all that another store needs to `merge`.

        For the application only: nothing is withheld. Complexity: O(n).

        Raises:
            CorruptRecord: An event is damaged, or missing. Exporting on *after* the error's `position` gives the rest.
        """
        return without_gaps(self.log.read_all(after=after), after)

    def subscribe(self, *, after: int = 0, timeout: float = 0.0) -> Iterator[Record]:
        """
        Yield the records behind the position *after*, raw, as they come; nothing is missed or repeated.

        A record's `position` is the checkpoint to go on from. Ends when none has come for *timeout* seconds. Writers of this
        process wake a subscriber; what other processes write is found by looking. A record that is damaged says so when its
        `event` is asked for, and does not end the subscription.

        For the application only: nothing is withheld.
        """
        return records_after(self.log, self._news, after, timeout)

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

        Complexity: O(all events).
        """
        check_text(actor_id, "actor_id", MAX_ACTOR_ID)
        told = (event for _, event in readable(self.log.read_all()))
        return msgspec.json.encode([event for event in told if event.actor is not None and event.actor.id == actor_id])

    # --- the whole ------------------------------------------------------------------------------------------------------------

    def rebuild(self, *, progress: Callable[[str], object] | None = None) -> int:
        """
        Make the read model anew of every thread whose rows are of other rules, another release, or not whole; return how many.

        It is never needed: a thread is made anew when it is used. Doing it at once spares its first reader the wait. Broken off,
        it goes on where it was. Rows that `verify` finds wrong are made anew by `rebuild_thread`.

        Args:
            progress: Called with the key of each thread that was made anew.

        Complexity: O(n log n) for the threads concerned.
        """
        keys = self._list(partial(unfit_in, self.policy.rules))
        for key in keys:
            self.rebuild_thread(key)
            if progress is not None:
                progress(key)
        return len(keys)

    def rebuild_thread(self, key: str) -> None:
        """Make the read model of one thread anew from its log, whatever it is like. Complexity: O(n log n)."""
        self.mended(self.thread(key).key, wait=True)
        self._pages.clear()

    def verify(self) -> Iterator[Damage]:
        """
        Check every record of the log, and hold the rows of each thread against a fold of it; repair nothing.

        Complexity: O(n log n) for all events, and the memory of the largest thread.
        """
        return verify_store(self.log, self.policy)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Write a copy of the whole store to a new SQLite file, as of one moment, while others write.

        Erasing a text later does not reach into copies.

        Raises:
            StoreUnavailable: *path* exists or can not be written.
            StoreFull: There is no room for it.
        """
        self.log.backup(path)


_NO_COMMENTS: Final = Counts()
