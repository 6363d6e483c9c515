"""
What stores live on: devices that are full, fail or are read-only, files that are locked, vanish, or are something else.

Each is a clear error, nothing that was acknowledged is lost, nothing is half there, the store goes on once the cause is
gone, and a file of another program is left as it is.

A file that is taken away or replaced while a store has it open: writing is refused with the first call after, and
whoever opens the path next gets what is there. What was acknowledged before is where the file went.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

import threadstore
from threadstore import ThreadStore
from threadstore.errors import CorruptRecord, StoreUnavailable, ThreadStoreError, UnsupportedSchema

FoundBy = Callable[..., dict[str, Any]]
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, limits and modes are POSIX's")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def written(path: Path, posts: int = 3) -> list[str]:
    """Make a store with a few comments in it."""
    with threadstore.open(path, durability="off") as store:
        return [store.thread("t").post(body_of(number), by="u-1") for number in range(posts)]


def body_of(number: int) -> str:
    """Return what a comment says; the last of many say so much that a file ends with their pages."""
    return f"comment {number}" + " and so on" * (1_000 if number > 36 else 0)


def ids(store: ThreadStore) -> list[str]:
    return [event.id for event in store.export()]


# --- the device fails ---------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("how", ["full", "failed"])
def test_a_device_may_fail_at_any_step(scale: Any, found_by: FoundBy, swift: Path, how: str):
    """
    Whichever write, truncation, sync, deletion or read fails, for once or for a while, the error says so; tried again,
    the operation happens once, and all that was acknowledged is there, whether the writer goes on or is killed.
    """
    seed = random.randrange(1 << 32) if scale.is_long else 11
    found = found_by("child_failing.py", folder=str(swift), seed=seed, how=how, faults=scale(25, 1_000))
    assert found["complaints"] == [], seed
    told = found["StoreFull" if how == "full" else "StoreUnavailable"]
    assert told > found["faults"] // 2
    scale.figure("faults", found["faults"])
    scale.figure("errors told", told)


# --- no room ------------------------------------------------------------------------------------------------------------------


def own_mounts() -> tuple[str, ...]:
    """Return the command that gives a program mounts of its own, which vanish with it; nothing if that is not allowed here."""
    command = ("unshare", "--mount")
    if shutil.which("unshare") and shutil.which("mount"):
        with TemporaryDirectory() as folder:
            tried = subprocess.run([*command, "mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
            return command if tried.returncode == 0 else ()
    return ()


@posix
@pytest.mark.parametrize(("limit", "error"), [("device", "StoreFull"), ("pages", "StoreFull"), ("size", "StoreUnavailable")])
def test_a_full_device_keeps_what_it_has(found_by: FoundBy, tmp_path: Path, limit: str, error: str):
    """
    Without room, writing is refused, reading goes on, and all that was acknowledged stays; with room again, all goes
    on.

    A limit on the size of files is no full device to SQLite, which calls it a device that fails.
    """
    before = own_mounts() if limit == "device" else ()
    if limit == "device" and not before:
        pytest.skip("this user may not mount a small file system")
    found = found_by("child_full.py", before=before, folder=str(tmp_path), limit=limit)
    assert found["stored"] > 10
    assert found["errors"] == [error]
    full = found["full"]
    assert (full["reading"], full["viewing"], full["verify"], full["erasing"]) == (True, True, True, error)
    assert full["backup is left"] == (full["backup"] == "done")
    if limit == "device":
        assert (full["opening"], full["making another"], full["backup"]) == (error, error, error)
    assert set(found["roomy"].values()) == {True}, found["roomy"]


# --- something else is there --------------------------------------------------------------------------------------------------


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def as_newer(path: Path) -> None:
    written(path)
    foreign(path, "PRAGMA user_version = 99")


def as_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "missing" / "file")


class Place(NamedTuple):
    """What is in the place of the file, the error, and what it says."""

    what: str
    make: Callable[[Path], object]
    error: type[ThreadStoreError]
    says: str


PLACES = (
    Place("a directory", Path.mkdir, StoreUnavailable, "it is a directory"),
    Place("a link to nowhere", as_link_to_nothing, StoreUnavailable, "may not open the file"),
    Place("a word", lambda path: path.write_bytes(b"hi"), StoreUnavailable, "not a SQLite database"),
    Place("a text", lambda path: path.write_text("Dear diary,\n" * 999), StoreUnavailable, "not a SQLite database"),
    Place("zeros", lambda path: path.write_bytes(bytes(10_000)), StoreUnavailable, "not a SQLite database"),
    Place("noise", lambda path: path.write_bytes(random.Random(1).randbytes(10_000)), StoreUnavailable, "not a SQLite database"),
    Place("a header alone", lambda path: path.write_bytes(b"SQLite format 3\0"), StoreUnavailable, "not a SQLite database"),
    Place(
        "another program's database", lambda path: foreign(path, "CREATE TABLE users (name)"), StoreUnavailable, "another program"
    ),
    Place(
        "another program's database in WAL mode",
        lambda path: foreign(path, "PRAGMA journal_mode = WAL", "CREATE TABLE users (name)", "INSERT INTO users VALUES ('Ann')"),
        StoreUnavailable,
        "another program",
    ),
    Place(
        "another program's empty database",
        lambda path: foreign(path, "PRAGMA application_id = 5"),
        StoreUnavailable,
        "another program",
    ),
    Place("tables called like ours", lambda path: foreign(path, "CREATE TABLE events (id)"), StoreUnavailable, "another program"),
    Place("a table of comments", lambda path: foreign(path, "CREATE TABLE comments (id)"), StoreUnavailable, "another program"),
    Place("a newer release's store", as_newer, UnsupportedSchema, "install a newer threadstore"),
)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.what)
def test_what_is_something_else_is_not_touched(tmp_path: Path, place: Place):
    """Opening it says what it is, and not a byte of it or beside it has changed."""
    place.make(tmp_path / "log.db")
    before = content(tmp_path)
    with pytest.raises(place.error, match=place.says):
        threadstore.open(tmp_path / "log.db")
    assert content(tmp_path) == before


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ["PRAGMA journal_mode = WAL", "CREATE TABLE users (name)", "INSERT INTO users VALUES ('Ann')"]:
    connection.execute(statement)
os._exit(0)
"""


