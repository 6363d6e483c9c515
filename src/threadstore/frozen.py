"""
The columns of a large thread as bytes, so that a cold process need not read every head.

A frozen thread is of one revision: its columns, the shelves of its top level, and the revisions of the facts that are not plain,
which are read from the log.
It is a shortcut and nothing more: one that can not be read, that is of another fold, or that was made under other rules is as
good as none. It holds no text; of a name it holds the hash, so erasing a name drops it, as the log does with every snapshot.

Like a snapshot it is sealed with a checksum of its own.

Law: a thread that was frozen and thawed is the thread that is read from the log's heads.
"""

from __future__ import annotations

import sys
from array import array
from typing import Final

import msgspec

from threadstore.columns import Columns, Table
from threadstore.dense_orders import Shelves
from threadstore.model.policy import Rules
from threadstore.snapshots import FINGERPRINT, check_ends, digest_of, sealed, unsealed

__all__ = ["Frozen", "fingerprint", "freeze", "thaw"]

#: Raised by hand when the columns mean something else, or the fold changes in a way that its own fingerprint does not show.
_FORM: Final = 2


class Frozen(msgspec.Struct, frozen=True):
    """
    A thread, frozen.

    Args:
        earliest: The smallest id of its events.
        latest: The largest.
        rest: The revisions of the facts that are not plain, in order.
        columns: The others.
        shelves: The ranks of the columns' top level, by their votes.
    """

    earliest: str
    latest: str
    rest: list[int]
    columns: Columns
    shelves: Shelves


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    earliest: str
    latest: str
    rest: bytes
    table: Table
    shelves: list[tuple[int, int, memoryview]]

    def __post_init__(self) -> None:
        check_ends(self.earliest, self.latest)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode


def fingerprint(rules: Rules) -> str:
    """Name the fold, the rules that columns depend on, and this machine's order of bytes."""
    kinds = (rules.moderators, rules.kinds, rules.positive, rules.negative)
    said = [*map(sorted, kinds), sorted(map(sorted, rules.exclusive))]
    return digest_of(_FORM, FINGERPRINT, sys.byteorder, said)


def freeze(key: str, thread: Frozen) -> bytes:
    """Return a thread as bytes; its columns must be as they were built. Complexity: O(n), in C."""
    rest = array("I", thread.rest).tobytes()
    shelves = [(up, down, memoryview(ranks)) for (up, down), ranks in sorted(thread.shelves.items())]
    payload = _encode(_Stored(thread.earliest, thread.latest, rest, thread.columns.table(), shelves))
    return sealed(key, payload)


def thaw(key: str, rules: Rules, state: bytes) -> Frozen | None:
    """Return the thread that `freeze` was given, or None if *state* is not what it gave. Complexity: O(n), in C."""
    payload = unsealed(key, state)
    if payload is None:
        return None
    try:
        stored = _decode(payload)
        rest = array("I", stored.rest)
        columns = Columns.of_table(rules, stored.table)
        return Frozen(stored.earliest, stored.latest, rest.tolist(), columns, _shelves(stored, columns))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _shelves(stored: _Stored, columns: Columns) -> Shelves:
    shelves = {(up, down): array("I", ranks.tobytes()) for up, down, ranks in stored.shelves}
    is_whole = sum(map(len, shelves.values())) == len(columns.tops) and all(shelves.values())
    if not is_whole or len(shelves) < len(stored.shelves):
        raise ValueError("the shelves do not hold the top level")
    return shelves
