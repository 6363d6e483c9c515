"""
What is asked for, as a value: which page, how much of it, and who looks.

A request is checked when it is made, so whatever answers it can rely on its bounds. It is
hashable, so an answer can be remembered under it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from attrs import field, frozen

from threadstore.model.ranking import ORDERS, Order
from threadstore.model.values import Actor, check_int

__all__ = ["MAX_REVEAL", "By", "PageRequest", "Reveal", "check_bounds", "reader_of", "revealed"]

MAX_LIMIT: Final = 10_000
MAX_REPLIES: Final = 10_000
MAX_DEPTH: Final = 200
MAX_ROWS: Final = 100_000
MAX_CONTEXT: Final = 100
MAX_REVEAL: Final = 100_000

#: Who looks or acts: an actor, the id of one who needs neither name nor role, or None for an anonymous one.
By = Actor | str | None
#: The ids of comments whose spoilers a reader has opened, or "all".
Reveal = Collection[str] | str

_BOUNDS: Final = (
    ("limit", 1, MAX_LIMIT),
    ("replies", 0, MAX_REPLIES),
    ("depth", 0, MAX_DEPTH),
    ("rows", 1, MAX_ROWS),
    ("context", 0, MAX_CONTEXT),
)


def reader_of(reader: By) -> Actor | None:
    """
    Return who looks.

    Raises:
        TypeError: *reader* is neither an actor nor an id.
        ValueError: It cannot be an actor's id.
    """
    if isinstance(reader, str):
        return Actor(reader)
    if reader is not None and not isinstance(reader, Actor):
        raise TypeError(f"reader must be an Actor, an id or None, not {type(reader).__name__}")
    return reader


def _checked(reader: By) -> By:
    reader_of(reader)
    return reader


def revealed(reveal: Reveal) -> frozenset[str] | None:
    """
    Return the ids of the spoilers that a reader has opened; None for all.

    Raises:
        TypeError, ValueError: *reveal* is no collection, another text than "all", or too large.
    """
    if isinstance(reveal, str):
        if reveal != "all":
            raise ValueError(f"reveal must be 'all' or a collection of ids, not {reveal[:64]!r}")
        return None
    if len(reveal) > MAX_REVEAL:
        raise ValueError(f"reveal names {len(reveal)} comments where {MAX_REVEAL} are allowed; use 'all'")
    return frozenset(reveal)


def check_bounds(name: str, value: int, least: int, most: int) -> None:
    """
    Refuse a bound that is no int, or beyond what an answer may cost.

    Raises:
        TypeError, ValueError: It is.
    """
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {value}")


@frozen(kw_only=True)
class PageRequest:
    """
    One page that somebody asks for; `Thread.view` says what each field means.

    Raises:
        TypeError, ValueError: A field is of the wrong type or out of range.
    """

    order: Order = field(default="oldest")
    limit: int = 20
    after: str | None = None
    reader: By = field(default=None, converter=_checked)
    reveal: frozenset[str] | None = field(default=frozenset(), converter=revealed)
    replies: int = 3
    depth: int = 8
    rows: int = 200
    pinned: bool = False
    now: int | None = None
    context: int = 0

    def __attrs_post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {self.order!r:.80}")
        for name, least, most in _BOUNDS:
            check_bounds(name, getattr(self, name), least, most)
        if type(self.pinned) is not bool:
            raise TypeError(f"pinned must be a bool, not {type(self.pinned).__name__}")
        if self.now is not None:
            check_int(self.now, "now", 0)
