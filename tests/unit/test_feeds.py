"""Comments out of their threads: what was said last anywhere, as its threads show it, without loading them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from threadstore import Actor, CommentView, Policy, ThreadStore
from threadstore.log.sqlite import SqliteLog
from threadstore.model import ids
from threadstore.testing.given import ANN, BOB, MODERATOR, THREAD, edited, erased, id_of, posted, reacted
from threadstore.testing.histories import random_history
from threadstore.testing.places import Place, Wall

LATE = 10**13
#: What a feed tells of a comment.
SHOWN = ["id", "parent", "author", "posted_at", "edited_at", "edited_by", "text_id", "body"]
SHOWN += ["concealed", "flags", "stale", "spoiler", "meta"]


def said(view: CommentView) -> list[object]:
    """Return what a feed tells of a comment."""
    return [getattr(view, name) for name in SHOWN]


def opened() -> ThreadStore:
    """Return a store in memory whose present is far behind all that is merged."""
    return ThreadStore(SqliteLog.open(":memory:"), now=Wall(LATE))


@pytest.mark.parametrize("reader", [None, "a", Actor("b"), MODERATOR], ids=["nobody", "an id", "an author", "a moderator"])
def test_a_feed_shows_what_threads_show(reader: Actor | str | None, monkeypatch: pytest.MonkeyPatch):
    """Of any histories, page by page, a feed holds the comments that their threads show to this reader, as they show them."""
    monkeypatch.setattr("threadstore.readmodel.lists._TOGETHER", 2)
    concealed, seen_edited = set(), 0
    for seed in range(80):
        store = opened()
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
        expected = [(key, said(view)) for _, key, view in shown]
        assert [(item.thread, said(item.comment)) for item in pages] == expected, seed
        whole = store.latest(limit=1_000, reader=reader)
        assert [(item.thread, said(item.comment)) for item in whole] == expected, seed
        assert [item.position for item in whole] == [record.position for id, _, _ in shown if (record := store.log.find(id))]
        concealed |= {item.comment.concealed for item in whole}
        seen_edited += sum(item.comment.edited_at is not None for item in whole)
        store.close()
    assert concealed == {None, "spoiler"}
    assert seen_edited


def test_a_storm_of_reactions_is_not_read():
    """A feed reads the comments that it shows and no reaction, however many came later."""
    store = opened()
    ids_ = [store.thread(key).post(f"in {key}", by=ANN) for key in "abc"]
    for number in range(50):
        store.thread("b").react(ids_[1], by=f"u-{number}")
    asked: list[str] = []
    store.log.database._writer.set_trace_callback(asked.append)
    assert [item.comment.id for item in store.latest(limit=2)] == [ids_[2], ids_[1]]
    assert not [statement for statement in asked if "reactions" in statement]
    assert len(asked) < 12


def test_a_feed_begins_where_it_is_told():
    """Any position is a place to go on from: the end and what lies behind it, the beginning, and what is no comment."""
    store = opened()
    store.merge([posted(1), reacted(2, 1), posted(3)])
    for before, numbers in ((None, [3, 1]), (10**15, [3, 1]), (4, [3, 1]), (3, [1]), (2, [1]), (1, []), (0, []), (-5, [])):
        assert [item.comment.id for item in store.latest(before=before)] == [id_of(number) for number in numbers]
        assert [item.comment.id for item in store.by_person("ann", before=before)] == [id_of(number) for number in numbers]
    assert store.latest(limit=0) == ()
    assert store.by_person("") == ()
    with pytest.raises(ValueError, match="limit"):
        store.latest(limit=-1)


def test_a_person_is_told_from_another_with_the_same_key(monkeypatch: pytest.MonkeyPatch):
    """Two ids that have one hash are two people all the same."""
    monkeypatch.setattr("threadstore.model.values.actor_key.__code__", (lambda actor: 0 if actor is None else 7).__code__)
    store = opened()
    store.merge([posted(1), posted(2, by=BOB), edited(3, 2, by=BOB)])
    assert [item.comment.id for item in store.by_person("ann")] == [id_of(1)]
    assert [item.comment.id for item in store.by_person("bob")] == [id_of(2)]


def test_an_overview_goes_on(later: Place):
    """Threads are listed by when something happened in them last, page after page, with their titles and counts."""
    store = later.open()
    for number in range(7):
        store.merge([replace(posted(number + 1), thread=f"t{number}")])
    store.thread("t3").describe(by=MODERATOR, title="Lights", url="/lights")
    pages, after = [], None
    while True:
        page = store.overview(limit=3, after=after)
        pages.append([(line.thread, line.title, line.counts.total) for line in page.threads])
        after = page.next
        if after is None:
            break
    assert pages[0] == [("t3", "Lights", 1), ("t6", "", 1), ("t5", "", 1)]
    assert pages[1:] == [[("t4", "", 1), ("t2", "", 1), ("t1", "", 1)], [("t0", "", 1)]]


def test_a_title_of_a_person_who_is_forgotten_is_not_shown(later: Place):
    """An overview does not name an article in the words of a person whose words were erased."""
    store = later.open()
    store.thread("a").describe(by=MODERATOR, title="Lights", url="/lights")
    store.thread("a").post("I was there.", by=ANN)
    [line] = store.overview().threads
    assert (line.title, line.url) == ("Lights", "/lights")
    store.erase_person(MODERATOR.id, by=MODERATOR)
    [line] = store.overview().threads
    assert line.title == ""


def test_lists_of_other_rules_are_made_anew(later: Place):
    """What another policy made is judged anew before it is listed: feeds, counts, the overview and the queue."""
    mine = later.open()
    mine.merge([posted(1), posted(2, by=BOB, held=True), erased(3, 1, by=ANN)])
    yours = later.open(policy=Policy(moderators={"reader"}))
    assert yours.counts([THREAD])[THREAD].total == 0
    assert mine.counts([THREAD])[THREAD].total == 1
    assert yours.latest() == ()
    assert [item.comment.id for item in mine.latest()] == [id_of(1)]
    assert [line.counts.total for line in yours.overview().threads] == [0]
    assert [line.waiting for line in mine.overview().threads] == [1]
    assert [item.id for page in yours.queue() for item in page.items] == [id_of(2)]
    assert mine.rebuild() == 1
    assert mine.rebuild() == 0
    told: list[str] = []
    assert yours.rebuild(progress=told.append) == 1
    assert told == [THREAD]


def test_more_threads_than_one_statement_asks_for(monkeypatch: pytest.MonkeyPatch, later: Place):
    """However many threads are counted, each is counted once."""
    monkeypatch.setattr("threadstore.readmodel.lists._MANY", 2)
    store = later.open()
    keys = [f"t{number}" for number in range(5)]
    for number, key in enumerate(keys):
        store.merge([replace(posted(number + 1), thread=key)])
    assert {key: counts.total for key, counts in store.counts([*keys, "none"]).items()} == {**dict.fromkeys(keys, 1), "none": 0}
    assert ids.NIL not in {item.comment.id for item in store.latest()}
