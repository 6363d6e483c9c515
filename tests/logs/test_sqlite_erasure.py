"""After an erasure no file of the store holds the bytes: not the main file, not the WAL, not a page half emptied."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from threadstore.errors import CorruptRecord
from threadstore.log import _connections
from threadstore.log._schema import event_checksum, filled, seed, unfilled
from threadstore.log.sqlite import SqliteLog
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure, is_redacted, redact
from threadstore.model.events import CommentErased, CommentPosted, CommentReported
from threadstore.model.ids import make_id
from threadstore.model.values import Actor

Open = Callable[..., SqliteLog]
ANN = Actor("u-ann", "Ann Lee-Secret")


def post(number: int, body: str, thread: str = "t") -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread=thread, actor=ANN, body=body)


def files(folder: Path) -> bytes:
    """Return the bytes of all files, but not the index of the WAL, which holds numbers only."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith("-shm"))


def test_redact_leaves_no_bytes(tmp_path: Path, opened: Open):
    """Body and name are gone from every file as soon as `redact` returns, and from those that closing leaves."""
    log = opened()
    log.append("t", [post(1, "the words that must go"), post(2, "other words")])
    assert b"must go" in files(tmp_path)
    assert log.redact("t", [Erasure(person="u-ann", before=make_id(9, 0, 0))]) == 2
    for _ in range(2):
        assert b"words" not in files(tmp_path)
        assert b"Secret" not in files(tmp_path)
        log.close()


def test_an_append_that_erases_leaves_no_bytes(tmp_path: Path, opened: Open):
    """The same holds for an erasure that comes with its event, and for what arrives after it."""
    log = opened()
    log.append("t", [post(1, "the words that must go"), post(2, "words that stay")])
    erasure = CommentErased(id=make_id(9, 0, 0), thread="t", comment=make_id(1, 0, 0))
    log.append("t", [erasure], erasures=[Erasure(comment=erasure.comment)])
    log.append("t", [post(1, "the words that must go")])
    assert b"must go" not in files(tmp_path)
    assert b"words that stay" in files(tmp_path)


def test_what_was_cut_out_is_not_moved(tmp_path: Path, opened: Open):
    """A redacted row keeps its length, so that SQLite has no reason to move its neighbours, and reads as if it were short."""
    log = opened()
    log.append("t", [post(number, "words " * number) for number in range(1, 200)])
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        lengths = other.execute("SELECT length(data), length(crc) FROM events ORDER BY position").fetchall()
    log.redact("t", [Erasure(comment=make_id(number, 0, 0)) for number in range(1, 200, 3)])
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        assert other.execute("SELECT length(data), length(crc) FROM events ORDER BY position").fetchall() == lengths
    for number, record in enumerate(log.read("t"), 1):
        event = post(number, "words " * number)
        assert record.data == encode(redact(event) if number % 3 == 1 else event)
    assert list(log.verify()) == []


@pytest.mark.parametrize("data", [encode(post(1, "")), b"\x90", b""])
@pytest.mark.parametrize("more", [0, 1, 1_000])
def test_filling_is_undone(data: bytes, more: int):
    """No record starts with the byte that fills."""
    assert len(filled(data, len(data) + more)) == len(data) + more
    assert unfilled(filled(data, len(data) + more)) == data


