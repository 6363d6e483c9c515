"""What all logs do alike with a batch."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.errors import ConflictingEvent, CorruptRecord, WrongRevision
from threadstore.log.batch import END, Erasures, check_expected, check_limit, check_place, check_same
from threadstore.log.protocol import ANY, NONE, Position, Record, Revision
from threadstore.model.codec import decode, encode
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentEdited, CommentPosted, CommentReported, Event, ThreadDescribed
from threadstore.model.ids import make_id
from threadstore.model.values import Actor


def number(value: int) -> str:
    return make_id(value, 0, 0)


def some_event(random: Random) -> Event:
    actor = random.choice([None, Actor("a", "Ann"), Actor("b", "Bob", "moderator")])
    id, comment = number(random.randrange(10)), number(random.randrange(10))
    return random.choice(
        [
            CommentPosted(id=id, thread="t", actor=actor, body="words"),
            CommentEdited(id=id, thread="t", actor=actor, comment=comment, body="words"),
            ThreadDescribed(id=id, thread="t", actor=actor, title="words"),
        ]
    )


def some_erasure(random: Random) -> Erasure:
    comment = random.choice([None, number(random.randrange(10))])
    return Erasure(comment, random.choice([None, "a", "b", "c"]), random.choice([None, number(random.randrange(10))]))


@given(seed=st.integers(0, 1 << 32))
def test_many_erasures_absorb_what_one_of_them_absorbs(seed: int):
    """Looking up candidates answers as asking every erasure does."""
    random = Random(seed)
    erasures = [some_erasure(random) for _ in range(random.randrange(4))]
    event = some_event(random)
    assert Erasures(erasures).covers(event) == any(erasure.covers(event) for erasure in erasures)


def test_an_expectation_is_told_in_numbers():
    """WrongRevision names the revision that was expected, also where it was expected in words."""
    check_expected("t", ANY, 3)
    check_expected("t", NONE, 0)
    check_expected("t", Revision(3), 3)
    with pytest.raises(WrongRevision) as error:
        check_expected("t", NONE, 3)
    assert error.value.args == ("t", 0, 3)


def test_old_bytes_are_the_same_fact():
    """A record of an older schema is already there, though a retry encodes it otherwise today."""
    old = encode(CommentReported(id=number(2), thread="t", comment=number(1), reason="spam"))
    old = bytes.fromhex(old.hex().replace("7265706f7274656401", "7265706f7274656400"))  # "reported", schema 0 for 1
    old = old.replace(b"\xc4\x10" + bytes.fromhex(number(1).replace("-", "")), b"", 1).replace(b"\x98", b"\x97", 1)
    event = decode(old)
    assert encode(event) != old
    check_same(event, old, 1)
    with pytest.raises(ConflictingEvent):
        check_same(CommentReported(id=number(2), thread="t", comment=number(1), reason="rude"), old, 1)


@pytest.mark.parametrize("value", ["3", 3.0, True, b"\x03"])
def test_places_and_limits_are_integers(value: object):
    """What SQLite would compare with a number all the same is misuse."""
    with pytest.raises(TypeError, match=f"after must be an int, not {type(value).__name__}"):
        check_place(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"limit must be an int, not {type(value).__name__}"):
        check_limit(value)  # type: ignore[arg-type]


def test_places_and_limits_are_bounded():
    """A place before the first is the first, and one beyond all numbers is the last; there is no negative limit."""
    assert [check_place(place) for place in (-1, 0, 7, END, END + 1)] == [0, 0, 7, END, END]
    assert [check_limit(limit) for limit in (None, 0, 7, END + 1)] == [END, 0, 7, END]
    with pytest.raises(ValueError, match="negative"):
        check_limit(-1)


def test_a_record_belongs_to_the_thread_of_its_event():
    """A record that is filed under another thread is damage, and says where it is."""
    event = CommentPosted(id=number(1), thread="t", body="words")
    assert Record(Position(7), Revision(1), "t", encode(event)).event == event
    with pytest.raises(CorruptRecord, match="another thread than its own, 't'") as found:
        _ = Record(Position(7), Revision(1), "u", encode(event)).event
    assert found.value.position == 7
