"""
One SQLite file and the connections to it; what the rows mean is `threadstore.log.sqlite`'s affair.

**Connections.** There is one for writing, guarded by a lock, and as many for reading as are in use at once; idle ones are kept
for the next reader. A database in memory has the one, which readers take as writers do. A writer begins IMMEDIATE: a
transaction that starts by reading and wants to write later fails at once if another writer was faster, whatever the busy timeout
says. Readers are told apart from writers by WAL: neither waits for the other.

**Erasure.** `secure_delete` zeroes what is deleted from the main file, but the WAL keeps every page as it once was until it is
written over. So after an erasure the WAL is checkpointed and cut to nothing. A reader of another process can prevent that for a
while, and the process may be killed in between. So erasures are numbered, each process knows up to which number it has seen the
WAL cut, and each later write of any of them, opening, closing, and repeating the erasure try again.

**Forks.** In a forked child, SQLite believes that it holds its parent's locks (sqlite.org/howtocorrupt.html, section 2.6). A
child that opens the file anew, or only closes what it has inherited, can then be the end of a WAL that others need; both were
seen to lose acknowledged events. So no connection is inherited: a fork waits until none is in use, and all are closed meanwhile.
The parent opens them again when it needs them, and the child is refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from types import TracebackType
from typing import Final
from weakref import WeakSet, ref

from threadstore.errors import CorruptRecord, StoreClosed, StoreFull, StoreUnavailable, ThreadStoreError
from threadstore.log import _schema as schema
from threadstore.log._checkpoints import Checkpoints

__all__ = ["MEMORY", "Apart", "Database", "Transaction"]

#: The path of a database in memory.
MEMORY: Final = ":memory:"
_MAX_IDLE: Final = 8
_STATEMENTS: Final = 512
#: How long an erasure waits for readers to leave the WAL, in milliseconds, before it is left to the next write.
_SCRUB_WAIT: Final = 200
_PATIENCE: Final = 100
#: How often a fork looks whether somebody who was interrupted has dropped a connection, in seconds.
_LOOK: Final = 0.05
_OLDEST: Final = (3, 37, 0)  # the first with STRICT tables

_WRITING: Final = (
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",  # no temporary file ever holds a text
    "PRAGMA fullfsync = ON",  # macOS: fsync alone does not reach the disk there
    "PRAGMA journal_size_limit = 67108864",  # a bulk import leaves no giant WAL behind
    "PRAGMA wal_autocheckpoint = 0",  # `_checkpoints` sees to it
)


class Transaction:
    """
    A transaction of the writing connection.

    An interrupted caller (a signal handler may raise between any two steps) does not know whether it was committed: `committed`
    tells.
    """

    __slots__ = ("begun", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.begun = False

    @property
    def committed(self) -> bool:
        """Whether it was committed."""
        return self.begun and not self.connection.in_transaction


class _Lease:
    """
    A connection for reading that is in use.

    Whoever is interrupted before it gives it back drops it, so what is in use is known by weak references.
    """

    __slots__ = ("__weakref__", "connection")

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None


class Apart:
    """
    A connection that one reader has for itself, with temporary tables that stay from one use to the next.

    It is closed with its database and for a fork, and is another one, without the tables, when it is used again (`connection`).
    """

    __slots__ = ("__weakref__", "connection", "lease")

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.lease: ref[_Lease] | None = None

    @property
    def is_lent(self) -> bool:
        """Whether somebody is using it."""
        return self.lease is not None and self.lease() is not None

    def close(self) -> None:
        """Close the connection; nobody may be using it. Takes no lock, so that garbage may be collected at any moment."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


