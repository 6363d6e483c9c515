"""The file of a SQLite log: what it is made of, which files are refused, and how it is copied, shared and closed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec.structs import replace

from threadstore.errors import ConflictingEvent, CorruptRecord, StoreClosed, StoreUnavailable, UnsupportedSchema
from threadstore.log._appending import in_order
from threadstore.log._connections import Database
from threadstore.log._schema import event_checksum, seed, sound_rows
from threadstore.log.sqlite import SqliteLog, _records, _records_of
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id, to_bytes

Open = Callable[..., SqliteLog]


def posts(*numbers: int, thread: str = "t") -> list[CommentPosted]:
    return [CommentPosted(id=make_id(number, 0, 0), thread=thread, body=f"body {number}") for number in numbers]


def python(code: str, *arguments: object) -> str:
    """Run *code* in a process of its own and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(path: Path) -> Any:
    """Open the file as another program would."""
    return closing(sqlite3.connect(path, isolation_level=None))


def read_pragma(path: Path, name: str) -> Any:
    with raw(path) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


# --- what it is made of -------------------------------------------------------------------------------------------------------


def test_the_header_says_whose_file_it_is(tmp_path: Path, opened: Open):
    """A file has our application id, a schema version, and is in WAL mode."""
    opened()
    pragmas = ("application_id", "user_version", "journal_mode", "page_size")
    assert [read_pragma(tmp_path / "log.db", name) for name in pragmas] == [0x74687374, 3, "wal", 4096]


def test_all_tables_are_strict(tmp_path: Path, opened: Open):
    """No column ever holds a value of another type."""
    opened()
    with raw(tmp_path / "log.db") as connection:
        strict = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'"))
    ours = {name: is_strict for name, is_strict in strict.items() if not name.startswith("sqlite_")}
    assert ours.keys() >= {"threads", "events", "erasures", "comments", "reactions", "facts", "authors", "names"}
    assert set(ours.values()) == {1}


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1), ("off", 0)])
def test_durability_has_names(opened: Open, durability: str, synchronous: int):
    """Each level is one of SQLite's, and deleted content is overwritten in all of them."""
    log = opened(durability=durability)
    with log.database.writing() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert writer.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_the_default_is_full_durability(tmp_path: Path):
    """Who says nothing gets the safest."""
    with closing(SqliteLog.open(tmp_path / "log.db")) as log, log.database.writing() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_unknown_durability_is_misuse(tmp_path: Path):
    """The error names the levels that there are, and no file is made."""
    with pytest.raises(ValueError, match="full, normal, off, not 'fast'"):
        SqliteLog.open(tmp_path / "log.db", durability="fast")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_needed():
    """A path without a name, which SQLite takes for a private database, is misuse."""
    with pytest.raises(ValueError, match="a file is needed"):
        SqliteLog.open("")


def test_a_log_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It makes no file, shares nothing with another one, is whole, can be copied to a file, and is over when it is closed."""
    monkeypatch.chdir(tmp_path)
    with closing(SqliteLog.open(":memory:")) as log, closing(SqliteLog.open(":memory:")) as other:
        log.append("t", posts(1, 2))
        log.redact("t", [Erasure(comment=posts(1)[0].id)])
        assert (log.position(), other.position()) == (2, 0)
        assert list(log.verify()) == []
        assert list(tmp_path.iterdir()) == []
        log.backup(tmp_path / "copy.db")
    with pytest.raises(StoreClosed, match=":memory:"):
        log.position()
    with closing(SqliteLog.open(tmp_path / "copy.db")) as copy:
        assert copy.position() == 2


def test_a_log_in_memory_rests_through_a_fork():
    """What it holds is there after a fork, and its child is refused."""
    with closing(SqliteLog.open(":memory:")) as log:
        log.append("t", posts(1))
        log.database.rest()
        log.database.resume()
        assert log.position() == 1


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "no#1.db", "ü🦉.db", "file:x.db", "a'b.db"])
def test_any_name_of_a_file_will_do(tmp_path: Path, opened: Open, name: str):
    """No character of a path means something to SQLite."""
    path = tmp_path / name
    opened(path).append("t", posts(1))
    assert path.exists()
    assert opened(path).position() == 1


def test_a_relative_path_stays_what_it_was(tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch):
    """A process that changes its directory goes on with the same file."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    log = opened(Path("log.db"))
    log.append("t", posts(1))
    monkeypatch.chdir(tmp_path / "other")
    assert len(list(log.read("t"))) == 1
    assert list(Path().iterdir()) == []


