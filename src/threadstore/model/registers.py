"""
The joins: what becomes of two facts under one key.

A cell is a mapping of keys to events. Joining a fact into a cell is commutative, associative and idempotent for each of the three
shapes, because each keeps the extreme of a total order over facts:

- ONCE keeps the smallest id,
- LATEST keeps the largest id,
- FLAG has the fact's own id and writer for its key, so only equals can meet there.

Two different facts under one id do not happen among honest writers, and a log refuses the second. Here, where nothing is refused,
the one with the larger canonical bytes stays, so that replicas agree all the same. Skeletons are compared before texts, and a
full fact stays above the same fact redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from threadstore.model.codec import encode
from threadstore.model.erasure import is_redacted, redact
from threadstore.model.events import REGISTERS, Event, Key, Shape

__all__ = ["SHAPES", "Cell", "join", "wins"]

Cell = dict[Key, Event]

#: The shape of each cell, by its name.
SHAPES: Final[Mapping[str, Shape]] = {write.cell: write.shape for writes in REGISTERS.values() for write in writes}


def _rank(event: Event) -> tuple[bytes, bool, bytes]:
    return encode(redact(event)), not is_redacted(event), encode(event)


def _smallest(event: Event, kept: Event) -> bool:
    if event.id != kept.id:
        return event.id < kept.id
    return _rank(event) > _rank(kept)


def _largest(event: Event, kept: Event) -> bool:
    if event.id != kept.id:
        return event.id > kept.id
    return _rank(event) > _rank(kept)


_WINS: Final[Mapping[Shape, Callable[[Event, Event], bool]]] = {
    Shape.ONCE: _smallest,
    Shape.LATEST: _largest,
    Shape.FLAG: _largest,
}


def wins(shape: Shape, event: Event, kept: Event) -> bool:
    """Return whether *event* takes the place of another fact that stands under its key. Complexity: O(1)."""
    return _WINS[shape](event, kept)


def join(shape: Shape, cell: Cell, key: Key, event: Event) -> bool:
    """
    Fold *event* into *cell* under *key* and return whether the cell changed.

    Complexity: O(1); two different facts under one id cost an encoding each.
    """
    kept = cell.get(key)
    if kept is not None and (kept == event or not _WINS[shape](event, kept)):
        return False
    cell[key] = event
    return True
