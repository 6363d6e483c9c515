"""Heads: they say what the events say, nothing else, and notice when they are damaged."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from threadstore.heads import (
    EDIT,
    KIND,
    NAME,
    NO_ID,
    OTHER,
    POST,
    ROLE,
    SIZE,
    WORDS,
    Heads,
    actor_hash,
    are_sound,
    ends,
    has_repeats,
    head,
    heads_of,
    name_hash,
    reaction_code,
    role_of,
)
from threadstore.model.events import REGISTERS, ROLES, Actor, Event, UnknownEvent, is_redacted, redact
from threadstore.model.ids import from_bytes, make_id, to_bytes
from threadstore.testing.given import (
    ANN,
    BOB,
    EPOCH,
    MODERATOR,
    approved,
    cleared,
    decided,
    deleted,
    described,
    edited,
    erased,
    held,
    id_of,
    locked,
    marked,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    resolved,
    restored,
    suggested,
    unlocked,
    unpinned,
    unreacted,
)

#: One event of each kind that can be plain.
PLAIN = [posted(2, to=1), posted(2), posted(2, by=None), reacted(2, 1), unreacted(2, 1, "down"), edited(2, 1)]

#: One event of each other kind, and those that only nearly are plain.
OTHERS = [
    posted(2, spoiler=True),
    posted(2, held=True),
    replace(posted(2), extra=(b"\xc0",)),
    reacted(2, 1, "moved"),
    unreacted(2, 1, "moved"),
    reacted(2, 1, by=None),
    edited(2, 1, by=None),
    deleted(2, 1),
    erased(2, 1),
    person_erased(2, ANN),
    removed(2, 1),
    restored(2, 1, cancels=[1]),
    held(2, 1),
    approved(2, 1, cancels=[1]),
    reported(2, 1),
    resolved(2, 1, cancels=[1]),
    marked(2, 1),
    cleared(2, 1, cancels=[1]),
    pinned(2, 1),
    unpinned(2, 1, cancels=[1]),
    locked(2),
    unlocked(2, cancels=[1]),
    described(2),
    suggested(2),
    decided(2, 1),
    UnknownEvent(id=id_of(2), thread="t", actor=ANN, kind="comment.sung", schema=3),
]

EVERY: list[Event] = [*PLAIN, *OTHERS]


def named(event: Event) -> str:
    """Return what a test about *event* is called."""
    return type(event).__name__


def test_every_kind_is_here():
    """What is said of every kind is said of all there are."""
    assert {type(event) for event in EVERY} == set(REGISTERS)


@pytest.mark.parametrize("event", EVERY, ids=named)
def test_a_head_has_the_fields_of_its_event(event: Event):
    """Each field stands where the layout says."""
    said = head(event)
    assert len(said) == SIZE
    assert from_bytes(said[:16]) == event.id
    assert said[32:48] == (NO_ID if event.actor is None else actor_hash(event.actor.id))
    assert role_of(said[ROLE]) == (None if event.actor is None else event.actor.role)
    assert said[ROLE + 1 : 60] == b"\0\0"
    assert are_sound(said)


def test_heads_made_at_once_are_those_made_one_by_one():
    """Whatever the kinds, the actors and their order."""
    assert heads_of(EVERY) == list(map(head, EVERY))
    assert heads_of([]) == []


def test_a_plain_event_names_what_it_is_about():
    """A comment its parent, or none; a reaction or an edit the comment."""
    above = to_bytes(id_of(1))
    assert [head(event)[16:32] for event in PLAIN] == [above, NO_ID, NO_ID, above, above, above]
    given, withdrawn = reaction_code("support", given=True), reaction_code("down", given=False)
    assert [head(event)[KIND] for event in PLAIN] == [POST, POST, POST, given, withdrawn, EDIT]


@pytest.mark.parametrize("event", OTHERS, ids=named)
def test_what_is_not_plain_says_so(event: Event):
    """Such an event must be decoded to be understood."""
    assert head(event)[KIND] == OTHER


def test_each_reaction_has_a_code_of_its_own():
    """Nothing that is given passes for something that is withdrawn, nor one kind for another, nor for a comment."""
    codes = [reaction_code(kind, given=given) for kind in WORDS for given in (True, False)]
    assert len({*codes, OTHER, POST, EDIT}) == len(codes) + 3
    assert all(code < 256 for code in codes)
    assert reaction_code("moved", given=True) == OTHER
    assert [code & 1 for code in codes] == [0, 1] * len(WORDS)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_told(role: str):
    """A moderator's edit is told from an author's by its head alone."""
    assert role_of(head(posted(1, by=Actor("x", "X", role)))[ROLE]) == role  # type: ignore[arg-type]


def test_only_a_comment_tells_a_name():
    """A name is a hash, never zero and of 63 bits; a blank one is none."""
    assert int.from_bytes(head(posted(1))[NAME : NAME + 8], "big") == name_hash("Ann Lee") != 0
    assert name_hash("Ann Lee") < 1 << 63
    assert name_hash("Ann Lee") != name_hash("ann lee")
    assert [name_hash(""), name_hash(" \t")] == [0, 0]
    assert head(edited(2, 1))[NAME : NAME + 8] == bytes(8)
    assert head(posted(1, by=Actor("ann", " ")))[NAME : NAME + 8] == bytes(8)


@pytest.mark.parametrize("event", EVERY, ids=named)
def test_erasing_changes_the_name_and_nothing_else(event: Event):
    """But for the name and the check, a head is a function of the skeleton."""
    full, blank = head(event), head(redact(event))
    assert is_redacted(redact(event))
    assert full[:NAME] + full[NAME + 8 : 60] == blank[:NAME] + blank[NAME + 8 : 60]
    assert blank[NAME : NAME + 8] == bytes(8)
    assert are_sound(blank)


def test_every_damaged_byte_is_noticed():
    """In a run of several heads no byte can change unseen, whatever it becomes."""
    run = b"".join(map(head, EVERY[:3]))
    assert are_sound(run)
    for place, byte in enumerate(run):
        for other in {byte ^ 1, byte ^ 0x80, byte ^ 0xFF, 0, 255} - {byte}:
            assert not are_sound(run[:place] + bytes([other]) + run[place + 1 :]), place


def test_a_cut_run_is_noticed():
    """Whatever is missing from a head at either end is missed; what is left out whole is not the heads' affair."""
    run = b"".join(map(head, EVERY[:2]))
    assert not any(are_sound(run[:end]) for end in range(1, 2 * SIZE) if end != SIZE)
    assert not are_sound(bytes(SIZE))
    assert are_sound(b"")
    assert are_sound(run[SIZE:])


