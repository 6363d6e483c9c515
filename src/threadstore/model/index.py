"""
A whole outline in memory, and what is looked up in it: replies, orders, what waits, who said what.

An `Outline` keeps flat records; a page asks for them in order. Here each order is a sorted list,
made when somebody asks for it and kept up from then on: after each change, `refresh` brings the
nodes that were touched to their places. A database answers the same questions from its indexes
(`threadstore.readmodel.pages`).

Laws: what is looked up equals what an index made anew would say (`check`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from threadstore.model.events import Event
from threadstore.model.mentions import Names
from threadstore.model.outline import CORRECTIONS, FLAGS, TOP, Node, Outline, Tally
from threadstore.model.policy import Rules
from threadstore.model.ranking import Key, Order, Votes, key
from threadstore.model.state import State
from threadstore.model.status import Given, effective_kinds

__all__ = ["Index", "SortKey", "sort_key"]

#: Where a comment stands in an order: its `Key`, or with pins a 0 or a 1 before it.
SortKey = Key

_ERASED = FLAGS["erased"]


def sort_key(node: Node, order: Order, rules: Rules, now: int, *, pinned: bool = False, flat: bool = False) -> SortKey:
    """Return where a node stands in an order of the top level, or of all comments if *flat*; the pinned ones in front."""
    up, down = node.score(rules)
    activity = node.id if flat or not node.active else node.active
    ranked = key(order, Votes(node.id, up, down, activity), now=now)
    return (0 if node.flags & FLAGS["pinned"] and node.shown else 1, *ranked) if pinned else ranked


class _Everything(dict[str, Node | None]):
    """All nodes of a thread: what is not here is nowhere."""

    def __missing__(self, key: str) -> None:
        return None


class _Sorted:
    """Keys in order, and the key of each id. Complexity: O(log n) comparisons a change, and a move of memory."""

    __slots__ = ("_of", "keys")

    def __init__(self, of: dict[str, SortKey]) -> None:
        self._of = of
        self.keys = sorted(of.values())

    def put(self, id: str, key: SortKey | None) -> None:
        """Give *id* another key, or none."""
        former = self._of.get(id)
        if former == key:
            return
        if former is not None:
            del self.keys[bisect_left(self.keys, former)]
            del self._of[id]
        if key is not None:
            insort(self.keys, key)
            self._of[id] = key


def _put_in(ids: list[str], id: str) -> None:
    place = bisect_left(ids, id)
    if place == len(ids) or ids[place] != id:
        ids.insert(place, id)


def _itself(fact: Event) -> Any:
    return fact


class Index:
    """
    What is derived of a thread in memory under one set of rules.

    Args:
        state: The thread, or a past of it.
        rules: Who may do what, and which reactions count.

    Complexity: O(n log n) to make.
    """

    def __init__(self, state: State, rules: Rules) -> None:
        self.rules = rules
        self._state = state
        self._nodes = _Everything()
        today = state.today
        self._today = today
        self._changes = today.changes
        self._past = None if today is state else Index(today, rules)  # what holds today
        self.outline = Outline(
            state,
            rules,
            tally=Tally(),
            nodes=self._nodes,
            place=_itself,
            children=self._all_children,
            today=None if self._past is None else self._past._nodes.__getitem__,
        )
        self.names: Names = Names() if self._past is None else self._past.names
        #: The live children of each node that has any, in order, and the parent that each live node is listed under.
        self._children: dict[str, list[str]] = {}
        self._listed: dict[str, str] = {}
        self._orders: dict[tuple[Order, bool], _Sorted] = {}
        self._flat: dict[tuple[Order, int], list[SortKey]] = {}
        self._waiting: dict[str, str] = {}
        self._withheld: set[str] = set()
        self._by_author: dict[int, list[str]] = {}
        #: What the public sees at and below the top-level nodes whose latest word has once been looked for, in order; the
        #: last of it may have gone meanwhile.
        self._spoken: dict[str, list[str]] = {}
        self._begin()

    def _begin(self) -> None:
        outline, state = self.outline, self._state
        for target in sorted(state.targets()):  # so that what a comment answers comes before it
            cells = state.cells(target)
            if target and cells.keys() - {"posted", "suggested"}:
                outline.at(target).flags |= FLAGS["complex"]
            for name in ("posted", "suggested") if target else cells:
                for fact in cells.get(name, {}).values():
                    outline.take(fact, None)
        given: dict[tuple[str, str], dict[str, tuple[str, bool]]] = {}
        for (comment, actor, kind), reaction in state.reactions():
            if actor is not None:
                given.setdefault((comment, actor), {})[kind] = (reaction.id, reaction.kind_tag == "reaction.given")
        for (comment, _), mine in given.items():
            for kind in effective_kinds(mine, self.rules):
                outline.count_vote(outline.at(comment), kind, 1)
        self.refresh()

    @property
    def today(self) -> Index:
        """Return the index of what holds today: itself, unless it is of a past."""
        return self if self._past is None else self._past

    @property
    def cutoffs(self) -> Mapping[str, str]:
        """Return, for each person whose words were erased, the id below which they are forgotten."""
        return self.today.outline.cutoffs

    @property
    def outdated(self) -> bool:
        """Return whether it was made of a past, and what is known today has changed since."""
        return self._past is not None and self._today.changes != self._changes

    @property
    def tally(self) -> Tally:
        """Return the thread's counts."""
        return self.outline.tally

    def take(self, event: Event, before: Event | None) -> bool:
        """Follow *event*, which stands in the place of *before* now; False if the index must be made anew."""
        if self._past is not None or not self.outline.take(event, before):
            return False
        self.refresh()
        return True

    def refresh(self) -> None:
        """Bring all that was touched to its places. Complexity: O(log n) for each node, and a move of memory."""
        outline = self.outline
        outline.settle()
        if outline.touched:
            self._flat.clear()
        for node in list(outline.touched.values()):
            self._list(node)
        for id in outline.quiet:
            root = self.get(id)
            root.active = self._last_shown(root)
            self._list(root)
        outline.quiet.clear()
        outline.touched.clear()

    def _last_shown(self, root: Node) -> str:
        """
        Return the largest id that the public sees at or below a top-level node; empty if it sees none.

        Complexity: O(log n), amortised, and the first time O(nodes below).
        """
        ids = self._spoken.get(root.id)
        if ids is None:
            ids = self._spoken[root.id] = sorted(self._shown_below(root))
        while ids and not self.get(ids[-1]).shown:
            ids.pop()
        return ids[-1] if ids else ""

    def _shown_below(self, root: Node) -> Iterator[str]:
        stack = [root.id]
        while stack:
            id = stack.pop()
            if self.get(id).shown:
                yield id
            stack += self._children.get(id, ())

    def _all_children(self, parent: str) -> list[str]:
        """Return what hangs under a node, dead or alive. Complexity: O(n)."""
        return [id for id, node in self._nodes.items() if node is not None and node.parent == parent]

    def get(self, id: str) -> Node:
        """Return a node that is there."""
        node = self._nodes[id]
        assert node is not None, id
        return node

    def node(self, id: str) -> Node | None:
        """Return a node, or None; not to be changed. Complexity: O(1)."""
        return self._nodes[id]

    def _list(self, node: Node) -> None:
        id = node.id
        parent = node.parent if node.live or node.parent == CORRECTIONS else None
        former = self._listed.get(id)
        if former != parent:
            if former is not None:
                children = self._children[former]
                del children[bisect_left(children, id)]
                del self._listed[id]
            if parent is not None:
                insort(self._children.setdefault(parent, []), id)
                self._listed[id] = parent
        for (order, pinned), kept in self._orders.items():
            is_ranked = parent == TOP
            kept.put(id, sort_key(node, order, self.rules, 0, pinned=pinned) if is_ranked else None)
        if node.since:
            self._waiting[id] = node.since
        elif self._waiting:
            self._waiting.pop(id, None)
        if node.withheld:
            self._withheld.add(id)
        elif self._withheld:
            self._withheld.discard(id)
        if node.post is not None and not node.flags & FLAGS["correction"]:
            _put_in(self._by_author.setdefault(node.author, []), id)
            self._note_name(node)
            if self._spoken:
                self._note_word(node, moved=former == TOP != node.parent)

    def _note_word(self, node: Node, *, moved: bool) -> None:
        root = self.outline.root(node)
        if root is not node:
            self._spoken.pop(node.id, None)
        if moved:  # with all below it, which is looked for again when it is needed
            self._spoken.pop(root.id, None)
        elif node.shown and root.id in self._spoken:
            _put_in(self._spoken[root.id], node.id)

    def _note_name(self, node: Node) -> None:
        if self._past is not None:
            return
        if node.flags & _ERASED:
            self.names.discard(node.id)
        else:
            self.names.add(node.id, node.post.actor)

    # --- replies --------------------------------------------------------------------------------------------------------------

    def children(self, parent: str, after: str = "") -> tuple[Iterator[str], int]:
        """Return the live children above *after*, lazily, and how many they are; of `TOP`, or of `CORRECTIONS`, as well."""
        ids = self._children.get(parent, [])
        start = bisect_right(ids, after)
        return islice(ids, start, None), len(ids) - start

    def above(self, node: Node) -> Iterator[Node]:
        """Yield the nodes above *node*, the parent first, up to the top level."""
        while node.parent:
            node = self.get(node.parent)
            yield node

    @property
    def withheld(self) -> Iterable[str]:
        """Return the comments that are removed or held."""
        return self._withheld

    @property
    def waiting(self) -> dict[str, str]:
        """Return what waits for a moderator, with the oldest fact that it waits for."""
        return self._waiting

    # --- authors --------------------------------------------------------------------------------------------------------------

    def posts_by(self, actor: int) -> list[str]:
        """Return the ids of the comments by the actor with this key, oldest first; 0 for anonymous ones. Complexity: O(1)."""
        return self._by_author.get(actor, [])

    def reacted(self, comment: str, actor: str) -> frozenset[str]:
        """Return the kinds of which an actor's reaction to a comment counts. Complexity: O(kinds on offer)."""
        return effective_kinds(_given(self._state, comment, actor, self.rules), self.rules)

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def top(self, order: Order, pinned: bool, now: int) -> list[SortKey]:
        """
        Return the keys of the live top level in *order*, ascending; not to be changed.

        Complexity: O(1) for an order that was asked for before, O(n log n) the first time; "hot" anew for each *now*.
        """
        if order == "hot":
            return sorted(sort_key(self.get(id), order, self.rules, now, pinned=pinned) for id in self._children.get(TOP, ()))
        kept = self._orders.get((order, pinned))
        if kept is None:
            nodes = (self.get(id) for id in self._children.get(TOP, ()))
            keys = {node.id: sort_key(node, order, self.rules, 0, pinned=pinned) for node in nodes}
            kept = self._orders[order, pinned] = _Sorted(keys)
        return kept.keys

    def flat(self, order: Order, now: int) -> list[SortKey]:
        """
        Return the keys of all comments that the public sees, in *order*, ascending; not to be changed.

        Complexity: O(n log n) after a change, O(1) then.
        """
        if (order, now) not in self._flat:
            shown = (node for node in self._nodes.values() if node is not None and node.shown and node.is_comment)
            self._flat = {(order, now): sorted(sort_key(node, order, self.rules, now, flat=True) for node in shown)}
        return self._flat[order, now]

    # --- checking -------------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert every invariant. For tests. Complexity: O(n log n)."""
        fresh = Index(self._state, self.rules)
        assert self.tally == fresh.tally, (self.tally, fresh.tally)
        assert _kept(self._nodes) == _kept(fresh._nodes)
        assert {parent: ids for parent, ids in self._children.items() if ids} == fresh._children
        for order, pinned in self._orders:
            assert self.top(order, pinned, 0) == fresh.top(order, pinned, 0), order
        assert self._waiting == fresh._waiting
        assert self._withheld == fresh._withheld
        assert self._by_author == fresh._by_author
        for id, spoken in self._spoken.items():
            assert [each for each in spoken if self.get(each).shown] == sorted(self._shown_below(self.get(id)))


def _given(state: State, comment: str, actor: str, rules: Rules) -> Given:
    found = ((kind, state.reaction(comment, actor, kind)) for kind in rules.kinds)
    return {kind: (last.id, last.kind_tag == "reaction.given") for kind, last in found if last is not None}


def _kept(nodes: Mapping[str, Node | None]) -> dict[str, Any]:
    """
    Return what depends on the facts alone.

    How the way to the root is shortened depends on their order, and so does a node of which nothing is known any more.
    """
    return {id: _bare(node) for id, node in nodes.items() if node and node != Node(id)}


def _bare(node: Node) -> Any:
    return (node.id, node.parent, node.post, node.text, node.flags, node.kids, node.replies, node.votes, node.since, node.active)
