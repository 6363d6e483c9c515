"""
`Thread`: the state of a conversation, and what a reader sees of it.

The fold is in `threadstore.model.state`; this room adds the views. What they read is derived, and kept in an `Outline` for one set
of rules at a time, which is brought up to date with every event that is applied, in time that does not depend on the size of
the thread.

Law: everything a reader sees is a pure function of the set of facts, the policy, and the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeVar

from threadstore.model.events import Actor, Event
from threadstore.model.outline import Outline, Outlined
from threadstore.model.policy import Policy, Rules
from threadstore.views.lens import Lens
from threadstore.views.pages import flat_page, replies_page, single_comment, thread_page
from threadstore.views.queue import correction_list, queue_page
from threadstore.views.types import CommentView, CorrectionView, Counts, ListView, QueueView, RepliesView, ThreadView

__all__ = ["Thread", "fold"]

T = TypeVar("T")


class Thread(Outlined):
    """
    One conversation, folded.

    Args:
        key: The thread's key; empty for a thread that takes the key of its first event.

    Not safe for use by several Python threads at once without a lock.
    """

    __slots__ = ("_outline",)

    def __init__(self, key: str = "") -> None:
        super().__init__(key)
        self._outline: Outline | None = None

    def _changed(self, cell: str, event: Event, before: Event | None) -> None:
        if self._outline is not None and not self._outline.absorb(cell, event, before):
            self._outline = None

    def outline(self, rules: Rules) -> Outline:
        """
        Return what is derived from the thread under *rules*.

        Complexity: O(1) while the rules stay the same; O(n log n) when they change, or of a past when today's thread has.
        """
        if self._outline is None or self._outline.rules != rules or self._outline.outdated:
            self._outline = Outline(self, rules)
        return self._outline

    def lens(self, rules: Rules, reader: Actor | str | None, reveal: Collection[str] | str) -> Lens:
        """Return how a reader sees the thread under *rules*."""
        return Lens(self, rules, reader, reveal)

    def despite_damage(self, ask: Callable[[], T]) -> T:
        """
        Return the answer to a question about the thread.

        One that is read from a log may have to leave something out first, and a past asks for what holds today.
        """
        return ask() if self._today is None else self._today.despite_damage(ask)

    def view(
        self,
        *,
        order: str = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: Actor | str | None = None,
        reveal: Collection[str] | str = (),
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
        return self.despite_damage(
            lambda: thread_page(
                self,
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
                rules=_rules(policy),
            )
        )

    def replies(
        self,
        comment: str,
        *,
        after: str | None = None,
        limit: int = 20,
        reader: Actor | str | None = None,
        reveal: Collection[str] | str = (),
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
        return self.despite_damage(
            lambda: replies_page(
                self,
                comment,
                after=after,
                limit=limit,
                reader=reader,
                reveal=reveal,
                replies=replies,
                depth=depth,
                rows=rows,
                rules=_rules(policy),
            )
        )

    def flat(
        self,
        *,
        order: str = "oldest",
        limit: int = 20,
        after: str | None = None,
        reader: Actor | str | None = None,
        reveal: Collection[str] | str = (),
        now: int | None = None,
        policy: Policy | None = None,
    ) -> ListView:
        """
        Return one page of all comments without their tree, each where its own key puts it in *order*; arguments as for `view`.

        Placeholders and tombstones are left out. Complexity: O(n log n) for the first page after a change, O(page + log n) then.
        """
        return self.despite_damage(
            lambda: flat_page(
                self, order=order, limit=limit, after=after, reader=reader, reveal=reveal, now=now, rules=_rules(policy)
            )
        )

    def comment(
        self,
        id: str,
        *,
        context: int = 0,
        reader: Actor | str | None = None,
        reveal: Collection[str] | str = (),
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
        return self.despite_damage(
            lambda: single_comment(
                self,
                id,
                context=context,
                reader=reader,
                reveal=reveal,
                replies=replies,
                depth=depth,
                rows=rows,
                rules=_rules(policy),
            )
        )

    def counts(self, *, policy: Policy | None = None) -> Counts:
        """Return how many comments there are; the same for every reader. Complexity: O(1)."""
        return self.despite_damage(lambda: self.outline(_rules(policy)).counts())

    def corrections(
        self,
        *,
        text: str | None = None,
        article_version: str | None = None,
        reader: Actor | str | None = None,
        policy: Policy | None = None,
    ) -> tuple[CorrectionView, ...]:
        """
        Return the suggested corrections, oldest first.

        Given the article's *text*, each quote is looked for in it: `span` says where it stands, and `orphaned` that it does
        not. A decided correction stays with its version: it is looked for only if *article_version* is that version.

        Complexity: O(corrections + corrections * len(text)).
        """
        return self.despite_damage(
            lambda: correction_list(self, text=text, article_version=article_version, reader=reader, rules=_rules(policy))
        )

    def queue(self, *, limit: int = 20, after: str | None = None, policy: Policy | None = None) -> QueueView:
        """
        Return one page of what waits for a moderator, longest waiting first: held, stale and reported comments and reported
        corrections, whole.

        For moderators' eyes: the application asks for it on their behalf.

        Raises:
            InvalidCursor, ValueError: as for `view`.

        Complexity: O(w log w) for w waiting.
        """
        return self.despite_damage(lambda: queue_page(self, limit=limit, after=after, rules=_rules(policy)))


_DEFAULT_RULES: Final = Policy().rules


def _rules(policy: Policy | None) -> Rules:
    return _DEFAULT_RULES if policy is None else policy.rules


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
