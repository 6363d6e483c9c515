"""A thread is what a set of facts amounts to, however they came."""

from __future__ import annotations

from itertools import permutations

import pytest

from threadstore.model.erasure import redact
from threadstore.model.events import CommentPosted, Event, UnknownEvent
from threadstore.model.ids import NIL
from threadstore.model.policy import Policy
from threadstore.model.state import cells_of_facts
from threadstore.model.values import Actor
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    EDITOR,
    MODERATOR,
    THREAD,
    approved,
    decided,
    deleted,
    described,
    edited,
    erased,
    held,
    id_of,
    locked,
    moment,
    number_of,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    suggested,
    unlocked,
    unpinned,
    unreacted,
)
from threadstore.views.thread import Thread, fold
from threadstore.views.types import Counts

SOME: tuple[Event, ...] = (posted(1), posted(2, to=1, by=BOB), edited(3, 1), reacted(4, 2, by=ANN), removed(5, 2))
UNKNOWN = UnknownEvent(id=id_of(9), thread=THREAD, kind="comment.sung", schema=1)
ELSEWHERE = CommentPosted(id=id_of(1), thread="elsewhere", body="w")


# --- applying -----------------------------------------------------------------------------------------------------------------


def test_applying_says_whether_anything_changed():
    """A new fact changes the thread, and the same again does not; nor does one that another has evicted."""
    thread = Thread(THREAD)
    for event in SOME:
        assert thread.apply(event)
        assert not thread.apply(event)
    assert not thread.apply(edited(2, 1))
    assert thread.changes == len(SOME)


def test_a_redacted_twin_changes_nothing():
    """A fact without its texts is known already; the full one brings the texts that the redacted had not."""
    assert not fold([posted(1)]).apply(redact(posted(1)))
    assert fold([redact(posted(1))]).apply(posted(1))


def test_a_post_that_carries_flags_is_one_change():
    """However many registers a fact writes, it changes the thread once."""
    thread = Thread(THREAD)
    assert thread.apply(posted(1, spoiler=True, held=True))
    assert thread.changes == 1
    assert set(thread.cells(id_of(1))) == {"posted", "spoiler", "held"}


def test_cells_are_made_of_the_facts_about_one_target():
    """Facts about one comment, in any order, make the cells that a thread has of it."""
    facts = [posted(1, spoiler=True), edited(2, 1), held(3, 1), approved(4, 1, cancels=[3]), deleted(5, 1)]
    cells = fold(facts).cells(id_of(1))
    assert all(cells_of_facts(order) == cells for order in permutations(facts))
    assert cells_of_facts([]) == {}


@pytest.mark.parametrize("thing", [None, "posted", ANN, object(), Event(id=id_of(1), thread=THREAD)])
def test_only_events_are_applied(thing: object):
    """What is no event is refused, and leaves no trace."""
    thread = Thread()
    with pytest.raises(TypeError, match="an event is needed"):
        thread.apply(thing)
    with pytest.raises(TypeError, match="an event is needed"):
        fold([thing])
    assert (thread.key, thread.latest) == ("", NIL)


def test_another_threads_event_is_refused():
    """A thread takes the key of its first event, and no event of another thread from then on."""
    thread = Thread()
    thread.apply(posted(1))
    assert thread.key == THREAD
    for other in (thread, Thread(THREAD)):
        digest = other.digest()
        with pytest.raises(ValueError, match="'elsewhere'"):
            other.apply(ELSEWHERE)
        assert other.digest() == digest
    with pytest.raises(ValueError, match="'elsewhere'"):
        fold([posted(2), ELSEWHERE])


def test_unknown_events_are_kept_and_skipped():
    """A fact of a kind that a newer release wrote says nothing here, but is among the facts, and its id was seen."""
    thread = fold(SOME)
    digest = thread.digest()
    assert not thread.apply(UNKNOWN)
    assert thread.digest() == digest
    assert thread.fact(UNKNOWN.id) == UNKNOWN
    assert thread.latest == UNKNOWN.id
    assert "" not in set(thread.targets())


def test_the_ids_that_were_seen():
    """The smallest and the largest id are known, whether or not their facts still stand."""
    thread = Thread()
    assert (thread.latest, thread.earliest) == (NIL, "")
    for event in (edited(5, 1), edited(4, 1), edited(7, 1), edited(3, 1), edited(6, 1)):
        thread.apply(event)
    assert (thread.latest, thread.earliest) == (id_of(7), id_of(3))


