"""
The examination of a store's file: every flipped byte, every missing row, every text that should be gone.

SQLite's own check finds what is wrong with pages and indexes. Checksums find what it cannot see, a changed value in a sound
page. Positions and revisions are dense by construction, so a gap is a lost row, and the counters beside them tell of rows lost
at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from threadstore.errors import DataError
from threadstore.log._schema import bucket_of, checksum, is_sound, seed, unfilled
from threadstore.log.batch import Erasures
from threadstore.log.protocol import Damage, Position
from threadstore.model.codec import decode
from threadstore.model.erasure import Erasure, is_redacted
from threadstore.model.ids import to_bytes

__all__ = ["verify"]

# Texts are read as bytes: a damaged one may be no UTF-8. On a damaged page any value may be of any type, or be NULL.
_EVENTS: Final = """
    SELECT position, CAST(key AS BLOB), coalesce(CAST(e.revision AS INTEGER), 0), e.id, e.crc, CAST(data AS BLOB)
    FROM events AS e LEFT JOIN threads AS t ON t.id = e.thread ORDER BY position"""
_THREADS: Final = """
    SELECT coalesce(CAST(key AS BLOB), x''), revision, latest IS (SELECT max(id) FROM events WHERE thread = t.id),
        earliest IS (SELECT min(id) FROM events WHERE thread = t.id), latest, bucket FROM threads AS t ORDER BY id"""
_ERASURES: Final = """
    SELECT coalesce(CAST(thread AS BLOB), x''), CAST(comment AS BLOB), CAST(person AS BLOB), CAST(before AS BLOB), shown, crc
    FROM erasures ORDER BY rowid"""
Row = tuple[Any, ...]


def verify(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Yield what is wrong in the transaction's state of the file."""
    try:
        for (why,) in connection.execute("PRAGMA integrity_check"):
            if why != "ok":
                yield Damage("file", None, None, why)
        erased: dict[bytes, list[Erasure]] = {}
        for row in connection.execute(_ERASURES):
            yield from _erasure(row, erased)
        yield from _events(connection, {key: Erasures(erasures) for key, erasures in erased.items()})
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter if SQLite quotes bytes that are no text
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        yield Damage("file", None, None, f"the file cannot be read any further: {error}")


def _erasure(row: Row, erased: dict[bytes, list[Erasure]]) -> Iterator[Damage]:
    thread, *what, shown, crc = row
    if crc != checksum(thread, *what, shown):
        yield Damage("checksum", None, _text(thread), "a remembered erasure does not match its checksum")
        return
    erased.setdefault(thread, []).append(Erasure(*(None if field is None else field.decode() for field in what)))


def _events(connection: sqlite3.Connection, erased: dict[bytes, Erasures]) -> Iterator[Damage]:
    last, revisions = 0, dict[bytes, int]()
    for row in connection.execute(_EVENTS):
        position, key, revision = row[:3]
        if position != last + 1:
            yield Damage("position", position, None, f"it does not follow {last}: what was between is missing")
        last = position
        if key is None:
            yield Damage("thread", position, None, "its thread is missing")
            continue
        if revision != revisions.get(key, 0) + 1:
            yield Damage("revision", position, _text(key), f"its revision {revision} does not follow {revisions.get(key, 0)}")
        revisions[key] = revision
        yield from _event(row, erased)
    for key, count, has_latest, has_earliest, latest, bucket in connection.execute(_THREADS):
        if not (has_latest and has_earliest):
            yield Damage("thread", None, _text(key), "its latest or earliest event is another than its row says")
        elif bucket != bucket_of(latest):
            yield Damage("thread", None, _text(key), "it is listed under another time than that of its latest event")
        if count != revisions.get(key, 0):
            why = f"the thread counts {count} events, but the last one found is {revisions.get(key, 0)}"
            yield Damage("revision", None, _text(key), why)


def _event(row: Row, erased: dict[bytes, Erasures]) -> Iterator[Damage]:
    position, key, revision, id, crc, data = row
    if not is_sound(seed(key), position, revision, data, crc):
        yield Damage("checksum", position, _text(key), "the row does not match its checksum")
        return
    try:
        event = decode(unfilled(data), position=position)
    except DataError as error:
        yield Damage("record", position, _text(key), str(error))
        return
    if (to_bytes(event.id), event.thread.encode()) != (id, key):
        yield Damage("record", position, _text(key), f"it is filed under another id or thread than its own, {event.id!r}")
    elif key in erased and erased[key].covers(event) and not is_redacted(event):
        yield Damage("erasure", Position(position), _text(key), "a text that was erased is still there")


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
