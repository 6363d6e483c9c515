"""`verify` finds every flipped byte, every lost row, and every text that should be gone; of a sound log it says nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from threadstore.errors import StoreUnavailable
from threadstore.log._schema import checksum, event_checksum, seed
from threadstore.log._verify import verify
from threadstore.log.protocol import Damage
from threadstore.log.sqlite import SqliteLog
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id, to_bytes
from threadstore.model.values import Actor

Open = Callable[..., SqliteLog]


def post(number: int, thread: str = "t", body: str = "words") -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread=thread, actor=Actor("u-ann", "Ann"), body=body)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection of another program to a log of two threads with an erasure and a blank record."""
    with closing(SqliteLog.open(tmp_path / "log.db", durability="off")) as log:
        log.append("t", [post(1), post(2), post(3)])
        log.append("u", [post(4, "u")])
        log.redact("t", [Erasure(comment=make_id(2, 0, 0)), Erasure(person="u-bob", before=make_id(3, 0, 0))])
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_stay")
        assert list(verify(connection)) == []
        yield connection


def kinds(connection: sqlite3.Connection) -> list[tuple[str, int | None]]:
    return [(damage.kind, damage.position) for damage in verify(connection)]


def flips(value: int | bytes | str) -> Iterator[int | bytes | str]:
    """Yield the value with each of its bytes flipped in turn, in one bit and in all bits."""
    if isinstance(value, int):
        yield from (value ^ (mask << 8 * byte) for byte in range(7) for mask in (1, 0x80, 0xFF))
    else:
        data = value.encode() if isinstance(value, str) else value
        for index in range(len(data)):
            for mask in (1, 0x80, 0xFF):
                yield data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]


COLUMNS = [
    *(("events", column) for column in ("position", "thread", "revision", "id", "crc", "data")),
    *(("threads", column) for column in ("id", "key", "revision", "latest", "earliest", "bucket")),
    *(("erasures", column) for column in ("thread", "comment", "person", "before", "shown", "crc")),
]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(names) for names in COLUMNS])
def test_each_flipped_byte_is_found(file: sqlite3.Connection, table: str, column: str):
    """Whichever byte of whichever column of any row changes, `verify` has something to say."""
    found = 0
    types = dict(file.execute("SELECT name, type FROM pragma_table_info(?)", (table,)))
    for rowid, value in file.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall():
        for flipped in flips(value):
            new = "CAST(? AS TEXT)" if types[column] == "TEXT" else "?"
            file.execute("BEGIN")
            try:
                file.execute(f"UPDATE {table} SET {column} = {new} WHERE rowid = ?", (flipped, rowid))
            except sqlite3.IntegrityError:
                pass  # the file itself refuses it
            else:
                assert list(verify(file)) != [], (rowid, value, flipped)
                found += 1
            file.execute("ROLLBACK")
    assert found >= 3


def test_each_flipped_byte_of_the_file_is_found(tmp_path: Path, file: sqlite3.Connection):
    """A byte that changes on the disk, behind SQLite's back, is found wherever in a record it lies."""
    file.execute("VACUUM")
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = (tmp_path / "log.db").read_bytes()
    record = encode(post(3))
    start = sound.index(record)
    for index in range(start - 10, start + len(record)):
        (tmp_path / "bad.db").write_bytes(sound[:index] + bytes([sound[index] ^ 0x10]) + sound[index + 1 :])
        with closing(sqlite3.connect(f"file:{tmp_path / 'bad.db'}?immutable=1", uri=True)) as connection:
            assert list(verify(connection)) != [], index


@pytest.mark.parametrize(
    ("statement", "damages"),
    [
        ("DELETE FROM events WHERE position = 1", [("position", 2), ("revision", 2), ("thread", None)]),
        ("DELETE FROM events WHERE position = 3", [("position", 4), ("thread", None), ("revision", None)]),
        ("DELETE FROM events WHERE position = 4", [("thread", None), ("revision", None)]),
        ("DELETE FROM events", [("thread", None), ("revision", None)] * 2),
        ("DELETE FROM threads WHERE key = 'u'", [("thread", 4)]),
        ("UPDATE threads SET revision = 4 WHERE key = 't'", [("revision", None)]),
        ("UPDATE events SET data = CAST(x'c1' || data AS BLOB) WHERE position = 4", [("checksum", 4)]),
        ("UPDATE erasures SET person = 'u-eve' WHERE person = 'u-bob'", [("checksum", None)]),
        ("UPDATE threads SET latest = x'00' WHERE key = 'u'", [("thread", None)]),
        ("UPDATE threads SET earliest = x'00' WHERE key = 'u'", [("thread", None)]),
    ],
)
def test_damage_is_told_by_kind_and_place(file: sqlite3.Connection, statement: str, damages: list[tuple[str, int | None]]):
    """Each kind of damage has a name and, where it has one, a position."""
    file.execute(statement)
    assert kinds(file) == damages


