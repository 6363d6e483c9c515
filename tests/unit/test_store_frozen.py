"""A store starts a large cold thread from its frozen columns: a shortcut, never needed, never believed when it is not sound."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from threadstore import Policy, StoreFull, ThreadStore
from threadstore.dense import DenseThread
from threadstore.frozen import fingerprint
from threadstore.heads import Heads
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import EventLog, Revision, Snapshot
from threadstore.model.events import Erasure, Event
from threadstore.model.policy import Rules
from threadstore.store.verify import verify_store
from threadstore.streams import StreamOf
from threadstore.testing.given import (
    ANN,
    BOB,
    MODERATOR,
    THREAD,
    edited,
    erased,
    id_of,
    moment,
    posted,
    reacted,
    removed,
    unreacted,
)
from threadstore.testing.places import Place, Wall, frozen_of, keep_frozen

RULES = Policy().rules
#: From how many events on a thread is frozen here, and how many may have come since.
LEAST, TAIL = 40, 10
COUNT = LEAST + 5


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small threads be frozen."""
    monkeypatch.setattr("threadstore.store.store.SNAPSHOT_FROM", LEAST)
    monkeypatch.setattr("threadstore.store.store._TAIL", TAIL)


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch, place: Place) -> list[str]:
    """Return the keys of the threads that are read from their heads."""
    log, asked = type(place.open().log), list[str]()
    read = log.heads

    def heads(self: EventLog, thread: str, *, after: int = 0) -> Any:
        asked.append(thread)
        return read(self, thread, after=after)

    monkeypatch.setattr(log, "heads", heads)
    return asked


def kept(store: ThreadStore, rules: Rules = RULES) -> Snapshot | None:
    return store.log.load_snapshot(THREAD, fingerprint(rules))


def fill(place: Place, count: int = COUNT) -> ThreadStore:
    """Open a store with as many comments, none of which it has in memory."""
    place.wall.ms = moment(100_000)
    place.open().merge(posted(number) for number in range(1, count + 1))
    return place.open()


def state_of(events: Sequence[Event]) -> bytes:
    """Return the thread of these events, frozen."""
    log = MemoryLog()
    log.append(THREAD, events)
    thread = DenseThread(THREAD, RULES, StreamOf(log, THREAD))
    thread.read()
    state = thread.freeze()
    assert state is not None
    return state


GOOD = state_of([posted(number) for number in range(1, 6)])


# --- keeping, and starting from it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "is_kept"), [(LEAST - 1, False), (LEAST, True)])
def test_a_large_cold_thread_gets_a_snapshot(count: int, is_kept: bool, place: Place):
    """Only a thread that took some effort to read is put away; the snapshot stands at the thread's revision."""
    store = fill(place, count)
    assert store.thread(THREAD).counts().total == count
    found = kept(store)
    assert (found is not None) == is_kept
    assert found is None or found.revision == count


def test_a_cold_thread_starts_from_its_snapshot(place: Place, heads: list[str]):
    """The snapshot is what is read, and of the log only what is behind it: no head is asked for, and nothing is kept again."""
    store = fill(place)
    first = store.thread(THREAD).view(limit=100), store.thread(THREAD).digest()
    assert set(heads) == {THREAD}
    del heads[:]
    cold = place.open().thread(THREAD)
    assert (cold.view(limit=100), cold.digest()) == first
    before = kept(store)
    place.open().thread(THREAD).post("later", by=ANN)
    later = place.open()
    assert later.thread(THREAD).counts().total == COUNT + 1
    assert later.thread(THREAD).view(limit=100).revision == COUNT + 1
    assert (heads, kept(store)) == ([], before)


def test_what_is_shown_is_what_was_kept(place: Place):
    """A thread is begun with what its snapshot holds, whatever that is: nobody counts the records again."""
    store = fill(place)
    store.log.store_snapshot(THREAD, Snapshot(fingerprint(RULES), Revision(COUNT), GOOD))
    place.open().thread(THREAD).post("later", by=ANN)
    cold = place.open()
    assert cold.thread(THREAD).counts().total == 6
    with cold.using(THREAD) as thread:
        assert thread.revision == COUNT + 1


def test_a_snapshot_is_renewed_when_much_has_come(place: Place, heads: list[str]):
    """A cold start reads on from it while that is little, and the cost of snapshots stays in proportion to what was written."""
    fill(place).thread(THREAD).counts()
    for more, revision, is_read in ((TAIL, COUNT, False), (1, COUNT + TAIL + 1, True)):
        present = place.open().thread(THREAD).revision
        del heads[:]
        place.open().log.append(THREAD, [reacted(number, 1) for number in range(1_000 + present, 1_000 + present + more)])
        store = place.open()
        assert store.thread(THREAD).counts().total == COUNT
        assert (THREAD in heads) == is_read
        found = kept(store)
        assert found is not None
        assert found.revision == revision


