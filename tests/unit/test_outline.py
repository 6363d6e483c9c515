"""What is derived from a thread, kept up with every fact and never made anew, is what would be made anew."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from threadstore.model.events import Actor, Event, PersonErased, UnknownEvent, redact
from threadstore.model.outline import Outline
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    CYD,
    EDITOR,
    MODERATOR,
    THREAD,
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
    moment,
    number_of,
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
from threadstore.views.thread import Thread, fold
from threadstore.views.types import Counts

POLICY = Policy(kinds=frozenset({"up", "down", "wow", "support"}), exclusive=(frozenset({"up", "down", "sideways"}),))
SECOND = Actor("sal", "Sal", "moderator")
DOT = Actor("dot", "Dot, Highest Level")

HISTORIES: dict[str, list[Event]] = {
    "a conversation": [
        posted(1), posted(2, to=1, by=BOB), posted(3, "@Bob, no.", to=2), posted(4, by=CYD),
        posted(5, "@Ann Lee", to=1, by=CYD),
        edited(6, 3, "@Bob: no!"), reacted(7, 1, by=CYD), reacted(8, 4, by=ANN), described(9), deleted(10, 2, by=BOB),
    ],
    "orphans coming home": [
        posted(9, to=5), posted(8, to=5, by=BOB), posted(7, to=3), posted(6, to=4), posted(5, to=3), posted(10, to=9),
        posted(4, to=1), posted(3, to=1, by=CYD), posted(2), posted(1), posted(11, to=10),
    ],
    "an orphan that nobody sees": [
        posted(5, to=3, held=True), posted(4, to=3), deleted(6, 4), approved(7, 5, cancels=[5]),
        posted(3, to=1, held=True),
        posted(2, to=1), approved(8, 3, cancels=[3]), posted(1, held=True), removed(9, 2),
    ],
    "void parents": [
        posted(2, to=2), posted(1, to=3), posted(3, to=1), posted(4, to=9), posted(5, to=4), posted(9, to=8),
        reacted(10, 2),
    ],
    "a branch that is buried and dug up": [
        posted(1, held=True), posted(2, to=1, held=True), posted(3, to=2, held=True), posted(4, to=3),
        posted(5, to=3, by=BOB),
        removed(6, 4), deleted(7, 5, by=BOB), approved(8, 2, cancels=[2]), restored(9, 4, cancels=[6]),
        removed(10, 2), removed(11, 4),
        approved(12, 1, cancels=[1]), deleted(13, 1), restored(14, 4, cancels=[11]), erased(15, 4),
    ],
    "votes": [
        reacted(9, 1, "up"), reacted(8, 1, "down"), posted(1), posted(2), reacted(10, 2, "up"),
        reacted(11, 2, "up", by=CYD),
        reacted(12, 2, "down"), unreacted(13, 2, "down"), reacted(14, 2, "down", by=CYD),
        reacted(15, 2, "sideways", by=CYD),
        reacted(16, 2, "up", by=None), reacted(17, 1, by=CYD), unreacted(18, 1, by=CYD), unreacted(19, 1, by=ANN),
        removed(20, 2),
        reacted(21, 2, "up", by=ANN), restored(22, 2, cancels=[20]), reacted(23, 7, "up"), reacted(6, 2, "up"),
    ],
    "pins": [
        posted(1), posted(2), posted(3), pinned(4, 2), pinned(5, 3), pinned(6, 3, by=SECOND), removed(7, 2),
        unpinned(8, 3, cancels=[5]),
        unpinned(9, 3, cancels=[6]), restored(10, 2, cancels=[7]), pinned(11, 12), posted(12), posted(13, to=12),
        pinned(14, 13),
        pinned(15, 1, by=ANN), deleted(16, 2),
    ],
    "activity": [
        posted(1), posted(2), posted(3, to=1), posted(4, to=3), posted(5, to=2), deleted(6, 4), posted(9, to=8),
        posted(8, to=7),
        posted(7, to=1), removed(10, 9), deleted(11, 8), deleted(12, 7), removed(13, 3),
        restored(14, 9, cancels=[10]), deleted(15, 1),
        deleted(16, 5), deleted(17, 2),
    ],
    "what waits": [
        posted(1, held=True), posted(2), reported(3, 2), held(4, 2), approved(5, 1, cancels=[1]), edited(6, 1),
        resolved(7, 2, cancels=[3]),
        approved(8, 1, cancels=[1], seen=6), reported(9, 1, by=None), reported(10, 11), posted(11), removed(12, 11),
        approved(13, 2, cancels=[4]), restored(14, 11, cancels=[12]), deleted(15, 11),
    ],
    "spoilers": [
        posted(1, spoiler=True), posted(2, "@Ann Lee"), marked(3, 2), cleared(4, 1, cancels=[1]),
        cleared(5, 2, cancels=[3], by=MODERATOR),
        posted(6, spoiler=True, held=True), approved(7, 6, cancels=[6]),
    ],
    "locks": [posted(1), locked(2), posted(3), unlocked(5, cancels=[2]), posted(4, by=AUTHOR), posted(6),
        locked(7, by=BOB), posted(8)],
    "corrections": [
        suggested(1), decided(2, 1), reported(3, 1), suggested(4, by=None), removed(5, 1),
        restored(6, 1, cancels=[5]), suggested(7, by=BOB),
        deleted(8, 7, by=BOB), reported(9, 7), decided(10, 12), suggested(12), erased(13, 12), reported(14, 4),
        posted(15, to=1),
    ],
    "erasures": [
        posted(1), posted(2, "@Ann Lee", by=BOB), posted(3, to=1, by=DOT), posted(4, "@Dot, Highest Level", to=3),
        edited(5, 2, by=SECOND),
        person_erased(6, ANN, by=ANN), posted(7), suggested(8, by=BOB), person_erased(9, SECOND),
        edited(10, 2, "@Ann Lee", by=MODERATOR),
        erased(11, 3), reported(12, 7), person_erased(13, BOB), posted(14, "@Bob @Sal", to=2),
    ],
    "a comment whose text was a moderator's who is gone": [
        posted(1), posted(2, "@Ann Lee", by=BOB), edited(3, 1, by=SECOND), person_erased(4, SECOND),
        edited(5, 1, by=MODERATOR),
    ],
    "full and redacted": [
        redact(posted(1, "@Bob", spoiler=True, held=True)), posted(2, by=BOB),
        posted(1, "@Bob", spoiler=True, held=True),
        redact(edited(3, 2, by=BOB)), edited(3, 2, by=BOB), suggested(4), redact(suggested(4)), redact(suggested(5)),
        suggested(5),
        approved(6, 1, cancels=[1]), reported(7, 1), redact(reported(7, 1)),
    ],
    "two facts under one id": [
        posted(1, "a"), posted(1, "another", by=BOB), posted(1, "a third, held", by=CYD, held=True), posted(2, to=1),
        posted(2, to=3),
        edited(4, 1, by=BOB), edited(4, 1, by=MODERATOR), edited(4, 2, by=ANN), held(5, 1), held(5, 1, by=SECOND),
        removed(5, 2),
        approved(6, 1, cancels=[1, 5]), reacted(7, 2, "up"), reacted(7, 2, "down"), pinned(8, 1),
        unpinned(8, 1, cancels=[8]),
    ],
    "a comment and a correction under one id": [
        suggested(1), reported(2, 1), posted(1), posted(3, held=True), suggested(3, by=BOB), decided(4, 1),
        removed(5, 3), posted(6, to=3),
        restored(7, 3, cancels=[5]), deleted(8, 1),
    ],
    "nothing for us": [
        UnknownEvent(id=id_of(1), thread=THREAD, kind="comment.sung", schema=3), posted(2), edited(3, 9),
        deleted(4, 9), held(5, 9),
        pinned(6, 9), approved(7, 9, cancels=[5]), unlocked(8, cancels=[9]), described(9, by=BOB),
        decided(10, 9, by=EDITOR),
    ],
}  # fmt: skip


def told(thread: Thread, *orders: str) -> bytes:
    """Return all that readers of every kind are shown in some orders."""
    pages = [
        (
            thread.view(order=order, pinned=pinned, reader=reader, reveal="all", now=moment(50), policy=POLICY),
            thread.flat(order=order, reader=reader, now=moment(50), policy=POLICY),
        )
        for reader in (None, ANN, MODERATOR)
        for order in orders
        for pinned in (False, True)
    ]
    return msgspec.json.encode([pages, thread.queue(policy=POLICY), thread.corrections(reader=MODERATOR, policy=POLICY)])


def recount(thread: Thread) -> Counts:
    """Count the comments one by one."""
    places = {"total": 0, "pending": 0, "hidden": 0}
    top_level = 0
    for id in thread.targets():
        node = thread.outline(POLICY.rules).comment(id)
        if node is not None:
            view = thread.comment(id, policy=POLICY)
            place = "total" if set(view.standing) <= {"spoiler"} else "pending" if view.standing[0] == "held" else "hidden"
            places[place] += 1
            top_level += place == "total" and view.parent is None
    return Counts(top_level, places["total"] - top_level, **places)


def orders_of(name: str) -> list[list[Event]]:
    """Return a history as it is told, backwards, and shuffled."""
    facts = HISTORIES[name]
    return [facts, facts[::-1], *(Random(seed).sample(facts, len(facts)) for seed in range(2))]


@pytest.mark.parametrize("name", HISTORIES)
def test_keeping_up_is_starting_anew(name: str):
    """After every fact the outline equals a new one, the pages are those of a new thread, and the counts are a recount."""
    for facts in orders_of(name):
        thread = Thread(THREAD)
        told(thread, *ORDERS)  # from now on every order is kept up
        for number, fact in enumerate(facts, 1):
            thread.apply(fact)
            outline = thread.outline(POLICY.rules)
            outline.check()
            assert outline.counts() == recount(thread)
            order = ORDERS[number % len(ORDERS)]
            assert told(thread, order) == told(fold(facts[:number]), order), fact
        assert told(thread, *ORDERS) == told(fold(HISTORIES[name]), *ORDERS)


@pytest.mark.parametrize("name", HISTORIES)
def test_an_outline_that_nobody_has_read(name: str):
    """What was kept up before any order was asked for gives the same pages."""
    thread = Thread(THREAD)
    for fact in HISTORIES[name]:
        thread.outline(POLICY.rules)
        thread.apply(fact)
    thread.outline(POLICY.rules).check()
    assert told(thread, *ORDERS) == told(fold(HISTORIES[name]), *ORDERS)


@pytest.mark.parametrize("name", HISTORIES)
def test_an_outline_that_is_made_at_any_moment(name: str):
    """Whatever was there when it was made, and whatever orders were asked for then, what comes later is kept up with."""
    for facts in orders_of(name):
        expected = told(fold(facts), *ORDERS)
        for cut in range(1, len(facts)):
            thread = fold(facts[:cut])
            outline = thread.outline(POLICY.rules)
            for order in ((), ("top",), ("controversial", "active"))[cut % 3]:
                order_of(outline, order, pinned=cut % 2 == 0)
            for fact in facts[cut:]:
                thread.apply(fact)
            assert told(thread, *ORDERS) == expected
            thread.outline(POLICY.rules).check()


def test_a_comment_for_which_nobody_has_asked():
    """It is counted and stands in its place before it has a node, and its node knows what has happened meanwhile."""
    thread = fold([posted(1), posted(2), posted(3, to=2), posted(4, to=3), reacted(5, 2)])
    outline = thread.outline(POLICY.rules)
    assert outline.counts() == Counts(2, 2, 4)
    assert order_of(outline, "top") == [2, 1]
    thread.apply(reacted(6, 1, by=BOB))
    thread.apply(reacted(7, 1, by=CYD))
    assert order_of(outline, "top") == [1, 2]
    thread.apply(reacted(8, 3))
    last = outline.node(id_of(4))
    assert [node.id for node in outline.ancestors(last)] == [id_of(3), id_of(2)]
    assert [(node.replies, node.votes) for node in outline.ancestors(last)] == [(1, {"support": 1}), (1, {"support": 1})]
    thread.apply(deleted(9, 4))
    assert below(outline, 3) == ([], [4])
    outline.check()


@pytest.mark.parametrize("name", HISTORIES)
def test_keeping_up_is_not_making_anew(name: str):
    """The outline stays the same object, save after an erased person and after two facts under one id."""
    for facts in orders_of(name):
        thread = Thread(THREAD)
        for number, fact in enumerate(facts):
            outline = thread.outline(POLICY.rules)
            thread.apply(fact)
            if not isinstance(fact, PersonErased) and fact.id not in {other.id for other in facts[:number]}:
                assert thread.outline(POLICY.rules) is outline


def test_a_check_that_fails():
    """`check` notices an outline that is not what it should be, so the tests above can not pass vacuously."""
    outline = fold([posted(1), posted(2, to=1)]).outline(POLICY.rules)
    outline.check()
    outline.node(id_of(1)).votes["up"] = 1
    with pytest.raises(AssertionError):
        outline.check()


# --- the tree -----------------------------------------------------------------------------------------------------------------


def outlined(*facts: Event, policy: Policy = POLICY) -> Outline:
    return fold(facts, key=THREAD).outline(policy.rules)


def below(outline: Outline, number: int | None = None) -> tuple[list[int], list[int]]:
    """Return the numbers of the live and of the buried nodes below a comment, or at the top."""
    node = outline.top if number is None else outline.node(id_of(number))
    return list(map(number_of, node.children)), list(map(number_of, node.buried))


def test_an_empty_thread():
    """It has no comments, and nothing waits."""
    outline = outlined()
    assert outline.counts() == Counts()
    assert (below(outline), outline.waiting, outline.corrections, outline.horizons) == (([], []), {}, [], {})
    assert outline.posts_by("ann") == []
    assert outline.standing(id_of(1)) is outline.node(id_of(1)) is None


def test_live_and_buried():
    """A node is live if the public sees it or any below it; the others are kept apart, in order."""
    facts = [posted(1), posted(2, to=1), posted(3, to=1), posted(4, to=3), removed(5, 3), deleted(6, 2), posted(7, held=True)]
    outline = outlined(*facts)
    assert below(outline) == ([1], [7])
    assert below(outline, 1) == ([3], [2])
    assert below(outline, 3) == ([4], [])
    assert outline.node(id_of(1)).replies == 0


def test_placeholders():
    """A placeholder is a node but no comment, it counts nowhere, and is live as long as a reply to it is."""
    facts = [posted(5, to=3), posted(6, to=3), posted(2, to=4)]
    outline = outlined(*facts)
    assert below(outline) == ([0, 3], [])
    assert below(outline, 3) == ([5, 6], [])
    assert outline.node(id_of(3)) is not None
    assert outline.comment(id_of(3)) is None
    assert outline.counts() == Counts(top_level=0, replies=3, total=3)
    assert below(outlined(*facts, deleted(7, 5), removed(8, 6))) == ([0], [3])


def test_counts():
    """Each comment is counted in one place; replies are those that have a parent, wherever they hang."""
    outline = outlined(
        posted(1), posted(2, spoiler=True), posted(3, to=1), posted(4, to=9), posted(5, held=True),
        posted(6, held=True),
        removed(7, 6), posted(8, to=1), deleted(10, 8), posted(11), erased(12, 11), suggested(13),
    )  # fmt: skip
    assert outline.counts() == Counts(top_level=2, replies=2, total=4, pending=1, hidden=3)


def test_ancestors():
    """They are told from the parent up to the top level, a placeholder included."""
    outline = outlined(posted(4, to=2), posted(5, to=4), posted(6, to=5))
    assert [number_of(node.id) for node in outline.ancestors(outline.node(id_of(6)))] == [5, 4, 2]
    assert list(outline.ancestors(outline.node(id_of(2)))) == []
    assert list(outline.ancestors(outline.top)) == []


def test_who_posted():
    """An actor's comments are told in order, the anonymous ones together."""
    outline = outlined(posted(3), posted(1), posted(2, by=None), posted(4, by=BOB, to=1), posted(5, by=None))
    assert [list(map(number_of, outline.posts_by(actor))) for actor in ("ann", "bob", "cyd", None)] == [[1, 3], [4], [], [2, 5]]


