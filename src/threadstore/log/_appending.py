"""
What appending and erasing come to, as plans: the statements of the log, for whoever runs them.

The log alone appends by `append`. A store decides in the same transaction, so it takes the parts:
`stream_of` tells where a thread's stream ends, `added` makes the rows of its events, `erased` takes
words out of what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from threadstore.errors import ConflictingEvent, CorruptRecord
from threadstore.log._schema import bucket_of, checksum, event_checksum, filled, is_sound, seed, unfilled
from threadstore.log.batch import Erasures, check_expected, check_same, distinct
from threadstore.log.protocol import Appended, Expected, Position, Record, Revision
from threadstore.model.codec import decode, encode
from threadstore.model.erasure import Erasure, is_redacted, redact
from threadstore.model.events import Event
from threadstore.model.ids import all_to_bytes, from_bytes, to_bytes
from threadstore.plans import Many, Plan, Row, Sql

__all__ = ["Stream", "added", "append", "begun", "checked_known", "erased", "in_order", "record_of", "stream_of", "without_words"]

CHUNK: Final = 1_000
_IN: Final = 64

# A counter that is damaged must neither hide events nor give a revision again, nor one beyond what all threads can have together.
END: Final = "(SELECT coalesce(max(position), 0) FROM events)"
# The end of the log may be damaged itself, so what the index says of the thread's last event counts as well.
REVISION: Final = f"""min(
    max({END}, coalesce((SELECT e.position FROM events AS e WHERE e.thread = t.id ORDER BY e.revision DESC LIMIT 1), 0)),
    max(coalesce(CAST(t.revision AS INTEGER), 0),
    coalesce(CAST((SELECT max(e.revision) FROM events AS e WHERE e.thread = t.id) AS INTEGER), 0)))"""
HAS_ERASURES: Final = "EXISTS (SELECT 1 FROM erasures WHERE thread = ?1)"
_STREAM: Final = f"""
    SELECT {END}, t.id, {REVISION}, {HAS_ERASURES}, t.latest, t.earliest FROM (SELECT 1)
    LEFT JOIN threads AS t ON t.key = ?1"""
_KNOWN: Final = f"""
    SELECT e.id, position, e.revision, e.crc, data, t.key FROM events AS e LEFT JOIN threads AS t ON t.id = e.thread
    WHERE e.id IN ({",".join("?" * _IN)})"""
BEGIN: Final = "INSERT INTO threads (key) VALUES (?)"
NUMBER: Final = "SELECT id FROM threads WHERE key = ?"
_COUNT: Final = "UPDATE threads SET revision = ?, latest = ?, earliest = ?, bucket = ? WHERE id = ?"
INSERT: Final = "INSERT INTO events (position, thread, revision, id, crc, data) VALUES (?, ?, ?, ?, ?, ?)"
_REMEMBER: Final = """
    INSERT INTO erasures (thread, comment, person, before, shown, crc) SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM erasures WHERE thread = ?1 AND comment IS ?2 AND person IS ?3 AND before IS ?4)
    RETURNING rowid"""
_CANDIDATES: Final = """
    SELECT comment, person, before FROM erasures WHERE thread = ?1 AND (comment = ?2 OR (comment IS NULL AND person = ?3))"""
_HELD: Final = """
    SELECT position, e.revision, e.crc, data FROM threads AS t JOIN events AS e ON e.thread = t.id
    WHERE key = ? AND e.revision > ? ORDER BY e.revision LIMIT ?"""
_REWRITE: Final = "UPDATE events SET crc = ?, data = ? WHERE position = ?"


class Stream(NamedTuple):
    """
    Where a thread's stream ends.

    Args:
        end: The last position of the whole log.
        number: The thread's row; None for a thread without events.
        revision: Its last revision.
        erased: Whether an erasure is remembered for it.
        latest: Its largest id, empty if it has none.
        earliest: Its smallest.
    """

    end: int
    number: int | None
    revision: int
    erased: bool
    latest: bytes
    earliest: bytes


def stream_of(thread: str) -> Plan[Stream]:
    """Return where a thread's stream ends."""
    [[(end, number, revision, erased, latest, earliest)]] = yield [Sql(_STREAM, (thread,))]
    return Stream(end, number, revision or 0, bool(erased), latest or b"", earliest or b"")


def begun(thread: str) -> Plan[int]:
    """Give a thread its row, and return its number."""
    _, [[number]] = yield [Sql(BEGIN, (thread,)), Sql(NUMBER, (thread,))]
    return int(number)


def added(thread: str, stream: Stream, number: int, events: Sequence[Event]) -> list[Sql | Many]:
    """Return the statements that append *events*, which are new, in their order: the thread's row first, then theirs."""
    ids = all_to_bytes(event.id for event in events)
    latest, earliest = max(*ids, stream.latest), min(*ids, stream.earliest or ids[0])
    counted = Sql(_COUNT, (stream.revision + len(events), latest, earliest, bucket_of(latest), number))
    return [counted, inserted(thread, stream, number, events, ids)]


def inserted(thread: str, stream: Stream, number: int, events: Sequence[Event], ids: Sequence[bytes]) -> Many:
    """Return the statement that adds the rows of *events*."""
    rows: list[Row] = []
    mark, position, revision = seed(thread.encode()), stream.end, stream.revision
    for event, id in zip(events, ids, strict=True):
        position, revision, data = position + 1, revision + 1, encode(event)
        rows.append((position, number, revision, id, event_checksum(mark, position, revision, data), data))
    return Many(INSERT, rows)


