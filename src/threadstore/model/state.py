"""
The fold: a set of facts becomes the state of a thread.

The state is made of cells (see `threadstore.model.events.REGISTERS`), kept per target: a
comment, a correction, or the thread as a whole. Each fact is joined into its cells by itself
alone, so folding is commutative, associative and idempotent: any order, any duplication, any
batching and any exchange between replicas gives the same state.

A comment is **simple** while nothing is known of it but that it was posted, and who reacted.
Most comments are. Their cells are made when somebody asks, and reactions are kept apart, so a
simple comment costs one entry.

Laws:

- The state depends on the set of facts only.
- `apply` answers whether the state changed; applying again never changes it.
- `merge` is a least upper bound: commutative, associative, idempotent.
- Equal sets of events have equal digests; so have a full replica and a redacted one.
- Nothing here refuses an event, reads a clock, or judges: whether a fact has effect is for
  `threadstore.model.status` to say, from the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Final, Self

from threadstore.model.codec import encode
from threadstore.model.erasure import redact
from threadstore.model.events import REGISTERS, CommentPosted, Event, ReactionGiven, ReactionWithdrawn, Shape, Write
from threadstore.model.ids import NIL, time_of
from threadstore.model.registers import SHAPES, Cell, join, wins

__all__ = ["Cells", "Reaction", "ReactionKey", "State", "cells_of_facts", "posted_in"]

Cells = dict[str, Cell]
Reaction = ReactionGiven | ReactionWithdrawn

#: The register of a reaction: comment, actor (None for anonymous ones, which never count), kind.
ReactionKey = tuple[str, str | None, str]

_NO_CELLS: Final[Cells] = {}


def _cells_of(posted: CommentPosted) -> Cells:
    return {"posted": {(posted.id,): posted}}


def _join_fact(cells: Cells, event: Event, writes: Iterable[Write]) -> list[Event | None]:
    """Join a fact into the cells of its target; return what it replaced in each register that changed."""
    replaced: list[Event | None] = []
    for name, shape, key_of, when in writes:
        if when is None or when(event):
            cell = cells.setdefault(name, {})
            key = key_of(event)
            before = cell.get(key)
            if join(shape, cell, key, event):
                replaced.append(before)
    return replaced


def cells_of_facts(facts: Iterable[Event]) -> Cells:
    """Return the cells that facts about one target make. Complexity: O(facts)."""
    cells: Cells = {}
    for fact in facts:
        _join_fact(cells, fact, REGISTERS[type(fact)])
    return cells


def posted_in(cells: Cells, id: str) -> CommentPosted | None:
    """Return the fact that posted the comment *id*, from its cells."""
    posted = cells["posted"].get((id,)) if "posted" in cells else None
    return posted if isinstance(posted, CommentPosted) else None


class State:
    """
    What a set of facts about one thread amounts to. `threadstore.Thread` adds what readers see of it.

    Args:
        key: The thread's key; empty for a thread that takes the key of its first event.

    Not safe for use by several Python threads at once without a lock.
    """

    __slots__ = ("_cells", "_duplicates", "_facts", "_reactions", "_simple", "_today", "changes", "earliest", "key", "latest")

    def __init__(self, key: str = "") -> None:
        self.key = key
        #: The largest id seen, whether or not its fact still stands; the nil id for an empty thread.
        self.latest = NIL
        #: The smallest id seen; empty for an empty thread.
        self.earliest = ""
        #: How often the state has changed.
        self.changes = 0
        self._cells: dict[str, Cells] = {}
        self._simple: dict[str, CommentPosted] = {}
        self._reactions: dict[ReactionKey, Reaction] = {}
        self._facts: dict[str, Event] = {}
        #: Other facts under ids that `_facts` has already.
        self._duplicates: dict[bytes, Event] = {}
        self._today: Self | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}: {len(self._facts)} facts>"

    # --- changing -------------------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> bool:
        """
        Fold one fact in, and return whether that changed the thread.

        Raises:
            TypeError: *event* is no event.
            ValueError: It belongs to another thread.

        Complexity: O(log n); an erased person and two facts under one id cost O(n) at the next view.
        """
        writes = REGISTERS.get(type(event))
        if writes is None:
            raise TypeError(f"an event is needed, not {type(event).__name__}")
        self._admit(event)
        if isinstance(event, ReactionGiven | ReactionWithdrawn):
            return self._apply_reaction(event)
        if type(event) is CommentPosted and self._stays_simple(event):
            return self._apply_simple(event)
        replaced = _join_fact(self._cells_for(event.target), event, writes) if writes else []
        return self._note(event, replaced[0]) if replaced else False

    def _note(self, event: Event, before: Event | None) -> bool:
        self.changes += 1
        self._changed(event, before)
        return True

    def _changed(self, event: Event, before: Event | None) -> None:
        """Derive what follows from *event*, which now stands in the place of *before*; for subclasses."""

    def _stays_simple(self, posted: CommentPosted) -> bool:
        """Return whether *posted* would be all that is known of the comment."""
        id = posted.id
        return id not in self._cells and not (posted.spoiler or posted.held) and self._simple.get(id, posted) == posted

    def _apply_simple(self, posted: CommentPosted) -> bool:
        if posted.id in self._simple:
            return False
        self._simple[posted.id] = posted
        return self._note(posted, None)

    def _apply_reaction(self, event: Reaction) -> bool:
        key = (event.comment, None if event.actor is None else event.actor.id, event.kind)
        before = self._reactions.get(key)
        if before is not None and (before == event or not wins(Shape.LATEST, event, before)):
            return False
        self._reactions[key] = event
        return self._note(event, before)

    def _cells_for(self, target: str) -> Cells:
        """Return the cells of a target, to be changed."""
        cells = self._cells.get(target)
        if cells is None:
            posted = self._simple.pop(target, None)
            cells = self._cells[target] = {} if posted is None else _cells_of(posted)
        return cells

    def _admit(self, event: Event) -> None:
        if event.thread != self.key:
            if self.key:
                raise ValueError(f"event {event.id} is of thread {event.thread!r}, not of {self.key!r}")
            self.key = event.thread
        id = event.id
        self._remember(id, event)
        if id > self.latest:
            self.latest = id
        if not self.earliest or id < self.earliest:
            self.earliest = id

    def _remember(self, id: str, event: Event) -> None:
        known = self._facts.setdefault(id, event)
        if known is not event and known != event:
            self._duplicates[encode(event)] = event

    def merge(self, other: State) -> Self:
        """
        Fold in all that *other* knows; return self.

        Raises:
            ValueError: *other* is another thread.

        Complexity: O(m log n) for m facts of the other.
        """
        if self.key and other.key and self.key != other.key:
            raise ValueError(f"{other.key!r} is another thread than {self.key!r}")
        for event in list(other.facts()):
            self._remember(event.id, event)
        for posted in list(other._simple.values()):
            if self._stays_simple(posted):
                self._apply_simple(posted)
            else:
                self._join(posted.id, _cells_of(posted))
        for target, cells in list(other._cells.items()):
            self._join(target, cells)
        for reaction in list(other._reactions.values()):
            self._apply_reaction(reaction)
        self.key = self.key or other.key
        self.latest = max(self.latest, other.latest)
        if other.earliest and (not self.earliest or other.earliest < self.earliest):
            self.earliest = other.earliest
        return self

    def _join(self, target: str, others: Cells) -> None:
        """Join into the cells of a target what stands in another state's: where the two are equal there is nothing to do."""
        cells = self._cells_for(target)
        for name, other in others.items():
            cell = cells.setdefault(name, {})
            if cell == other:
                continue
            for key, event in list(other.items()):
                before = cell.get(key)
                if join(SHAPES[name], cell, key, event):
                    self._note(event, before)

    # --- the facts ------------------------------------------------------------------------------------------------------------

    def fact(self, id: str) -> Event | None:
        """Return the fact with this id if the thread was given it. Complexity: O(1)."""
        return self._facts.get(id)

    def facts(self) -> Iterator[Event]:
        """Yield the facts that the thread was given, in no particular order."""
        return chain(self._facts.values(), self._duplicates.values())

    def standing_facts(self) -> Iterator[Event]:
        """
        Yield the facts that make up the state: those that no other has evicted, each as often as it stands in a cell.

        Complexity: O(n).
        """
        yield from self._simple.values()
        yield from self._reactions.values()
        for cells in self._cells.values():
            for cell in cells.values():
                yield from cell.values()

    def cells(self, target: str) -> Cells:
        """Return the cells of a comment, a correction, or the thread (``""``), reactions apart; not to be changed."""
        cells = self._cells.get(target)
        if cells is None:
            posted = self._simple.get(target)
            cells = _NO_CELLS if posted is None else _cells_of(posted)
        return cells

    def reaction(self, comment: str, actor: str, kind: str) -> Reaction | None:
        """Return the last reaction of one kind that an actor gave to a comment, or withdrew."""
        return self._reactions.get((comment, actor, kind))

    def reactions(self) -> Iterator[tuple[ReactionKey, Reaction]]:
        """Yield every reaction that stands, in no particular order."""
        return iter(self._reactions.items())

    def targets(self) -> Iterator[str]:
        """Yield all that some fact is about, reactions apart."""
        return chain(self._simple, self._cells)

    def digest(self) -> str:
        """
        Return a hash (BLAKE2b, 128 bits, in hexadecimal) of the thread's state without its texts.

        Equal sets of events have equal digests, and a redacted replica has that of a full one.

        Complexity: O(n log n).
        """
        skeletons = {encode(redact(event)) for event in self.standing_facts()}
        state = blake2b(self.key.encode(), digest_size=16)
        for skeleton in sorted(skeletons):
            state.update(len(skeleton).to_bytes(4, "big"))
            state.update(skeleton)
        return state.hexdigest()

    @classmethod
    def of(cls, events: Iterable[Event], *, key: str = "") -> Self:
        """Return the state that *events* make; errors as for `apply`. Complexity: O(n)."""
        state = cls(key)
        apply = state.apply
        for event in events:
            apply(event)
        return state

    # --- the past -------------------------------------------------------------------------------------------------------------

    def as_of(self, moment: int) -> Self:
        """
        Return the thread as it stood at *moment* (Unix milliseconds, inclusive): its tree, reactions, counts, pins and locks.

        Texts and what conceals them are always today's, so that nothing withheld since then comes back.

        Complexity: O(n).
        """
        return self.past(event for event in self.facts() if time_of(event.id) <= moment)

    def past(self, events: Iterable[Event]) -> Self:
        """Return the thread that only *events* had made, with this one's texts and concealment. Complexity: O(n)."""
        thread = self.of(events, key=self.key)
        thread._today = self.today
        return thread

    @property
    def today(self) -> Self:
        """Return the thread whose texts and concealment hold: itself, unless it is a past of another."""
        return self if self._today is None else self._today
