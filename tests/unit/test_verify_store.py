"""An examination finds each kind of difference between what is stored and what is shown; a rebuild mends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from threadstore import Policy, ThreadStore, fold
from threadstore.store import verify
from threadstore.testing.given import ANN, BOB, THREAD, edited, id_of, posted, reacted, removed, unreacted
from threadstore.testing.places import Place
from threadstore.testing.stored import agree

FACTS = [posted(1), posted(2, "@Ann Lee", to=1, by=BOB), reacted(3, 1), edited(4, 1), removed(5, 2), posted(6)]

#: What can be wrong with the rows, each with what is said of it.
WRONG = {
    "a count": ("UPDATE threads SET total = 7", "its row has total = 7, and it should be 2"),
    "a checksum": ("UPDATE threads SET crc = 7", "its row has crc = 7"),
    "a changed comment": ("UPDATE comments SET kids = 7 WHERE parent = x'' AND up = 1", f"wrong: {id_of(1)}"),
    "an index of a comment": ("UPDATE comments SET rank = 7 WHERE rank IS NOT NULL", "comments is missing"),
    "a comment that is lost": ("DELETE FROM comments WHERE up = 1", f"a row of comments is missing: {id_of(1)}"),
    "a comment of nowhere": (
        (
            "INSERT INTO comments SELECT model, parent, dead, zeroblob(16), root, post, text, flags, kids, replies, up, down, "
            "kinds, mentions, author, rank, bucket, active, since, withheld, pinned, crc FROM comments WHERE up = 1"
        ),
        "a row of comments is wrong: 00000000-0000-0000-0000-000000000000",
    ),
    "a reaction": ("UPDATE reactions SET given = 0", f"a row of reactions is wrong: {id_of(1)}"),
    "a fact": ("DELETE FROM facts", f"a row of facts is missing: {id_of(1)}"),
    "an author": ("DELETE FROM authors", "a row of authors is missing: "),
    "a name": ("UPDATE names SET actor = 'somebody-else' WHERE actor = 'ann'", "a row of names is wrong: "),
    "a type that no row has": ("UPDATE threads SET since = zeroblob(3)", "its row has since = "),
}


@pytest.fixture
def store(later: Place) -> ThreadStore:
    store = later.open()
    store.merge(FACTS)
    return store


def change(store: ThreadStore, statement: str) -> None:
    with store.log.database.writing() as connection:
        connection.execute(statement)


@pytest.mark.parametrize(("statement", "says"), WRONG.values(), ids=WRONG)
def test_each_difference_is_found_and_mended(statement: str, says: str, store: ThreadStore):
    """Whatever row says something else than the log is told of with its thread, and is right again after a rebuild."""
    assert list(store.verify()) == []
    change(store, statement)
    found = list(store.verify())
    assert {(damage.kind, damage.position, damage.thread) for damage in found} == {("model", None, THREAD)}
    assert any(says in damage.why for damage in found), found
    store.rebuild_thread(THREAD)
    assert list(store.verify()) == []
    agree(store, THREAD, FACTS)


def test_rows_that_are_never_shown_are_not_examined(store: ThreadStore):
    """Rows of other rules, or of a part of the stream, are made anew before anybody sees them."""
    change(store, "UPDATE threads SET rules = 7, total = 99")
    assert list(store.verify()) == []
    assert store.thread(THREAD).counts().total == 2
    change(store, "UPDATE threads SET projected = 1, total = 99")
    assert list(store.verify()) == []
    assert list(verify.verify_store(store.log, Policy(kinds={"up"}))) == []


def test_a_place_where_only_reactions_waited_is_no_difference(later: Place):
    """A comment that never came, and to which all reactions were withdrawn again, leaves a place that says nothing."""
    store = later.open()
    store.merge([posted(1)])
    store.merge([reacted(3, 2)])
    store.merge([unreacted(4, 2)])
    assert list(store.verify()) == []
    change(store, "UPDATE comments SET up = 1 WHERE up = 0 AND flags <> 0")
    assert [damage.kind for damage in store.verify()] == ["model"]


def test_rows_that_can_not_be_read_are_told(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Where SQLite itself fails among the rows, the thread is named and the examination goes on."""
    change(store, "DROP INDEX comments_by_id")
    change(store, "ALTER TABLE comments RENAME TO lost")
    [damage] = [damage for damage in store.verify() if damage.kind == "model"]
    assert (damage.thread, damage.why) == (THREAD, "its rows cannot be read: no such table: comments")


def test_a_fold_that_depends_on_the_order_is_found(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Each thread is folded in two orders, which must make one thread."""
    monkeypatch.setattr(verify, "fold", lambda events, *, key: fold([*events][:1], key=key))
    assert [(damage.kind, damage.thread) for damage in store.verify()] == [("digest", THREAD)]


@pytest.mark.parametrize("write", [lambda thread: thread.post("more", by=ANN), lambda thread: thread.react(id_of(6), by=BOB)])
def test_a_sound_store_stays_sound(write: Callable[[object], object], store: ThreadStore):
    """What is written does not make a difference."""
    write(store.thread(THREAD))
    assert list(store.verify()) == []