def known(ids: Iterable[str]) -> Plan[dict[str, Row]]:
    """Return what the log has under some ids: position, revision, checksum, bytes and the key of the thread."""
    wanted = sorted(map(to_bytes, set(ids)))
    steps = [wanted[start : start + _IN] for start in range(0, len(wanted), _IN)]
    answers = yield [Sql(_KNOWN, chunk + chunk[-1:] * (_IN - len(chunk))) for chunk in steps]
    return {from_bytes(id): tuple(row) for rows in answers for id, *row in rows}


def checked_known(facts: Mapping[str, Event]) -> Plan[dict[str, Position]]:
    """
    Return the positions of the facts that are already there.

    Raises:
        ConflictingEvent: Another fact has the id of one of them.
        CorruptRecord: What has it is damaged.
    """
    found = yield from known(facts)
    positions: dict[str, Position] = {}
    for id, event in facts.items():  # in the order of the batch, so that the first of several conflicts is told
        if id not in found:
            continue
        position, revision, crc, data, key = found[id]
        try:
            check_same(event, unfilled(data), position)
        except ConflictingEvent:  # what is damaged is not what it says
            if not is_sound(seed((key or "").encode()), position, revision, data, crc):
                raise CorruptRecord(position, _DAMAGED) from None
            if decode(unfilled(data)).id != id:
                raise CorruptRecord(position, MISFILED) from None
            raise
        positions[id] = Position(position)
    return positions


_DAMAGED: Final = "its row does not match its checksum"
MISFILED: Final = "its row is filed under another id than its own"


def append(thread: str, events: Sequence[Event], expected: Expected, erasures: Sequence[Erasure]) -> Plan[Appended]:
    """Append to the log alone, as `EventLog.append` says."""
    facts = distinct(thread, events)
    positions = yield from checked_known(facts)
    stream = yield from stream_of(thread)
    new = [event for id, event in facts.items() if id not in positions]
    if new:
        check_expected(thread, expected, stream.revision)
    if erasures:
        yield from erased(thread, erasures, stream.revision + (len(new) or 1))
    if new:
        if stream.erased or erasures:
            new = yield from without_words(thread, new)
        number = stream.number if stream.number is not None else (yield from begun(thread))
        yield added(thread, stream, number, new)
        positions |= {event.id: Position(stream.end + place) for place, event in enumerate(new, 1)}
    return Appended(tuple(positions[event.id] for event in events), len(new), Revision(stream.revision + len(new)))


# --- erasing ------------------------------------------------------------------------------------------------------------------


def without_words(thread: str, events: Sequence[Event]) -> Plan[list[Event]]:
    """Return *events*, those redacted that a remembered erasure absorbs."""
    actors = [None if event.actor is None else event.actor.id for event in events]
    answers = yield [Sql(_CANDIDATES, (thread, event.target, actor)) for event, actor in zip(events, actors, strict=True)]
    return [
        redact(event) if any(Erasure(*row).covers(event) for row in rows) else event
        for event, rows in zip(events, answers, strict=True)
    ]


def erased(thread: str, erasures: Sequence[Erasure], shown: int) -> Plan[int]:
    """
    Take the words that *erasures* absorb out of what is there, and remember them; return how many records were changed.

    Args:
        thread: The key of the thread.
        erasures: What is erased.
        shown: The first revision of the thread that shows it.

    Complexity: O(events of the thread), if one of them is new.
    """
    answers = yield [Sql(_REMEMBER, (thread, *each, shown, checksum(thread, *each, shown))) for each in erasures]
    fresh = [erasure for erasure, rows in zip(erasures, answers, strict=True) if rows]
    if not fresh:
        return 0
    absorbing, mark, after, changed = Erasures(fresh), seed(thread.encode()), 0, 0
    while True:
        [rows] = yield [Sql(_HELD, (thread, after, CHUNK))]
        if not rows:
            return changed
        rows, after = in_order(rows, 1, after)
        rewritten = [Sql(_REWRITE, new) for row in rows if (new := _rewritten(mark, row, absorbing))]
        changed += len(rewritten)
        if rewritten:
            yield rewritten


def _rewritten(mark: int, row: Row, absorbing: Erasures) -> Row | None:
    """
    Return the values that redact a row, or None if nothing in it is to be erased.

    A damaged row is judged by what it says, and blanked if it says nothing; it keeps its checksum, and so stays damaged.
    """
    position, revision, crc, data = row
    try:
        event = decode(unfilled(data), position=position)
    except CorruptRecord:
        blank = filled(b"", len(data))
        return None if data == blank else (crc, blank, position)
    if not absorbing.covers(event) or is_redacted(event):
        return None
    blank = filled(encode(redact(event)), len(data))
    if is_sound(mark, position, revision, data, crc):
        crc = event_checksum(mark, position, revision, blank)
    return crc, blank, position


# --- rows ---------------------------------------------------------------------------------------------------------------------


def in_order(rows: list[Row], mark: int, after: int) -> tuple[list[Row], int]:
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


def record_of(thread: str, mark: int, position: Any, revision: Any, crc: Any, data: Any) -> Record | None:
    """Return the record of a row, which says so if it is damaged; None if nobody could say where it stands."""
    if is_sound(mark, position, revision, data, crc):
        return Record(position, revision, thread, unfilled(data))
    if type(position) is int and type(revision) is int:
        held = data if type(data) is bytes else b""
        return Record(Position(position), Revision(revision), thread, held, _DAMAGED)
    return None
