"""
The examination of a store's file: every flipped byte, every missing row, every text that should be gone.

SQLite's own check finds what is wrong with pages and indexes. Checksums find what it can not see, a changed value in a sound
page. Positions and revisions are dense by construction, so a gap is a lost row, and the counters beside them tell of rows lost
at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from threadstore.errors import DataError
from threadstore.heads import head
from threadstore.log._schema import PAGE_SIZE, checksum, is_sound, seed, unfilled
from threadstore.log._sqlite_acts import verify_acts
from threadstore.log.batch import Erasures
from threadstore.log.protocol import Damage, Position
from threadstore.model.codec import decode
from threadstore.model.events import Erasure, is_redacted
from threadstore.model.ids import to_bytes

__all__ = ["verify"]

# Texts are read as bytes: a damaged one may be no UTF-8. On a damaged page any value may be of any type, or be NULL.
_EVENTS: Final = """
    SELECT position, CAST(key AS BLOB), coalesce(CAST(e.revision AS INTEGER), 0), e.id, CAST(head AS BLOB), crc,
        CAST(data AS BLOB)
    FROM events AS e LEFT JOIN threads AS t ON t.id = e.thread ORDER BY position"""
_LAST_GIVEN: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
_THREADS: Final = "SELECT coalesce(CAST(key AS BLOB), x''), revision FROM threads ORDER BY id"
_ERASURES: Final = """
    SELECT coalesce(CAST(thread AS BLOB), x''), CAST(comment AS BLOB), CAST(person AS BLOB), CAST(before AS BLOB), shown, crc
    FROM erasures ORDER BY rowid"""
_SUMMARIES: Final = """
    SELECT coalesce(CAST(key AS BLOB), x''), coalesce(CAST(s.revision AS INTEGER), 0), CAST(waiting AS BLOB),
        CAST(fingerprint AS BLOB), CAST(state AS BLOB), crc, latest IS (SELECT max(id) FROM events WHERE thread = t.id)
    FROM threads AS t LEFT JOIN summaries AS s ON s.thread = t.id ORDER BY t.id"""
_PARTS: Final = f"""
    SELECT CAST(state AS BLOB), margin = zeroblob({PAGE_SIZE}) FROM snapshot_parts
    WHERE thread = CAST(? AS TEXT) AND fingerprint = CAST(? AS TEXT) AND revision = ? ORDER BY part"""
_STATES: Final = f"""
    SELECT coalesce(CAST(thread AS BLOB), x''), CAST(fingerprint AS BLOB), revision, CAST(state AS BLOB), crc,
        margin = zeroblob({PAGE_SIZE})
    FROM """

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
        are_sound = True
        for damage in _events(connection, {key: Erasures(erasures) for key, erasures in erased.items()}):
            are_sound = False
            yield damage
        if are_sound:
            yield from verify_acts(connection)
        for table, what in (("snapshots", "snapshot"), ("fronts", "front")):
            for thread, *name, state, crc, has_margin in connection.execute(_STATES + table):
                parts = connection.execute(_PARTS, (thread, *name)).fetchall() if table == "snapshots" else []
                states, margins = zip(*parts, (state, has_margin), strict=True)
                held = b"".join(each for each in states if type(each) is bytes)  # a damaged field may be of any type
                if crc != checksum(thread, *name, held) or not all(margins):
                    yield Damage("checksum", None, _text(thread), f"the {what} does not match its checksum")
        for key, *fields, crc, has_latest in connection.execute(_SUMMARIES):
            if crc != checksum(*fields):
                yield Damage("checksum", None, _text(key), "the summary does not match its checksum")
            elif are_sound and not has_latest:
                yield Damage("summary", None, _text(key), "the thread's latest event is another than its summary says")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter if SQLite quotes bytes that are no text
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        yield Damage("file", None, None, f"the file can not be read any further: {error}")


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
    [given] = connection.execute(_LAST_GIVEN).fetchone()
    if given != last:
        yield Damage("position", None, None, f"positions were given up to {given}, but the last one found is {last}")
    for key, count in connection.execute(_THREADS):
        if count != revisions.get(key, 0):
            why = f"the thread counts {count} events, but the last one found is {revisions.get(key, 0)}"
            yield Damage("revision", None, _text(key), why)


def _event(row: Row, erased: dict[bytes, Erasures]) -> Iterator[Damage]:
    position, key, revision, id, told, crc, data = row
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
    elif told != head(event):
        yield Damage("head", Position(position), _text(key), "its head does not say what the record says")
    elif key in erased and erased[key].absorb(event) and not is_redacted(event):
        yield Damage("erasure", Position(position), _text(key), "a text that was erased is still there")


def _text(key: bytes) -> str:
    return key.decode(errors="replace")
