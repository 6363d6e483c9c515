"""
`Thread`: the state of a conversation, and what a reader sees of it.

The fold is in `threadstore.model.state`; the views are plans over a `Source`, which here is the
thread itself. What they read is derived and kept in an `Index` for one set of rules at a time,
which follows every event that is applied, in time that does not depend on the size of the thread.

Law: everything a reader sees is a pure function of the set of facts, the policy, and the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from threadstore.model.events import Event
from threadstore.model.ids import NIL
from threadstore.model.index import Index
from threadstore.model.outline import Node
from threadstore.model.policy import Policy, Rules
from threadstore.model.ranking import Order
from threadstore.model.state import State
from threadstore.plans import run
from threadstore.views.memory import MemorySource
from threadstore.views.pages import flat_page, replies_page, single_comment, thread_page
from threadstore.views.queue import Passage, correction_list, queue_page
from threadstore.views.request import By, PageRequest, Reveal
from threadstore.views.types import CommentView, CorrectionView, Counts, ListView, QueueView, RepliesView, ThreadView

__all__ = ["Thread", "fold"]


class Thread(State):
    """
    One conversation, folded.

    Args:
        key: The thread's key; empty for a thread that takes the key of its first event.

    Not safe for use by several Python threads at once without a lock.
    """

    __slots__ = ("_index",)

    def __init__(self, key: str = "") -> None:
        super().__init__(key)
        self._index: Index | None = None

    def _changed(self, event: Event, before: Event | None) -> None:
        if self._index is not None and not self._index.take(event, before):
            self._index = None

    def index(self, rules: Rules) -> Index:
        """
        Return what is derived from the thread under *rules*.

        Complexity: O(1) while the rules stay the same; O(n log n) when they change, or of a past when today's thread has.
        """
        if self._index is None or self._index.rules != rules or self._index.outdated:
            self._index = Index(self, rules)
        return self._index

    def source(self, policy: Policy | None, *, revision: int = 0, unreadable: int = 0) -> MemorySource:
        """Return the thread as the views read it; *revision* and *unreadable* are of the log that it comes from."""
        rules = _DEFAULT_RULES if policy is None else policy.rules
        return MemorySource(self, self.index(rules), revision=revision, unreadable=unreadable)

    # --- what a decision asks -------------------------------------------------------------------------------------------------

    def node(self, id: str, rules: Rules) -> Node | None:
        """Return the place of a comment or a correction, if there is one."""
        return self.index(rules).node(id)

    def is_locked(self, rules: Rules) -> bool:
        """Return whether a lock is up."""
        return self.index(rules).tally.locked

    def cutoffs(self, rules: Rules) -> Mapping[str, str]:
        """Return, for each person whose words were erased, the id below which they are forgotten."""
        return self.index(rules).cutoffs

    def posts_by(self, actor: int, rules: Rules) -> Iterator[Node]:
        """Yield an actor's comments, newest first; by their key; 0 for all anonymous ones."""
        index = self.index(rules)
        return map(index.get, reversed(index.posts_by(actor)))

    def last_act(self, person: str) -> str:
        """Return the largest id of what a person did here; the nil id if that is nothing. Complexity: O(n)."""
        return max((fact.id for fact in self.facts() if fact.actor is not None and fact.actor.id == person), default=NIL)

    # --- views ----------------------------------------------------------------------------------------------------------------

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
        policy: Policy | None = None,
    ) -> ThreadView:
        """
        Return one page: at most *limit* top-level comments that follow *after* in *order*, each with the first of its replies.

        Equal arguments on an equal thread give equal pages, and the pages of an unchanged thread follow one another without
        gap or repeat.

        Args:
            order: "oldest", "newest", "top", "best", "hot", "active" or "controversial"; replies are always oldest first.
            limit: How many top-level comments to show.
            after: The cursor `next` of the page before; None starts at the top.
            reader: Who looks, as an Actor or an id. Only an Actor brings a role.
            reveal: The ids of comments whose spoilers this reader has opened, or "all".
            replies: How many replies of each comment to show at once.
            depth: How many levels of replies to show; 0 shows the top level alone.
            rows: The bound of the whole page, filled level by level.
            pinned: Whether pinned top-level comments come first.
            now: The moment that "hot" is reckoned for; by default that of the thread's latest event.
            policy: Whose roles have effect, and which reactions count.

        Raises:
            InvalidCursor: *after* is malformed, or was made for another thread, order, or `pinned`.
            ValueError: An argument is out of range.

        Complexity: O(page + log n); the first page of an order sorts the top level, and "hot" does so for each new moment. A
        thread that a store has read from its log sorts no more of it than somebody has looked at.
        """
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
            now=now,
        )
        return run(thread_page(self.source(policy), request))

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
        policy: Policy | None = None,
    ) -> RepliesView:
        """
        Return one page of the direct replies to *comment*, oldest first, each with the first of its own.

        *after* is the `more` of a comment on an earlier page, or the `next` of an earlier page of replies; other arguments as
        for `view`.

        Raises:
            CommentNotFound: The thread has no such comment.
            InvalidCursor, ValueError: as for `view`.
        """
        request = PageRequest(after=after, limit=limit, reader=reader, reveal=reveal, replies=replies, depth=depth, rows=rows)
        return run(replies_page(self.source(policy), comment, request))

    def flat(
        self,
        *,
        order: Order = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: By = None,
        reveal: Reveal = (),
        now: int | None = None,
        policy: Policy | None = None,
    ) -> ListView:
        """
        Return one page of all comments without their tree, each where its own key puts it in *order*; arguments as for `view`.

        Placeholders and tombstones are left out. Complexity: O(n log n) for the first page after a change, O(page + log n) then.
        """
        request = PageRequest(order=order, limit=limit, after=after, reader=reader, reveal=reveal, now=now)
        return run(flat_page(self.source(policy), request))

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
        policy: Policy | None = None,
    ) -> CommentView:
        """
        Return one comment with the first of its replies: what a link to it shows.

        With *context* = n the answer is its n-th ancestor (or the topmost there is), and the line of descent stands within
        `replies` down to the comment, alone at each step: there `left` counts the other replies, and `more` begins with the
        first of all. Childless tombstones and placeholders answer too.

        Raises:
            CommentNotFound: The thread has no such comment.
            ValueError: An argument is out of range.

        Complexity: O(page + depth of the comment).
        """
        request = PageRequest(reader=reader, reveal=reveal, replies=replies, depth=depth, rows=rows, context=context)
        return run(single_comment(self.source(policy), id, request))

    def counts(self, *, policy: Policy | None = None) -> Counts:
        """Return how many comments there are; the same for every reader. Complexity: O(1)."""
        return run(self.source(policy).head()).counts

    def corrections(
        self,
        *,
        text: str | None = None,
        article_version: str | None = None,
        reader: By = None,
        policy: Policy | None = None,
    ) -> tuple[CorrectionView, ...]:
        """
        Return the suggested corrections, oldest first.

        Given the article's *text*, each quote is looked for in it: `span` says where it stands, and `orphaned` that it does
        not. A decided correction stays with its version: it is looked for only if *article_version* is that version.

        Complexity: O(corrections + corrections * len(text)).
        """
        return run(correction_list(self.source(policy), Passage(text, article_version), reader))

    def queue(self, *, limit: int = 20, after: str | None = None, policy: Policy | None = None) -> QueueView:
        """
        Return one page of what waits for a moderator, longest waiting first: held, stale and reported comments and reported
        corrections, whole.

        For moderators' eyes: the application asks for it on their behalf.

        Raises:
            InvalidCursor, ValueError: as for `view`.

        Complexity: O(w log w) for w waiting.
        """
        return run(queue_page(self.source(policy), limit=limit, after=after))


_DEFAULT_RULES: Final = Policy().rules


def fold(events: Iterable[Event], *, key: str = "") -> Thread:
    """
    Return the thread that *events* make, whatever their order and however often each is repeated.

    Args:
        events: Facts of one thread.
        key: The thread's key, for a thread that may be empty.

    Raises:
        TypeError: Something is no event.
        ValueError: An event belongs to another thread than the first.

    Complexity: O(n).
    """
    return Thread.of(events, key=key)
