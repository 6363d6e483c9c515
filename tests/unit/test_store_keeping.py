"""What a store keeps, and what it forgets: erasure, damage, backups, full devices."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

import threadstore
from threadstore import (
    Actor,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    NotAllowed,
    PersonErased,
    ReactionGiven,
    StoredThread,
    StoreFull,
    StoreUnavailable,
    ThreadStore,
    UnsupportedSchema,
)
from threadstore.model.ids import make_id
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    EPOCH,
    MODERATOR,
    THREAD,
    erased,
    id_of,
    posted,
    reacted,
)
from threadstore.testing.places import Place


def bodies(thread: StoredThread, **reading: object) -> list[str | None]:
    """Return what stands on the first page, the top level alone."""
    return [comment.body for comment in thread.view(**reading).comments]


def fresh_id(number: int, ms: int = EPOCH) -> str:
    """Return an id as a careful client makes it."""
    return make_id(ms, 0, number)


# --- forgetting -----------------------------------------------------------------------------------------------------------------


def files_of(path: Path) -> dict[str, bytes]:
    """Return what is in the files of a store."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name)}


def test_no_file_holds_what_was_erased(tmp_path: Path):
    """Erased words are in no file of the store: not while it is open, not in its WAL (sequent#222), not when it is closed."""
    path = tmp_path / "comments.db"
    unspeakable = [b"unspeakable", b"unutterable", b"Unmentionable", b"unwritable"]
    with threadstore.open(path) as store:
        article = store.thread(THREAD)
        for number in range(200):
            article.post(f"filling {number}", by=BOB)
        first = article.post("unspeakable", by=ANN, meta={"site": "unwritable"})
        article.edit(first, "unutterable", by=ANN)
        person = Actor("u-9", "Unmentionable")
        second = store.thread("another").post("unspeakable", by=person)
        store.thread("another").edit(second, "unutterable", by=person)
        assert any(words in data for words in unspeakable for data in files_of(path).values())
        article.erase(first, by=MODERATOR)
        assert store.erase_person("u-9", by=MODERATOR)
        assert not [name for name, data in files_of(path).items() for words in unspeakable if words in data]
    assert not [name for name, data in files_of(path).items() for words in unspeakable if words in data]
    with threadstore.open(path) as store:
        assert list(store.verify()) == []
        assert store.thread(THREAD).counts().hidden == 1


def test_a_person_is_forgotten_in_every_thread(place: Place):
    """One call forgets a person's words wherever they acted; their ids and everybody else's words stay."""
    store = place.open()
    for key in "abc":
        comment = store.thread(key).post(f"in {key}", by=BOB)
        if key != "b":
            place.wall.ms += 1
            store.thread(key).reply(comment, "unspeakable", by=Actor("ann", "Ann Unmentionable"))
            store.thread(key).report(comment, by=ANN, reason="unspeakable")
    ids = store.erase_person("ann", by=MODERATOR)
    assert [type(store.log.find(id).event) for id in ids] == [PersonErased, PersonErased]
    assert "un" not in str(list(store.export()))
    assert [counts.hidden for counts in store.counts(["a", "b", "c"]).values()] == [1, 0, 1]
    assert [store.thread(key).view().comments[0].body for key in "abc"] == ["in a", "in b", "in c"]
    assert store.erase_person("ann", by=MODERATOR) == ids


def test_who_may_have_a_person_forgotten(store: ThreadStore):
    """A moderator, and the person themself, be it by their id alone; nobody else. Who never acted has nothing to be forgotten."""
    store.thread("a").post("I was there.", by=ANN)
    for by in (BOB, "bob", None):
        with pytest.raises(NotAllowed):
            store.erase_person("ann", by=by)
    assert len(store.erase_person("ann", by="ann")) == 1
    assert store.erase_person("cyd", by=MODERATOR) == ()


def test_a_person_takes_their_words_with_them(store: ThreadStore):
    """All that one person did is exported as JSON, whole and in order, and nothing of anybody else's."""
    comment = store.thread("a").post("I was there: “überall”.", by=ANN, meta={"site": "https://example.org"})
    store.thread("a").reply(comment, "Where?", by=BOB)
    reaction = store.thread("a").react(store.thread("b").post("Elsewhere.") and comment, by=ANN)
    events = json.loads(store.export_person("ann"))
    assert [(event["type"], event["id"]) for event in events] == [("comment.posted", comment), ("reaction.given", reaction)]
    assert (events[0]["body"], events[0]["meta"]) == ("I was there: “überall”.", {"site": "https://example.org"})
    assert json.loads(store.export_person("cyd")) == []


