"""
One reader's look at a thread that is mostly columns: what is plain is shown without any node or fact being made of it.

A plain comment shows the same to everybody but for what the reader gave it. Its view is kept while nothing about it changes, and
shown again, with other replies if need be; only its words are read from the log.

Law: a dense lens shows what a `Lens` shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import is_
from typing import TYPE_CHECKING

from msgspec.structs import replace

from threadstore.columns import TOP
from threadstore.dense_outline import DenseOutline, Place
from threadstore.model.events import Actor
from threadstore.model.ids import time_of
from threadstore.model.outline import Node, SortKey
from threadstore.model.ranking import Order
from threadstore.views.lens import Lens
from threadstore.views.lens import Place as AnyPlace
from threadstore.views.types import CommentView

if TYPE_CHECKING:
    from collections.abc import Collection

    from threadstore.dense import DenseThread, Said
    from threadstore.model.policy import Rules

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
        #: What the comments say that were not shown yet, by rank.
        self._said: dict[int, Said] = {}
        self._views = self.dense.views

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
            if self._unburied:
                return super().first_replies(place, most)
            ids, count = place.replies_behind("")
            return [self.dense.place_of(id) for id in islice(ids, most)], count
        kids, count = self.columns.first_kids(rank, most)
        if kids and self.dense.kept_ranks:
            return [self.dense.kept_ranks.get(kid, kid) for kid in kids], count
        return kids, count

    def depth(self, node: Node) -> int:
        """Return how far below the top level *node* is. Complexity: O(1), after O(depth) for the first of a branch."""
        return self.dense.way_up(node)[1]

    def prepare(self, places: Sequence[AnyPlace]) -> None:
        """Read the words of all that was not shown yet, at once."""
        views, plain = self._views, list(map(self._rank, places))
        ranks = [rank for rank in plain if rank is not None and rank not in views]
        if len(views) + len(ranks) > _VIEWS or self.dense.letters > _LETTERS:
            self.dense.show_nothing()
            ranks = [rank for rank in plain if rank is not None]
        self._said = dict(zip(ranks, self._log.said(ranks), strict=True))
        if bodies := [body for _, _, _, body, *_ in self._said.values() if "@" in body]:
            self.dense.names.meet(bodies)
        if kept := [place for place, rank in zip(places, plain, strict=True) if rank is None and type(place) is not int]:
            self.dense.read(kept)

    def row(self, place: AnyPlace, depth: int, replies: tuple[CommentView, ...], left: int) -> CommentView:
        """Return one row of what was prepared; see `Lens.row`."""
        rank = place if type(place) is int else self._rank(place)
        if rank is None:
            return super().row(place, depth, replies, left)
        view = self._views.get(rank)
        if view is None:
            said = self._said.get(rank)
            if said is None:  # a placeholder
                return super().row(self.dense.place(rank), depth, replies, left)
            view = self._first_view(rank, depth, replies, left, said)
        elif view.left != left or view.depth != depth or not _are_same(view.replies, replies):
            view = replace(view, depth=depth, replies=replies, left=left, more=self._more(view.id, replies, left))
        self._views[rank] = view
        if self.reader is not None and view.reactions and (reacted := self._given(rank)):
            view = replace(view, reacted=reacted)
        return view

    def _author(self, node: Node) -> Actor | None:
        """Return who wrote a comment, which is mostly on the same page; see `Lens._author`."""
        rank = self._rank(node)
        if rank in self._said:
            return self._said[rank][1]
        return self._views[rank].author if rank in self._views else super()._author(node)

    def _more(self, id: str, replies: tuple[CommentView, ...], left: int) -> str | None:
        return self.replies_cursor(id, replies[-1].id if replies else "") if left else None

    def _given(self, rank: int) -> tuple[str, ...]:
        """Return the kinds that the reader gave a plain comment."""
        assert self.reader is not None
        given = []
        for kind in sorted(self.rules.kinds):
            found = self.columns.reaction(rank, self.reader.id, kind)
            if found is not None and self.columns.is_given(found[0]):
                given.append(kind)
        return tuple(given)

    def _first_view(self, rank: int, depth: int, replies: tuple[CommentView, ...], left: int, said: Said) -> CommentView:
        """Return the view of a comment that was not shown yet."""
        columns, above = self.columns, self.columns.parent[rank]
        id, author, at, body, meta, edited = said
        text_id, edited_by = edited or (id, None)
        votes = columns.votes_on(rank)
        self.dense.letters += len(body)
        # In the order of the fields: to name them takes five times as long.
        return CommentView(
            id,
            None if above == TOP else self._said[above][0] if above in self._said else columns.id_of(above),
            author,
            columns.time_of(rank) if at is None else at,  # posted_at
            None if edited is None else time_of(text_id),  # edited_at
            edited_by,
            text_id,
            body,
            None,  # concealed
            (),  # standing
            False,  # stale
            False,  # spoiler
            votes if len(votes) < 2 else dict(sorted(votes.items())),
            (),  # reacted
            self._mentions(self.dense.place(rank), text_id, body) if "@" in body else (),
            False,  # pinned
            self._is_late(id, author),
            depth,
            replies,
            len(replies) + left,  # reply_count
            left,
            self._more(id, replies, left),
            meta,
            {},  # marks
        )


def _are_same(some: Sequence[CommentView], others: Sequence[CommentView]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
