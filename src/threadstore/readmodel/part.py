"""
The part of a thread that a command touches: what was read of it, and what becomes of it.

`Loaded` holds what was read, by key, and never changes but by reading more. On it stands a `Part`,
which is what `decide` asks and what events are folded into: a partial `State` and an `Outline` over
copies of the nodes. Asking for what was not read raises `Missing`; the plan that owns the part then
reads it (`threadstore.readmodel.queries`) and begins again with a new `Part`. So the fold and the
outline are those of a thread in memory, and nothing is half done when something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Final, Generic, TypeVar

from threadstore.decide.known import Known
from threadstore.model.events import CommentPosted, Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import from_bytes
from threadstore.model.outline import FLAGS, Missing, Node, Outline, Tally
from threadstore.model.policy import Rules
from threadstore.model.state import Cells, Reaction, ReactionKey, State, cells_of_facts
from threadstore.plans import Row
from threadstore.readmodel.rows import ID, ThreadRow, node_in

__all__ = ["AUTHORS_AT_ONCE", "Loaded", "Part"]

K = TypeVar("K")
V = TypeVar("V")

#: How many of an author's comments are read at once.
AUTHORS_AT_ONCE: Final = 50
_COMPLEX: Final = FLAGS["complex"]


class _Read(dict[K, V], Generic[K, V]):
    """What was read of one kind; what was not raises `Missing`."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def __missing__(self, key: K) -> V:
        raise Missing(self._what, key)


class _Absent(_Read[K, V | None]):
    """What was read where there is nothing."""

    def __missing__(self, key: K) -> V | None:  # whatever it is
        return None


class Loaded:
    """
    What was read of a thread.

    Args:
        key: The thread's key.
        row: Its row; None for a thread without events.
    """

    __slots__ = ("acts", "children", "facts", "key", "known", "nodes", "posts", "reactions", "row", "rows", "steps")

    def __init__(self, key: str, row: ThreadRow | None) -> None:
        self.key = key
        self.row = row
        #: Rows of `comments` by their ids, and their nodes; None for what is not there.
        self.rows: dict[str, Row] = {}
        self.nodes: _Read[str, Node | None] = _Read("node")
        #: The facts about each target, with their positions: its post, and what has to be judged.
        self.facts: _Read[str, list[tuple[int, Event]]] = _Read("facts")
        #: Reactions, each with its position.
        self.reactions: _Read[ReactionKey, tuple[int, Reaction] | None] = _Read("reaction")
        #: Facts by their ids, of any thread.
        self.known: _Read[str, Event | None] = _Read("known")
        #: The comments of an author below an id, newest first.
        self.posts: _Read[tuple[int, str], list[Node]] = _Read("posts")
        #: What hangs under a node, by their ids.
        self.children: _Read[str, list[str]] = _Read("children")
        #: The largest id of what a person did.
        self.acts: _Read[str, str] = _Read("act")
        #: How many times something was read.
        self.steps = 0
        if row is None:
            self.facts[""] = []

    def put(self, row: Row) -> Node:
        """Note a row of `comments`, unless its node was read before, and return the node."""
        id = from_bytes(row[ID])
        if id in self.rows:
            node = self.nodes[id]
            assert node is not None, id
            return node
        node = self.nodes[id] = node_in(self.key, row)
        self.rows[id] = row
        return node

    def expect_new(self, id: str) -> None:
        """Note that nothing is known under an id that was just made."""
        self.nodes[id] = None

    @classmethod
    def nothing(cls, key: str) -> Loaded:
        """Return what was read of a thread of which nothing is kept: of each key it is known that nothing is there."""
        loaded = cls(key, None)
        loaded.nodes, loaded.reactions = _Absent("node"), _Absent("reaction")
        return loaded