def test_what_opens_to_whom():
    """Moderators see what is removed or held, authors their own while it is held; nobody sees what is deleted or erased."""
    outline = outlined(
        posted(1, held=True), posted(2), removed(3, 2), posted(4, by=BOB, held=True), posted(5, held=True),
        deleted(6, 5),
        posted(7, held=True), removed(8, 7), posted(9, by=None, held=True), posted(10, held=True), erased(11, 10),
    )  # fmt: skip

    def opened(reader: Actor | None, *, moderates: bool = False) -> list[int]:
        return [number_of(node.id) for node in outline.opened_to(reader, moderates=moderates)]

    assert opened(None) == []
    assert opened(CYD) == []
    assert opened(ANN) == [1]
    assert opened(None, moderates=True) == opened(MODERATOR, moderates=True) == [1, 2, 4, 7, 9]


def test_what_must_be_dug_up():
    """To show a buried node a page digs up those above it, as far as they are buried."""
    buried = (posted(2, to=1), deleted(3, 2), posted(4, to=2, held=True), posted(5, to=4, held=True))
    for reply, ids in ((posted(6, to=5), set()), (posted(6, to=4), {5}), (posted(6, to=1), {2, 4, 5})):
        outline = outlined(posted(1), *buried, reply)
        nodes = [outline.node(id_of(number)) for number in (5, 4, 6)]
        assert {number_of(id) for id in outline.unburied(nodes)} == ids