def test_what_another_program_had_in_its_wal_is_kept(tmp_path: Path):
    """
    A killed program's tables may be in its WAL alone, and the file look empty: it is refused all the same, and nothing
    of it is lost.

    SQLite may take the occasion to carry over what that program had committed.
    """
    path = tmp_path / "log.db"
    subprocess.run([sys.executable, "-c", KILLED, path], check=True)
    with pytest.raises(StoreUnavailable, match="another program"):
        threadstore.open(path)
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump())[1:-1] == ["CREATE TABLE users (name);", "INSERT INTO \"users\" VALUES('Ann');"]
        assert connection.execute("PRAGMA application_id").fetchone() == (0,)


def test_an_empty_file_becomes_a_store(tmp_path: Path):
    """There is nothing in it to be lost."""
    (tmp_path / "log.db").touch()
    assert len(written(tmp_path / "log.db")) == 3


def test_a_truncated_store_is_noticed(scale: Any, swift: Path):
    """
    However much of a closed file's end is missing, opening it refuses, or `verify` says so unless nothing was lost; the file
    is not made worse. What can still be read is shown, and nothing else; the thread counts what is missing. An export breaks off
    where something is missing; it may end early alone where the log's last events are lost.
    """
    path = swift / "cut.db"
    known = written(swift / "whole.db", posts=40)
    whole = (swift / "whole.db").read_bytes()
    rng = random.Random(3)
    some = {rng.randrange(2, len(whole)) for _ in range(scale(30, 3_000))}  # to SQLite a file of one byte is empty
    last = len(whole) - 4_096  # the last page holds events, so a cut there is one that opens
    some |= {rng.randrange(last, len(whole)) for _ in range(scale(10, 100))}
    sizes = sorted({2, 15, 16, 99, 100, 4_095, *range(4_096, len(whole), 4_096), len(whole) - 1, *some})
    outcomes = Counter[str]()
    for size in sizes:
        path.write_bytes(whole[:size])
        outcomes[outcome(path, known, size)] += 1
        assert path.read_bytes() == whole[:size], size
    assert outcomes.keys() <= {
        "refused", "an export breaks off", "the end is lost", "found, and nothing is lost", "nothing is lost"
    }  # fmt: skip
    assert outcomes["refused"] > 10
    assert outcomes["an export breaks off"] + outcomes["the end is lost"] > 3
    assert outcomes.total() - outcomes["nothing is lost"] > 0.8 * len(sizes)
    scale.figure("sizes", len(sizes))


