"""A thread in memory as a `Source`: each answer is there at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from threadstore.model.events import CommentEdited, CommentPosted, Event, ThreadDescribed
from threadstore.model.index import Index
from threadstore.model.mentions import MAX_ABOVE, Mention
from threadstore.model.outline import CORRECTIONS, MISSING, Node
from threadstore.model.state import Cells, State
from threadstore.model.status import Locks, is_forgotten
from threadstore.plans import NOTHING, Plan
from threadstore.views.source import Head, Said, Source, Walk
from threadstore.views.types import Counts

__all__ = ["MemorySource"]


class MemorySource(Source):
    """
    A thread in memory, to be read.

    Args:
        state: The thread.
        index: What is derived of it.
        revision: Where it stands in a log; 0 for one that comes from none.
        unreadable: How many events up to there could not be read.
    """

    def __init__(self, state: State, index: Index, *, revision: int = 0, unreadable: int = 0) -> None:
        self.key = state.key
        self.rules = index.rules
        self._state = state
        self._today = state.today
        self._index = index
        self._revision = revision
        self._unreadable = unreadable

    def head(self) -> Plan[Head]:
        """Return what is known of the thread. Complexity: O(1)."""
        yield from NOTHING
        tally = self._index.tally
        counts = Counts(tally.top, tally.total - tally.top, tally.total, tally.pending, tally.hidden)
        title, url = self._description()
        return Head(self._revision, counts, tally.locked, self._state.latest, title, url, self._unreadable)

    def _description(self) -> tuple[str, str]:
        described = self._index.today.tally.described
        if not isinstance(described, ThreadDescribed):
            return "", ""
        return "" if is_forgotten(described, self._index.cutoffs) else described.title, described.url

    def walk(self, walk: Walk) -> Plan[tuple[Sequence[Node], int]]:
        """Return a part of an order. Complexity: O(limit + log n) where the order is sorted already."""
        yield from NOTHING
        index = self._index
        keys = index.flat(walk.order, walk.now) if walk.flat else index.top(walk.order, walk.pinned, walk.now)
        start = 0 if walk.after is None else bisect_right(keys, walk.after)
        chosen = islice(keys, start, start + walk.limit)
        return [index.get(str(key[-1])) for key in chosen], len(keys) - start

    def children(self, parents: Sequence[str], most: int) -> Plan[Mapping[str, Sequence[Node]]]:
        """Return first replies. Complexity: O(replies)."""
        yield from NOTHING
        return {parent: self._nodes(islice(self._index.children(parent)[0], most)) for parent in parents}

    def children_behind(self, parent: str, after: str, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return replies. Complexity: O(limit + log n)."""
        yield from NOTHING
        ids, count = self._index.children(parent, after)
        return self._nodes(islice(ids, limit)), count

    def _nodes(self, ids: Any) -> list[Node]:
        return [self._index.get(id) for id in ids]

    def nodes(self, ids: Collection[str]) -> Plan[Mapping[str, Node]]:
        """Return nodes. Complexity: O(ids)."""
        yield from NOTHING
        return {id: node for id in ids if (node := self._index.node(id)) is not None}

    def ancestors(self, node: Node, limit: int | None) -> Plan[Sequence[Node]]:
        """Return the nodes above. Complexity: O(limit)."""
        yield from NOTHING
        return list(islice(self._index.above(node), limit))

    def depth(self, node: Node) -> Plan[int]:
        """Return the depth. Complexity: O(depth)."""
        yield from NOTHING
        return sum(1 for _ in self._index.above(node))

    def withheld(self, author: int | None) -> Plan[Sequence[Node]]:
        """Return what is withheld. Complexity: O(withheld)."""
        yield from NOTHING
        nodes = self._nodes(self._index.withheld)
        return [node for node in nodes if author is None or node.author == author]

    def said(self, nodes: Sequence[Node]) -> Plan[Sequence[Said]]:
        """Return words. Complexity: O(nodes), and what their mentions cost."""
        yield from NOTHING
        return [self._said(node) for node in nodes]

    def _said(self, node: Node) -> Said:
        posted, text = node.post, node.post if node.text is None else node.text
        assert isinstance(posted, CommentPosted), node.id
        assert isinstance(text, CommentEdited | CommentPosted), node.id
        mentions = self._mentions(node, text.id, text.body) if "@" in text.body else ()
        return Said(posted.parent, posted.actor, posted.at, posted.meta, text.id, text.body, text.actor, mentions)

    def _mentions(self, node: Node, text: str, body: str) -> tuple[Mention, ...]:
        today = self._index.today  # of a past as well, since the text is today's

        def above() -> list[int]:
            places = islice(today.above(today.get(node.id)), MAX_ABOVE)
            return [place.author for place in places if not place.flags & MISSING]

        return today.names.find(body, comment=text, above=above)

    def facts(self, places: Collection[Any]) -> Plan[Mapping[Any, Event]]:
        """Return facts: in memory a fact is its own place. Complexity: O(places)."""
        yield from NOTHING
        return {place: place for place in places}

    def cells(self, ids: Collection[str]) -> Plan[Mapping[str, Cells]]:
        """Return cells. Complexity: O(ids)."""
        yield from NOTHING
        return {id: self._cells(id) for id in ids}

    def _cells(self, id: str) -> Cells:
        if self._today is self._state or not id:
            return self._state.cells(id)
        then = {name: cell for name, cell in self._state.cells(id).items() if name.startswith("pinned")}
        return {name: cell for name, cell in self._today.cells(id).items() if not name.startswith("pinned")} | then

    def reacted(self, ids: Sequence[str], reader: str) -> Plan[Mapping[str, frozenset[str]]]:
        """Return a reader's reactions. Complexity: O(ids)."""
        yield from NOTHING
        return {id: self._index.reacted(id, reader) for id in ids}

    def locks(self) -> Plan[Locks | None]:
        """Return the locks. Complexity: O(locks)."""
        yield from NOTHING
        return Locks(self._state.cells(""), self.rules) if self._index.tally.late else None

    def cutoffs(self) -> Plan[Mapping[str, str]]:
        """Return whose words are forgotten. Complexity: O(1)."""
        yield from NOTHING
        return self._index.cutoffs

    def corrections(self) -> Plan[Sequence[Node]]:
        """Return the corrections. Complexity: O(corrections)."""
        yield from NOTHING
        return self._nodes(self._index.children(CORRECTIONS)[0])

    def waiting(self, after: tuple[str, str] | None, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return what waits. Complexity: O(w log w) for w waiting."""
        yield from NOTHING
        waiting = sorted((since, id) for id, since in self._index.waiting.items())
        start = 0 if after is None else bisect_right(waiting, after)
        return self._nodes(id for _, id in waiting[start : start + limit]), len(waiting) - start