def test_heads_that_changed_places_are_sound():
    """Each head has its own check, so any selection of heads passes."""
    random, heads = Random(7), list(map(head, EVERY))
    random.shuffle(heads)
    assert are_sound(b"".join(heads))


def test_actors_are_told_apart():
    """Equal ids have equal hashes, others have others, and nobody is nobody."""
    assert actor_hash("ann") == actor_hash("ann") != actor_hash("bob")
    assert head(posted(1, by=None))[32:48] == NO_ID
    assert head(posted(1, by=ANN))[32:48] == head(reacted(2, 1, by=ANN))[32:48] != head(reacted(2, 1, by=BOB))[32:48]
    assert head(posted(1, by=MODERATOR))[32:48] != NO_ID


@pytest.mark.parametrize("numbers", [[1], [1, 2], [2, 1], [3, 1, 2, 5, 4]])
def test_the_ends_are_the_smallest_and_the_largest_id(numbers: list[int]):
    """Also where they share their first half, as ids of one moment and one counter do."""
    for ids in ([id_of(number) for number in numbers], [make_id(EPOCH, 0, number) for number in numbers]):
        rows = Heads(range(1, len(ids) + 1), b"".join(head(replace(posted(1), id=id)) for id in ids))
        assert ends(rows) == (min(ids), max(ids))


def test_repeats_are_seen():
    """An id that comes twice is seen, also where another begins alike; different ids are no repeat."""
    alike = [make_id(EPOCH, 7, number) for number in range(3)]
    heads = [head(replace(posted(1), id=id)) for id in (*alike, make_id(EPOCH, 8, 0))]

    def rows(*numbers: int) -> Heads:
        return Heads(range(1, len(numbers) + 1), b"".join(heads[number] for number in numbers))

    assert not has_repeats(rows())
    assert not has_repeats(rows(0, 3))
    assert not has_repeats(rows(0, 1, 2, 3))
    assert has_repeats(rows(0, 1, 0))
    assert has_repeats(rows(3, 0, 3))
