"""
What a file keeps of threads that can be made again: snapshots, which may be large, and fronts.

Their states follow a margin of a page, so they lie on overflow pages (`threadstore.log.sqlite` says why).

A large snapshot is written in parts, each in a transaction of its own, so that nobody who writes meanwhile waits for more than
one of them. Its row comes last, with the last part: until then the former snapshot is the one that is loaded. Parts are filed
under what they are of, so two processes that write the same snapshot write the same parts. What is left of a former one, or of
one that was not finished, is taken out in portions as well.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Final

from threadstore.errors import StoreError
from threadstore.log._connections import Database
from threadstore.log._schema import PAGE_SIZE, checksum
from threadstore.log.batch import fronts_beside
from threadstore.log.protocol import Snapshot

__all__ = ["PART", "drop", "fronts", "load", "store", "store_front"]

#: How many bytes of a snapshot one transaction writes.
PART: Final = 1 << 18
#: How many parts one transaction takes out.
_AT_ONCE: Final = 4

_SHOWN: Final = "SELECT coalesce(max(shown), 0) FROM erasures WHERE thread = ?"

# --- snapshots: the last part is in the row itself
_LOAD: Final = """
    SELECT NULL, state, CAST(fingerprint AS BLOB), revision, crc FROM snapshots WHERE thread = ?1
    UNION ALL
    SELECT p.part, p.state, NULL, NULL, NULL
    FROM snapshots AS s JOIN snapshot_parts AS p USING (thread, fingerprint, revision) WHERE s.thread = ?1"""
_NEWER: Final = "SELECT 1 FROM snapshots WHERE thread = ? AND fingerprint = ? AND revision > ?"
_STORE: Final = f"""
    INSERT OR REPLACE INTO snapshots (thread, fingerprint, revision, crc, margin, state)
    VALUES (?, ?, ?, ?, zeroblob({PAGE_SIZE}), ?)"""
_STORE_PART: Final = f"""
    INSERT OR REPLACE INTO snapshot_parts (thread, fingerprint, revision, part, margin, state)
    VALUES (?, ?, ?, ?, zeroblob({PAGE_SIZE}), ?)"""
_COUNT: Final = "SELECT count(*) FROM snapshot_parts WHERE thread = ? AND fingerprint = ? AND revision = ?"
_CUT: Final = "DELETE FROM snapshot_parts WHERE thread = ? AND fingerprint = ? AND revision = ? AND part NOT BETWEEN 0 AND ? - 1"
_CLEAR_UP: Final = f"""
    DELETE FROM snapshot_parts WHERE rowid IN (
        SELECT p.rowid FROM snapshot_parts AS p LEFT JOIN snapshots AS s USING (thread, fingerprint, revision)
        WHERE p.thread = ? AND s.thread IS NULL LIMIT {_AT_ONCE})"""

# --- fronts
_FRONTS: Final = """
    SELECT CAST(fingerprint AS BLOB), revision, crc, state FROM fronts
    WHERE thread = ?1 AND fingerprint = coalesce(?2, fingerprint)"""
_FORMER_FRONTS: Final = "SELECT fingerprint, revision FROM fronts WHERE thread = ?"
_STORE_FRONT: Final = f"""
    INSERT OR REPLACE INTO fronts (thread, fingerprint, revision, crc, margin, state)
    VALUES (?, ?, ?, ?, zeroblob({PAGE_SIZE}), ?)"""

_DROP_FRONTS: Final = "DELETE FROM fronts WHERE thread = ?"

_DROP: Final = ("DELETE FROM snapshots WHERE thread = ?", "DELETE FROM snapshot_parts WHERE thread = ?", _DROP_FRONTS)


def drop(writer: sqlite3.Connection, thread: str) -> None:
    """Take out all that is derived from a thread, in the present transaction."""
    for statement in _DROP:
        writer.execute(statement, (thread,))


def _shown(connection: sqlite3.Connection, thread: str) -> int:
    """Return the first revision whose state holds nothing that was erased from the thread."""
    return int(connection.execute(_SHOWN, (thread,)).fetchone()[0])


# --- snapshots ----------------------------------------------------------------------------------------------------------------


def load(connection: sqlite3.Connection, thread: str) -> Snapshot | None:
    """Return a thread's snapshot; one that is damaged is none."""
    rows = connection.execute(_LOAD, (thread,)).fetchall()
    own = [row for row in rows if row[0] is None]
    if not own:
        return None
    [(_, last, fingerprint, revision, crc)] = own
    try:
        parts = sorted(row[:2] for row in rows if row[0] is not None)
        return _sound(thread, fingerprint, revision, crc, b"".join([*(state for _, state in parts), last]))
    except TypeError:  # a damaged field may be of any type
        return None


