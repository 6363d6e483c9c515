"""What a transaction tells of itself when its caller is interrupted, and whether a writer would have to wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from threadstore.errors import StoreClosed, StoreUnavailable
from threadstore.log import _connections
from threadstore.log._connections import MEMORY, Database, Transaction

ADD = "INSERT INTO erasures (thread, shown, crc) VALUES ('t', 1, x'00')"


class Interrupted(sqlite3.Connection):
    """A connection whose caller is interrupted before or after a statement."""

    before = after = ""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if type(self).before and sql.startswith(type(self).before):
            type(self).before = ""
            raise KeyboardInterrupt
        cursor = super().execute(sql, *parameters)
        if type(self).after and sql.startswith(type(self).after):
            type(self).after = ""
            raise KeyboardInterrupt
        return cursor


@pytest.fixture
def connections() -> type[Interrupted]:
    return type("Interrupted", (Interrupted,), {})


@pytest.fixture(params=["file", MEMORY])
def database(request: pytest.FixtureRequest, tmp_path: Path, connections: type[Interrupted]) -> Iterator[Database]:
    path = MEMORY if request.param == MEMORY else str(tmp_path / "log.db")
    with closing(Database(path, synchronous="OFF", timeout=0, factory=connections)) as database:
        yield database


def rows(database: Database) -> int:
    with database.reading() as reader:
        return int(reader.execute("SELECT count(*) FROM erasures").fetchone()[0])


@pytest.mark.parametrize(
    ("when", "statement", "committed"),
    [
        ("before", "BEGIN", None),
        ("after", "BEGIN", None),
        ("before", "INSERT", False),
        ("after", "INSERT", False),
        ("before", "COMMIT", False),
        ("after", "COMMIT", True),
    ],
)
def test_an_interrupted_transaction_tells_whether_it_was_committed(
    database: Database, connections: type[Interrupted], when: str, statement: str, committed: bool | None
):
    """Wherever its caller is interrupted, it says what is so, and the next transaction finds nothing in its way."""
    setattr(connections, when, statement)
    given: list[Transaction] = []

    def write() -> None:
        with database.transaction() as transaction:
            given.append(transaction)
            transaction.connection.execute(ADD)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [transaction.committed for transaction in given] == ([] if committed is None else [committed])
    assert rows(database) == bool(committed)
    write()
    assert given[-1].committed
    assert rows(database) == bool(committed) + 1


def test_a_transaction_is_committed_once_it_is_over(database: Database):
    """Before its end it is not, however much was written."""
    with database.transaction() as transaction:
        assert not transaction.committed
        transaction.connection.execute(ADD)
        assert not transaction.committed
    assert transaction.committed


def test_a_transaction_that_fails_was_not_committed(database: Database):
    """What the database refuses is not stored, and neither is what its caller gives up."""
    given: list[Transaction] = []

    def give_up(statement: str) -> None:
        with database.transaction() as transaction:
            given.append(transaction)
            transaction.connection.execute(statement)
            raise LookupError

    for statement, error in (("nonsense", StoreUnavailable), (ADD, LookupError)):
        with pytest.raises(error):
            give_up(statement)
    assert [transaction.committed for transaction in given] == [False, False]
    assert rows(database) == 0


def test_an_interruption_after_the_commit_leaves_it_committed(tmp_path: Path, connections: type[Interrupted]):
    """Who is interrupted while the WAL is cut for an erasure has committed all the same."""
    with closing(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=connections)) as database:

        def erase() -> None:
            with database.transaction() as transaction:
                given.append(transaction)
                transaction.connection.execute(ADD)
                database.note_erasure(1, is_urgent=True)

        given: list[Transaction] = []
        connections.before = "PRAGMA wal_checkpoint"
        with pytest.raises(KeyboardInterrupt):
            erase()
        assert given[0].committed
        assert rows(database) == 1


# --- whether a writer would wait ----------------------------------------------------------------------------------------------


def test_a_database_is_free_unless_somebody_writes(database: Database):
    """It is while nobody writes, and not while a transaction of this process is open."""
    assert database.is_free()
    with database.transaction():
        assert not database.is_free()
    assert database.is_free()


def test_a_database_is_not_free_while_another_process_writes(tmp_path: Path):
    """It is told at once, whatever the timeout, which holds for writers as before; readers are in nobody's way."""
    with closing(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=60_000)) as database:
        with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM events").fetchone()
            assert database.is_free()
            other.execute("COMMIT")
            other.execute("BEGIN IMMEDIATE")
            assert not database.is_free()
            other.execute("COMMIT")
        assert database.is_free()
        with database.writing() as writer:
            assert writer.execute("PRAGMA busy_timeout").fetchone() == (60_000,)


def test_a_database_that_rested_for_a_fork_is_free(tmp_path: Path):
    """Its writing connection is opened again; where its file has gone, that is told as the library tells it."""
    with closing(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0)) as database:
        _connections._before_fork()
        _connections._after_fork()
        assert database.is_free()
        _connections._before_fork()
        _connections._after_fork()
        (tmp_path / "log.db").rename(tmp_path / "moved.db")
        with pytest.raises(StoreUnavailable):
            database.is_free()
        (tmp_path / "moved.db").rename(tmp_path / "log.db")


def test_a_closed_database_says_so(tmp_path: Path):
    """Asking whether it is free is an error after `close`."""
    database = Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0)
    database.close()
    with pytest.raises(StoreClosed):
        database.is_free()
