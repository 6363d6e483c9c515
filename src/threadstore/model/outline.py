"""
The outline: where each comment stands in the tree, what holds for it, and how many there are.

The one algorithm. It works on flat `Node` records and one `Tally`, whatever keeps them: for a
`Thread` in memory all of them are there; for a store they are the few rows that a command
touches, and asking for one that was not read raises `Missing`, whereupon the caller reads it and
begins again. Nothing here knows which of the two it is.

**Places.** Every comment is a node under its parent. A comment whose parent is not in the set
hangs under a placeholder at the top level, and moves home, with all that is below it, when the
parent comes. One whose parent does not have a smaller id, or is a correction, hangs under the one
placeholder with the nil id. So there are no cycles, and each comment has exactly one place. What is said about a
comment that is not there waits at its place as well (`EARLY`), which no page shows.

**Liveness.** A node is *live* if the public sees its comment or any below it. A parent counts its
live children, so liveness travels up only as far as it changes something: an ordinary reply
touches its parent, its top-level ancestor, and nothing else, however deep the tree.

**Corrections** are nodes of their own kind, beside the tree and never counted.

Laws: what is kept depends on the set of facts alone, in whatever order they came; counts equal a
recount of the tree; nothing recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from threadstore.model.events import CommentPosted, CorrectionSuggested, Event, PersonErased, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import NIL
from threadstore.model.policy import Rules
from threadstore.model.state import Cells, Reaction, posted_in
from threadstore.model.status import (
    CONCEALMENTS,
    Concealment,
    Given,
    Locks,
    Status,
    correction_in,
    correction_status,
    description,
    effective_kinds,
    is_pinned,
    is_simple,
    judge,
    person_cutoffs,
    rivals,
)
from threadstore.model.values import actor_key

__all__ = ["CORRECTIONS", "FLAGS", "HIDES", "TOP", "Facts", "Missing", "Node", "Outline", "Tally", "flags_in"]

#: The parent of what stands at the top level, and that of corrections: neither can be an id.
TOP: Final = ""
CORRECTIONS: Final = "corrections"

#: What is known of a node, as bits: its concealments, and what else holds.
FLAGS: Final[Mapping[str, int]] = {
    name: 1 << bit
    for bit, name in enumerate((*CONCEALMENTS, "missing", "early", "stale", "reported", "pinned", "complex", "correction"))
}
MISSING: Final = FLAGS["missing"]
EARLY: Final = FLAGS["early"]
#: With one of these the public does not see the comment.
HIDES: Final = MISSING | FLAGS["erased"] | FLAGS["deleted"] | FLAGS["removed"] | FLAGS["held"]
_WITHHELD: Final = FLAGS["removed"] | FLAGS["held"]
_GONE: Final = FLAGS["erased"] | FLAGS["deleted"]

_NO_VOTES: Final[dict[str, int]] = {}


def flags_in(flags: int) -> tuple[Concealment, ...]:
    """Return the concealments among a node's flags, in their order."""
    return _FLAGS_IN[flags & _CONCEALING]


_CONCEALING: Final = (1 << len(CONCEALMENTS)) - 1
_FLAGS_IN: Final = tuple(tuple(name for name in CONCEALMENTS if bits & FLAGS[name]) for bits in range(_CONCEALING + 1))


class Missing(Exception):  # a signal between the outline and who keeps its nodes, never an error that a caller sees
    """Something was asked for that has not been read: what it is, and which."""

    def __init__(self, what: str, key: Any) -> None:
        super().__init__(what, key)
        self.what, self.key = what, key


