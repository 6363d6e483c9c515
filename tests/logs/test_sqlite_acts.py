"""The index of people: it comes when somebody asks, says what the events say, and its damage neither hides nor misleads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from threadstore.errors import StoreUnavailable
from threadstore.log import _sqlite_acts as acts
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Actor, CommentPosted, Event, ReactionGiven
from threadstore.model.ids import make_id

Open = Callable[..., SqliteLog]


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch):
    """Index after a few events what otherwise takes thousands."""
    monkeypatch.setattr(acts, "RUN", 8)


def act(number: int, *, people: int = 3) -> Event:
    """Return a comment, or every fourth time a reaction, of one of a few people, or every fifth time of nobody."""
    by = Actor(f"u-{number % people}", "Ann")
    if number % 4 == 3:
        return ReactionGiven(id=make_id(number, 0, 0), thread="t", actor=by, comment=make_id(1, 0, 0), kind="like")
    return CommentPosted(id=make_id(number, 0, 0), thread="t", actor=None if number % 5 == 0 else by, body=f"body {number} words")


def acts_up_to(last: int) -> list[Event]:
    return [act(number) for number in range(1, last + 1)]


def places(log: SqliteLog, person: int) -> list[int]:
    return [record.position for record in log.acts_of(f"u-{person}")]


def places_of(person: int, last: int) -> list[int]:
    """Return what `places` should give."""
    found = [number for number, event in enumerate(acts_up_to(last), 1) if event.actor and event.actor.id == f"u-{person}"]
    return found[::-1]


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        for statement in statements:
            assert file.execute(statement).rowcount != 0, statement


def indexed(path: Path) -> tuple[int, int]:
    """Return up to where the index says that it reaches, and how many acts it has."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute(f"SELECT ({acts.INDEXED}), (SELECT count(*) FROM acts WHERE actor <> x'')").fetchone()


def test_nothing_is_indexed_until_somebody_asks(tmp_path: Path, opened: Open):
    """Writing costs nothing more; whole runs are indexed when a person is asked for, and each act once."""
    log = opened()
    found = (0, 0)
    for last in (7, 23, 24, 41, 41):
        log.append("t", acts_up_to(last))
        assert indexed(tmp_path / "log.db") == found
        assert [places(log, person) for person in range(4)] == [places_of(person, last) for person in range(4)]
        upto = last // 8 * 8
        found = (upto, sum(event.actor is not None for event in acts_up_to(upto)))
        assert indexed(tmp_path / "log.db") == found
        assert list(log.verify()) == []


def test_a_long_log_is_indexed_by_several_commits(tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch):
    """However much has come since somebody asked last, it is all found."""
    monkeypatch.setattr(acts, "_RUNS", 2)
    log = opened()
    log.append("t", acts_up_to(3_003))
    assert [places(log, person) for person in range(3)] == [places_of(person, 3_003) for person in range(3)]
    assert indexed(tmp_path / "log.db")[0] == 3_000
    assert list(log.verify()) == []


def test_two_who_share_a_key_are_told_apart(opened: Open, monkeypatch: pytest.MonkeyPatch):
    """The index says where somebody may have acted; whether they did is said by the events."""
    monkeypatch.setattr(acts, "actor_hash", lambda id: bytes([1]) * 16)
    monkeypatch.setattr("threadstore.heads.actor_hash", lambda id: bytes([1]) * 16)
    log = opened()
    log.append("t", acts_up_to(30))
    assert [places(log, person) for person in range(4)] == [places_of(person, 30) for person in range(4)]


def test_what_can_not_be_indexed_is_looked_through(opened: Open, monkeypatch: pytest.MonkeyPatch):
    """Where the file can not be written, the answer is the same."""
    log = opened()
    log.append("t", acts_up_to(30))

    def refused() -> None:
        raise StoreUnavailable("log.db", "it is locked")

    monkeypatch.setattr(log._database, "writing", refused)
    assert places(log, 1) == places_of(1, 30)


@pytest.mark.parametrize("is_indexed", [False, True], ids=["at once", "indexed before"])
@pytest.mark.parametrize("damage", ["head = zeroblob(64)", "head = x'00'", "head = CAST(substr(head, 2) || x'00' AS BLOB)"])
def test_a_damaged_head_hides_nobody(tmp_path: Path, opened: Open, damage: str, is_indexed: bool):
    """Whoever is erased or exported is found by the event itself where its head can not be believed."""
    log = opened()
    log.append("t", acts_up_to(40))
    if is_indexed:
        assert places(log, 1) == places_of(1, 40)
    foreign(tmp_path / "log.db", f"UPDATE events SET {damage} WHERE position IN (13, 37)")
    assert act(13).actor == act(37).actor == Actor("u-1", "Ann")
    assert places(log, 1) == places_of(1, 40)
    assert indexed(tmp_path / "log.db")[0] == (40 if is_indexed else 8)
    assert {damage.kind for damage in log.verify()} == {"head"}


