"""
The past of a thread: what had happened by a moment, or what a log held up to a position.

The tree, reactions, counts, pins and locks are of then; texts and what conceals them are today's.
A small past is folded in memory, a large one into temporary tables (`threadstore.readmodel.past`):
when it is first asked, and again when today's thread has changed since.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final, Protocol, TypeVar
from weakref import finalize

from threadstore.log._connections import Apart
from threadstore.log.protocol import readable
from threadstore.log.sqlite import SqliteLog, execute
from threadstore.model.policy import Policy
from threadstore.plans import Plan, run
from threadstore.readmodel.past import Belongs, PastSource, Then, folded, still_holds, written
from threadstore.readmodel.queries import Unfit
from threadstore.readmodel.rows import ThreadRow
from threadstore.readmodel.source import fit_row
from threadstore.views.source import Source
from threadstore.views.thread import Thread

__all__ = ["LARGE", "Belongs", "Past", "past_of"]

#: The past of a thread with more events than this is kept in tables: objects take some kilobytes each.
LARGE: Final = 10_000
#: How often rows that cannot be used are made anew for one question.
_TRIES: Final = 3

T = TypeVar("T")


class _Owner(Protocol):
    policy: Policy

    @property
    def log(self) -> SqliteLog: ...

    def fold(self, key: str) -> tuple[Thread, int, int]: ...

    def mended(self, key: str) -> bool: ...


class Past(Protocol):
    """A thread as of then."""

    def ask(self, plan: Callable[[Source], Plan[T]]) -> T:
        """Return what a plan answers."""
        ...


def past_of(store: _Owner, key: str, belongs: Belongs) -> Past:
    """
    Return a thread as of then.

    Args:
        store: Where it is.
        key: Its key.
        belongs: Tells whether an event had happened, or was known, by then.
    """
    size = store.log.revision(key)
    if size > LARGE and not store.log.database.in_memory:
        return _LargePast(store, key, belongs, size)
    return _SmallPast(store, key, belongs, size)


class _SmallPast(Past):
    """A past that is folded in memory, of the events up to a revision."""

    def __init__(self, store: _Owner, key: str, belongs: Belongs, upto: int) -> None:
        self._store = store
        self._key = key
        self._revision = -1
        self._thread: Any = None
        found = readable(store.log.read(key))
        self._events = [event for record, event in found if record.revision <= upto and belongs(record.position, event)]

    def ask(self, plan: Callable[[Source], Plan[T]]) -> T:
        """Return what a plan answers of a thread. Complexity: O(n) if today's thread has changed since the last question."""
        revision = self._store.log.revision(self._key)
        if self._thread is None or revision != self._revision:
            today, self._revision, self._unreadable = self._store.fold(self._key)
            self._thread = today.past(self._events)
        source = self._thread.source(self._store.policy, revision=self._revision, unreadable=self._unreadable)
        return run(plan(source))


class _LargePast(Past):
    """
    A past in temporary tables, of the events up to a revision.

    The tables go with their connection: when the past is collected, when the store is closed, and for a fork.
    """

    def __init__(self, store: _Owner, key: str, belongs: Belongs, upto: int) -> None:
        self._store = store
        self._key = key
        self._belongs = belongs
        self._upto = upto
        self._using = Lock()
        self._apart = Apart()
        self._made_on: sqlite3.Connection | None = None
        self._then: Then | None = None
        finalize(self, self._apart.close)

    def ask(self, plan: Callable[[Source], Plan[T]]) -> T:
        """
        Return what a plan answers.

        Complexity: O(n log n) for the first question, and if anything but new comments and reactions came since the last one.
        """
        database = self._store.log.database
        for _ in range(_TRIES):
            database.check_open()  # before the lock, which a forked process may have inherited while it was held
            try:
                with self._using, database.apart(self._apart) as connection, _ended(connection):
                    return self._asked(connection, plan)
            except Unfit:
                self._then = None
                if not self._store.mended(self._key):
                    break
        return _SmallPast(self._store, self._key, self._belongs, self._upto).ask(plan)

    def _asked(self, connection: sqlite3.Connection, plan: Callable[[Source], Plan[T]]) -> T:
        connection.execute("BEGIN")
        today, then = self._today(connection), self._then if self._made_on is connection else None
        if then is None or not execute(connection, still_holds(self._key, then, today)):
            connection.execute("ROLLBACK")
            self._then, self._made_on = None, connection
            then = self._then = self._fold(connection, today)  # in no transaction, which would keep the WAL from being cut
            connection.execute("BEGIN")
            today = self._today(connection)
            if not execute(connection, still_holds(self._key, then, today)):  # the thread was faster: fold what stands still
                then = self._fold(connection, today)
        return execute(connection, plan(PastSource(self._key, self._store.policy.rules, then, today)))

    def _today(self, connection: sqlite3.Connection) -> ThreadRow:
        today = execute(connection, fit_row(self._key, self._store.policy.rules))
        assert today is not None, self._key
        return today

    def _fold(self, connection: sqlite3.Connection, today: ThreadRow) -> Then:
        rules = self._store.policy.rules
        builder, then = execute(connection, folded(self._key, rules, today, self._belongs, self._upto))
        connection.execute("SAVEPOINT tables")
        execute(connection, written(builder, then))
        connection.execute("RELEASE tables")
        return then


@contextmanager
def _ended(connection: sqlite3.Connection) -> Iterator[None]:
    """Leave no transaction open; temporary tables that were made in it are as they were before."""
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