def test_what_came_while_it_was_read_is_not_frozen(wall: Wall):
    """Columns that something was added to are not those that were built; the next cold start keeps them."""

    class Racing(MemoryLog):
        others: tuple[Event, ...] = ()

        def revision(self, thread: str) -> Revision:
            others, self.others = self.others, ()
            for event in others:
                self.append(thread, [event])
            return super().revision(thread)

    log = Racing()
    log.append(THREAD, [posted(number) for number in range(1, COUNT + 1)])
    log.others = (posted(COUNT + 1),)
    store = ThreadStore(log, now=wall)
    with store.using(THREAD) as thread:
        assert thread.counts().total == COUNT + 1
    assert kept(store) is None
    assert ThreadStore(log, now=wall).thread(THREAD).counts().total == COUNT + 1
    assert kept(store) is not None


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
    thread = place.open().thread(THREAD)
    thread.edit(id_of(1), "edited", by=ANN)
    assert thread.as_of(moment(5)).counts().total == 5
    assert thread.as_of(moment(5)).comment(id_of(1)).body == "edited"
    assert len(list(thread.history())) == COUNT + 1


# --- not believing it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [b"", b"\x93", GOOD[:-1], GOOD + b"\0", bytes(len(GOOD))])
def test_a_store_reads_past_a_damaged_snapshot(state: bytes, place: Place, heads: list[str]):
    """A snapshot that can not be read is as good as none, and is replaced."""
    store = fill(place)
    store.log.store_snapshot(THREAD, Snapshot(fingerprint(RULES), Revision(5), state))
    assert store.thread(THREAD).counts().total == COUNT
    assert THREAD in heads
    found = kept(store)
    assert found is not None
    assert found.revision == COUNT
    assert place.open().thread(THREAD).counts().total == COUNT


def test_a_snapshot_of_another_fold_is_not_served(place: Place):
    """A changed fold never shows what the former one made (eventsourcing: 9 instead of 18); it makes a snapshot of its own."""
    store = fill(place)
    store.log.store_snapshot(THREAD, Snapshot("former", Revision(COUNT), GOOD))
    assert store.thread(THREAD).counts().total == COUNT
    assert kept(store) is not None


def test_a_snapshot_under_other_rules_is_not_served(place: Place, heads: list[str]):
    """Columns count what their rules count: a store with others reads the thread anew, and shows it by its own."""
    fill(place)
    place.open().merge([reacted(1_000, 1, "like"), reacted(1_001, 1, "support")])
    other = Policy(kinds={"like"})
    for policy, counted in ((Policy(), {"support": 1}), (other, {"like": 1}), (Policy(), {"support": 1})):
        del heads[:]
        store = place.open(policy=policy)
        assert store.thread(THREAD).comment(id_of(1)).reactions == counted
        assert set(heads) == {THREAD}
        assert kept(store, policy.rules) is not None


def test_a_snapshot_of_more_than_there_is(place: Place):
    """Where the end of a thread is lost, and its snapshot is not, the thread is what can be read; what is written next counts."""
    store = fill(place)
    events = [posted(number) for number in range(1, COUNT + 11)]
    store.log.store_snapshot(THREAD, Snapshot(fingerprint(RULES), Revision(COUNT + 10), state_of(events)))
    assert [damage.kind for damage in store.verify()] == ["snapshot"]
    assert store.thread(THREAD).counts().total == COUNT
    place.open().thread(THREAD).post("next", by=ANN)
    cold = place.open().thread(THREAD)
    assert (cold.counts().total, cold.view(limit=100).revision, cold.view().unreadable) == (COUNT + 1, COUNT + 1, 0)


def test_a_snapshot_that_can_not_be_kept_is_no_error(wall: Wall):
    """Reading does not fail for want of room for a shortcut."""

    class Full(MemoryLog):
        asked = 0

        def store_snapshot(self, thread: str, snapshot: Snapshot) -> None:
            self.asked += 1
            raise StoreFull("comments.db")

    log = Full()
    log.append(THREAD, [posted(number) for number in range(1, COUNT + 1)])
    assert ThreadStore(log, now=wall).thread(THREAD).counts().total == COUNT
    assert log.asked == 1


# --- forgetting ---------------------------------------------------------------------------------------------------------------


def test_a_snapshot_brings_nothing_back(place: Place):
    """What was erased is in no snapshot, whoever erased it, and in no thread that starts from one."""
    store = fill(place)
    store.thread(THREAD).edit(id_of(7), "unspeakable", by=ANN)
    assert place.open().thread(THREAD).comment(id_of(7)).body == "unspeakable"
    stale = kept(store)
    assert stale is not None
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
    assert found.revision == COUNT + 2