def test_a_row_may_grow(tmp_path: Path, opened: Open):
    """A record of an old schema can be longer without its text than it was with it, and is redacted all the same."""
    log = opened()
    report = CommentReported(id=make_id(2, 0, 0), thread="t", comment=make_id(1, 0, 0), reason="rude")
    old = (
        encode(report)
        .replace(b"reported\x01", b"reported\x00")
        .replace(bytes.fromhex("c41000000000000170008000000000000000"), b"", 1)
    )
    old = bytes([old[0] - 1]) + old[1:]
    log.append("t", [report])
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("UPDATE events SET data = ?, crc = ?", (old, event_checksum(seed(b"t"), 1, 1, old)))
    assert next(log.read("t")).event == report
    assert log.append("t", [report]).new == 0
    assert log.redact("t", [Erasure(comment=report.comment)]) == 1
    assert next(log.read("t")).event == redact(report)
    assert b"rude" not in files(tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_no_history_leaves_bytes(tmp_path: Path, opened: Open, seed: int):
    """Appends and erasures of all sizes in any order leave no erased text anywhere."""
    random = Random(seed)  # with rows that shrink, SQLite left copies of moved neighbours in about one history of 500
    log = opened()
    least, most = random.choice([(1, 40), (30, 140), (60, 200), (100, 390), (1, 400)])
    live: set[int] = set()
    gone: set[int] = set()
    for number in range(1, 400):
        log.append("t", [post(number, f"<{number:06}>" * random.randint(least, most))])
        live.add(number)
        if random.random() < 0.15:
            erased = random.sample(sorted(live), k=min(len(live), random.choice([1, 3, 8])))
            log.redact("t", [Erasure(comment=make_id(n, 0, 0)) for n in erased])
            live -= set(erased)
            gone |= set(erased)
    log.redact("t", [Erasure(comment=make_id(1_000, 0, 0))])
    found = {int(number) for number in re.findall(rb"<(\d{6})>", files(tmp_path))}
    assert found & gone == set()
    assert found == live
    assert len(gone) > 50


# --- readers in the way -------------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no erasure wait for readers."""
    monkeypatch.setattr(_connections, "_SCRUB_WAIT", 0)


def erase_under_a_reader(path: Path, log: SqliteLog) -> sqlite3.Connection:
    """Return a reader of another process that keeps the WAL from being cut while *log* erases."""
    log.append("t", [post(1, "the words that must go")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM events").fetchall()
    assert log.redact("t", [Erasure(comment=make_id(1, 0, 0))]) == 1
    assert b"must go" in files(path.parent)
    return other


@pytest.mark.usefixtures("impatient")
def test_the_next_write_cuts_the_wal(tmp_path: Path, opened: Open):
    """A reader that another process keeps open delays the end of the bytes until the first write after it."""
    log = opened()
    other = erase_under_a_reader(tmp_path / "log.db", log)
    log.append("t", [post(2, "more")])
    assert b"must go" in files(tmp_path)
    other.close()
    log.append("t", [post(3, "more")])
    assert b"must go" not in files(tmp_path)


@pytest.mark.usefixtures("impatient")
def test_closing_cuts_the_wal(tmp_path: Path, opened: Open):
    """Without any further write, the bytes end when the log is closed, though others go on using the file."""
    log = opened()
    other = erase_under_a_reader(tmp_path / "log.db", log)
    other.execute("COMMIT")
    log.close()
    assert b"must go" not in files(tmp_path)
    assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)
    other.close()


@pytest.mark.usefixtures("impatient")
def test_opening_cuts_the_wal(tmp_path: Path, opened: Open):
    """If the process is killed before it could, whoever opens the file next does it."""
    log = opened()
    other = erase_under_a_reader(tmp_path / "log.db", log)
    (tmp_path / "killed").mkdir()
    for name in ("log.db", "log.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "killed")
    other.close()
    assert b"must go" in files(tmp_path / "killed")
    survivor = opened(tmp_path / "killed" / "log.db")
    assert b"must go" not in files(tmp_path / "killed")
    assert all(is_redacted(record.event) for record in survivor.read("t"))


@pytest.mark.usefixtures("impatient")
def test_another_process_cuts_the_wal(tmp_path: Path, opened: Open):
    """If the process that erased never comes back, the next write of another one that has the file open does it."""
    survivor, killed = opened(), opened()
    other = erase_under_a_reader(tmp_path / "log.db", killed)
    other.close()
    assert b"must go" in files(tmp_path)
    survivor.append("t", [post(2, "more")])
    assert b"must go" not in files(tmp_path)


@pytest.mark.usefixtures("impatient")
def test_repeating_the_erasure_cuts_the_wal(tmp_path: Path, opened: Open):
    """Who wants to be sure can ask again, though there is nothing left to redact."""
    log = opened()
    other = erase_under_a_reader(tmp_path / "log.db", log)
    other.close()
    assert log.redact("t", [Erasure(comment=make_id(1, 0, 0))]) == 0
    assert b"must go" not in files(tmp_path)


def test_an_erasure_that_failed_is_not_counted(tmp_path: Path, opened: Open):
    """The number of an erasure that was rolled back is given again, and the WAL is cut for the one that gets it."""
    log = opened()
    log.append("t", [post(1, "the words that must go"), post(2, "")])
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("CREATE TRIGGER stop BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'stop'); END")
        with pytest.raises(CorruptRecord, match="stop"):
            log.redact("t", [Erasure(comment=make_id(1, 0, 0))])
        other.execute("DROP TRIGGER stop")
    log.append("t", [post(3, "more")])
    assert log.redact("t", [Erasure(comment=make_id(1, 0, 0))]) == 1
    assert b"must go" not in files(tmp_path)


def test_damaged_rows_keep_no_erased_text(tmp_path: Path, opened: Open):
    """A damaged row is erased if it still reads as what is to be erased, or as nothing; it stays damaged, and others stay."""
    log = opened()
    log.append(
        "t", [post(1, "the words that must go"), post(2, "words that must go, too"), post(3, "kept"), post(4, "kept as well")]
    )
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("UPDATE events SET crc = x'00000000' WHERE position IN (1, 3)")
        other.execute("UPDATE events SET data = CAST(substr(data, 2) AS BLOB) WHERE position = 2")
        assert log.redact("t", [Erasure(comment=make_id(1, 0, 0))]) == 2
        assert log.redact("t", [Erasure(comment=make_id(9, 0, 0))]) == 0
        assert other.execute("SELECT length(ltrim(hex(data), 'C1')) FROM events WHERE position = 2").fetchone() == (0,)
    assert b"must go" not in files(tmp_path)
    assert [bool(record.damage) for record in log.read("t")] == [True, True, True, False]
    assert [(damage.kind, damage.position) for damage in log.verify()] == [("checksum", 1), ("checksum", 2), ("checksum", 3)]
    assert b"kept as well" in files(tmp_path)


def test_our_own_readers_are_not_in_the_way(tmp_path: Path, opened: Open):
    """An iterator that somebody has left half read holds no transaction, and goes on with what is left of the texts."""
    log = opened()
    log.append("t", [post(number, f"the words {number:05} that must go") for number in range(1, 3_001)])
    reading, reading_all = log.read("t"), log.read_all()
    assert next(reading).event.body == "the words 00001 that must go"
    log.redact("t", [Erasure(person="u-ann", before=make_id(9_999, 0, 0))])
    assert b"must go" not in files(tmp_path)
    assert [record.revision for record in reading] == list(range(2, 3_001))
    assert len(list(reading_all)) == 3_000