def test_reading_makes_nothing(tmp_path: Path, opened: Open):
    """If the file has vanished, a new reader says so and does not find an empty one."""
    log = opened()
    (tmp_path / "log.db").unlink()
    with pytest.raises(StoreUnavailable, match="deleted, moved or replaced"):
        log.position()


def test_closing_leaves_one_file(tmp_path: Path, opened: Open):
    """Nothing stays beside the file, however many readers there were."""
    log = opened()
    log.append("t", posts(1, 2))
    reading = log.read_all()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: log.position(), range(50)))
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]
    assert len(list(reading)) == 2


def test_a_long_iterator_ends_with_the_log(opened: Open):
    """What was not fetched before `close` is not to be had after it."""
    log = opened()
    log.append("t", posts(*range(1, 2_002)))
    reading = log.read("t")
    log.close()
    with pytest.raises(StoreClosed, match=r"log\.db"):
        list(reading)


def test_a_reader_may_outlast_closing(tmp_path: Path, opened: Open):
    """A connection that is in use while the log closes is closed when it is given back."""
    log = opened()
    with log.database.reading() as connection:
        log.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_readers_are_kept_within_bounds(opened: Open):
    """Many readers at once leave only a few idle connections behind."""
    log = opened()
    lent = [log.database.reading() for _ in range(20)]
    connections = {id(reading.__enter__()) for reading in lent}
    for reading in lent:
        reading.__exit__(None, None, None)
    assert len(connections) == 20
    assert len(log.database._idle) == 8


def test_a_reader_can_not_write(opened: Open):
    """Only the one writing connection changes anything."""
    log = opened()
    with pytest.raises(StoreUnavailable, match="read-only"), log.database.reading() as connection:
        connection.execute("DELETE FROM events")


def test_a_forked_process_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch):
    """A connection that is carried through a fork would corrupt the file; closing there leaves the parent's alone."""
    log = opened()
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    for call in (lambda: log.append("t", posts(1)), log.position):
        with pytest.raises(StoreUnavailable, match="forked"):
            call()
    monkeypatch.undo()
    log.append("t", posts(1))
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    log.close()
    log.database._writer.execute("SELECT 1")
    monkeypatch.undo()
    log.database._closed = False


# --- what is refused ----------------------------------------------------------------------------------------------------------


def foreign(path: Path, *statements: str) -> None:
    with raw(path) as connection:
        for statement in statements:
            connection.execute(statement)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE users (name TEXT)"],
        ["PRAGMA journal_mode = WAL", "CREATE TABLE users (name TEXT)"],
        ["PRAGMA application_id = 7"],
        ["PRAGMA application_id = 7", "CREATE TABLE users (name TEXT)"],
        ["CREATE TABLE events (position INTEGER PRIMARY KEY)", "CREATE TABLE threads (id INTEGER PRIMARY KEY)"],
        [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)" for name in ("events", "threads", "erasures")],
        ["CREATE TABLE snapshots (id INTEGER PRIMARY KEY)", "INSERT INTO snapshots VALUES (1)"],
    ],
    ids=["tables", "tables in WAL mode", "an application id", "both", "called like ours", "all called like ours", "like former"],
)
def test_another_programs_database_is_not_touched(tmp_path: Path, statements: list[str]):
    """A SQLite file that somebody else owns is refused, and not a byte of it changes."""
    foreign(tmp_path / "log.db", *statements)
    before = content(tmp_path)
    with pytest.raises(StoreUnavailable, match=r"log\.db.*database of another program"):
        SqliteLog.open(tmp_path / "log.db")
    assert content(tmp_path) == before


