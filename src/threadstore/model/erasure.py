"""Free text, and events without it: what an erasure takes out of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from threadstore.model.events import REGISTERS, Event
from threadstore.model.values import Actor, TextQuote

__all__ = ["Erasure", "is_redacted", "redact", "same_fact", "text_fields"]

E = TypeVar("E", bound=Event)

#: Each field of free text with its blank value; all other fields are skeleton.
_BLANK: Final[Mapping[str, Any]] = {
    "body": "",
    "reason": "",
    "note": "",
    "suggestion": "",
    "title": "",
    "quote": TextQuote(""),
    "meta": None,
}

_TEXT_FIELDS: Final[Mapping[type[Event], dict[str, Any]]] = {
    kind: {field: _BLANK[field] for field in kind.__struct_fields__ if field in _BLANK} for kind in REGISTERS
}


def text_fields(kind: type[Event]) -> frozenset[str]:
    """Return the names of the fields of free text that a kind of event has."""
    return frozenset(_TEXT_FIELDS[kind])


def redact(event: E) -> E:
    """
    Return *event* without its free text: the skeleton.

    Fields that a newer release wrote (`extra`) are kept, since what they hold is not known here.

    Complexity: O(1).
    """
    actor = event.actor
    if actor is not None and actor.name:
        actor = Actor(actor.id, "", actor.role)
    return replace(event, actor=actor, **_TEXT_FIELDS[type(event)])


def is_redacted(event: Event) -> bool:
    """Return whether *event* holds no free text."""
    return redact(event) == event


def same_fact(one: Event, other: Event) -> bool:
    """
    Return whether two events are the same fact: equal, or one the other without its text.

    Two different texts under one id and one skeleton are two facts.
    """
    if one == other:
        return True
    skeleton = redact(one)
    return type(one) is type(other) and skeleton == redact(other) and skeleton in (one, other)


class Erasure(NamedTuple):
    """
    Which texts an effective erasure covers: those of one comment (or correction), or those that a person wrote before an id.

    A log needs nothing else to redact what it holds and what arrives later; whether an erasure has effect is judged elsewhere.
    """

    comment: str | None = None
    person: str | None = None
    before: str | None = None

    def covers(self, event: Event) -> bool:
        """Return whether the texts of *event* are to be forgotten."""
        if self.comment is not None:
            return event.target == self.comment
        return event.actor is not None and event.actor.id == self.person and self.before is not None and event.id < self.before
