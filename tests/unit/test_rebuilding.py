"""Rows are made anew of the log: at once, or beside those that are shown, while others write and read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from threadstore import Policy, StoredThread, ThreadStore
from threadstore.log.sqlite import execute
from threadstore.readmodel.queries import thread_row
from threadstore.readmodel.rebuild import Builder, built, portion_cleared
from threadstore.store import rebuilding
from threadstore.testing.given import ANN, BOB, EDITOR, MODERATOR, THREAD, edited, erased, id_of, person_erased, posted, reacted
from threadstore.testing.places import Place
from threadstore.testing.stored import agree, rows_agree

OTHER = Policy(moderators={"editor"}, kinds={"up", "support"})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thread of a few events be a large one, which is made in portions of a few rows, without pauses."""
    monkeypatch.setattr(rebuilding, "LARGE", 5)
    monkeypatch.setattr(rebuilding, "_GENTLE", rebuilding._Pace(rows=3, pause=0, nap=0))
    monkeypatch.setattr("threadstore.readmodel.rebuild._CHUNK", 4)
    monkeypatch.setattr("threadstore.readmodel.rebuild._CATCH_UP", 2)


FACTS = [
    posted(1),
    posted(2, "@Ann Lee, no", to=1, by=BOB),
    reacted(3, 1),
    edited(4, 1, "@Bob, yes"),
    posted(5, to=2),
    posted(6, by=BOB),
    erased(7, 6),
    posted(8, held=True),
    person_erased(9, BOB, by=EDITOR),
    posted(10, to=6),
]


@pytest.fixture
def store(later: Place) -> ThreadStore:
    """Return a store with a thread that is large by the measure of these tests."""
    store = later.open()
    store.merge(FACTS)
    return store


def models(store: ThreadStore) -> set[int]:
    """Return the numbers under which there are rows."""
    with store.log.database.reading() as connection:
        tables = ("comments", "reactions", "facts", "authors", "names")
        return {model for table in tables for (model,) in connection.execute(f"SELECT DISTINCT model FROM {table}")}


def row_of(store: ThreadStore) -> object:
    with store.log.database.reading() as connection:
        return execute(connection, thread_row(THREAD))


