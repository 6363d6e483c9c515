"""
Group commit: several writers, one transaction.

A commit to disk costs the same for one command as for twenty. So commands are queued, and whoever
has the lock is the leader: it runs every plan that waits in one transaction, a savepoint each, so a
rejected one leaves no trace and troubles no other. Whoever finds a leader waits to be woken, done
or as the next leader; waiting on the lock itself shares half as well and starves (measured). A
writer that is alone pays for none of this.

An exception may come at any point, a KeyboardInterrupt too. What decides whether a batch is done is
whether its transaction was committed, which the database tells (`Transaction.committed`), and one
assignment says so to all of the batch. A leader that is interrupted before leaves the others in the
queue, and the next of them leads.

Laws: a plan is run to its end once, or not at all, and its caller is told which, unless it was
interrupted itself; nobody waits for a leader that is gone.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from copy import copy
from threading import Event, Lock
from typing import Any, Final, TypeVar, cast

from threadstore.log._connections import Database
from threadstore.log._schema import last_erasure
from threadstore.log.sqlite import execute
from threadstore.plans import Plan

__all__ = ["Writer"]

T = TypeVar("T")

#: How long somebody waits at most before looking whether there still is a leader, in seconds.
_PATIENCE: Final = 0.05
#: How long a leader in company waits for others at once, in seconds, and how often in vain.
_TURN: Final = 0.00002
_TURNS: Final = 3


class _Batch:
    """What is committed together."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False


class _Job:
    """A plan that waits, and what came of it."""

    __slots__ = ("answer", "batch", "erases", "error", "make", "withdrawn", "woken")

    def __init__(self, make: Callable[[], Plan[Any]], erases: bool) -> None:
        self.make = make
        self.erases = erases
        self.answer: Any = None
        self.error: Exception | None = None
        self.batch: _Batch | None = None
        self.withdrawn = False
        self.woken: Event | None = None

    @property
    def done(self) -> bool:
        """Whether the batch that it was in was committed, or refused."""
        return self.batch is not None and self.batch.done


class Writer:
    """
    The commits of one database.

    Args:
        database: Where they go.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._waiting: deque[_Job] = deque()
        #: How many the last commit was for, and how long it took, in seconds.
        self._shared, self._took = 0, 0.0

    def write(self, make: Callable[[], Plan[T]], *, erases: bool = False) -> T:
        """
        Return the result of a plan that was run in a transaction, which is committed.

        Args:
            make: Makes the plan; called again if a leader was interrupted amid it.
            erases: Whether it takes words out of the log, so that the WAL has to be cut afterwards.

        Raises:
            StoreError: The database failed; nothing of the plan was stored, unless it failed while it said so.
            Exception: What the plan raised; nothing of it was stored.
        """
        self._database.check_open()  # in a forked child the leader may be a thread that is not here
        job = _Job(make, erases)
        self._waiting.append(job)
        try:
            while not job.done:
                if self._lock.locked() and not self._waited(job):
                    continue
                with self._lock:
                    if not job.done:
                        self._lead()
                self._wake_next()
        except BaseException:
            job.withdrawn = True
            self._wake_next()
            raise
        if job.error is not None:
            raise _own(job.error)
        return cast(T, job.answer)

    def _waited(self, job: _Job) -> bool:
        """Wait to be woken, and return whether the job is to lead now."""
        if job.woken is None:
            job.woken = Event()
        if not job.done:
            job.woken.wait(_PATIENCE)
            job.woken.clear()
        return not job.done and (list(self._waiting)[:1] == [job] or not self._lock.locked())

    def _wake_next(self) -> None:
        for job in list(self._waiting)[:1]:
            if job.woken is not None:
                job.woken.set()

    def _lead(self) -> None:
        """Run and commit all that waits; the lock is held."""
        self._admit()
        batch = _Batch()
        jobs = [job for job in list(self._waiting) if not (job.withdrawn or job.done)]
        for job in jobs:
            job.batch, job.error = batch, None
        self._shared, begun = len(jobs), time.perf_counter()
        try:
            self._commit(jobs, batch)
        finally:
            self._took = time.perf_counter() - begun
            while self._waiting and (self._waiting[0].done or self._waiting[0].withdrawn):
                self._waiting.popleft()
            for job in jobs:
                if job.woken is not None:
                    job.woken.set()

    def _admit(self) -> None:
        """
        Let those come first who are about to: when the last commit was shared, its writers mostly have the next command at hand.

        Without it the first of them would go alone, and the others be kept waiting for that. They are waited for no longer than
        that commit took.
        """
        if self._shared > 1:
            until = time.perf_counter() + self._took
            known, turns = 0, 0
            while turns < _TURNS and time.perf_counter() < until:
                known, turns = len(self._waiting), turns + 1 if len(self._waiting) == known else 0
                time.sleep(_TURN)  # it is other threads' turn

    def _commit(self, jobs: list[_Job], batch: _Batch) -> None:
        transaction = None
        try:
            with self._database.transaction() as transaction:
                connection = transaction.connection
                if len(jobs) == 1:
                    jobs[0].answer = execute(connection, jobs[0].make())
                else:
                    for job in jobs:
                        self._run(connection, job)
                is_urgent = any(job.erases and job.error is None for job in jobs)
                self._database.note_erasure(last_erasure(connection), is_urgent=is_urgent)
            batch.done = True
        except Exception as error:  # noqa: BLE001  # each of them is told
            for job in jobs:
                job.error = job.error or error
            batch.done = True
        except BaseException:
            batch.done = transaction is not None and transaction.committed
            raise

    @staticmethod
    def _run(connection: sqlite3.Connection, job: _Job) -> None:
        """Run a plan behind a savepoint, so that what it raises concerns nobody else."""
        connection.execute("SAVEPOINT command")
        try:
            job.answer, job.error = execute(connection, job.make()), None
        except sqlite3.Error:  # the database's, of all of them
            raise
        except Exception as error:  # noqa: BLE001  # its caller is told
            job.error = error
            connection.execute("ROLLBACK TO command")
        connection.execute("RELEASE command")


def _own(error: Exception) -> Exception:
    """Return an error to raise in one thread, where others may raise the same."""
    fresh = copy(error)
    fresh.__cause__, fresh.__traceback__ = error.__cause__, error.__traceback__
    return fresh
