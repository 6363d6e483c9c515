"""
The outline of a large thread: columns for what is plain, nodes for all else.

A comment that the columns alone know of is as plain as can be: the public sees it, it waits for nobody, nobody but its author has
rewritten it, and its replies are just such comments' ids. Nodes are made of it when somebody looks, and are not kept. As soon as
something happens to it that is not plain, its node is *kept*, with its replies and votes, and from then on the rules of `Outline`
hold for it as for any comment of a small thread; the columns still know its number, and where its facts are.

So each comment stands in one place: a kept node is in no list of the columns, and a list of the columns holds nothing that is
kept.

Law: a dense outline answers as an ordinary one of the same facts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from threadstore.columns import TOP, Columns
from threadstore.dense_orders import LastWords, PlainOrders
from threadstore.descent import Descent
from threadstore.heads import hash_of, name_hash
from threadstore.model.events import Actor, CommentPosted, Event, PersonErased, ReactionGiven, ReactionWithdrawn
from threadstore.model.mentions import Names, Nearest, starts_of_names
from threadstore.model.outline import Ids, Node, Outline, SortKey, added, behind, removed
from threadstore.model.ranking import Order, Votes, key
from threadstore.model.status import Locks, Standing, person_erasures
from threadstore.runs import Runs
from threadstore.views.types import CommentView, Mention

if TYPE_CHECKING:
    from threadstore.dense import DenseThread

__all__ = ["DenseOutline", "Place"]

#: How many ranks are looked at at once for what belongs among them.
_SOME: Final = 64


class Place(Node):
    """A node that the columns know: made when somebody looks, and kept once it is not plain any longer."""

    __slots__ = ("_kids", "_others", "_outline", "_parent", "_posted", "_standing", "kept", "rank")

    def __init__(self, outline: DenseOutline, rank: int, id: str) -> None:
        # Not Node's: what it sets is asked of the columns here, and only when it is needed.
        columns = outline.columns
        self._outline = outline
        self.rank = rank
        self.id = id
        self.kept = False
        self.home = None
        self.buried = ()
        self.votes = columns.votes_on(rank)
        self.shown = columns.revision[rank] > 0
        self.replies = columns.kid_count(rank)
        self.pinned = False
        #: Of a kept one: the ranks of the live replies, None while they are those that the columns have; and the ids of the
        #: live replies that the columns do not know.
        self._kids: array[int] | None = None
        self._others: Ids = ()
        self._parent: Node | None = None
        self._posted: CommentPosted | None = None
        self._standing: Standing | None = None

    @property
    def plain(self) -> bool:
        """Return whether nothing is said about it but by the columns."""
        return not self.kept

    @property
    def live(self) -> bool:
        """As for every node; all that the columns know is seen."""
        if self.shown or self._others:
            return True
        return self._outline.columns.kid_count(self.rank) > 0 if self._kids is None else len(self._kids) > 0

    def gain(self, node: Node) -> None:
        """As for every node; what the columns know comes without its id."""
        if isinstance(node, Place):
            self.gain_plain(node.rank)
        else:
            self._others = added(self._others, node.id)

    def gain_plain(self, rank: int) -> None:
        """Count a comment that the columns know among the live replies. Complexity: as for `gain`."""
        insort(self._own_kids(), rank)

    def lose(self, node: Node) -> None:
        """As for every node."""
        if isinstance(node, Place):
            kids = self._own_kids()
            del kids[bisect_left(kids, node.rank)]
        else:
            removed(self._others, node.id)

    def _own_kids(self) -> array[int]:
        if self._kids is None:
            self._kids = self._outline.columns.kids(self.rank)[:]
        return self._kids

    @property
    def parent(self) -> Node | None:
        """The node above; kept if this one is."""
        if self._parent is None:
            above = self._outline.columns.parent[self.rank]
            if above == TOP:
                return self._outline.top
            if not self.kept:
                return self._outline.place(above)
            self._parent = self._outline.keep(above)
        return self._parent

    @parent.setter
    def parent(self, parent: Node | None) -> None:
        self._parent = parent

    @property
    def has_moved(self) -> bool:
        """Return whether it was given a parent that is not the columns', or whose node is at hand."""
        return self._parent is not None

    @property
    def posted(self) -> CommentPosted | None:
        """The fact, from the log."""
        if self._posted is None and self._outline.columns.revision[self.rank]:
            fact = self._outline.fact(self.rank)
            assert isinstance(fact, CommentPosted), fact
            self._posted = fact
        return self._posted

    @posted.setter
    def posted(self, posted: CommentPosted | None) -> None:
        self._posted = posted

    @property
    def standing(self) -> Standing | None:
        """What holds for it: nothing, with its author's last text."""
        if self._standing is None and (posted := self.posted) is not None and self.posted_here:
            text = self._outline.text(self.rank)
            self._standing = Standing(posted if text is None else text)  # type: ignore[arg-type]  # only edits are there
        return self._standing

    @standing.setter
    def standing(self, standing: Standing | None) -> None:
        self._standing = standing

    @property
    def posted_here(self) -> bool:
        """Return whether the columns know the comment itself, and not only that it is missing."""
        return self._outline.columns.revision[self.rank] > 0

    @property
    def is_unread(self) -> bool:
        """Return whether the fact is still to be read."""
        return self._posted is None and self.posted_here

    def replies_behind(self, after: str) -> tuple[Iterator[str], int]:
        """As for every node, without a list of ids."""
        columns = self._outline.columns
        kids = columns.kids(self.rank) if self._kids is None else self._kids
        start = bisect_right(kids, after, key=columns.id_of) if after else 0
        replies, count = map(columns.id_of, islice(kids, start, None)), len(kids) - start
        if not self._others:
            return replies, count
        first = bisect_right(self._others, after)
        return merge(replies, islice(self._others, first, None)), count + len(self._others) - first


