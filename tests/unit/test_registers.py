"""The three joins are commutative, associative and idempotent, whatever meets under one key."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from threadstore.model.codec import encode
from threadstore.model.erasure import redact
from threadstore.model.events import (
    REGISTERS,
    CommentEdited,
    CommentPosted,
    CorrectionSuggested,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
    Shape,
    SpoilerMarked,
)
from threadstore.model.ids import make_id
from threadstore.model.registers import Cell, join
from threadstore.model.values import Actor, TextQuote


def nth(number: int) -> str:
    return make_id(1_700_000_000_000 + number, 0, 0)


ANN, EVE = Actor("ann", "Ann Lee"), Actor("eve", "Eve")
KEY = ("the key",)
SHAPES = list(Shape)
every_shape = pytest.mark.parametrize("shape", SHAPES)


def joined(shape: Shape, facts: Iterable[Event], cell: Cell | None = None) -> Cell:
    """Return *cell* after all *facts* were let into it under one key."""
    cell = {} if cell is None else cell
    for fact in facts:
        join(shape, cell, KEY, fact)
    return cell


def posted(number: int, body: str = "words", **fields: Any) -> CommentPosted:
    return CommentPosted(**{"id": nth(number), "thread": "t", "actor": ANN, "body": body, **fields})


# --- what stays ---------------------------------------------------------------------------------------------------------------


def test_once_keeps_the_smallest_id():
    """A fact that holds for ever is shown as it first was."""
    facts = [posted(2), posted(1), posted(3)]
    assert joined(Shape.ONCE, facts) == {KEY: posted(1)}


def test_latest_keeps_the_largest_id():
    """The last word under a key is the one that holds."""
    facts = [posted(2), posted(3), posted(1)]
    assert joined(Shape.LATEST, facts) == {KEY: posted(3)}


def test_ids_are_compared_before_all_else():
    """A reaction that was withdrawn and then given again is given, whatever the bytes of the two facts are."""
    [write] = REGISTERS[ReactionGiven]
    withdrawn = ReactionWithdrawn(id=nth(2), thread="t", actor=ANN, comment=nth(1))
    again = ReactionGiven(id=nth(3), thread="t", actor=ANN, comment=nth(1))
    assert encode(withdrawn)[2:] > encode(again)[2:]
    assert joined(write.shape, [withdrawn, again]) == joined(write.shape, [again, withdrawn]) == {KEY: again}
    assert joined(Shape.ONCE, [withdrawn, again]) == joined(Shape.ONCE, [again, withdrawn]) == {KEY: withdrawn}
    assert joined(Shape.FLAG, [withdrawn, again]) == joined(Shape.FLAG, [again, withdrawn]) == {KEY: again}


def test_marks_never_meet():
    """Each mark and each cancel has a key of its own, so nothing ever evicts it."""
    [write] = REGISTERS[SpoilerMarked]
    marks = [SpoilerMarked(id=nth(n), thread="t", actor=actor, comment=nth(1)) for n in (2, 3) for actor in (ANN, EVE)]
    assert write.shape is Shape.FLAG
    cell: Cell = {}
    for mark in marks:
        assert join(write.shape, cell, write.key(mark), mark)
    assert sorted(cell.values(), key=encode) == sorted(marks, key=encode)


@every_shape
def test_a_join_says_whether_it_changed_something(shape: Shape):
    """What is new changes the cell, what is known does not, and neither does what loses."""
    cell: Cell = {}
    assert join(shape, cell, KEY, posted(2))
    assert not join(shape, cell, KEY, posted(2))
    winner, loser = (1, 3) if shape is Shape.ONCE else (3, 1)
    assert not join(shape, cell, KEY, posted(loser))
    assert join(shape, cell, KEY, posted(winner))
    assert cell == {KEY: posted(winner)}


@every_shape
def test_keys_are_apart(shape: Shape):
    """A fact changes nothing under another key."""
    cell: Cell = {("other",): posted(2)}
    join(shape, cell, KEY, posted(1))
    join(shape, cell, KEY, posted(3))
    assert cell[("other",)] == posted(2)


# --- two facts under one id ---------------------------------------------------------------------------------------------------


@every_shape
@pytest.mark.parametrize("twin", [redact(posted(1)), posted(1, "words", actor=Actor("ann"))])
def test_a_full_fact_stays_above_its_redacted_twin(shape: Shape, twin: Event):
    """A replica that redacted too much learns the text again; whether it is shown is the view's affair."""
    assert joined(shape, [twin, posted(1)]) == joined(shape, [posted(1), twin]) == {KEY: posted(1)}