def _sound(thread: str, fingerprint: bytes, revision: Any, crc: Any, state: bytes) -> Snapshot | None:
    if crc != checksum(thread, fingerprint, revision, state):
        return None
    return Snapshot(fingerprint.decode(), revision, state)


def store(database: Database, thread: str, snapshot: Snapshot) -> None:
    """Keep a snapshot in place of the thread's former one, unless that one is of the same fold and newer."""
    name, state = (thread, snapshot.fingerprint, snapshot.revision), snapshot.state
    starts = range(0, len(state) - PART, PART)
    try:
        for part, start in enumerate(starts):
            with database.writing() as writer:
                if not _is_wanted(writer, thread, snapshot):
                    return
                writer.execute(_STORE_PART, (*name, part, state[start : start + PART]))
        with database.writing() as writer:
            writer.execute(_CUT, (*name, len(starts)))  # parts that damage has given another number
            [parts] = writer.execute(_COUNT, name).fetchone()
            if parts == len(starts) and _is_wanted(writer, thread, snapshot):  # nobody has taken any of them out meanwhile
                writer.execute(_STORE, (*name, checksum(*name, state), state[PART * len(starts) :]))
    finally:
        with suppress(StoreError):  # then the next who stores one clears up
            _clear_up(database, thread)


def _is_wanted(writer: sqlite3.Connection, thread: str, snapshot: Snapshot) -> bool:
    """Return whether a snapshot may take the place of the former one: no sound one of its fold is newer, and no erasure is."""
    newer = writer.execute(_NEWER, (thread, snapshot.fingerprint, snapshot.revision)).fetchone() and load(writer, thread)
    return not newer and snapshot.revision >= _shown(writer, thread)


def _clear_up(database: Database, thread: str) -> None:
    """Take out, in portions, the parts that belong to no snapshot."""
    taken = _AT_ONCE
    while taken == _AT_ONCE:
        with database.writing() as writer:
            taken = writer.execute(_CLEAR_UP, (thread,)).rowcount


# --- fronts -------------------------------------------------------------------------------------------------------------------


def fronts(connection: sqlite3.Connection, thread: str, fingerprint: str | None) -> list[Snapshot]:
    """Return a thread's fronts, or the one of a fingerprint; those that are damaged are left out."""
    rows = connection.execute(_FRONTS, (thread, fingerprint)).fetchall()
    return [front for row in rows if (front := _sound(thread, *row)) is not None]


def store_front(writer: sqlite3.Connection, thread: str, front: Snapshot) -> None:
    """Keep a front beside those of its revision, in place of older ones, unless there is a newer one."""
    former = dict(writer.execute(_FORMER_FRONTS, (thread,)).fetchall())
    others = fronts_beside(front, former, _shown(writer, thread))
    if others is None:
        return
    if not others:
        writer.execute(_DROP_FRONTS, (thread,))
    name = (thread, front.fingerprint, front.revision)
    writer.execute(_STORE_FRONT, (*name, checksum(*name, front.state), front.state))
