"""
The log in a SQLite file: the embedded default.

**Order.** SQLite lets one transaction write at a time, and a position is given inside it: the largest and one, since no
row ever goes. So positions become visible in the order in which they were given, and no reader can see one before a smaller one.

**Reading** never holds a transaction open between two records: a slow reader would keep the WAL from ever being cut, and with
it what was erased. Rows are fetched in chunks up to a bound that is fixed by the call. Since nothing is ever added below the
bound, the chunks are one state of the log; only a text that is erased meanwhile is already missing from the chunks to come.

**Erasure** must leave the bytes in no page of any file, and `secure_delete` alone does not do that: when rows change their
size, SQLite may move their neighbours to another page and leave a copy in the slack of the old one, which nothing zeroes later.
(Seen in 3 of 1,500 random histories.) So no text ever moves: events are only added at the end, and a redacted record keeps the
length of its row. It is filled up in front with a byte that MessagePack never uses, and SQLite writes it over the old one in
place. No other table holds words.

**Damage.** Each row that is read is held against its checksum. Where SQLite itself cannot read a page, rows are asked for in
ever smaller portions, so that only those on the damaged page are left out. What cannot be read may hold words that are to be
erased: an erasure judges it by what it says, and blanks it if it says nothing.

`threadstore.log._connections` has the connections and cuts the WAL, `_schema` the tables, `_appending` what is written,
`_verify` the examination.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Self, TypeVar

from msgspec.structs import replace

from threadstore.errors import CorruptRecord, DataError
from threadstore.log._appending import CHUNK, MISFILED, REVISION, append, erased, in_order, record_of, stream_of
from threadstore.log._connections import Database
from threadstore.log._schema import last_erasure, seed
from threadstore.log._verify import verify
from threadstore.log.batch import END, check_limit, check_place
from threadstore.log.protocol import ANY, Appended, Damage, EventLog, Expected, Position, Record, Revision
from threadstore.model.erasure import Erasure
from threadstore.model.events import Event
from threadstore.model.ids import is_id, to_bytes
from threadstore.plans import Many, Plan, Row, Sql

__all__ = ["DURABILITY", "SqliteLog", "execute"]

T = TypeVar("T")

#: What a returned append survives, with SQLite's word for it. "full": the loss of power. "normal": the death of the process;
#: the loss of power may take the last appends, never a part of one. "off": the death of the process; the loss of power may
#: damage the file.
DURABILITY: Final[Mapping[str, str]] = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}

#: How many seconds a writer waits for those of other processes.
TIMEOUT: Final = 10.0

# Reading: each ends in the bounds "above ?, up to ?, at most ?". Said as "from ? + 1", since SQLite would begin with looking
# at the row before, whose page may be the damaged one. A key that is damaged may be no UTF-8 and even NULL, so keys are read
# as bytes.
_READ: Final = """
    SELECT position, e.revision, crc, data FROM (SELECT id FROM threads WHERE key = ?) AS t JOIN events AS e ON e.thread = t.id
    WHERE e.revision >= ? + 1 AND e.revision <= ? ORDER BY e.revision LIMIT ?"""
_KEYED: Final = """
    SELECT position, e.revision, e.crc, data, coalesce(CAST(key AS BLOB), x'')
    FROM events AS e JOIN threads AS t ON t.id = e.thread """
_READ_ALL: Final = f"{_KEYED} WHERE position >= ? + 1 AND position <= ? ORDER BY position LIMIT ?"
_FIND: Final = f"{_KEYED} WHERE e.id = ?"
_THREADS: Final = """
    SELECT id, coalesce(CAST(key AS BLOB), x'') FROM threads WHERE id >= ? + 1 AND id <= ? ORDER BY id LIMIT ?"""
_LAST_THREAD: Final = "SELECT max(id) FROM threads"
_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"
_REVISION: Final = f"SELECT {REVISION} FROM threads AS t WHERE key = ?"


def execute(connection: sqlite3.Connection, plan: Plan[T]) -> T:
    """Run a plan inside whatever transaction there is, and return its result."""
    run = connection.execute
    try:
        step = next(plan)
        while True:
            step = plan.send([run(*query).fetchall() if type(query) is Sql else _run_many(connection, query) for query in step])
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # of a Plan[T] it is a T


def _run_many(connection: sqlite3.Connection, query: Sql | Many) -> list[Row]:
    connection.executemany(query.text, query.values)
    return []


class SqliteLog(EventLog):
    """An `EventLog` in a SQLite file. Threads may share it, and processes may open the file, each for itself."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, durability: str = "full", timeout: float = TIMEOUT) -> Self:
        """
        Open the log in the file *path*, which is made if it is not there; its directory must be.

        Args:
            path: The file. Beside it SQLite keeps two more while it is open, named like it with ``-wal`` and ``-shm``. The path
                ``":memory:"`` is a log that ends with the process.
            durability: One of `DURABILITY`.
            timeout: How many seconds a writer waits for the writers of other processes.

        Raises:
            StoreUnavailable: The file can not be opened and written, or is no log; it was not changed.
            UnsupportedSchema: A newer release made it.
            ValueError: *durability* or *path* is none.
        """
        name = os.fspath(path)
        if not name:
            raise ValueError("the path of a file is needed")
        if durability not in DURABILITY:
            raise ValueError(f"durability must be one of {', '.join(DURABILITY)}, not {durability!r}")
        return cls(Database(name, synchronous=DURABILITY[durability], timeout=round(timeout * 1_000)))

    # --- appending ------------------------------------------------------------------------------------------------------------

    def append(
        self, thread: str, events: Sequence[Event], *, expected: Expected = ANY, erasures: Sequence[Erasure] = ()
    ) -> Appended:
        """Append as the protocol says. Complexity: O(log n) for each event; with new erasures O(events of the thread)."""
        if not events and not erasures:
            return Appended((), 0, self.revision(thread))
        with self.database.writing() as writer:
            answer = execute(writer, append(thread, events, expected, erasures))
            self._note_erasures(writer, bool(erasures))
        return answer

    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        """Redact as the protocol says. Complexity: O(events of the thread) if an erasure is new."""
        with self.database.writing() as writer:
            stream = execute(writer, stream_of(thread))
            changed = execute(writer, erased(thread, erasures, stream.revision + 1)) if erasures else 0
            self._note_erasures(writer, True)
        return changed

    def _note_erasures(self, writer: sqlite3.Connection, is_urgent: bool) -> None:
        self.database.note_erasure(last_erasure(writer), is_urgent=is_urgent)

    # --- reading --------------------------------------------------------------------------------------------------------------

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        return _records_of(thread, self._rows(_READ, (thread,), 1, check_place(after), END, lambda: self.revision(thread)))

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        return _records(self._rows(_READ_ALL, (), 0, check_place(after), check_limit(limit), self.position))

    def threads(self) -> Iterator[str]:
        """Yield the keys as the protocol says. Complexity: O(1) for each."""
        rows = self._rows(_THREADS, (), 0, 0, END, lambda: self._one(_LAST_THREAD)[0])
        return (_thread_of(key)[0] for _, key in rows)

    def _rows(self, sql: str, of: Row, mark: int, after: int, limit: int, last: Callable[[], int]) -> Iterator[Row]:
        """
        Return up to *limit* rows with a *mark* (a column's index) above *after*: one state, that of this moment.

        What fits into one chunk is one statement, so one state by itself. Only a longer answer needs the bound that *last* gives.
        """
        try:
            rows = self._all(sql, (*of, after, END, min(limit, CHUNK)))
        except CorruptRecord:
            return islice(self._readable(sql, of, mark, after, last()), limit)
        if len(rows) < CHUNK:
            return iter(rows)
        return self._chunks(sql, of, mark, rows, after, limit, last())

    def _chunks(self, sql: str, of: Row, mark: int, rows: list[Row], after: int, limit: int, upto: int) -> Iterator[Row]:
        while rows:
            rows, after = in_order(rows, mark, after)
            yield from rows
            limit -= len(rows)
            try:
                rows = self._all(sql, (*of, after, upto, min(limit, CHUNK)))
            except CorruptRecord:
                rows = list(islice(self._readable(sql, of, mark, after, upto), min(limit, CHUNK)))

    def _readable(self, sql: str, of: Row, mark: int, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows of a range in which SQLite can not read all: what fails is halved, down to the single rows that do."""
        ranges = [(after, upto)]
        while ranges:
            after, upto = ranges.pop()
            try:
                rows = self._all(sql, (*of, after, upto, min(upto - after, CHUNK)))
            except CorruptRecord:
                middle = (after + upto) // 2
                if after < middle:
                    ranges += [(middle, upto), (after, middle)]
                continue
            if len(rows) == CHUNK:
                rows, after = in_order(rows, mark, after)
                ranges.append((after, upto))
            yield from rows

    def find(self, id: str) -> Record | None:
        """Find as the protocol says. Complexity: O(log n)."""
        row = self._one(_FIND, to_bytes(id)) if is_id(id) else None
        return None if row is None else next((_found(id, record) for record in _records([row])), None)

    def revision(self, thread: str) -> Revision:
        """Return the revision, which other processes may have moved. Complexity: O(log threads), one statement."""
        row = self._one(_REVISION, thread)
        return Revision(0 if row is None else row[0])

    def position(self) -> Position:
        """Return the last position. Complexity: O(log n), one statement."""
        return Position(self._one(_POSITION)[0])

    def _one(self, sql: str, *parameters: Any) -> Any:
        with self.database.reading() as reader:
            return reader.execute(sql, parameters).fetchone()

    def _all(self, sql: str, parameters: Row) -> list[Row]:
        with self.database.reading() as reader:
            return reader.execute(sql, parameters).fetchall()

    # --- the whole ------------------------------------------------------------------------------------------------------------

    def verify(self) -> Iterator[Damage]:
        """
        Check the file, each record, and that the counters and the erasures agree with them, all in one state of the log.

        Complexity: O(n log n).
        """
        with self.database.reading() as reader:
            reader.execute("BEGIN")
            found = list(verify(reader))
            reader.execute("ROLLBACK")  # of nothing; to commit would fail where the file is damaged
        return iter(found)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Write a copy of the log to the new file *path*, as of one moment, while others write.

        Erasing a text later does not reach into copies.

        Raises:
            StoreUnavailable: There is a file already, or it can not be made.
            StoreFull: There is no room for it; what was written is removed.
        """
        self.database.backup(os.fspath(path))

    def close(self) -> None:
        """Free all resources. Closing again does nothing."""
        self.database.close()


# --- rows ---------------------------------------------------------------------------------------------------------------------


def _records_of(thread: str, rows: Iterable[Row]) -> Iterator[Record]:
    mark = seed(thread.encode())
    return (record for row in rows if (record := record_of(thread, mark, *row)) is not None)


def _records(rows: Iterable[Row]) -> Iterator[Record]:
    for *row, key in rows:
        thread, mark = _thread_of(key)
        if (record := record_of(thread, mark, *row)) is not None:
            yield record


@lru_cache(maxsize=4096)
def _thread_of(key: bytes) -> tuple[str, int]:
    """Return a thread's key, and what the checksums of its events begin with."""
    return key.decode(errors="replace"), seed(key)


def _found(id: str, record: Record) -> Record:
    """Return the record that is filed under *id*, which says so if it is another's."""
    with suppress(DataError):
        if record.event.id != id:
            return replace(record, damage=MISFILED)
    return record