class DenseOutline(Outline):
    """
    The outline of a thread that is mostly columns.

    Args:
        thread: The thread; its ordinary cells are still empty.
        columns: What is plain.
    """

    def __init__(self, thread: DenseThread, columns: Columns) -> None:
        self.columns = columns
        self._thread = thread
        self._flat_runs: dict[Order, Runs] = {}
        #: The nodes that are kept, by rank.
        self.kept_ranks: dict[int, Place] = {}
        #: What is below what in the columns.
        self.descent = Descent(columns)
        #: The orders of what is plain of the top level.
        self.orders = PlainOrders(columns, self.kept_ranks)
        #: What is still to be judged, while many facts are taken in.
        self._concerned: set[str] | None = None
        self._is_erased = False
        #: What was shown of plain comments, to be shown again while nothing has changed.
        self.views: dict[int, CommentView] = {}
        #: How many letters there are in these, at most.
        self.letters = 0
        self._flat_hot: tuple[int, list[SortKey]] | None = None
        #: What is seen last below a top-level node where more than plain replies come and go; None if it must be looked for.
        self._irregular: dict[str, str | None] = {}
        #: Each author's last comment and how many there are, and the comment by the same author before each.
        self._posts_by: dict[int, tuple[int, int]] | None = None
        self._before_by = array("i")
        super().__init__(thread, columns.rules)
        self.names: DenseNames = DenseNames(self)
        missing = sum(1 for revision in columns.revision if not revision) if 0 in columns.revision else 0
        self._places["total"] = len(columns) - missing
        self._top_level = len(columns.tops) - missing

    def _begin(self) -> None:
        """Do nothing: the columns have given all that there is its place."""

    def let_go(self) -> None:
        """Take apart what refers to one another; see `DenseThread.let_go`."""
        vars(self).clear()

    # --- nodes ----------------------------------------------------------------------------------------------------------------

    def place(self, rank: int) -> Node:
        """Return the node of a rank: the kept one, or one for this look."""
        return self.kept_ranks.get(rank) or Place(self, rank, self.columns.id_of(rank))

    def node(self, id: str) -> Node | None:
        """Return the place of a comment or of a placeholder. Complexity: O(log n)."""
        node = self._nodes.get(id)
        if node is None and (rank := self.columns.find(id)) is not None:
            node = Place(self, rank, id)
        return node

    def place_of(self, id: str) -> Node | int:
        """Return the node of a comment that is there if it is kept, else the rank."""
        node = self._nodes.get(id)
        if node is not None:
            return node
        rank = self.columns.find(id)
        assert rank is not None, id
        return rank

    def comment(self, id: str) -> Node | None:
        """Return the place of a comment, not of a placeholder. Complexity: O(log n)."""
        node = self.node(id)
        if isinstance(node, Place) and not node.kept:
            return node if node.posted_here else None
        return None if node is None or node.posted is None else node

    def fact(self, rank: int) -> Event:
        """Return the fact that posted the comment."""
        return self._thread.posted(rank)

    def read(self, nodes: Iterable[Node]) -> None:
        """Have at hand what some nodes that are kept say, at the cost of few statements."""
        columns = self.columns
        ranks = [node.rank for node in nodes if isinstance(node, Place) and node.is_unread]
        texts = [columns.edits[rank][-1] for rank in ranks if rank in columns.edits]
        self._thread.at_all([*map(columns.revision.__getitem__, ranks), *texts])

    def authors(self, ranks: list[int]) -> list[Actor | None]:
        """Return who wrote several plain comments, at the cost of few statements."""
        return [author for _, author, *_ in self._thread.said(ranks)]

    def text(self, rank: int) -> Event | None:
        """Return the author's last edit."""
        edits = self.columns.edits.get(rank)
        return None if edits is None else self._thread.at(edits[-1])

    def is_untouched(self, id: str) -> bool:
        """Return whether a comment is plain, and not edited; see `Outline.is_untouched`. Complexity: O(log n)."""
        return id not in self._nodes and (rank := self.columns.comment(id)) is not None and rank not in self.columns.edits

    def is_new(self, id: str) -> bool:
        """Return whether neither a comment nor a placeholder with this id is kept."""
        return id not in self._nodes

    def rank(self, id: str) -> int | None:
        """Return the rank of a comment, not of a placeholder, if the columns know it. Complexity: O(1) for what is kept."""
        node = self._nodes.get(id)
        if node is None:
            return self.columns.comment(id)
        return node.rank if isinstance(node, Place) and node.posted_here else None

    def is_kept(self, rank: int) -> bool:
        """Return whether something about the comment is not plain."""
        return rank in self.kept_ranks

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Yield the nodes above *node*, without keeping any."""
        above = self._above(node)
        while above is not None and above is not self._top:
            yield above
            above = self._above(above)

    def _above(self, node: Node) -> Node | None:
        if not isinstance(node, Place) or node.has_moved:
            return node.parent
        rank = self.columns.parent[node.rank]
        return self._top if rank == TOP else self.place(rank)

    def keep(self, rank: int) -> Place:
        """Return the node of a rank, kept from now on. Complexity: O(replies + log n)."""
        place = self.kept_ranks.get(rank)
        if place is not None:
            return place
        columns = self.columns
        place = Place(self, rank, columns.id_of(rank))
        self._touch(rank)
        if columns.parent[rank] == TOP:
            self.orders.leave(rank)
        self.kept_ranks[rank] = self._nodes[place.id] = place
        place.kept = True
        if columns.parent[rank] == TOP:
            self._top.children = added(self._top.children, place.id)
            self._rerank(place)
        return place

    def _is_hidden(self, rank: int) -> bool:
        place = self.kept_ranks.get(rank)
        return place is not None and not place.shown

    def keep_for(self, event: Event) -> None:
        """Keep what something that is not plain is about to concern."""
        self._keep(event.target)
        if isinstance(event, CommentPosted):
            self._keep(event.parent)

    def _keep(self, id: str | None) -> None:
        if id and id not in self._nodes and (rank := self.columns.find(id)) is not None:
            self.keep(rank)

    # --- keeping up -----------------------------------------------------------------------------------------------------------

    def absorb(self, cell: str, event: Event, before: Event | None) -> bool:
        """Take in something that is not plain; see `Outline.absorb`."""
        self.show_nothing()
        if self._concerned is not None and cell not in ("posted", "suggested", "reaction"):
            self._concerned.add(event.target)
            self._is_erased = self._is_erased or isinstance(event, PersonErased)
            return True
        if isinstance(event, PersonErased):
            self._absorb_erasure()
            return True
        return super().absorb(cell, event, before)

    def show_nothing(self) -> None:
        """Let go of what was shown. Complexity: O(comments shown)."""
        if self.views:
            self.views.clear()
            self.letters = 0
            self.names.met = frozenset()

    @contextmanager
    def judging_later(self) -> Iterator[None]:
        """Take in many facts at once: judge what they concern at the end, once."""
        self._concerned, self._is_erased = set(), False
        try:
            yield
        finally:
            concerned, self._concerned = self._concerned, None
        self.locks = Locks(self._state.cells(""), self.rules)
        if self._is_erased:
            self._absorb_erasure()
        for target in sorted(concerned):
            self._rejudge(target)

    def _absorb_erasure(self) -> None:
        """Judge anew what a person's erasure may concern. Complexity: O(n)."""
        self._horizons = person_erasures(self._today.cells(""), self.rules)
        columns = self.columns
        persons = {number for person in self._horizons if (number := columns.known(person)) is not None}
        for rank, (speaker, revision) in enumerate(zip(columns.speaker, columns.revision, strict=True)):
            if revision and columns.author(speaker) in persons:
                self.keep(rank)
        for id in [id for id, node in self._nodes.items() if node.posted is not None]:
            self._rejudge(id)
        for id in self._corrections:
            self._rejudge(id)

    def is_live(self, rank: int) -> bool:
        """Return whether the public sees the comment or any below it. Complexity: O(1)."""
        kept = self.kept_ranks.get(rank)
        return kept.live if kept is not None else self.columns.revision[rank] > 0 or self.columns.kid_count(rank) > 0

    def add_plain(self, event: CommentPosted, above: int, revision: int, name: int) -> None:
        """Take in a plain comment with an id above all others, under the one of a rank or at the top. Complexity: O(1)."""
        columns = self.columns
        actor = None if event.actor is None else event.actor.id
        rank = columns.add(event.id, above, actor, name, revision)
        if above == TOP:
            self._top_level += 1
            self.orders.note(rank)
        elif (parent := self.kept_ranks.get(above)) is None:
            columns.add_kid(above, rank)
            self.views.pop(above, None)
        else:
            parent.gain_plain(rank)
            parent.replies += 1
        self._places["total"] += 1
        for runs in self._flat_runs.values():
            runs.note(rank)
        self._flat_hot = None
        if self._posts_by is not None:
            self._note_author(self._posts_by, rank, columns.number(actor))
        self._note_word(rank, event.id)
        if event.actor is not None:
            self.names.add_plain(event.id, event.actor)

    def react(self, rank: int, event: ReactionGiven | ReactionWithdrawn, revision: int, former: int | None) -> None:
        """
        Let a reaction to a plain comment take the place of the *former*, a code.

        Complexity: O(1) for the orders now, and O(log n) keys in each at the next look.
        """
        assert event.actor is not None
        self._touch(rank)
        self.views.pop(rank, None)
        votes = self.orders.votes(rank)
        given = isinstance(event, ReactionGiven)
        self.columns.react(rank, event.actor.id, event.kind, given=given, revision=revision, former=former)
        if self.columns.parent[rank] == TOP:
            self.orders.move(rank, votes)

    # --- people ---------------------------------------------------------------------------------------------------------------

    def recent_posts(self, actor: str | None) -> Iterator[str]:
        """Yield the ids of an actor's comments, newest first. Complexity: O(n) the first time, O(log n) for each then."""
        return merge(self._plain_posts(actor), super().recent_posts(actor), reverse=True)

    def _plain_posts(self, actor: str | None) -> Iterator[str]:
        last, _ = self._posts_of(actor)
        while last != TOP:
            yield self.columns.id_of(last)
            last = self._before_by[last]

    def is_seen(self, actor: str | None) -> bool:
        """Return whether the public sees any comment of an actor. Complexity: O(n) the first time, O(1) then."""
        _, count = self._posts_of(actor)
        return count + self._shown_by.get(actor, 0) > 0  # what is kept and not shown was subtracted

    def _posts_of(self, actor: str | None) -> tuple[int, int]:
        """Return the rank of an actor's last comment in the columns, from which `_before_by` leads on, and how many there are."""
        if self._posts_by is None:
            self._posts_by = {}
            for rank, (speaker, revision) in enumerate(zip(self.columns.speaker, self.columns.revision, strict=True)):
                self._note_author(self._posts_by, rank, self.columns.author(speaker) if revision else TOP)
        number = self.columns.known(actor)
        return (TOP, 0) if number is None else self._posts_by.get(number, (TOP, 0))

    def _note_author(self, posts_by: dict[int, tuple[int, int]], rank: int, number: int) -> None:
        last, count = posts_by.get(number, (TOP, 0))
        self._before_by.append(last)
        posts_by[number] = rank, count + 1

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def _touch(self, rank: int) -> None:
        """Say that a comment may soon stand elsewhere among all, or not in the columns' any longer."""
        for runs in self._flat_runs.values() if self.columns.revision[rank] else ():
            runs.touch(rank)
        self._hot = self._flat_hot = None

    def _rerank(self, node: Node) -> None:
        assert not node.plain, node.id
        if node.pinned and self.orders.words is not None:
            self._set_apart(node)
        super()._rerank(node)

    def _is_ranked(self, id: str, order: Order) -> bool:
        return order != "active" or id in self._irregular

    def top_behind(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[SortKey], int]:
        """Return the keys of the live top level behind *after*; see `Outline.top_behind`."""
        ranks, more = self._ranks_behind(order, pinned, now, after)
        kept, count = super().top_behind(order, pinned, now, after)
        plain = (self.key_at(rank, order, pinned, now) for rank in ranks)
        return (merge(kept, plain) if count else plain), count + more

    def places_behind(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[int | Node], int]:
        """Return the live top level behind *after*, lazily, and how many they are: ranks for what is plain, and nodes."""
        ranks, more = self._ranks_behind(order, pinned, now, after)
        kept, count = super().top_behind(order, pinned, now, after)
        places = self._among(ranks, kept, order, pinned, now) if count else ranks
        return (self._kept_among(places) if order == "active" else places), count + more

    def _ranks_behind(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[int], int]:
        """Return the ranks behind *after* that are not in the sorted list of *order*, lazily, and how many they are."""
        if pinned and after is not None:  # what is pinned is in that list, and stands before
            after = after[1:] if after[0] else None
        if order != "active":
            return self.orders.behind(order, now, after)
        ranks, passed = self._listening().behind(None if after is None else self.orders.mark_of(order, after))
        regular = len(self._top.children) - len(self.top_keys(order, pinned, now))
        return ranks, self.orders.count + regular - passed

    def _kept_among(self, places: Iterator[int | Node]) -> Iterator[int | Node]:
        return (self.kept_ranks.get(place, place) if isinstance(place, int) else place for place in places)

    def _among(self, ranks: Iterator[int], kept: Iterator[SortKey], order: Order, pinned: bool, now: int) -> Iterator[int | Node]:
        """Yield what is kept in its place among the ranks. Few are kept, so few marks are made."""
        mark_of = self.orders.marks(order, now)
        first = next(kept, None)
        while some := list(islice(ranks, _SOME)):
            start = 0
            while first is not None:
                node = self._nodes[str(first[-1])]
                rank = node.rank if isinstance(node, Place) else None
                mark = () if pinned and not first[0] else self.orders.mark_of(order, first[1:] if pinned else first, rank)
                place = bisect_left(some, mark, start, key=mark_of)
                if place == len(some):
                    break
                yield from some[start:place]
                yield node
                start, first = place, next(kept, None)
            yield from some[start:]
        yield from (self._nodes[str(each[-1])] for each in chain(() if first is None else (first,), kept))

    def key_at(self, rank: int, order: Order, pinned: bool, now: int) -> SortKey:
        """Return where a plain top-level comment belongs in *order*; see `top_key`."""
        id = self.columns.id_of(rank)
        activity = self.columns.id_of(self._listening().last[rank]) if order == "active" else id
        ranked = key(order, Votes(id, *self.orders.votes(rank), activity), now=now)
        return (1, *ranked) if pinned else ranked

    def _flat_key_of(self, order: Order, now: int, rank: int) -> SortKey:
        id = self.columns.id_of(rank)
        return key(order, Votes(id, *self.orders.votes(rank), id), now=now)

    def _is_plain(self, rank: int) -> bool:
        return rank not in self.kept_ranks

    def _in_order(self, order: Order, ranks: list[int], keyed: Callable[[int], SortKey]) -> array[int]:
        """Return *ranks*, which ascend, in *order*."""
        votes = self.columns.votes
        if order == "newest":
            ranks.reverse()
        elif order in ("top", "best") and len(votes) == 1 and self.rules.positive >= votes.keys():
            for column in votes.values():  # all in favour, so both are by their number, and by id
                ranks.sort(key=column.__getitem__, reverse=True)
        elif order != "oldest":
            ranks.sort(key=keyed)
        return array("I", ranks)

    # --- all comments

    def flat_behind(self, order: Order, now: int, after: SortKey | None) -> tuple[Iterator[SortKey], int]:
        """Return the keys of all comments that the public sees behind *after*; see `Outline.flat_behind`."""
        kept, count = super().flat_behind(order, now, after)
        if order == "hot":
            plain, more = behind(self._flat_hot_keys(now), after)
        else:
            ranks, more = self._runs_of_all(order).behind(after)
            plain = map(partial(self._flat_key_of, order, 0), ranks)
        return (merge(kept, plain) if count else plain), count + more

    def _runs_of_all(self, order: Order) -> Runs:
        runs = self._flat_runs.get(order)
        if runs is None:
            keyed = partial(self._flat_key_of, order, 0)
            shape: Order = "newest" if order == "active" else order
            runs = self._flat_runs[order] = Runs(self._in_order(shape, self._plain_ranks(), keyed), keyed, self._is_plain)
        return runs

    def _plain_ranks(self) -> list[int]:
        return [rank for rank, revision in enumerate(self.columns.revision) if revision and rank not in self.kept_ranks]

    def _flat_hot_keys(self, now: int) -> list[SortKey]:
        """Return the keys of the plain comments, hottest first. Complexity: O(n log n) for each moment, and after a change."""
        if self._flat_hot is None or self._flat_hot[0] != now:
            self._flat_hot = now, sorted(self._flat_key_of("hot", now, rank) for rank in self._plain_ranks())
        return self._flat_hot[1]

    # --- activity -------------------------------------------------------------------------------------------------------------

    def way_up(self, node: Node) -> tuple[Node, int]:
        """Return the top-level ancestor, and how far above it is. Complexity: O(1), after O(depth) for the first of a branch."""
        depth, above = 0, node
        while True:
            if isinstance(above, Place):
                depth += self.descent.depth(above.rank)
                above = self.place(self.descent.root(above.rank))
            higher = self._above(above)
            if higher is None or higher is self._top:
                return above, depth
            depth += 1
            above = higher

    def _listening(self) -> LastWords:
        """Return the order by last words, which is kept up from the first look on."""
        if self.orders.words is None:
            self.orders.words = LastWords(self.columns, self.descent, self._is_hidden)
            for node in list(self._nodes.values()):
                if not isinstance(node, Place) or not (node.posted_here or node.posted is None):
                    self._irregular[self._set_apart(node).id] = None  # the columns do not know it, or not where it hangs now
                elif node.pinned:
                    self._set_apart(node)
        return self.orders.words

    def _set_apart(self, node: Node) -> Node:
        """Return the top-level ancestor of *node*: from now on it is kept, and irregular."""
        words = self._listening()
        top, _ = self.way_up(node)
        if top.id not in self._irregular:
            last = words.leave(top.rank) if isinstance(top, Place) else None
            self._irregular[top.id] = None if last is None else self.columns.id_of(last)
            if isinstance(top, Place):
                top = self.keep(top.rank)
        if isinstance(node, Place):
            words.leave(self.descent.root(node.rank))  # a placeholder that was one, and has gone home
        return top

    def _activity_of(self, node: Node) -> str:
        if isinstance(node, Place) and node.id not in self._irregular:
            return self.columns.id_of(self._listening().last.get(node.rank, node.rank))  # nothing is seen below what is not found
        found = self._irregular.get(node.id)
        if found is None:
            found = self._irregular[node.id] = self._seen_below(node) or node.id
        return found

    def _seen_below(self, top: Node) -> str:
        """Return the largest id that the public sees at or below *top*; empty if there is none. Complexity: O(comments below)."""
        columns, last, found, below = self.columns, TOP, "", list[int | Node]([top])
        while below:
            node = below.pop()
            if isinstance(node, Node):
                found = max(found, node.id if node.shown else "")
                below.extend(map(self.place_of, node.replies_behind("")[0]))
            else:
                last = max(last, node)
                below.extend(self.kept_ranks.get(kid, kid) for kid in columns.kids(node))
        return found if last == TOP else max(found, columns.id_of(last))

    def _note_shown(self, node: Node) -> Node:
        if self.orders.words is None:
            return node
        top = self._set_apart(node)
        found = self._irregular[top.id]
        if found is not None and node.shown:
            self._irregular[top.id] = max(found, node.id)
        elif found == node.id:
            self._irregular[top.id] = None
        return top

    def _move_activity(self, node: Node) -> None:
        if self.orders.words is not None:
            top = self._set_apart(node)
            self._irregular[top.id] = None
            self._rerank(top)

    def _note_word(self, rank: int, id: str) -> None:
        """Note what was said last of all."""
        words = self.orders.words
        if words is None or words.note(rank):
            return
        top, _ = self.way_up(self.place(rank))
        found = self._irregular[top.id]
        self._irregular[top.id] = found and max(found, id)
        self._rerank(top)

    # --- corrections ----------------------------------------------------------------------------------------------------------

    def correction(self, id: str) -> Standing | None:
        """Return what holds for a correction; see `Outline.correction`."""
        return super().correction(id) if self.columns.comment(id) is None else None


