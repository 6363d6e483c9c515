"""Writers share commits: one of them leads, and each is told what came of its own plan."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from threadstore import StoreClosed, StoreFull, StoreUnavailable
from threadstore.log.sqlite import SqliteLog
from threadstore.plans import Plan, Sql
from threadstore.store.writer import Writer, _Batch, _Job


class World:
    """A database with a table of numbers, and a writer to it."""

    def __init__(self, path: Path) -> None:
        self.log = SqliteLog.open(path, durability="off")
        self.database = self.log.database
        self.writer = Writer(self.database)
        self.commits = 0
        with self.database.writing() as connection:
            connection.execute("CREATE TABLE numbers (n INTEGER UNIQUE)")
        self.database._writer.set_trace_callback(self._note)

    def _note(self, statement: str) -> None:
        self.commits += statement == "COMMIT"

    @property
    def numbers(self) -> list[int]:
        """What was committed."""
        with self.database.reading() as connection:
            return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]

    @contextmanager
    def together(self, plans: list[Callable[[], Plan[Any]]]) -> Iterator[list[Future[Any]]]:
        """Let several Python threads ask for a plan each while somebody leads, so that all of them wait."""
        with ThreadPoolExecutor(len(plans)) as pool:
            with self.writer._lock:
                asked = []
                for number, plan in enumerate(plans, 1):  # one after the other, so that they wait in this order
                    asked.append(pool.submit(self.writer.write, plan))
                    while len(self.writer._waiting) < number:
                        time.sleep(0)
            yield asked


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "comments.db")
    yield world
    world.log.close()


def adds(number: int) -> Callable[[], Plan[int]]:
    """Return what makes a plan that adds a number."""

    def plan() -> Plan[int]:
        yield [Sql("INSERT INTO numbers VALUES (?)", (number,))]
        return number

    return plan


def fails(number: int, error: BaseException) -> Callable[[], Plan[int]]:
    """Return what makes a plan that adds a number and then fails."""

    def plan() -> Plan[int]:
        yield [Sql("INSERT INTO numbers VALUES (?)", (number,))]
        raise error

    return plan


def test_a_plan_is_run_and_committed(world: World):
    """Whoever is alone is told the result of its plan when that is stored."""
    assert world.writer.write(adds(1)) == 1
    assert (world.numbers, world.commits) == ([1], 1)


def test_what_a_plan_raises_reaches_its_caller_and_stores_nothing(world: World):
    """A plan that is refused leaves no trace, and the next one goes well."""
    with pytest.raises(LookupError, match="no such comment"):
        world.writer.write(fails(1, LookupError("no such comment")))
    assert world.writer.write(adds(2)) == 2
    assert world.numbers == [2]


def test_several_share_one_commit(world: World):
    """Those who wait for a leader are stored together with it, in one transaction."""
    with world.together([adds(number) for number in range(8)]) as asked:
        assert sorted(future.result(60) for future in asked) == list(range(8))
    assert world.numbers == list(range(8))
    assert world.commits == 1
    assert not world.writer._waiting


def test_one_that_is_refused_troubles_no_other(world: World):
    """In a shared transaction a plan that fails is undone by itself, and only its caller is told."""
    with world.together([adds(1), fails(2, LookupError("no")), adds(3)]) as asked:
        assert asked[0].result(60) == 1
        with pytest.raises(LookupError, match="no"):
            asked[1].result(60)
        assert asked[2].result(60) == 3
    assert world.numbers == [1, 3]


def test_a_failing_database_tells_all(world: World):
    """Where the database itself fails, nothing of the transaction is stored, and each caller has an error of its own."""
    broken = sqlite3.OperationalError("the disk is full")
    broken.sqlite_errorcode = sqlite3.SQLITE_FULL
    with world.together([adds(1), fails(2, broken), adds(3)]) as asked:
        errors = [future.exception(60) for future in asked]
    assert [type(error) for error in errors] == [StoreFull] * 3
    assert len(set(map(id, errors))) == 3
    assert world.numbers == []
    assert world.writer.write(adds(4)) == 4


def test_a_commit_that_fails_tells_all(world: World):
    """What is refused at the commit was stored for nobody."""
    world.database._writer.execute("PRAGMA query_only = ON")
    with world.together([adds(1), adds(2)]) as asked:
        assert [type(future.exception(60)) for future in asked] == [StoreUnavailable] * 2
    world.database._writer.execute("PRAGMA query_only = OFF")
    assert world.numbers == []


def test_an_interrupted_leader_leaves_the_others_in_the_queue(world: World):
    """Who leads and is interrupted before the commit has stored nothing; the next one leads, for all that are left."""
    interrupted: list[bool] = []

    def once() -> Plan[int]:
        yield [Sql("INSERT INTO numbers VALUES (1)")]
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return 1

    with world.together([once, adds(2), adds(3)]) as asked:
        results = [future.exception(60) or future.result() for future in asked]
    told = [result for result in results if not isinstance(result, KeyboardInterrupt)]
    assert len(told) == 2
    assert world.numbers == sorted(told)
    assert not world.writer._waiting


def test_an_interrupt_behind_the_commit_takes_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch):
    """Who is interrupted after the commit may not know; the others are told that theirs is stored, and it is stored once."""
    scrub = world.database._scrub

    def interrupted() -> None:
        monkeypatch.setattr(world.database, "_scrub", scrub)
        raise KeyboardInterrupt

    monkeypatch.setattr(world.database, "_scrub", interrupted)
    with world.together([adds(1), adds(2), adds(3)]) as asked:
        results = [future.exception(60) or future.result() for future in asked]
    assert sum(isinstance(result, KeyboardInterrupt) for result in results) == 1
    assert world.numbers == [1, 2, 3]
    assert world.commits == 1


def test_who_is_interrupted_while_waiting_is_not_served(world: World, monkeypatch: pytest.MonkeyPatch):
    """A request whose caller is gone is withdrawn: the leader passes it over."""

    def interrupted(job: Any) -> bool:
        raise KeyboardInterrupt

    with world.writer._lock:
        monkeypatch.setattr(world.writer, "_waited", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.writer.write(adds(1))
        monkeypatch.undo()
    assert [job.withdrawn for job in world.writer._waiting] == [True]
    assert world.writer.write(adds(2)) == 2
    assert world.numbers == [2]
    assert not world.writer._waiting


def test_nobody_waits_for_a_leader_that_is_gone(world: World, monkeypatch: pytest.MonkeyPatch):
    """Whoever is not woken looks by itself after a while, and leads if nobody does."""
    monkeypatch.setattr("threadstore.store.writer._PATIENCE", 0.001)
    monkeypatch.setattr(world.writer, "_wake_next", lambda: None)
    with world.together([adds(1), adds(2)]) as asked:
        assert sorted(future.result(60) for future in asked) == [1, 2]


def test_who_is_done_does_not_wait(world: World):
    """A job that was committed before its caller began to wait is over at once."""
    job = _Job(adds(1), erases=False)
    job.batch = _Batch()
    job.batch.done = True
    assert not world.writer._waited(job)


def test_an_erasure_is_noted_in_its_transaction(world: World):
    """A plan that takes words out of the log has the WAL cut; one that failed has not."""

    def erases() -> Plan[None]:
        yield [Sql("INSERT INTO erasures (thread, comment, shown, crc) VALUES ('a', 'b', 1, x'00')")]

    with pytest.raises(LookupError):
        world.writer.write(fails(1, LookupError()), erases=True)
    assert world.database._scrubbed == 0
    world.writer.write(erases, erases=True)
    assert world.database._scrubbed == 1


def test_a_closed_database_takes_nothing(world: World):
    """Every caller is told that it is closed."""
    world.log.close()
    with pytest.raises(StoreClosed):
        world.writer.write(adds(1))
    assert not world.writer._waiting


def test_many_lose_nothing(world: World):
    """Of many that write at once each is stored once, whoever leads."""
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda number: world.writer.write(adds(number)), range(400))) == list(range(400))
    assert world.numbers == list(range(400))
