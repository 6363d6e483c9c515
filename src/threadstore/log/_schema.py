"""
What a store's file looks like: its tables, the numbers in its header, and how a file is told from another program's.

The header of a SQLite file has two numbers for its owner: `application_id` says that it is ours,
`user_version` which schema it has. A textual dump loses both, so a file whose header says nothing,
with the tables of the log and no table or column that is not ours, is a restored dump, and is given
its numbers back. Any other file with tables is somebody else's and is not touched.

**The log** is `threads` (up to `earliest`), `events` and `erasures`.

- `events.position` is the rowid itself. No row ever goes, which a trigger sees to, so the next
  position is the largest and one; neither VACUUM nor dump and restore renumber it.
- Threads appear with their first event and never go, so `threads.id` sorts them by it. Erasures
  name the thread by its key, since they may come before its first event.
- Each row of the log carries a checksum. That of an event is over its place and its record, which
  holds its id and thread as well; it is looked at by every read, so it is one that costs little.
- A redacted record is filled up to its former length with a byte in front that MessagePack never
  uses, so SQLite writes it over the old one in place and moves nothing (`threadstore.log.sqlite`).

**The read model** is the rest of `threads`, and all other tables; `threadstore.readmodel.rows` says
what their columns mean. They hold ids, numbers and hashes, no words. `threads.model` names the rows
that are shown: while a thread is built anew, others are written under another number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from struct import Struct
from struct import error as StructError  # noqa: N812  # a class
from typing import Any, Final
from zlib import crc32

import msgspec

from threadstore.errors import StoreUnavailable, UnsupportedSchema

__all__ = [
    "APPLICATION_ID",
    "PAGE_SIZE",
    "VERSION",
    "bucket_of",
    "checksum",
    "create",
    "event_checksum",
    "filled",
    "is_sound",
    "is_store",
    "last_erasure",
    "seed",
    "sound_rows",
    "temporary",
    "unfilled",
]

APPLICATION_ID: Final = 0x74687374  # "thst"
VERSION: Final = 3

PAGE_SIZE: Final = 4096

_TABLES: Final[Mapping[str, str]] = {
    "threads": """(
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL DEFAULT 0,
        latest BLOB NOT NULL DEFAULT x'',
        earliest BLOB NOT NULL DEFAULT x'',
        bucket INTEGER NOT NULL DEFAULT 0,
        model INTEGER NOT NULL DEFAULT 0,
        projected INTEGER NOT NULL DEFAULT 0,
        rules INTEGER NOT NULL DEFAULT 0,
        building INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        top INTEGER NOT NULL DEFAULT 0,
        pending INTEGER NOT NULL DEFAULT 0,
        hidden INTEGER NOT NULL DEFAULT 0,
        live INTEGER NOT NULL DEFAULT 0,
        downs INTEGER NOT NULL DEFAULT 0,
        waiting INTEGER NOT NULL DEFAULT 0,
        since BLOB,
        locked INTEGER NOT NULL DEFAULT 0,
        late INTEGER NOT NULL DEFAULT 0,
        cutoffs INTEGER NOT NULL DEFAULT 0,
        described INTEGER,
        unreadable INTEGER NOT NULL DEFAULT 0,
        crc INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "events": """(
        position INTEGER PRIMARY KEY,
        thread INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        id BLOB NOT NULL UNIQUE,
        crc BLOB NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (thread, revision)
    ) STRICT""",
    "erasures": """(
        thread TEXT NOT NULL,
        comment TEXT,
        person TEXT,
        before TEXT,
        shown INTEGER NOT NULL,
        crc BLOB NOT NULL
    ) STRICT""",
    "comments": """(
        model INTEGER NOT NULL,
        parent BLOB NOT NULL,
        dead INTEGER NOT NULL,
        id BLOB NOT NULL,
        root BLOB NOT NULL,
        post INTEGER NOT NULL,
        text INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        kids INTEGER NOT NULL,
        replies INTEGER NOT NULL,
        up INTEGER NOT NULL,
        down INTEGER NOT NULL,
        kinds BLOB,
        mentions BLOB,
        author INTEGER NOT NULL,
        rank INTEGER,
        bucket INTEGER,
        active BLOB,
        since BLOB,
        withheld INTEGER,
        pinned INTEGER,
        crc INTEGER NOT NULL,
        PRIMARY KEY (model, parent, dead, id)
    ) STRICT, WITHOUT ROWID""",
    "reactions": """(
        model INTEGER NOT NULL,
        comment BLOB NOT NULL,
        actor INTEGER NOT NULL,
        kind TEXT NOT NULL,
        event INTEGER NOT NULL,
        given INTEGER NOT NULL,
        PRIMARY KEY (model, comment, actor, kind)
    ) STRICT, WITHOUT ROWID""",
    "facts": """(
        model INTEGER NOT NULL,
        target BLOB NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (model, target, position)
    ) STRICT, WITHOUT ROWID""",
    "authors": """(
        author INTEGER NOT NULL,
        model INTEGER NOT NULL,
        id BLOB NOT NULL,
        PRIMARY KEY (author, model, id)
    ) STRICT, WITHOUT ROWID""",
    "names": """(
        model INTEGER NOT NULL,
        length INTEGER NOT NULL,
        name INTEGER NOT NULL,
        actor TEXT NOT NULL,
        first BLOB NOT NULL,
        last BLOB NOT NULL,
        PRIMARY KEY (model, length, name, actor)
    ) STRICT, WITHOUT ROWID""",
}
_INDEXES: Final[Mapping[str, str]] = {
    "erasures_by_what": "ON erasures (thread, comment, person, before)",
    "threads_by_bucket": "ON threads (bucket)",
    "threads_by_since": "ON threads (since) WHERE since IS NOT NULL",
    "comments_by_id": "ON comments (model, id)",
    "comments_by_rank": "ON comments (model, rank DESC, id) WHERE rank IS NOT NULL",
    "comments_by_bucket": "ON comments (model, bucket) WHERE bucket IS NOT NULL",
    "comments_by_since": "ON comments (model, since, id) WHERE since IS NOT NULL",
    "comments_by_withheld": "ON comments (model, withheld) WHERE withheld IS NOT NULL",
    "comments_by_pin": "ON comments (model, pinned) WHERE pinned IS NOT NULL",
    "comments_by_mentions": "ON comments (model, id) WHERE mentions IS NOT NULL",
}
_TRIGGERS: Final[Mapping[str, str]] = {
    "events_stay": "BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are never deleted'); END",
}
#: What earlier schemas had besides.
_DROPPED: Final = ("snapshots", "snapshot_parts", "fronts", "summaries", "acts")
_FORMER: Final = frozenset({*_DROPPED, "summaries_by_latest"})