def test_a_snapshot_is_kept_anew_after_an_erasure(place: Place):
    """A thread that was read anew, since another process had erased something, is put away without it."""
    store = fill(place)
    store.thread(THREAD).counts()
    place.open().thread(THREAD).erase(id_of(7), by=MODERATOR)
    assert kept(store) is None
    store.thread(THREAD).counts()
    found = kept(store)
    assert found is not None
    assert found.revision == COUNT + 1


# --- verifying ----------------------------------------------------------------------------------------------------------------


def lively(random: Random) -> list[Event]:
    """Return the facts of a thread in which everything is there that columns hold, and something that they do not."""
    events: list[Event] = []
    for number in range(1, 120):
        about, by = random.randint(1, max(number - 1, 1)), random.choice([ANN, BOB])
        kind = random.choice(["support", "up", "down"])
        events.append(
            random.choice(
                [
                    posted(number, to=random.choice([None, about]), by=by),
                    posted(number, by=None, spoiler=random.random() < 0.2),
                    random.choice([reacted, unreacted])(number, about, kind, by=by),
                    edited(number, about, by=by),
                    removed(number, about),
                ]
            )
        )
    random.shuffle(events)
    return events


@pytest.mark.parametrize("seed", range(8))
def test_what_a_store_keeps_is_sound(seed: int, place: Place):
    """Whatever a thread is made of, its snapshot is made again of its records, also when more has come since."""
    random = Random(f"verified {seed}")
    place.wall.ms = moment(100_000)
    events = lively(random)
    place.open().merge(events[:100])
    store = place.open()
    store.thread(THREAD).counts()
    assert kept(store) is not None
    assert list(store.verify()) == []
    store.merge(events[100 : 100 + TAIL // 2])
    assert list(store.verify()) == []
    assert kept(store) is not None


def test_verifying_looks_into_snapshots(place: Place):
    """A snapshot that is not what the records amount to is damage, though the log can not tell; under other rules nobody can."""
    store = fill(place)
    store.thread(THREAD).counts()
    assert list(store.verify()) == []
    for revision, state in ((COUNT, GOOD), (COUNT + 1, GOOD), (COUNT + 2, b"nonsense")):
        store.log.store_snapshot(THREAD, Snapshot(fingerprint(RULES), Revision(revision), state))
        assert [(damage.kind, damage.thread) for damage in store.verify()] == [("snapshot", THREAD)]
    assert list(verify_store(store.log, Policy(kinds={"nod"}))) == []


def test_a_snapshot_of_nothing_is_damage(wall: Wall):
    """A thread without a revision has no snapshot: one that says so was not made by a store."""
    store = ThreadStore(MemoryLog(), now=wall)
    store.thread(THREAD).post("first", by=ANN)
    empty = DenseThread(THREAD, RULES, StreamOf(MemoryLog(), THREAD))
    empty.read()
    state = empty.freeze()
    assert state is not None
    assert empty.resume(0, state)
    store.log.store_snapshot(THREAD, Snapshot(fingerprint(RULES), Revision(0), state))
    assert [damage.kind for damage in store.verify()] == ["snapshot"]


def test_an_erasure_while_verifying_is_no_damage(wall: Wall):
    """A snapshot that is gone before its records are read was dropped with a name that they had."""

    class Erasing(MemoryLog):
        is_examined = False

        def heads(self, thread: str, *, after: int = 0) -> Heads:
            if self.is_examined:
                self.append(thread, [erased(5_000, 7)], erasures=[Erasure(comment=id_of(7))])
            return super().heads(thread, after=after)

    log = Erasing()
    log.append(THREAD, [posted(number, by=ANN) for number in range(1, COUNT + 1)])
    store = ThreadStore(log, now=wall)
    assert store.thread(THREAD).counts().total == COUNT
    assert kept(store) is not None
    log.is_examined = True
    assert list(store.verify()) == []
    assert kept(store) is None


def test_an_erasure_that_was_merged_takes_the_snapshot_with_it(place: Place):
    """Whoever brings an erasure, what was kept before it is dropped."""
    store = fill(place)
    store.thread(THREAD).counts()
    assert kept(store) is not None
    store.merge([erased(5_000, 7)])
    assert kept(store) is None


def test_small_threads_are_frozen_for_tests(place: Place, heads: list[str]):
    """What tests keep of a thread, however small, is what a store keeps, and starts from; of an empty one nothing is kept."""
    store = fill(place, 3)
    keep_frozen(store.log, "empty")
    assert store.log.load_snapshot("empty", fingerprint(RULES)) is None
    keep_frozen(store.log, THREAD)
    assert kept(store) == frozen_of(store.log, THREAD)
    del heads[:]
    assert place.open().thread(THREAD).counts().total == 3
    assert heads == []
