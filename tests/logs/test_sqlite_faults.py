"""What a failure leaves behind: nothing of the batch, everything that was acknowledged, and a log that goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from threadstore.errors import CorruptRecord, StoreFull, StoreUnavailable
from threadstore.log._connections import Database
from threadstore.log.protocol import Appended, Record
from threadstore.log.sqlite import SqliteLog
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentErased, CommentPosted, Event
from threadstore.model.ids import make_id


def post(number: int, body: str = "words") -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread="t", body=body)


class Faults(sqlite3.Connection):
    """A connection that fails at a chosen statement, before or after SQLite has run it, or amid the work of SQLite."""

    before = after = 0
    keeps_cursors = False

    def _count(self, name: str) -> None:
        left = getattr(self, name)
        setattr(self, name, left - 1)
        if left == 1:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "ROLLBACK":
            return super().execute(sql)
        self._count("before")
        return self._counted(super().execute(sql, *parameters))

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._count("before")
        return self._counted(super().executemany(sql, rows))

    def _counted(self, cursor: sqlite3.Cursor) -> sqlite3.Cursor:
        try:
            self._count("after")
        except sqlite3.Error:
            if not self.keeps_cursors:
                cursor.close()  # or the traceback would keep its statement in progress
            raise
        return cursor

    def interrupt_after(self, steps: int) -> None:
        """Interrupt SQLite's virtual machine after so many instructions; 0 never does."""
        left = iter(range(steps))
        self.set_progress_handler(lambda: next(left, None) is None if steps else 0, 1)


class Log(SqliteLog):
    """A log whose writing connection can be told to fail."""

    @property
    def faults(self) -> Faults:
        writer = self.database._writer
        assert isinstance(writer, Faults)
        return writer


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Return a log that holds two events, and can be told to fail."""
    with closing(Log(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=Faults))) as log:
        log.append("t", [post(1), post(2)])
        yield log


def content(log: SqliteLog) -> tuple[list[Record], list[str]]:
    return list(log.read_all()), list(log.threads())


#: A batch that uses every statement of an append: some of it known, an erasure with it, and one remembered.
BATCH: list[Event] = [
    post(2),
    *(post(number) for number in range(3, 8)),
    CommentErased(id=make_id(9, 0, 0), thread="t", comment=post(1).id),
]
ERASURES = [Erasure(comment=post(1).id), Erasure(comment=post(5).id)]


def append(log: SqliteLog) -> Appended:
    return log.append("t", BATCH, erasures=ERASURES)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failing_statement_leaves_nothing(log: Log, when: str):
    """Whichever statement of an append fails, nothing of the batch is stored, and a retry stores it once."""
    before = content(log)
    for statement in range(1, 100):
        setattr(log.faults, when, statement)
        try:
            append(log)
        except StoreUnavailable:
            setattr(log.faults, when, 0)
            if log.position() != 2:
                break  # the commit itself had succeeded
            assert content(log) == before
            assert not log.faults.in_transaction
        else:
            break
    setattr(log.faults, when, 0)
    assert statement > 8
    assert append(log).positions == (2, 3, 4, 5, 6, 7, 8)
    assert [record.revision for record in log.read("t")] == list(range(1, 9))
    assert list(log.verify()) == []


def test_an_interrupted_append_leaves_nothing(log: Log):
    """Wherever SQLite is interrupted within its work, nothing of the batch is stored, and the log goes on."""
    before = content(log)
    interrupted = 0
    for steps in range(1, 100_000, 7):
        log.faults.interrupt_after(steps)
        try:
            append(log)
        except StoreUnavailable:
            log.faults.interrupt_after(0)
            interrupted += 1
            if log.position() != 2:
                break  # only cutting the WAL was interrupted
            assert content(log) == before
        else:
            break
    log.faults.interrupt_after(0)
    assert interrupted > 20
    assert append(log).positions == (2, 3, 4, 5, 6, 7, 8)
    assert list(log.verify()) == []


def test_an_exception_of_any_kind_rolls_back(log: Log):
    """Also what is no error of SQLite's, such as a user's Ctrl-C, leaves nothing of a transaction."""

    def give_up() -> None:
        with log.database.writing() as writer:
            writer.execute("UPDATE events SET data = x''")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert log.append("t", [post(3)]).positions == (3,)


def test_what_interrupted_an_append_may_be_kept(log: Log):
    """
    An exception that somebody keeps keeps the frames it passed, and no statement in them stands in the way of the next
    append.
    """
    kept: list[BaseException] = []
    log.faults.keeps_cursors = True
    for statement in range(1, 9):
        log.faults.after = statement
        try:
            log.append("u", [CommentPosted(id=make_id(50, 0, 0), thread="u", body="words")])
        except StoreUnavailable as error:
            kept.append(error)
            log.faults.after = 0
            assert log.append("t", [post(100 + statement)]).new == 1
    log.faults.after = 0
    assert len(kept) > 4
    assert list(log.verify()) == []


def test_an_unknown_outcome_is_settled_by_a_retry(log: Log):
    """If a commit succeeds but its answer is lost, the same append gives the same positions (KurrentDB duplicates under Any)."""
    log.append("t", [post(3)])
    statements: list[str] = []
    log.faults.set_trace_callback(statements.append)
    log.append("t", [post(4)])
    log.faults.set_trace_callback(None)
    log.faults.after = statements.index("COMMIT") + 1
    with pytest.raises(StoreUnavailable):
        log.append("t", [post(5)])
    answer = log.append("t", [post(5)])
    assert (answer.positions, answer.new) == ((5,), 0)


# --- no room ------------------------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing(log: Log):
    """When no room is left, the batch is refused whole, what was acknowledged stays, and with room the log goes on."""
    [pages] = log.faults.execute("PRAGMA page_count").fetchone()
    log.faults.execute(f"PRAGMA max_page_count = {pages + 2}")
    before = content(log)
    batch = [post(number, "x" * 3_000) for number in range(3, 13)]
    with pytest.raises(StoreFull, match=r"log\.db"):
        log.append("t", batch)
    assert content(log) == before
    assert log.append("t", batch[:1]).positions == (3,)
    log.faults.execute("PRAGMA max_page_count = 1000")
    assert log.append("t", batch).positions == tuple(range(3, 13))
    assert list(log.verify()) == []


def test_a_text_that_is_none_is_damage(log: Log):
    """What Python can not read as text is no error of SQLite's, and is reported as damage all the same."""
    with pytest.raises(CorruptRecord, match="UTF-8"), log.database.reading() as connection:
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()