def outcome(path: Path, known: list[str], size: int) -> str:
    """Open a store that was cut, check what it says, and name what the cut comes to."""
    try:
        store = threadstore.open(path, durability="off")
    except (CorruptRecord, StoreUnavailable) as error:
        said = str(error)
        return "refused" if "malformed" in said or "not a SQLite database" in said else said
    with store:
        damage, view = list(store.verify()), store.thread("t").view(limit=100)
        shown = [comment.id for comment in view.comments]
        assert shown == [id for id in known if id in set(shown)], size
        assert len(shown) + view.unreadable == len(known), size
        assert all(comment.body == body_of(known.index(comment.id)) for comment in view.comments), size
        try:
            exported, missing = ids(store), None
        except CorruptRecord as error:
            missing = error.position or 0
            exported = [event.id for event in islice(store.export(), missing - 1)]
        assert missing in (None, len(exported) + 1), size
        assert exported == known[: len(exported)], size
        if exported == known:
            assert shown == known, size
            return "found, and nothing is lost" if damage else "nothing is lost"
        assert damage, size
        assert view.unreadable, size
        assert missing or shown == exported, size
        return "an export breaks off" if missing else "the end is lost"


# --- locked -------------------------------------------------------------------------------------------------------------------


#: How long a store waits that is not patient, in seconds.
IMPATIENT = 0.02


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_lock_of_another_program_is_told(tmp_path: Path, begin: str):
    """Beyond the timeout, writing and opening are refused; reading goes on, and so does all else when the lock is gone."""
    written(tmp_path / "log.db")
    with threadstore.open(tmp_path / "log.db", timeout=IMPATIENT) as store:
        with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
            other.execute(begin)
            with pytest.raises(StoreUnavailable, match="kept it locked for longer than the timeout"):
                store.thread("t").post("now?", by="u-2")
            with pytest.raises(StoreUnavailable, match="kept it locked for longer than the timeout"):
                threadstore.open(tmp_path / "log.db", timeout=IMPATIENT)
            assert store.thread("t").counts().total == 3
        store.thread("t").post("now!", by="u-2")
        assert store.thread("t").counts().total == 4
        assert list(store.verify()) == []


def test_a_program_that_wants_the_file_for_itself_is_told(tmp_path: Path):
    """A lock that keeps even readers out is an error of reading, too, and passes with it."""
    known = written(tmp_path / "log.db")
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="kept it locked for longer than the timeout"):
            threadstore.open(tmp_path / "log.db", timeout=IMPATIENT)
    with threadstore.open(tmp_path / "log.db") as store:
        assert ids(store) == known


# --- not allowed --------------------------------------------------------------------------------------------------------------

