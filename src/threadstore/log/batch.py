"""
What every log does alike when a batch arrives or a place is asked for, whatever it stores it in: pure functions, no storage.

A batch is judged in the order of blame. Events of another thread are misuse (`ValueError`). Two facts under one id can not both
be true (`ConflictingEvent`). Only then does it matter what the caller believed of the thread (`WrongRevision`), and only if
something is new: a retry has already happened, so it can not come too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from threadstore.errors import ConflictingEvent, WrongRevision
from threadstore.log.protocol import Expect, Expected
from threadstore.model.codec import decode, encode
from threadstore.model.erasure import Erasure, same_fact
from threadstore.model.events import Event

__all__ = ["END", "Erasures", "check_expected", "check_limit", "check_place", "check_same", "distinct"]

#: No position, no revision and no number of records lies beyond it.
END: Final = (1 << 63) - 1


def distinct(thread: str, events: Sequence[Event]) -> dict[str, Event]:
    """
    Return the facts of a batch by id, in the batch's order, each once.

    Raises:
        ValueError: An event belongs to another thread.
        ConflictingEvent: Two facts share an id.

    Complexity: O(len(events)).
    """
    facts: dict[str, Event] = {}
    for event in events:
        if event.thread != thread:
            raise ValueError(f"event {event.id!r} belongs to thread {event.thread!r}, not to {thread!r}")
        first = facts.setdefault(event.id, event)
        if first is not event and not same_fact(first, event):
            raise ConflictingEvent(event.id)
    return facts


def check_same(event: Event, stored: bytes, position: int) -> None:
    """
    Check that the *stored* record, which has the id of *event*, is the same fact.

    Bytes that differ may still be the same fact: redacted, or written by an older release.

    Raises:
        ConflictingEvent: It is another fact.
        CorruptRecord, UnsupportedSchema, UpcastFailed: The stored record can not be read.
    """
    if encode(event) != stored and not same_fact(decode(stored, position=position), event):
        raise ConflictingEvent(event.id)


def check_expected(thread: str, expected: Expected, revision: int) -> None:
    """
    Check that *revision* is the one that an append expects.

    Raises:
        WrongRevision: It is not.
    """
    if expected is Expect.ANY:
        return
    wanted = 0 if expected is Expect.NONE else expected
    if revision != wanted:
        raise WrongRevision(thread, wanted, revision)


def check_place(after: int) -> int:
    """
    Return *after* as a place to read on from: no log counts from below 0, or to beyond 63 bits.

    Raises:
        TypeError: *after* is no integer. (SQLite compares texts and fractions with positions all the same.)
    """
    if type(after) is not int:
        raise TypeError(f"after must be an int, not {type(after).__name__}")
    return min(max(after, 0), END)


def check_limit(limit: int | None) -> int:
    """
    Return *limit* as a number of records; None sets none.

    Raises:
        TypeError: *limit* is no integer.
        ValueError: It is negative.
    """
    if limit is None:
        return END
    if type(limit) is not int:
        raise TypeError(f"limit must be an int, not {type(limit).__name__}")
    if limit < 0:
        raise ValueError(f"limit must not be negative: {limit}")
    return min(limit, END)


class Erasures:
    """
    Several erasures of one thread, arranged so that asking costs the same however many they are.

    Only candidates are looked up here; whether one absorbs an event is `Erasure.covers`' to say.
    """

    __slots__ = ("_by_comment", "_by_person")

    def __init__(self, erasures: Iterable[Erasure]) -> None:
        self._by_comment: dict[str | None, list[Erasure]] = {}
        self._by_person: dict[str | None, list[Erasure]] = {}
        for erasure in erasures:
            self._by_comment.setdefault(erasure.comment, []).append(erasure)
            self._by_person.setdefault(erasure.person, []).append(erasure)

    def covers(self, event: Event) -> bool:
        """Return whether one of them absorbs *event*."""
        of_comment = self._by_comment.get(event.target, ())
        of_person = self._by_person.get(event.actor.id, ()) if event.actor else ()
        return any(erasure.covers(event) for erasure in (*of_comment, *of_person))
