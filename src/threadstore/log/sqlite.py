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
- The state of a snapshot or a front follows a margin of a page, so it lies on overflow pages, which are never copied and are
  zeroed when freed.

**Damage.** Each row that is read is held against its checksum. Where SQLite itself can not read a page, rows are asked for in
ever smaller portions, so that only those on the damaged page are left out. What can not be read may hold words that are to be
erased: an erasure judges it by what it says, and blanks it if it says nothing.

`threadstore.log._connections` has the connections and cuts the WAL, `_sqlite_schema` the tables, `_sqlite_standings` what
need not be asked of them again, `_sqlite_verify` the examination.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final, Self

from msgspec.structs import replace

from threadstore.errors import ConflictingEvent, CorruptRecord, DataError, StoreError, ThreadStoreError
from threadstore.heads import KIND, OTHER, POST, SIZE, Heads, are_sound, has_repeats, head, heads_of
from threadstore.log import _sqlite_acts as acts
from threadstore.log import _sqlite_derived as derived
from threadstore.log._connections import Database
from threadstore.log._schema import (
    checksum,
    event_checksum,
    filled,
    is_sound,
    last_erasure,
    seed,
    unfilled,
)
from threadstore.log._sqlite_standings import Standing, Standings
from threadstore.log._verify import verify
from threadstore.log.batch import END, Erasures, check_expected, check_limit, check_place, check_same, distinct
from threadstore.log.protocol import (
    ANY,
    Append,
    Appended,
    Damage,
    EventLog,
    Expected,
    Position,
    Record,
    Revision,
    Snapshot,
    Summary,
    is_act,
)
from threadstore.model.codec import decode, encode
from threadstore.model.events import Erasure, Event, is_redacted, redact
from threadstore.model.ids import all_to_bytes, from_bytes, is_id, to_bytes

__all__ = ["DURABILITY", "SqliteLog"]

#: What a returned append survives, with SQLite's word for it. "full": the loss of power. "normal": the death of the process;
#: the loss of power may take the last appends, never a part of one. "off": the death of the process; the loss of power may
#: damage the file.
DURABILITY: Final[Mapping[str, str]] = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}

_TIMEOUT: Final = 10_000
_CHUNK: Final = 1_000
#: How many acts of a person are looked up first: most who ask want few.
_FEW: Final = 64
#: Statements that look up places are made for so many, or a multiple.
_MANY: Final = 32
#: How many heads one statement reads.
_RUN: Final = 4_096

# --- reading: each ends in the bounds "above ?, up to ?, at most ?". Said as "from ? + 1", since SQLite would begin with looking
# at the row before, whose page may be the damaged one.
_READ: Final = """
    SELECT position, e.revision, crc, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision >= ? + 1 AND e.revision <= ? ORDER BY e.revision LIMIT ?"""
# An aggregate takes the rows as they are visited, and these are visited by the index, in its order.
_HEADS: Final = """
    SELECT count(*), sum(e.revision), min(e.revision), max(e.revision), CAST(group_concat(head, '') AS BLOB)
    FROM threads AS t CROSS JOIN events AS e INDEXED BY sqlite_autoindex_events_2 ON e.thread = t.id
    WHERE key = ? AND e.revision >= ? + 1 AND e.revision <= ?"""
_FETCH: Final = """
    SELECT position, e.revision, crc, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision IN """
_AT: Final = """
    SELECT position, e.revision, crc, data, coalesce(CAST(key AS BLOB), x'')
    FROM events AS e JOIN threads AS t ON t.id = e.thread WHERE """
#: What the head of a comment that was posted may say.
_POSTED: Final = f"substr(head, {KIND + 1}, 1) IN (x'{OTHER:02x}', x'{POST:02x}') AND "
# A key that is damaged may be no UTF-8 and even NULL, so keys are read as bytes.
_READ_ALL: Final = """
    SELECT position, e.revision, crc, data, coalesce(CAST(key AS BLOB), x'') FROM events AS e JOIN threads AS t ON t.id = e.thread
    WHERE position >= ? + 1 AND position <= ? ORDER BY position LIMIT ?"""
