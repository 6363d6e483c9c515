"""A large snapshot is written in parts, between which others write; it is whole or not there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from threadstore.errors import StoreFull
from threadstore.log import _sqlite_derived as derived
from threadstore.log._connections import Database
from threadstore.log.protocol import Revision, Snapshot
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Erasure
from threadstore.testing.given import THREAD, posted

Open = Callable[..., SqliteLog]
PART = 1_000
STATE = b"".join(b"<%06d>" % number for number in range(1_300))
LARGE = Snapshot("fold", Revision(2), STATE)
PARTS = len(STATE) // PART


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small snapshots be large."""
    monkeypatch.setattr(derived, "PART", PART)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Return a list of what happens before the next transactions: one thing before each."""
    todo: list[Callable[[], object]] = []
    writing = Database.writing

    @contextmanager
    def interrupted(self: Database) -> Iterator[Any]:
        if todo:
            todo.pop(0)()
        with writing(self) as writer:
            yield writer

    monkeypatch.setattr(Database, "writing", interrupted)
    return todo


def asked(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return what another program is answered."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def parts(path: Path) -> int:
    """Return how many parts there are beside the last ones."""
    [[many]] = asked(path, "SELECT count(*) FROM snapshot_parts")
    return int(many)


def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, len(STATE)])
def test_a_snapshot_of_any_size_comes_back(tmp_path: Path, opened: Open, size: int):
    """It is cut into parts of one size, of which the last may be shorter, and joined again."""
    log = opened()
    snapshot = Snapshot("fold", Revision(1), STATE[:size])
    log.store_snapshot(THREAD, snapshot)
    assert log.load_snapshot(THREAD, "fold") == snapshot
    assert parts(tmp_path / "log.db") == max(0, (size - 1) // PART)
    assert list(log.verify()) == []


def test_others_write_in_between(opened: Open, between: list[Callable[[], object]]):
    """Before each part another process posts; nobody waits for the whole snapshot."""
    log, other = opened(), opened()
    log.append(THREAD, [posted(1), posted(2)])
    numbers = iter(range(3, 100))
    for _ in range(PARTS):  # to append is a transaction as well
        between += [lambda: other.append("u", [replace(posted(next(numbers)), thread="u")]), nothing]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == LARGE
    assert log.revision("u") == PARTS
    assert list(log.verify()) == []


def test_a_former_snapshot_is_there_until_the_new_one_is(opened: Open, between: list[Callable[[], object]]):
    """Whoever starts in the meantime starts from the former one; its parts are gone afterwards."""
    log = opened()
    former = Snapshot("fold", Revision(1), STATE[::-1])
    log.store_snapshot(THREAD, former)
    seen: list[Snapshot | None] = []
    between += [lambda: seen.append(log.load_snapshot(THREAD, "fold"))] * (PARTS + 1)
    log.store_snapshot(THREAD, LARGE)
    assert seen == [former] * (PARTS + 1)
    assert log.load_snapshot(THREAD, "fold") == LARGE


def test_parts_of_former_snapshots_are_taken_out(tmp_path: Path, opened: Open):
    """Only the parts of the snapshot that is there are kept, and a small one has none."""
    log = opened()
    for revision in (1, 2, 3):
        log.store_snapshot(THREAD, Snapshot("fold", Revision(revision), STATE))
        assert parts(tmp_path / "log.db") == PARTS
    log.store_snapshot("u", LARGE)
    log.store_snapshot(THREAD, Snapshot("fold", Revision(4), b"small"))
    assert parts(tmp_path / "log.db") == PARTS
    assert log.load_snapshot("u", "fold") == LARGE


@pytest.mark.parametrize("when", range(PARTS + 1))
def test_an_erasure_in_between_wins(tmp_path: Path, opened: Open, between: list[Callable[[], object]], when: int):
    """A state that may hold what was erased meanwhile is not kept, and nothing of it stays in the file."""
    log, other = opened(), opened()
    log.append(THREAD, [posted(1), posted(2)])
    between += [nothing] * when + [lambda: other.redact(THREAD, [Erasure(comment=posted(1).id)])]
    log.store_snapshot(THREAD, LARGE)
    assert (log.load_snapshot(THREAD, "fold"), parts(tmp_path / "log.db")) == (None, 0)
    log.close()
    other.close()
    assert not [path for path in tmp_path.iterdir() if b"<0007" in path.read_bytes()]


@pytest.mark.parametrize("when", [0, 1, 3, PARTS])
def test_a_newer_snapshot_in_between_wins(tmp_path: Path, opened: Open, between: list[Callable[[], object]], when: int):
    """Of two that are written at the same time the newer one stays."""
    log, other = opened(), opened()
    newer = Snapshot("fold", Revision(3), STATE[::-1])

    def overtake() -> None:
        between.clear()
        other.store_snapshot(THREAD, newer)

    between += [nothing] * when + [overtake]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == newer
    assert parts(tmp_path / "log.db") == PARTS


@pytest.mark.parametrize("when", [1, 3, PARTS])
def test_who_is_cleared_up_after_gives_up(tmp_path: Path, opened: Open, between: list[Callable[[], object]], when: int):
    """A snapshot whose first parts another has taken for left-overs is not kept in pieces."""
    log, other = opened(), opened()

    def overtake() -> None:
        between.clear()
        other.store_snapshot(THREAD, Snapshot("another fold", Revision(9), b"small"))

    between += [nothing] * when + [overtake]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") is None
    assert log.load_snapshot(THREAD, "another fold") is not None
    assert parts(tmp_path / "log.db") == 0


def test_two_of_the_same_do_each_others_work(opened: Open, between: list[Callable[[], object]]):
    """Processes that start at the same time write the same parts."""
    log, other = opened(), opened()

    def as_well() -> None:
        between.clear()
        other.store_snapshot(THREAD, LARGE)

    between += [nothing, nothing, as_well]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == LARGE
    assert list(log.verify()) == []


@pytest.mark.parametrize("when", range(1, PARTS + 1))
def test_a_disk_that_is_full_keeps_the_former_one(tmp_path: Path, opened: Open, between: list[Callable[[], object]], when: int):
    """Wherever writing fails the former snapshot stays, and what was written of the new one is taken out."""
    log = opened()
    former = Snapshot("fold", Revision(1), b"former")
    log.store_snapshot(THREAD, former)

    def fail() -> None:
        raise StoreFull("the store")

    between += [nothing] * when + [fail]
    with pytest.raises(StoreFull):
        log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == former
    assert parts(tmp_path / "log.db") == 0


def test_who_can_not_clear_up_leaves_it_to_the_next(tmp_path: Path, opened: Open, between: list[Callable[[], object]]):
    """A snapshot is kept though its former one's parts can not be taken out; the next one's writer takes them out."""
    log = opened()
    log.store_snapshot(THREAD, Snapshot("fold", Revision(1), STATE))

    def fail() -> None:
        raise StoreFull("the store")

    between += [nothing] * (PARTS + 1) + [fail]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == LARGE
    assert parts(tmp_path / "log.db") == 2 * PARTS
    log.store_snapshot(THREAD, Snapshot("fold", Revision(3), b"small"))
    assert parts(tmp_path / "log.db") == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM snapshot_parts WHERE part = 3",
        "UPDATE snapshot_parts SET state = zeroblob(1000) WHERE part = 3",
        "UPDATE snapshot_parts SET part = 90 WHERE part = 3",
        "UPDATE snapshot_parts SET revision = 9 WHERE part = 3",
        "UPDATE snapshots SET state = zeroblob(length(state))",
        "UPDATE snapshots SET revision = 1",
    ],
)
def test_a_damaged_part_is_noticed(tmp_path: Path, opened: Open, damage: str):
    """A snapshot of which any part is damaged or missing is none; verifying tells of it, and a new one takes its place."""
    log = opened()
    log.append(THREAD, [posted(1), posted(2)])
    log.store_snapshot(THREAD, LARGE)
    asked(tmp_path / "log.db", damage)
    assert log.load_snapshot(THREAD, "fold") is None
    assert [damage.kind for damage in log.verify()] == ["checksum"]
    log.store_snapshot(THREAD, LARGE)
    assert log.load_snapshot(THREAD, "fold") == LARGE


def test_a_part_of_no_bytes_is_damage():
    """Where a page is damaged a field may be of any type; such a snapshot is none."""

    class Damaged:
        def execute(self, statement: str, parameters: object) -> Any:
            return self

        def fetchall(self) -> list[tuple[Any, ...]]:
            return [(None, b"last", b"fold", 1, b"crc!"), (0, "a text", None, None, None)]

    assert derived.load(Damaged(), THREAD) is None  # type: ignore[arg-type]
