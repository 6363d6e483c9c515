"""
Who has acted where: the index of a store's file by the people in it.

A row of `acts` is the beginning of an actor's hash, as the event's head has it, and a position. To write it with each event would
cost a single post a third more (25 µs beside 87 µs, with 200,000 events and durability "normal", as an index of `events` and as a
table alike): the rows of one moment lie far apart, so each takes a page of its own to the disk. So events are indexed by whole
runs when somebody asks, in the order of their keys, and what comes after the last whole run is looked through by its heads.

The row of the empty actor says up to which position all is indexed. A run of which anything is damaged or missing is not indexed,
nor is any after it: a question looks through them. Two actors may share a key, so whoever asks looks at the events as well.

Erasure has nothing to do here: a redacted record keeps its actor's id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from threadstore.heads import SIZE, actor_hash, are_sound
from threadstore.log.protocol import Damage, Position

__all__ = ["ACTED", "INDEXED", "LAST_UPTO", "RUN", "actor_key", "extend", "keys_of", "verify_acts"]

#: How many events are indexed together, and looked through by one statement.
RUN: Final = 4_096
#: How many runs one commit brings, at most.
_RUNS: Final = 16
_ACTOR: Final = 32
_KEY: Final = 8
_NOBODY: Final = bytes(_KEY)

INDEXED: Final = "SELECT coalesce(max(max(position), 0), 0) FROM acts WHERE actor = x''"
ACTED: Final = "SELECT position FROM acts WHERE actor = ? AND position < ? ORDER BY position DESC LIMIT ?"
# Aggregates take the rows of a subquery in its order.
_HEADS: Final = """
    SELECT count(*), CAST(group_concat(head, '') AS BLOB) FROM (
        SELECT head FROM events WHERE position >= ? + 1 AND position <= ? ORDER BY position)"""
_INDEX: Final = "INSERT OR IGNORE INTO acts (actor, position) VALUES (?, ?)"
_FORGET_END: Final = "DELETE FROM acts WHERE actor = x''"

_KEY_OF_HEAD: Final = f"substr(head, {_ACTOR + 1}, {_KEY})"
_UNINDEXED: Final = f"""
    SELECT position FROM events AS e WHERE position <= ? AND {_KEY_OF_HEAD} <> zeroblob({_KEY})
        AND NOT EXISTS (SELECT 1 FROM acts AS a WHERE a.actor = {_KEY_OF_HEAD} AND a.position = e.position)
    ORDER BY position"""
_SURPLUS: Final = f"""
    SELECT (SELECT count(*) FROM acts WHERE actor <> x'')
        - (SELECT count(*) FROM events WHERE position <= ? AND {_KEY_OF_HEAD} <> zeroblob({_KEY}))"""
_LAST: Final = "SELECT coalesce(max(position), 0) FROM events"
LAST_UPTO: Final = f"{_LAST} WHERE position <= ?"


def actor_key(id: str) -> bytes:
    """Return under which key an actor's events are indexed. Complexity: O(1)."""
    return actor_hash(id)[:_KEY]


def keys_of(connection: sqlite3.Connection, after: int, upto: int) -> list[bytes] | None:
    """Return the key of each event above *after* up to *upto*; None where one is missing, or its head is damaged."""
    count, run = connection.execute(_HEADS, (after, upto)).fetchone()
    if count != upto - after or len(run or b"") != SIZE * count or not are_sound(run):
        return None
    return [run[start : start + _KEY] for start in range(_ACTOR, len(run), SIZE)]


def extend(writer: sqlite3.Connection, last: int) -> bool:
    """Index the next whole runs up to the position *last*; return whether there were any."""
    start = upto = int(writer.execute(INDEXED).fetchone()[0])
    rows: list[tuple[bytes, int]] = []
    while upto + RUN <= min(last, start + _RUNS * RUN) and (keys := keys_of(writer, upto, upto + RUN)) is not None:
        rows += ((key, position) for position, key in enumerate(keys, upto + 1) if key != _NOBODY)
        upto += RUN
    if upto > start:
        writer.executemany(_INDEX, sorted(rows))
        writer.execute(_FORGET_END)
        writer.execute(_INDEX, (b"", upto))
    return upto > start


def verify_acts(connection: sqlite3.Connection) -> Iterator[Damage]:
    """
    Yield where the index is not what the heads say, which are known to be right.

    Complexity: O(n log n).
    """
    [upto] = connection.execute(INDEXED).fetchone()
    [last] = connection.execute(_LAST).fetchone()
    if upto > last:
        yield Damage("acts", None, None, f"all acts should be indexed up to {upto}, but the last event is {last}")
    for (position,) in connection.execute(_UNINDEXED, (upto,)):
        yield Damage("acts", Position(position), None, "it is not found under its actor")
    [surplus] = connection.execute(_SURPLUS, (upto,)).fetchone()
    if surplus > 0:
        yield Damage("acts", None, None, f"acts are indexed that there are not: {surplus}")
