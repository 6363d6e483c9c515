"""The small universe holds what it should, and nothing in it is idle."""

from __future__ import annotations

from itertools import combinations
from math import comb, factorial

import pytest

from threadstore.model.events import REGISTERS, Event, UnknownEvent
from threadstore.model.values import Actor
from threadstore.testing.given import ANN, MODERATOR, THREAD, posted, removed
from threadstore.testing.spec import Spec
from threadstore.testing.universe import STORIES, UNIVERSE, cuts, orders, subsets

FORGED = [
    event
    for event in UNIVERSE
    if event.actor is not None and event.actor.id == "bob" and event.kind_tag in ("comment.edited", "comment.removed")
]


def seen(facts: list[Event]) -> list[object]:
    """Return what a thread shows to readers of several kinds."""
    spec = Spec(facts)
    pages = [spec.traversal(reader=reader, reveal="all") for reader in (None, ANN, MODERATOR)]
    return [*pages, spec.counts(), spec.locked(), spec.title(), spec.corrections(reader=MODERATOR), spec.queue()]


def effect(fact: Event, facts: tuple[Event, ...]) -> bool:
    """Return whether *fact* makes a difference to *facts*."""
    return seen([*facts, fact]) != seen(list(facts))


def test_the_universe_is_one_thread_of_every_kind():
    """Every kind of event is in the universe; all ids are different and all threads the same."""
    assert {type(event) for event in UNIVERSE} == set(REGISTERS) - {UnknownEvent}
    assert len({event.id for event in UNIVERSE}) == len(UNIVERSE)
    assert {event.thread for event in [*UNIVERSE, *sum(STORIES.values(), ())]} == {THREAD}


@pytest.mark.parametrize("fact", UNIVERSE, ids=lambda fact: f"{fact.kind_tag}-{fact.id[-4:]}")
def test_no_fact_is_idle(fact: Event):
    """Every fact makes a difference to some two others, but for the forged ones, which make none to any."""
    others = [event for event in UNIVERSE if event is not fact]
    assert any(effect(fact, pair) for pair in combinations(others, 2)) == (fact not in FORGED)


def test_two_are_forged():
    """The universe holds a forged edit and a forged removal."""
    assert [type(event).__name__ for event in FORGED] == ["CommentEdited", "CommentRemoved"]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_stories_are_short(story: tuple[Event, ...]):
    """A story has three to five facts, few enough to try all orders, and is not without effect."""
    assert 3 <= len(story) <= 5
    without = [[fact for fact in story if fact != one] for one in story]
    assert any(seen(facts) != seen(list(story)) for facts in without)


def test_subsets():
    """There are as many subsets as there should be, the empty one first, none twice."""
    found = list(subsets(2))
    assert found[0] == ()
    assert len(found) == len(set(found)) == 1 + len(UNIVERSE) + comb(len(UNIVERSE), 2)
    assert len(list(subsets(4, UNIVERSE[:4]))) == 16


def test_orders():
    """All orders of a story are told once."""
    story = STORIES["two removals, one seen"]
    found = list(orders(story))
    assert len(found) == len(set(found)) == factorial(len(story))
    assert {frozenset(order) for order in found} == {frozenset(story)}


def test_cuts():
    """A story can be cut before, after and between its facts, and both parts together are the story."""
    story = (posted(1), removed(2, 1))
    assert list(cuts(story)) == [((), story), (story[:1], story[1:]), (story, ())]


def test_counts_are_a_recount():
    """Over all pairs of facts, the counts equal a recount of what the public sees."""
    for subset in subsets(2):
        spec = Spec(subset)
        shown = [view for _, view in spec.traversal() if view.concealed in (None, "spoiler")]
        assert spec.counts().total == len(shown)
        assert spec.counts().top_level == sum(view.parent is None for view in shown)


def test_anonymous_is_nobody():
    """No fact of the universe has an anonymous actor but a comment."""
    assert {event.kind_tag for event in UNIVERSE if event.actor is None} == {"comment.posted"}
    assert isinstance(UNIVERSE[0].actor, Actor)