class Node(Struct, gc=False):
    """
    One place in the tree: a comment, or a placeholder for one that is missing.

    Args:
        id: The comment's id.
        parent: The id of the parent, or `TOP`, or `CORRECTIONS`.
        root: The id of a node at or above the parent: a hint for finding the top-level ancestor, empty for the parent itself.
        post: Where the fact stands that posted it: a position in a log, or in memory the fact itself. None for a placeholder.
        text: Where its current text stands, if that is an edit's.
        flags: `FLAGS`.
        kids: How many children are live.
        replies: How many children the public sees.
        votes: How many actors reacted, by kind; never changed in place.
        author: The `actor_key` of who posted it; 0 for an anonymous author and for a placeholder.
        since: The id of the oldest fact for which it waits for a moderator.
        active: At the top level, the largest id that the public sees at it or below it; empty if it sees none.
        mentions: Who is addressed in its text, where somebody keeps that; None where the text has no ``@``.
        words: Its words as views read them, where they were read along with it.
    """

    id: str
    parent: str = TOP
    root: str = ""
    post: Any = None
    text: Any = None
    flags: int = MISSING | EARLY
    kids: int = 0
    replies: int = 0
    votes: dict[str, int] = _NO_VOTES
    author: int = 0
    since: str = ""
    active: str = ""
    mentions: bytes | None = None
    words: Any = None

    @property
    def shown(self) -> bool:
        """Whether the public sees the comment itself."""
        return not self.flags & HIDES

    @property
    def live(self) -> bool:
        """Whether the public sees the comment or any below it."""
        return self.kids > 0 or not self.flags & HIDES

    @property
    def is_comment(self) -> bool:
        """Whether it is the place of a comment that is there."""
        return not self.flags & (MISSING | FLAGS["correction"])

    @property
    def is_place(self) -> bool:
        """Whether it is a comment, or a placeholder with something below it."""
        return not self.flags & (EARLY | FLAGS["correction"])

    @property
    def withheld(self) -> bool:
        """Whether it is removed or held, and so may open to somebody."""
        return bool(self.flags & _WITHHELD) and not self.flags & (_GONE | FLAGS["correction"])

    def score(self, rules: Rules) -> tuple[int, int]:
        """Return the votes for and against the comment; none while the public does not see it."""
        if not self.votes or self.flags & HIDES:
            return 0, 0
        up = sum(count for kind, count in self.votes.items() if kind in rules.positive)
        down = sum(count for kind, count in self.votes.items() if kind in rules.negative)
        return up, down


class Tally(Struct):
    """
    What is kept of a thread as a whole.

    Args:
        total: How many comments the public sees.
        top: How many of these stand at the top level.
        pending: How many are held.
        hidden: How many are erased, deleted or removed.
        live: How many nodes of the top level are live.
        downs: How many votes there are against anything, seen or not.
        waiting: How many comments and corrections wait for a moderator.
        locked: Whether a lock is up.
        late: Whether there ever was a lock, so that a comment may be late.
        cutoffs: Whether a person's words were erased.
        described: Where the current description stands, as in `Node.post`.
    """

    total: int = 0
    top: int = 0
    pending: int = 0
    hidden: int = 0
    live: int = 0
    downs: int = 0
    waiting: int = 0
    locked: bool = False
    late: bool = False
    cutoffs: bool = False
    described: Any = None

    def count(self, flags: int, step: int) -> None:
        """Count a comment with these flags in its one place."""
        if not flags & HIDES:
            self.total += step
        elif flags & HIDES == FLAGS["held"]:
            self.pending += step
        elif not flags & MISSING:
            self.hidden += step


class Facts(Protocol):
    """What the outline needs of the state: the facts about a target, and where they stand."""

    def cells(self, target: str) -> Cells:
        """Return the cells of a target, reactions apart."""
        ...

    def reaction(self, comment: str, actor: str, kind: str) -> Reaction | None:
        """Return an actor's last reaction of one kind."""
        ...