@every_shape
def test_skeletons_are_compared_before_texts(shape: Shape):
    """Redacting a loser does not make it win, so replicas that redact at different times still agree."""
    one, other = posted(1, "a" * 50), posted(1, "b", spoiler=True)
    assert encode(redact(one)) < encode(redact(other))
    for left in (one, redact(one)):
        for right in (other, redact(other)):
            assert joined(shape, [left, right]) == joined(shape, [right, left]) == {KEY: right}


@every_shape
def test_of_two_texts_the_larger_bytes_stay(shape: Shape):
    """Which of two forgeries stays does not matter; that all replicas keep the same one does."""
    assert (
        joined(shape, [posted(1, "a"), posted(1, "b")])
        == joined(shape, [posted(1, "b"), posted(1, "a")])
        == {KEY: posted(1, "b")}
    )


@every_shape
def test_two_kinds_under_one_id_and_key(shape: Shape):
    """A reaction given and withdrawn under one id are two facts, of which all replicas keep the same one."""
    given_, withdrawn = (kind(id=nth(2), thread="t", actor=ANN, comment=nth(1)) for kind in (ReactionGiven, ReactionWithdrawn))
    assert joined(shape, [given_, withdrawn]) == joined(shape, [withdrawn, given_]) == {KEY: withdrawn}


# --- the laws, exhaustively ---------------------------------------------------------------------------------------------------

# All that can meet under one key and may tell two facts apart: id, skeleton, text, name, kind.
UNIVERSE: list[Event] = [
    *(posted(number, body, spoiler=spoiler) for number, body, spoiler in product((1, 2), ("", "a", "b"), (False, True))),
    *(
        posted(1, body, actor=actor)
        for body in ("", "a")
        for actor in (None, EVE, Actor("ann"), Actor("ann", "Ann", "moderator"))
    ),
    posted(1, "a", meta={"a": "1"}),
    posted(1, "a", meta={"a": "2"}),
    posted(1, "a", extra=(b"\x01",)),
    posted(1, "a", extra=(b"\x02",)),
    CommentEdited(id=nth(1), thread="t", actor=ANN, comment=nth(1), body="a"),
    ReactionGiven(id=nth(1), thread="t", actor=ANN, comment=nth(1)),
    ReactionWithdrawn(id=nth(1), thread="t", actor=ANN, comment=nth(1)),
]


@every_shape
def test_joining_is_idempotent(shape: Shape):
    """A fact that comes twice comes once."""
    for fact in UNIVERSE:
        cell = joined(shape, [fact])
        assert not join(shape, cell, KEY, fact)
        assert cell == {KEY: fact}


@every_shape
def test_joining_is_commutative_and_picks_one_of_the_two(shape: Shape):
    """Which of two facts came first is never seen."""
    for one, other in product(UNIVERSE, repeat=2):
        cell = joined(shape, [one, other])
        assert cell == joined(shape, [other, one])
        assert cell[KEY] in (one, other)


@every_shape
def test_joining_is_associative(shape: Shape):
    """How three facts are grouped is never seen."""
    wins = {(a, b): joined(shape, [UNIVERSE[a], UNIVERSE[b]])[KEY] for a, b in product(range(len(UNIVERSE)), repeat=2)}
    index = {encode(fact): number for number, fact in enumerate(UNIVERSE)}
    chosen = {pair: index[encode(fact)] for pair, fact in wins.items()}
    for a, b, c in product(range(len(UNIVERSE)), repeat=3):
        assert chosen[chosen[a, b], c] == chosen[a, chosen[b, c]]


# --- the laws, over whole states ----------------------------------------------------------------------------------------------

State = dict[tuple[str, str], Cell]


def let_in(state: State, facts: Iterable[Event]) -> State:
    """Let *facts* into all registers that they write."""
    for fact in facts:
        for write in REGISTERS[type(fact)]:
            if write.when is None or write.when(fact):
                join(write.shape, state.setdefault((fact.target, write.cell), {}), write.key(fact), fact)
    return state