def between(store: ThreadStore, happens: Callable[[int], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen at each pause of a rebuild; it is told how many there were before."""
    pauses = iter(range(1_000_000))
    resting: list[bool] = []

    def pause(seconds: float) -> None:
        if not resting:
            resting.append(True)
            happens(next(pauses))
            resting.pop()

    monkeypatch.setattr(rebuilding.time, "sleep", pause)


def test_a_small_thread_is_made_in_one_transaction(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Nobody sees a part of it, and its rows keep their number."""
    monkeypatch.setattr(rebuilding, "LARGE", 100)
    before = row_of(store)
    store.rebuild_thread(THREAD)
    assert row_of(store) == before
    agree(store, THREAD, FACTS)


def test_a_large_thread_is_made_beside_the_one_that_is_shown(store: ThreadStore):
    """It is shown under another number when it is whole, twice over, and nothing is left of the former rows."""
    for model in (-1, 1, -1):
        store.rebuild_thread(THREAD)
        assert models(store) == {model}
        assert row_of(store).building == 0
        agree(store, THREAD, FACTS)
    assert list(store.verify()) == []


def test_a_thread_without_events_is_made_of_nothing(store: ThreadStore):
    """There is nothing to be done for it, at once or in portions."""
    store.rebuild_thread("nowhere")
    assert store._rebuilding.rebuild("nowhere", 1_000, wait=True)
    with store.log.database.writing() as connection:
        assert execute(connection, built("nowhere", store.policy.rules)) is None
    assert store.thread("nowhere").counts().total == 0


def test_posts_go_on_while_a_thread_is_made(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """What is written meanwhile is shown at once, and is in the new rows when these are shown."""
    article, written = store.thread(THREAD), []

    def write(pause: int) -> None:
        if len(written) < 12 and -1 in models(store):
            pause = len(written)
            id = article.post(f"@Bob {pause}", by=MODERATOR)
            if pause % 3 == 0:
                article.react(id, by=ANN)
            if pause % 4 == 0:
                article.edit(id, "@Ann Lee", by=MODERATOR)
            written.append(id)
            rows_agree(store, THREAD)
            assert article.comment(id).author == MODERATOR

    between(store, write, monkeypatch)
    store.rebuild_thread(THREAD)
    assert len(written) == 12
    assert models(store) == {-1}
    agree(store, THREAD, list(store.export()))


def test_words_that_are_erased_while_a_thread_is_made_stay_erased(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """An erasure that comes between two portions is in the rows when they are shown."""

    def erase(pause: int) -> None:
        if pause == 1:
            store.thread(THREAD).erase(id_of(5), by=MODERATOR)
        if pause == 2:
            store.erase_person(MODERATOR.id, by=MODERATOR)

    between(store, erase, monkeypatch)
    store.rebuild_thread(THREAD)
    agree(store, THREAD, list(store.export()))
    assert store.thread(THREAD).comment(id_of(5)).concealed == "erased"


def test_a_damaged_record_among_those_that_came_meanwhile_is_counted(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """What can not be read when the new rows are brought up to date is left out, and counted as it is by a rebuild."""

    ids: list[str] = []

    def damage(pause: int) -> None:
        if not ids and -1 in models(store):
            ids[:] = [store.thread(THREAD).post(f"late {number}", by=ANN) for number in range(3)]
            with store.log.database.writing() as connection:
                connection.execute("UPDATE events SET crc = zeroblob(4) WHERE position = 12")

    between(store, damage, monkeypatch)
    store.rebuild_thread(THREAD)
    assert len(ids) == 3
    assert store.thread(THREAD).view().unreadable == 1
    rows_agree(store, THREAD)


def test_the_later_of_two_takes_over(later: Place, store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Of two that make one thread at once the earlier gives up and tries again; the rows are whole whoever ends."""
    other = later.open()

    def take_over(pause: int) -> None:
        if pause == 3:
            other.rebuild_thread(THREAD)

    between(store, take_over, monkeypatch)
    store.rebuild_thread(THREAD)
    assert len(models(store)) == 1
    agree(store, THREAD, FACTS)


def test_one_that_is_always_overtaken_gives_up(later: Place, store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Whoever is overtaken again and again leaves the thread to the others, and says so."""
    other = later.open()

    def take_over(pause: int) -> None:
        with store.log.database.writing() as connection:
            connection.execute("UPDATE threads SET building = building + 2")

    between(store, take_over, monkeypatch)
    assert not store._rebuilding.rebuild(THREAD, 10, wait=True)
    monkeypatch.undo()
    agree(other, THREAD, FACTS)
    other.rebuild_thread(THREAD)
    assert len(models(other)) == 1


def test_one_that_is_overtaken_in_the_end_gives_up(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Also when all rows are written and only what came meanwhile is left, whoever is overtaken shows nothing of its own."""

    def take_over(pause: int) -> None:
        with store.log.database.writing() as connection:
            if connection.execute("SELECT 1 FROM names WHERE model = -1").fetchone():
                connection.execute("UPDATE threads SET building = building + 2")

    between(store, take_over, monkeypatch)
    assert not store._rebuilding.rebuild(THREAD, 10, wait=True)
    monkeypatch.undo()
    agree(store, THREAD, FACTS)


def test_a_thread_of_an_earlier_release_is_made_in_portions(store: ThreadStore):
    """A thread that never had rows has none to clear away."""
    with store.log.database.writing() as connection:
        for table in ("comments", "reactions", "facts", "authors", "names"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE threads SET model = 0, projected = 0, rules = 0")
    assert store.thread(THREAD).counts().total == 4
    assert models(store) == {1}
    agree(store, THREAD, FACTS)


def test_a_stretch_of_damage_is_passed_over(store: ThreadStore):
    """However many records in a row can not be read, those behind them are."""
    with store.log.database.writing() as connection:
        connection.execute("UPDATE events SET crc = zeroblob(4) WHERE position BETWEEN 2 AND 9")
    store.rebuild_thread(THREAD)
    view = store.thread(THREAD).view()
    assert (view.unreadable, view.counts.total) == (8, 2)
    rows_agree(store, THREAD)


def test_a_record_that_is_told_twice_counts_once(store: ThreadStore):
    """Where a damaged index leads to one row by two ways, the thread has it once."""
    builder = Builder(THREAD, store.policy.rules)
    for revision, fact in ((1, FACTS[0]), (1, FACTS[0]), (2, FACTS[1])):
        builder.take(revision, revision, fact)
    assert (builder.revision, builder.unreadable, len(list(builder.nodes))) == (2, 0, 2)


@pytest.mark.parametrize("portion", range(0, 12, 2))
def test_what_was_killed_half_way_is_made_anew(store: ThreadStore, portion: int, monkeypatch: pytest.MonkeyPatch):
    """A process that dies while it makes a thread leaves what is shown as it was, and the next one begins with clearing."""

    def die(pause: int) -> None:
        if pause == portion:
            raise SystemExit

    between(store, die, monkeypatch)
    with pytest.raises(SystemExit):
        store.rebuild_thread(THREAD)
    monkeypatch.setattr(rebuilding.time, "sleep", lambda seconds: None)
    agree(store, THREAD, FACTS)
    store.thread(THREAD).post("goes on", by=ANN)
    store.rebuild_thread(THREAD)
    assert len(models(store)) == 1
    agree(store, THREAD, list(store.export()))


def test_rows_are_cleared_a_few_at_a_time(store: ThreadStore):
    """Each portion takes some rows of one table away, until none is left."""
    with store.log.database.writing() as connection:
        counts = []
        while count := execute(connection, portion_cleared(1, 3)):
            counts.append(count)
    assert max(counts) == 3
    assert models(store) == set()


# --- who makes them, and when ---------------------------------------------------------------------------------------------------


def test_a_reader_under_another_policy_makes_the_rows_anew(later: Place, store: ThreadStore):
    """The first who reads after a change of rules pays for it, and the next finds the rows made."""
    other = later.open(policy=OTHER)
    other.thread(THREAD).counts()
    agree(other, THREAD, FACTS)
    asked: list[str] = []
    other.log.database._writer.set_trace_callback(asked.append)
    other.thread(THREAD).view()
    assert not [statement for statement in asked if statement.startswith(("INSERT", "DELETE", "UPDATE"))]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[StoredThread, sqlite3.Connection]]:
    """Return a thread whose rows are of other rules, and a connection of another process that is about to write."""
    with Place(tmp_path / "elsewhere.db") as place:
        place.wall.ms = 1 << 42
        place.open().merge(FACTS)
        with closing(sqlite3.connect(tmp_path / "elsewhere.db", isolation_level=None)) as other:
            yield place.open(policy=OTHER).thread(THREAD), other


def test_a_reader_does_not_wait_for_a_writer(elsewhere: tuple[StoredThread, sqlite3.Connection]):
    """Where somebody writes, the rows are left as they are and the answer comes from the log; it is the same answer."""
    article, other = elsewhere
    other.execute("BEGIN IMMEDIATE")
    meanwhile = article.view(), article.counts(), article.queue()
    with article._store.log.database.reading() as connection:
        assert execute(connection, thread_row(THREAD)).model == 1
    other.execute("ROLLBACK")
    assert (article.view(), article.counts(), article.queue()) == meanwhile
    with article._store.log.database.reading() as connection:
        assert execute(connection, thread_row(THREAD)).model == -1


def test_a_reader_does_not_wait_for_this_process_either(elsewhere: tuple[StoredThread, sqlite3.Connection]):
    """Where another Python thread writes, the answer comes from the log as well."""
    article, _ = elsewhere
    with article._store.log.database.writing():
        meanwhile = article.view()
    assert article.view() == meanwhile


def test_a_thread_that_can_never_be_used_is_read_from_the_log(elsewhere: tuple[StoredThread, sqlite3.Connection]):
    """If the rows are unfit again each time they were made, two policies at odds say, a reader has an answer all the same."""
    article, other = elsewhere
    store = article._store
    rebuild = store.mended

    def in_vain(key: str, *, wait: bool = False) -> bool:
        done = rebuild(key, wait=wait)
        other.execute("UPDATE threads SET rules = 7")
        return done

    store.mended = in_vain
    assert article.counts().total == 3
    del store.mended
    assert article.counts().total == 3


def test_a_command_makes_the_rows_anew_first(elsewhere: tuple[StoredThread, sqlite3.Connection]):
    """Who writes under other rules waits for the rows, and is decided by these rules."""
    article, _ = elsewhere
    article.react(id_of(1), "up", by=ANN)
    article.remove(id_of(5), by=EDITOR)
    agree(article._store, THREAD, list(article._store.export()))


def test_hooks_are_asked_of_rows_of_these_rules(later: Place, store: ThreadStore):
    """A hook that looks at the thread sees it under the store's own policy, whoever made the rows before."""
    seen: list[int] = []
    policy = Policy(moderators={"editor"}, may=lambda command, thread: seen.append(thread.counts().hidden) or True)
    later.open(policy=policy).thread(THREAD).post("asked", by=ANN)
    assert seen == [2]
    assert store.thread(THREAD).counts().hidden == 1


def test_what_was_not_folded_is_caught_up_with(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """However little was folded before the rows were written, whatever is left is brought in, in ever larger turns."""
    monkeypatch.setattr(rebuilding, "_LATE", 0)
    monkeypatch.setattr(rebuilding, "_TURNS", 1)
    store.rebuild_thread(THREAD)
    agree(store, THREAD, FACTS)