def test_another_program_may_be_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that becomes somebody else's between the first look and the lock is refused all the same."""
    path = tmp_path / "log.db"
    monkeypatch.setattr(Database, "_inspect", lambda _: foreign(path, "CREATE TABLE users (name TEXT)"))
    path.touch()
    with pytest.raises(StoreUnavailable, match="database of another program"):
        SqliteLog.open(path)
    with raw(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("users",)]


@pytest.mark.parametrize("data", [b"hi", b"a text, not a database\n" * 500, b"\0" * 5_000], ids=["word", "text", "zeros"])
def test_what_is_no_database_is_not_touched(tmp_path: Path, data: bytes):
    """A file of any other kind is refused and left as it is."""
    (tmp_path / "log.db").write_bytes(data)
    with pytest.raises(StoreUnavailable, match="not a SQLite database"):
        SqliteLog.open(tmp_path / "log.db")
    assert content(tmp_path) == {"log.db": data}


@pytest.mark.parametrize("made_by", [Path.touch, foreign], ids=["empty file", "empty database"])
def test_an_empty_file_becomes_a_log(tmp_path: Path, opened: Open, made_by: Callable[[Path], None]):
    """There is nothing to lose in it."""
    made_by(tmp_path / "log.db")
    assert opened().append("t", posts(1)).positions == (1,)


def test_a_newer_schema_is_not_touched(tmp_path: Path, opened: Open):
    """A file that a newer release has written is refused, with both versions."""
    log = opened()
    log.append("t", posts(1))
    log.close()
    foreign(tmp_path / "log.db", "PRAGMA user_version = 4")
    before = content(tmp_path)
    with pytest.raises(UnsupportedSchema) as error:
        SqliteLog.open(tmp_path / "log.db")
    assert error.value.args[1:] == (4, 3)
    assert content(tmp_path) == before


def test_a_directory_is_no_file(tmp_path: Path):
    """The error says that it is a directory."""
    with pytest.raises(StoreUnavailable, match="it is a directory"):
        SqliteLog.open(tmp_path)


def test_the_directory_must_be_there(tmp_path: Path):
    """The error says that the directory is missing."""
    with pytest.raises(StoreUnavailable, match="its directory does not exist"):
        SqliteLog.open(tmp_path / "missing" / "log.db")


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path):
    """A link to itself can not be opened, and the error does not blame the directory."""
    (tmp_path / "log.db").symlink_to("log.db")
    with pytest.raises(StoreUnavailable, match="may not open the file"):
        SqliteLog.open(tmp_path / "log.db")


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that every user may enter, unlike `tmp_path`."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from threadstore.errors import StoreUnavailable
from threadstore.log.sqlite import SqliteLog

Path("/").as_uri()  # loads its modules while this process may still read them
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    SqliteLog.open(sys.argv[1])
except StoreUnavailable as error:
    print(error.why)
"""


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
@pytest.mark.parametrize(
    ("file", "folder", "why"),
    [
        (0o444, 0o777, "the file or its directory is read-only"),
        (0o000, 0o777, "this process may not open the file"),
        (0o666, 0o555, "the file or its directory is read-only"),
    ],
    ids=["read-only file", "unreadable file", "read-only directory"],
)
def test_a_file_that_can_not_be_written_is_refused(shared: Path, file: int, folder: int, why: str):
    """A log is opened for writing; what a process is not allowed is said in plain words."""
    path = shared / "log.db"
    SqliteLog.open(path).close()
    path.chmod(file)
    shared.chmod(folder)
    assert why in python(UNPRIVILEGED, path)
    shared.chmod(0o755)


def test_a_read_only_file_is_refused_before_anything_is_made(tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch):
    """What this process may not write is not opened, so that no file appears beside it."""
    opened().close()
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (str(tmp_path / "log.db"), os.W_OK))
    with pytest.raises(StoreUnavailable, match="read-only"):
        opened()
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """STRICT tables need SQLite 3.37; the error says which one this is."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StoreUnavailable, match=r"3\.37 or newer is needed"):
        SqliteLog.open(tmp_path / "log.db")