_CONTENT: Final = r"SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'"


#: The one byte that the MessagePack specification calls "never used".
_FILL: Final = b"\xc1"


def seed(key: bytes) -> int:
    """Return what the checksums of a thread's events begin with, so that none of them fits another thread."""
    return crc32(key)


def event_checksum(seed: int, position: int, revision: int, data: bytes) -> bytes:
    """
    Return the checksum of an event's row.

    Measured on 200 bytes: 0.3 µs, where one over all fields as MessagePack takes 0.8 µs.
    """
    return crc32(data, crc32(_pack(position, revision), seed)).to_bytes(4, "big")


_pack: Final = Struct(">qq").pack


def is_sound(seed: int, position: int, revision: int, data: bytes, crc: bytes) -> bool:
    """Return whether an event's row matches its checksum; where a page is damaged, any of them may be of any type."""
    try:
        return crc == event_checksum(seed, position, revision, data)
    except (TypeError, StructError):
        return False


def sound_rows(seed: int, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return those rows of position, revision, checksum and bytes that match their checksums; see `is_sound`."""
    try:
        return [row for row in rows if crc32(row[3], crc32(_pack(row[0], row[1]), seed)).to_bytes(4, "big") == row[2]]
    except (TypeError, StructError):
        return [row for row in rows if is_sound(seed, row[0], row[1], row[3], row[2])]


def checksum(*fields: int | str | bytes | None) -> bytes:
    """Return the CRC-32 of another row's fields, with texts as their bytes."""
    plain = [field.encode() if isinstance(field, str) else field for field in fields]
    return crc32(msgspec.msgpack.encode(plain)).to_bytes(4, "big")


def filled(data: bytes, length: int) -> bytes:
    """Return *data* with as many filling bytes in front as bring it to *length*."""
    return data.rjust(length, _FILL)


def unfilled(data: bytes) -> bytes:
    """Return the record that `filled` was given; most records are not filled and are returned as they are."""
    return data.lstrip(_FILL)


def is_store(connection: sqlite3.Connection, target: str) -> bool:
    """
    Return whether the file is a store of this schema; False if it is still to become one.

    Raises:
        StoreUnavailable: It is the database of another program.
        UnsupportedSchema: A newer release has written it.
    """
    [application], [version] = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
    if application == APPLICATION_ID:
        if version > VERSION:
            raise UnsupportedSchema(f"the store {target!r}", version, VERSION)
        return bool(version == VERSION)
    names = {name for name, _ in connection.execute(_CONTENT)}
    if application or (names and not _is_restored(connection, names)):
        raise StoreUnavailable(target, "it is the SQLite database of another program")
    return False


_KNOWN_NAMES: Final = _TABLES.keys() | _INDEXES.keys() | _TRIGGERS.keys() | _FORMER
#: What every schema had of the log.
_LOG: Final[Mapping[str, frozenset[str]]] = {
    "threads": frozenset({"id", "key", "revision"}),
    "events": frozenset({"position", "thread", "revision", "id", "crc", "data"}),
    "erasures": frozenset({"thread", "comment", "person", "before", "shown", "crc"}),
}


def _is_restored(connection: sqlite3.Connection, names: set[str]) -> bool:
    """Return whether a file with these tables has the log of a store, and nothing that is another program's."""
    if not _LOG.keys() <= names <= _KNOWN_NAMES:
        return False
    for name in names & _TABLES.keys():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        ours = {line.split()[0] for line in _TABLES[name].splitlines()[1:-1]} | {"head"}
        if not _LOG.get(name, frozenset()) <= columns <= ours:
            return False
    return True


def create(connection: sqlite3.Connection) -> None:
    """Create the tables, as far as they are missing, and number the header: all in the present transaction."""
    _lift(connection)
    for name, definition in _TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} {definition}")
    for name, definition in _INDEXES.items():
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")
    for name, definition in _TRIGGERS.items():
        connection.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {definition}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def temporary(tables: Collection[str]) -> tuple[list[str], list[str]]:
    """Return what makes temporary tables, which stand before those of these names, and what makes their indexes."""
    made = [f"CREATE TEMP TABLE {name} {_TABLES[name]}" for name in tables]
    indexed = [f"CREATE INDEX temp.{name} {what}" for name, what in _INDEXES.items() if what.split()[1] in tables]
    return [*(f"DROP TABLE IF EXISTS temp.{name}" for name in tables), *made], indexed


