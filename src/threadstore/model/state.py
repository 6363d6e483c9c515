"""
The fold: a set of facts becomes the state of a thread.

The state is made of cells (see `threadstore.model.events.REGISTERS`), kept per target: a comment, a correction, or the thread as a
whole. Each fact is joined into its cells by itself alone, so folding is commutative, associative and idempotent: any order,
any duplication, any batching and any exchange between replicas gives the same state. Of most comments nothing is known but that
they were posted; their cells are made when they are needed.

Laws:

- The state depends on the set of facts only.
- `apply` answers whether the state changed; applying again never changes it.
- `merge` is a least upper bound: commutative, associative, idempotent.
- Equal sets of events have equal digests; so have a full replica and a redacted one.
- Nothing here refuses an event, reads a clock, or judges: whether a fact has effect is for the views to say, from the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Self

from threadstore.model.codec import encode
from threadstore.model.events import REGISTERS, CommentPosted, Event, redact
from threadstore.model.ids import NIL, time_of
from threadstore.model.registers import SHAPES, Cell, join

__all__ = ["Cells", "State", "newest_first"]

Cells = dict[str, Cell]

_NO_CELLS: Cells = {}


def _cells_of(posted: CommentPosted) -> Cells:
    return {"posted": {(posted.id,): posted}}


class State:
    """
    What a set of facts about one thread amounts to. `threadstore.Thread` adds what readers see of it.

    Args:
        key: The thread's key; empty for a thread that takes the key of its first event.

    Not safe for use by several Python threads at once without a lock.
    """

    __slots__ = (
        "_bare",
        "_cells",
        "_complete",
        "_facts",
        "_today",
        "_twins",
        "changes",
        "earliest",
        "key",
        "latest",
        "revision",
        "unreadable",
    )

    def __init__(self, key: str = "") -> None:
        self.key = key
        #: The place in the thread's stream that a store has read up to; 0 for a thread that comes from no store.
        self.revision = 0
        #: How many events up to there the store could not read; 0 for a thread that comes from no store.
        self.unreadable = 0
        #: The largest id seen, whether or not its fact still stands; the nil id for an empty thread.
        self.latest = NIL
        #: The smallest id seen; empty for an empty thread.
        self.earliest = ""
        #: How often the state has changed.
        self.changes = 0
        self._cells: dict[str, Cells] = {}
        #: Comments of which nothing is known but that they were posted: their cells are made when they are needed.
        self._bare: dict[str, CommentPosted] = {}
        self._facts: dict[str, Event] = {}
        #: Other facts under ids that `_facts` has already.
        self._twins: dict[bytes, Event] = {}
        self._complete = True
        self._today: Self | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}: {len(self._facts)} facts>"

    # --- changing -------------------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> bool:
        """
        Let one fact in, and return whether that changed the thread.

        Raises:
            TypeError: *event* is no event.
            ValueError: It belongs to another thread.

        Complexity: O(log n); an erased person and two facts under one id cost O(n) at the next view.
        """
        writes = REGISTERS.get(type(event))
        if writes is None:
            raise TypeError(f"an event is needed, not {type(event).__name__}")
        self._admit(event)
        if type(event) is CommentPosted and self._is_bare(event):
            return self._put_bare(event)
        cells = self._cells_for(event.target) if writes else _NO_CELLS
        changed = False
        for name, shape, key_of, when in writes:
            if when is not None and not when(event):
                continue
            cell = cells.get(name)
            if cell is None:
                cell = cells[name] = {}
            key = key_of(event)
            before = cell.get(key)
            if before is None:
                cell[key] = event
            elif not join(shape, cell, key, event):
                continue
            changed = True
            self._changed(name, event, before)
        self.changes += changed
        return changed

    def _is_bare(self, posted: CommentPosted) -> bool:
        """Return whether *posted* would be all that is known of the comment."""
        id = posted.id
        return id not in self._cells and not (posted.spoiler or posted.held) and self._bare.get(id, posted) == posted

    def _put_bare(self, posted: CommentPosted) -> bool:
        if posted.id in self._bare:
            return False
        self._bare[posted.id] = posted
        self.changes += 1
        self._changed("posted", posted, None)
        return True

    def _cells_for(self, target: str) -> Cells:
        """Return the cells of a target, to be changed."""
        cells = self._cells.get(target)
        if cells is None:
            posted = self._bare.pop(target, None)
            cells = self._cells[target] = {} if posted is None else _cells_of(posted)
        return cells

    def _changed(self, cell: str, event: Event, before: Event | None) -> None:
        """Note that *event* now stands in a cell of its target in the place of *before*; for subclasses that derive from it."""

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
            self._twins[encode(event)] = event

    def merge(self, other: State) -> Self:
        """
        Let in all that *other* knows; return self.

        Raises:
            ValueError: *other* is another thread.

        Complexity: O(m log n) for m facts of the other.
        """
        if self.key and other.key and self.key != other.key:
            raise ValueError(f"{other.key!r} is another thread than {self.key!r}")
        self._let_in(other)
        self.key = self.key or other.key
        self.latest = max(self.latest, other.latest)
        if other.earliest and (not self.earliest or other.earliest < self.earliest):
            self.earliest = other.earliest
        self._complete = self._complete and other._complete
        return self

    def _let_in(self, other: State) -> None:
        for event in list(other.facts()):
            self._remember(event.id, event)
        bare, kept = other.bare_and_kept()
        for posted in list(bare):
            if self._is_bare(posted):
                self._put_bare(posted)
            else:
                self._join(posted.id, _cells_of(posted))
        for target, cells in list(kept):
            self._join(target, cells)

    def _join(self, target: str, others: Cells) -> None:
        """Join into the cells of a target what stands in another state's: where the two are equal there is nothing to do."""
        cells = self._cells_for(target)
        for name, other in others.items():
            cell = cells.setdefault(name, {})
            if cell == other:
                continue
            shape = SHAPES[name]
            for key, event in other.items():
                before = cell.get(key)
                if join(shape, cell, key, event):
                    self.changes += 1
                    self._changed(name, event, before)

    # --- the facts ------------------------------------------------------------------------------------------------------------

    def fact(self, id: str) -> Event | None:
        """
        Return the fact with this id if the thread was given it.

        A thread that was restored from a snapshot knows the facts that still stand, and those that came later. Complexity: O(1).
        """
        return self._facts.get(id)

    def facts(self) -> Iterator[Event]:
        """Yield the facts that the thread was given, in no particular order."""
        return chain(self._facts.values(), self._twins.values())

    def standing_facts(self) -> Iterator[Event]:
        """
        Yield the facts that make up the state: those that no other has evicted, each as often as it stands in a cell.

        Folding them gives an equal thread, so they serve as its snapshot. Complexity: O(n).
        """
        bare, kept = self.bare_and_kept()
        yield from bare
        for _, cells in kept:
            for cell in cells.values():
                yield from cell.values()

    def bare_and_kept(self) -> tuple[Iterable[CommentPosted], Iterable[tuple[str, Cells]]]:
        """Return the comments of which nothing else is known, and the cells of all other targets; not to be changed."""
        return self._bare.values(), self._cells.items()

    def cells(self, target: str) -> Cells:
        """Return the cells of a comment, a correction, or the thread as a whole (``""``); not to be changed."""
        cells = self._cells.get(target)
        if cells is None:
            posted = self._bare.get(target)
            cells = _NO_CELLS if posted is None else _cells_of(posted)
        return cells

    def reactions(self, target: str) -> Cell | None:
        """Return the reactions to a comment, by actor and kind; not to be changed."""
        return self.cells(target).get("reaction")

    def targets(self) -> Iterator[str]:
        """Yield all that some fact is about."""
        return chain(self._bare, self._cells)

    def newest(self, below: str | None = None) -> Iterator[str]:
        """Yield what some fact is about, the largest id first, from *below* an id on; not the thread. Complexity: O(n log n)."""
        return iter(newest_first(self.targets(), below))

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

    @classmethod
    def restored(cls, key: str, events: Iterable[Event], *, revision: int, latest: str, earliest: str) -> Self:
        """Return the thread that a snapshot of its standing facts was taken of."""
        thread = cls.of(events, key=key)
        thread.revision = revision
        thread.latest = max(thread.latest, latest)
        thread.earliest = min(thread.earliest, earliest) if thread.earliest else earliest
        thread._complete = False
        return thread

    def as_of(self, moment: int) -> Self:
        """
        Return the thread as it stood at *moment* (Unix milliseconds, inclusive): its tree, reactions, counts, pins and locks.

        Texts and what conceals them are always today's, so that nothing withheld since then comes back.

        Raises:
            ValueError: The thread was restored from a snapshot, which does not hold what was overwritten; ask its store.

        Complexity: O(n).
        """
        if not self._complete:
            raise ValueError("a thread restored from a snapshot does not know its past; use StoredThread.as_of")
        return self.past(event for event in self.facts() if time_of(event.id) <= moment)

    def past(self, events: Iterable[Event]) -> Self:
        """Return the thread that only *events* had made, with this one's texts and concealment. Complexity: O(n)."""
        thread = self.of(events, key=self.key)
        thread.revision = self.revision
        thread.unreadable = self.unreadable
        thread._today = self.today
        return thread

    def look_from(self, today: Self) -> None:
        """Let a past take its texts and concealment from *today*, which may have grown since. Complexity: O(1)."""
        self._today = today

    @property
    def today(self) -> Self:
        """Return the thread whose texts and concealment hold: itself, unless it is a past of another."""
        return self if self._today is None else self._today


def newest_first(targets: Iterable[str], below: str | None) -> list[str]:
    """Return those of *targets* that are below an id, the largest first; not the thread."""
    return sorted((target for target in targets if target and (below is None or target < below)), reverse=True)