class WithoutWal(sqlite3.Connection):
    """A connection on a file system without shared memory, where SQLite stays in its former journal mode."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("journal_mode = WAL", "journal_mode = DELETE"), *parameters)


def test_wal_is_needed(tmp_path: Path):
    """Without WAL readers and writers would lock one another out, so such a place is refused."""
    with pytest.raises(StoreUnavailable, match="WAL needs"):
        Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=WithoutWal)


class Crowded(sqlite3.Connection):
    """A connection that meets others that are just opening the file, as often as it is told."""

    others = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if "journal_mode" in sql and type(self).others:
            type(self).others -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return super().execute(sql, *parameters)


@pytest.mark.parametrize("others", [1, 7, 99])
def test_opening_has_patience(tmp_path: Path, others: int):
    """SQLite does not wait when it switches to WAL, so opening tries again."""
    crowded = type("Crowded", (Crowded,), {"others": others})
    with closing(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=crowded)) as database:
        assert crowded.others == 0
        database.check_open()


def test_patience_ends(tmp_path: Path):
    """A file that can not be had is not tried for ever."""
    crowded = type("Crowded", (Crowded,), {"others": 1_000})
    with pytest.raises(StoreUnavailable, match="another program has kept it locked"):
        Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=crowded)


# --- damage that reading meets ------------------------------------------------------------------------------------------------


def test_a_key_that_is_no_text_is_damage(tmp_path: Path, opened: Open):
    """Bytes that are no UTF-8 in place of a key are reported as damage, and stand in the way of no other thread."""
    log = opened()
    log.append("t", posts(1))
    log.append("u", posts(2, thread="u"))
    foreign(tmp_path / "log.db", "UPDATE threads SET key = CAST(x'ff' AS TEXT) WHERE key = 't'")
    assert list(log.threads()) == ["\ufffd", "u"]
    damaged, sound = log.read_all()
    assert (damaged.position, bool(damaged.damage), sound.event.body) == (1, True, "body 2")
    assert [(damage.kind, damage.position) for damage in log.verify()] == [("checksum", 1)]


def test_counters_that_contradict_the_rows_are_damage(tmp_path: Path, opened: Open):
    """A counter that was set back neither hides a record nor makes an append overwrite one."""
    log = opened()
    log.append("t", posts(1, 2))
    foreign(tmp_path / "log.db", "UPDATE threads SET revision = 1")
    assert log.revision("t") == 2
    assert [damage.kind for damage in log.verify()] == ["revision"]
    assert log.append("t", posts(3)).revision == 3
    assert [record.revision for record in log.read("t")] == [1, 2, 3]


def test_damaged_rows_are_read_past(tmp_path: Path, opened: Open):
    """Reading hands out a damaged row as one that says so, and goes on; in no way of reading is it taken for what it says."""
    log = opened()
    log.append("t", posts(1, 2, 3))
    foreign(tmp_path / "log.db", "UPDATE events SET data = CAST(replace(data, 'body 2', 'body 9') AS BLOB) WHERE position = 2")
    found = log.find(posts(2)[0].id)
    assert found is not None
    for record in (list(log.read("t"))[1], list(log.read_all())[1], found):
        assert (record.position, record.damage) == (2, "its row does not match its checksum")
        with pytest.raises(CorruptRecord, match="checksum"):
            record.event  # noqa: B018
    assert [record.event.body for record in log.read_all() if not record.damage] == ["body 1", "body 3"]


def test_a_row_under_another_id_is_not_found_as_it(tmp_path: Path, opened: Open):
    """A damaged id leads to no other comment, and a write under it is refused as damage, not as a conflict."""
    log = opened()
    log.append("t", posts(1, 2))
    foreign(tmp_path / "log.db", f"UPDATE events SET id = x'{to_bytes(make_id(7, 0, 0)).hex()}' WHERE position = 2")
    found = log.find(make_id(7, 0, 0))
    assert found is not None
    assert found.damage == "its row is filed under another id than its own"
    assert log.find(make_id(2, 0, 0)) is None
    assert [record.event.body for record in log.read("t")] == ["body 1", "body 2"]
    with pytest.raises(CorruptRecord) as error:
        log.append("t", posts(7))
    assert error.value.position == 2
    with pytest.raises(ConflictingEvent):
        log.append("t", [replace(posts(1)[0], spoiler=True)])


@pytest.mark.parametrize("row", [(None, 1, b"", b""), (1, b"", b"", b""), (1, "1", b"", b"")])
def test_a_row_without_a_place_is_left_out(row: tuple[Any, ...]):
    """Where a damaged page gives a value of a type that no row can have, nobody could say where the record stands."""
    assert list(_records([(*row, b"t")])) == []
    assert list(_records_of("t", [row])) == []


def test_rows_of_any_type_are_held_against_their_checksums():
    """Where a damaged page gives a value of a type that no row can have, that row is unsound, and those beside it are sound."""
    sound = (1, 1, event_checksum(seed(b"t"), 1, 1, b"data"), b"data")
    for place in range(4):
        bad = (*sound[:place], None, *sound[place + 1 :])
        assert sound_rows(seed(b"t"), [bad, sound]) == [sound]


def test_a_record_that_is_no_bytes_is_damaged():
    """Whatever a damaged page gives for a record, what is handed out is bytes, and damaged."""
    assert [(record.data, bool(record.damage)) for record in _records_of("t", [(1, 1, b"", 7), (2, 2, 7, b"")])] == [
        (b"", True)
    ] * 2


@pytest.mark.parametrize(
    ("places", "taken", "after"),
    [
        ((11, 12, 13), 3, 13),
        ((11, 12, 0), 2, 12),
        ((11, 12, 1 << 40), 2, 12),
        ((11, 12, b""), 2, 12),
        ((11, 0, 13), 3, 13),
        ((11, 13), 2, 13),
        ((3, 4), 2, 12),
        ((15,), 1, 15),
        ((0,), 1, 11),
        (("11",), 1, 11),
    ],
)
def test_a_damaged_place_leads_nobody_astray(places: tuple[Any, ...], taken: int, after: int):
    """Reading in chunks never goes back, never leaps over what is left, and never repeats what it need not."""
    rows = [(place,) for place in places]
    assert in_order(rows, 0, 10) == (rows[:taken], after)


@pytest.mark.parametrize(("count", "damaged"), [(60, 40), (4_500, 100), (4_500, 3_000)])
def test_what_stands_on_sound_pages_is_read(tmp_path: Path, opened: Open, count: int, damaged: int):
    """Where SQLite can not read a page, the rows on all others come all the same, in order and each once."""
    log = opened()
    log.append("t", [replace(event, body=f"{event.body} {'words ' * 20}") for event in posts(*range(1, count + 1))])
    log.close()
    data = (tmp_path / "log.db").read_bytes()
    page = data.index(b"body %d words" % damaged) // 4096 * 4096
    lost = {number for number in range(1, count + 1) if b"body %d words" % number in data[page : page + 4096]}
    (tmp_path / "log.db").write_bytes(data[:page] + b"\xff" * 4096 + data[page + 4096 :])
    log = opened()
    kept = [number for number in range(1, count + 1) if number not in lost]
    assert 0 < len(lost) < 40
    for records in (log.read("t"), log.read_all()):
        assert [record.revision for record in records if not record.damage] == kept
    assert [record.position for record in log.read_all(after=kept[0], limit=50)] == kept[1:51]
    assert log.append("t", posts(count + 1)).revision == count + 1


@pytest.mark.parametrize("damage", ["x'93'", "CAST(replace(data, 'body 2', 'body 9') AS BLOB)"])
def test_a_damaged_record_names_its_position(tmp_path: Path, opened: Open, damage: str):
    """Comparing a retry with a damaged record says where it is, and changes nothing."""
    log = opened()
    log.append("t", posts(1, 2))
    foreign(tmp_path / "log.db", f"UPDATE events SET data = {damage} WHERE position = 2")
    with pytest.raises(CorruptRecord) as error:
        log.append("t", posts(1, 2, 3))
    assert error.value.position == 2
    assert (log.position(), next(log.read("t")).event.body) == (2, "body 1")


def test_limits_are_not_negative(kind: Any):
    """A negative limit is misuse in every log; SQLite alone would take it for none."""
    with pytest.raises(ValueError, match="negative"):
        kind.make().read_all(limit=-1)


# --- positions outlive the file -----------------------------------------------------------------------------------------------


def places(log: SqliteLog) -> list[tuple[str, int, int, bytes]]:
    return [(record.thread, record.position, record.revision, record.data) for record in log.read_all()]


def test_vacuum_keeps_positions(tmp_path: Path, opened: Open):
    """Rewriting the file renumbers nothing, also where a row is lost, and the next position follows the last."""
    log = opened()
    log.append("t", posts(1, 2, 3))
    log.append("u", posts(4, thread="u"))
    before = places(log)
    log.close()
    foreign(tmp_path / "log.db", "DROP TRIGGER events_stay", "DELETE FROM events WHERE position = 1", "VACUUM")
    log = opened()
    assert places(log) == before[1:]
    assert log.append("v", posts(5, thread="v")).positions == (5,)


def test_dump_and_restore_keeps_positions(tmp_path: Path, opened: Open):
    """A textual dump loses the header; the restored file is known by its tables (eventsourcing: 6, 7, 8 became 1, 2, 3)."""
    log = opened()
    log.append("t", posts(1, 2, 3))
    log.redact("t", [Erasure(comment=posts(2)[0].id)])
    before = places(log)
    log.close()
    with raw(tmp_path / "log.db") as source, raw(tmp_path / "restored.db") as restored:
        restored.executescript("\n".join(source.iterdump()))
    assert read_pragma(tmp_path / "restored.db", "application_id") == 0
    log = opened(tmp_path / "restored.db")
    assert places(log) == before
    assert log.append("u", posts(4, thread="u")).positions == (4,)
    assert read_pragma(tmp_path / "restored.db", "application_id") == 0x74687374


def test_a_backup_is_a_whole_log(tmp_path: Path, opened: Open):
    """A copy has the same records in the same places, goes on by itself, and leaves the original alone."""
    log = opened()
    log.append("t", posts(1, 2, 3))
    log.backup(tmp_path / "copy.db")
    copy = opened(tmp_path / "copy.db")
    assert places(copy) == places(log)
    assert list(copy.verify()) == []
    copy.append("t", posts(4))
    assert log.position() == 3


def test_no_event_is_ever_deleted(tmp_path: Path, opened: Open):
    """The file itself refuses it, to any program, so the largest position is always the last that was given."""
    log = opened()
    log.append("t", posts(1, 2, 3))
    for where in ("position = 3", "true"):
        with pytest.raises(sqlite3.IntegrityError, match="events are never deleted"):
            foreign(tmp_path / "log.db", f"DELETE FROM events WHERE {where}")
    assert log.append("t", posts(4)).positions == (4,)


def test_a_backup_is_of_one_moment(tmp_path: Path, opened: Open):
    """Whole batches are in it or not, whatever is written meanwhile."""
    log = opened()

    def write(start: int) -> None:
        log.append("t", posts(*range(start, start + 10)))

    with ThreadPoolExecutor(2) as pool:
        writing = pool.map(write, range(1, 1_000, 10))
        copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
        for copy in copies:
            log.backup(copy)
        list(writing)
    for copy in copies:
        found = opened(copy)
        assert len(list(found.read("t"))) == found.position()
        assert found.position() % 10 == 0
        assert list(found.verify()) == []


def test_a_backup_replaces_nothing(tmp_path: Path, opened: Open):
    """Where there is a file already, it stays."""
    log = opened()
    (tmp_path / "copy.db").write_bytes(b"precious")
    with pytest.raises(StoreUnavailable, match="backup cannot be made there"):
        log.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_bytes() == b"precious"


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path, opened: Open):
    """A copy that could not be finished is not left behind to be taken for one."""
    log = opened()
    log.close()
    with pytest.raises(StoreClosed):
        log.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


# --- several processes --------------------------------------------------------------------------------------------------------


WRITER = """
import sys
from contextlib import closing
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.log.sqlite import SqliteLog

