"""Columns: what is built of heads at once is what is built of some and given the others."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from threadstore import columns as module
from threadstore import reactions
from threadstore.columns import TOP, Columns
from threadstore.heads import Heads, head, name_hash, reaction_code
from threadstore.model.events import Actor, CommentPosted, Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import make_id
from threadstore.model.policy import Policy
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    EPOCH,
    MODERATOR,
    edited,
    id_of,
    posted,
    reacted,
    removed,
    unreacted,
)

RULES = Policy(kinds=frozenset({"support", "up", "laugh"})).rules


def heads_of(events: Sequence[Event], first: int = 1) -> Heads:
    """Return the heads of events, numbered from *first*."""
    return Heads(range(first, first + len(events)), b"".join(map(head, events)))


def build(events: Sequence[Event]) -> tuple[Columns, list[int]]:
    """Return the columns of events, and the revisions of what is not plain."""
    return Columns.build(RULES, heads_of(events))


def told(columns: Columns, actors: Iterable[Actor] = (ANN, BOB, CYD)) -> list[Any]:
    """Return whatever columns say, in words that do not depend on the order in which they learnt it."""
    said: list[Any] = [len(columns), columns.last_id()]
    uses = {columns.id_of(rank) for *_, rank in columns.first_uses()}
    for rank in range(len(columns)):
        id, above, speaker = columns.id_of(rank), columns.parent[rank], columns.speaker[rank]
        kids = columns.kids(rank)
        assert columns.find(id) == columns.below(id) == rank
        assert columns.kid_count(rank) == len(kids)
        first = [columns.first_kids(rank, most) for most in (0, 1, 99)]
        assert [(list(some), count) for some, count in first] == [(some, len(kids)) for some in ([], list(kids[:1]), list(kids))]
        said.append((id, columns.revision[rank], above if above == TOP else columns.id_of(above), id in uses))
        said.append([columns.id_of(kid) for kid in kids])
        if columns.revision[rank]:
            said.append([columns.known(actor.id) == columns.author(speaker) for actor in actors])
            said.append([columns.speaker_named(actor.id, name_hash(actor.name)) == speaker for actor in actors])
        said.append((columns.votes_on(rank), columns.edits.get(rank)))
        said.append([columns.reaction(rank, actor.id, kind) for actor in actors for kind in ("support", "up", "laugh")])
    return said


def give(columns: Columns, events: Iterable[Event], first: int) -> None:
    """Give columns some more events, each a comment behind all others or a reaction to what is there."""
    for revision, event in enumerate(events, first):
        actor = None if event.actor is None else event.actor.id
        if isinstance(event, CommentPosted):
            parent = TOP if event.parent is None else columns.find(event.parent)
            assert parent is not None
            name = 0 if event.actor is None else name_hash(event.actor.name)
            rank = columns.add(event.id, parent, actor, name, revision)
            if parent != TOP:
                columns.add_kid(parent, rank)
        else:
            assert isinstance(event, ReactionGiven | ReactionWithdrawn)
            rank = columns.find(event.comment) or 0
            assert actor is not None
            former = columns.reaction(rank, actor, event.kind)
            given = isinstance(event, ReactionGiven)
            former_code = None if former is None else former[0]
            columns.react(rank, actor, event.kind, given=given, revision=revision, former=former_code)


def lively(random: Random, size: int) -> list[Event]:
    """Return comments in order with reactions to them, by people of whom one has several names."""
    people = [ANN, BOB, CYD, replace(ANN, name="Ann"), replace(ANN, name=""), None]
    events: list[Event] = [posted(1)]
    for number in range(2, size):
        comments = [event.id for event in events if isinstance(event, CommentPosted)]
        by, about = random.choice(people), random.choice(comments[-5:])
        if random.random() < 0.5 or by is None:
            events.append(posted(number, to=random.choice([None, about]), by=by))
        else:
            kind = random.choice(["support", "up", "laugh"])
            events.append(random.choice([reacted, unreacted])(number, about, kind, by=by))
    return events


@pytest.mark.parametrize("seed", range(20))
def test_some_and_the_others_are_all(seed: int):
    """Columns built of all heads hold what columns hold that were built of some and given the rest."""
    random = Random(f"columns {seed}")
    events = lively(random, 60)
    cut = random.randrange(len(events) + 1)
    some, rest = build(events[:cut])
    give(some, events[cut:], cut + 1)
    every, others = build(events)
    assert rest == others == []
    assert told(some) == told(every)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_the_log_does_not_matter(seed: int):
    """Only the revisions are others, if the same records came in another order."""
    random = Random(f"shuffled {seed}")
    events = lively(random, 40)
    rows = list(enumerate(events, 1))
    random.shuffle(rows)
    shuffled, rest = Columns.build(RULES, Heads([number for number, _ in rows], b"".join(head(event) for _, event in rows)))
    assert rest == []
    assert told(shuffled) == told(build(events)[0])


def test_an_empty_thread_has_no_columns():
    """Nothing is found, and nothing is last."""
    columns, rest = build([])
    assert (len(columns), columns.last_id(), rest) == (0, "", [])
    assert (columns.find(id_of(1)), columns.below(id_of(1)), columns.find("no id"), columns.find("")) == (None, 0, None, None)
    assert (columns.known(None), columns.known("ann"), columns.speaker_named("ann", 7)) == (0, None, None)


def test_what_is_not_plain_is_left():
    """In the order of the log: it is for the cells."""
    events = [
        posted(1),
        posted(2, held=True),
        posted(3),
        removed(4, 1),
        reacted(5, 1, "moved"),
        reacted(6, 9),
        edited(7, 1),
        edited(8, 9),
        reacted(10, 2),
    ]
    columns, rest = build(events)
    assert rest == [2, 4, 5, 6, 8, 9]
    assert (len(columns), columns.edits) == (2, {0: (7,)})


def test_a_missing_parent_has_a_place():
    """It stands at the top with the revision 0, counts as no comment, and what is about it is left for the cells."""
    events = [posted(5, to=3), posted(7, to=3), posted(8, to=4), reacted(9, 3), edited(10, 4)]
    columns, rest = build(events)
    assert [columns.id_of(rank) for rank in range(5)] == [id_of(number) for number in (3, 4, 5, 7, 8)]
    assert list(columns.revision) == [0, 0, 1, 2, 3]
    assert list(columns.kids(0)) == [2, 3]
    assert rest == [4, 5]


def test_a_void_parent_makes_a_comment_not_plain():
    """A comment that answers itself, or a larger id, hangs nowhere among the others."""
    events = [posted(1), posted(2, to=2), posted(3, to=5), posted(5), posted(6, to=1)]
    columns, rest = build(events)
    assert [columns.id_of(rank) for rank in range(len(columns))] == [id_of(1), id_of(5), id_of(6)]
    assert rest == [2, 3]


def test_the_last_word_counts():
    """Of several by one actor on one kind it is the largest id that stands, whatever the order."""
    events = [posted(1), reacted(5, 1), unreacted(7, 1), reacted(6, 1), reacted(4, 1, by=CYD), reacted(3, 1, by=CYD)]
    columns, _ = build(events)
    assert columns.votes_on(0) == {"support": 1}
    assert columns.reaction(0, BOB.id, "support") == (reaction_code("support", given=False), 3)
    assert columns.reaction(0, CYD.id, "support") == (reaction_code("support", given=True), 5)
    assert columns.reaction(0, ANN.id, "support") is None
    assert columns.reaction(0, BOB.id, "moved") is None


def test_an_exclusive_kind_is_not_plain():
    """Which of them counts is for the rules of standing to say."""
    rules = Policy(exclusive=(frozenset({"up", "down"}),), kinds=frozenset({"support", "up", "down"})).rules
    events = [posted(1), reacted(2, 1, "up"), reacted(3, 1)]
    columns, rest = Columns.build(rules, heads_of(events))
    assert (columns.is_plain("up"), columns.is_plain("support"), columns.is_plain("moved")) == (False, True, False)
    assert (rest, columns.votes_on(0)) == ([2], {"support": 1})


def test_edits_by_others_take_a_comments_edits_away():
    """Where a moderator or a stranger edited a comment, all its edits are for the cells; where only its author did, none."""
    alien, moderating = edited(4, 1, by=BOB), edited(8, 5, by=replace(ANN, role="moderator"))
    events = [posted(1), edited(3, 1), alien, posted(5), moderating, posted(6), edited(10, 6), edited(9, 6)]
    columns, rest = build(events)
    assert rest == [2, 3, 5]
    assert columns.edits == {2: (8, 7)}


def test_a_reaction_is_numbered_anew():
    """Its revision changes, and nothing else."""
    columns, _ = build([posted(1), reacted(2, 1)])
    columns.react(0, CYD.id, "support", given=False, revision=1 << 31, former=None)
    columns.renumber(0, BOB.id, "support", given=True, revision=77)
    columns.renumber(0, CYD.id, "support", given=False, revision=78)
    assert columns.reaction(0, BOB.id, "support") == (reaction_code("support", given=True), 77)
    assert columns.reaction(0, CYD.id, "support") == (reaction_code("support", given=False), 78)
    assert columns.votes_on(0) == {"support": 1}


def test_ids_that_begin_alike_are_told_apart():
    """The whole id counts: for comments, for what is missing, and for what is nowhere."""
    ids = [make_id(EPOCH, 0, number) for number in range(1, 7)]
    assert len({id[:18] for id in ids}) == 1
    events = [
        replace(posted(1), id=ids[3]),
        replace(posted(1, to=ids[0]), id=ids[2]),
        replace(posted(1, to=ids[2], by=BOB), id=ids[4]),
        reacted(7, ids[4]),
        reacted(8, ids[5]),
        edited(9, ids[2]),
        edited(9, ids[1]),
    ]
    for rows in (events, [events[0], events[1], *events[2:][::-1]]):
        columns, rest = build(rows)
        assert [columns.id_of(rank) for rank in range(4)] == [ids[0], ids[2], ids[3], ids[4]]
        assert [columns.find(id) for id in ids] == [0, None, 1, 2, 3, None]
        assert [columns.below(id) for id in ids] == [0, 1, 1, 2, 3, 4]
        assert [columns.parent[rank] for rank in range(4)] == [TOP, 0, TOP, 1]
        assert [rows[revision - 1] for revision in rest] == [event for event in rows if event in (events[4], events[6])]
        assert (columns.votes_on(3), list(columns.edits)) == ({"support": 1}, [1])


def test_actors_whose_hashes_begin_alike_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    """Nobody is taken for another whose hash agrees in its first half."""
    alike = {actor.id: b"the same" + actor.name.ljust(8)[:8].encode() for actor in (ANN, BOB, CYD)}
    monkeypatch.setattr("threadstore.heads.actor_hash", alike.__getitem__)
    monkeypatch.setattr(module, "actor_hash", alike.__getitem__)
    events = [posted(1), posted(2, by=BOB), reacted(3, 1, by=CYD), reacted(4, 1, by=BOB), edited(5, 2, by=BOB)]
    columns, rest = build(events)
    assert rest == []
    assert [columns.author(columns.speaker[rank]) for rank in (0, 1)] == [columns.known(ANN.id), columns.known(BOB.id)]
    assert [columns.reaction(0, actor.id, "support") is None for actor in (ANN, BOB, CYD)] == [True, False, False]
    assert (columns.votes_on(0), columns.edits) == ({"support": 2}, {1: (5,)})


def test_a_crowd_below_one_comment_is_found(monkeypatch: pytest.MonkeyPatch):
    """Many reactions to one comment are looked up as few are, also by those who did not react."""
    monkeypatch.setattr(reactions, "_CROWD", 3)
    people = [Actor(f"p{number}") for number in range(9)]
    events = [posted(1), posted(2), reacted(3, 2, by=people[3])]
    events += [(unreacted if number % 2 else reacted)(10 + number, 1, by=people[number]) for number in range(8)]
    columns, _ = build(events)
    found = [columns.reaction(0, person.id, "support") for person in people]
    assert [None if said is None else said[1] for said in found] == [*range(4, 12), None]
    assert columns.reaction(1, people[3].id, "support") == (reaction_code("support", given=True), 3)
    assert columns.reaction(1, people[4].id, "support") is None
    assert columns.votes_on(0) == {"support": 4}
    rank = columns.add(id_of(50), TOP, None, 0, 99)
    assert columns.reaction(rank, people[4].id, "support") is None


def test_a_second_name_is_another_speaker():
    """An actor who goes by several names is told apart by each, whether it was found in the log or came later."""
    names = ["Ann Lee", "Ann", "", "Ann"]
    events = [posted(number, by=replace(ANN, name=name)) for number, name in enumerate(names, 1)]
    for cut in range(5):
        columns, _ = build(events[:cut])
        give(columns, events[cut:], cut + 1)
        assert len(set(columns.speaker)) == 3
        assert columns.speaker[1] == columns.speaker[3] == columns.speaker_named(ANN.id, name_hash("Ann"))
        assert {columns.author(speaker) for speaker in columns.speaker} == {columns.known(ANN.id)}
        assert sorted(rank for *_, rank in columns.first_uses()) == [0, 1]
        assert columns.speaker_named(ANN.id, name_hash("Bob")) is None


def test_columns_say_how_much_memory_they_take():
    """More for more comments, for reactions, for people and for edits."""
    stories: list[list[Event]] = [[], [posted(1)], [posted(1), reacted(2, 1)], [posted(1), reacted(2, 1), edited(3, 1)]]
    sizes = [build(story)[0].nbytes for story in stories]
    assert sizes == sorted(set(sizes))


def test_a_moderators_reaction_is_as_plain_as_any():
    """Roles make no difference to reactions."""
    columns, rest = build([posted(1), reacted(2, 1, by=MODERATOR)])
    assert (columns.votes_on(0), rest) == ({"support": 1}, [])


def test_words_are_read_as_the_machine_has_them(monkeypatch: pytest.MonkeyPatch):
    """Ids begin with their largest byte, and so do words on some machines."""
    here, there = ("little", "big") if sys.byteorder == "little" else ("big", "little")
    words = [1, 1 << 63, 0x0102030405060708]
    for order, wanted in ((here, "big"), (there, here)):
        monkeypatch.setattr("sys.byteorder", order)
        assert list(module._big_endian(b"".join(word.to_bytes(8, wanted) for word in words))) == words  # type: ignore[arg-type]
