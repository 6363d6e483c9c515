"""
`StoredThread`: one conversation of a store, as an application uses it.

Writing is sugar over `ThreadStore.execute`: each method makes one command. Reading brings the thread up to date and asks the pure
views. `PastThread` reads the same way, as of an earlier moment or of what the log held.

What is read from the log beside the thread (history, changes, a past) stops where the thread stands: of what others write
meanwhile it is not known yet what is to be withheld. What is damaged is left out, and counted where the answer has a place for
it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice, takewhile
from typing import Any, Protocol, TypeVar

import msgspec

from threadstore.errors import CorruptRecord, UpcastFailed
from threadstore.log.protocol import EventLog, Record
from threadstore.model import commands as c
from threadstore.model.events import MAX_CANCELS, SUPPORT, Actor, Event, Outcome, TextQuote
from threadstore.model.ids import time_of
from threadstore.model.policy import Policy
from threadstore.views.history import withholder
from threadstore.views.thread import Thread
from threadstore.views.types import CommentView, CorrectionView, Counts, ListView, QueueView, RepliesView, ThreadView

__all__ = ["By", "Changes", "Owner", "PastThread", "Reveal", "StoredThread", "actor_of", "find_readable", "readable"]

T = TypeVar("T")

#: Who acts: an actor, the id of one who needs neither name nor role, or None for an anonymous one.
By = Actor | str | None
Reveal = Collection[str] | str


class Owner(Protocol):
    """What a `StoredThread` needs of its store."""

    policy: Policy
    log: EventLog

    def now(self) -> int:
        """Return the wall clock, in Unix milliseconds."""
        ...

    def using(self, key: str) -> AbstractContextManager[Thread]:
        """Lend the up-to-date thread, and hold its lock meanwhile."""
        ...

    def ask(self, key: str, kind: str, how: dict[str, Any], answer: Callable[[Thread], T]) -> T:
        """Return what the up-to-date thread answers; *kind* and *how* say what it is asked."""
        ...

    def execute(self, command: c.Command) -> str:
        """Decide a command and append what it comes to."""
        ...


class Changes(msgspec.Struct, frozen=True):
    """
    What happened in a thread behind a revision.

    Args:
        revision: The revision that these changes lead to; ask again with it.
        comments: The ids of the comments and corrections concerned, in the order of their first change; ``""`` for the thread
            itself.
        events: The events, without what the reader may not see.
        more: Whether there are further changes already.
        unreadable: How many events up to `revision` could not be read, since the store is damaged.
    """

    revision: int
    comments: tuple[str, ...]
    events: tuple[Event, ...]
    more: bool
    unreadable: int = 0


class _Readable(ABC):
    """Reading, for what can lend a `Thread`. Arguments, answers and errors are those of `Thread`'s methods of the same names."""

    def __init__(self, store: Owner, key: str) -> None:
        self._store = store
        self.key = key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}>"

    @abstractmethod
    def _lent(self) -> AbstractContextManager[Thread]: ...

    @abstractmethod
    def _ask(self, kind: str, how: dict[str, Any], answer: Callable[[Thread], T]) -> T:
        """Return what the thread answers; *kind* and *how* say what it is asked."""

    def view(
        self,
        *,
        order: str = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: By = None,
        reveal: Reveal = (),
        replies: int = 3,
        depth: int = 8,
        rows: int = 200,
        pinned: bool = False,
        now: int | None = None,
    ) -> ThreadView:
        """Return one page of the top level with the first replies; see `Thread.view`. *now* is the store's clock by default."""
        if now is None and order == "hot" and after is None:
            now = self._store.now()
        how: dict[str, Any] = {
            "order": order,
            "limit": limit,
            "after": after,
            "reader": reader,
            "reveal": reveal,
            "replies": replies,
            "depth": depth,
            "rows": rows,
            "pinned": pinned,
            "now": now,
        }
        return self._ask("view", how, lambda thread: thread.view(**how, policy=self._store.policy))

    def replies(
        self,
        comment: str,
        *,
        after: str | None = None,
        limit: int = 20,
        reader: By = None,
        reveal: Reveal = (),
        replies: int = 3,
        depth: int = 8,
        rows: int = 200,
    ) -> RepliesView:
        """Return one page of a comment's replies; see `Thread.replies`."""
        with self._lent() as thread:
            return thread.replies(
                comment,
                after=after,
                limit=limit,
                reader=reader,
                reveal=reveal,
                replies=replies,
                depth=depth,
                rows=rows,
                policy=self._store.policy,
            )

    def comment(
        self,
        id: str,
        *,
        context: int = 0,
        reader: By = None,
        reveal: Reveal = (),
        replies: int = 3,
        depth: int = 8,
        rows: int = 200,
    ) -> CommentView:
        """Return one comment, in its context; see `Thread.comment`."""
        with self._lent() as thread:
            return thread.comment(
                id,
                context=context,
                reader=reader,
                reveal=reveal,
                replies=replies,
                depth=depth,
                rows=rows,
                policy=self._store.policy,
            )

    def flat(
        self,
        *,
        order: str = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: By = None,
        reveal: Reveal = (),
        now: int | None = None,
    ) -> ListView:
        """Return one page of all comments without their tree; see `Thread.flat`. *now* is the store's clock by default."""
        if now is None and order == "hot" and after is None:
            now = self._store.now()
        how: dict[str, Any] = {"order": order, "limit": limit, "after": after, "reader": reader, "reveal": reveal, "now": now}
        return self._ask("flat", how, lambda thread: thread.flat(**how, policy=self._store.policy))

    def counts(self) -> Counts:
        """Return how many comments there are; the same for every reader."""
        return self._ask("counts", {}, lambda thread: thread.counts(policy=self._store.policy))

    def corrections(
        self, *, text: str | None = None, article_version: str | None = None, reader: By = None
    ) -> tuple[CorrectionView, ...]:
        """Return the suggested corrections, oldest first; see `Thread.corrections`."""
        how: dict[str, Any] = {"text": text, "article_version": article_version, "reader": reader}
        return self._ask("corrections", how, lambda thread: thread.corrections(**how, policy=self._store.policy))