def _lift(connection: sqlite3.Connection) -> None:
    """
    Bring the log of an earlier schema into this one's tables.

    The read model of each thread is made when the thread is first used. What was derived before is dropped.
    """
    for name in _DROPPED:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for name, columns in (("threads", "id, key, revision"), ("events", "position, thread, revision, id, crc, data")):
        found = [sql for kind, sql in connection.execute(_CONTENT) if kind == name]
        if found and found[0] != f"CREATE TABLE {name} {_TABLES[name]}":
            connection.execute(f"ALTER TABLE {name} RENAME TO former_{name}")
            connection.execute(f"CREATE TABLE {name} {_TABLES[name]}")
            connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM former_{name} ORDER BY 1")
            connection.execute(f"DROP TABLE former_{name}")
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'events'").fetchone():
        return
    ends = connection.execute("SELECT thread, max(id), min(id) FROM events GROUP BY thread").fetchall()
    rows = [(last, first, bucket_of(last), thread) for thread, last, first in ends]
    connection.executemany("UPDATE threads SET latest = ?, earliest = ?, bucket = ? WHERE id = ? AND latest = x''", rows)


def bucket_of(id: bytes) -> int:
    """
    Return which four seconds an id is of.

    Lists by recency are indexed by it, and sorted within it: an index of the ids themselves would have to be written anew
    with each event.
    """
    return int.from_bytes(id[:6], "big") >> 12


def last_erasure(connection: sqlite3.Connection) -> int:
    """Return the number of the last erasure; they are numbered as they come and never go."""
    return int(connection.execute("SELECT coalesce(max(rowid), 0) FROM erasures").fetchone()[0])
