"""
What events are made of: people, quotes, and bounds for every text and number.

The bounds are those of the format, so a reader of a log need not fear what it holds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, get_args

from msgspec import Struct

from threadstore.errors import UnsafeText

__all__ = [
    "ROLES",
    "SUPPORT",
    "Actor",
    "Role",
    "TextQuote",
    "Writer",
    "actor_key",
    "check_choice",
    "check_int",
    "check_key",
    "check_text",
]

Role = Literal["reader", "author", "moderator", "editor", "system"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

#: The reaction that a news page offers: "I support".
SUPPORT: Final = "support"

# Bounds of the format, in characters unless said otherwise. They protect every reader of a log; `Policy` sets the (smaller)
# bounds that an application wants for what is written anew. The longest body seen in real threads has 185,637 characters.
MAX_THREAD_KEY: Final = 1_000
MAX_ACTOR_ID: Final = 200
MAX_NAME: Final = 500
MAX_BODY: Final = 1_000_000
MAX_NOTE: Final = 10_000
MAX_URL: Final = 4_000
MAX_QUOTE: Final = 10_000
MAX_KIND: Final = 64
MAX_VERSION: Final = 200
MAX_TAG: Final = 200
MAX_CANCELS: Final = 10_000
MAX_META_ITEMS: Final = 32
MAX_META_KEY: Final = 64
MAX_META_VALUE: Final = 2_000
MAX_EXTRA: Final = 10_000_000  # bytes
MAX_AT: Final = 1 << 53

Writer = tuple[str, Role]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch


def check_text(text: str, field: str, limit: int) -> None:
    """
    Check that *text* can be stored and sent everywhere.

    Raises:
        TypeError: *text* is no string.
        ValueError: It is longer than *limit* characters.
        UnsafeText: It holds NUL or a lone surrogate.

    Complexity: O(len(text)).
    """
    if type(text) is not str:
        raise TypeError(f"{field} must be a str, not {type(text).__name__}")
    if len(text) > limit:
        raise ValueError(f"{field} has {len(text)} characters where the format allows {limit}")
    if "\0" in text:
        raise UnsafeText(field, text.index("\0"))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UnsafeText(field, error.start) from error


def check_key(text: str, field: str, limit: int) -> None:
    """Check that *text* is a text and not empty; errors as for `check_text`."""
    check_text(text, field, limit)
    if not text:
        raise ValueError(f"{field} must not be empty")


def check_int(value: int, field: str, least: int) -> None:
    """
    Check that *value* is an integer, at least *least*, that every format carries exactly.

    Raises:
        TypeError: *value* is no integer; a bool is none.
        ValueError: It is out of range.
    """
    if type(value) is not int:
        raise TypeError(f"{field} must be an int, not {type(value).__name__}")
    if not least <= value <= MAX_AT:
        raise ValueError(f"{field} must be from {least} to {MAX_AT}, not {value}")


def check_choice(value: object, field: str, choices: tuple[str, ...]) -> None:
    """
    Check that *value* is one of a few words.

    Raises:
        ValueError: It is not.
    """
    if type(value) is not str or value not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}, not {value!r:.64}")


# The checks see to it that nothing in a fact can lead back to it, so the garbage collector need not look at facts: a process that
# holds a million of them would wait for it otherwise.


class Actor(Struct, frozen=True, array_like=True, gc=False):
    """
    Who acts: an opaque *id*, the *name* shown, and the *role* that the application vouches for.

    The id outlives erasure, so it must say nothing of the person; one that looks like an e-mail address is refused.

    >>> Actor("u-17", "Ann Lee")
    Actor(id='u-17', name='Ann Lee', role='reader')

    Raises:
        TypeError, ValueError: A field is of the wrong type, too long, or unsafe.
    """

    id: str
    name: str = ""
    role: Role = "reader"

    def __post_init__(self) -> None:
        check_key(self.id, "an actor's id", MAX_ACTOR_ID)
        if _EMAIL(self.id):
            raise ValueError("an actor's id must be opaque: it looks like an e-mail address, which erasure could not remove")
        check_text(self.name, "an actor's name", MAX_NAME)
        check_choice(self.role, "role", ROLES)


def actor_key(actor: Actor | str | None) -> int:
    """Return the hash (BLAKE2b, 64 bits) by which an actor, or the one with this id, is known; 0 for an anonymous one."""
    if actor is None:
        return 0
    return _hash_of(actor if isinstance(actor, str) else actor.id)


@lru_cache(maxsize=65_536)
def _hash_of(id: str) -> int:
    return int.from_bytes(blake2b(id.encode(), digest_size=8).digest(), "big", signed=True) or 1


class TextQuote(Struct, frozen=True, array_like=True, gc=False):
    """
    A passage of the article: what it says, what stands around it, and where it began.

    The first three fields are the TextQuoteSelector, `start` the offset of a TextPositionSelector (in characters), both of the
    W3C Web Annotation Data Model, sections 4.2.4 and 4.2.5.
    """

    exact: str
    prefix: str = ""
    suffix: str = ""
    start: int = 0

    def __post_init__(self) -> None:
        check_text(self.exact, "exact", MAX_QUOTE)
        check_text(self.prefix, "prefix", MAX_QUOTE)
        check_text(self.suffix, "suffix", MAX_QUOTE)
        check_int(self.start, "start", 0)