class _Nodes(dict[str, Node | None]):
    """Copies of nodes that were read, to be changed."""

    def __init__(self, read: Mapping[str, Node | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, id: str) -> Node | None:
        node = self[id] = copy(self._read[id])
        return node


class Part(State, Known):
    """
    A thread, as far as it was read.

    Args:
        loaded: What was read.
        rules: Who may do what.
        today: Tells what holds today for a comment, if the facts are of the past; see `Outline`.
    """

    __slots__ = ("_is_followed", "_loaded", "noted", "outline", "places", "posted", "reacted")

    def __init__(self, loaded: Loaded, rules: Rules, *, today: Callable[[str], Node | None] | None = None) -> None:
        super().__init__(loaded.key)
        self._loaded = loaded
        row = loaded.row
        if row is not None:
            self.latest, self.earliest = _id(row.latest, self.latest), _id(row.earliest, "")
        self._is_followed = True
        #: Where facts stand, by their ids.
        self.places: dict[str, int] = {}
        #: The posts, the reactions and the other facts that were folded in here.
        self.posted: list[CommentPosted] = []
        self.reacted: dict[ReactionKey, Reaction] = {}
        self.noted: list[Event] = []
        self.outline = Outline(
            self,
            rules,
            tally=Tally() if row is None else row.tally(),
            nodes=_Nodes(loaded.nodes),
            place=self._place,
            children=self._children,
            today=today,
        )

    def _children(self, parent: str) -> list[str]:
        read = self._loaded.children[parent] if self._loaded.nodes[parent] is not None else []
        nodes = [self.outline.nodes[id] for id in read]
        here = [node for node in self.outline.nodes.values() if node is not None]
        return list(dict.fromkeys(node.id for node in (*nodes, *here) if node is not None and node.parent == parent))

    def _place(self, event: Event) -> int:
        return self.places[event.id]

    # --- folding --------------------------------------------------------------------------------------------------------------

    def take(self, event: Event, position: int) -> bool:
        """
        Fold in a fact that is new to the thread; False if it erases a person's words, so that theirs must be judged again.

        Raises:
            Missing: Something was not read; this part is spoilt.
        """
        self.places[event.id] = position
        self._is_followed = True
        if not isinstance(event, CommentPosted | ReactionGiven | ReactionWithdrawn):
            self.noted.append(event)
        self.apply(event)
        return self._is_followed

    def _remember(self, id: str, event: Event) -> None: ...

    def _changed(self, event: Event, before: Event | None) -> None:
        self._is_followed = self.outline.take(event, before)

    def _stays_simple(self, posted: CommentPosted) -> bool:
        self.posted.append(posted)
        node = self._loaded.nodes[posted.id]
        return super()._stays_simple(posted) and (node is None or not node.flags & _COMPLEX)

    def _apply_reaction(self, event: Reaction) -> bool:
        actor = None if event.actor is None else event.actor.id
        if actor is not None:
            before = self.reaction(event.comment, actor, event.kind)
            if before is not None:
                self._reactions[event.comment, actor, event.kind] = before
        if not super()._apply_reaction(event):
            return False
        self.reacted[event.comment, actor, event.kind] = event
        return True

    def _cells_for(self, target: str) -> Cells:
        self.cells(target)
        return super()._cells_for(target)

    # --- asking ---------------------------------------------------------------------------------------------------------------

    def cells(self, target: str) -> Cells:
        """Return the cells of a target, reactions apart."""
        if target not in self._cells and target not in self._simple:
            is_new = bool(target) and self._loaded.nodes[target] is None  # whatever is said about a comment makes a node
            facts = [] if is_new else self._loaded.facts[target]
            self.places.update((fact.id, position) for position, fact in facts)
            self._cells[target] = cells_of_facts(fact for _, fact in facts)
        return super().cells(target)

    def reaction(self, comment: str, actor: str, kind: str) -> Reaction | None:
        """Return an actor's last reaction of one kind."""
        key = comment, actor, kind
        if key in self._reactions:
            return self._reactions[key]
        read = self._loaded.reactions[key]
        return None if read is None else read[1]

    def fact(self, id: str) -> Event | None:
        """Return the fact with this id, of whatever thread: no other may have it."""
        return self._loaded.known[id]

    def node(self, id: str, rules: Rules) -> Node | None:  # noqa: ARG002  # it knows one set of rules
        """Return a node."""
        return self.outline.nodes[id]

    def is_locked(self, rules: Rules) -> bool:  # noqa: ARG002  # as above
        """Return whether a lock is up."""
        return self.outline.tally.locked

    def cutoffs(self, rules: Rules) -> Mapping[str, str]:  # noqa: ARG002  # as above
        """Return whose words are forgotten."""
        return self.outline.cutoffs

    def posts_by(self, actor: int, rules: Rules) -> Iterator[Node]:  # noqa: ARG002  # as above
        """Yield an actor's comments, newest first."""
        below = ""
        while True:
            nodes = self._loaded.posts[actor, below]
            yield from nodes
            if len(nodes) < AUTHORS_AT_ONCE:
                return
            below = nodes[-1].id

    def last_act(self, person: str) -> str:
        """Return the largest id of what a person did here."""
        return self._loaded.acts[person]


def _id(data: bytes, otherwise: str) -> str:
    return from_bytes(data) if data else otherwise
