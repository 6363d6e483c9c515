"""
A `Lens` is one reader's way of looking: who they are, which spoilers they have opened, and which
withheld comments are open to them. It says what this reader sees of one comment.

The first concealment that does not open to the reader withholds the body:

========  =============================================
erased    opens to nobody
deleted   opens to nobody
removed   opens to moderators
held      opens to moderators and to the author
spoiler   opens to whoever has revealed it
========  =============================================

Laws: a body that is withheld is in no field of what is shown; equal facts look the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from threadstore.model.events import Event
from threadstore.model.ids import time_of
from threadstore.model.outline import FLAGS, MISSING, Node, flags_in
from threadstore.model.policy import Rules
from threadstore.model.state import Cells
from threadstore.model.status import Concealment, Locks, cancellable
from threadstore.model.values import Actor, actor_key
from threadstore.views.request import PageRequest
from threadstore.views.source import Said
from threadstore.views.types import NO_COUNTS, NO_MARKS, NO_META, CommentView, FrozenDict

__all__ = ["Lens", "marks_of", "placeholder", "shown_actor"]

_FLAGS_WITH_MARKS: Final = ("removed", "held", "spoiler", "reported", "pinned")
_SPOILER: Final = FLAGS["spoiler"]
_STALE: Final = FLAGS["stale"]
_PINNED: Final = FLAGS["pinned"]
_ERASED: Final = FLAGS["erased"]
#: With one of these a comment needs judgement before it is shown.
_ANYTHING: Final = _ERASED | FLAGS["deleted"] | FLAGS["removed"] | FLAGS["held"] | _SPOILER | _STALE | _PINNED


class Lens:
    """
    What one reader sees.

    Args:
        rules: Whose roles have effect.
        request: Who looks, and which spoilers they have opened.
        as_moderator: The application looks on a moderator's behalf, whoever that is.
    """

    __slots__ = ("_key", "_reveal", "moderates", "reader", "rules")

    def __init__(self, rules: Rules, request: PageRequest, *, as_moderator: bool = False) -> None:
        self.rules = rules
        reader = request.reader
        self.reader = reader.id if isinstance(reader, Actor) else reader
        self._key = actor_key(reader)
        self.moderates = as_moderator or (isinstance(reader, Actor) and rules.moderates(reader))
        self._reveal = request.reveal

    def concealment(self, node: Node) -> Concealment | None:
        """Return why the body of a comment, or of a correction, is withheld from this reader; None if it is not."""
        for flag in flags_in(node.flags):
            if not self._opens(flag, node):
                return flag
        return None

    def _opens(self, flag: Concealment, node: Node) -> bool:
        if flag == "spoiler":
            return self._reveal is None or node.id in self._reveal
        if flag == "held":
            return self.moderates or self.is_author(node)
        return flag == "removed" and self.moderates

    def is_author(self, node: Node) -> bool:
        """Return whether the reader posted a comment."""
        return self._key != 0 and self._key == node.author

    def comment(
        self,
        node: Node,
        said: Said,
        depth: int,
        replies: tuple[CommentView, ...],
        left: int,
        reacted: frozenset[str],
        locks: Locks | None,
        cells: Cells | None,
    ) -> CommentView:
        """
        Return what this reader sees of a comment: the only place where one is made.

        Args:
            node: Its place.
            said: Its words.
            depth: How far below the top level it is.
            replies: The replies that are shown with it.
            left: How many replies are not.
            reacted: The kinds of reaction that this reader gave.
            locks: When the thread was locked, if it ever was.
            cells: The facts about it, for a moderator's marks.
        """
        id, flags, votes, view = node.id, node.flags, node.votes, said.view
        is_simple = not flags & _ANYTHING and not reacted and locks is None and cells is None  # as nearly all are
        if is_simple and view is not None and view.depth == depth and view.left == left and view.replies == replies:
            return view
        concealed = None if is_simple else self.concealment(node)
        tombstone = concealed is not None and concealed != "spoiler"
        erased = bool(flags & _ERASED)
        actor, text = said.actor, said.text
        is_edited = text != id
        view = CommentView(
            id,
            said.parent,
            shown_actor(actor, erased),
            time_of(id) if said.at is None else said.at,
            time_of(text) if is_edited else None,
            shown_actor(said.editor, erased) if is_edited else None,
            text,
            None if concealed else said.body,
            concealed,
            flags_in(flags),
            bool(flags & _STALE),
            bool(flags & _SPOILER),
            NO_COUNTS if tombstone or not votes else FrozenDict({kind: votes[kind] for kind in sorted(votes)}),
            () if tombstone or not reacted else tuple(sorted(reacted)),
            () if concealed else said.mentions,
            bool(flags & _PINNED) and not tombstone,
            locks is not None and (actor is None or actor.role == "reader") and locks.cover(id),
            depth,
            replies,
            node.replies,
            left,
            (replies[-1].id if replies else id) if left else None,
            NO_META if tombstone or not said.meta else FrozenDict(said.meta),
            NO_MARKS if cells is None else self._marks(node, cells),
        )
        if is_simple:
            said.view = view
        return view

    def _marks(self, node: Node, cells: Cells) -> FrozenDict[str, tuple[str, ...]]:
        [posted] = cells["posted"].values()
        flags = flags_in(node.flags)
        named = (flag for flag in _FLAGS_WITH_MARKS if flag not in ("removed", "held") or flag in flags)
        return marks_of(cells, named, posted, self.rules)


def marks_of(cells: Cells, flags: Iterable[str], posted: Event, rules: Rules) -> FrozenDict[str, tuple[str, ...]]:
    """Return what a moderator's cancels should name, by flag."""
    marks = ((flag, cancellable(cells, flag, posted, rules)) for flag in flags)
    return FrozenDict({flag: ids for flag, ids in marks if ids})


def shown_actor(actor: Actor | None, erased: bool) -> Actor | None:
    """Return whom a view names; of somebody whose words are erased it keeps no name."""
    return Actor(actor.id, "", actor.role) if erased and actor is not None else actor


def placeholder(node: Node, depth: int, replies: tuple[CommentView, ...], left: int) -> CommentView:
    """Return what stands for a comment that is missing."""
    assert node.flags & MISSING, node.id
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
        flags=("missing",),
        stale=False,
        spoiler=False,
        reactions=NO_COUNTS,
        reacted=(),
        mentions=(),
        pinned=False,
        late=False,
        depth=depth,
        replies=replies,
        reply_count=node.replies,
        left=left,
        more=(replies[-1].id if replies else node.id) if left else None,
        meta=NO_META,
        marks=NO_MARKS,
    )