_THREADS: Final = "SELECT id, coalesce(CAST(key AS BLOB), x'') FROM threads WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
_LAST_THREAD: Final = "SELECT max(id) FROM threads"
_FIND: Final = """
    SELECT position, e.revision, crc, data, coalesce(CAST(key AS BLOB), x'')
    FROM events AS e JOIN threads AS t ON t.id = e.thread WHERE e.id = ?"""
_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"
# The last position ever given: the rule of AUTOINCREMENT (sqlite.org/autoinc.html).
_GIVEN: Final = f"SELECT max(({_POSITION}), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))"
# A counter that is damaged must neither hide events nor give a revision again, nor one beyond what all threads can have together.
_REVISION: Final = f"""
    SELECT min(({_GIVEN}), max(coalesce(CAST(t.revision AS INTEGER), 0),
        coalesce(CAST((SELECT max(e.revision) FROM events AS e WHERE e.thread = t.id) AS INTEGER), 0)))
    FROM threads AS t WHERE key = ?"""

# --- appending
_KNOWN: Final = "SELECT id, position, data FROM events WHERE id IN "
_NEAR: Final = "SELECT id FROM events WHERE id BETWEEN ? AND ? LIMIT ?"
_STANDING: Final = f"""
    SELECT ({_GIVEN}),
        (SELECT id FROM threads WHERE key = ?), coalesce(({_REVISION}), 0),
        EXISTS (SELECT 1 FROM erasures WHERE thread = ?), (SELECT coalesce(max(rowid), 0) FROM erasures)"""
# Neither returns rows: a statement that writes and is not read to its end would stand in the way of every later commit.
_BEGIN: Final = "INSERT INTO threads (revision, key) VALUES (?, ?)"
_COUNT: Final = "UPDATE threads SET revision = ? WHERE id = ?"
_INSERT: Final = "INSERT INTO events (position, thread, revision, id, head, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?)"

# --- erasing
_REMEMBER: Final = """
    INSERT INTO erasures (thread, comment, person, before, shown, crc) SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM erasures WHERE thread = ?1 AND comment IS ?2 AND person IS ?3 AND before IS ?4)"""
_CANDIDATES: Final = """
    SELECT comment, person, before FROM erasures WHERE thread = ?1 AND (comment = ?2 OR (comment IS NULL AND person = ?3))"""
_HELD: Final = """
    SELECT position, e.revision, crc, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision > ? ORDER BY e.revision LIMIT ?"""
_REWRITE: Final = "UPDATE events SET head = ?, crc = ?, data = ? WHERE position = ?"

# --- summaries: the first keeps one, the second notes that there is something newer
_SUM: Final = """
    INSERT INTO summaries (thread, latest, revision, waiting, fingerprint, crc, state) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (thread) DO UPDATE SET latest = max(latest, excluded.latest), revision = excluded.revision,
        waiting = excluded.waiting, fingerprint = excluded.fingerprint, crc = excluded.crc, state = excluded.state"""
_OUTDATE: Final = """
    INSERT INTO summaries (thread, latest, revision, waiting, fingerprint, crc, state) VALUES (?, ?, 0, x'', '', ?, x'')
    ON CONFLICT (thread) DO UPDATE SET latest = max(latest, excluded.latest)"""
_RESUM: Final = """
    UPDATE summaries SET revision = ?2, waiting = ?3, fingerprint = ?4, crc = ?5, state = ?6
    WHERE thread = (SELECT id FROM threads WHERE key = ?1 AND revision = ?2)"""
_SUMMARIES: Final = """
    SELECT key, s.revision, waiting, fingerprint, crc, state FROM threads AS t JOIN summaries AS s ON s.thread = t.id
    WHERE s.revision = t.revision AND fingerprint = ? AND key IN """
_RECENT: Final = """
    SELECT coalesce(CAST(key AS BLOB), x''), latest FROM summaries AS s JOIN threads AS t ON t.id = s.thread
    WHERE latest < ? AND typeof(latest) = 'blob' AND length(latest) = 16 ORDER BY latest DESC LIMIT ?"""
_WAITING: Final = """
    SELECT coalesce(CAST(key AS BLOB), x''),
        CASE WHEN s.revision = t.revision AND fingerprint = ?1 AND length(waiting) = 16 THEN CAST(waiting AS BLOB) ELSE x'' END
        AS since
    FROM threads AS t LEFT JOIN summaries AS s ON s.thread = t.id
    WHERE (s.revision = t.revision AND fingerprint = ?1 AND waiting = x'') IS NOT TRUE ORDER BY since, t.id"""