path, start, count, thread = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with closing(SqliteLog.open(path, durability="off")) as log:
    for number in range(start, start + count):
        log.append(thread, [CommentPosted(id=make_id(number, 0, 0), thread=thread, body=f"body {number}")])
"""


def test_another_process_is_seen(tmp_path: Path, opened: Open):
    """What another process has written is there at the next call, in revisions, positions and tail reads."""
    log = opened()
    log.append("t", posts(1))
    assert (log.revision("t"), log.position()) == (1, 1)
    python(WRITER, tmp_path / "log.db", 2, 3, "t")
    assert (log.revision("t"), log.position()) == (4, 4)
    assert [record.event for record in log.read("t", after=1)] == posts(2, 3, 4)
    assert log.append("t", posts(5)).positions == (5,)


def test_processes_take_turns(tmp_path: Path, opened: Open):
    """Several processes that open a new file and write at once lose nothing and give no position twice."""
    path = tmp_path / "log.db"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: python(WRITER, path, 1 + 100 * n, 50, f"t{n % 2}"), range(3)))
    log = opened()
    assert [record.position for record in log.read_all()] == list(range(1, 151))
    assert list(log.verify()) == []


def test_a_file_is_made_once(tmp_path: Path):
    """Threads that open one new file at the same moment all get a log."""
    for number in range(5):
        path = tmp_path / f"{number}.db"
        with ThreadPoolExecutor(8) as pool:
            logs = list(pool.map(lambda _, path=path: SqliteLog.open(path, durability="off"), range(8)))
        for writer, log in enumerate(logs, 1):
            log.append("t", posts(writer))
        assert {log.position() for log in logs} == {8}
        for log in logs:
            log.close()


def test_a_copied_file_is_the_same_log(tmp_path: Path, opened: Open):
    """A closed log is one file that may be copied by any means."""
    log = opened()
    log.append("t", posts(1))
    before = places(log)
    log.close()
    shutil.copy(tmp_path / "log.db", tmp_path / "copy.db")
    assert places(opened(tmp_path / "copy.db")) == before


@pytest.mark.parametrize("known", [[], range(1, 301), range(1, 301, 7), [150], [*range(1, 150), *range(1_000, 1_300)]])
def test_many_that_are_known_in_part_are_stored_in_part(opened: Open, known: Iterable[int]):
    """However few or many of them are there already, and whatever lies between them, each is there once."""
    log = opened()
    before = posts(*known, *range(3_000, 3_100))
    log.append("t", before)
    batch = posts(*range(1, 301), *range(2_000, 2_300))
    appended = log.append("t", [*reversed(batch), *batch])
    assert appended.new == len({post.id for post in batch} - {post.id for post in before})
    stored = {record.event.id: record.position for record in log.read_all()}
    assert stored.keys() == {post.id for post in (*before, *batch)}
    assert list(appended.positions) == [stored[post.id] for post in (*reversed(batch), *batch)]
    other = replace(batch[0], parent=batch[1].id)
    with pytest.raises(ConflictingEvent):
        log.append("t", [*batch[1:], other])