@pytest.mark.skipif(os.name == "nt", reason="limits of resources are POSIX's")
def test_a_full_device_does_no_harm(tmp_path: Path):
    """A process that the system lets write no further gets an error for each append, and all that it was promised is there."""
    code = """
import resource, signal, sys
from threadstore.errors import StoreError
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.log.sqlite import SqliteLog

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = SqliteLog.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
stored = 0
for number in range(1, 100):
    try:
        log.append("t", [CommentPosted(id=make_id(number, 0, 0), thread="t", body="x" * 5_000)])
    except StoreError:
        continue
    stored += 1
print(stored, log.position())
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "log.db"], capture_output=True, text=True, check=False)
    stored, position = map(int, done.stdout.split())
    assert 0 < stored < 99
    with closing(SqliteLog.open(tmp_path / "log.db", durability="off")) as log:
        assert stored == position == log.position()
        assert list(log.verify()) == []


# --- locked -------------------------------------------------------------------------------------------------------------------


def test_a_lock_is_waited_for_and_then_told(log: Log, tmp_path: Path):
    """Another program's lock makes a writer give up after the timeout; readers do not notice, and later all is well."""
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program has kept it locked"):
            log.append("t", [post(3)])
        assert log.revision("t") == 2
        other.execute("COMMIT")
    assert log.append("t", [post(3)]).positions == (3,)


def test_a_reader_does_not_make_a_writer_fail(log: Log):
    """A transaction that reads first would fail when another writer was faster, so ours begins as a writer."""
    statements: list[str] = []
    log.faults.set_trace_callback(statements.append)
    log.append("t", [post(3)])
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert len(statements) <= 8


# --- killed -------------------------------------------------------------------------------------------------------------------


VICTIM = """
import sys
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.log.sqlite import SqliteLog

log = SqliteLog.open(sys.argv[1], durability=sys.argv[2])
for start in range(1, 1_000_000, 10):
    batch = [CommentPosted(id=make_id(number, 0, 0), thread="t", body="words" * 50) for number in range(start, start + 10)]
    print(*log.append("t", batch).positions, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("batches", [1, 17])
def test_a_killed_process_loses_nothing_that_it_was_promised(tmp_path: Path, durability: str, batches: int):
    """After SIGKILL every acknowledged batch is there, no batch is there in part, and a retry gives the same positions."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", VICTIM, str(tmp_path / "log.db"), durability]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        answers = [victim.stdout.readline() for _ in range(batches)]
        victim.send_signal(signal.SIGKILL)
        answers += victim.stdout.readlines()
    acknowledged = [[int(position) for position in answer.split()] for answer in answers if answer.endswith("\n")]
    with closing(SqliteLog.open(tmp_path / "log.db", durability="off")) as log:
        records = list(log.read("t"))
        assert len(records) % 10 == 0
        assert len(records) >= 10 * len(acknowledged)
        assert list(log.verify()) == []
        for number, positions in enumerate(acknowledged):
            again = log.append("t", [record.event for record in records[10 * number : 10 * number + 10]])
            assert (list(again.positions), again.new) == (positions, 0)


def test_the_fault_reaches_every_kind_of_statement(log: Log):
    """The tests above can not pass vacuously: without a fault, their append does all that an append can do."""
    statements: list[str] = []
    log.faults.set_trace_callback(statements.append)
    append(log)
    verbs = [statement.split()[0] for statement in statements]
    assert {"BEGIN", "SELECT", "INSERT", "UPDATE", "COMMIT", "PRAGMA"} <= set(verbs)


def test_an_erasure_is_whole_too(log: Log):
    """An erasure that fails at any statement has changed nothing, and can be repeated."""
    before = content(log)
    for statement in range(1, 20):
        log.faults.before = statement
        try:
            log.redact("t", [Erasure(comment=post(1).id)])
        except StoreUnavailable:
            log.faults.before = 0
            if content(log) != before:
                break  # only cutting the WAL had failed
        else:
            break
    log.faults.before = 0
    assert statement > 3
    log.redact("t", [Erasure(comment=post(1).id)])
    assert content(log) != before
    assert list(log.verify()) == []