class PastThread(_Readable):
    """A thread as it stood earlier: its tree, reactions, counts, pins and locks. Texts and what conceals them are today's."""

    def __init__(self, store: Owner, key: str, past: Thread) -> None:
        super().__init__(store, key)
        self._past = past

    @contextmanager
    def _lent(self) -> Iterator[Thread]:
        with self._store.using(self.key) as today:
            self._past.look_from(today)
            yield self._past

    def _ask(self, kind: str, how: dict[str, Any], answer: Callable[[Thread], T]) -> T:  # noqa: ARG002  # a past has no fronts
        with self._lent() as thread:
            return answer(thread)


class StoredThread(_Readable):
    """
    One conversation of a store. Made by `ThreadStore.thread`, without any I/O.

    Every method that writes takes ``by=``, an `Actor` or (for a reader without a name) an id, and ``id=``, the id that the event
    shall bear: a request that is repeated with the same id is the same event and not a second one. It returns the new event's id,
    or, if there was nothing to do, the id of the fact that stands. Errors are those of `ThreadStore.execute`.
    """

    def _lent(self) -> AbstractContextManager[Thread]:
        return self._store.using(self.key)

    def _ask(self, kind: str, how: dict[str, Any], answer: Callable[[Thread], T]) -> T:
        return self._store.ask(self.key, kind, how, answer)

    # --- writing --------------------------------------------------------------------------------------------------------------

    def post(
        self,
        body: str,
        *,
        by: By = None,
        spoiler: bool = False,
        held: bool = False,
        meta: dict[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        """Say something at the top level, and return the comment's id."""
        return self._do(c.Post(thread=self.key, by=actor_of(by), id=id, body=body, spoiler=spoiler, held=held, meta=meta))

    def reply(
        self,
        to: str,
        body: str,
        *,
        by: By = None,
        spoiler: bool = False,
        held: bool = False,
        meta: dict[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        """Answer the comment *to*, and return the reply's id."""
        return self._do(
            c.Post(thread=self.key, by=actor_of(by), id=id, body=body, parent=to, spoiler=spoiler, held=held, meta=meta)
        )

    def edit(self, comment: str, body: str, *, by: By, seen: str | None = None, id: str | None = None) -> str:
        """Rewrite a comment; *seen* is the `text_id` that the editor had before them."""
        return self._do(c.Edit(thread=self.key, by=actor_of(by), id=id, comment=comment, body=body, seen=seen))

    def delete(self, comment: str, *, by: By, id: str | None = None) -> str:
        """Take back one's own comment or correction, for good; its replies stay."""
        return self._do(c.Delete(thread=self.key, by=actor_of(by), id=id, comment=comment))

    def react(self, comment: str, kind: str = SUPPORT, *, by: By, id: str | None = None) -> str:
        """React to a comment, say with "I support"."""
        return self._do(c.React(thread=self.key, by=actor_of(by), id=id, comment=comment, kind=kind))

    def unreact(self, comment: str, kind: str = SUPPORT, *, by: By, id: str | None = None) -> str:
        """Take a reaction back."""
        return self._do(c.Unreact(thread=self.key, by=actor_of(by), id=id, comment=comment, kind=kind))

    def mark_spoiler(self, comment: str, *, by: By, id: str | None = None) -> str:
        """Conceal a comment's body until a reader asks for it."""
        return self._do(c.MarkSpoiler(thread=self.key, by=actor_of(by), id=id, comment=comment))

    def clear_spoiler(self, comment: str, *, by: By, cancels: Collection[str] | None = None, id: str | None = None) -> str:
        """Show the body again; *cancels* names the marks that the actor had seen, by default all."""
        return self._do(c.ClearSpoiler(thread=self.key, by=actor_of(by), id=id, comment=comment, cancels=_ids(cancels)))

    def report(self, comment: str, *, by: By = None, reason: str = "", seen: str | None = None, id: str | None = None) -> str:
        """Ask a moderator to look at a comment or a correction."""
        return self._do(c.Report(thread=self.key, by=actor_of(by), id=id, comment=comment, reason=reason, seen=seen))

    def resolve_reports(self, comment: str, *, by: By, cancels: Collection[str] | None = None, id: str | None = None) -> str:
        """Answer the reports on a comment or a correction; *cancels* names those that the moderator had seen, by default all."""
        return self._do(c.ResolveReports(thread=self.key, by=actor_of(by), id=id, comment=comment, cancels=_ids(cancels)))

    def hold(self, comment: str, *, by: By, reason: str = "", id: str | None = None) -> str:
        """Withhold a comment until a moderator approves it."""
        return self._do(c.Hold(thread=self.key, by=actor_of(by), id=id, comment=comment, reason=reason))

    def approve(
        self,
        comment: str,
        *,
        by: By,
        cancels: Collection[str] | None = None,
        seen: str | None = None,
        id: str | None = None,
    ) -> str:
        """Let a held comment through with the text *seen*; the reports among *cancels* (by default all) are resolved as well."""
        return self._do(c.Approve(thread=self.key, by=actor_of(by), id=id, comment=comment, cancels=_ids(cancels), seen=seen))

    def remove(self, comment: str, *, by: By, reason: str = "", id: str | None = None) -> str:
        """Take a comment or a correction down."""
        return self._do(c.Remove(thread=self.key, by=actor_of(by), id=id, comment=comment, reason=reason))

    def restore(
        self,
        comment: str,
        *,
        by: By,
        cancels: Collection[str] | None = None,
        seen: str | None = None,
        id: str | None = None,
    ) -> str:
        """Put a removed comment or correction back, with the text *seen*."""
        return self._do(c.Restore(thread=self.key, by=actor_of(by), id=id, comment=comment, cancels=_ids(cancels), seen=seen))

    def pin(self, comment: str, *, by: By, id: str | None = None) -> str:
        """Put a comment at the head of the thread."""
        return self._do(c.Pin(thread=self.key, by=actor_of(by), id=id, comment=comment))

    def unpin(self, comment: str, *, by: By, cancels: Collection[str] | None = None, id: str | None = None) -> str:
        """Let a pinned comment go back to its place."""
        return self._do(c.Unpin(thread=self.key, by=actor_of(by), id=id, comment=comment, cancels=_ids(cancels)))

    def lock(self, *, by: By, reason: str = "", id: str | None = None) -> str:
        """End the conversation."""
        return self._do(c.Lock(thread=self.key, by=actor_of(by), id=id, reason=reason))

    def unlock(self, *, by: By, cancels: Collection[str] | None = None, id: str | None = None) -> str:
        """Open a locked thread again."""
        return self._do(c.Unlock(thread=self.key, by=actor_of(by), id=id, cancels=_ids(cancels)))

    def describe(self, *, by: By, title: str = "", url: str = "", article_version: str = "", id: str | None = None) -> str:
        """Say what the thread is about."""
        return self._do(
            c.Describe(thread=self.key, by=actor_of(by), id=id, title=title, url=url, article_version=article_version)
        )

    def suggest_correction(
        self,
        quote: TextQuote,
        suggestion: str,
        *,
        by: By,
        note: str = "",
        article_version: str = "",
        id: str | None = None,
    ) -> str:
        """Propose another wording for a passage of the article, and return the correction's id."""
        return self._do(
            c.SuggestCorrection(
                thread=self.key,
                by=actor_of(by),
                id=id,
                quote=quote,
                suggestion=suggestion,
                note=note,
                article_version=article_version,
            )
        )

    def decide_correction(self, correction: str, outcome: Outcome, *, by: By, note: str = "", id: str | None = None) -> str:
        """Accept or decline a correction, or reopen it."""
        return self._do(
            c.DecideCorrection(thread=self.key, by=actor_of(by), id=id, correction=correction, outcome=outcome, note=note)
        )

    def erase(self, comment: str, *, by: By, id: str | None = None) -> str:
        """Forget every text of a comment or a correction, for good; see `ThreadStore.erase_person` for all of a person's."""
        return self._do(c.Erase(thread=self.key, by=actor_of(by), id=id, comment=comment))

    def _do(self, command: c.Command) -> str:
        return self._store.execute(command)

    # --- reading --------------------------------------------------------------------------------------------------------------

    def queue(self, *, limit: int = 20, after: str | None = None) -> QueueView:
        """Return one page of what waits for a moderator, for moderators' eyes; see `Thread.queue`."""
        with self._lent() as thread:
            return thread.queue(limit=limit, after=after, policy=self._store.policy)

    def digest(self) -> str:
        """Return the hash of the thread's state without its texts; see `Thread.digest`."""
        with self._lent() as thread:
            return thread.digest()

    @property
    def revision(self) -> int:
        """The thread's last revision in the log; 0 for a thread without events."""
        return self._store.log.revision(self.key)

    def history(self, *, after: int = 0, reader: By = None, reveal: Reveal = ()) -> Iterator[Event]:
        """
        Yield the thread's events with a revision above *after*, in the order of the log, as this reader may see them.

        What views withhold is withheld, and so are texts that were overwritten, save from their author and moderators. Skeletons
        are whole, so folding a history gives the digest of the thread. An event that is damaged is left out here as it is there;
        the view's `unreadable` tells of it.

        Complexity: O(n).
        """
        with self._lent() as thread:
            told = [event for _, event in self._told(thread, after)]
            return iter(thread.despite_damage(lambda: self._as_seen(thread, told, reader, reveal)))

    def changes(self, since: int, *, limit: int = 1_000, reader: By = None, reveal: Reveal = ()) -> Changes:
        """
        Return what happened behind the revision *since*: what a live page asks for; texts are withheld as in `history`.

        Raises:
            ValueError: *since* or *limit* is out of range.

        Complexity: O(changes).
        """
        if since < 0 or not 1 <= limit <= 10_000:
            raise ValueError(f"since must be at least 0 and limit from 1 to 10000, not {since} and {limit}")
        with self._lent() as thread:
            told = list(islice(self._told(thread, since), limit + 1))
            page, more = told[:limit], len(told) > limit
            seen = [event for _, event in page]
            events = tuple(thread.despite_damage(lambda: self._as_seen(thread, seen, reader, reveal)))
            revision = page[-1][0].revision if more else max(since, thread.revision)
        return Changes(
            revision=revision,
            comments=tuple(dict.fromkeys(event.target for event in events)),
            events=events,
            more=more,
            unreadable=revision - since - len({record.revision for record, _ in page}),
        )

    def _as_seen(self, thread: Thread, events: Iterable[Event], reader: By, reveal: Reveal) -> list[Event]:
        seen_by = withholder(thread, reader=reader, reveal=reveal, rules=self._store.policy.rules)
        return [seen_by(event) for event in events]

    def as_of(self, moment: int) -> PastThread:
        """
        Return the thread as of *moment* (Unix milliseconds, inclusive): what had happened by then, by its writers' clocks.

        Complexity: O(n).
        """
        return self._past(lambda _, event: time_of(event.id) <= moment)

    def as_known_at(self, position: int) -> PastThread:
        """
        Return the thread as of what this log held up to *position*, whenever it had happened.

        Complexity: O(n).
        """
        return self._past(lambda record, _: record.position <= position)

    def _past(self, belongs: Callable[[Record, Event], bool]) -> PastThread:
        with self._lent() as today:
            told = (event for record, event in self._told(today) if belongs(record, event))
            return PastThread(self._store, self.key, today.past(told))

    def _told(self, thread: Thread, after: int = 0) -> Iterator[tuple[Record, Event]]:
        """Yield the events that the lent thread has taken in, with their records."""
        records = self._store.log.read(self.key, after=after)
        return takewhile(lambda told: told[0].revision <= thread.revision, readable(records))


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


def find_readable(log: EventLog, id: str) -> Event | None:
    """Return the event with this id, unless it is damaged; errors as for `readable`."""
    record = log.find(id)
    return None if record is None else next((event for _, event in readable([record])), None)


def actor_of(by: By) -> Actor | None:
    """
    Return who acts.

    Raises:
        TypeError: *by* is neither an actor nor an id.
        ValueError: *by* can not be an actor's id.
    """
    if isinstance(by, str):
        return Actor(by)
    if by is not None and not isinstance(by, Actor):
        raise TypeError(f"by must be an Actor, an id or None, not {type(by).__name__}")
    return by


def _ids(cancels: Collection[str] | None) -> tuple[str, ...] | None:
    """
    Return what a moderator names.

    Raises:
        TypeError: *cancels* is a single id, of which a tuple would be its letters, or no collection.
        ValueError: It names more than one event can.
    """
    if cancels is None:
        return None
    if isinstance(cancels, str):
        raise TypeError("cancels must be several ids, not one str")
    if len(cancels) > MAX_CANCELS:
        raise ValueError(f"cancels names {len(cancels)} marks where one event can name {MAX_CANCELS}")
    return tuple(cancels)