# --- the whole ------------------------------------------------------------------------------------------------------------------


def test_a_sound_store_has_no_damage(later: Place):
    """Verifying reads everything and finds nothing to complain of."""
    store = later.open()
    store.merge([posted(1), posted(2, to=1, by=BOB), replace(posted(3), thread="another"), reacted(4, 1)])
    assert list(store.verify()) == []


def test_damage_of_the_log_is_told_with_its_place(store: ThreadStore):
    """What the log finds wrong is yielded as it is, and nothing else is concluded from what is left of the thread."""
    store.thread("a").post("I was there.")
    store.thread("a").post("So was I.")
    with store.log.database.writing() as connection:
        connection.execute("UPDATE events SET crc = zeroblob(4) WHERE position = 2")
    assert [(damage.kind, damage.position, damage.thread) for damage in store.verify()] == [("checksum", 2, "a")]


def test_a_backup_is_a_store(later: Place, tmp_path: Path):
    """A copy opens like the original, at the same positions, also where the original is in memory; it is sound."""
    store = later.open()
    store.merge([posted(1), posted(2, to=1, by=BOB), replace(posted(3), thread="another"), reacted(4, 1)])
    store.thread(THREAD).erase(id_of(1), by=MODERATOR)
    store.backup(tmp_path / "copy.db")
    with threadstore.open(tmp_path / "copy.db", now=later.wall) as copy:
        assert list(copy.verify()) == []
        assert list(copy.log.read_all()) == list(store.log.read_all())
        assert copy.thread(THREAD).view() == store.thread(THREAD).view()


def test_a_backup_remembers_what_was_erased(later: Place, tmp_path: Path):
    """Words that were erased in the original do not come back to the copy from a replica that still has them."""
    store = later.open()
    store.merge([posted(1, "gone before"), erased(60, 1), posted(3)])
    store.backup(str(tmp_path / "copy.db"))
    with threadstore.open(tmp_path / "copy.db", now=later.wall) as copy:
        copy.merge([CommentEdited(id=id_of(2), thread=THREAD, actor=ANN, comment=id_of(1), body="unspeakable"), posted(5)])
        assert "unspeakable" not in str(list(copy.export()))
        assert copy.thread(THREAD).counts().total == 2


def test_a_backup_overwrites_nothing(store: ThreadStore, tmp_path: Path):
    """A file that is there, be it a mere link to nowhere, is left as it is."""
    taken, link = tmp_path / "taken.db", tmp_path / "link.db"
    taken.write_bytes(b"mine")
    link.symlink_to(tmp_path / "nowhere")
    for path in (taken, link, tmp_path):
        with pytest.raises(StoreUnavailable):
            store.backup(path)
    assert taken.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_backup_that_fails_leaves_no_file(store: ThreadStore, tmp_path: Path):
    """Where there can be no copy there is none, nor half of one."""
    store.thread("a").post("I was there.")
    with pytest.raises(StoreUnavailable):
        store.backup(tmp_path / "nowhere" / "copy.db")
    assert not (tmp_path / "nowhere").exists()


def test_a_store_of_a_newer_release_is_not_opened(tmp_path: Path):
    """A file that says that it is of a later schema is left alone."""
    threadstore.open(tmp_path / "comments.db").close()
    with closing(sqlite3.connect(tmp_path / "comments.db")) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(UnsupportedSchema):
        threadstore.open(tmp_path / "comments.db")


def test_a_full_device_is_not_hidden(place: Place):
    """A write for which there is no room says so, and can be repeated when there is."""
    store = place.open()
    article, writer = store.thread(THREAD), store.log.database._writer
    [pages] = writer.execute("PRAGMA page_count").fetchone()
    [most] = writer.execute("PRAGMA max_page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        article.post("I was there." * 1_000, by=CYD, id=fresh_id(1))
    assert store.log.position() == 0
    writer.execute(f"PRAGMA max_page_count = {most}")
    assert article.post("I was there." * 1_000, by=CYD, id=fresh_id(1)) == fresh_id(1)
    article.react(fresh_id(1), by=BOB)
    article.delete(fresh_id(1), by=CYD)
    assert [type(event) for event in article.history()] == [CommentPosted, ReactionGiven, CommentDeleted]
