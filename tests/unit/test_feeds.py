"""Comments out of their threads: what was said last anywhere, as its threads show it, without loading them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from threadstore import Actor, CommentView, ThreadStore, summaries
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Record
from threadstore.log.sqlite import SqliteLog
from threadstore.testing.given import ANN, BOB, EPOCH, MODERATOR, id_of, posted, reacted
from threadstore.testing.histories import random_history
from threadstore.testing.places import Wall

LATE = 10**13
#: What a feed tells of a comment.
SHOWN = ["id", "parent", "author", "posted_at", "edited_at", "edited_by", "text_id", "body"]
SHOWN += ["concealed", "standing", "stale", "spoiler", "meta"]


def said(view: CommentView) -> list[object]:
    """Return what a feed tells of a comment."""
    return [getattr(view, name) for name in SHOWN]


@pytest.mark.parametrize("reader", [None, "a", Actor("b"), MODERATOR], ids=["nobody", "an id", "an author", "a moderator"])
def test_a_feed_shows_what_threads_show(reader: Actor | str | None, monkeypatch: pytest.MonkeyPatch):
    """Of any histories, page by page, a feed holds the comments that their threads show to this reader, as they show them."""
    monkeypatch.setattr(summaries, "LISTED", 2)
    monkeypatch.setattr(summaries, "_KEPT", 3)
    monkeypatch.setattr("threadstore.store.feeds._TOGETHER", 2)
    concealed, edited = set(), 0
    for seed in range(80):
        store = ThreadStore(MemoryLog(), now=Wall(LATE))
        store.merge(random_history(seed, 30, thread="t0"))
        for number in range(4):
            store.thread(f"t{number % 2 + 1}").post(f"comment {seed}", by=ANN, spoiler=number == 1, held=number == 2)
        wanted = []
        for key in store.threads():
            thread = store.thread(key)
            wanted += [(view.id, key, view) for view in thread.flat(order="newest", limit=1_000, reader=reader).comments]
        shown = [
            place for place in sorted(wanted, key=lambda place: place[0], reverse=True) if place[2].concealed in (None, "spoiler")
        ]
        pages, before = [], None
        while page := store.latest(limit=3, before=before, reader=reader):
            pages += page
            before = page[-1].position
        positions = {id: record.position for id, _, _ in shown if (record := store.log.find(id))}
        if sorted(positions.values(), reverse=True) == list(positions.values()):  # else pages by position may overlap
            assert [(item.thread, said(item.comment)) for item in pages] == [(key, said(view)) for _, key, view in shown], seed
        whole = store.latest(limit=1_000, reader=reader)
        assert [(item.thread, said(item.comment)) for item in whole] == [(key, said(view)) for _, key, view in shown], seed
        assert [item.position for item in whole] == list(positions.values())
        concealed |= {item.comment.concealed for item in whole}
        edited += sum(item.comment.edited_at is not None for item in whole)
    assert concealed == {None, "spoiler"}
    assert edited


def test_a_storm_of_reactions_is_not_read(tmp_path: Path):
    """A feed reads the comments that it shows and nothing else, however many other events came later, and loads no thread."""
    path = tmp_path / "comments.db"
    with ThreadStore(SqliteLog.open(path, durability="off"), now=Wall(LATE)) as store:
        ids = [store.thread(key).post(f"in {key}", by=ANN) for key in "abc"]
        for number in range(50):
            store.thread("b").react(ids[1], by=f"u-{number}")
    with ThreadStore(SqliteLog.open(path, durability="off"), now=Wall(LATE)) as store:
        read: list[object] = []
        find = store.log.find

        def noting(id: str) -> Record | None:
            read.append(id)
            return find(id)

        store.log.find = noting  # type: ignore[method-assign]
        assert [item.comment.id for item in store.latest(limit=2)] == [ids[2], ids[1]]
        assert set(read) == {ids[1], ids[2]}
        assert len(store._hot) == 0


def test_a_feed_leaves_out_what_is_gone_meanwhile(monkeypatch: pytest.MonkeyPatch):
    """A comment that is erased, or that can not be read, when its words are fetched is in no feed."""
    store = ThreadStore(MemoryLog(), now=Wall(EPOCH))
    ids = [store.thread("a").post(f"comment {number}", by=ANN) for number in range(4)]
    edit = store.thread("a").edit(ids[0], "changed", by=ANN)
    store.thread("b").post("wait", by=BOB, held=True)
    assert [item.comment.body for item in store.latest()] == ["comment 3", "comment 2", "comment 1", "changed"]
    find = store.log.find

    def damaged(id: str) -> Record | None:
        record = find(id)
        if id == edit or record is None:
            return None
        return replace(record, damage="a byte") if id == ids[2] else record

    summed = store._summed_lazily
    monkeypatch.setattr(store.log, "find", damaged)
    assert [item.comment.body for item in store.latest(reader=BOB)] == ["wait", "comment 3", "comment 1"]
    before = dict(summed(["a"]))
    store.thread("a").erase(ids[3], by=MODERATOR)
    monkeypatch.setattr(
        store, "_summed_lazily", lambda keys: [(key, before.get(key) or dict(summed([key]))[key]) for key in keys]
    )
    assert [item.comment.body for item in store.latest()] == ["comment 1"]


def test_a_feed_begins_where_it_is_told():
    """Any position is a place to go on from: the end and what lies behind it, the beginning, and what is no comment."""
    store = ThreadStore(MemoryLog(), now=Wall(LATE))
    store.merge([posted(1), reacted(2, 1), posted(3)])
    for before, numbers in ((None, [3, 1]), (10**15, [3, 1]), (4, [3, 1]), (3, [1]), (2, [1]), (1, []), (0, []), (-5, [])):
        assert [item.comment.id for item in store.latest(before=before)] == [id_of(number) for number in numbers]
    assert store.latest(limit=0) == ()
    with pytest.raises(ValueError, match="limit"):
        store.latest(limit=-1)
