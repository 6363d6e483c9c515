"""
`StoredThread`: one conversation of a store, as an application uses it.

Writing is sugar over `ThreadStore.execute`: each method makes one command. Reading makes a request
and lets the store answer it (`threadstore.views.pages` says what a page is). `PastThread` reads the
same way, as of an earlier moment or of what the log held.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

import msgspec

from threadstore.log.protocol import Record, readable
from threadstore.log.sqlite import SqliteLog
from threadstore.model import commands as c
from threadstore.model.erasure import redact
from threadstore.model.events import Event, Outcome
from threadstore.model.ids import time_of
from threadstore.model.policy import Policy
from threadstore.model.ranking import Order
from threadstore.model.state import State
from threadstore.model.values import MAX_CANCELS, SUPPORT, Actor, TextQuote
from threadstore.plans import Plan
from threadstore.store.past import Belongs, Past, past_of
from threadstore.views.history import as_seen
from threadstore.views.pages import flat_page, replies_page, single_comment, thread_page
from threadstore.views.queue import Passage, correction_list, queue_page
from threadstore.views.request import By, PageRequest, Reveal
from threadstore.views.source import Source
from threadstore.views.thread import Thread
from threadstore.views.types import CommentView, CorrectionView, Counts, ListView, QueueView, RepliesView, ThreadView

__all__ = ["By", "Changes", "Owner", "PastThread", "Reveal", "StoredThread", "actor_of"]

T = TypeVar("T")

#: "hot" without a moment is reckoned for the last full ten seconds, so that its pages can be remembered.
_HOT_STEP = 10_000
_CHUNK = 1_000


class Owner(Protocol):
    """What a `StoredThread` needs of its store."""

    policy: Policy

    @property
    def log(self) -> SqliteLog:
        """The log."""
        ...

    def now(self) -> int:
        """Return the wall clock, in Unix milliseconds."""
        ...

    def ask(self, key: str, plan: Callable[[Source], Plan[T]], question: Any = None) -> T:
        """Return what a plan answers of a thread."""
        ...

    def fold(self, key: str) -> tuple[Thread, int, int]:
        """Return a thread folded from its log, its revision, and how many events could not be read."""
        ...

    def mended(self, key: str) -> bool:
        """Make the rows of a thread anew that cannot be used; return whether that was done."""
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
    """Reading, for what can answer plans. Arguments, answers and errors are those of `Thread`'s methods of the same names."""

    def __init__(self, store: Owner, key: str) -> None:
        self._store = store
        self.key = key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}>"

    @abstractmethod
    def _ask(self, plan: Callable[[Source], Plan[T]], question: Any = None) -> T:
        """Return what a plan answers of the thread; under a *question* the answer may be remembered."""

    def _moment(self, order: str, now: int | None, after: str | None) -> int | None:
        if now is not None or order != "hot" or after is not None:
            return now
        return self._store.now() // _HOT_STEP * _HOT_STEP

    def view(
        self,
        *,
        order: Order = "oldest",
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
        request = PageRequest(
            order=order,
            limit=limit,
            after=after,
            reader=reader,
            reveal=reveal,
            replies=replies,
            depth=depth,
            rows=rows,
            pinned=pinned,
            now=self._moment(order, now, after),
        )
        return self._ask(partial(thread_page, request=request), ("view", self.key, request))

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
        request = PageRequest(after=after, limit=limit, reader=reader, reveal=reveal, replies=replies, depth=depth, rows=rows)
        return self._ask(partial(replies_page, comment=comment, request=request), ("replies", self.key, comment, request))

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
        request = PageRequest(reader=reader, reveal=reveal, replies=replies, depth=depth, rows=rows, context=context)
        return self._ask(partial(single_comment, id=id, request=request))

    def flat(
        self,
        *,
        order: Order = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: By = None,
        reveal: Reveal = (),
        now: int | None = None,
    ) -> ListView:
        """Return one page of all comments without their tree; see `Thread.flat`. *now* is the store's clock by default."""
        moment = self._moment(order, now, after)
        request = PageRequest(order=order, limit=limit, after=after, reader=reader, reveal=reveal, now=moment)
        return self._ask(partial(flat_page, request=request), ("flat", self.key, request))

    def counts(self) -> Counts:
        """Return how many comments there are; the same for every reader."""
        return self._ask(_counts)

    def corrections(
        self, *, text: str | None = None, article_version: str | None = None, reader: By = None
    ) -> tuple[CorrectionView, ...]:
        """Return the suggested corrections, oldest first; see `Thread.corrections`."""
        return self._ask(partial(correction_list, passage=Passage(text, article_version), reader=reader))


def _counts(source: Source) -> Plan[Counts]:
    head = yield from source.head()
    return head.counts


class PastThread(_Readable):
    """A thread as it stood earlier: its tree, reactions, counts, pins and locks. Texts and what conceals them are today's."""

    def __init__(self, store: Owner, key: str, past: Past) -> None:
        super().__init__(store, key)
        self._past = past

    def _ask(self, plan: Callable[[Source], Plan[T]], question: Any = None) -> T:  # noqa: ARG002  # a past is asked seldom
        return self._past.ask(plan)


class StoredThread(_Readable):
    """
    One conversation of a store. Made by `ThreadStore.thread`, without any I/O.

    Every method that writes takes ``by=``, an `Actor` or (for a reader without a name) an id, and ``id=``, the id that the event
    shall bear: a request that is repeated with the same id is the same event and not a second one. It returns the new event's id,
    or, if there was nothing to do, the id of the fact that stands. Errors are those of `ThreadStore.execute`.
    """

    def _ask(self, plan: Callable[[Source], Plan[T]], question: Any = None) -> T:
        return self._store.ask(self.key, plan, question)

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
        return self._ask(partial(queue_page, limit=limit, after=after))

    def digest(self) -> str:
        """Return the hash of the thread's state without its texts; see `Thread.digest`. Complexity: O(n log n)."""
        return _Skeleton.of((redact(event) for _, event in readable(self._store.log.read(self.key))), key=self.key).digest()

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
        PageRequest(reader=reader, reveal=reveal)  # what is wrong with them is told at the call
        return self._seen(readable(self._store.log.read(self.key, after=after)), reader, reveal)

    def _seen(self, records: Iterator[tuple[Record, Event]], reader: By, reveal: Reveal) -> Iterator[Event]:
        while some := [event for _, event in islice(records, _CHUNK)]:
            yield from self._as_seen(some, reader, reveal)

    def _as_seen(self, events: Sequence[Event], reader: By, reveal: Reveal) -> list[Event]:
        return self._ask(partial(as_seen, events=events, reader=reader, reveal=reveal))

    def changes(self, since: int, *, limit: int = 1_000, reader: By = None, reveal: Reveal = ()) -> Changes:
        """
        Return what happened behind the revision *since*: what a live page asks for; texts are withheld as in `history`.

        Raises:
            ValueError: *since* or *limit* is out of range.

        Complexity: O(changes).
        """
        if since < 0 or not 1 <= limit <= 10_000:
            raise ValueError(f"since must be at least 0 and limit from 1 to 10000, not {since} and {limit}")
        told = self.revision
        found = list(islice(readable(self._store.log.read(self.key, after=since)), limit + 1))
        page, more = found[:limit], len(found) > limit
        events = tuple(self._as_seen([event for _, event in page], reader, reveal))
        last = page[-1][0].revision if page else since
        revision = last if more else max(since, told, last)
        return Changes(
            revision=revision,
            comments=tuple(dict.fromkeys(event.target for event in events)),
            events=events,
            more=more,
            unreadable=revision - since - len({record.revision for record, _ in page}),
        )

    def as_of(self, moment: int) -> PastThread:
        """
        Return the thread as of *moment* (Unix milliseconds, inclusive): what had happened by then, by its writers' clocks.

        Complexity: O(n).
        """
        return self._as(lambda _, event: time_of(event.id) <= moment)

    def as_known_at(self, position: int) -> PastThread:
        """
        Return the thread as of what this log held up to *position*, whenever it had happened.

        Complexity: O(n).
        """
        return self._as(lambda place, _: place <= position)

    def _as(self, belongs: Belongs) -> PastThread:
        return PastThread(self._store, self.key, past_of(self._store, self.key, belongs))


class _Skeleton(State):
    """A thread's state of which only the facts that stand are kept."""

    __slots__ = ()

    def _remember(self, id: str, event: Event) -> None: ...


def actor_of(by: By) -> Actor | None:
    """
    Return who acts.

    Raises:
        TypeError: *by* is neither an actor nor an id.
        ValueError: *by* cannot be an actor's id.
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
