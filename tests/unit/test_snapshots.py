"""A snapshot is a thread's state as bytes: a shortcut, never needed, never believed when it is not sound."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from threadstore import CommentPosted, Policy, StoreFull, Thread, ThreadStore, fold, frozen
from threadstore.codec import SCHEMA, encode
from threadstore.dense import DenseThread
from threadstore.events import REGISTERS, Event
from threadstore.ids import NIL
from threadstore.logs.memory import MemoryLog
from threadstore.logs.protocol import Revision, Snapshot
from threadstore.snapshots import FINGERPRINT, SEAL, restore, seal, snapshot
from threadstore.store import SNAPSHOT_FROM
from threadstore.streams import StreamOf
from threadstore.testing.given import (
    ANN,
    BOB,
    MODERATOR,
    THREAD,
    approved,
    deleted,
    edited,
    erased,
    id_of,
    moment,
    posted,
    reacted,
    removed,
    restored,
    unlocked,
    unreacted,
)
from threadstore.testing.places import Place, Wall
from threadstore.testing.universe import STORIES, UNIVERSE

#: What a store asks for.
KEPT = frozen.fingerprint(Policy().rules)


def sealed(stored: object, key: str = THREAD) -> bytes:
    """Return a snapshot as it would be of such a state."""
    payload = msgspec.msgpack.encode(stored)
    return seal(key, payload) + payload


def looks(thread: Thread) -> tuple[object, ...]:
    """Return what can be told of a thread from outside."""
    pages = [thread.view(reader=reader, reveal="all", limit=100) for reader in (None, ANN, MODERATOR)]
    return (
        thread.key,
        thread.revision,
        thread.latest,
        thread.earliest,
        thread.digest(),
        pages,
        thread.queue(),
        thread.corrections(),
    )


# --- the bytes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [(), *STORIES.values(), UNIVERSE], ids=["nothing", *STORIES, "universe"])
def test_a_snapshot_is_a_state(events: tuple[Event, ...]):
    """A thread restored from its snapshot looks like the one that it was taken of, and gives the same snapshot."""
    thread = fold(events, key=THREAD)
    thread.revision = 77
    again = restore(THREAD, 77, snapshot(thread))
    assert again is not None
    assert looks(again) == looks(thread)
    assert snapshot(again) == snapshot(thread)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([posted(2, to=1)], [posted(1)]),
        ([edited(9, 1, by=BOB), deleted(3, 1)], [posted(1)]),
        ([posted(1), restored(5, 1, cancels=[3, 4])], [removed(3, 1), removed(6, 1)]),
        ([posted(1), approved(5, 1, cancels=[1])], [posted(1, held=True), edited(6, 1)]),
        ([posted(1), unreacted(9, 1)], [reacted(3, 1), reacted(12, 1)]),
        ([unlocked(9, cancels=[3])], [posted(1)]),
        ([posted(1), edited(5, 1)], [edited(3, 1), edited(7, 1)]),
        ([erased(9, 1)], [posted(1), edited(3, 1)]),
    ],
)
def test_a_snapshot_is_not_a_prefix(before: list[Event], after: list[Event]):
    """What comes later, or should have come earlier, finds all that it meets in a thread that was never put away."""
    again = restore(THREAD, 0, snapshot(fold(before)))
    assert again is not None
    for event in after:
        again.apply(event)
    assert looks(again) == looks(fold([*before, *after]))


def test_equal_states_have_equal_snapshots():
    """The order in which facts arrived is not in the bytes, and neither is a fact that no longer stands."""
    events = [posted(1), edited(3, 1), edited(5, 1), reacted(6, 1)]
    assert snapshot(fold(events)) == snapshot(fold(reversed(events))) == snapshot(fold([*events, edited(4, 1)]))


def test_the_ends_of_a_thread_outlive_the_facts():
    """Ids go on above the largest id ever seen, though its fact does not stand any more."""
    thread = fold([posted(3), deleted(5, 3), deleted(9, 3)])
    again = restore(THREAD, 3, snapshot(thread))
    assert again is not None
    assert (again.earliest, again.latest) == (id_of(3), id_of(9))


GOOD = snapshot(fold([posted(1), edited(3, 1)]))


@pytest.mark.parametrize("index", [0, SEAL - 1, SEAL, SEAL + 10, len(GOOD) // 2, len(GOOD) - 1])
def test_a_damaged_snapshot_is_none(index: int):
    """One byte that changed is enough: a state that merely can be read is not believed."""
    damaged = bytearray(GOOD)
    damaged[index] ^= 1
    assert restore(THREAD, 2, bytes(damaged)) is None


@pytest.mark.parametrize("length", [0, 1, SEAL, len(GOOD) - 1])
def test_half_a_snapshot_is_none(length: int):
    """A state that was cut off is not believed."""
    assert restore(THREAD, 2, GOOD[:length]) is None


def test_a_snapshot_of_another_thread_is_none():
    """A snapshot is of one thread, and does not serve another, not even where the seal is right."""
    assert restore("another", 2, GOOD) is None
    assert restore("another", 2, sealed([id_of(1), id_of(1), [msgspec.Raw(encode(posted(1)))]], "another")) is None


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        [id_of(1), id_of(1)],
        [id_of(1), id_of(1), [], "more"],
        ["later", id_of(1), []],
        [id_of(1), "sooner", []],
        [id_of(1), id_of(1), [[1, 2, 3]]],
        [id_of(1), id_of(1), ["comment.posted"]],
        [id_of(1), id_of(1), [["comment.posted", SCHEMA + 1, b"", "", None]]],
    ],
)
def test_a_sealed_snapshot_that_makes_no_sense_is_none(stored: object):
    """What another release may have sealed is looked at as closely as anything that comes from outside."""
    assert restore(THREAD, 2, sealed(stored)) is None


def test_an_empty_thread_has_a_snapshot():
    """A thread without events is a state like any other."""
    again = restore(THREAD, 0, sealed([NIL, "", []]))
    assert again is not None
    assert looks(again) == looks(Thread(THREAD))


def test_the_fingerprint_names_the_fold(monkeypatch: pytest.MonkeyPatch):
    """Another table of registers, or another set of upcasters, is another fold; the same is the same in every process."""
    from threadstore import snapshots

    assert snapshots._fingerprint() == FINGERPRINT
    monkeypatch.setattr(snapshots, "REGISTERS", {**REGISTERS, CommentPosted: ()})
    assert snapshots._fingerprint() != FINGERPRINT
    monkeypatch.undo()
    monkeypatch.setattr(snapshots, "UPCASTERS", {("comment.posted", 1): list})
    assert snapshots._fingerprint() != FINGERPRINT


# --- in a store ---------------------------------------------------------------------------------------------------------------


def kept(store: ThreadStore) -> Snapshot | None:
    return store.log.load_snapshot(THREAD, KEPT)


def fill(place: Place, count: int = SNAPSHOT_FROM + 10) -> ThreadStore:
    """Open a store with as many comments, none of which it has in memory."""
    place.wall.ms = moment(100_000)
    place.open().merge(posted(number) for number in range(1, count + 1))
    return place.open()


@pytest.mark.parametrize(("count", "is_kept"), [(SNAPSHOT_FROM - 1, False), (SNAPSHOT_FROM, True)])
def test_a_large_cold_thread_gets_a_snapshot(count: int, is_kept: bool, place: Place):
    """Only a thread that took some effort to fold is put away; the snapshot stands at the thread's revision."""
    store = fill(place, count)
    assert store.thread(THREAD).counts().total == count
    found = kept(store)
    assert (found is not None) == is_kept
    assert found is None or found.revision == count


