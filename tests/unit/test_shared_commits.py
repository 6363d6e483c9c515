"""Writers that wait for one another share a transaction, and none of them pays for what another does wrong."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from threadstore import StoreError
from threadstore.log._connections import Database, Transaction
from threadstore.log.sqlite import SqliteLog
from threadstore.plans import Plan, Sql
from threadstore.store.writer import Writer

_SECONDS = 30


class Counted:
    """A database that counts its transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transactions = 0

    def check_open(self) -> None:
        """Pass it on."""
        self._database.check_open()

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin one more."""
        self.transactions += 1
        return self._database.transaction()

    def note_erasure(self, last: int, *, is_urgent: bool = False) -> None:
        """Pass it on."""
        self._database.note_erasure(last, is_urgent=is_urgent)


class Heard(deque[Any]):
    """A queue that says when so many have come since it was last asked."""

    def __init__(self, awaited: int) -> None:
        super().__init__()
        self.awaited = awaited
        self.come = Event()

    def append(self, job: Any) -> None:
        """Take one more in."""
        super().append(job)
        if len(self) == self.awaited:
            self.come.set()


class Room:
    """A writer, what it wrote, and several who write at the same moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = SqliteLog.open(path, durability="off")
        self.database = Counted(self.log.database)
        self.writer = Writer(self.database)
        self.writer.write(lambda: self.plan("CREATE TABLE said (what TEXT)"))

    @staticmethod
    def plan(sql: str, *values: Any, then: Callable[[], None] = lambda: None) -> Plan[Any]:
        """Run one statement, then something else."""
        yield [Sql(sql, values)]
        then()
        return values

    def say(self, what: str, then: Callable[[], None] = lambda: None) -> Callable[[], Plan[Any]]:
        """Return what makes a plan that writes a row."""
        return lambda: self.plan("INSERT INTO said VALUES (?)", what, then=then)

    def said(self) -> list[str]:
        """Return the rows, as another connection sees them."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [what for (what,) in connection.execute("SELECT what FROM said ORDER BY what")]

    def at_once(self, *makers: Callable[[], Plan[Any]]) -> list[Any]:
        """Let all of them come while somebody writes, and return what each was answered with, or what it was told."""
        self.writer._waiting = queue = Heard(len(makers) + 1)
        begun = Event()
        answers: list[Any] = [None] * len(makers)

        def first() -> None:
            begun.set()
            assert queue.come.wait(_SECONDS)

        def come(number: int, make: Callable[[], Plan[Any]]) -> None:
            try:
                answers[number] = self.writer.write(make)
            except Exception as error:  # noqa: BLE001  # it is looked at below
                answers[number] = error

        leader = Thread(target=self.writer.write, args=(self.say("first", first),))
        leader.start()
        assert begun.wait(_SECONDS)
        self.database.transactions = 0
        others = [Thread(target=come, args=each) for each in enumerate(makers)]
        for each in (*others, leader):
            if each is not leader:
                each.start()
        for each in (*others, leader):
            each.join(_SECONDS)
        assert not any(each.is_alive() for each in (*others, leader))
        return answers


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Return a writer to a new file."""
    room = Room(tmp_path / "room.db")
    yield room
    room.log.close()


def refuse() -> None:
    """Object to what was just written."""
    raise ValueError("not that")


def test_those_who_wait_share_one_commit(room: Room):
    """Four writers who come while a fifth commits are stored in one transaction, and each is answered with what is theirs."""
    assert room.at_once(*(room.say(what) for what in "abcd")) == [("a",), ("b",), ("c",), ("d",)]
    assert room.database.transactions == 1
    assert room.said() == ["a", "b", "c", "d", "first"]


def test_who_is_refused_leaves_no_trace(room: Room):
    """What one of several wrote before it was refused is taken back, its writer is told, and the others are stored."""
    first, refused, last = room.at_once(room.say("a"), room.say("b", refuse), room.say("c"))
    assert (first, last) == (("a",), ("c",))
    assert isinstance(refused, ValueError)
    assert str(refused) == "not that"
    assert room.said() == ["a", "c", "first"]


def test_a_failure_of_the_database_is_everybodys(room: Room):
    """Where the database itself fails, nothing of the whole transaction is stored, and each writer is told."""
    answers = room.at_once(room.say("a"), lambda: room.plan("INSERT INTO nothing VALUES (1)"), room.say("c"))
    assert all(isinstance(answer, StoreError) for answer in answers), answers
    assert room.said() == ["first"]


def test_who_is_alone_is_told_what_was_wrong(room: Room):
    """A single writer whose plan raises gets that error, and nothing of it is stored."""
    with pytest.raises(ValueError, match="not that"):
        room.writer.write(room.say("a", refuse))
    assert room.said() == []


def test_what_was_interrupted_is_not_done_by_the_next(room: Room):
    """The plan of a writer who was interrupted amid it is left out by whoever comes next."""
    runs: list[str] = []

    def interrupted() -> None:
        runs.append("interrupted")
        if len(runs) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        room.writer.write(room.say("a", interrupted))
    room.writer.write(room.say("b"))
    assert runs == ["interrupted"]
    assert room.said() == ["b"]