_NO_SUMMARY: Final = checksum(0, b"", "", b"")
#: Above every id.
_BEYOND: Final = b"\xff" * 17

Row = tuple[Any, ...]


class SqliteLog(EventLog):
    """An `EventLog` in a SQLite file. Threads may share it, and processes may open the file, each for itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standings = Standings()

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
        self,
        thread: str,
        events: Sequence[Event],
        *,
        expected: Expected = ANY,
        erasures: Sequence[Erasure] = (),
        summary: Summary | None = None,
    ) -> Appended:
        """Append as the protocol says. Complexity: O(log n) for each event; with new erasures O(events of the thread)."""
        facts = distinct(thread, events)
        if not facts and not erasures:
            return Appended((), 0, self.revision(thread))
        with self._database.writing() as writer:
            self._standings.carry_on(self._database.mark_in_transaction())
            is_lone = len(events) == 1 and expected is ANY and not erasures
            if is_lone and (appended := self._append_next(writer, thread, events[0], summary)) is not None:
                return appended
            positions = _known(writer, facts)
            new = [event for id, event in facts.items() if id not in positions]
            added, revision = self._add(writer, thread, new, expected, erasures, summary if len(new) == len(events) else None)
        return _appended(events, positions | added, len(new), revision)

    def _append_next(self, writer: sqlite3.Connection, thread: str, event: Event, summary: Summary | None) -> Appended | None:
        """
        Append what a post comes to: one event, to a thread whose standing is remembered; return None where that is not so.

        That nobody has the event already is not asked, but left to the table to refuse.
        """
        standing = self._standings.of(thread)
        if standing is None or standing.thread is None or standing.erased:
            return None
        number = standing.thread
        position, _, revision, *_ = after = standing.behind(1)
        try:
            writer.execute(
                _INSERT, _row(event, to_bytes(event.id), head(event), position, number, revision, seed(thread.encode()))
            )
        except sqlite3.IntegrityError:
            return None
        writer.execute(_COUNT, (revision, number))
        _sum_up(writer, number, revision, event.id, summary)
        self._standings.note(thread, after)
        return Appended((Position(position),), 1, Revision(revision))

    def append_all(self, appends: Sequence[Append]) -> Sequence[Appended | ThreadStoreError | None]:
        """
        Append as the protocol says, in one commit. Complexity: O(log n) for each event.

        Where nothing is known already, which is the rule, all of it is stored by the same few statements: each of them lets
        other Python threads run, and this one has to wait for its turn again.
        """
        together = [event for append in appends for event in append.events]
        with self._database.writing() as writer:
            self._standings.carry_on(self._database.mark_in_transaction())
            if not _are_new(writer, appends):
                return self._append_each(writer, appends)
            standings = {append.thread: self._standing(writer, append.thread) for append in appends}
            if any(standing.erased for standing in standings.values()):
                together = [redact(event) if _is_absorbed(writer, event) else event for event in together]
            summaries = {append.thread: append.summary for append in appends if append.events}
            positions = _insert(writer, together, standings, summaries) if together else {}
            for thread, several in Counter(event.thread for event in together).items():
                self._standings.note(thread, standings[thread].behind(several, len(together)))
        answers, revisions = [], {thread: standing.revision for thread, standing in standings.items()}
        for thread, events, _ in appends:
            revisions[thread] += len(events)
            answers.append(_appended(events, positions, len(events), Revision(revisions[thread])))
        return answers

    def _append_each(self, writer: sqlite3.Connection, appends: Sequence[Append]) -> Sequence[Appended | ThreadStoreError | None]:
        """Append one after the other in the present transaction; what is refused is refused before any of it is written."""
        answers: list[Appended | ThreadStoreError | None] = []
        refused: set[str] = set()
        for thread, events, summary in appends:
            if thread in refused:
                answers.append(None)
                continue
            try:
                facts = distinct(thread, events)
                positions = _known(writer, facts)
                new = [event for id, event in facts.items() if id not in positions]
                added, revision = self._add(writer, thread, new, summary=summary if len(new) == len(events) else None)
                answers.append(_appended(events, positions | added, len(new), revision))
            except (ConflictingEvent, DataError) as error:
                refused.add(thread)
                answers.append(error)
        return answers

    def _add(
        self,
        writer: sqlite3.Connection,
        thread: str,
        new: Sequence[Event],
        expected: Expected = ANY,
        erasures: Sequence[Erasure] = (),
        summary: Summary | None = None,
    ) -> tuple[dict[str, Position], Revision]:
        """Store what is *new* in the present transaction; return its positions, and the thread's revision."""
        standing = self._standing(writer, thread)
        if new:
            check_expected(thread, expected, standing.revision)
        if erasures:
            self._erase(writer, thread, erasures, standing.revision + (len(new) or 1))
        if new and (standing.erased or erasures):
            new = [redact(event) if _is_absorbed(writer, event) else event for event in new]
        positions = _insert(writer, new, {thread: standing}, {thread: summary}) if new else {}
        if erasures:
            self._standings.forget()
        else:
            self._standings.note(thread, standing.behind(len(new)))
        return positions, Revision(standing.revision + len(new))

    def _standing(self, writer: sqlite3.Connection, thread: str) -> Standing:
        standing = self._standings.of(thread)
        if standing is None:
            standing = Standing(*writer.execute(_STANDING, (thread, thread, thread)).fetchone())
            self._database.note_erasure(standing.erasure)
        return standing

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
        derived.drop(writer, thread)
        absorbing, mark, after, changed = Erasures(fresh), seed(thread.encode()), 0, 0
        while rows := writer.execute(_HELD, (thread, after, _CHUNK)).fetchall():
            rows, after = _in_order(rows, 1, after)
            rewritten = [new for row in rows if (new := _rewritten(mark, row, absorbing))]
            writer.executemany(_REWRITE, rewritten)
            changed += len(rewritten)
        return changed

    # --- reading --------------------------------------------------------------------------------------------------------------

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        place, mark = check_place(after), self._database.mark()
        if mark is not None and self._standings.end(thread) == (place, mark):
            return iter(())
        rows = self._rows(_READ, (thread,), 1, place, END, lambda: self.revision(thread))
        if (first := next(rows, None)) is not None:
            return _records_of(thread, chain([first], rows))
        if mark is not None:
            self._standings.note_end(thread, place, mark)
        return iter(())

    def heads(self, thread: str, *, after: int = 0) -> Heads:
        """Read as the protocol says. Complexity: O(log n), and O(1) for each record."""
        after, upto = check_place(after), self.revision(thread)
        ranges, runs = list[range](), list[bytes]()
        with suppress(TypeError, ValueError, OverflowError, CorruptRecord):  # a damaged field may be of any type
            for start in range(after, upto, _RUN):
                end = min(start + _RUN, upto)
                count, total, first, last, run = self._one(_HEADS, thread, start, end)
                if (
                    not count
                    or first <= start
                    or last - first != count - 1
                    or 2 * total != (first + last) * count
                    or len(run) != SIZE * count
                    or not are_sound(run)
                ):
                    raise ValueError("one of them is damaged, or missing")
                ranges.append(range(first, last + 1))
                runs.append(run)
            is_whole = sum(map(len, ranges)) == upto - after
            told = Heads(range(after + 1, upto + 1) if is_whole else list(chain.from_iterable(ranges)), b"".join(runs))
            if has_repeats(told):  # a damaged index may lead to one row twice
                raise ValueError("one of them is told twice")
            return told
        return super().heads(thread, after=after)

    def fetch(self, thread: str, revisions: Sequence[int]) -> Iterator[Record]:
        """Fetch as the protocol says. Complexity: O(log n) for each."""
        for start in range(0, len(revisions), _CHUNK):
            yield from _records_of(thread, self._fetched(_FETCH, (thread,), revisions[start : start + _CHUNK]))

    def _fetched(self, sql: str, of: Row, places: Sequence[int]) -> list[Row]:
        more = -len(places) % _MANY  # to say some twice takes less time than to prepare a statement for each number of them
        try:
            return self._all(f"{sql} ({','.join('?' * (len(places) + more))})", (*of, *places, *[*places[-1:]] * more))
        except CorruptRecord:
            if len(places) == 1:
                return []
            half = len(places) // 2
            return self._fetched(sql, of, places[:half]) + self._fetched(sql, of, places[half:])

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
            rows = self._all(sql, (*of, after, END, min(limit, _CHUNK)))
        except CorruptRecord:
            return islice(self._readable(sql, of, mark, after, last()), limit)
        if len(rows) < _CHUNK:
            return iter(rows)
        return self._chunks(sql, of, mark, rows, after, limit, last())

    def _chunks(self, sql: str, of: Row, mark: int, rows: list[Row], after: int, limit: int, upto: int) -> Iterator[Row]:
        while rows:
            rows, after = _in_order(rows, mark, after)
            yield from rows
            limit -= len(rows)
            try:
                rows = self._all(sql, (*of, after, upto, min(limit, _CHUNK)))
            except CorruptRecord:
                rows = list(islice(self._readable(sql, of, mark, after, upto), min(limit, _CHUNK)))

    def _readable(self, sql: str, of: Row, mark: int, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows of a range in which SQLite can not read all: what fails is halved, down to the single rows that do."""
        ranges = [(after, upto)]
        while ranges:
            after, upto = ranges.pop()
            try:
                rows = self._all(sql, (*of, after, upto, min(upto - after, _CHUNK)))
            except CorruptRecord:
                middle = (after + upto) // 2
                if after < middle:
                    ranges += [(middle, upto), (after, middle)]
                continue
            if len(rows) == _CHUNK:
                rows, after = _in_order(rows, mark, after)
                ranges.append((after, upto))
            yield from rows

    def find(self, id: str) -> Record | None:
        """Find as the protocol says. Complexity: O(log n)."""
        row = self._one(_FIND, to_bytes(id)) if is_id(id) else None
        return None if row is None else next((_found(id, record) for record in _records([row])), None)

    # --- people ---------------------------------------------------------------------------------------------------------------

    def acts_of(
        self, actor: str, *, before: int | None = None, limit: int | None = None, posts_only: bool = False
    ) -> Iterator[Record]:
        """
        Find as the protocol says, and index what has been added since somebody asked last.

        Complexity: O(log n), O(log n) for each act, and O(1) for each event that is to be indexed.
        """
        below, count = END if before is None else check_place(before), check_limit(limit)
        last = self.position()
        self._index_acts(last)
        sql = f"{_AT}{_POSTED if posts_only else ''}position IN "
        found = (record for places in self._acted(actor, min(last, max(below - 1, 0))) for record in self._at(sql, places))
        return islice((record for record in found if is_act(record, actor, posts_only=posts_only)), count)

    def _index_acts(self, last: int) -> None:
        with suppress(StoreError, CorruptRecord):  # it is a shortcut only
            while last - self._one(acts.INDEXED)[0] >= acts.RUN:
                with self._database.writing() as writer:
                    if not acts.extend(writer, last):
                        return

    def _acted(self, actor: str, last: int) -> Iterator[Sequence[int]]:
        """Yield the positions up to *last* at which the actor may have acted, the last first, in portions."""
        key, portion = acts.actor_key(actor), _FEW
        try:
            indexed = min(self._one(acts.INDEXED)[0], last)
            yield from self._looked_through(key, indexed, last)
            last = indexed
            while rows := self._all(acts.ACTED, (key, last + 1, portion)):
                places = [place for (place,) in rows if type(place) is int and place <= last]
                yield places
                last, portion = min(places, default=last) - 1, min(2 * portion, _CHUNK)
        except CorruptRecord:  # the index is damaged
            yield from self._looked_through(key, 0, last)

    def _looked_through(self, key: bytes, after: int, last: int) -> Iterator[Sequence[int]]:
        """Yield them of a part that is not indexed, and all positions of what has no sound heads."""
        while (last := self._last_upto(last)) > after:  # a damaged position may lie far behind the others
            start, keys = max(after, last - acts.RUN), None
            with suppress(CorruptRecord), self._database.reading() as reader:
                keys = acts.keys_of(reader, start, last)
            places: Sequence[int] = range(start + 1, last + 1)
            if keys is not None:
                places = [place for place, each in zip(places, keys, strict=True) if each == key]
            for end in range(len(places), 0, -_CHUNK):
                yield places[max(end - _CHUNK, 0) : end]
            last = start

    def _last_upto(self, last: int) -> int:
        """Return the last position up to *last* at which there is an event, or *last* if that can not be read."""
        with suppress(CorruptRecord):
            return int(self._one(acts.LAST_UPTO, last)[0])
        return last

    def _at(self, sql: str, positions: Sequence[int]) -> Iterator[Record]:
        rows = self._fetched(sql, (), positions)
        return iter(sorted(_records(rows), key=lambda record: record.position, reverse=True))

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
            snapshot = derived.load(reader, thread)
        return snapshot if snapshot and snapshot.fingerprint == fingerprint else None

    def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
        """Store as the protocol says, in portions that let others write in between."""
        derived.store(self._database, thread, snapshot)

    def fronts(self, thread: str, fingerprint: str | None = None) -> Sequence[Snapshot]:
        """Return fronts as the protocol says. Complexity: O(fronts asked for)."""
        with self._database.reading() as reader:
            return derived.fronts(reader, thread, fingerprint)

    def store_front(self, thread: str, front: Snapshot) -> None:
        """Store as the protocol says. Complexity: O(front), and O(1) for each other front of the thread."""
        with self._database.writing() as writer:
            derived.store_front(writer, thread, front)

    # --- summaries ------------------------------------------------------------------------------------------------------------

    def summaries(self, threads: Sequence[str], fingerprint: str) -> Mapping[str, Summary]:
        """Return summaries as the protocol says; one that is damaged is none. Complexity: O(log threads) for each."""
        found: dict[str, Summary] = {}
        with self._database.reading() as reader:
            for start in range(0, len(threads), _CHUNK):
                chunk = threads[start : start + _CHUNK]
                for key, *row in reader.execute(f"{_SUMMARIES} ({','.join('?' * len(chunk))})", (fingerprint, *chunk)):
                    if (summary := _summary(row)) is not None:
                        found[key] = summary
        return found

    def store_summary(self, thread: str, summary: Summary) -> None:
        """Store as the protocol says. Complexity: O(log threads)."""
        with self._database.writing() as writer:
            writer.execute(_RESUM, (thread, *_summed(summary)))

    def recent(self, *, before: str = "", limit: int = 100) -> Sequence[tuple[str, str]]:
        """Return threads as the protocol says. Complexity: O(log threads + limit)."""
        bound = to_bytes(before) if before else _BEYOND
        rows = self._all(_RECENT, (bound, check_limit(limit)))
        return [(_thread_of(key)[0], from_bytes(latest)) for key, latest in rows]

    def waiting(self, fingerprint: str) -> Sequence[tuple[str, str]]:
        """Return threads as the protocol says. Complexity: O(threads), one statement."""
        rows = self._all(_WAITING, (fingerprint,))
        return [(_thread_of(key)[0], from_bytes(since) if since else "") for key, since in rows]

    # --- the whole ------------------------------------------------------------------------------------------------------------

    def verify(self) -> Iterator[Damage]:
        """
        Check the file, each record, and that the counters and the erasures agree with them, all in one state of the log.

        Complexity: O(n log n).
        """
        with self._database.reading() as reader:
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
        self._database.backup(os.fspath(path))

    def close(self) -> None:
        """Free all resources. Closing again does nothing."""
        self._database.close()


# --- rows ---------------------------------------------------------------------------------------------------------------------


def _in_order(rows: list[Row], mark: int, after: int) -> tuple[list[Row], int]:
    """
    Return the first of *rows*, and the place behind which to go on: one that follows the place before it.

    A damaged place at the end of a chunk would lead astray, back to where reading began or beyond all that is left.
    """
    for count in range(len(rows), 1, -1):
        place, former = rows[count - 1][mark], rows[count - 2][mark]
        if type(place) is type(former) is int and place - 1 == former >= after:
            return rows[:count], place
    reached = rows[-1][mark]
    return rows, reached if type(reached) is int and reached > after else after + len(rows)


def _records_of(thread: str, rows: Iterable[Row]) -> Iterator[Record]:
    mark = seed(thread.encode())
    for position, revision, crc, data in rows:
        if is_sound(mark, position, revision, data, crc):
            yield Record(position, revision, thread, unfilled(data))
        else:
            yield from _damaged(position, revision, thread, data)


def _records(rows: Iterable[Row]) -> Iterator[Record]:
    for position, revision, crc, data, key in rows:
        thread, mark = _thread_of(key)
        if is_sound(mark, position, revision, data, crc):
            yield Record(position, revision, thread, unfilled(data))
        else:
            yield from _damaged(position, revision, thread, data)


@lru_cache(maxsize=4096)
def _thread_of(key: bytes) -> tuple[str, int]:
    """Return a thread's key, and what the checksums of its events begin with."""
    return key.decode(errors="replace"), seed(key)


def _damaged(position: Any, revision: Any, thread: str, data: Any) -> Iterator[Record]:
    """Yield a record that says that it is damaged; none if nobody could say where it stands."""
    if type(position) is int and type(revision) is int:
        held = data if type(data) is bytes else b""
        yield Record(Position(position), Revision(revision), thread, held, "its row does not match its checksum")


def _found(id: str, record: Record) -> Record:
    """Return the record that is filed under *id*, which says so if it is another's."""
    with suppress(DataError):
        if record.event.id != id:
            return replace(record, damage="its row is filed under another id than its own")
    return record


def _appended(events: Sequence[Event], positions: Mapping[str, Position], new: int, revision: Revision) -> Appended:
    return Appended(tuple(positions[event.id] for event in events), new, revision)


def _revision(connection: sqlite3.Connection, thread: str) -> int:
    row = connection.execute(_REVISION, (thread,)).fetchone()
    return 0 if row is None else int(row[0])


def _known(writer: sqlite3.Connection, facts: Mapping[str, Event]) -> dict[str, Position]:
    """Return the positions of the facts that are already there, having checked that each is the same fact."""
    ids, found = sorted(map(to_bytes, facts)), dict[str, Row]()
    for start in range(0, len(ids), _CHUNK):
        chunk = _perhaps_known(writer, ids[start : start + _CHUNK])
        rows = writer.execute(f"{_KNOWN} ({','.join('?' * len(chunk))})", chunk).fetchall()
        found |= {from_bytes(id): place for id, *place in rows}
    for id, event in facts.items():
        if id in found:
            position, data = found[id]
            try:
                check_same(event, unfilled(data), position)
            except ConflictingEvent:
                _check_sound(writer, id, position)  # what is damaged is not what it says
                raise
    return {id: position for id, (position, _) in found.items()}


def _perhaps_known(writer: sqlite3.Connection, ids: list[bytes]) -> list[bytes]:
    """Return which of these *ids*, in order, are worth a look: of many, those that are found where all of them would be."""
    if len(ids) > _FEW:
        near = writer.execute(_NEAR, (ids[0], ids[-1], len(ids))).fetchall()
        if len(near) < len(ids):
            there = {id for (id,) in near}
            return [id for id in ids if id in there]
    return ids


def _are_new(writer: sqlite3.Connection, appends: Iterable[Append]) -> bool:
    """Return whether nothing of this is known, and nothing comes twice."""
    together: dict[str, Event] = {}
    several = 0
    try:
        for thread, events, _ in appends:
            together |= distinct(thread, events)
            several += len(events)
        return len(together) == several and not _known(writer, together)
    except (ConflictingEvent, DataError):
        return False


def _insert(
    writer: sqlite3.Connection,
    events: Sequence[Event],
    standings: Mapping[str, Standing],
    summaries: Mapping[str, Summary | None],
) -> dict[str, Position]:
    """Store *events* behind what is there, in the order given, with the summaries that will be true; return their positions."""
    of_threads: dict[str, list[str]] = {}
    for event in events:
        of_threads.setdefault(event.thread, []).append(event.id)
    streams: dict[str, tuple[int, int, Iterator[int]]] = {}
    for thread, ids in of_threads.items():
        _, number, revision, *_ = standings[thread]
        last = revision + len(ids)
        if number is None:
            number = writer.execute(_BEGIN, (last, thread)).lastrowid
            assert number is not None
        else:
            writer.execute(_COUNT, (last, number))
        _sum_up(writer, number, last, max(ids), summaries[thread])
        streams[thread] = number, seed(thread.encode()), iter(range(revision + 1, last + 1))
    first = 1 + max(standing.position for standing in standings.values())
    writer.executemany(_INSERT, list(_rows(events, first, streams)))
    return {event.id: Position(position) for position, event in enumerate(events, first)}


def _rows(events: Sequence[Event], position: int, streams: Mapping[str, tuple[int, int, Iterator[int]]]) -> Iterator[Row]:
    """
    Yield the rows of *events* from a position on.

    Of a thousand at once, while they are at the processor's hand: events lie far apart in memory.
    """
    for start in range(0, len(events), _CHUNK):
        some = events[start : start + _CHUNK]
        for event, id, told in zip(some, all_to_bytes(event.id for event in some), heads_of(some), strict=True):
            number, mark, revisions = streams[event.thread]
            yield _row(event, id, told, position, number, next(revisions), mark)
            position += 1


def _sum_up(writer: sqlite3.Connection, number: int, revision: int, latest: str, summary: Summary | None) -> None:
    """Note the largest id of what brings a thread to its new *revision*, and keep its summary if that will be true."""
    if summary is not None and summary.revision == revision:
        writer.execute(_SUM, (number, to_bytes(latest), *_summed(summary)))
    else:
        writer.execute(_OUTDATE, (number, to_bytes(latest), _NO_SUMMARY))


def _row(event: Event, id: bytes, told: bytes, position: int, number: int, revision: int, mark: int) -> Row:
    """Return the row of an event in the thread with this *number*; *mark* is what the thread's checksums begin with."""
    data = encode(event)
    return position, number, revision, id, told, event_checksum(mark, position, revision, data), data


def _remember(writer: sqlite3.Connection, thread: str, erasure: Erasure, shown: int) -> bool:
    """Remember *erasure* for what arrives later, and return whether it is new."""
    crc = checksum(thread, *erasure, shown)
    return writer.execute(_REMEMBER, (thread, *erasure, shown, crc)).rowcount == 1


def _is_absorbed(writer: sqlite3.Connection, event: Event) -> bool:
    """Return whether an erasure that is remembered absorbs *event*."""
    actor = None if event.actor is None else event.actor.id
    candidates = writer.execute(_CANDIDATES, (event.thread, event.target, actor)).fetchall()
    return any(Erasure(*candidate).absorbs(event) for candidate in candidates)


def _check_sound(connection: sqlite3.Connection, id: str, position: int) -> None:
    """
    Check the row of the event with this *id*.

    Raises:
        CorruptRecord: It is damaged.
    """
    rows = connection.execute(_FIND, (to_bytes(id),)).fetchall()
    for damage in [_found(id, record).damage for record in _records(rows)]:
        if damage:
            raise CorruptRecord(position, damage)


def _rewritten(mark: int, row: Row, absorbing: Erasures) -> Row | None:
    """
    Return the parameters that redact a row, or None if nothing in it is to be erased.

    A damaged row is judged by what it says, and blanked if it says nothing; it keeps its checksum, and so stays damaged.
    """
    position, revision, crc, data = row
    try:
        event = decode(unfilled(data), position=position)
    except CorruptRecord:
        blank = filled(b"", len(data))
        return None if data == blank else (bytes(SIZE), crc, blank, position)
    if not absorbing.absorb(event) or is_redacted(event):
        return None
    skeleton = redact(event)
    blank = filled(encode(skeleton), len(data))
    if is_sound(mark, position, revision, data, crc):
        crc = event_checksum(mark, position, revision, blank)
    return head(skeleton), crc, blank, position


def _summed(summary: Summary) -> Row:
    """Return what is stored of a summary beside its thread."""
    waiting = to_bytes(summary.waiting) if summary.waiting else b""
    fields = (int(summary.revision), waiting, summary.fingerprint)
    return *fields, checksum(*fields, summary.state), summary.state


def _summary(row: Sequence[Any]) -> Summary | None:
    revision, waiting, fingerprint, crc, state = row
    if crc != checksum(revision, waiting, fingerprint, state):
        return None
    return Summary(fingerprint, revision, from_bytes(waiting) if waiting else "", state)
