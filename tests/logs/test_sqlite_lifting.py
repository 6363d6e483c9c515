"""Files of earlier schemas: opening one lifts its log into the present tables, whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import threadstore
from threadstore.errors import CorruptRecord, StoreUnavailable
from threadstore.log._connections import Database
from threadstore.log._schema import checksum, event_checksum, filled, seed
from threadstore.log.sqlite import SqliteLog
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure, redact
from threadstore.model.events import CommentErased, CommentPosted, Event, ThreadDescribed
from threadstore.model.ids import make_id, to_bytes
from threadstore.model.values import Actor

Open = Callable[..., SqliteLog]

THREADS = "CREATE TABLE threads (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL) STRICT"
EVENTS = """CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    thread INTEGER NOT NULL REFERENCES threads (id),
    revision INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE,
    {head}crc BLOB NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (thread, revision)
) STRICT"""
ERASURES = """CREATE TABLE erasures (
    thread TEXT NOT NULL, comment TEXT, person TEXT, before TEXT, shown INTEGER NOT NULL, crc BLOB NOT NULL) STRICT"""
SNAPSHOTS = """CREATE TABLE snapshots (
    thread TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, revision INTEGER NOT NULL, crc BLOB NOT NULL, margin BLOB NOT NULL,
    state BLOB NOT NULL) STRICT"""
#: What the second schema had besides.
DERIVED = (
    """CREATE TABLE snapshot_parts (
        thread TEXT NOT NULL, fingerprint TEXT NOT NULL, revision INTEGER NOT NULL, part INTEGER NOT NULL, margin BLOB NOT NULL,
        state BLOB NOT NULL, PRIMARY KEY (thread, fingerprint, revision, part)) STRICT""",
    """CREATE TABLE fronts (
        thread TEXT NOT NULL, fingerprint TEXT NOT NULL, revision INTEGER NOT NULL, crc BLOB NOT NULL, margin BLOB NOT NULL,
        state BLOB NOT NULL, PRIMARY KEY (thread, fingerprint)) STRICT""",
    """CREATE TABLE summaries (
        thread INTEGER PRIMARY KEY REFERENCES threads (id), latest BLOB NOT NULL, revision INTEGER NOT NULL,
        waiting BLOB NOT NULL, fingerprint TEXT NOT NULL, crc BLOB NOT NULL, state BLOB NOT NULL) STRICT""",
    "CREATE TABLE acts (actor BLOB NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (actor, position)) STRICT, WITHOUT ROWID",
    "CREATE INDEX erasures_by_what ON erasures (thread, comment, person, before)",
    "CREATE INDEX summaries_by_latest ON summaries (latest)",
    "INSERT INTO snapshot_parts VALUES ('t', 'fold', 3, 1, x'00', x'00')",
    "INSERT INTO fronts VALUES ('t', 'page', 3, x'00', x'00', x'00')",
    "INSERT INTO summaries VALUES (1, x'00', 3, x'00', 'fold', x'00', x'00')",
    "INSERT INTO acts VALUES (x'00', 1)",
)
GONE = {"snapshots", "snapshot_parts", "fronts", "summaries", "acts"}


def post(number: int, body: str, thread: str = "t") -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread=thread, actor=Actor("u-ann", "Ann"), body=body)


#: In the order of the log; the second comment is erased, and the ids are not in the order of positions.
LOG: list[Event] = [
    post(2, "the first word"),
    post(9, "another thread's", "u"),
    post(3, "what was erased"),
    CommentErased(id=make_id(5, 0, 0), thread="t", actor=Actor("u-mod", "", "moderator"), comment=make_id(3, 0, 0)),
    post(1, "a late word"),
    ThreadDescribed(id=make_id(8, 0, 0), thread="u", actor=Actor("system", "", "system"), title="Ω"),
]
WITHOUT_WORDS = [redact(event) if event.id == make_id(3, 0, 0) else event for event in LOG]


def make(path: Path, version: int) -> None:
    """Make the file of a store as a release of this schema made it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        for statement in (
            THREADS,
            EVENTS.format(head="head BLOB NOT NULL,\n    " if version == 2 else ""),
            ERASURES,
            SNAPSHOTS,
            "INSERT INTO snapshots VALUES ('t', 'fold', 3, x'00', x'00', x'00')",
            *(DERIVED if version == 2 else ()),
        ):
            file.execute(statement)
        revisions: dict[str, int] = {}
        for position, event in enumerate(LOG, 1):
            revision = revisions[event.thread] = revisions.get(event.thread, 0) + 1
            number = list(revisions).index(event.thread) + 1
            data = filled(encode(WITHOUT_WORDS[position - 1]), len(encode(event)))
            crc = event_checksum(seed(event.thread.encode()), position, revision, data)
            row = {"position": position, "thread": number, "revision": revision, "id": to_bytes(event.id)}
            row |= {"crc": crc, "data": data} | ({"head": bytes(64)} if version == 2 else {})
            file.execute(f"INSERT INTO events ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            file.execute("INSERT OR REPLACE INTO threads VALUES (?, ?, ?)", (number, event.thread, revision))
        what = ("t", make_id(3, 0, 0), None, None, 3)
        file.execute("INSERT INTO erasures VALUES (?, ?, ?, ?, ?, ?)", (*what, checksum(*what)))
        file.execute(f"PRAGMA application_id = {0x74687374}")
        file.execute(f"PRAGMA user_version = {version}")


@pytest.fixture(params=[1, 2], ids=["schema 1", "schema 2"])
def former(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of each earlier schema in turn."""
    make(tmp_path / "log.db", request.param)
    return tmp_path / "log.db"


def content(path: Path) -> dict[str, list[Any]]:
    """Return all that a file has: its number, its schema, and the rows of each table."""
    with closing(sqlite3.connect(path)) as file:
        tables = file.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        rows = {name: file.execute(f"SELECT * FROM {name}").fetchall() for name, _ in tables}
        return {"": [tables, file.execute("PRAGMA user_version").fetchone()]} | rows


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as file:
        return {name for (name,) in file.execute("SELECT name FROM sqlite_schema")}


def test_a_former_log_is_lifted(former: Path, opened: Open):
    """All events keep their positions, revisions, ids and words, what was erased stays so, and derived tables are gone."""
    with closing(sqlite3.connect(former)) as file:
        rows = file.execute("SELECT position, thread, revision, id, crc, data FROM events ORDER BY position").fetchall()
        erasures = file.execute("SELECT * FROM erasures").fetchall()
    log = opened()
    with closing(sqlite3.connect(former)) as file:
        assert file.execute("SELECT position, thread, revision, id, crc, data FROM events ORDER BY position").fetchall() == rows
        assert file.execute("SELECT * FROM erasures").fetchall() == erasures
        assert file.execute("PRAGMA user_version").fetchone() == (3,)
        ends = file.execute("SELECT key, latest, earliest FROM threads ORDER BY id").fetchall()
    assert ends == [("t", *(to_bytes(make_id(n, 0, 0)) for n in (5, 1))), ("u", *(to_bytes(make_id(n, 0, 0)) for n in (9, 8)))]
    assert [record.event for record in log.read_all()] == WITHOUT_WORDS
    assert [(record.position, record.revision) for record in log.read_all()] == [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, 2)]
    assert (list(log.threads()), log.revision("t"), log.position()) == (["t", "u"], 4, 6)
    assert list(log.verify()) == []
    assert not names(former) & GONE


def test_a_lifted_log_goes_on(former: Path, opened: Open):
    """The next event has the next position, what was erased comes back without its words, and a retry is one."""
    log = opened()
    assert log.append("t", [post(20, "new")]).positions == (7,)
    assert log.append("t", [LOG[2]]) == log.append("t", [WITHOUT_WORDS[2]])
    assert log.redact("t", [Erasure(comment=make_id(3, 0, 0))]) == 0
    log.close()
    assert opened().position() == 7
    assert list(opened().verify()) == []


def test_a_lifted_thread_is_shown(former: Path):
    """A store shows each thread as it was, counts and lists it, and finds nothing wrong."""
    with threadstore.open(former) as store:
        view = store.thread("t").view()
        assert [comment.body for comment in view.comments] == ["a late word", "the first word"]
        assert view.unreadable == 0
        lines = store.overview().threads
        assert [(line.thread, line.title, line.counts.total) for line in lines] == [("u", "Ω", 1), ("t", "", 2)]
        assert list(store.verify()) == []
        id = store.thread("t").post("said afterwards", by="u-bob")
        assert store.thread("t").comment(id).body == "said afterwards"
        assert list(store.verify()) == []


@pytest.mark.parametrize("damage", ["crc = x'00'", "data = x'93'", "data = CAST(substr(data, 2) AS BLOB)", "thread = 7"])
def test_a_damaged_row_is_lifted_as_it_is(former: Path, opened: Open, damage: str):
    """Lifting neither mends nor drops it: reading tells of it, and all others are there."""
    with closing(sqlite3.connect(former)) as file, file:
        file.execute(f"UPDATE events SET {damage} WHERE position = 1")
        row = file.execute("SELECT position, thread, revision, id, crc, data FROM events WHERE position = 1").fetchone()
    log = opened()
    with closing(sqlite3.connect(former)) as file:
        assert file.execute("SELECT position, thread, revision, id, crc, data FROM events WHERE position = 1").fetchone() == row
    assert [record.event for record in log.read_all(after=1)] == WITHOUT_WORDS[1:]
    assert {found.position for found in log.verify()} >= {1}


def test_a_row_that_no_table_could_hold_is_not_lifted(tmp_path: Path):
    """A file with a value of the wrong type, which only a damaged page gives, is refused as damaged and left as it is."""
    make(tmp_path / "log.db", 1)
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_schema SET sql = replace(sql, 'crc BLOB NOT NULL', 'crc BLOB') WHERE name = 'events'")
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as file:
        file.execute("UPDATE events SET crc = NULL WHERE position = 2")
    before = content(tmp_path / "log.db")
    with pytest.raises(CorruptRecord, match="damaged"):
        SqliteLog.open(tmp_path / "log.db")
    assert content(tmp_path / "log.db") == before


class Killed(sqlite3.Connection):
    """A connection of a process that dies before a chosen statement."""

    left = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        type(self).left -= 1
        if not type(self).left:
            raise KeyboardInterrupt
        return super().execute(sql, *parameters)


def test_a_file_is_lifted_whole_or_not_at_all(former: Path, opened: Open):
    """Wherever the process that lifts it dies, the file is as it was, or lifted; whoever opens it next has all of it."""
    before, died = content(former), 0
    for statement in range(1, 200):
        killed = type("Killed", (Killed,), {"left": statement})
        try:
            Database(str(former), synchronous="OFF", timeout=0, factory=killed).close()
        except KeyboardInterrupt:
            died += content(former) == before
        else:
            break
    assert died > 20
    assert [record.event for record in opened().read_all()] == WITHOUT_WORDS


def dump(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as file, closing(sqlite3.connect(target)) as restored:
        restored.executescript("\n".join(file.iterdump()))


def test_a_dump_of_a_former_file_is_lifted(former: Path, tmp_path: Path, opened: Open):
    """A textual dump loses the header; the restored file is known by the tables of its log, and lifted."""
    dump(former, tmp_path / "restored.db")
    log = opened(tmp_path / "restored.db")
    assert [record.event for record in log.read_all()] == WITHOUT_WORDS
    assert list(log.verify()) == []
    assert not names(tmp_path / "restored.db") & GONE


def test_a_dump_of_a_store_is_the_store(tmp_path: Path):
    """A restored dump of the present schema keeps its positions and its read model, and goes on."""
    with threadstore.open(tmp_path / "store.db") as store:
        first = store.thread("t").post("first", by="u-1")
        store.thread("t").reply(first, "second", by="u-2")
        events, shown = list(store.export()), store.thread("t").view()
    dump(tmp_path / "store.db", tmp_path / "restored.db")
    with closing(sqlite3.connect(tmp_path / "store.db")) as one, closing(sqlite3.connect(tmp_path / "restored.db")) as other:
        other.execute(f"PRAGMA application_id = {0x74687374}")
        other.execute("PRAGMA user_version = 3")
        tables = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
        assert other.execute(tables).fetchall() == one.execute(tables).fetchall()
        other.execute("PRAGMA application_id = 0")
        other.execute("PRAGMA user_version = 0")
    before = content(tmp_path / "restored.db")
    with threadstore.open(tmp_path / "restored.db") as store:
        assert (list(store.export()), store.thread("t").view()) == (events, shown)
        assert content(tmp_path / "restored.db") == before | {"": [before[""][0], (3,)]}
        assert list(store.verify()) == []
        store.thread("t").post("third", by="u-1")
        assert store.log.position() == 3


def test_a_log_with_a_table_more_is_another_programs(former: Path, tmp_path: Path):
    """A dump into a database that holds something else is refused, and nothing of it is dropped."""
    dump(former, tmp_path / "restored.db")
    with closing(sqlite3.connect(tmp_path / "restored.db")) as file, file:
        file.execute("CREATE TABLE users (name TEXT)")
    before = content(tmp_path / "restored.db")
    with pytest.raises(StoreUnavailable, match="database of another program"):
        SqliteLog.open(tmp_path / "restored.db")
    assert content(tmp_path / "restored.db") == before