def test_the_facts():
    """Each is told once; those that stand may be told apart."""
    thread = fold([*SOME, *SOME, edited(6, 1)])
    assert sorted(number_of(event.id) for event in thread.facts()) == [1, 2, 3, 4, 5, 6]
    assert sorted(number_of(event.id) for event in thread.standing_facts()) == [1, 2, 4, 5, 6]
    assert thread.fact(id_of(3)) == edited(3, 1)
    assert thread.fact(id_of(8)) is None


def test_cells_of_nothing():
    """What no fact is about has no cells."""
    thread = fold(SOME)
    assert thread.cells(id_of(9)) == thread.cells("") == {}
    assert sorted(thread.targets()) == [id_of(1), id_of(2)]


def test_a_simple_comment_is_kept_once():
    """Of a comment that was posted and reacted to the cells hold the post; whatever else is said of it joins them."""
    thread = fold([posted(1), reacted(2, 1)])
    assert thread.cells(id_of(1)) == {"posted": {(id_of(1),): posted(1)}}
    assert list(thread.targets()) == [id_of(1)]
    thread.apply(edited(3, 1))
    assert set(thread.cells(id_of(1))) == {"posted", "edited"}
    assert list(thread.targets()) == [id_of(1)]


def test_reactions_stand_apart():
    """An actor's last reaction of a kind is found by comment, actor and kind; anonymous ones stand, and nobody's are theirs."""
    thread = fold([reacted(2, 1), unreacted(3, 1), reacted(4, 1, "up"), reacted(5, 1, by=None), reacted(6, 2, by=ANN)])
    assert thread.reaction(id_of(1), "bob", "support") == unreacted(3, 1)
    assert thread.reaction(id_of(1), "bob", "up") == reacted(4, 1, "up")
    assert thread.reaction(id_of(1), "ann", "support") is None
    assert {key: number_of(event.id) for key, event in thread.reactions()} == {
        (id_of(1), "bob", "support"): 3,
        (id_of(1), "bob", "up"): 4,
        (id_of(1), None, "support"): 5,
        (id_of(2), "ann", "support"): 6,
    }
    assert not thread.apply(reacted(2, 1))
    assert list(thread.targets()) == []


def test_two_facts_under_one_id_are_both_known():
    """The thread knows both, and a third time either is no news."""
    first, second = edited(2, 1, "a"), edited(2, 1, "b", by=BOB)
    for order in ((first, second), (second, first), (first, second, first, second)):
        thread = fold([posted(1), *order])
        assert sorted(event.body for event in thread.facts() if event.id == id_of(2)) == ["a", "b"]
        assert not thread.apply(first)


def test_a_thread_says_what_it_is():
    """Its representation names it and says how much it knows."""
    assert repr(fold(SOME)) == "<Thread '2023/05/03/drones': 5 facts>"


# --- digests ------------------------------------------------------------------------------------------------------------------


def test_equal_sets_have_equal_digests():
    """Order, repetition and texts do not matter to a digest; every skeleton does, and the thread's key."""
    digest = fold(SOME).digest()
    assert len(digest) == 32
    for order in permutations(SOME):
        assert fold([*order, order[0]]).digest() == digest
    assert fold(map(redact, SOME)).digest() == digest
    for number in range(len(SOME)):
        assert fold(SOME[:number] + SOME[number + 1 :]).digest() != digest
    assert fold([posted(1, to=7)]).digest() != fold([posted(1)]).digest()
    assert Thread("a").digest() != Thread("b").digest()


# --- merging ------------------------------------------------------------------------------------------------------------------


def test_merging_is_folding_together():
    """Merging changes and returns the first, leaves the second alone, and gives what folding all facts gives."""
    for cut in range(len(SOME) + 1):
        one, other = fold(SOME[:cut], key=THREAD), fold(SOME[cut:], key=THREAD)
        digest = other.digest()
        assert one.merge(other) is one
        assert other.digest() == digest
        assert one.digest() == fold(SOME).digest()
        assert one.view() == fold(SOME).view()
        assert one.digest() == one.merge(one).digest()
        assert (one.latest, one.earliest) == (id_of(5), id_of(1))