class DenseNames(Names):
    """
    The names used in a thread that is mostly columns. Of most the columns know the hash; one is read from the log when a body
    seems to say it. Once as much was looked for as there are names, all of them are read.

    Args:
        outline: Whose comments use them.
    """

    __slots__ = ("_outline", "_patience", "_silent", "_unread", "met")

    def __init__(self, outline: DenseOutline) -> None:
        super().__init__()
        self._outline = outline
        #: By the hash of a name that was not read yet: the first comment by each who uses it. None if nobody has asked.
        self._unread: dict[int, array[int]] | None = None
        #: How many more names are looked for before all are read: as many as there are.
        self._patience = 0
        #: The bodies that were met last: what they may say is read.
        self.met = frozenset[str]()
        #: The comments of the columns whose names are erased.
        self._silent: set[int] = set()

    def add(self, id: str, actor: Actor | None) -> None:
        """Note that the comment *id* was written by *actor*; what the columns tell anyhow is not noted again."""
        if self._outline.rank(id) is None:
            super().add(id, actor)
        elif actor is not None:
            self.add_plain(id, actor)

    def add_plain(self, id: str, actor: Actor) -> None:
        """Note that a comment of the columns was written by *actor*, unless they are still to be asked."""
        if self._unread is not None and actor.name.strip():
            self.tell(actor, id)

    def discard(self, id: str) -> None:
        """Forget the name that the comment *id* used."""
        rank = self._outline.rank(id)
        if rank is None:
            super().discard(id)
        elif rank not in self._silent:
            self._silent.add(rank)
            self._unread, self.met = None, frozenset()
            self.forget_told()

    def find(self, body: str, *, comment: str, nearest: Nearest) -> tuple[Mention, ...]:
        """Return the mentions in *body*; see `Names.find`. Complexity: as for `meet`, too, if it was not met."""
        if body not in self.met:
            self.meet([body])
        return super().find(body, comment=comment, nearest=nearest)

    def meet(self, bodies: Iterable[str]) -> None:
        """Read the names that some bodies may mean. Complexity: O(length), and O(speakers) the first time."""
        self.met = frozenset(bodies)
        if self._unread is None:
            self._unread = {}
            for _, name, first in self._first_uses():
                self._unread.setdefault(name, array("I")).append(first)
            self._patience = len(self._unread)
        ranks = self._meant(self.met, self._unread) if self._unread else []
        if ranks:
            id_of = self._outline.columns.id_of
            authors = zip(self._outline.authors(ranks), ranks, strict=True)
            self.tell_all((actor, id_of(rank)) for actor, rank in authors if actor is not None and actor.name.strip())

    def _meant(self, bodies: Iterable[str], unread: dict[int, array[int]]) -> list[int]:
        """Return the first comments under those of the names not read yet that some bodies may mean, or under all of them."""
        ranks: list[int] = []
        for name in chain.from_iterable(map(starts_of_names, bodies)):
            ranks += unread.pop(hash_of(name), ())
            self._patience -= 1
            if self._patience < 0:
                ranks += chain.from_iterable(unread.values())
                unread.clear()
                break
        return ranks

    def _first_uses(self) -> Iterator[tuple[int, int, int]]:
        """Return what the columns' `first_uses` does, of what is not erased."""
        columns, silent = self._outline.columns, self._silent
        if not silent:
            return columns.first_uses()
        again = {columns.speaker[rank] for rank in silent}
        uses = ((use,) if use[0] not in again else self._next_use(*use[:2]) for use in columns.first_uses())
        return chain.from_iterable(uses)

    def _next_use(self, speaker: int, name: int) -> Iterator[tuple[int, int, int]]:
        """Yield a speaker's first use of their name that is not erased, if there is one."""
        columns, silent = self._outline.columns, self._silent
        uses = (rank for rank, said_by in enumerate(columns.speaker) if said_by == speaker and rank not in silent)
        yield from islice(((speaker, name, rank) for rank in uses if columns.revision[rank]), 1)

    def _last_told(self, name: str, comment: str, above: str) -> str | None:
        """Return who used *name* last between two comments. Complexity: O(comments between them)."""
        columns = self._outline.columns
        number, speakers = name_hash(name), dict[int, str]()
        for actor in self._uses[name].told:
            speaker = columns.speaker_named(actor, number)
            assert speaker is not None, actor
            speakers[speaker] = actor
        for rank in range(columns.below(comment) - 1, columns.below(above) - 1 if above else -1, -1):
            if columns.speaker[rank] in speakers and columns.revision[rank] and rank not in self._silent:
                return speakers[columns.speaker[rank]]
        return None
