"""
Forks: a store that is carried into another process says so, and takes nothing from the process that opened it.

SQLite's connections do not survive a fork (sqlite.org/howtocorrupt.html, section 2.6): the child believes that it holds its
parent's locks. So a child that opens the file for itself shares those locks in name only, and the parent's closing deletes the
WAL that the child goes on writing to; and a child that only ends closes what it has inherited, which deletes a WAL that somebody
else has left to be recovered. Both lost acknowledged comments with SQLite 3.40, until connections were closed for the
moment of the fork.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

import threadstore
from threadstore import ThreadStore
from threadstore.errors import StoreClosed, StoreUnavailable
from threadstore.log import _connections as _sqlite_database
from threadstore.log.protocol import EventLog
from threadstore.log.sqlite import SqliteLog
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.store.thread import StoredThread

HERE = Path(__file__).resolve().parent
POSTS = 10
NOW = 1_700_000_000_000
#: How long a test waits for what should come at once, in seconds.
PATIENCE = 20

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def play(scene: str, folder: Path, *, times: int = 0) -> dict:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(threadstore.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FORKS": str(times),
    }
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(HERE / "child_forker.py"), scene, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150 + times, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


@forks
@pytest.mark.parametrize("scene", ["used_file", "used_memory"])
def test_a_store_says_that_it_was_opened_before_a_fork(scene, tmp_path):
    """Whatever a child asks of its parent's store is refused at once, and the parent goes on undisturbed."""
    found = play(scene, tmp_path)
    outcomes = found.pop("outcomes")
    assert found == {"status": 0, "events": 3 * POSTS, "damages": []}
    assert {outcomes.pop("close"), outcomes.pop("close again")} == {"it was done"}
    assert {name: said for name, said in outcomes.items() if not said.startswith("StoreUnavailable: the store")} == {}
    assert {name: said for name, said in outcomes.items() if "before the process forked" not in said} == {}
    assert set(outcomes) == _calls(ThreadStore, "close", "now", "thread") | _calls(StoredThread) | _calls(EventLog, "close")


def _calls(kind: type, *without: str) -> set[str]:
    """Return what can be asked of a *kind* of object, save what needs no log."""
    return {f"{kind.__name__}.{name}" for name in dir(kind) if not name.startswith("_") and name not in without}


@forks
def test_a_child_that_opens_the_file_anew_loses_nothing(tmp_path):
    """What parent and child write, each with a store of its own, is all there, in whatever order they close."""
    assert play("opened_anew", tmp_path) == {"status": 0, "events": 4 * POSTS, "damages": []}


@forks
def test_the_end_of_a_child_takes_nothing(tmp_path):
    """A child that only ends leaves alone what a third process wrote and was killed before it could tidy up."""
    assert play("outlived", tmp_path) == {"status": 0, "events": 2 * POSTS, "damages": []}


@forks
def test_a_process_may_fork_while_its_threads_write(scale, tmp_path):
    """Threads that write and read while their process forks notice nothing, and no word is lost on either side."""
    times = scale(15, 1_000)
    found = play("forked_often", tmp_path, times=times)
    assert (set(found["statuses"]), found["wrong"], found["damages"]) == ({0}, [], [])
    assert found["events"] == found["expected"] > 2 * times
    scale.figure("forks", times)
    scale.figure("events", found["events"])


# --- what happens to the connections ------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path):
    log = SqliteLog.open(tmp_path / "x.db", durability="normal")
    log.append("t", [posted(1)])
    log.position()
    yield log
    log.close()


def posted(number: int) -> CommentPosted:
    return CommentPosted(id=make_id(NOW, 0, number), thread="t", actor=None, body=f"{number}")


@contextmanager
def forking():
    """Do all that happens around a fork, but the fork."""
    _sqlite_database._before_fork()
    try:
        yield
    finally:
        _sqlite_database._after_fork()


def test_no_connection_is_open_while_a_process_forks(log, tmp_path):
    """All are closed before, so that SQLite has no state that a child could inherit; and opened when they are needed again."""
    former = log.database._writer
    with forking():
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.db"]
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            former.execute("SELECT 1")
    assert [record.position for record in log.read_all()] == [1]
    assert log.append("t", [posted(2)]).positions == (2,)
    settings = ("synchronous", "secure_delete", "temp_store", "journal_mode")
    assert [log.database._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in settings] == [1, 1, 2, "wal"]


def test_a_fork_waits_for_those_who_use_a_connection(log):
    """A reader in the middle of its work is not cut off, and the next one waits until the fork is over."""
    forked, release, read = Event(), Event(), []

    def fork() -> None:
        with forking():
            forked.set()
            release.wait(PATIENCE)

    forker = Thread(target=fork)
    with log.database.reading() as connection:
        forker.start()
        assert not forked.wait(0.05)
        late = Thread(target=lambda: read.append(log.position()))
        late.start()
        late.join(0.05)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert read == []
    assert forked.wait(PATIENCE)
    late.join(0.05)
    assert read == []
    release.set()
    forker.join(PATIENCE)
    late.join(PATIENCE)
    assert read == [1]


def test_a_log_that_is_closed_forks_as_well(log):
    """A closed log has nothing to close, before a fork as after."""
    log.close()
    with forking():
        pass
    with pytest.raises(StoreClosed):
        log.position()


def test_closing_right_after_a_fork(log):
    """A log that has not been used since the fork is closed like any other, also when an erasure is still to be seen through."""
    with log.database.reading() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        log.redact("t", [Erasure(comment=posted(1).id)])
        reader.execute("COMMIT")
    assert log.database.scrub_wait is not None
    with forking():
        pass
    log.close()
    assert log.database.scrub_wait is None


def test_a_log_that_was_closed_after_a_fork_forks_again(log):
    """A log that was not used between a fork and its closing has no part in the next fork."""
    for _ in range(2):
        with forking():
            pass
        log.close()
    with forking():
        pass


def test_a_file_that_went_while_the_process_forked(log, tmp_path):
    """It is not made anew behind the application's back: reading and writing say that it is not there."""
    with forking():
        (tmp_path / "x.db").unlink()
    for call in (log.position, lambda: log.append("t", [posted(2)])):
        with pytest.raises(StoreUnavailable):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by_python", [True, False], ids=["by Python", "by other means"])
def test_a_child_begins_with_nothing_open(log, by_python):
    """A child opens files of its own without waiting for what it has inherited, however the process was forked."""
    others = list(_sqlite_database._open)
    if by_python:
        _sqlite_database._before_fork()
    _sqlite_database._in_child()
    assert (list(_sqlite_database._open), _sqlite_database._forking.locked()) == ([], False)
    _sqlite_database._open.update(others)
    if by_python:
        for other in others:
            other.resume()


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_store_is_let_go_of_without_a_lock(kind, tmp_path, monkeypatch):
    """A child that uses or closes its copy of a store asks for no lock, which a thread may hold that it does not have."""
    store = threadstore.open(":memory:" if kind == "memory" else tmp_path / "x.db", durability="off")
    store.thread("t").post("first", by="u-ann")
    database = store.log.database
    with monkeypatch.context() as patch, store._writer._lock, store._pages._lock, store._news._condition, database._writing:
        patch.setattr(os, "getpid", lambda: -1)
        for call in (store.thread("t").counts, store.log.position, lambda: store.thread("t").post("no", by="u-ann")):
            with pytest.raises(StoreUnavailable, match="before the process forked"):
                call()
        store.close()
        store.close()
    database._closed = False  # which a child says of its own copy alone
    assert store.log.position() == 1
    store.close()