class Database:
    """
    The connections to one file, which is made a store if it is empty.

    Args:
        path: The file.
        synchronous: SQLite's word for how durable a commit is.
        timeout: How long to wait for the locks of other processes, in milliseconds.
        factory: The class of the connections.

    Raises:
        StoreUnavailable, UnsupportedSchema: The file cannot be opened, or is no store of ours; it was not changed.
    """

    def __init__(
        self, path: str, *, synchronous: str, timeout: int, factory: type[sqlite3.Connection] = sqlite3.Connection
    ) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreUnavailable(path, f"this Python has SQLite {sqlite3.sqlite_version}, and 3.37 or newer is needed")
        self.target = path
        self.scrub_wait: int | None = 0
        """None while the WAL holds nothing erased; else how long the next attempt to cut it waits for readers."""
        self._erased = self._scrubbed = 0  # the last erasure: that is known of, and that was there when the WAL was cut
        self._path = os.path.abspath(path)  # whatever directory the process changes to
        self._uri = Path(self._path).as_uri()
        self._synchronous = synchronous
        self._timeout = timeout
        self._factory = factory
        self._process = os.getpid()
        self._writing = Lock()
        self._pooling = Lock()
        self._returned = Condition(self._pooling)
        self._lent: WeakSet[_Lease] = WeakSet()
        self._idle: list[sqlite3.Connection] = []
        self._apart: WeakSet[Apart] = WeakSet()
        self._closed = True
        self._is_forking = self._is_resting = self._is_hurried = False
        self.in_memory = path == MEMORY
        with self._writing, _Translated(self.target):
            with _forking:
                _open.add(self)
            if not self.in_memory and os.path.exists(path):
                self._inspect()
            self._writer = self._connect("mode=rwc")
            try:
                self._establish()
            except BaseException:
                self._writer.close()
                raise
            self._file = _identity(self._path)
            self._checkpoints = Checkpoints(self._path, partial(self._connect, "mode=rw"), self._writing)
            self._closed = False

    # --- opening --------------------------------------------------------------------------------------------------------------

    def _connect(self, how: str) -> sqlite3.Connection:
        return sqlite3.connect(
            MEMORY if self.in_memory else f"{self._uri}?{how}",
            uri=not self.in_memory,
            cached_statements=_STATEMENTS,
            timeout=self._timeout / 1_000,
            isolation_level=None,  # transactions are begun in words
            check_same_thread=False,  # each connection is used by one thread at a time
            factory=self._factory,
        )

    def _inspect(self) -> None:
        """
        Refuse another program's file, and one that may only be read, before anything can change it or make files beside it.

        SQLite would open the latter, and leave a WAL and shared memory beside it that belong to whoever tried, not to its owner.

        An immutable connection takes no lock, makes no file beside it and replays no journal; a plain read of the header would
        be worse, since closing any descriptor of the file drops the locks that this process holds on it (howtocorrupt.html,
        section 2.2). It may meet a file that is just being made, so what it cannot read is left to the next look, with a lock.
        """
        with suppress(sqlite3.Error, UnicodeDecodeError), closing(self._connect("mode=ro&immutable=1")) as connection:
            schema.is_store(connection, self.target)
            if not os.access(self._path, os.W_OK):
                raise StoreUnavailable(self.target, _READ_ONLY)

    def _establish(self) -> None:
        """Make the file a store, unless it is one, before WAL hides its header from `_inspect`."""
        writer = self._writer
        writer.execute(f"PRAGMA page_size = {schema.PAGE_SIZE}")
        writer.execute("PRAGMA secure_delete = ON")
        writer.execute("BEGIN IMMEDIATE")
        if not schema.is_store(writer, self.target):
            schema.create(writer)
        writer.execute("DELETE FROM erasures WHERE false")  # fails if the file is read-only, which BEGIN IMMEDIATE overlooks
        self._erased = schema.last_erasure(writer)
        writer.execute("COMMIT")
        if self.in_memory:
            self.scrub_wait = None
            return
        if self._journal_mode() != "wal":
            raise StoreUnavailable(self.target, "its file system does not offer the shared memory that WAL needs")
        self._prepare()
        self._scrub()

    def _prepare(self) -> None:
        for pragma in (*_WRITING, f"PRAGMA synchronous = {self._synchronous}"):
            self._writer.execute(pragma)

    def _journal_mode(self) -> str:
        """
        Switch to WAL and return the mode that the file is in.

        SQLite takes this lock by upgrading a read lock, so it does not wait for others that are just opening the file, but
        refuses at once. Beginning a transaction waits for them.
        """
        for _ in range(_PATIENCE):
            with suppress(sqlite3.OperationalError):
                return str(self._writer.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.execute("COMMIT")
        return str(self._writer.execute("PRAGMA journal_mode = WAL").fetchone()[0])

    # --- using ----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for reading. Each statement sees one state; a transaction makes it one for several."""
        self.check_open()
        if self.in_memory:
            with self._writing, _Translated(self.target):
                self.check_open()
                yield self._writer
            return
        with _Translated(self.target):
            lease = _Lease()
            try:
                yield self._take(lease)
            finally:
                self._give(lease)

    def _lend(self, lease: _Lease) -> None:
        """Count a connection among those in use, once no fork is under way; the pool is locked."""
        while self._is_forking:
            self._returned.wait()
        self._lent.add(lease)

    def _take(self, lease: _Lease) -> sqlite3.Connection:
        with self._pooling:
            self._lend(lease)
            if self._idle:
                lease.connection = self._idle.pop()
                return lease.connection
        self._check_in_place()
        connection = self._connect("mode=rw")
        connection.execute("PRAGMA query_only = ON")
        lease.connection = connection
        return connection

    def _give(self, lease: _Lease) -> None:
        with self._pooling:
            connection, lease.connection = lease.connection, None
            if connection is not None:
                if self._closed or connection.in_transaction or len(self._idle) >= _MAX_IDLE:
                    connection.close()
                else:
                    self._idle.append(connection)
            self._lent.discard(lease)
            self._returned.notify_all()

    @contextmanager
    def apart(self, own: Apart) -> Iterator[sqlite3.Connection]:
        """Give a reader its own connection. It is for the reader to see to it that only one thread uses it at a time."""
        self.check_open()
        with _Translated(self.target):
            lease = _Lease()
            try:
                with self._pooling:
                    self._lend(lease)
                    own.lease = ref(lease)
                    self._apart.add(own)
                if own.connection is None:
                    self._check_in_place()
                    own.connection = self._connect("mode=rw")
                    own.connection.execute("PRAGMA temp_store = FILE")
                yield own.connection
            finally:
                with self._pooling:
                    own.lease = None
                    if self._closed:
                        own.close()
                    self._lent.discard(lease)
                    self._returned.notify_all()

    def is_free(self) -> bool:
        """Return whether nobody writes at this moment, here or in another process, so that a writer need not wait."""
        self.check_open()
        if self.in_memory or self._writing.locked():
            return not self._writing.locked()
        with self.reading() as connection:
            connection.execute("PRAGMA query_only = OFF")
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.Error:
                return False
            finally:
                connection.execute(f"PRAGMA busy_timeout = {self._timeout}")
                connection.execute("PRAGMA query_only = ON")
        return True

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection, in a transaction that is committed at the end and rolled back on any error."""
        with self.transaction() as transaction:
            yield transaction.connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction, which is committed at the end and rolled back on any error, and which tells which it was."""
        self.check_open()
        with self._writing, _Translated(self.target):
            self.check_open()
            self._wake()
            self._settle()
            transaction = Transaction(self._writer)
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                self._check_in_place()
                transaction.begun = True
                yield transaction
                self._writer.execute("COMMIT")
            except sqlite3.Error:
                transaction.begun = False
                self._roll_back()
                raise
            except BaseException:
                if self._writer.in_transaction:
                    transaction.begun = False
                    self._roll_back()
                raise
            self._scrub()
            if not self.in_memory:
                self._checkpoints.note()

    def _settle(self) -> None:
        """End what somebody had begun who was interrupted while it was to be undone."""
        if self._writer.in_transaction:
            self._roll_back()
        if self._is_hurried:
            self._writer.execute(f"PRAGMA busy_timeout = {self._timeout}")
            self._is_hurried = False

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        self._erased = self._scrubbed  # the number may be given again

    def note_erasure(self, last: int, *, is_urgent: bool = False) -> None:
        """
        Note in a transaction which erasure is the *last* in the file: unless the WAL was cut since, it is cut afterwards.

        If that *is_urgent*, since the caller waits for that erasure, it waits a little for readers.
        """
        if last > self._scrubbed and not self.in_memory:
            self._erased = last
            self.scrub_wait = _SCRUB_WAIT if is_urgent else self.scrub_wait or 0

    def _scrub(self) -> None:
        """Cut the WAL, if it may hold what was erased and no reader is in the way."""
        if self.scrub_wait is None:
            return
        wait, self.scrub_wait = self.scrub_wait, 0
        self._is_hurried = True
        self._writer.execute(f"PRAGMA busy_timeout = {wait}")
        try:
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._settle()
        if not busy:
            self.scrub_wait, self._scrubbed = None, self._erased

    def backup(self, path: str) -> None:
        """
        Write a copy to a new file, as of one moment, while others write.

        Raises:
            StoreUnavailable: There is a file already, or it cannot be made.
            StoreFull: No room for it; what was written is removed.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise StoreUnavailable(path, f"the backup cannot be made there ({error.strerror})") from error
        try:
            with self.reading() as source, _Translated(path), closing(sqlite3.connect(path)) as copy:
                source.backup(copy)  # in one step, so that no writer makes it start anew
        except BaseException:
            os.unlink(path)
            raise

    # --- closing --------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """
        Close all connections; one that is lent is closed when it is given back. After a fork only the opener closes any.

        If it was interrupted, closing again ends it.
        """
        if self.is_inherited:
            self._closed = True
            return
        with self._writing:
            with self._pooling:
                self._closed = True
                idle, self._idle = self._idle, []
                for own in self._apart:
                    if not own.is_lent:
                        own.close()
            for connection in idle:
                connection.close()
            self._checkpoints.close()
            with _Translated(self.target), suppress(sqlite3.ProgrammingError):  # closed already
                try:
                    if self.scrub_wait is not None:
                        self._wake()
                        self._settle()
                        self.scrub_wait = _SCRUB_WAIT
                    self._scrub()
                finally:
                    self._writer.close()

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that opened it: a lock may be held by a thread that is not here."""
        return self._process != os.getpid()

    def check_open(self) -> None:
        """Raise `StoreClosed` after `close`, and `StoreUnavailable` after a fork."""
        if self._closed:
            raise StoreClosed(self.target)
        if self.is_inherited:
            raise StoreUnavailable(self.target, "it was opened before the process forked; open it anew in each process")

    def _check_in_place(self) -> None:
        """Raise `StoreUnavailable` if the path leads to another file now, or to none: nobody would find what is written."""
        if not self.in_memory and _identity(self._path) != self._file:
            raise StoreUnavailable(self.target, "its file was deleted, moved or replaced while it was open; open it anew")

    # --- forking --------------------------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Wait until no connection is in use, close all, and let none be used until `resume`."""
        self._writing.acquire()
        self._pooling.acquire()
        self._is_forking = True
        while self._lent:
            self._returned.wait(_LOOK)
        if self._closed:
            return
        if self.in_memory:
            return
        self._is_resting = True
        self._checkpoints.rest()
        with suppress(sqlite3.Error):
            while self._idle:
                self._idle.pop().close()
            for own in self._apart:
                own.close()
            self._writer.close()

    def resume(self) -> None:
        """Let connections be used again, after `rest`."""
        self._is_forking = False
        if self._is_resting and not self._closed:  # what was closed since an earlier fork has not rested for this one
            self._checkpoints.resume()
        self._returned.notify_all()
        self._pooling.release()
        self._writing.release()

    def _wake(self) -> None:
        """Open the writing connection again, if it was closed for a fork."""
        if self._is_resting:
            self._writer = self._connect("mode=rw")
            self._prepare()
            self._is_resting = False


def _identity(path: str) -> tuple[int, int] | None:
    """Name the file that is at *path* at this moment, if there is one."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


#: All databases of this process; a fork that has begun lets none be added, and works through a list of its own.
_open: Final[WeakSet[Database]] = WeakSet()
_forking: Final = Lock()
_resting: Final[list[Database]] = []


def _before_fork() -> None:
    _forking.acquire()
    _resting.extend(_open)
    for database in _resting:
        database.rest()


def _after_fork() -> None:
    while _resting:
        _resting.pop().resume()
    _forking.release()


def _in_child() -> None:
    """Begin with nothing open; the locks of what was inherited stay as they are, and nobody asks for them."""
    _resting.clear()
    _open.clear()
    if _forking.locked():  # unless the process was forked by other means than Python's, which tell only the child
        _forking.release()


# Windows does not fork.
getattr(os, "register_at_fork", dict)(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)


class _Translated:
    """Raises SQLite's errors as the library's; a class, since each read and each write enters it."""

    __slots__ = ("_target",)

    def __init__(self, target: str) -> None:
        self._target = target

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):  # the latter if SQLite quotes bytes that are no text
            raise _translation(self._target, error) from error


_READ_ONLY: Final = "the file or its directory is read-only"
_BUSY: Final = "another program has kept it locked for longer than the timeout"
_WHY: Final = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database",
}
_NO_FILE: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CONSTRAINT}


def _translation(target: str, error: sqlite3.Error | UnicodeDecodeError) -> ThreadStoreError:
    """Return the library's error for SQLite's, by its primary result code (sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module itself, which found a text that is no UTF-8
        return CorruptRecord(None, str(error))
    code &= 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(target)
    if code in _DAMAGED:
        return CorruptRecord(None, f"the tables of {target!r} are damaged ({error})")
    why = _why_no_file(target) if code in _NO_FILE else _WHY.get(code)
    return StoreUnavailable(target, f"{why} ({error})" if why else str(error))


def _why_no_file(target: str) -> str:
    """Say what SQLite means by "unable to open database file" and "disk I/O error"."""
    if os.path.isdir(target):
        return "it is a directory"
    if not os.path.isdir(os.path.dirname(os.path.abspath(target))):
        return "its directory does not exist"
    return "the device failed, a quota is used up, or this process may not open the file or write to its directory"