def merged(one: State, other: State) -> State:
    """Return the join of two states, cell by cell."""
    shapes = {write.cell: write.shape for writes in REGISTERS.values() for write in writes}
    state = {place: dict(cell) for place, cell in one.items()}
    for (target, name), cell in other.items():
        for key, fact in cell.items():
            join(shapes[name], state.setdefault((target, name), {}), key, fact)
    return state


# Small worlds make facts meet: few ids, few people, few words, and every field that a kind may have.
SMALL: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from([nth(n) for n in range(4)]),
    "thread": st.just("t"),
    "actor": st.sampled_from([None, ANN, EVE, Actor("ann"), Actor("ann", "Ann Lee", "moderator")]),
    "extra": st.sampled_from([(), (b"\x01",)]),
    "person": st.sampled_from(["ann", "eve"]),
    "cancels": st.lists(st.sampled_from([nth(n) for n in range(3)]), max_size=2),
    "quote": st.sampled_from([TextQuote(""), TextQuote("a")]),
    "outcome": st.sampled_from(["accepted", "reopened"]),
    "schema": st.just(1),
    "at": st.none(),
    "meta": st.sampled_from([None, {"a": "1"}]),
    **{field: st.sampled_from([nth(1), nth(2)]) for field in ("comment", "correction", "seen", "parent")},
    **{
        field: st.sampled_from(["", "a", "b"])
        for field in ("body", "reason", "note", "suggestion", "title", "url", "article_version")
    },
    **{field: st.booleans() for field in ("spoiler", "held")},
    "kind": st.sampled_from(["up", "down"]),
}
facts = st.sampled_from(list(REGISTERS)).flatmap(
    lambda kind: st.builds(kind, **{field: SMALL[field] for field in kind.__struct_fields__})
)
histories = st.lists(facts, max_size=15)


def test_every_shape_is_in_the_table():
    """The three joins are all used, so the laws below try each of them."""
    assert {write.shape for writes in REGISTERS.values() for write in writes} == set(SHAPES)


@given(histories, st.randoms(use_true_random=False))
def test_order_and_repetition_are_never_seen(history: list[Event], chance: Any):
    """Any order of any facts, with any of them twice, gives the same registers."""
    shuffled = history + chance.sample(history, len(history) // 2)
    chance.shuffle(shuffled)
    assert let_in({}, shuffled) == let_in({}, history)


@given(histories, histories, histories)
def test_states_join_like_facts(one: list[Event], other: list[Event], third: list[Event]):
    """Joining states is commutative, associative and idempotent, and the same as letting all facts in."""
    a, b, c = (let_in({}, history) for history in (one, other, third))
    assert merged(a, b) == merged(b, a)
    assert merged(a, merged(b, c)) == merged(merged(a, b), c) == let_in({}, one + other + third)
    assert merged(a, a) == a


@given(histories)
def test_redacting_later_or_sooner_gives_the_same_skeletons(history: list[Event]):
    """A replica that redacts each fact as it comes and one that redacts its state at last agree on what happened."""

    def skeletons(state: State) -> dict[tuple[str, str], dict[Any, Event]]:
        return {place: {key: redact(fact) for key, fact in cell.items()} for place, cell in state.items()}

    assert skeletons(let_in({}, map(redact, history))) == skeletons(let_in({}, history))


def test_a_forged_fact_evicts_its_equals_only():
    """An edit by somebody else, or by the same person in another role, stands beside the author's, not in its place."""
    [write] = REGISTERS[CommentEdited]
    mine = CommentEdited(id=nth(2), thread="t", actor=ANN, comment=nth(1), body="mine")
    forged = [replace(mine, id=nth(9), actor=actor, body="forged") for actor in (EVE, None, Actor("ann", "Ann Lee", "moderator"))]
    state = let_in({}, [mine, *forged])
    assert state[nth(1), "edited"][write.key(mine)] == mine
    assert len(state[nth(1), "edited"]) == 4


def test_a_forged_suggestion_under_the_same_id_is_decided_by_bytes_alone():
    """A post's key is its id, where honest writers never meet; of two that do, all replicas keep the same one."""
    quote = TextQuote("a")
    one, other = (CorrectionSuggested(id=nth(1), thread="t", actor=actor, quote=quote, suggestion="b") for actor in (ANN, EVE))
    assert let_in({}, [one, other]) == let_in({}, [other, one])
