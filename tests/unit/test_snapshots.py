"""A snapshot is a pure thread's state as bytes, which is not believed when it is not sound; what stores keep is frozen."""

from __future__ import annotations

import msgspec
import pytest

from threadstore import CommentPosted, Thread, fold
from threadstore.model.codec import SCHEMA, encode
from threadstore.model.events import REGISTERS, Event
from threadstore.model.ids import NIL
from threadstore.snapshots import FINGERPRINT, SEAL, restore, seal, snapshot
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
    posted,
    reacted,
    removed,
    restored,
    unlocked,
    unreacted,
)
from threadstore.testing.universe import STORIES, UNIVERSE


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