class Outline:
    """
    The tree of one thread under one set of rules.

    Args:
        facts: The state, or the part of it that was read.
        rules: Who may do what, and which reactions count.
        tally: What is kept of the thread.
        nodes: What is kept of each comment, by its id; None for what is not there. New ones are put in.
        place: Tells where a fact stands.
        children: Tells which nodes hang under one, in any order.
        today: Tells what holds for a comment, if that is not to be judged by *facts*: those are of the past, then.
    """

    __slots__ = ("_children", "_cutoffs", "_place", "_today", "facts", "nodes", "quiet", "rules", "tally", "touched", "unjudged")

    def __init__(
        self,
        facts: Facts,
        rules: Rules,
        *,
        tally: Tally,
        nodes: dict[str, Node | None],
        place: Callable[[Event], Any],
        children: Callable[[str], Iterable[str]],
        today: Callable[[str], Node | None] | None = None,
    ) -> None:
        self.facts = facts
        self.rules = rules
        self.tally = tally
        self.nodes = nodes
        #: The nodes that may have changed since somebody looked.
        self.touched: dict[str, Node] = {}
        #: The top-level nodes whose latest word is no longer seen: whoever keeps the nodes has to look for the one before.
        self.quiet: set[str] = set()
        #: The targets of facts that were taken, which `settle` judges.
        self.unjudged: dict[str, None] = {}
        self._place = place
        self._children = children
        self._today = today
        self._cutoffs: Mapping[str, str] | None = None

    # --- what the facts are about ---------------------------------------------------------------------------------------------

    def take(self, event: Event, before: Event | None) -> bool:
        """
        Let the outline follow *event*, which now stands in the state in the place of *before*.

        What a fact about a comment, a correction or the thread changes is judged by `settle`, once for many facts.

        Return False if it cannot, since one fact has ousted another under its id, or a person's words were erased: what is
        derived of the facts concerned must be made anew.

        Complexity: O(1), and the nodes whose liveness changes; for a post, O(facts about the comment).
        """
        if isinstance(event, ReactionGiven | ReactionWithdrawn):
            self._react(event, before)
            return True
        if isinstance(event, CommentPosted):
            return self._post(event, before)
        if isinstance(event, CorrectionSuggested):
            return before is None and self._suggest(event)
        self._note(event.target)
        if not isinstance(event, PersonErased):
            return True
        self.tally.cutoffs, self._cutoffs = True, None
        return False

    def _note(self, target: str) -> None:
        """Note that there is a fact about a comment, a correction or the thread, which has to be judged."""
        if target:
            self.at(target).flags |= FLAGS["complex"]
        self.unjudged[target] = None

    def settle(self) -> None:
        """
        Judge what the facts that were taken are about.

        Complexity: O(facts about each target), and the nodes whose liveness changes.
        """
        while self.unjudged:
            target, _ = self.unjudged.popitem()
            if target:
                self.judge(self.at(target))
            else:
                self._judge_thread()

    def judge(self, node: Node) -> None:
        """Bring what holds for a comment or a correction up to date."""
        self.touched[node.id] = node
        if node.flags & FLAGS["correction"]:
            self._judge_correction(node)
        elif node.post is not None:
            self._judge(node)

    def _judge_thread(self) -> None:
        cells, tally = self.facts.cells(""), self.tally
        tally.locked = bool(Locks(cells, self.rules).up)
        tally.late = "locked" in cells
        described = description(cells, self.rules)
        tally.described = None if described is None else self._place(described)

    @property
    def cutoffs(self) -> Mapping[str, str]:
        """Return, for each person whose words were erased, the id below which they are forgotten."""
        if self._cutoffs is None:
            self._cutoffs = person_cutoffs(self.facts.cells(""), self.rules) if self.tally.cutoffs else {}
        return self._cutoffs

    # --- nodes ----------------------------------------------------------------------------------------------------------------

    def node(self, id: str) -> Node | None:
        """Return a node, to be changed, if there is one."""
        node = self.nodes[id]
        if node is not None:
            self.touched[id] = node
        return node

    def at(self, id: str) -> Node:
        """Return the node with this id, made if there is none."""
        node = self.nodes[id]
        if node is None:
            node = self.nodes[id] = Node(id)
        self.touched[id] = node
        return node

    def _above(self, node: Node) -> Node:
        above = self.node(node.parent)
        assert above is not None, node.parent
        return above

    def root(self, node: Node) -> Node:
        """
        Return the top-level ancestor of *node*, shortening the way for the next time.

        This is path halving (Tarjan & van Leeuwen, "Worst-case Analysis of Set Union Algorithms", JACM 31, 1984).
        """
        while node.parent:
            above = self.nodes[node.root or node.parent]
            assert above is not None, node.id
            if above.flags & FLAGS["correction"]:  # a hint of the time when nobody knew that it is one
                above = self.at(NIL)
            if above.parent:
                node.root = above.root or above.parent
                self.touched[node.id] = node
            node = above
        self.touched[node.id] = node
        return node

    # --- comments -------------------------------------------------------------------------------------------------------------

    def _post(self, posted: CommentPosted, before: Event | None) -> bool:
        former = self.nodes[posted.id]
        if before is not None or (former is not None and former.flags & FLAGS["correction"]):
            return False
        if former is not None and former.post is not None:
            self._note(posted.id)  # a mark that came with another fact under the id
            return True
        node = self.at(posted.id)
        if posted.parent is not None:
            parent = self._home(posted.parent if posted.parent < posted.id else NIL)
            parent.flags &= ~EARLY
            self._move_home(node, parent)
        node.post = self._place(posted)
        node.author = actor_key(posted.actor)
        if posted.held or posted.spoiler:
            node.flags |= FLAGS["complex"]
        self._judge(node, posted)
        return True

    def _home(self, id: str) -> Node:
        """Return what a reply to the comment *id* hangs under; a correction is no comment."""
        parent = self.at(id)
        is_void = not parent.is_comment and correction_in(self.facts.cells(id), id) is not None
        return self.at(NIL) if is_void else parent

    def _move_home(self, node: Node, parent: Node) -> None:
        """Hang a node from the top level under its parent, with all that is below it."""
        node.parent, node.root = parent.id, parent.root
        if node.live:
            self.tally.live -= 1
            self._gain(parent)
        if node.active:
            self._speak(node, node.active)
            node.active = ""

    def _gain(self, parent: Node) -> None:
        """Count one more live child, which may bring its parent to life, and so on up."""
        while True:
            was_live = parent.live
            parent.kids += 1
            if was_live:
                return
            if not parent.parent:
                self.tally.live += 1
                return
            parent = self._above(parent)

    def _lose(self, node: Node) -> None:
        """Bury a node that is live no longer; that may bury its parent, and so on up."""
        while not node.live:
            if not node.parent:
                self.tally.live -= 1
                return
            node = self._above(node)
            node.kids -= 1

    def _speak(self, node: Node, id: str) -> None:
        """Let the top-level ancestor know of a comment that the public sees."""
        root = self.root(node)
        root.active = max(root.active, id)

    def _judge(self, node: Node, posted: CommentPosted | None = None) -> None:
        """Bring what depends on a comment's status up to date; *posted* is given where nothing was known of it before."""
        was_shown, was_live, was_waiting, before = node.shown, node.live, bool(node.since), node.flags
        if self._today is None:
            self._judge_now(node, posted)
        else:
            self._judge_as_today(node)
        self.tally.count(before, -1)
        self.tally.count(node.flags, 1)
        self.tally.waiting += bool(node.since) - was_waiting
        if node.shown == was_shown:
            return
        step = node.shown - was_shown
        if node.parent:
            self._above(node).replies += step
        else:
            self.tally.top += step
        if node.shown:
            self._speak(node, node.id)
            if was_live:
                return
            if node.parent:
                self._gain(self._above(node))
            else:
                self.tally.live += 1
        else:
            root = self.root(node)
            self._lose(node)
            if root.active == node.id:
                self.quiet.add(root.id)

    def _judge_now(self, node: Node, posted: CommentPosted | None) -> None:
        complex_ = node.flags & FLAGS["complex"]
        if posted is not None and not complex_ and not self.tally.cutoffs:
            node.flags = 0
            return
        cells = self.facts.cells(node.id)
        posted = posted_in(cells, node.id)
        assert posted is not None, node.id
        if is_simple(cells, posted, self.cutoffs):
            node.flags, node.text = complex_, None
            return
        status = judge(cells, posted, self.cutoffs, self.rules)
        node.flags = _bits(status) | complex_ | (FLAGS["pinned"] if is_pinned(cells, posted, self.rules) else 0)
        node.text = None if status.text.id == node.id else self._place(status.text)
        node.since = status.since

    def _judge_as_today(self, node: Node) -> None:
        """Take over what holds today; only pins are of the time that the facts are of."""
        assert self._today is not None
        today = self._today(node.id)
        assert today is not None, node.id
        cells = self.facts.cells(node.id)
        posted = posted_in(cells, node.id)
        assert posted is not None, node.id
        pinned = FLAGS["pinned"] if is_pinned(cells, posted, self.rules) else 0
        node.flags = (today.flags & ~FLAGS["pinned"]) | pinned
        node.post, node.text, node.since, node.mentions = today.post, today.text, today.since, today.mentions

    # --- corrections ----------------------------------------------------------------------------------------------------------

    def _suggest(self, suggested: CorrectionSuggested) -> bool:
        if correction_in(self.facts.cells(suggested.id), suggested.id) is None:
            return True
        node = self.at(suggested.id)
        if node.is_place:
            self._void(node)
        node.parent, node.post = CORRECTIONS, self._place(suggested)
        node.author = actor_key(suggested.actor)
        node.flags = node.flags & FLAGS["complex"] | FLAGS["correction"]
        self._judge_correction(node)
        return True

    def _void(self, node: Node) -> None:
        """Hang what hangs under a placeholder, which turns out to be no comment's, under the one with the nil id."""
        void = self.at(NIL)
        void.flags &= ~EARLY
        for id in list(self._children(node.id)):
            child = self.node(id)
            assert child is not None, id
            child.parent, child.root = NIL, ""
            void.replies += child.shown
            if child.live:
                self._gain(void)
        void.active = max(void.active, node.active)
        if node.id in self.quiet:
            self.quiet.remove(node.id)
            self.quiet.add(NIL)
        self.tally.live -= node.live
        node.kids, node.replies, node.active = 0, 0, ""

    def _judge_correction(self, node: Node) -> None:
        if self._today is not None:
            today = self._today(node.id)
            assert today is not None, node.id
            flags, since = today.flags | FLAGS["correction"], today.since
        else:
            cells = self.facts.cells(node.id)
            suggested = correction_in(cells, node.id)
            assert suggested is not None, node.id
            status = correction_status(cells, suggested, self.cutoffs, self.rules)
            flags, since = _bits(status) | (node.flags & FLAGS["complex"]) | FLAGS["correction"], status.since
        self.tally.waiting += bool(since) - bool(node.since)
        node.flags, node.since = flags, since

    # --- reactions ------------------------------------------------------------------------------------------------------------

    def _react(self, event: Reaction, before: Event | None) -> None:
        """Count what an actor's reactions to a comment amount to now, in the place of what they amounted to."""
        if event.actor is None or event.kind not in self.rules.kinds:
            return
        actor = event.actor.id
        given: dict[str, tuple[str, bool]] = {}
        for kind in rivals(event.kind, self.rules):
            if kind != event.kind and (last := self.facts.reaction(event.comment, actor, kind)) is not None:
                given[kind] = _given(last)
        was = self._effective(given if before is None else {**given, event.kind: _given(before)})
        now = self._effective({**given, event.kind: _given(event)})
        for kind in now ^ was:
            self.count_vote(self.at(event.comment), kind, 1 if kind in now else -1)

    def _effective(self, given: Given) -> frozenset[str]:
        return effective_kinds(given, self.rules)

    def count_vote(self, node: Node, kind: str, step: int) -> None:
        """Count one more vote of a kind, or one less."""
        votes = {**node.votes, kind: node.votes.get(kind, 0) + step}
        node.votes = votes if votes[kind] else {other: count for other, count in votes.items() if count}
        if kind in self.rules.negative:
            self.tally.downs += step


def _bits(status: Status) -> int:
    bits = FLAGS["stale"] if status.stale else 0
    if status.reported:
        bits |= FLAGS["reported"]
    for flag in status.flags:
        bits |= FLAGS[flag]
    return bits


def _given(event: Event) -> tuple[str, bool]:
    return event.id, isinstance(event, ReactionGiven)
