"""
A `Lens` is one reader's way of looking: who they are, which spoilers they have opened, and which withheld comments are open
to them. It says what this reader sees of one comment, and which comments below another are there for them.

The first concealment that does not open to the reader withholds the body:

========  =============================================
erased    opens to nobody
deleted   opens to nobody
removed   opens to moderators
held      opens to moderators and to the author
spoiler   opens to whoever has revealed it
========  =============================================

Laws: a comment is on a page if the public sees it, or it opens to this reader, or something below it is on a page; a body that
is withheld is in no field of what is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final

from threadstore.model.events import Actor, Event
from threadstore.model.ids import time_of
from threadstore.model.outline import Node, Outlined, SortKey, behind
from threadstore.model.policy import Rules
from threadstore.model.ranking import Order
from threadstore.model.status import Standing, cancellable, effective_reaction, is_author
from threadstore.views.cursors import write_cursor
from threadstore.views.types import CommentView, Concealment, Mention

__all__ = ["Lens", "Outlined", "Place", "shown_actor"]

MAX_REVEAL: Final = 100_000
#: How far up a name that several have is looked for. A page of a deep chain would else cost its rows times its depth.
MAX_ABOVE: Final = 1_000

_FLAGS_WITH_MARKS: Final = ("removed", "held", "spoiler", "reported", "pinned")


#: A place in the tree, as a lens knows it; only a lens can tell what it is. Here, a `Node`.
Place = Any


class Lens:
    """
    What one reader sees of a thread.

    Args:
        thread: The thread.
        rules: Whose roles have effect.
        reader: Who looks.
        reveal: The spoilers that the reader has opened: ids, or "all".
        as_moderator: The application looks on a moderator's behalf, whoever that is.
    """

    def __init__(
        self,
        thread: Outlined,
        rules: Rules,
        reader: Actor | str | None,
        reveal: Collection[str] | str,
        *,
        as_moderator: bool = False,
    ) -> None:
        self.thread = thread
        self.rules = rules
        self.outline = thread.outline(rules)
        self.reader = _reader(reader)
        self.moderates = as_moderator or (isinstance(reader, Actor) and rules.moderates(reader))
        self._reveal_all = reveal == "all"
        self._reveal = frozenset[str]() if self._reveal_all else _revealed(reveal)
        self._opened = self.outline.opened_to(self.reader, moderates=self.moderates)
        self._unburied = self.outline.unburied(self._opened)
        self._depths: dict[str, int] = {}

    def concealment(self, standing: Standing, posted: Event) -> Concealment | None:
        """Return why the body is withheld from this reader, or None."""
        for flag in standing.flags:
            if not self._opens(flag, posted):
                return flag
        return None

    def _opens(self, flag: Concealment, posted: Event) -> bool:
        if flag == "spoiler":
            return self._reveal_all or posted.id in self._reveal
        if flag == "held":
            return self.moderates or is_author(self.reader, posted)
        return flag == "removed" and self.moderates

    def top(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[Place], int]:
        """Return the top-level places behind *after*, lazily, and how many they are."""
        unburied = map(self._node, self._unburied_below(self.outline.top))
        more = sorted(self.outline.top_key(node, order, pinned, now) for node in unburied)
        return self._merged(self.outline.top_behind(order, pinned, now, after), behind(more, after))

    def flat(self, order: Order, now: int, after: SortKey | None) -> tuple[Iterator[Node], int]:
        """Return all comments behind *after*, the tree apart, lazily, and how many they are."""
        more = sorted(self.outline.flat_key(node, order, now) for node in self._opened)
        return self._merged(self.outline.flat_behind(order, now, after), behind(more, after))

    def _merged(self, *listings: tuple[Iterator[SortKey], int]) -> tuple[Iterator[Node], int]:
        """Return what stands in some sorted listings, merged into one."""
        keys = merge(*(keys for keys, _ in listings))
        return (self._node(str(key[-1])) for key in keys), sum(count for _, count in listings)

    def children(self, node: Node, after: str = "") -> tuple[Iterator[Node], int]:
        """Return the replies behind *after*, lazily, and how many they are."""
        live, count = node.replies_behind(after)
        more = [id for id in self._unburied_below(node) if id > after]
        return map(self._node, merge(live, more) if more else live), count + len(more)

    def first_replies(self, place: Place, most: int) -> tuple[Sequence[Place], int]:
        """Return the first replies, at most so many, and how many there are."""
        replies, count = self.children(place)
        return list(islice(replies, most)), count

    def prepare(self, places: Sequence[Place]) -> None:
        """Make ready what the rows of these places need, all at once."""

    def row(self, place: Place, depth: int, replies: tuple[CommentView, ...], left: int) -> CommentView:
        """Return what this reader sees of one place, with the first of its replies and the cursor for those that are left."""
        more = self.replies_cursor(place.id, replies[-1].id if replies else "") if left else None
        return self.comment(place, depth, replies, left, more)

    def replies_cursor(self, comment: str, last: str) -> str:
        """Return the cursor for the replies behind the *last*; empty for all."""
        return write_cursor(self.thread.key, f"replies {comment}", (last,))

    def top_key(self, place: Place, order: Order, pinned: bool, now: int) -> SortKey:
        """Return where a top-level place belongs in *order*."""
        return self.outline.top_key(place, order, pinned, now)

    def _unburied_below(self, node: Node) -> list[str]:
        return [id for id in node.buried if id in self._unburied] if self._unburied else []

    def shows(self, node: Node) -> bool:
        """Return whether *node* is on a page for this reader."""
        return node.live or node.id in self._unburied

    def depth(self, node: Node) -> int:
        """
        Return how far below the top level *node* is.

        Complexity: O(depth) for the first node of a branch; only the way to known ones for the others.
        """
        way = [node.id]
        for above in self.outline.ancestors(node):
            if way[-1] in self._depths:
                break
            way.append(above.id)
        depth = self._depths.get(way[-1], 0)
        self._depths.update(zip(reversed(way), range(depth, depth + len(way)), strict=True))
        return depth + len(way) - 1

    def _node(self, id: str) -> Node:
        node = self.outline.node(id)
        assert node is not None, id
        return node

    def comment(
        self, node: Node, depth: int, replies: tuple[CommentView, ...] = (), left: int = 0, more: str | None = None
    ) -> CommentView:
        """Return what this reader sees of one place in the tree."""
        posted, standing = node.posted, node.standing
        if posted is None or standing is None:
            return _placeholder(node, depth, replies, left, more)
        said = posted if self.thread.today is self.thread else self.thread.today.cells(node.id)["posted"][node.id,]
        text = standing.text
        concealed = self.concealment(standing, posted)
        tombstone = concealed is not None and concealed != "spoiler"
        erased = "erased" in standing.flags
        body = None if concealed else text.body  # type: ignore[union-attr]  # a comment's text is a post or an edit
        return CommentView(
            id=node.id,
            parent=posted.parent,
            author=shown_actor(said.actor, erased),
            posted_at=time_of(node.id) if posted.at is None else posted.at,
            edited_at=time_of(text.id) if text.id != node.id else None,
            edited_by=shown_actor(text.actor, erased) if text.id != node.id else None,
            text_id=text.id,
            body=body,
            concealed=concealed,
            standing=standing.flags,
            stale=standing.stale,
            spoiler="spoiler" in standing.flags,
            reactions={} if tombstone else {kind: node.votes[kind] for kind in sorted(node.votes)},
            reacted=() if tombstone else self._reacted(node.id),
            mentions=() if body is None or "@" not in body else self._mentions(node, text.id, body),
            pinned=node.pinned and not tombstone,
            late=self._is_late(posted.id, posted.actor),
            depth=depth,
            replies=replies,
            reply_count=node.replies,
            left=left,
            more=more,
            meta={} if tombstone else dict(said.meta or {}),  # type: ignore[attr-defined]  # this cell holds CommentPosted only
            marks=self._marks(node.id, said, standing) if self.moderates else {},
        )

    def _reacted(self, id: str) -> tuple[str, ...]:
        cell = self.thread.reactions(id)
        if self.reader is None or not cell:
            return ()
        me, rules = self.reader.id, self.rules
        return tuple(kind for kind in sorted(rules.kinds) if effective_reaction(cell, me, kind, rules))

    def _mentions(self, node: Node, text: str, body: str) -> tuple[Mention, ...]:
        def nearest() -> Iterator[Actor | None]:
            for above in islice(self.outline.ancestors(node), MAX_ABOVE):
                yield self._author(above)

        return self.outline.names.find(body, comment=text, nearest=nearest)

    def _author(self, node: Node) -> Actor | None:
        """Return who wrote a comment; of a placeholder nobody is known."""
        return None if node.posted is None else node.posted.actor

    def _is_late(self, id: str, author: Actor | None) -> bool:
        return (author is None or author.role == "reader") and self.outline.locks.cover(id)

    def _marks(self, id: str, said: Event, standing: Standing) -> dict[str, tuple[str, ...]]:
        """Return what a moderator's cancels should name, by flag."""
        marks = {}
        for flag in _FLAGS_WITH_MARKS:
            if flag in ("removed", "held") and flag not in standing.flags:
                continue
            cells = self.thread.cells(id) if flag == "pinned" else self.thread.today.cells(id)
            if ids := cancellable(cells, flag, said, self.rules):
                marks[flag] = ids
        return marks