# --- orders -------------------------------------------------------------------------------------------------------------------


def order_of(outline: Outline, order: str, *, pinned: bool = False, now: int = 0) -> list[int]:
    return [number_of(key[-1]) for key in outline.top_keys(order, pinned, moment(now))]


def test_orders_are_the_publics():
    """Votes and pins of what the public does not see do not count, nor do reactions that are not offered."""
    outline = outlined(
        posted(1), posted(2), reacted(3, 2, "up"), posted(4), reacted(5, 4, "up"), reacted(6, 4, "up", by=CYD),
        posted(7, to=4),
        pinned(8, 4), removed(9, 4), pinned(10, 2), reacted(11, 1, "wow"), reacted(12, 1), unreacted(13, 1),
        reacted(14, 1, "down"),
    )  # fmt: skip
    assert order_of(outline, "top") == [2, 1, 4]
    assert order_of(outline, "top", pinned=True) == [2, 1, 4]
    assert order_of(outline, "oldest", pinned=True) == [2, 1, 4]
    assert outline.node(id_of(4)).pinned


def test_an_order_is_kept():
    """Each order is sorted once, and kept up from then on; "hot" is reckoned anew for each moment and each change."""
    thread = fold([posted(1), posted(2), reacted(3, 1, "up")])
    outline = thread.outline(POLICY.rules)
    for order in ORDERS:
        keys = outline.top_keys(order, False, 0)
        assert outline.top_keys(order, False, 0) is keys
        flat = outline.flat_keys(order, 0)
        assert outline.flat_keys(order, 0) is flat
        thread.apply(posted(10 + ORDERS.index(order)))
        assert (outline.top_keys(order, False, 0) is keys) == (order != "hot")
        assert outline.flat_keys(order, 0) is not flat
    assert outline.top_keys("hot", False, 0) != outline.top_keys("hot", False, moment(9))
    assert outline.top_keys("hot", False, 0) != outline.top_keys("hot", True, 0)
    assert outline.flat_keys("hot", 0) != outline.flat_keys("hot", moment(9))