def test_a_snapshot_is_renewed_when_much_has_come(place: Place):
    """A cold start reads on from it while that is little, and the cost of snapshots stays in proportion to what was written."""
    count = SNAPSHOT_FROM + 10
    fill(place, count).thread(THREAD).counts()
    for more, revision in ((1, count), (count, 2 * count + 1)):
        present = place.open().thread(THREAD).revision
        place.open().merge(reacted(number, 1) for number in range(10_000 + present, 10_000 + present + more))
        store = place.open()
        assert store.thread(THREAD).counts().total == count
        found = kept(store)
        assert found is not None
        assert found.revision == revision


def test_a_cold_thread_starts_from_its_snapshot(place: Place):
    """The snapshot is what is read, and of the log only what is behind it."""
    store = fill(place)
    store.thread(THREAD).counts()
    found = kept(store)
    assert found is not None
    log = MemoryLog()
    log.append(THREAD, [posted(number) for number in range(1, 6)])
    fewer = DenseThread(THREAD, Policy().rules, StreamOf(log, THREAD))
    fewer.read()
    store.log.store_snapshot(THREAD, Snapshot(KEPT, found.revision, fewer.freeze() or b""))
    place.open().thread(THREAD).post("later", by=ANN)
    cold = place.open()
    assert cold.thread(THREAD).counts().total == 6
    with cold.using(THREAD) as thread:
        assert thread.revision == found.revision + 1


