"""
One reader's look at a thread that is mostly columns: what is plain is shown without any node or fact being made of it.

A plain comment shows the same to everybody but for what the reader gave it. Its view is kept while nothing about it changes, and
shown again, with other replies if need be; only its words are read from the log.

Law: a dense lens shows what a `Lens` shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import is_
from typing import TYPE_CHECKING

from msgspec.structs import replace

from threadstore.columns import TOP
from threadstore.dense_outline import DenseOutline, Place
from threadstore.events import Actor
from threadstore.ids import time_of
from threadstore.lens import Lens
from threadstore.lens import Place as AnyPlace
from threadstore.outline import SortKey
from threadstore.ranking import Order
from threadstore.viewmodel import CommentView

if TYPE_CHECKING:
    from collections.abc import Collection

    from threadstore.dense import DenseThread
    from threadstore.policy import Rules

__all__ = ["DenseLens"]

#: How many views are kept.
_VIEWS = 4_000
#: How many letters there may be in them before they are let go of.
_LETTERS = 4_000_000


class DenseLens(Lens):
    """
    What one reader sees of a thread that is mostly columns. Its places are ranks for what is plain, and nodes.

    Args:
        thread: The thread.
        rules: Those that it was made for.
        reader: Who looks.
        reveal: The spoilers that the reader has opened.
    """

    def __init__(self, thread: DenseThread, rules: Rules, reader: Actor | str | None, reveal: Collection[str] | str) -> None:
        super().__init__(thread, rules, reader, reveal)
        self.dense: DenseOutline = thread.dense
        self.columns = thread.columns
        self._log = thread

    def _rank(self, place: AnyPlace) -> int | None:
        """Return the rank of a plain comment; None for anything else."""
        if type(place) is int:
            return place if self.columns.revision[place] else None
        return place.rank if isinstance(place, Place) and place.plain and place.shown else None

    def top(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[AnyPlace], int]:
        """Return the top level behind *after*; see `Lens.top`."""
        if self._unburied:
            return super().top(order, pinned, now, after)
        return self.dense.places_behind(order, pinned, now, after)

    def top_key(self, place: AnyPlace, order: Order, pinned: bool, now: int) -> SortKey:
        """Return where a place belongs in *order*; see `Lens.top_key`."""
        if type(place) is int:
            return self.dense.key_at(place, order, pinned, now)
        return super().top_key(place, order, pinned, now)

    def first_replies(self, place: AnyPlace, most: int) -> tuple[Sequence[AnyPlace], int]:
        """Return the first replies; see `Lens.first_replies`."""
        rank = place if type(place) is int else self._rank(place)
        if rank is None:
            return super().first_replies(place, most)
        count = self.columns.kid_count(rank)
        if not (count and most):
            return (), count
        kids = self.columns.first_kids(rank, most)
        if self.dense.kept_ranks:
            return [self.dense.kept_ranks.get(kid, kid) for kid in kids], count
        return kids, count

    def prepare(self, places: Sequence[AnyPlace]) -> None:
        """Read the words of all that was not shown yet, at once."""
        views = self.dense.views
        ranks = [rank for rank in map(self._rank, places) if rank is not None and rank not in views]
        if len(views) + len(ranks) > _VIEWS or self.dense.letters > _LETTERS:
            self.dense.show_nothing()
            ranks = [rank for rank in map(self._rank, places) if rank is not None]
        for rank, said in zip(ranks, self._log.said(ranks), strict=True):
            views[rank] = self._first_view(rank, *said)
            self.dense.letters += len(said[2])

    def row(self, place: AnyPlace, depth: int, replies: tuple[CommentView, ...], left: int) -> CommentView:
        """Return one row of what was prepared; see `Lens.row`."""
        rank = self._rank(place)
        if rank is None:
            if type(place) is int:
                place = self.dense.place(place)
            return super().row(place, depth, replies, left)
        view = self.dense.views[rank]  # prepared
        former = view.replies
        if view.left != left or view.depth != depth or len(former) != len(replies) or not all(map(is_, former, replies)):
            more = self.replies_cursor(view.id, replies[-1].id if replies else "") if left else None
            view = self.dense.views[rank] = replace(view, depth=depth, replies=replies, left=left, more=more)
        if self.reader is not None and view.reactions and (reacted := self._given(rank)):
            view = replace(view, reacted=reacted)
        return view

    def _given(self, rank: int) -> tuple[str, ...]:
        """Return the kinds that the reader gave a plain comment."""
        assert self.reader is not None
        given = []
        for kind in sorted(self.rules.kinds):
            found = self.columns.reaction(rank, self.reader.id, kind)
            if found is not None and self.columns.is_given(found[0]):
                given.append(kind)
        return tuple(given)

    def _first_view(
        self,
        rank: int,
        author: Actor | None,
        at: int | None,
        body: str,
        meta: dict[str, str],
        edited: tuple[str, Actor | None] | None,
    ) -> CommentView:
        columns = self.columns
        id, above = columns.id_of(rank), columns.parent[rank]
        text_id, edited_by = (id, None) if edited is None else edited
        votes = columns.votes_on(rank)
        return CommentView(
            id=id,
            parent=None if above == TOP else columns.id_of(above),
            author=author,
            posted_at=time_of(id) if at is None else at,
            edited_at=None if edited is None else time_of(text_id),
            edited_by=edited_by,
            text_id=text_id,
            body=body,
            concealed=None,
            standing=(),
            stale=False,
            spoiler=False,
            reactions=votes if len(votes) < 2 else dict(sorted(votes.items())),
            reacted=(),
            mentions=self._mentions(self.dense.place(rank), text_id, body) if "@" in body else (),
            pinned=False,
            late=self._is_late(id, author),
            depth=-1,
            replies=(),
            reply_count=columns.kid_count(rank),
            left=0,
            more=None,
            meta=meta,
            marks={},
        )