def test_active():
    """The latest word that the public sees below a comment moves it up; when that word goes, the one before it counts."""
    facts = [posted(1), posted(2), posted(3, to=1), posted(4, to=3, by=BOB)]
    thread = fold(facts)
    outline = thread.outline(POLICY.rules)
    assert order_of(outline, "active") == [1, 2]
    thread.apply(posted(5, to=2))
    assert order_of(outline, "active") == [2, 1]
    thread.apply(deleted(6, 5))
    assert order_of(outline, "active") == [1, 2]
    thread.apply(removed(7, 4))
    thread.apply(removed(8, 3))
    assert order_of(outline, "active") == [2, 1]
    thread.apply(deleted(9, 2))
    assert order_of(outline, "active") == [1]


def test_activity_comes_home():
    """What was said under a missing comment counts for the top-level comment that it turns out to be below."""
    thread = fold([posted(1), posted(2), posted(9, to=5), posted(7, to=6)])
    outline = thread.outline(POLICY.rules)
    assert order_of(outline, "active") == [5, 6, 2, 1]
    thread.apply(posted(5, to=4))
    assert order_of(outline, "active") == [4, 6, 2, 1]
    thread.apply(posted(4, to=1))
    assert order_of(outline, "active") == [1, 6, 2]
    thread.apply(posted(6))
    assert order_of(outline, "active") == [1, 6, 2]


