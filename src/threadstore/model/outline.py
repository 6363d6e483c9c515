"""
What is derived from a thread's state under one set of rules: the tree, the counts, and the sorted top level.

Every comment is a node under its parent. A comment whose parent is not in the set hangs under a placeholder at the top
level, and moves home when the parent comes; one whose parent does not have a smaller id hangs under the one placeholder with
the nil id. So there are no cycles, and each comment has exactly one place.

A node is *live* if the public sees its comment or any below it. A parent keeps the ids of its live children, in order, and
apart from them those of its *buried* ones, so a page never steps over what it does not show. Liveness travels up only as far
as it changes something: an ordinary reply touches its parent and nothing else, however deep the tree and however large the
thread.

Most comments were posted and reacted to, and nothing about them is to be judged. When an outline is made, such a comment is
counted and takes its place in its parent's list; its node is made when somebody asks for it, with those above it.

Orders of the top level are sorted when first asked for and kept up from then on, each as one sorted list of keys.

Laws: `absorb` leaves the outline equal to a new one; counts equal a recount of the tree; nothing recurses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from threadstore.model.events import (
    Actor,
    CommentPosted,
    CorrectionSuggested,
    Event,
    Key,
    ReactionGiven,
    ReactionWithdrawn,
)
from threadstore.model.ids import NIL
from threadstore.model.mentions import Names
from threadstore.model.policy import Rules
from threadstore.model.ranking import Order, Votes, key
from threadstore.model.state import State
from threadstore.model.status import (
    Locks,
    Standing,
    correction_standing,
    effective_reaction,
    is_author,
    is_pinned,
    is_unjudged,
    judge,
    person_erasures,
    rivals,
    tally,
)
from threadstore.views.types import Counts

if TYPE_CHECKING:
    from threadstore.views.lens import Lens

__all__ = ["Ids", "Node", "Outline", "Outlined", "SortKey", "added", "behind", "removed"]

SortKey = tuple[int | str, ...]


#: Ids in order. Most comments have no reply, and nothing is kept for those.
Ids = list[str] | tuple[()]


def added(ids: Ids, id: str) -> Ids:
    """Return *ids* with one more in its place. Complexity: O(log n) comparisons, and a move of memory."""
    if not ids:
        return [id]
    assert isinstance(ids, list)
    insort(ids, id)
    return ids


class Node:
    """One place in the tree: a comment, or a placeholder (`posted` is None) for one that is missing."""

    __slots__ = ("buried", "children", "home", "id", "parent", "pinned", "posted", "replies", "shown", "standing", "votes")

    def __init__(self, id: str) -> None:
        self.id = id
        self.parent: Node | None = None
        #: A node at or above the parent; followed and shortened in search of the top-level ancestor.
        self.home: Node | None = None
        self.posted: CommentPosted | None = None
        self.standing: Standing | None = None
        #: Whether the public sees the comment itself.
        self.shown = False
        #: The ids of the live children, in order, and of the others.
        self.children: Ids = ()
        self.buried: Ids = ()
        #: How many direct replies the public sees.
        self.replies = 0
        self.votes: dict[str, int] = {}
        self.pinned = False

    @property
    def plain(self) -> bool:
        """Return whether nothing is known of the comment but that it was posted; a node that is kept in memory never is."""
        return False

    @property
    def live(self) -> bool:
        """Return whether the public sees the comment or any below it."""
        return self.shown or bool(self.children)

    def replies_behind(self, after: str) -> tuple[Iterator[str], int]:
        """Return the ids of the live children above *after*, lazily, and how many they are."""
        start = bisect_right(self.children, after)
        return islice(self.children, start, None), len(self.children) - start

    def gain(self, node: Node) -> None:
        """Count a node among the live children. Complexity: O(log n) comparisons, and a move of memory."""
        self.children = added(self.children, node.id)

    def lose(self, node: Node) -> None:
        """Count a node among the live children no longer. Complexity: as for `gain`."""
        removed(self.children, node.id)


def removed(keys: list[Any] | tuple[()], key: Any) -> None:
    """Take *key* out of a sorted list that holds it. Complexity: O(log n) comparisons, and a move of memory."""
    assert isinstance(keys, list), key
    del keys[bisect_left(keys, key)]


def behind(keys: list[SortKey], after: SortKey | None) -> tuple[Iterator[SortKey], int]:
    """Return the sorted keys behind *after* (None: all), lazily, and how many they are. Complexity: O(log n) comparisons."""
    start = 0 if after is None else bisect_right(keys, after)
    return islice(keys, start, None), len(keys) - start


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
            removed(self.keys, former)
            del self._of[id]
        if key is not None:
            insort(self.keys, key)
            self._of[id] = key


class Outlined(State):
    """A state that can be read through an outline; `threadstore.Thread` is one."""

    __slots__ = ()

    def outline(self, rules: Rules) -> Outline:
        """Return what is derived from the state under *rules*."""
        raise NotImplementedError

    def lens(self, rules: Rules, reader: Actor | str | None, reveal: Collection[str] | str) -> Lens:
        """Return how a reader sees the state under *rules*."""
        raise NotImplementedError


class Outline:
    """
    The tree of one thread under one set of rules.

    Args:
        state: The thread, or a past of it.
        rules: Who may do what, and which reactions count.

    Complexity: O(n log n) to make.
    """

    def __init__(self, state: State, rules: Rules) -> None:
        self.rules = rules
        self._state = state
        self._today = state.today
        self._changes = self._today.changes
        self._top = Node("")
        self._nodes: dict[str, Node] = {}
        #: The comments whose nodes are still to be made, and the ids of the replies to them.
        self._unmade: dict[str, CommentPosted] = {}
        self._below: dict[str, Ids] = {}
        self._places = {"total": 0, "pending": 0, "hidden": 0}
        self._top_level = 0
        self._waiting: dict[str, Standing] = {}
        self._withheld: dict[str, Node] = {}
        self._by_author: dict[str | None, list[str]] = {}
        self._shown_by: dict[str | None, int] = {}
        self._corrections: list[str] = []
        self._sorted: dict[tuple[Order, bool], _Sorted] = {}
        self._activity: dict[str, list[str]] | None = None
        self._flat: dict[str, list[SortKey]] = {}
        self._hot: tuple[int, bool, list[SortKey]] | None = None
        self._horizons = person_erasures(self._today.cells(""), rules)
        self.locks = Locks(state.cells(""), rules)
        self.names = Names()
        self._begin()
        if self._today is not state:
            self.names = self._names_of_today()

    def _names_of_today(self) -> Names:
        today = self._today
        return (today.outline(self.rules) if isinstance(today, Outlined) else Outline(today, self.rules)).names

    def _begin(self) -> None:
        """Give all that there is its place."""
        appended: list[CommentPosted] = []
        for target in sorted(self._state.targets()):  # so that what a comment answers comes before it
            posted = self._append(target)
            if posted is None:
                self._settle(target)
            else:
                appended.append(posted)
        self._places["total"] += len(appended)
        self._top_level += sum(1 for posted in appended if posted.parent is None)
        self.names.add_all((posted.id, posted.actor) for posted in appended)

    def _append(self, id: str) -> CommentPosted | None:
        """Give a comment its place behind all that have one, and return it, if nothing about it is to be judged."""
        cells = self._state.cells(id)
        if self._today is not self._state or not is_unjudged(cells, self._horizons):
            return None
        posted = cells["posted"][id,]
        assert isinstance(posted, CommentPosted), id
        if posted.parent in self._unmade:
            self._below[posted.parent] = added(self._below.get(posted.parent, ()), id)
        else:
            parent = self._top if posted.parent is None else self._nodes.get(posted.parent)
            if parent is None or not (parent.live or parent is self._top):
                return None
            parent.children = added(parent.children, id)
            parent.replies += 1
        self._unmade[id] = posted
        author = None if posted.actor is None else posted.actor.id
        self._by_author.setdefault(author, []).append(id)
        self._shown_by[author] = self._shown_by.get(author, 0) + 1
        return posted

    def _made(self, id: str) -> Node | None:
        """Return the node with this id, made with those above it if nobody has asked for it yet."""
        node = below = self._nodes.get(id)
        if node is not None or id not in self._unmade:
            return node
        while (posted := self._unmade.pop(id, None)) is not None:
            made = self._nodes[id] = Node(id)
            made.posted, made.standing, made.shown = posted, Standing(posted), True
            made.votes = tally(self._state.cells(id), self.rules)
            made.children = self._below.pop(id, ())
            made.replies = len(made.children)
            if below is None:
                node = made
            else:
                below.parent = below.home = made
            below, id = made, posted.parent or ""
        assert below is not None, id
        below.parent = below.home = self._nodes[id] if id else self._top
        return node

    def _all_made(self) -> dict[str, Node]:
        for id in list(self._unmade):
            self._made(id)
        return self._nodes

    def _settle(self, target: str) -> None:
        cells = self._state.cells(target)
        posted = cells.get("posted", {}).get((target,))
        if isinstance(posted, CommentPosted):
            self._add(posted)
        suggested = cells.get("suggested", {}).get((target,))
        if isinstance(suggested, CorrectionSuggested):
            self._add_correction(suggested)

    # --- reading --------------------------------------------------------------------------------------------------------------

    @property
    def outdated(self) -> bool:
        """Return whether it was made of a past, and what is known today has changed since."""
        today = self._state.today
        return today is not self._state and (today is not self._today or today.changes != self._changes)

    @property
    def top(self) -> Node:
        """Return the node above the top level, which is no comment."""
        return self._top

    def node(self, id: str) -> Node | None:
        """Return the place of a comment or of a placeholder. Complexity: O(1) for each node that is made."""
        return self._made(id)

    def comment(self, id: str) -> Node | None:
        """Return the place of a comment, not of a placeholder. Complexity: as for `node`."""
        node = self._made(id)
        return None if node is None or node.posted is None else node

    def counts(self) -> Counts:
        """Return how many comments there are. Complexity: O(1)."""
        total = self._places["total"]
        return Counts(self._top_level, total - self._top_level, total, self._places["pending"], self._places["hidden"])

    def posts_by(self, actor: str | None) -> list[str]:
        """Return the ids of an actor's comments, oldest first. Complexity: O(1)."""
        return self._by_author.get(actor, [])

    def is_untouched(self, id: str) -> bool:  # noqa: ARG002  # for outlines that can tell
        """Return whether nothing is known of a comment but that it is there: True only if that costs nothing to tell."""
        return False

    def recent_posts(self, actor: str | None) -> Iterator[str]:
        """Yield the ids of an actor's comments, newest first. Complexity: O(log n) for each."""
        return reversed(self.posts_by(actor))

    def is_seen(self, actor: str | None) -> bool:
        """Return whether the public sees any comment of an actor. Complexity: O(1)."""
        return self._shown_by.get(actor, 0) > 0

    @property
    def corrections(self) -> list[str]:
        """Return the ids of the corrections, oldest first."""
        return self._corrections

    @property
    def horizons(self) -> dict[str, str]:
        """Return, for each erased person, the id below which their words are forgotten."""
        return self._horizons

    @property
    def waiting(self) -> dict[str, Standing]:
        """Return what waits for a moderator."""
        return self._waiting

    def standing(self, id: str) -> Standing | None:
        """Return what holds for a comment or a correction. Complexity: O(1) for a comment, O(facts on it) for a correction."""
        node = self.comment(id)
        return self.correction(id) if node is None else node.standing

    def correction(self, id: str) -> Standing | None:
        """
        Return what holds for a correction.

        None if there is none. An anonymous suggestion has no effect, and an id that is a comment's is no correction's.

        Complexity: O(facts on it).
        """
        cells = self._today.cells(id)
        suggested = cells.get("suggested", {}).get((id,))
        if not isinstance(suggested, CorrectionSuggested) or suggested.actor is None or "posted" in cells:
            return None
        return correction_standing(cells, suggested, self._horizons, self.rules)

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Yield the nodes above *node*, the parent first, up to the top level."""
        above = node.parent
        while above is not None and above is not self._top:
            yield above
            above = above.parent

    def opened_to(self, reader: Actor | None, *, moderates: bool) -> list[Node]:
        """
        Return the withheld comments that this reader sees all the same.

        Moderators see what was removed or is held; authors see their own while it is held.

        Complexity: O(withheld comments).
        """
        if reader is None and not moderates:
            return []
        return [node for node in self._withheld.values() if moderates or self._is_own_held(node, reader)]

    def unburied(self, nodes: Iterable[Node]) -> frozenset[str]:
        """
        Return the ids of those *nodes* that are buried, and of the buried nodes above them: what a page must dig up to show them.

        Complexity: O(nodes and their depth).
        """
        ids: set[str] = set()
        for node in nodes:
            for place in chain((node,), self.ancestors(node)):
                if place.live or place.id in ids:
                    break
                ids.add(place.id)
        return frozenset(ids)

    @staticmethod
    def _is_own_held(node: Node, reader: Actor | None) -> bool:
        posted, standing = node.posted, node.standing
        return posted is not None and standing is not None and standing.place == "pending" and is_author(reader, posted)

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def top_key(self, node: Node, order: Order, pinned: bool, now: int) -> SortKey:
        """Return where a top-level *node* belongs in *order*; with *pinned*, what is pinned comes first."""
        activity = self._activity_of(node) if order == "active" else node.id
        ranked = key(order, self._votes_of(node, activity), now=now)
        return (0 if node.pinned and node.shown else 1, *ranked) if pinned else ranked

    def _top_key_of(self, id: str, order: Order, pinned: bool, now: int) -> SortKey:
        """Return the `top_key` of an id; a comment for which nobody has asked is not pinned, and gets no node for it."""
        if order == "active" or id not in self._unmade:
            node = self._made(id)
            assert node is not None, id
            return self.top_key(node, order, pinned, now)
        ranked = key(order, self._count_up(id, tally(self._state.cells(id), self.rules), id), now=now)
        return (1, *ranked) if pinned else ranked

    def top_behind(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[SortKey], int]:
        """Return the keys of the live top level behind *after* (None: all), lazily, and how many they are; see `top_keys`."""
        return behind(self.top_keys(order, pinned, now), after)

    def flat_behind(self, order: Order, now: int, after: SortKey | None) -> tuple[Iterator[SortKey], int]:
        """Return the keys of all comments that the public sees behind *after*, likewise; see `flat_keys`."""
        return behind(self.flat_keys(order, now), after)

    def _votes_of(self, node: Node, activity: str) -> Votes:
        """Return what the orders look at; a comment that the public does not see has no votes."""
        return self._count_up(node.id, node.votes if node.shown else {}, activity)

    def _count_up(self, id: str, votes: dict[str, int], activity: str) -> Votes:
        up = down = 0
        for kind, count in votes.items():
            if kind in self.rules.positive:
                up += count
            elif kind in self.rules.negative:
                down += count
        return Votes(id, up, down, activity)

    def top_keys(self, order: Order, pinned: bool, now: int) -> list[SortKey]:
        """
        Return the keys of the live top level in *order*, ascending; not to be changed.

        Complexity: O(1) for an order that was asked for before, O(n log n) the first time; "hot" anew for each *now* and each
        change.
        """
        if order == "hot":
            if self._hot is None or self._hot[:2] != (now, pinned):
                keys = sorted(self._top_key_of(id, order, pinned, now) for id in self._top.children)
                self._hot = (now, pinned, keys)
            return self._hot[2]
        kept = self._sorted.get((order, pinned))
        if kept is None:
            kept = self._sorted[order, pinned] = _Sorted(
                {id: self._top_key_of(id, order, pinned, 0) for id in self._top.children if self._is_ranked(id, order)}
            )
        return kept.keys

    def flat_key(self, node: Node, order: Order, now: int) -> SortKey:
        """Return where *node* belongs in *order* among all comments, the tree apart."""
        return key(order, self._votes_of(node, node.id), now=now)

    def flat_keys(self, order: Order, now: int) -> list[SortKey]:
        """
        Return the keys of all comments that the public sees, in *order*, ascending; not to be changed.

        Complexity: O(n log n) after a change, O(1) then.
        """
        name = f"hot {now}" if order == "hot" else order
        if name not in self._flat:
            shown = (node for node in self._all_made().values() if node.shown)
            self._flat = {name: sorted(self.flat_key(node, order, now) for node in shown)}
        return self._flat[name]

    def _rerank(self, node: Node) -> None:
        """Bring a top-level node to its place in every order that is kept."""
        self._hot = None
        self._flat.clear()
        if node.parent is not self._top:
            return
        for (order, pinned), kept in self._sorted.items():
            is_ranked = node.live and self._is_ranked(node.id, order)
            kept.put(node.id, self.top_key(node, order, pinned, 0) if is_ranked else None)

    def _is_ranked(self, id: str, order: Order) -> bool:  # noqa: ARG002  # for outlines that keep an order in another way
        """Return whether a live top-level node is in the sorted list of *order*."""
        return True

    # --- activity -------------------------------------------------------------------------------------------------------------

    def _activities(self) -> dict[str, list[str]]:
        """Return the ids that the public sees under each top-level node, in order; kept up once they were asked for."""
        if self._activity is None:
            self._activity = {}
            for id, node in self._all_made().items():
                if node.shown:
                    self._note_activity(self._root(node), id)
        return self._activity

    def _activity_of(self, node: Node) -> str:
        return self._activities().get(node.id, [node.id])[-1]

    def _note_activity(self, root: Node, id: str) -> None:
        if self._activity is not None:
            insort(self._activity.setdefault(root.id, []), id)

    def _forget_activity(self, root: Node, id: str) -> None:
        if self._activity is None:
            return
        seen = self._activity[root.id]
        removed(seen, id)
        if not seen:
            del self._activity[root.id]

    def _move_activity(self, node: Node) -> None:
        """Let what is seen under *node*, once a root, be seen under its root. Complexity: O(log n) for each of the fewer."""
        if self._activity is None or node.id not in self._activity:
            return
        root = self._root(node)
        some, others = self._activity.pop(node.id), self._activity.get(root.id, [])
        if len(some) < len(others):
            some, others = others, some
        for id in others:
            insort(some, id)
        self._activity[root.id] = some
        self._rerank(root)

    def _root(self, node: Node) -> Node:
        """
        Return the top-level ancestor of *node*, shortening the way for the next time.

        This is path halving (Tarjan & van Leeuwen, "Worst-case Analysis of Set Union Algorithms", JACM 31, 1984).
        """
        while node.home is not None and node.home is not self._top:
            above = node.home
            if above.home is not None and above.home is not self._top:
                node.home = above.home
            node = above
        return node

    # --- keeping up -----------------------------------------------------------------------------------------------------------

    def absorb(self, cell: str, event: Event, before: Event | None) -> bool:
        """
        Take in that *event* now stands in a cell in the place of *before*; return False if the outline must be made anew.

        Complexity: O(log n), and O(facts about the comment) for all but new comments and reactions.
        """
        if isinstance(event, CommentPosted):
            return self._absorb_posted(cell, event, before)
        if cell == "person" or (cell == "suggested" and before is not None):
            return False
        if isinstance(event, CorrectionSuggested):
            self._add_correction(event)
        elif isinstance(event, ReactionGiven | ReactionWithdrawn):
            self._absorb_reaction(event, before)
        elif cell.startswith("locked"):
            self.locks = Locks(self._state.cells(""), self.rules)
        elif event.target:
            self._rejudge(event.target)
        return True

    def _absorb_posted(self, cell: str, event: CommentPosted, before: Event | None) -> bool:
        if before is not None or event.id in self._corrections:
            return False
        if cell == "posted":
            self._add(event)
        else:
            self._rejudge(event.id)
        return True

    def _absorb_reaction(self, event: ReactionGiven | ReactionWithdrawn, before: Event | None) -> None:
        if event.comment in self._unmade:  # whose votes are those of now, this one among them
            node = self._made(event.comment)
            assert node is not None, event.comment
            self._rerank(node)
            return
        node = self.comment(event.comment)
        if node is None or event.actor is None or event.kind not in self.rules.kinds:
            return
        cell = dict[Key, Event]()
        kinds = rivals(event.kind, self.rules)
        held = self._state.cells(event.comment)["reaction"]
        for kind in kinds:
            fact = held.get((event.actor.id, kind))
            if fact is not None:
                cell[event.actor.id, kind] = fact
        for kind in kinds:
            self._count_vote(node, kind, effective_reaction(cell, event.actor.id, kind, self.rules))
        if before is None:
            del cell[event.actor.id, event.kind]
        else:
            cell[event.actor.id, event.kind] = before
        for kind in kinds:
            self._count_vote(node, kind, effective_reaction(cell, event.actor.id, kind, self.rules), -1)
        self._rerank(node)

    @staticmethod
    def _count_vote(node: Node, kind: str, effective: bool, by: int = 1) -> None:
        if not effective:
            return
        count = node.votes.get(kind, 0) + by
        if count:
            node.votes[kind] = count
        else:
            node.votes.pop(kind, None)

    def _rejudge(self, target: str) -> None:
        node = self.comment(target)
        if node is not None:
            self._judge(node)
        elif (standing := self.correction(target)) is not None:
            self._note_waiting(target, standing)

    def _add_correction(self, suggested: CorrectionSuggested) -> None:
        standing = self.correction(suggested.id)
        if standing is not None:
            insort(self._corrections, suggested.id)
            self._note_waiting(suggested.id, standing)

    # --- the tree -------------------------------------------------------------------------------------------------------------

    def _add(self, posted: CommentPosted) -> None:
        """Give a comment its place, which a placeholder may have kept for it."""
        parent = self._parent_of(posted)
        node = self._nodes.get(posted.id)
        if node is None:
            node = self._nodes[posted.id] = Node(posted.id)
        else:
            self._leave_top(node)
        node.posted = posted
        node.votes = tally(self._state.cells(posted.id), self.rules)
        self._attach(node, parent)
        author = None if posted.actor is None else posted.actor.id
        insort(self._by_author.setdefault(author, []), posted.id)
        self._judge(node)

    def _parent_of(self, posted: CommentPosted) -> Node:
        if posted.parent is None:
            return self._top
        return self._place(posted.parent if posted.parent < posted.id else NIL)

    def _place(self, id: str) -> Node:
        """Return the node with this id, made as a placeholder if there is none."""
        node = self._made(id)
        if node is None:
            node = self._nodes[id] = Node(id)
            self._attach(node, self._top)
        return node

    def _attach(self, node: Node, parent: Node) -> None:
        node.parent = node.home = parent
        if not node.live:
            parent.buried = added(parent.buried, node.id)
            return
        self._gain(parent, node)
        if parent is not self._top:
            self._move_activity(node)

    def _leave_top(self, node: Node) -> None:
        """Take a placeholder from the top level, where it stood."""
        removed(self._top.children if node.live else self._top.buried, node.id)
        for kept in self._sorted.values():
            kept.put(node.id, None)

    def _gain(self, parent: Node, node: Node) -> None:
        """Count a node that is live now among its parent's children; that may bring the parent to life, and so on up."""
        while True:
            was_live = parent.live
            parent.gain(node)
            if was_live or (above := parent.parent) is None:
                break
            node, parent = parent, above
            removed(parent.buried, node.id)
        self._rerank(node)

    def _lose(self, parent: Node, node: Node) -> None:
        """Bury a node that is live no longer; that may bury the parent as well, and so on up."""
        while True:
            parent.lose(node)
            parent.buried = added(parent.buried, node.id)
            if parent.live or (above := parent.parent) is None:
                break
            node, parent = parent, above
        self._rerank(node)

    def _show(self, node: Node, shown: bool) -> None:
        """Let the public see the comment, or no longer, and tell those above whom that concerns."""
        parent, posted = node.parent, node.posted
        if node.shown == shown or parent is None or posted is None:
            return
        was_live = node.live
        node.shown = shown
        step = 1 if shown else -1
        parent.replies += step
        self._top_level += step if posted.parent is None else 0
        author = None if posted.actor is None else posted.actor.id
        self._shown_by[author] = self._shown_by.get(author, 0) + step
        root = self._note_shown(node)
        if shown and not was_live:
            removed(parent.buried, node.id)
            self._gain(parent, node)
        elif not shown and not node.live:
            self._lose(parent, node)
        self._rerank(root)

    def _note_shown(self, node: Node) -> Node:
        """Note for the top-level ancestor that *node* is seen now, or no longer, and return that ancestor."""
        root = self._root(node)
        if node.shown:
            self._note_activity(root, node.id)
        else:
            self._forget_activity(root, node.id)
        return root

    def _judge(self, node: Node) -> None:
        """Bring what depends on the comment's standing up to date."""
        posted = node.posted
        assert posted is not None, node.id
        today = self._today.cells(node.id)
        said = today["posted"][node.id,]
        former = node.standing
        standing = judge(today, said, self._horizons, self.rules)  # type: ignore[arg-type]  # this cell holds CommentPosted only
        node.standing = standing
        if former is not None:
            self._places[former.place] -= 1
        self._places[standing.place] += 1
        node.pinned = is_pinned(self._state.cells(node.id), posted, self.rules)
        if "erased" in standing.flags:
            self.names.discard(node.id)
        else:
            self.names.add(node.id, said.actor)
        if {"held", "removed"} & set(standing.flags) and not {"erased", "deleted"} & set(standing.flags):
            self._withheld[node.id] = node
        else:
            self._withheld.pop(node.id, None)
        self._note_waiting(node.id, standing)
        self._show(node, standing.place == "total")
        self._rerank(node)

    def _note_waiting(self, id: str, standing: Standing) -> None:
        gone = {"erased", "deleted", "removed"} & set(standing.flags)
        if not gone and ("held" in standing.flags or standing.reported):
            self._waiting[id] = standing
        else:
            self._waiting.pop(id, None)

    # --- checking -------------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert every invariant. For tests. Complexity: O(n log n)."""
        fresh = Outline(self._state, self.rules)
        assert self.counts() == fresh.counts(), (self.counts(), fresh.counts())
        assert self._all_made().keys() == fresh._all_made().keys()
        for id, node in fresh._nodes.items():
            mine = self._nodes[id]
            assert list(mine.children) == list(node.children), id
            assert list(mine.buried) == list(node.buried), id
            assert (mine.votes, mine.replies, mine.pinned) == (node.votes, node.replies, node.pinned), id
            assert (mine.parent is None or node.parent is None) or mine.parent.id == node.parent.id, id
            assert mine.standing == node.standing, id
        for order, pinned in self._sorted:
            assert self.top_keys(order, pinned, 0) == fresh.top_keys(order, pinned, 0), order
        assert self._waiting == fresh._waiting
        assert self._withheld.keys() == fresh._withheld.keys()
        assert self._by_author == fresh._by_author
        assert {actor for actor in self._by_author if self.is_seen(actor)} == {
            actor for actor in fresh._by_author if fresh.is_seen(actor)
        }
        assert self._corrections == fresh._corrections