@pytest.mark.parametrize("looked_at", [False, True])
def test_merging_joins_what_both_know(looked_at: bool):
    """Whatever either knows of a comment, and whether or not somebody has looked, what stands is what stands of all facts."""
    about_one = [posted(1), edited(4, 1), edited(7, 1), reacted(5, 1), unreacted(6, 1), removed(8, 1), pinned(9, 1)]
    histories = [[posted(1)], about_one[:3], about_one[1:2], about_one[3:4], about_one[4:], [redact(posted(1)), posted(2)]]
    for mine, others in permutations(histories, 2):
        one, other = fold([*mine, posted(3)]), fold(others)
        if looked_at:
            one.view()
        expected = fold([*mine, posted(3), *others])
        assert one.merge(other).digest() == expected.digest()
        assert one.view(reader=MODERATOR, order="top") == expected.view(reader=MODERATOR, order="top")
        one.index(Policy().rules).check()


def test_merging_takes_the_key():
    """A thread without a key takes the other's, also if that one has no facts."""
    assert Thread().merge(Thread("a")).key == "a"
    assert Thread("a").merge(Thread()).key == "a"
    assert Thread().merge(fold(SOME)).key == THREAD


@pytest.mark.parametrize("other", [Thread("elsewhere"), fold([ELSEWHERE])])
def test_another_thread_is_not_merged(other: Thread):
    """Threads of two keys are two threads, with or without facts; nothing of the other is let in."""
    thread = fold(SOME)
    with pytest.raises(ValueError, match="'elsewhere'"):
        thread.merge(other)
    assert thread.digest() == fold(SOME).digest()


def test_merging_keeps_the_ids_that_were_seen():
    """An id that the other has seen was seen, whether or not its fact still stands, or is of a kind that is known."""
    other = fold([*SOME, UNKNOWN, posted(0)])
    for one in (Thread(THREAD), fold(SOME)):
        one.merge(other)
        assert (one.latest, one.earliest) == (UNKNOWN.id, id_of(0))
        assert one.fact(UNKNOWN.id) == UNKNOWN
    early, late = fold([posted(1)]), fold([posted(2)])
    assert (early.merge(late).latest, late.merge(early).earliest) == (id_of(2), id_of(1))


def test_merging_counts_what_changed():
    """What was known already changes nothing, and neither thread has a hand in the other from then on."""
    one, other = fold(SOME[:2]), fold(SOME)
    before = one.changes
    assert one.merge(other).changes == before + 3
    assert one.merge(other).changes == before + 3
    one.apply(reacted(6, 2, by=BOB))
    assert other.digest() == fold(SOME).digest()


# --- the past -----------------------------------------------------------------------------------------------------------------


def numbers(thread: Thread, **options: object) -> list[int]:
    return [number_of(comment.id) for comment in thread.view(**options).comments]


def test_as_of():
    """The tree, reactions, counts, pins and locks are those of the moment, which belongs to it to the millisecond."""
    thread = fold(
        [
            posted(1), posted(2), reacted(3, 1), pinned(4, 2), locked(5), posted(6, to=1), unreacted(7, 1),
            unpinned(8, 2, cancels=[4]),
            unlocked(9, cancels=[5]), posted(10),
        ]
    )  # fmt: skip
    then = thread.as_of(moment(5))
    page = then.view(order="oldest", pinned=True)
    assert [number_of(comment.id) for comment in page.comments] == [2, 1]
    assert page.comments[1].reactions == {"support": 1}
    assert (page.locked, page.counts) == (True, Counts(2, 0, 2))
    assert not thread.as_of(moment(4)).view().locked
    assert not thread.as_of(moment(5) - 1).view().locked
    assert thread.as_of(moment(6)).comment(id_of(6)).late
    assert thread.as_of(moment(9)).counts().replies == 1
    assert thread.as_of(0).counts() == Counts()
    assert numbers(thread.as_of(moment(99))) == numbers(thread)


def test_texts_are_todays():
    """Going back in time brings back no text, no name, and nothing that is withheld today."""
    thread = fold(
        [
            posted(1), edited(3, 1, "w3"), posted(2, by=BOB, meta={"site": "b.example"}), removed(4, 2),
            posted(5, spoiler=True), posted(6),
            deleted(7, 6), posted(8), erased(9, 8), described(10),
        ]
    )  # fmt: skip
    page = thread.as_of(moment(8)).view()
    assert (page.title, page.counts) == ("w10", Counts(2, 0, 2, hidden=3))
    assert [(comment.body, comment.text_id) for comment in page.comments] == [("w3", id_of(3)), (None, id_of(5))]
    for number in (2, 5, 6, 8):
        assert thread.as_of(moment(number)).comment(id_of(number)).body is None
    assert thread.as_of(moment(8)).comment(id_of(8)).author == Actor("ann", "")
    assert thread.as_of(moment(2)).comment(id_of(2)).meta == {}
    assert thread.as_of(moment(2)).comment(id_of(2), reader=MODERATOR).marks == {"removed": (id_of(4),)}