# --- what it is made of -------------------------------------------------------------------------------------------------------


def test_standing_of_both_kinds():
    """A comment or a correction has one; an anonymous suggestion has none, nor has a correction under a comment's id."""
    outline = outlined(posted(1, held=True), suggested(2), removed(3, 2), suggested(4, by=None), suggested(1, by=BOB))
    assert outline.standing(id_of(1)).flags == ("held",)
    assert outline.standing(id_of(2)).flags == ("removed",)
    assert outline.standing(id_of(4)) is outline.correction(id_of(1)) is None
    assert list(map(number_of, outline.corrections)) == [2]


def test_what_waits():
    """Held and reported comments and reported corrections wait, unless they are gone."""
    outline = outlined(
        posted(1, held=True), posted(2), reported(3, 2), suggested(4), reported(5, 4), posted(6, held=True),
        deleted(7, 6), posted(8),
        reported(9, 8), erased(10, 8), suggested(11), reported(12, 11), removed(13, 11),
    )  # fmt: skip
    assert sorted(map(number_of, outline.waiting)) == [1, 2, 4]


def test_a_past_is_outdated_when_today_changes():
    """What is derived of a past takes its texts from today's thread, and is made anew when that one changes."""
    today = fold([posted(1, "secret"), posted(2)])
    past = today.as_of(moment(1))
    outline = past.outline(POLICY.rules)
    assert past.outline(POLICY.rules) is outline
    assert not outline.outdated
    today.apply(posted(2))
    assert not outline.outdated
    today.apply(removed(3, 1))
    assert outline.outdated
    assert past.outline(POLICY.rules).counts() == Counts(hidden=1)
    other = fold([posted(1), posted(2)])
    past.look_from(other)
    assert past.outline(POLICY.rules).counts() == Counts(1, 0, 1)
    assert not today.outline(POLICY.rules).outdated