UNPRIVILEGED = """
import os, sys
import threadstore
from threadstore.errors import StoreError

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    store = threadstore.open(sys.argv[1])
    print("opened")
    store.thread("t").post("words", by="u-1")
except StoreError as error:
    print(type(error).__name__, error.why)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that every user may enter, unlike `tmp_path`."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
        os.chmod(name, 0o755)


@posix
@pytest.mark.parametrize(
    ("file", "folder", "says"),
    [
        (0o444, 0o777, "the file or its directory is read-only"),
        (0o000, 0o777, "this process may not open the file"),
        (0o666, 0o555, "the file or its directory is read-only"),
        (None, 0o555, "this process may not open the file or write to its directory"),
    ],
    ids=["read-only file", "unreadable file", "read-only directory", "no file in a read-only directory"],
)
def test_what_may_not_be_written_is_told(shared: Path, file: int | None, folder: int, says: str):
    """
    A store is opened for writing; where that is not allowed, the error says why, nothing has changed, and nothing is left
    behind that belongs to the stranger and keeps the owner out.
    """
    path = shared / "log.db"
    if file is not None:
        written(path)
        path.chmod(file)
    before = content(shared)
    shared.chmod(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, path], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StoreUnavailable ")
    assert says in done.stdout
    assert content(shared) == before


# --- gone ---------------------------------------------------------------------------------------------------------------------


def deleted(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def moved(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(file.parent / f"away-{file.name}")


def replaced(path: Path) -> None:
    written(path.parent / "other.db", posts=1)
    os.replace(path.parent / "other.db", path)


@posix
@pytest.mark.parametrize("lose", [deleted, moved, replaced])
def test_a_file_that_is_gone_takes_no_more(tmp_path: Path, lose: Callable[[Path], None]):
    """What would be written to a file that nobody finds again is refused, and the error says what became of it."""
    path = tmp_path / "log.db"
    known = written(path)
    store = threadstore.open(path)
    assert ids(store) == known
    lose(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="deleted, moved or replaced"):
            store.thread("t").post("too late", by="u-2")
    store.close()
    with threadstore.open(path) as again:
        assert len(ids(again)) == (1 if lose is replaced else 0)
        assert list(again.verify()) == []
    if lose is moved:
        with threadstore.open(tmp_path / "away-log.db") as away:
            assert ids(away) == known


# --- the tests above can fail -------------------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """What is wrong, with the changes that make it so, and what finds it: a test, or `child_failing.py`."""

    says: str
    changes: tuple[str, ...]
    what: str | dict[str, Any]


DATABASE = "log/_connections.py"
TRANSACTION = f"{DATABASE}::Database.transaction"

MUTANTS = (
    Mutant(
        "a batch is no transaction",
        (TRANSACTION, 'self._writer.execute("BEGIN IMMEDIATE")', "pass", TRANSACTION, 'self._writer.execute("COMMIT")', "pass"),
        {"how": "full", "faults": 60},
    ),
    Mutant(
        "a full device is a failing one",
        (f"{DATABASE}::_translation", "if code == sqlite3.SQLITE_FULL:", "if False:"),
        {"how": "full", "faults": 10},
    ),
    Mutant(
        "an erasure that failed amid is not seen through",
        ("store/writer.py::Writer._commit", "self._database.note_erasure(last_erasure(connection), is_urgent=is_urgent)", "pass"),
        {"how": "failed", "faults": 400},
    ),
    Mutant(
        "it goes on writing to a file that is gone",
        (f"{DATABASE}::Database._check_in_place", "and _identity(self._path) != self._file", "and False"),
        "test_disk.py::test_a_file_that_is_gone_takes_no_more",
    ),
    Mutant(
        "it looks at no file before it makes a store of it",
        ("log/_schema.py::is_store", "if application or (names and not _is_restored(connection, names)):", "if application:"),
        "test_disk.py::test_what_is_something_else_is_not_touched",
    ),
    Mutant(
        "it takes a newer schema for its own",
        ("log/_schema.py::is_store", "if version > VERSION:", "if False:"),
        "test_disk.py::test_what_is_something_else_is_not_touched",
    ),
    Mutant(
        "a stranger leaves files behind",
        (f"{DATABASE}::Database._inspect", "if not os.access(self._path, os.W_OK):", "if False:"),
        "test_disk.py::test_what_may_not_be_written_is_told",
    ),
)


@posix
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(
    found_by: FoundBy, without: Callable[..., Path], passes: Callable[..., bool], swift: Path, mutant: Mutant
):
    """Without the guard, a promise is found broken."""
    package = without(*mutant.changes)
    if isinstance(mutant.what, str):
        assert not passes(mutant.what, package), f"nothing is found wrong though {mutant.says}"
        return
    found = found_by("child_failing.py", package, folder=str(swift), seed=7, **mutant.what)
    assert found["complaints"] != [], f"nothing is found wrong though {mutant.says}"
