"""
What happens around a fork, step by step in one process: what Python calls before it, after it, and in the child.

Whole processes that fork are in tests/nothing_lost/test_fork.py.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Condition, Semaphore

import pytest

from threadstore.errors import StoreClosed, StoreUnavailable
from threadstore.log import _connections as databases
from threadstore.log.sqlite import SqliteLog
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.testing.memory_log import MemoryLog

Open = Callable[..., SqliteLog]

#: How long a test waits for what should come at once, in seconds.
PATIENCE = 20


def post(number: int) -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread="t", body="words")


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - a closed connection refuses it
    except sqlite3.ProgrammingError:
        return True
    return False


@contextmanager
def forking() -> Iterator[None]:
    """Do what is done around a fork, as the parent sees it."""
    databases._before_fork()
    try:
        yield
    finally:
        databases._after_fork()


@contextmanager
def in_another_process() -> Iterator[None]:
    """Be a process that has inherited everything."""
    parent = os.getpid()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: parent + 1)
        yield


class Watched(Condition):
    """A condition that tells when somebody waits for it."""

    def __init__(self, lock: object) -> None:
        super().__init__(lock)
        self.waiting = Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting.release()
        return super().wait(timeout)


def test_no_connection_is_inherited(opened: Open):
    """At the moment of a fork all connections are closed; the parent opens them again when it needs them."""
    log = opened()
    log.append("t", [post(1)])
    assert [record.event for record in log.read("t")] == [post(1)]
    connections = [log.database._writer, *log.database._idle]
    assert [is_closed(connection) for connection in connections] == [False, False]
    with forking():
        assert [is_closed(connection) for connection in connections] == [True, True]
    assert log.append("t", [post(2)]).revision == 2
    assert [record.event for record in log.read("t")] == [post(1), post(2)]


def test_a_fork_waits_for_who_reads(opened: Open):
    """A connection is not closed under its reader, and whoever comes meanwhile reads after the fork."""
    log = opened()
    log.append("t", [post(1)])
    database = log.database
    database._returned = watched = Watched(database._pooling)
    with ThreadPoolExecutor(2) as others:
        with database.reading() as connection:
            fork = others.submit(databases._before_fork)
            assert watched.waiting.acquire(timeout=PATIENCE)
            late = others.submit(log.position)
            assert watched.waiting.acquire(timeout=PATIENCE)
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
            assert not fork.done()
            assert not late.done()
        fork.result(PATIENCE)
        try:
            assert is_closed(connection)
            assert not late.done()
        finally:
            databases._after_fork()
        assert late.result(PATIENCE) == 1


def test_a_closed_log_has_nothing_to_close(opened: Open):
    """A log that was closed before a fork stays closed after it."""
    log = opened()
    log.close()
    with forking():
        pass
    log.close()
    with pytest.raises(StoreClosed):
        log.position()


def test_closing_after_a_fork_finishes_an_erasure(opened: Open, tmp_path: Path):
    """What a reader has kept in the WAL is cut from it by closing, though the fork has closed the writing connection."""
    log = opened()
    log.append("t", [post(1)])
    database, wal = log.database, tmp_path / "log.db-wal"
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:  # SQLite leaves the WAL to it
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM events").fetchone()
        log.append("t", [post(2)], erasures=[Erasure(comment=post(1).id)])
        other.execute("ROLLBACK")
        with forking():
            assert b"words" in wal.read_bytes()
        log.close()
        assert wal.read_bytes() == b""
        assert is_closed(database._writer)


@pytest.mark.parametrize("told", [True, False], ids=["by Python", "by other means"])
def test_a_child_begins_with_nothing_open(opened: Open, told: bool):
    """Its own forks wait for none of what it has inherited; only its parent's would, and Python may not have told of the fork."""
    log = opened()
    inherited = list(databases._open)
    assert log.database in inherited
    if told:
        databases._before_fork()
    resting = list(databases._resting)
    try:
        databases._in_child()
        assert (databases._resting, list(databases._open), databases._forking.locked()) == ([], [], False)
        with forking():
            assert databases._resting == []
    finally:
        for database in resting:
            database.resume()
        databases._open.update(inherited)
    assert log.append("t", [post(1)]).revision == 1


def test_a_log_in_memory_is_its_process_own():
    """A child is refused, and closing there asks for no lock that nobody would give back."""
    log = MemoryLog()
    log.append("t", [post(1)])
    with in_another_process():
        with pytest.raises(StoreUnavailable, match="forked"):
            log.append("t", [post(2)])
        log._lock.acquire()
        log.close()
        log._lock.release()
    assert log.position() == 1