def test_other_rules_make_another_outline():
    """An outline is for one set of rules; policies with equal rules share it."""
    thread = fold([posted(1), held(2, 1, by=EDITOR)])
    first = thread.outline(POLICY.rules)
    assert thread.outline(Policy(kinds=POLICY.kinds, exclusive=POLICY.exclusive, max_body=5).rules) is first
    assert thread.outline(Policy(moderators={"editor"}).rules).counts().pending == 1
    assert thread.outline(POLICY.rules) is not first


# --- large threads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
def test_a_deep_chain(backwards: bool):
    """A chain of replies takes no recursion, in whatever order it comes, with all orders kept up."""
    depth = 5_000
    facts = [posted(number, "w", to=number - 1 if number > 1 else None) for number in range(1, depth + 1)]
    thread = Thread(THREAD)
    outline = thread.outline(POLICY.rules)
    for fact in reversed(facts) if backwards else facts:
        thread.apply(fact)
        assert order_of(outline, "active") != []
    assert thread.outline(POLICY.rules) is outline
    assert outline.counts() == Counts(1, depth - 1, depth)
    assert len(list(outline.ancestors(outline.node(id_of(depth))))) == depth - 1
    outline.check()
    for number in range(1, depth):
        thread.apply(deleted(depth + number, number))
    assert outline.counts() == Counts(0, 1, 1, hidden=depth - 1)
    thread.apply(deleted(2 * depth, depth))
    assert below(outline) == ([], [1])
    outline.check()
    anew = fold(facts).outline(POLICY.rules)
    assert len(list(anew.ancestors(anew.node(id_of(depth))))) == depth - 1