def test_mentions_are_todays():
    """A text of today addresses whoever had spoken when it was written, also where the past did not know them yet."""
    thread = fold([posted(1), posted(2, by=BOB), edited(3, 1, "@Bob")])
    assert [mention.actor for mention in thread.as_of(moment(1)).view().comments[0].mentions] == ["bob"]


def test_a_past_keeps_up_with_today():
    """What is withheld after the past was looked at is withheld there, too."""
    thread = fold([posted(1, "secret"), posted(2), suggested(3, "secret")])
    past = thread.as_of(moment(3))
    assert numbers(past) == numbers(thread) == [1, 2]
    thread.apply(removed(4, 1))
    thread.apply(removed(5, 3))
    assert numbers(past) == [2]
    assert past.comment(id_of(1)).body is None
    assert past.corrections()[0].suggestion is None
    thread.apply(person_erased(6, ANN))
    assert numbers(past) == []
    assert past.today is thread
    assert thread.today is thread


def test_the_past_of_a_past():
    """It is the thread's own past, with today's texts."""
    thread = fold([posted(1), posted(2), posted(3), edited(4, 1, "w4")])
    older = thread.as_of(moment(2)).as_of(moment(1))
    assert [comment.body for comment in older.view().comments] == ["w4"]
    assert older.today is thread


def test_the_past_is_of_the_set():
    """However two facts under one id came, and whatever has evicted them since, the past is the same."""
    twins = [reacted(2, 1, "up", by=ANN), unreacted(2, 1, "up", by=ANN)]
    policy = Policy(kinds={"up"})
    seen = {
        str(fold(order).as_of(moment(2)).view(policy=policy).comments[0].reactions)
        for order in permutations([posted(1), *twins, unreacted(3, 1, "up", by=ANN)])
    }
    assert len(seen) == 1


def test_a_past_of_ones_own_making():
    """Any set of facts may be looked at with today's texts: what a log held, say."""
    thread = fold([posted(1), posted(2), edited(3, 1, "w3"), suggested(4), posted(4), described(5, "w5")])
    past = thread.past([posted(1), suggested(4), removed(6, 4)])
    assert [comment.body for comment in past.view().comments] == ["w3"]
    assert past.view().title == "w5"
    assert [number_of(each.id) for each in past.corrections()] == [4]
    thread.apply(edited(7, 1, "w7"))
    assert past.view().comments[0].body == "w7"


# --- reading ------------------------------------------------------------------------------------------------------------------


def test_reading_goes_by_the_policy():
    """Every reading takes the policy whose roles and kinds count, and the default one otherwise."""
    policy = Policy(moderators={"editor"}, editors={"author"}, describers={"reader"}, kinds={"up"})
    thread = fold(
        [
            posted(1), posted(2, to=1), removed(3, 2, by=EDITOR), held(4, 1), reacted(5, 1, "up"), suggested(6),
            decided(7, 6, by=AUTHOR),
            described(8, "ours", by=ANN), posted(9, held=True), reported(10, 1),
            approved(11, 9, cancels=[9], by=EDITOR),
        ]
    )  # fmt: skip
    assert thread.counts() == Counts(0, 1, 1, 2)
    assert thread.counts(policy=policy) == Counts(2, 0, 2, hidden=1)
    assert thread.view(policy=policy).title == "ours"
    assert thread.view(policy=policy).comments[0].reactions == {"up": 1}
    assert thread.replies(id_of(1), policy=policy).left == 0 < len(thread.replies(id_of(1)).comments)
    assert [number_of(comment.id) for comment in thread.flat(policy=policy).comments] == [1, 9]
    assert thread.comment(id_of(2), policy=policy).concealed == "removed"
    assert thread.corrections(policy=policy)[0].state == "accepted"
    assert [item.waiting for item in thread.queue(policy=policy).items] == [("reported",)]
    assert thread.view(reader=Actor("ed", "", "editor"), policy=policy).comments[0].marks == {"reported": (id_of(10),)}


def test_reading_changes_nothing():
    """A thread that was read is the thread that it was."""
    thread = fold([*SOME, suggested(8)])
    digest, changes = thread.digest(), thread.changes
    for order in ("oldest", "top", "hot", "active"):
        thread.view(order=order, reader=MODERATOR)
    thread.flat()
    thread.queue()
    thread.corrections(text="teh")
    assert (thread.digest(), thread.changes) == (digest, changes)
