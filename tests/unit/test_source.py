"""A thread in tables answers the views' questions, and says so where its rows cannot be used."""

from __future__ import annotations

import pytest

from threadstore import CommentNotFound, CorruptRecord, Policy, ThreadStore
from threadstore.log._schema import event_checksum, seed
from threadstore.log.sqlite import execute
from threadstore.model.outline import TOP, Node
from threadstore.readmodel.queries import Unfit, event_in, readable
from threadstore.readmodel.source import KnownRows, TableSource, opened_source
from threadstore.testing.given import (
    ANN,
    BOB,
    MODERATOR,
    THREAD,
    described,
    edited,
    id_of,
    locked,
    person_erased,
    posted,
    reacted,
    reported,
    suggested,
)
from threadstore.testing.places import Place
from threadstore.testing.stored import agree

FACTS = [
    described(1, "Lights"),
    posted(2, by=ANN),
    edited(3, 2, "other words"),
    posted(4, to=2, by=BOB),
    reacted(5, 2),
    reported(6, 2),
    suggested(7),
    locked(8),
    person_erased(9, BOB),
]


@pytest.fixture
def store(later: Place) -> ThreadStore:
    store = later.open()
    store.merge(FACTS)
    return store


def change(store: ThreadStore, *statements: str) -> None:
    """Change the tables as no store would."""
    with store.log.database.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def asked(store: ThreadStore, what: str, *arguments: object) -> object:
    """Return what a source answers."""
    with store.log.database.reading() as connection:
        source = execute(connection, opened_source(THREAD, store.policy.rules))
        return execute(connection, getattr(source, what)(*arguments))


def test_a_thread_without_events_has_a_source(store: ThreadStore):
    """There is nothing in it, and nothing is asked of the database for it."""
    source = TableSource("nowhere", Policy().rules, None)
    with store.log.database.reading() as connection:
        assert execute(connection, source.head()).revision == source.revision == 0
        assert execute(connection, source.locks()) is None
        assert execute(connection, source.cutoffs()) == {}
        assert execute(connection, source.facts(())) == {}
        assert not execute(connection, source.said(()))


#: Damage to what is shown, each with how many events can not be read after it.
DAMAGE = {
    "a damaged count in the thread's row": ("UPDATE threads SET total = total + 1", 0),
    "a damaged row of a comment": ("UPDATE comments SET replies = 9 WHERE parent = x''", 0),
    "rows of another release": ("UPDATE threads SET rules = rules + 1", 0),
    "a log ahead of its rows": ("UPDATE threads SET projected = projected - 1", 0),
    "a text that says nothing": ("UPDATE events SET data = zeroblob(length(data)) WHERE position = 3", 1),
    "a text that does not match its checksum": ("UPDATE events SET crc = zeroblob(4) WHERE position = 3", 1),
    "a damaged description": ("UPDATE events SET crc = zeroblob(4) WHERE position = 1", 1),
    "a damaged lock": ("UPDATE events SET data = zeroblob(length(data)) WHERE position = 8", 1),
}


@pytest.mark.parametrize(("damage", "unreadable"), DAMAGE.values(), ids=DAMAGE)
def test_what_can_not_be_used_is_made_anew_and_shown(damage: str, unreadable: int, store: ThreadStore):
    """A page never shows a row that was damaged: the thread is made anew of what can be read, and what can not is counted."""
    change(store, damage)
    view = store.thread(THREAD).view(reader=MODERATOR)
    assert view.unreadable == unreadable
    readable = [record.event for record in store.log.read(THREAD) if not record.damage]
    assert len(readable) == len(FACTS) - unreadable
    agree(store, THREAD, readable) if not unreadable else None
    assert view.counts == store.thread(THREAD).as_known_at(99).counts()


@pytest.mark.parametrize(
    ("damage", "what", "arguments"),
    [
        ("UPDATE events SET crc = zeroblob(4) WHERE position = 1", "head", ()),
        ("DELETE FROM events WHERE position = 1", "head", ()),
        ("UPDATE events SET crc = zeroblob(4) WHERE position = 6", "cells", ([id_of(2)],)),
        ("UPDATE facts SET position = 8 WHERE position = 6", "cells", ([id_of(2)],)),
        ("DELETE FROM comments WHERE parent = x''", "cells", ([id_of(2)],)),
        ("UPDATE events SET crc = zeroblob(4) WHERE position = 9", "cutoffs", ()),
    ],
)
def test_a_source_says_that_rows_are_unfit(damage: str, what: str, arguments: tuple[object, ...], store: ThreadStore):
    """What rests on a record that is damaged or gone is not answered in part."""
    change(store, "DROP TRIGGER events_stay", damage)
    with pytest.raises(Unfit):
        asked(store, what, *arguments)


def test_words_that_no_release_wrote_are_not_shown(store: ThreadStore):
    """A record that matches its checksum and says nothing makes the rows unfit, as one that does not."""
    with store.log.database.reading() as connection:
        source = execute(connection, opened_source(THREAD, store.policy.rules))
        nodes = execute(connection, source.nodes([id_of(2)]))
    with pytest.raises(Unfit):
        source._values([(1, 1, event_crc(1, 1, b"\x90"), b"\x90")])
    assert list(nodes) == [id_of(2)]


def event_crc(position: int, revision: int, data: bytes) -> bytes:
    return event_checksum(seed(THREAD.encode()), position, revision, data)


def test_what_is_not_there_is_not_found(store: ThreadStore):
    """A comment of another thread, a correction, and an id of nothing are no comments of this thread."""
    for id in (id_of(99), id_of(7), "nonsense"):
        with pytest.raises(CommentNotFound):
            store.thread(THREAD).comment(id)


def test_a_row_of_other_types_is_no_record():
    """What SQLite gives back from a damaged page may be of any type: it is left out, or said to be damaged."""
    nonsense = ("x", None, 7, "y")
    assert list(readable(THREAD, [nonsense])) == []
    with pytest.raises(CorruptRecord):
        event_in(THREAD, nonsense)


def test_rows_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """When there are too many, all are forgotten but those that came last; one that differs in anything is not known."""
    monkeypatch.setattr("threadstore.readmodel.source.MOST_ROWS", 2)
    known = KnownRows()
    for name in (b"a", b"b", b"c", b"d"):
        known.keep([(name, 1)], [Node(name.decode(), TOP)])
    assert [known.find((name, 1)) is not None for name in (b"a", b"c", b"d")] == [False, False, True]
    assert known.find((b"d", 2)) is None