def test_a_damaged_record_is_left_out(tmp_path: Path, opened: Open):
    """It is nobody's act, indexed or not; a row that is gone is not found either."""
    log = opened()
    log.append("t", acts_up_to(40))
    foreign(tmp_path / "log.db", "UPDATE events SET crc = x'00' WHERE position = 13", "DELETE FROM events WHERE position = 22")
    for _ in range(2):
        assert places(log, 1) == [place for place in places_of(1, 40) if place not in {13, 22}]


def test_a_position_far_behind_the_others_is_reached(tmp_path: Path, opened: Open):
    """Nobody looks at every place between."""
    log = opened()
    log.append("t", acts_up_to(22))
    foreign(tmp_path / "log.db", f"UPDATE events SET position = {1 << 61} WHERE position = 22")
    assert places(log, 1) == [place for place in places_of(1, 22) if place != 22]
    assert indexed(tmp_path / "log.db")[0] == 16


DAMAGES = [
    "UPDATE acts SET position = 24 WHERE actor = x''",
    "UPDATE acts SET position = 17 WHERE actor = x''",
    "UPDATE acts SET position = 8 WHERE actor = x''",
    "UPDATE acts SET position = -8 WHERE actor = x''",
    "UPDATE acts SET position = 1 << 60 WHERE actor = x''",
    "DELETE FROM acts WHERE actor = x''",
    "DELETE FROM acts WHERE position = 13",
    "UPDATE acts SET position = 12 WHERE position = 13",
    "UPDATE acts SET position = 99 WHERE position = 13",
    "UPDATE acts SET actor = x'0102' WHERE position = 13",
    "INSERT INTO acts VALUES (x'0102030405060708', 13)",
    "INSERT INTO acts VALUES (x'0102030405060708', 17)",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_contradicts_the_records_is_told(tmp_path: Path, opened: Open, damage: str):
    """Whatever is missing in the index or should not be there, `verify` says so; without the index all is found again."""
    log = opened()
    log.append("t", acts_up_to(19))
    assert places(log, 1) == places_of(1, 19)
    foreign(tmp_path / "log.db", damage)
    assert {found.kind for found in log.verify()} == {"acts"}
    assert set(places(log, 1)) <= set(places_of(1, 19))
    foreign(tmp_path / "log.db", "DELETE FROM acts")
    assert places(log, 1) == places_of(1, 19)
    assert list(log.verify()) == []


def test_what_the_index_says_of_another_type_is_not_believed(tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch):
    """On a damaged page a place may be anything, and in any order; each act comes once at most, and the answer ends."""
    log = opened()
    log.append("t", acts_up_to(24))
    assert places(log, 1) == places_of(1, 24)
    answers = iter([[(22,), ("x",), (99,), (13,)], [(22,), (None,)], [(7,)], []])
    whole = log._all
    monkeypatch.setattr(log, "_all", lambda sql, of: next(answers) if sql == acts.ACTED else whole(sql, of))
    assert places(log, 1) == [22, 13, 7]


def ruin(path: Path, page: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: page * 4096] + b"\xff" * 4096 + data[page * 4096 + 4096 :])


def test_a_ruined_index_is_looked_past(tmp_path: Path, opened: Open):
    """Where SQLite can not read the index, all events are looked through, whatever has been answered already."""
    log = opened()
    log.append("t", [replace(act(number, people=1), actor=Actor("u-0")) for number in range(1, 4_001)])
    everything = list(range(4_000, 0, -1))
    assert places(log, 0) == everything
    log.close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        [root] = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'acts'").fetchone()
    data = (tmp_path / "log.db").read_bytes()
    key = acts.actor_key("u-0")
    leaves = [page for page in range(len(data) // 4096) if data[page * 4096 : page * 4096 + 4096].count(key) > 50]
    assert len(leaves) > 5
    for page in (root - 1, *Random(7).sample(leaves, 3)):
        (tmp_path / "bad.db").write_bytes(data)
        ruin(tmp_path / "bad.db", page)
        log = opened(tmp_path / "bad.db")
        assert places(log, 0) == everything
        assert "file" in {damage.kind for damage in log.verify()}
        log.close()


def test_a_ruined_page_of_events_costs_what_stood_on_it(tmp_path: Path, opened: Open):
    """The acts on all other pages are found, whether they are indexed or not."""
    for is_indexed in (False, True):
        path = tmp_path / f"{is_indexed}.db"
        log = opened(path)
        log.append("t", acts_up_to(400))
        if is_indexed:
            assert places(log, 1) == places_of(1, 400)
        log.close()
        data = path.read_bytes()
        page = data.index(b"body 202 words") // 4096
        lost = {number for number in range(1, 401) if b"body %d words" % number in data[page * 4096 : page * 4096 + 4096]}
        between = range(min(lost), max(lost) + 1)
        ruin(path, page)
        log = opened(path)
        assert 5 < len(lost) < 40
        assert places(log, 1) == [place for place in places_of(1, 400) if place not in between]
