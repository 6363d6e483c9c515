"""
The log in a SQLite file: the embedded default.

**Order.** SQLite lets one transaction write at a time, and a position is given inside it. So positions become visible in the
order in which they were given, and no reader can see one before a smaller one. They come from the counter of AUTOINCREMENT,
which outlives the rows.

**Reading** never holds a transaction open between two records: a slow reader would keep the WAL from ever being cut, and with
it what was erased. Rows are fetched in chunks up to a bound that is fixed by the call. Since nothing is ever added below the
bound, the chunks are one state of the log; only a text that is erased meanwhile is already missing from the chunks to come.

**Erasure** must leave the bytes in no page of any file, and `secure_delete` alone does not do that: when rows change their
size, SQLite may move their neighbours to another page and leave a copy in the slack of the old one, which nothing zeroes later.
(Seen in 3 of 1,500 random histories.) So no text ever moves:

- Events are only added at the end, and a redacted record keeps the length of its row: it is filled up in front with a byte
  that MessagePack never uses, and SQLite writes it over the old one in place.
- The state of a snapshot follows a margin of a page, so it lies on overflow pages, which are never copied and are zeroed when
  freed.

`threadstore.logs._sqlite_database` has the connections and cuts the WAL, `_sqlite_schema` the tables, `_sqlite_verify` the
examination.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from threadstore.codec import decode, encode
from threadstore.events import Erasure, Event, is_redacted, redact
from threadstore.ids import from_bytes, is_id, to_bytes
from threadstore.logs._sqlite_database import Database
from threadstore.logs._sqlite_schema import PAGE_SIZE, checksum, filled, last_erasure, unfilled
from threadstore.logs._sqlite_verify import verify
from threadstore.logs.batch import END, Erasures, check_expected, check_limit, check_place, check_same, distinct
from threadstore.logs.protocol import ANY, Appended, Damage, EventLog, Expected, Position, Record, Revision, Snapshot

__all__ = ["DURABILITY", "SqliteLog"]

#: What a returned append survives, with SQLite's word for it. "full": the loss of power. "normal": the death of the process;
#: the loss of power may take the last appends, never a part of one. "off": the death of the process; the loss of power may
#: damage the file.
DURABILITY: Final[Mapping[str, str]] = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}

_TIMEOUT: Final = 10_000
_CHUNK: Final = 1_000

# --- reading: each ends in the bounds "above ?, up to ?, at most ?"
_READ: Final = """
    SELECT position, e.revision, key, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision > ? AND e.revision <= ? ORDER BY e.revision LIMIT ?"""
_READ_ALL: Final = """
    SELECT position, e.revision, key, data FROM events AS e JOIN threads AS t ON t.id = e.thread
    WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"""
_THREADS: Final = "SELECT id, key FROM threads WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
_LAST_THREAD: Final = "SELECT max(id) FROM threads"
_FIND: Final = "SELECT position, e.revision, key, data FROM events AS e JOIN threads AS t ON t.id = e.thread WHERE e.id = ?"
_REVISION: Final = "SELECT revision FROM threads WHERE key = ?"
_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"

# --- appending
_KNOWN: Final = "SELECT id, position, data FROM events WHERE id IN "
# The last position ever given: the rule of AUTOINCREMENT (sqlite.org/autoinc.html).
_STANDING: Final = f"""
    SELECT max(({_POSITION}), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)),
        (SELECT id FROM threads WHERE key = ?), coalesce(({_REVISION}), 0),
        EXISTS (SELECT 1 FROM erasures WHERE thread = ?), (SELECT coalesce(max(rowid), 0) FROM erasures)"""
# Neither returns rows: a statement that writes and is not read to its end would stand in the way of every later commit.
_BEGIN: Final = "INSERT INTO threads (revision, key) VALUES (?, ?)"
_COUNT: Final = "UPDATE threads SET revision = ? WHERE id = ?"
_INSERT: Final = "INSERT INTO events (position, thread, revision, id, crc, data) VALUES (?, ?, ?, ?, ?, ?)"

# --- erasing
_REMEMBER: Final = """
    INSERT INTO erasures (thread, comment, person, before, shown, crc) SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM erasures WHERE thread = ?1 AND comment IS ?2 AND person IS ?3 AND before IS ?4)"""
_CANDIDATES: Final = """
    SELECT comment, person, before FROM erasures WHERE thread = ?1 AND (comment = ?2 OR (comment IS NULL AND person = ?3))"""
_HELD: Final = """
    SELECT e.revision, position, e.id, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision > ? ORDER BY e.revision LIMIT ?"""
_REWRITE: Final = "UPDATE events SET crc = ?, data = ? WHERE position = ?"
_SHOWN: Final = "SELECT coalesce(max(shown), 0) FROM erasures WHERE thread = ?"

# --- snapshots
_LOAD: Final = "SELECT CAST(fingerprint AS BLOB), revision, crc, state FROM snapshots WHERE thread = ?"
_STORE: Final = f"""
    INSERT OR REPLACE INTO snapshots (thread, fingerprint, revision, crc, margin, state)
    VALUES (?, ?, ?, ?, zeroblob({PAGE_SIZE}), ?)"""
_DROP: Final = "DELETE FROM snapshots WHERE thread = ?"

Row = tuple[Any, ...]


class _Standing(NamedTuple):
    """
    What an append finds: the last position given, the thread's number if it has one, its revision, whether something was erased
    from it, and the log's last erasure.
    """

    position: int
    thread: int | None
    revision: int
    erased: bool
    erasure: int


class SqliteLog(EventLog):
    """An `EventLog` in a SQLite file. Threads may share it, and processes may open the file, each for itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, durability: str = "full") -> Self:
        """
        Open the log in the file *path*, which is made if it is not there; its directory must be.

        Args:
            path: The file. Beside it SQLite keeps two more while it is open, named like it with ``-wal`` and ``-shm``.
            durability: One of `DURABILITY`.

        Raises:
            StoreUnavailable: The file can not be opened and written, or is no log; it was not changed.
            UnsupportedSchema: A newer release made it.
            ValueError: *durability* or *path* is none.
        """
        name = os.fspath(path)
        if name in {"", ":memory:"}:
            raise ValueError(f"a file is needed, not {name!r}; MemoryLog needs none")
        if durability not in DURABILITY:
            raise ValueError(f"durability must be one of {', '.join(DURABILITY)}, not {durability!r}")
        return cls(Database(name, synchronous=DURABILITY[durability], timeout=_TIMEOUT))

    # --- appending ------------------------------------------------------------------------------------------------------------

    def append(
        self, thread: str, events: Sequence[Event], *, expected: Expected = ANY, erasures: Sequence[Erasure] = ()
    ) -> Appended:
        """Append as the protocol says. Complexity: O(log n) for each event; with new erasures O(events of the thread)."""
        facts = distinct(thread, events)
        if not facts and not erasures:
            return Appended((), 0, self.revision(thread))
        with self._database.writing() as writer:
            positions = _known(writer, facts)
            new = [event for id, event in facts.items() if id not in positions]
            standing = _Standing(*writer.execute(_STANDING, (thread, thread, thread)).fetchone())
            self._database.note_erasure(standing.erasure)
            if new:
                check_expected(thread, expected, standing.revision)
            if erasures:
                self._erase(writer, thread, erasures, standing.revision + (len(new) or 1))
            if new and (standing.erased or erasures):
                new = [redact(event) if _is_absorbed(writer, event) else event for event in new]
            if new:
                positions |= _insert(writer, thread, new, standing)
        return Appended(tuple(positions[event.id] for event in events), len(new), Revision(standing.revision + len(new)))

    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        """Redact as the protocol says. Complexity: O(events of the thread) if an erasure is new."""
        with self._database.writing() as writer:
            return self._erase(writer, thread, erasures, _revision(writer, thread) + 1)

    def _erase(self, writer: sqlite3.Connection, thread: str, erasures: Sequence[Erasure], shown: int) -> int:
        """Redact what is held and remember the erasures; a state of a revision below *shown* may still hold the texts."""
        fresh = [erasure for erasure in erasures if _remember(writer, thread, erasure, shown)]
        self._database.note_erasure(last_erasure(writer), is_urgent=True)
        if not fresh:
            return 0
        writer.execute(_DROP, (thread,))
        absorbing, after, changed = Erasures(fresh), 0, 0
        while rows := writer.execute(_HELD, (thread, after, _CHUNK)).fetchall():
            rewritten = [new for row in rows if (new := _rewritten(thread, row, absorbing))]
            writer.executemany(_REWRITE, rewritten)
            changed += len(rewritten)
            after = rows[-1][0]
        return changed

    # --- reading --------------------------------------------------------------------------------------------------------------

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        return map(_record, self._rows(_READ, (thread,), 1, check_place(after), END, lambda: self.revision(thread)))

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        return map(_record, self._rows(_READ_ALL, (), 0, check_place(after), check_limit(limit), self.position))

    def threads(self) -> Iterator[str]:
        """Yield the keys as the protocol says. Complexity: O(1) for each."""
        rows = self._rows(_THREADS, (), 0, 0, END, lambda: self._one(_LAST_THREAD)[0])
        return (key for _, key in rows)

    def _rows(self, sql: str, of: Row, mark: int, after: int, limit: int, last: Callable[[], int]) -> Iterator[Row]:
        """
        Return up to *limit* rows with a *mark* (a column's index) above *after*: one state, that of this moment.

        What fits into one chunk is one statement, so one state by itself. Only a longer answer needs the bound that *last* gives.
        """
        rows = self._all(sql, (*of, after, END, min(limit, _CHUNK)))
        if len(rows) < _CHUNK:
            return iter(rows)
        return self._chunks(sql, of, mark, rows, limit, last())

    def _chunks(self, sql: str, of: Row, mark: int, rows: list[Row], limit: int, upto: int) -> Iterator[Row]:
        while rows:
            yield from rows
            limit -= len(rows)
            rows = self._all(sql, (*of, rows[-1][mark], upto, min(limit, _CHUNK)))

    def find(self, id: str) -> Record | None:
        """Find as the protocol says. Complexity: O(log n)."""
        row = self._one(_FIND, to_bytes(id)) if is_id(id) else None
        return None if row is None else _record(row)

    def revision(self, thread: str) -> Revision:
        """Return the revision, which other processes may have moved. Complexity: O(log threads), one statement."""
        row = self._one(_REVISION, thread)
        return Revision(0 if row is None else row[0])

    def position(self) -> Position:
        """Return the last position. Complexity: O(log n), one statement."""
        return Position(self._one(_POSITION)[0])

    def _one(self, sql: str, *parameters: Any) -> Any:
        with self._database.reading() as reader:
            return reader.execute(sql, parameters).fetchone()

    def _all(self, sql: str, parameters: Row) -> list[Row]:
        with self._database.reading() as reader:
            return reader.execute(sql, parameters).fetchall()

    # --- snapshots ------------------------------------------------------------------------------------------------------------

    def load_snapshot(self, thread: str, fingerprint: str) -> Snapshot | None:
        """Load as the protocol says; one that is damaged is none."""
        with self._database.reading() as reader:
            snapshot = _snapshot(reader, thread)
        return snapshot if snapshot and snapshot.fingerprint == fingerprint else None

    def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
        """Store as the protocol says."""
        with self._database.writing() as writer:
            former = _snapshot(writer, thread)
            if former and former.fingerprint == snapshot.fingerprint and former.revision > snapshot.revision:
                return
            [shown] = writer.execute(_SHOWN, (thread,)).fetchone()
            if snapshot.revision >= shown:
                crc = checksum(thread, snapshot.fingerprint, snapshot.revision, snapshot.state)
                writer.execute(_STORE, (thread, snapshot.fingerprint, snapshot.revision, crc, snapshot.state))

    # --- the whole ------------------------------------------------------------------------------------------------------------

    def verify(self) -> Iterator[Damage]:
        """
        Check the file, each record, and that the counters and the erasures agree with them, all in one state of the log.

        Complexity: O(n log n).
        """
        with self._database.reading() as reader:
            reader.execute("BEGIN")
            found = list(verify(reader))
            reader.execute("COMMIT")
        return iter(found)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Write a copy of the log to the new file *path*, as of one moment, while others write.

        Erasing a text later does not reach into copies.

        Raises:
            StoreUnavailable: There is a file already, or it can not be made.
            StoreFull: There is no room for it; what was written is removed.
        """
        self._database.backup(os.fspath(path))

    def close(self) -> None:
        """Free all resources. Closing again does nothing."""
        self._database.close()


# --- rows ---------------------------------------------------------------------------------------------------------------------


def _record(row: Row) -> Record:
    position, revision, thread, data = row
    return Record(position, revision, thread, unfilled(data))


def _revision(connection: sqlite3.Connection, thread: str) -> int:
    row = connection.execute(_REVISION, (thread,)).fetchone()
    return 0 if row is None else int(row[0])


def _known(writer: sqlite3.Connection, facts: Mapping[str, Event]) -> dict[str, Position]:
    """Return the positions of the facts that are already there, having checked that each is the same fact."""
    ids, found = [to_bytes(id) for id in facts], dict[str, Row]()
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        rows = writer.execute(f"{_KNOWN} ({','.join('?' * len(chunk))})", chunk).fetchall()
        found |= {from_bytes(id): place for id, *place in rows}
    for id, event in facts.items():
        if id in found:
            position, data = found[id]
            check_same(event, unfilled(data), position)
    return {id: position for id, (position, _) in found.items()}


def _insert(writer: sqlite3.Connection, thread: str, events: Sequence[Event], standing: _Standing) -> dict[str, Position]:
    """Store *events* behind what is there, and return their positions."""
    revision = standing.revision + len(events)
    number = standing.thread
    if number is None:
        number = writer.execute(_BEGIN, (revision, thread)).lastrowid
    else:
        writer.execute(_COUNT, (revision, number))
    key, rows, positions = thread.encode(), [], {}
    for offset, event in enumerate(events, 1):
        position, revision, id, data = standing.position + offset, standing.revision + offset, to_bytes(event.id), encode(event)
        rows.append((position, number, revision, id, checksum(position, key, revision, id, data), data))
        positions[event.id] = Position(position)
    writer.executemany(_INSERT, rows)
    return positions


def _remember(writer: sqlite3.Connection, thread: str, erasure: Erasure, shown: int) -> bool:
    """Remember *erasure* for what arrives later, and return whether it is new."""
    crc = checksum(thread, *erasure, shown)
    return writer.execute(_REMEMBER, (thread, *erasure, shown, crc)).rowcount == 1


def _is_absorbed(writer: sqlite3.Connection, event: Event) -> bool:
    """Return whether an erasure that is remembered absorbs *event*."""
    actor = None if event.actor is None else event.actor.id
    candidates = writer.execute(_CANDIDATES, (event.thread, event.target, actor)).fetchall()
    return any(Erasure(*candidate).absorbs(event) for candidate in candidates)


def _rewritten(thread: str, row: Row, absorbing: Erasures) -> Row | None:
    """Return the parameters that redact a row, or None if nothing in it is to be erased."""
    revision, position, id, data = row
    event = decode(unfilled(data), position=position)
    if not absorbing.absorb(event) or is_redacted(event):
        return None
    blank = filled(encode(redact(event)), len(data))
    return checksum(position, thread, revision, id, blank), blank, position


def _snapshot(connection: sqlite3.Connection, thread: str) -> Snapshot | None:
    row = connection.execute(_LOAD, (thread,)).fetchone()
    if row is None:
        return None
    fingerprint, revision, crc, state = row
    if crc != checksum(thread, fingerprint, revision, state):
        return None
    return Snapshot(fingerprint.decode(), revision, state)
