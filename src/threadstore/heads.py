"""
Heads: what the tree of a large thread needs to know of an event, in 64 bytes.

Most events of a thread are plain: a comment that raises no flag, a reaction, an author's edit. To place a million of them it is
enough to know which event is about which, and whose it is. A head says that in fields of a fixed width, so that a run of heads is
cut into columns without an object per event::

    id (16) · target or parent (16) · actor (16) · name (8) · kind (1) · role (1) · zero (2) · check (4)

- Ids are their 16 bytes; no parent is the nil id.
- An actor is the BLAKE2b hash of their id, 128 bits wide, so that nobody can choose an id that passes for another's; zero if
  anonymous.
- A name is the hash of the name under which a comment was posted, so that equal ones are looked up once; zero for none.
- The kind is `OTHER` for all that is not plain: such an event must be decoded to be understood.
- The check is a CRC-32 that begins where that of another head ends, so one pass over a run checks every head in it.

But for the name, a head is a function of the event's skeleton: erasing its texts leaves the rest as it is.

Law: what a head says is what the event says; a head that is damaged anywhere does not pass `are_sound`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import chain, islice
from operator import eq
from struct import Struct, unpack
from typing import Final, NamedTuple
from zlib import crc32

from threadstore.model.events import (
    ROLES,
    SUPPORT,
    CommentEdited,
    CommentPosted,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
    Role,
)
from threadstore.model.ids import NIL, all_to_bytes, from_bytes, to_bytes

__all__ = [
    "EDIT",
    "KIND",
    "NAME",
    "NO_ID",
    "OTHER",
    "POST",
    "ROLE",
    "SIZE",
    "WORDS",
    "Heads",
    "actor_hash",
    "are_sound",
    "ends",
    "fields",
    "has_repeats",
    "hash_of",
    "head",
    "heads_of",
    "name_hash",
    "reaction_code",
    "role_of",
]

SIZE: Final = 64
#: Where the name, the kind and the role stand.
NAME: Final = 48
KIND: Final = 56
ROLE: Final = 57

OTHER: Final = 0
POST: Final = 1
EDIT: Final = 2
_REACTION: Final = 16

#: The kinds of reaction that have a code; others are not plain. Only ever appended to.
WORDS: Final = (SUPPORT, "up", "down", "like", "dislike", "love", "laugh", "sad", "angry")

NO_ID: Final = bytes(16)

#: How many heads are cut at once.
_AT_ONCE: Final = 1_024

_layout = Struct(">16s16s16sQBBxx")
_check = Struct("<I")
#: The CRC-32 of whatever ends in its own CRC-32, little end first.
_RESIDUE: Final = 0x2144DF1C


def reaction_code(kind: str, *, given: bool) -> int:
    """Return the code of a reaction; `OTHER` if its kind has none."""
    return _REACTION + 2 * WORDS.index(kind) + (not given) if kind in WORDS else OTHER


_GIVEN: Final = {kind: reaction_code(kind, given=True) for kind in WORDS}
_WITHDRAWN: Final = {kind: reaction_code(kind, given=False) for kind in WORDS}
_ROLES: Final = {role: number for number, role in enumerate(ROLES, 1)}


def role_of(code: int) -> Role | None:
    """Return the role that a head names; None if the actor is anonymous."""
    return ROLES[code - 1] if code else None


@lru_cache(maxsize=4096)
def actor_hash(id: str) -> bytes:
    """Return what a head calls the actor with this id. Complexity: O(1)."""
    return blake2b(id.encode(), digest_size=16).digest()


@lru_cache(maxsize=4096)
def name_hash(name: str) -> int:
    """Return a number of 63 bits for a name, 0 for none: equal names are looked up once only. Complexity: O(1)."""
    return hash_of(name)


def hash_of(name: str) -> int:
    """Return what `name_hash` does, for what is hardly asked twice."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 | 1 if name.strip() else 0


def head(event: Event) -> bytes:
    """Return the head of *event*. Complexity: O(1)."""
    kind, target = _plain(event)
    actor = event.actor
    front = _layout.pack(
        to_bytes(event.id),
        NO_ID if target is None else to_bytes(target),
        NO_ID if actor is None else actor_hash(actor.id),
        name_hash(actor.name) if actor is not None and isinstance(event, CommentPosted) else 0,
        kind,
        0 if actor is None else _ROLES[actor.role],
    )
    return front + _check.pack(crc32(front, _RESIDUE))


def heads_of(events: Sequence[Event]) -> list[bytes]:
    """Return the head of each event, as `head` does. Complexity: O(events), two thirds of the time of `head` for each."""
    plain = list(map(_plain, events))
    ids = all_to_bytes(event.id for event in events)
    targets = all_to_bytes(target or NIL for _, target in plain)
    pack, found = _layout.pack, []
    for event, id, target, (kind, _) in zip(events, ids, targets, plain, strict=True):
        actor = event.actor
        if actor is None:
            front = pack(id, target, NO_ID, 0, kind, 0)
        else:
            name = name_hash(actor.name) if type(event) is CommentPosted else 0
            front = pack(id, target, actor_hash(actor.id), name, kind, _ROLES[actor.role])
        found.append(front + _check.pack(crc32(front, _RESIDUE)))
    return found


def _plain(event: Event) -> tuple[int, str | None]:
    """Return the kind of a plain event with what it is about; `OTHER` for any other."""
    if event.extra:
        return OTHER, None
    if isinstance(event, CommentPosted):
        return (OTHER if event.spoiler or event.held else POST), event.parent
    if event.actor is None:
        return OTHER, None
    if isinstance(event, ReactionGiven):
        return _GIVEN.get(event.kind, OTHER), event.comment
    if isinstance(event, ReactionWithdrawn):
        return _WITHDRAWN.get(event.kind, OTHER), event.comment
    if isinstance(event, CommentEdited):
        return EDIT, event.comment
    return OTHER, None


def are_sound(heads: bytes) -> bool:
    """Return whether every head of a run is as it was written. Complexity: O(len(heads)), in C."""
    return len(heads) % SIZE == 0 and crc32(heads, _RESIDUE) == _RESIDUE


class _Records(NamedTuple):
    revisions: Sequence[int]
    heads: bytes


class Heads(_Records):
    """
    Some records of a thread, without their texts.

    Args:
        revisions: Where each is in the thread's stream, in order.
        heads: Their heads, one behind the other.
    """

    @cached_property
    def _ids(self) -> tuple[bool, bytes, bytes]:
        """Whether two are equal, the smallest and the largest; empty if there are none."""
        ids = sorted(chain.from_iterable(fields(self.heads, "16s48x")))
        return any(map(eq, ids, islice(ids, 1, None))), ids[0] if ids else b"", ids[-1] if ids else b""


def fields(heads: bytes, layout: str) -> Iterator[tuple[bytes, ...]]:
    """Yield some fields of all heads, of so many heads at once that they stay at the processor's hand; *layout* is struct's."""
    for start in range(0, len(heads), _AT_ONCE * SIZE):
        run = heads[start : start + _AT_ONCE * SIZE]
        yield unpack(layout * (len(run) // SIZE), run)


def has_repeats(rows: Heads) -> bool:
    """Return whether two records have one id. Complexity: O(n log n), O(n) if the ids are in order; in C, once."""
    return rows._ids[0]


def ends(rows: Heads) -> tuple[str, str]:
    """Return the smallest and the largest id of some records, of which there is one at least. Complexity: as `has_repeats`."""
    _, smallest, largest = rows._ids
    return from_bytes(smallest), from_bytes(largest)
