"""Checkpoints: a thread copies the WAL into the file beside the writers, and no commit of theirs pays for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Any

import pytest

from threadstore.log import _checkpoints, _connections
from threadstore.log._checkpoints import Checkpoints
from threadstore.log._connections import Database
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id

#: How long a test waits for what should come at once, in seconds.
PATIENCE = 20
PAGE = 4_120
NEVER = 1 << 40

#: What was told of each checkpoint: its kind, and the thread that made it.
Told = SimpleQueue[tuple[str, str]]


class Telling(sqlite3.Connection):
    """A connection that tells of each checkpoint when it is done, and fails at as many as it is told to."""

    told: Told
    failures = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if "wal_checkpoint" not in sql:
            return super().execute(sql, *parameters)
        if type(self).failures:
            type(self).failures -= 1
            type(self).told.put(("failed", current_thread().name))
            raise sqlite3.OperationalError("disk I/O error")
        cursor = super().execute(sql, *parameters)
        type(self).told.put((sql.partition("(")[2].rstrip(")"), current_thread().name))
        return cursor


class Watched:
    """A log, and what its connections tell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wal = path.with_name(f"{path.name}-wal")
        self.connections = type("Telling", (Telling,), {"told": SimpleQueue()})
        self.log = SqliteLog(Database(str(path), synchronous="OFF", timeout=1_000, factory=self.connections))
        self.numbers = iter(range(1, 100_000))
        self.told()

    @property
    def checkpoints(self) -> Checkpoints:
        return self.log.database._checkpoints

    def post(self, pages: int = 1) -> None:
        """Write a row of so many pages."""
        number = next(self.numbers)
        self.log.append("t", [CommentPosted(id=make_id(number, 0, 0), thread="t", body=f"<{number:06}>" * (pages * 500))])

    def told(self) -> list[tuple[str, str]]:
        """Return what has been told since, without waiting."""
        found = []
        try:
            while True:
                found.append(self.connections.told.get_nowait())
        except Empty:
            return found

    def wait(self) -> tuple[str, str]:
        """Return what is told next."""
        return self.connections.told.get(timeout=PATIENCE)

    def has_copied(self, number: int) -> bool:
        """Return whether the last word of a post is in the file itself."""
        return b"<%06d>" % number * 100 in self.path.read_bytes()


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Return a function that sets when the WAL is copied and when it is cut, in pages."""

    def set_bounds(soft: int, hard: int) -> None:
        monkeypatch.setattr(_checkpoints, "SOFT", soft * PAGE)
        monkeypatch.setattr(_checkpoints, "HARD", hard * PAGE)

    return set_bounds


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path / "log.db")
    yield watched
    watched.log.close()


BESIDE = "threadstore-checkpoints"


def test_a_commit_never_copies_the_wal(watched: Watched, bounds: Callable[[int, int], None]):
    """However long the WAL has become, those who write do not copy it; SQLite itself would at a thousand pages."""
    bounds(NEVER, NEVER)
    while watched.wal.stat().st_size < 1_500 * PAGE:
        watched.post(pages=20)
    watched.post()
    assert watched.told() == []
    assert not watched.has_copied(1)


def test_the_wal_is_copied_beside_the_writers(watched: Watched, bounds: Callable[[int, int], None]):
    """Once there is enough of it, a thread of its own copies what was committed, and begins again when as much has come."""
    bounds(20, NEVER)
    for number in (1, 2, 3):
        watched.post(pages=25 * number)  # longer than the one before, in whose place SQLite may write it
        assert watched.wait() == ("PASSIVE", BESIDE)
        assert watched.has_copied(number)
    assert watched.wal.stat().st_size > 50 * PAGE
    assert list(watched.log.verify()) == []


def test_a_long_wal_is_cut(watched: Watched, bounds: Callable[[int, int], None]):
    """At its bound the WAL is cut to nothing, and as long as it is short again nobody copies it."""
    bounds(20, 40)
    watched.post(pages=50)
    assert [watched.wait(), watched.wait()] == [("PASSIVE", BESIDE), ("TRUNCATE", BESIDE)]
    with watched.log.database._writing:
        assert watched.wal.stat().st_size == 0
    assert watched.has_copied(1)
    watched.post()
    watched.post()
    assert watched.checkpoints._copied == 0
    assert not watched.checkpoints._due.is_set()
    assert watched.told() == []
    assert watched.log.position() == 3
    assert list(watched.log.verify()) == []


def test_a_reader_keeps_the_wal_and_nobody_waits_for_it(watched: Watched, bounds: Callable[[int, int], None]):
    """While somebody reads the WAL it is copied and not cut; once they have gone, it is."""
    bounds(20, 40)
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as reader:
        watched.post()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        watched.post(pages=50)
        assert [watched.wait(), watched.wait()] == [("PASSIVE", BESIDE), ("TRUNCATE", BESIDE)]
        with watched.log.database._writing:
            assert watched.wal.stat().st_size > 40 * PAGE
        watched.post()
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        reader.execute("ROLLBACK")
    watched.post(pages=50)
    assert [watched.wait(), watched.wait()] == [("PASSIVE", BESIDE), ("TRUNCATE", BESIDE)]
    with watched.log.database._writing:
        assert watched.wal.stat().st_size == 0


def test_a_checkpoint_that_fails_is_tried_again(watched: Watched, bounds: Callable[[int, int], None]):
    """No writer is told of it, nothing is lost, and the next commit has it done."""
    bounds(20, NEVER)
    watched.connections.failures = 1
    watched.post(pages=25)
    assert watched.wait() == ("failed", BESIDE)
    watched.post()
    assert watched.wait() == ("PASSIVE", BESIDE)
    assert watched.has_copied(1)


def test_no_checkpoint_is_under_way_around_a_fork(watched: Watched, bounds: Callable[[int, int], None]):
    """The connection that copies is closed as the others are, nothing is copied until the fork is over, and then it goes on."""
    bounds(20, NEVER)
    watched.post(pages=25)
    watched.wait()
    _connections._before_fork()
    try:
        assert watched.checkpoints._connection is None
        watched.checkpoints._due.set()  # the thread wants to, and is kept from it
        assert watched.told() == []
        assert watched.checkpoints._connection is None
    finally:
        _connections._after_fork()
    assert watched.wait() == ("PASSIVE", BESIDE)
    watched.post(pages=25)
    assert watched.wait() == ("PASSIVE", BESIDE)


def test_two_forks_may_follow_one_another(watched: Watched, bounds: Callable[[int, int], None]):
    """Whether anybody has written or closed the log in between, each fork leaves things as they were."""
    for step in (lambda: None, watched.post, watched.log.position, watched.log.close, lambda: None):
        step()
        _connections._before_fork()
        _connections._after_fork()
    assert not watched.checkpoints._working.locked()


def test_closing_ends_the_thread(watched: Watched, bounds: Callable[[int, int], None]):
    """After `close` no thread is left, no connection is open, and none is opened by a checkpoint that comes too late."""
    bounds(20, 40)
    watched.post(pages=25)
    watched.wait()
    thread = watched.checkpoints._thread
    assert thread is not None
    watched.log.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    watched.checkpoints._copy()
    assert watched.checkpoints._connection is None
    assert list(watched.path.parent.iterdir()) == [watched.path]


def test_a_thread_that_can_not_be_started_is_started_later(
    watched: Watched, bounds: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
):
    """A process that may have no more threads writes on; once it may, the next commit has the WAL copied."""
    bounds(20, NEVER)

    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", refuse)
        watched.post(pages=25)
    assert watched.checkpoints._thread is None
    watched.post()
    assert watched.wait() == ("PASSIVE", BESIDE)


def test_a_wal_that_is_not_there_needs_no_copying(watched: Watched, tmp_path: Path):
    """Where nothing was written yet there is nothing to do."""
    checkpoints = Checkpoints(str(tmp_path / "none.db"), lambda: pytest.fail("it was opened"), watched.log.database._writing)
    checkpoints.note()
    assert checkpoints._thread is None
    checkpoints.close()
