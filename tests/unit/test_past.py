"""A thread as of then: its tree and votes are of the past, its words and what conceals them are today's."""

from __future__ import annotations

import pytest

from threadstore import SUPPORT, Event, StoredThread
from threadstore.testing.given import (
    ANN,
    BOB,
    MODERATOR,
    THREAD,
    edited,
    erased,
    id_of,
    locked,
    moment,
    pinned,
    posted,
    reacted,
    removed,
)
from threadstore.testing.places import Place

FACTS: list[Event] = [
    posted(1),
    posted(2, to=1, by=BOB),
    reacted(3, 1),
    edited(4, 1, "other words"),
    pinned(5, 1),
    locked(6),
]


@pytest.fixture
def thread(later: Place) -> StoredThread:
    store = later.open()
    for fact in FACTS:
        store.merge([fact])
    return store.thread(THREAD)


def test_a_past_is_folded_once_while_nothing_changes(thread: StoredThread, monkeypatch: pytest.MonkeyPatch):
    """Several questions about one past fold the thread once; a change of today's thread folds it again."""
    store, folds = thread._store, []
    fold = store.fold
    monkeypatch.setattr(store, "fold", lambda key: folds.append(key) or fold(key))
    past = thread.as_of(moment(3))
    assert [past.counts().total, past.view().comments[0].reactions, len(past.flat().comments)] == [2, {SUPPORT: 1}, 2]
    assert folds == [THREAD]
    store.merge([removed(7, 2, by=MODERATOR)])
    assert past.comment(id_of(2)).concealed == "removed"
    assert folds == [THREAD] * 2


def test_a_past_by_position_and_one_by_time_differ(later: Place):
    """What had happened is not what was known: an older fact may have come later."""
    store = later.open()
    store.merge([posted(5)])
    store.merge([posted(3, by=ANN)])
    thread = store.thread(THREAD)
    assert [comment.id for comment in thread.as_known_at(1).view().comments] == [id_of(5)]
    assert [comment.id for comment in thread.as_of(moment(3)).view().comments] == [id_of(3)]
    assert thread.as_known_at(0).view().comments == thread.as_of(0).view().comments == ()


def test_a_past_counts_what_can_not_be_read(thread: StoredThread):
    """A record that is damaged is missing in the past as well, and is counted."""
    with thread._store.log.database.writing() as connection:
        connection.execute("UPDATE events SET crc = zeroblob(4) WHERE position = 2")
    view = thread.as_of(moment(9)).view()
    assert (view.unreadable, view.counts.total, view.revision) == (1, 1, 6)


def test_words_that_were_erased_are_in_no_past(thread: StoredThread):
    """An erasure reaches a past that was asked before."""
    past = thread.as_of(moment(2))
    assert past.comment(id_of(1)).body == "other words"
    thread._store.merge([erased(7, 1)])
    assert "words" not in str([past.view(reader=MODERATOR, reveal="all"), past.flat(reader=ANN)])
