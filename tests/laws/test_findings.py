"""What is found where the fold is wrong: a proof that can not fail proves nothing. Seeded faults are in tests/mutants."""

from __future__ import annotations

from random import Random

import pytest

from threadstore.model.events import UnknownEvent
from threadstore.testing import laws, prove
from threadstore.testing.given import THREAD, id_of, posted, reacted
from threadstore.testing.laws import Case
from threadstore.views.thread import Thread, fold

STORY = (posted(1), posted(2, to=1), reacted(3, 1))


def forgetful(events):
    """Fold all but the last event to come."""
    return fold([*events][:-1])


def test_a_law_that_is_broken_says_how(monkeypatch):
    """The finding names the sentence that does not hold."""
    monkeypatch.setattr(laws, "fold", forgetful)
    with pytest.raises(AssertionError, match=r"another order makes another thread: the digests differ"):
        laws.order_does_not_matter(Case(STORY, random=Random(1)))


def test_a_view_that_is_wrong_is_shown_beside_the_right_one(monkeypatch):
    """The finding tells what was seen and what the specification expects."""
    monkeypatch.setattr(laws, "fold", forgetful)
    with pytest.raises(AssertionError, match=r"^counts:\n +saw Counts\(.*total=2,.*\nexpected Counts\(.*total=3,"):
        laws.views_are_the_specification(Case((*STORY, posted(4))))


def test_a_small_world_that_is_wrong_is_told_with_its_facts(monkeypatch):
    """A small world in which something differs is printed whole, in the order that made the difference."""
    monkeypatch.setattr(Thread, "merge", lambda one, other: one)
    with pytest.raises(AssertionError, match=r"(?s)in this order another thread came out: .*CommentPosted\(.*saw .*expected "):
        prove.universe_is_one(1)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_a_history_that_amounts_to_nothing_obeys(law):
    """A thread of which only events of a later release are known has a key and no state; no law takes it for a broken one."""
    unknown = UnknownEvent(id=id_of(1), thread=THREAD, kind="comment.boosted", schema=1)
    law(Case((unknown, unknown), random=Random(1)))