def _reader(reader: Actor | str | None) -> Actor | None:
    if isinstance(reader, str):
        return Actor(reader)
    if reader is not None and not isinstance(reader, Actor):
        raise TypeError(f"reader must be an Actor, an id or None, not {type(reader).__name__}")
    return reader


def _revealed(reveal: Collection[str] | str) -> frozenset[str]:
    if isinstance(reveal, str):
        raise ValueError(f"reveal must be 'all' or a collection of ids, not {reveal[:64]!r}")  # noqa: TRY004 - "all" is a str
    if len(reveal) > MAX_REVEAL:
        raise ValueError(f"reveal names {len(reveal)} comments where {MAX_REVEAL} are allowed; use 'all'")
    return frozenset(reveal)


def shown_actor(actor: Actor | None, erased: bool) -> Actor | None:
    """Return whom a view names; of somebody whose words are erased it keeps no name."""
    return Actor(actor.id, "", actor.role) if erased and actor is not None else actor


def _placeholder(node: Node, depth: int, replies: tuple[CommentView, ...], left: int, more: str | None) -> CommentView:
    return CommentView(
        id=node.id,
        parent=None,
        author=None,
        posted_at=time_of(node.id),
        edited_at=None,
        edited_by=None,
        text_id=node.id,
        body=None,
        concealed="missing",
        standing=("missing",),
        stale=False,
        spoiler=False,
        reactions={},
        reacted=(),
        mentions=(),
        pinned=False,
        late=False,
        depth=depth,
        replies=replies,
        reply_count=node.replies,
        left=left,
        more=more,
        meta={},
        marks={},
    )