@pytest.mark.parametrize("state", [b"", b"\x93", GOOD[:-1]])
def test_a_store_reads_past_a_damaged_snapshot(state: bytes, place: Place):
    """A snapshot that can not be read is as good as none, and is replaced."""
    store = fill(place)
    store.log.store_snapshot(THREAD, Snapshot(KEPT, Revision(5), state))
    assert store.thread(THREAD).counts().total == SNAPSHOT_FROM + 10
    found = kept(store)
    assert found is not None
    assert found.revision == SNAPSHOT_FROM + 10
    assert place.open().thread(THREAD).counts().total == SNAPSHOT_FROM + 10


def test_a_snapshot_of_another_fold_is_not_served(place: Place):
    """A changed fold never shows what the former one made (eventsourcing: 9 instead of 18); it makes a snapshot of its own."""
    store = fill(place)
    store.log.store_snapshot(THREAD, Snapshot("former", Revision(SNAPSHOT_FROM + 10), snapshot(fold([posted(1)]))))
    assert store.thread(THREAD).counts().total == SNAPSHOT_FROM + 10
    assert kept(store) is not None


def test_a_snapshot_brings_nothing_back(place: Place):
    """What was erased is in no snapshot, whoever erased it, and in no thread that starts from one."""
    store = fill(place)
    thread = store.thread(THREAD)
    thread.edit(id_of(7), "unspeakable", by=ANN)
    with store.using(THREAD) as before:
        stale = Snapshot(KEPT, Revision(before.revision), snapshot(before))
    store.log.store_snapshot(THREAD, stale)
    place.open().thread(THREAD).erase(id_of(7), by=MODERATOR)
    assert kept(store) is None
    store.log.store_snapshot(THREAD, stale)
    assert kept(store) is None
    for each in (store, place.open(), place.open()):
        assert each.thread(THREAD).comment(id_of(7)).concealed == "erased"
        with each.using(THREAD) as after:
            assert "unspeakable" not in str(list(after.facts()))
    found = kept(store)
    assert found is not None
    assert b"unspeakable" not in found.state


def test_a_snapshot_is_kept_anew_after_an_erasure(place: Place):
    """A thread that was read anew, since another process had erased something, is put away without the words."""
    store = fill(place)
    store.thread(THREAD).counts()
    place.open().thread(THREAD).erase(id_of(7), by=MODERATOR)
    assert kept(store) is None
    store.thread(THREAD).counts()
    found = kept(store)
    assert found is not None
    assert found.revision == SNAPSHOT_FROM + 11


def test_a_thread_from_a_snapshot_takes_its_room(place: Place):
    """Wherever a thread comes from, it takes about as much of the memory that hot threads may take."""
    sizes = []
    for store in (fill(place), place.open()):
        with store._hot.lend(THREAD) as hot:
            store._catch_up(hot)
            sizes.append(hot.size)
    assert 0.9 < sizes[0] / sizes[1] < 1.1


def test_a_past_needs_more_than_a_snapshot(place: Place):
    """A thread that started from a snapshot still tells its past, from the log."""
    fill(place).thread(THREAD).counts()
    thread = place.open(policy=Policy()).thread(THREAD)
    thread.edit(id_of(1), "edited", by=ANN)
    assert thread.as_of(moment(5)).counts().total == 5
    assert thread.as_of(moment(5)).comment(id_of(1)).body == "edited"
    assert len(list(thread.history())) == SNAPSHOT_FROM + 11


def test_a_snapshot_that_can_not_be_kept_is_no_error(wall: Wall):
    """Reading does not fail for want of room for a shortcut."""

    class Full(MemoryLog):
        def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
            raise StoreFull("comments.db")

        def load_snapshot(self, thread: str, fingerprint: str) -> Snapshot | None:
            return None

    def events() -> Iterator[Event]:
        return (posted(number) for number in range(1, SNAPSHOT_FROM + 2))

    wall.ms = moment(100_000)
    log = Full()
    ThreadStore(log, now=wall).merge(events())
    assert ThreadStore(log, now=wall).thread(THREAD).counts().total == SNAPSHOT_FROM + 1


def test_verifying_looks_into_snapshots(place: Place):
    """A snapshot that is not what the records amount to is damage, though the log can not tell."""
    store = fill(place)
    store.thread(THREAD).counts()
    assert list(store.verify()) == []
    store.log.store_snapshot(THREAD, Snapshot(KEPT, Revision(SNAPSHOT_FROM + 10), GOOD))
    assert [(damage.kind, damage.thread) for damage in store.verify()] == [("snapshot", THREAD)]
