"""
A thread's state as bytes, so that a cold thread need not be folded from its first event.

A snapshot is a state, not a prefix: it keeps the facts that stand, among them orphans' cells and cancels whose marks are still to
come, so a thread resumed from it takes an older event as well as any. It is a shortcut and nothing more: one that can not be
read, or that another fold made, is as good as none.

A snapshot is sealed with a checksum of its own, whatever the log does: its words and ids are plain, so a byte that is turned over
may well give a readable state, of another thread than the one that was kept.

Law: `restore` gives the thread that `snapshot` was given, or None.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw

from threadstore.errors import DataError
from threadstore.model.codec import FIELDS, SCHEMA, UPCASTERS, decode, encode
from threadstore.model.events import REGISTERS
from threadstore.model.ids import NIL, is_id
from threadstore.views.thread import Thread

__all__ = ["FINGERPRINT", "SEAL", "check_ends", "digest_of", "restore", "seal", "sealed", "snapshot", "unsealed"]

#: Raised by hand when the fold changes in a way that the tables below do not show.
_FOLD: Final = 1


def digest_of(*said: object) -> str:
    """Return a fingerprint of plain values, which differs where they do."""
    return blake2b(repr(said).encode(), digest_size=16).hexdigest()


def _fingerprint() -> str:
    """Name the fold: its schema, its table of registers, its upcasters."""
    table = [
        (kind.__name__, FIELDS.get(kind), [(write.cell, write.shape.value, write.key.__name__) for write in writes])
        for kind, writes in REGISTERS.items()
    ]
    return digest_of(_FOLD, SCHEMA, table, sorted(UPCASTERS))


FINGERPRINT: Final = _fingerprint()


#: How many bytes the seal has; they come first.
SEAL: Final = 8


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    latest: str
    earliest: str
    facts: list[Raw]

    def __post_init__(self) -> None:
        check_ends(self.earliest, self.latest)


def check_ends(earliest: str, latest: str) -> None:
    """
    Check the smallest and the largest id of a stored thread.

    Raises:
        ValueError: They are not what a thread has, with events or without.
    """
    if not (earliest == "" or is_id(earliest)) or not (latest == NIL or is_id(latest)):
        raise ValueError("the ends of the thread must be ids")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


def seal(key: str, payload: bytes | memoryview) -> bytes:
    """Return the checksum of a state of the thread called *key*; it is no secret. Complexity: O(len(payload))."""
    return blake2b(payload, digest_size=SEAL, key=blake2b(key.encode(), digest_size=32).digest()).digest()


def sealed(key: str, payload: bytes) -> bytes:
    """Return a state of the thread called *key* behind its seal."""
    return seal(key, payload) + payload


def unsealed(key: str, state: bytes) -> memoryview | None:
    """Return the state that `sealed` was given, or None if it does not match its seal."""
    payload = memoryview(state)[SEAL:]
    if state[:SEAL] != seal(key, payload):
        return None
    return payload


def snapshot(thread: Thread) -> bytes:
    """Return the thread's state. Complexity: O(n)."""
    records = sorted({encode(fact) for fact in thread.standing_facts()})
    payload = _encoder.encode(_Stored(thread.latest, thread.earliest, [Raw(record) for record in records]))
    return sealed(thread.key, payload)


def restore(key: str, revision: int, state: bytes) -> Thread | None:
    """Return the thread that `snapshot` was given, or None if *state* is not what it gave. Complexity: O(n)."""
    payload = unsealed(key, state)
    if payload is None:
        return None
    try:
        stored = _decoder.decode(payload)
        facts = [decode(bytes(record)) for record in stored.facts]
        return Thread.restored(key, facts, revision=revision, latest=stored.latest, earliest=stored.earliest)
    except (DataError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
