"""
The examination of a whole store: its records, its threads, and the rows that show them. It repairs nothing.

A log knows whether its records are sound. Whether they amount to what is shown is asked here: each
thread is folded in two orders, whose digests must agree, and the rows of its read model must be what
a builder makes of its records. Rows of other rules, or of a part of the stream, are never shown, so
they are not looked at. `ThreadStore.rebuild_thread` makes the rows of a thread anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

from threadstore.errors import DataError
from threadstore.log.protocol import Damage
from threadstore.log.sqlite import SqliteLog, execute
from threadstore.model.events import Event
from threadstore.model.ids import from_bytes
from threadstore.model.outline import EARLY, MISSING
from threadstore.model.policy import Policy, Rules
from threadstore.plans import Row
from threadstore.readmodel.queries import thread_row
from threadstore.readmodel.rebuild import Builder, read_on
from threadstore.readmodel.rows import COLUMNS, COMMENT, ThreadRow, fingerprint
from threadstore.views.thread import fold

__all__ = ["differences", "verify_store"]

#: The columns behind `model` by which a row of each table is told from others, and all columns.
_TABLES: Final = {
    "comments": (COLUMNS.index("id"), f"SELECT model, {COMMENT} FROM comments WHERE model = ?"),
    "reactions": (0, "SELECT model, comment, actor, kind, event, given FROM reactions WHERE model = ?"),
    "facts": (0, "SELECT model, target, position FROM facts WHERE model = ?"),
    "authors": (1, "SELECT author, model, id FROM authors WHERE model = ?"),
    "names": (0, "SELECT model, length, name, actor, first, last FROM names WHERE model = ?"),
}
#: What depends on the order in which facts came, and is no more than a hint.
_HINTS: Final = {"comments": (COLUMNS.index("root") + 1,)}
_FLAGS: Final = COLUMNS.index("flags") + 1
_UP: Final = COLUMNS.index("up") + 1


def verify_store(log: SqliteLog, policy: Policy) -> Iterator[Damage]:
    """
    Yield what is wrong with the log's records, its threads, and the rows that were made under this *policy*.

    Complexity: O(n log n) for n events, and the memory of the largest thread.
    """
    yield from log.verify()
    for key in log.threads():
        yield from _thread(log, policy.rules, key)


def _thread(log: SqliteLog, rules: Rules, key: str) -> Iterator[Damage]:
    events: list[Event] = []
    for record in log.read(key):
        try:
            events.append(record.event)
        except DataError:
            return  # the log has told of this record; a thread with a hole in it can not be compared
    if fold(events, key=key).digest() != fold(reversed(events), key=key).digest():
        yield Damage("digest", None, key, "its events make different threads in different orders")
    with log.database.reading() as connection:
        connection.execute("BEGIN")
        try:
            found = list(differences(connection, key, rules))
        except sqlite3.DatabaseError as error:
            found = [f"its rows cannot be read: {error}"]
        finally:
            connection.execute("ROLLBACK")
    for why in found:
        yield Damage("model", None, key, why)


def differences(connection: sqlite3.Connection, key: str, rules: Rules) -> Iterator[str]:
    """Yield how the rows of a thread differ from what its log amounts to, in the present transaction."""
    row = execute(connection, thread_row(key))
    if row is None or row.rules != fingerprint(rules) or row.projected != row.revision:
        return
    builder = Builder(key, rules)
    while records := execute(connection, read_on(builder, row.id)):
        for record in records:
            builder.take(*record)
    execute(connection, builder.finish(row.revision))
    expected = ThreadRow(*[getattr(row, name) for name in ThreadRow.__struct_fields__])
    builder.thread(expected, row.model).building = row.building
    expected.crc = expected.checksum()
    for name in ThreadRow.__struct_fields__:
        if getattr(row, name) != getattr(expected, name):
            yield f"its row has {name} = {getattr(row, name)!r}, and it should be {getattr(expected, name)!r}"
    for table, rows in builder.rows(row.model):
        yield from _compared(table, rows, connection.execute(_TABLES[table][1], (row.model,)).fetchall())


def _compared(table: str, expected: Iterable[Row], found: Iterable[Row]) -> Iterator[str]:
    ours, theirs = (set(map(_bare(table), filter(_matters(table), rows))) for rows in (expected, found))
    for row in sorted(theirs - ours, key=repr):
        yield f"a row of {table} is wrong: {_name(table, row)}"
    for row in sorted(ours - theirs, key=repr):
        yield f"a row of {table} is missing: {_name(table, row)}"


def _bare(table: str) -> Any:
    hints = _HINTS.get(table, ())
    return lambda row: tuple(None if column in hints else value for column, value in enumerate(row))


def _matters(table: str) -> Any:
    """Leave out the places of comments that are not there: they stay where waiting reactions were withdrawn."""
    if table != "comments":
        return lambda row: True  # noqa: ARG005  # of other tables every row does
    return lambda row: row[_FLAGS] != MISSING | EARLY or row[_UP] or row[_UP + 1] or row[_UP + 2]


def _name(table: str, row: Row) -> str:
    """Name a row by what it is about."""
    place = _TABLES[table][0] + 1
    value = row[place]
    return from_bytes(value) if type(value) is bytes and len(value) == 16 else repr(value)
