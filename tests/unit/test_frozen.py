"""A frozen thread thaws to what it was, or to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from threadstore import Policy, fold
from threadstore.dense import DenseThread
from threadstore.frozen import fingerprint, freeze, thaw
from threadstore.log.memory import MemoryLog
from threadstore.model.events import Event
from threadstore.model.policy import Rules
from threadstore.snapshots import SEAL, seal
from threadstore.streams import StreamOf
from threadstore.testing.given import CYD, THREAD, edited, posted, reacted, removed, unreacted

RULES = Policy().rules
STORY = [
    posted(1), posted(2, to=1), reacted(3, 1), unreacted(4, 1, "down"), edited(5, 2), removed(6, 2), posted(7, by=CYD),
    posted(9, to=8),
]  # fmt: skip


def thread_of(log: MemoryLog) -> DenseThread:
    """Return the thread of a log, still to be read."""
    return DenseThread(THREAD, RULES, StreamOf(log, THREAD))


@pytest.fixture
def log() -> MemoryLog:
    """Return a log with a story."""
    log = MemoryLog()
    log.append(THREAD, STORY)
    return log


@pytest.fixture
def state(log: MemoryLog) -> bytes:
    """Return the thread of the story, frozen."""
    thread = thread_of(log)
    thread.read()
    state = thread.freeze()
    assert state is not None
    return state


def test_a_thread_goes_on_where_it_was_frozen(log: MemoryLog, state: bytes):
    """It says what a thread says that was read from the log, and so it does when more comes."""
    thread, plain = thread_of(log), fold(STORY)
    assert thread.resume(len(STORY), state)
    plain.revision = len(STORY)
    assert (thread.view(), thread.digest()) == (plain.view(), plain.digest())
    assert thread.freeze() == state
    log.append(THREAD, [reacted(10, 7)])
    thread.admit(reacted(10, 7), len(STORY) + 1)
    plain.apply(reacted(10, 7))
    plain.revision += 1
    assert thread.view() == plain.view()
    assert thread.freeze() is None


def test_a_thread_that_is_ahead_or_damaged_is_not_frozen(log: MemoryLog):
    """What the log does not have, or has no longer, is in no snapshot."""
    ahead, damaged = thread_of(log), thread_of(log)
    for thread in (ahead, damaged):
        thread.read()
    ahead.apply(removed(10, 1))
    damaged.miss(len(STORY) + 1)
    assert [thread.freeze() for thread in (ahead, damaged)] == [None, None]


def test_what_was_changed_does_not_thaw(state: bytes):
    """One byte, a cut end, or another thread's: it is as good as none."""
    thawed = thaw(THREAD, RULES, state)
    assert thawed is not None
    assert freeze(THREAD, thawed) == state
    random = Random(5)
    for place in [*range(SEAL + 20), *random.sample(range(len(state)), 100)]:
        assert thaw(THREAD, RULES, state[:place] + bytes([state[place] ^ 1]) + state[place + 1 :]) is None
    assert [thaw(THREAD, RULES, state[:end]) for end in (0, 5, SEAL, len(state) - 1)] == [None] * 4
    assert thaw("another", RULES, state) is None


def test_what_does_not_fit_together_does_not_thaw(log: MemoryLog, state: bytes):
    """Also if somebody has sealed it: columns of other lengths, ends that are no ids, and what is no such thing at all."""
    stored: list[Any] = msgspec.msgpack.decode(state[SEAL:])
    spoilt: list[Any] = [None, [], stored[:3], stored[:4], ["no id", *stored[1:]], [*stored[:2], b"123", *stored[3:]]]
    (columns, *others), shelves = stored[3:]
    for place, column in enumerate(columns):
        if column:
            spoilt.append([*stored[:3], [[*columns[:place], column[:-1], *columns[place + 1 :]], *others], shelves])
    spoilt.append([*stored[:3], [[*columns[:3], columns[3][:-4], *columns[4:]], *others], shelves])
    for wrong in spoilt:
        payload = msgspec.msgpack.encode(wrong)
        assert thaw(THREAD, RULES, seal(THREAD, payload) + payload) is None
        assert not thread_of(log).resume(8, seal(THREAD, payload) + payload)
    assert thaw(THREAD, RULES, seal(THREAD, msgspec.msgpack.encode(stored)) + msgspec.msgpack.encode(stored)) is not None


