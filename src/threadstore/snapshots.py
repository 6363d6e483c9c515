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

from threadstore.codec import FIELDS, SCHEMA, UPCASTERS, decode, encode
from threadstore.errors import DataError
from threadstore.events import REGISTERS
from threadstore.ids import NIL, is_id
from threadstore.thread import Thread

__all__ = ["FINGERPRINT", "SEAL", "restore", "seal", "snapshot"]

#: Raised by hand when the fold changes in a way that the tables below do not show.
_FOLD: Final = 1


def _fingerprint() -> str:
    """Name the fold: its schema, its table of registers, its upcasters."""
    table = [
        (kind.__name__, FIELDS.get(kind), [(write.cell, write.shape.value, write.key.__name__) for write in writes])
        for kind, writes in REGISTERS.items()
    ]
    said = repr((_FOLD, SCHEMA, table, sorted(UPCASTERS)))
    return blake2b(said.encode(), digest_size=16).hexdigest()


FINGERPRINT: Final = _fingerprint()


#: How many bytes the seal has; they come first.
SEAL: Final = 8


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    latest: str
    earliest: str
    facts: list[Raw]

    def __post_init__(self) -> None:
        if not (self.latest == NIL or is_id(self.latest)) or not (self.earliest == "" or is_id(self.earliest)):
            raise ValueError("the ends of the thread must be ids")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


def seal(key: str, payload: bytes) -> bytes:
    """Return the checksum of a state of the thread called *key*; it is no secret. Complexity: O(len(payload))."""
    return blake2b(payload, digest_size=SEAL, key=blake2b(key.encode(), digest_size=32).digest()).digest()


def snapshot(thread: Thread) -> bytes:
    """Return the thread's state. Complexity: O(n)."""
    records = sorted({encode(fact) for fact in thread.standing_facts()})
    payload = _encoder.encode(_Stored(thread.latest, thread.earliest, [Raw(record) for record in records]))
    return seal(thread.key, payload) + payload


def restore(key: str, revision: int, state: bytes) -> Thread | None:
    """Return the thread that `snapshot` was given, or None if *state* is not what it gave. Complexity: O(n)."""
    payload = state[SEAL:]
    if state[:SEAL] != seal(key, payload):
        return None
    try:
        stored = _decoder.decode(payload)
        facts = [decode(bytes(record)) for record in stored.facts]
        return Thread.restored(key, facts, revision=revision, latest=stored.latest, earliest=stored.earliest)
    except (DataError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