def write(connection: sqlite3.Connection, position: int, id: bytes, data: bytes) -> None:
    """Put *data* into the second thread's record with a checksum that fits, as a program with a bug would."""
    crc = event_checksum(seed(b"u"), position, 1, data)
    connection.execute("UPDATE events SET id = ?, crc = ?, data = ? WHERE position = ?", (id, crc, data, position))
    connection.execute("UPDATE threads SET latest = ?1, earliest = ?1 WHERE key = 'u'", (id,))


@pytest.mark.parametrize(
    ("number", "data", "why"),
    [
        (4, b"\x93\x01\x02\x03", "cannot be read"),
        (4, encode(post(4, "u")).replace(b"posted\x01", b"posted\x02"), "schema 2"),
        (4, encode(post(5, "u")), "filed under another id"),
        (5, encode(post(4, "u")), "filed under another id"),
        (4, encode(post(4, "t")), "filed under another id or thread"),
    ],
    ids=["no record", "newer schema", "other event", "other id", "other thread"],
)
def test_a_record_that_was_written_wrong_is_found(file: sqlite3.Connection, number: int, data: bytes, why: str):
    """A checksum that fits does not help a record that can not be read, or that stands in the wrong place."""
    write(file, 4, to_bytes(make_id(number, 0, 0)), data)
    [damage] = verify(file)
    assert (damage.kind, damage.position, damage.thread) == ("record", 4, "u")
    assert why in damage.why


def test_an_erased_text_that_is_still_there_is_found(file: sqlite3.Connection):
    """A remembered erasure whose text has come back, say from a backup that was restored row by row, is told."""
    row = (checksum("u", make_id(4, 0, 0), None, None, 1), make_id(4, 0, 0))
    file.execute("INSERT INTO erasures (thread, crc, comment, shown) VALUES ('u', ?, ?, 1)", row)
    assert list(verify(file)) == [Damage("erasure", 4, "u", "a text that was erased is still there")]


def test_a_ruined_index_is_found(tmp_path: Path, file: sqlite3.Connection):
    """What SQLite's own check finds is passed on."""
    file.execute("PRAGMA writable_schema = ON")
    file.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, '(thread, comment', '(comment, thread') WHERE name = 'erasures_by_what'"
    )
    file.close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        damages = list(verify(connection))
    assert {damage.kind for damage in damages} == {"file"}
    assert "erasures_by_what" in damages[0].why


def test_a_ruined_page_is_found(tmp_path: Path, file: sqlite3.Connection):
    """Where the file can not be read any further, `verify` says so instead of raising."""
    [page] = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "log.db", tmp_path / "bad.db")
    with (tmp_path / "bad.db").open("r+b") as bad:
        bad.seek((page - 1) * 4096)
        bad.write(b"\xff" * 4096)
    with closing(sqlite3.connect(tmp_path / "bad.db")) as connection:
        damages = list(verify(connection))
    assert damages[-1].kind == "file"
    assert "malformed" in damages[-1].why


def test_what_is_no_damage_is_raised(opened: Open):
    """An examination that could not be finished for another reason does not call the file damaged."""
    log = opened()
    log.append("t", [post(1)])

    def interrupted() -> Any:
        with log.database.reading() as connection:
            connection.set_progress_handler(lambda: 1, 1)
            return list(verify(connection))

    with pytest.raises(StoreUnavailable, match="interrupted"):
        interrupted()


def test_verify_sees_one_state(opened: Open):
    """The log verifies itself, also while it is being written to; afterwards nothing is locked."""
    log = opened()
    log.append("t", [post(1)])
    found = log.verify()
    log.append("t", [post(2)])
    assert list(found) == list(log.verify()) == []