def test_no_column_may_have_lost_its_end(state: bytes):
    """Each is held against the others: one that is an item short, and sealed so, is not believed."""
    stored: list[Any] = msgspec.msgpack.decode(state[SEAL:])
    columns, actors, others, votes, reactions, edits = stored[3]
    assert all(columns)
    assert others == [] != edits
    shorter = [cut(columns, place, -8 if place in (0, 1, 8) else -4) for place in range(len(columns))]
    tables = [[each, actors, others, votes, reactions, edits] for each in shorter]
    tables.append([columns, actors[:-16], others, votes, reactions, edits])
    tables.append([columns[:-1], actors, others, votes, reactions, edits])
    tables += [[columns, actors, others, [[kind, column[:-4]]], reactions, edits] for kind, column in votes]
    tables += [[columns, actors, others, votes, cut(reactions, place, -4), edits] for place in range(3)]
    tables.append([columns, actors, others, votes, [b"", b"", b""], edits])
    assert len(tables) == 17
    for table in tables:
        payload = msgspec.msgpack.encode([*stored[:3], table, *stored[4:]])
        assert thaw(THREAD, RULES, seal(THREAD, payload) + payload) is None


def cut(columns: list[bytes], place: int, end: int) -> list[bytes]:
    """Return the columns with one of them cut off."""
    return [*columns[:place], columns[place][:end], *columns[place + 1 :]]


def test_shelves_hold_the_whole_top_level(state: bytes):
    """One that has lost a rank or its votes, that is empty, or that is there twice is not believed, however well it is sealed."""
    stored: list[Any] = msgspec.msgpack.decode(state[SEAL:])
    *others, shelves = stored
    assert [(up, down, len(ranks)) for up, down, ranks in shelves] == [(0, 0, 8), (1, 0, 4)]
    none, one = shelves
    for wrong in (
        [], [none],
        [none, [1, 0, one[2][:-1]]], [none, [1, 0, b""]], [none, one, [2, 0, b""]], [none, one, one], [none, none, one],
        [none, [0, 0, one[2]]], [[0, 0, none[2] + one[2]], one], [none, one[:2]], [none, ["1", 0, one[2]]],
    ):  # fmt: skip
        payload = msgspec.msgpack.encode([*others, wrong])
        assert thaw(THREAD, RULES, seal(THREAD, payload) + payload) is None, wrong


def test_an_empty_thread_thaws():
    """A thread without events is a state like any other."""
    thread = thread_of(MemoryLog())
    thread.read()
    state = thread.freeze()
    assert state is not None
    again = thread_of(MemoryLog())
    assert again.resume(0, state)
    assert (again.view(), again.earliest, again.latest) == (thread.view(), thread.earliest, thread.latest)


def test_a_thread_of_which_something_can_not_be_read_is_not_begun(log: MemoryLog, state: bytes):
    """What is not plain is read from the log; where that fails, whoever reads the thread from its heads is told what is left."""

    class Lost(StreamOf):
        def fetch(self, revisions: Sequence[int]) -> dict[int, Event]:
            return {revision: event for revision, event in super().fetch(revisions).items() if revision != 6}

    assert not DenseThread(THREAD, RULES, Lost(log, THREAD)).resume(len(STORY), state)


@pytest.mark.parametrize(
    "other",
    [
        Policy(moderators=frozenset({"editor"})),
        Policy(kinds=frozenset({"up"})),
        Policy(positive=frozenset()),
        Policy(positive=frozenset(), negative=frozenset({"support"})),
        Policy(kinds=frozenset({"support", "up"}), exclusive=(frozenset({"support", "up"}),)),
    ],
)
def test_other_rules_have_another_fingerprint(other: Policy):
    """Columns depend on who moderates, on the kinds that count, for and against, and on those that exclude one another."""
    assert fingerprint(other.rules) != fingerprint(RULES) == fingerprint(Policy(max_body=5).rules)
    assert isinstance(other.rules, Rules)
