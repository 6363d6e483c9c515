"""What is derived from a thread, kept up with every fact and never made anew, is what would be made anew."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from threadstore.model.erasure import redact
from threadstore.model.events import Event, PersonErased, UnknownEvent
from threadstore.model.ids import NIL, invert
from threadstore.model.index import Index, sort_key
from threadstore.model.outline import CORRECTIONS, FLAGS, TOP, Node, Tally, flags_in
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS, Order
from threadstore.model.values import Actor, actor_key
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
        posted(15, to=1), posted(16, to=15), posted(17, to=12), reacted(18, 1), posted(19, to=4),
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
        node = thread.index(POLICY.rules).node(id)
        if node is not None and node.is_comment:
            view = thread.comment(id, policy=POLICY)
            place = "total" if set(view.flags) <= {"spoiler"} else "pending" if view.flags[0] == "held" else "hidden"
            places[place] += 1
            top_level += place == "total" and view.parent is None
    return Counts(top_level, places["total"] - top_level, **places)


def orders_of(name: str) -> list[list[Event]]:
    """Return a history as it is told, backwards, and shuffled."""
    facts = HISTORIES[name]
    return [facts, facts[::-1], *(Random(seed).sample(facts, len(facts)) for seed in range(2))]


@pytest.mark.parametrize("name", HISTORIES)
def test_keeping_up_is_starting_anew(name: str):
    """After every fact the index equals a new one, the pages are those of a new thread, and the counts are a recount."""
    for facts in orders_of(name):
        thread = Thread(THREAD)
        told(thread, *ORDERS)  # from now on every order is kept up
        for number, fact in enumerate(facts, 1):
            thread.apply(fact)
            thread.index(POLICY.rules).check()
            assert thread.counts(policy=POLICY) == recount(thread)
            order = ORDERS[number % len(ORDERS)]
            assert told(thread, order) == told(fold(facts[:number]), order), fact
        assert told(thread, *ORDERS) == told(fold(HISTORIES[name]), *ORDERS)


@pytest.mark.parametrize("name", HISTORIES)
def test_an_index_that_nobody_has_read(name: str):
    """What was kept up before any order was asked for gives the same pages."""
    thread = Thread(THREAD)
    for fact in HISTORIES[name]:
        thread.index(POLICY.rules)
        thread.apply(fact)
    thread.index(POLICY.rules).check()
    assert told(thread, *ORDERS) == told(fold(HISTORIES[name]), *ORDERS)


@pytest.mark.parametrize("name", HISTORIES)
def test_an_index_that_is_made_at_any_moment(name: str):
    """Whatever was there when it was made, and whatever orders were asked for then, what comes later is kept up with."""
    for facts in orders_of(name):
        expected = told(fold(facts), *ORDERS)
        for cut in range(1, len(facts)):
            thread = fold(facts[:cut])
            index = thread.index(POLICY.rules)
            for order in ((), ("top",), ("controversial", "active"))[cut % 3]:
                order_of(index, order, pinned=cut % 2 == 0)
            for fact in facts[cut:]:
                thread.apply(fact)
            assert told(thread, *ORDERS) == expected
            thread.index(POLICY.rules).check()


@pytest.mark.parametrize("name", HISTORIES)
def test_keeping_up_is_not_making_anew(name: str):
    """The index stays the same object, save after an erased person and two facts under one id."""
    for facts in orders_of(name):
        thread = Thread(THREAD)
        for number, fact in enumerate(facts):
            index = thread.index(POLICY.rules)
            thread.apply(fact)
            if isinstance(fact, PersonErased) or fact.id in {other.id for other in facts[:number]}:
                continue
            assert thread.index(POLICY.rules) is index


def damaged(index: Index, how: str) -> None:
    """Spoil one of the things that an index keeps."""
    node = index.get(id_of(1))
    if how == "tally":
        index.tally.total += 1
    elif how == "node":
        node.votes = {"up": 1}
    elif how == "children":
        index._children[TOP].reverse()
    elif how == "order":
        index.top("top", False, 0).reverse()
    elif how == "waiting":
        index._waiting[id_of(1)] = id_of(1)
    elif how == "withheld":
        index._withheld.add(id_of(1))
    elif how == "spoken":
        index._spoken[id_of(1)].pop(0)
    else:
        index._by_author[actor_key(ANN)].pop()


@pytest.mark.parametrize("how", ["tally", "node", "children", "order", "waiting", "withheld", "author", "spoken"])
def test_a_check_that_fails(how: str):
    """`check` notices an index that is not what it should be, so the tests above cannot pass vacuously."""
    thread = fold([posted(1), posted(2), posted(3, to=1)])
    index = thread.index(POLICY.rules)
    thread.apply(deleted(4, 3))
    order_of(index, "top")
    index.check()
    damaged(index, how)
    with pytest.raises(AssertionError):
        index.check()


def test_a_reaction_that_was_taken_back_before_its_comment_came():
    """What says nothing any more is like what was never there."""
    thread = Thread(THREAD)
    for fact in (reacted(2, 1), unreacted(3, 1)):
        index = thread.index(POLICY.rules)
        thread.apply(fact)
        index.check()
    assert index.node(id_of(1)) == Node(id_of(1))


# --- the tree -----------------------------------------------------------------------------------------------------------------


def indexed(*facts: Event, policy: Policy = POLICY) -> Index:
    return fold(facts, key=THREAD).index(policy.rules)


def below(index: Index, number: int | str) -> list[int]:
    """Return the numbers of the live nodes below a comment, or at the top."""
    ids, count = index.children(id_of(number) if isinstance(number, int) else number)
    found = list(map(number_of, ids))
    assert len(found) == count
    return found


def test_an_empty_thread():
    """It has no comments, and nothing waits."""
    index = indexed()
    assert index.tally == Tally()
    assert (below(index, TOP), below(index, CORRECTIONS), index.waiting, set(index.withheld), index.cutoffs) == (
        [], [], {}, set(), {},
    )  # fmt: skip
    assert index.posts_by(actor_key(ANN)) == index.top("top", True, 0) == index.flat("hot", 9) == []
    assert index.node(id_of(1)) is None
    assert index.reacted(id_of(1), "ann") == frozenset()


def test_live_children():
    """A node is listed under its parent while the public sees it or any below it."""
    facts = [posted(1), posted(2, to=1), posted(3, to=1), posted(4, to=3), removed(5, 3), deleted(6, 2), posted(7, held=True)]
    index = indexed(*facts)
    assert (below(index, TOP), below(index, 1), below(index, 3)) == ([1], [3], [4])
    node = index.get(id_of(1))
    assert (node.kids, node.replies) == (1, 0)
    assert not index.get(id_of(2)).live


def test_children_behind():
    """They are told from any id on, with how many there are behind it."""
    index = indexed(posted(1), *(posted(number, to=1) for number in (2, 4, 6)))
    for after, expected in (("", [2, 4, 6]), (id_of(2), [4, 6]), (id_of(3), [4, 6]), (id_of(6), []), (NIL, [2, 4, 6])):
        ids, count = index.children(id_of(1), after)
        assert (list(map(number_of, ids)), count) == (expected, len(expected))


def test_placeholders():
    """A placeholder is a place but no comment, it counts nowhere, and is live as long as a reply to it is."""
    facts = [posted(5, to=3), posted(6, to=3), posted(2, to=4)]
    index = indexed(*facts)
    assert (below(index, TOP), below(index, 3), below(index, NIL)) == ([0, 3], [5, 6], [2])
    place = index.get(id_of(3))
    assert (place.is_place, place.is_comment, place.shown, place.post) == (True, False, False, None)
    assert index.tally == Tally(total=3, live=2)
    assert below(indexed(*facts, deleted(7, 5), removed(8, 6)), TOP) == [0]


def test_what_is_said_early():
    """What is said of a comment that is not there makes no place of it, and counts when it comes."""
    thread = fold([pinned(2, 1), removed(3, 1), reacted(4, 1, "up")])
    index = thread.index(POLICY.rules)
    node = index.get(id_of(1))
    assert (node.is_place, node.is_comment, node.live, node.votes) == (False, False, False, {"up": 1})
    assert (index.tally, below(index, TOP)) == (Tally(), [])
    thread.apply(posted(1))
    assert flags_in(node.flags) == ("removed",)
    assert node.flags & FLAGS["pinned"]
    assert index.tally == Tally(hidden=1)


def test_the_tally():
    """Each comment is counted in one place; replies are those that have a parent, wherever they hang."""
    index = indexed(
        posted(1), posted(2, spoiler=True), posted(3, to=1), posted(4, to=9), posted(5, held=True),
        posted(6, held=True), reported(16, 1), reported(17, 13), reacted(18, 1, "down"), reacted(19, 6, "down"),
        removed(7, 6), posted(8, to=1), deleted(10, 8), posted(11), erased(12, 11), suggested(13), locked(14),
        described(15),
    )  # fmt: skip
    assert index.tally == Tally(
        total=4, top=2, pending=1, hidden=3, live=3, downs=2, waiting=3, locked=True, late=True, described=described(15)
    )


def test_above():
    """The nodes above one are told from the parent up to the top level, a placeholder included."""
    index = indexed(posted(4, to=2), posted(5, to=4), posted(6, to=5))
    assert [number_of(node.id) for node in index.above(index.get(id_of(6)))] == [5, 4, 2]
    assert list(index.above(index.get(id_of(2)))) == []


def test_who_posted():
    """An actor's comments are told in order, the anonymous ones together."""
    index = indexed(posted(3), posted(1), posted(2, by=None), posted(4, by=BOB, to=1), posted(5, by=None), suggested(6))
    assert [list(map(number_of, index.posts_by(actor_key(actor)))) for actor in (ANN, BOB, CYD, None)] == [
        [1, 3],
        [4],
        [],
        [2, 5],
    ]


def test_what_an_actor_reacted_with():
    """The kinds on offer that were given last, and of a group the last word."""
    index = indexed(
        posted(1), reacted(2, 1, "up"), reacted(3, 1, "down"), reacted(4, 1, "wow"), reacted(5, 1, "boo"),
        reacted(6, 1), unreacted(7, 1), reacted(8, 1, by=None),
    )  # fmt: skip
    assert index.reacted(id_of(1), "bob") == {"down", "wow"}
    assert index.reacted(id_of(1), "ann") == index.reacted(id_of(2), "bob") == frozenset()


def test_what_is_withheld():
    """What is removed or held may open to somebody; what is deleted or erased, and a correction, opens to nobody."""
    index = indexed(
        posted(1, held=True), posted(2), removed(3, 2), posted(4, by=BOB, held=True), posted(5, held=True),
        deleted(6, 5), posted(7, held=True), removed(8, 7), posted(10, held=True), erased(11, 10), suggested(12),
        removed(13, 12), posted(14, held=True), approved(15, 14, cancels=[14]),
    )  # fmt: skip
    assert sorted(map(number_of, index.withheld)) == [1, 2, 4, 7]


# --- orders -------------------------------------------------------------------------------------------------------------------


def order_of(index: Index, order: Order, *, pinned: bool = False, now: int = 0) -> list[int]:
    return [number_of(str(key[-1])) for key in index.top(order, pinned, moment(now))]


def test_orders_are_the_publics():
    """Votes and pins of what the public does not see do not count, nor do reactions that are not offered."""
    index = indexed(
        posted(1), posted(2), reacted(3, 2, "up"), posted(4), reacted(5, 4, "up"), reacted(6, 4, "up", by=CYD),
        posted(7, to=4),
        pinned(8, 4), removed(9, 4), pinned(10, 2), reacted(11, 1, "wow"), reacted(12, 1), unreacted(13, 1),
        reacted(14, 1, "down"),
    )  # fmt: skip
    assert order_of(index, "top") == [2, 1, 4]
    assert order_of(index, "top", pinned=True) == [2, 1, 4]
    assert order_of(index, "oldest", pinned=True) == [2, 1, 4]
    assert index.get(id_of(4)).flags & FLAGS["pinned"]


def test_an_order_is_kept():
    """Each order is sorted once, and kept up from then on; "hot" is reckoned anew for each moment and each change."""
    thread = fold([posted(1), posted(2), reacted(3, 1, "up")])
    index = thread.index(POLICY.rules)
    for order in ORDERS:
        keys = index.top(order, False, 0)
        flat = index.flat(order, 0)
        assert index.flat(order, 0) is flat
        thread.apply(posted(10 + ORDERS.index(order)))
        assert (index.top(order, False, 0) is keys) == (order != "hot")
        assert index.flat(order, 0) is not flat
    assert index.top("hot", False, 0) != index.top("hot", False, moment(9))
    assert index.top("hot", False, 0) != index.top("hot", True, 0)
    assert index.flat("hot", 0) != index.flat("hot", moment(9))


def test_a_sort_key():
    """It ends in the id; a pin puts it first while the comment is shown; in a flat list each has only its own activity."""
    shown = Node(id_of(1), flags=FLAGS["pinned"], votes={"up": 2, "down": 1}, active=id_of(5))
    hidden = Node(id_of(1), flags=FLAGS["pinned"] | FLAGS["removed"], votes={"up": 2})
    assert sort_key(shown, "top", POLICY.rules, 0) == (-2, id_of(1))
    assert sort_key(shown, "top", POLICY.rules, 0, pinned=True) == (0, -2, id_of(1))
    assert sort_key(hidden, "top", POLICY.rules, 0, pinned=True) == (1, 0, id_of(1))
    assert sort_key(shown, "active", POLICY.rules, 0) == (invert(id_of(5)), id_of(1))
    assert sort_key(shown, "active", POLICY.rules, 0, flat=True) == (invert(id_of(1)), id_of(1))
    assert sort_key(hidden, "active", POLICY.rules, 0) == (invert(id_of(1)), id_of(1))


def test_active():
    """The latest word that the public sees below a comment moves it up; when that word goes, the one before it counts."""
    facts = [posted(1), posted(2), posted(3, to=1), posted(4, to=3, by=BOB)]
    thread = fold(facts)
    index = thread.index(POLICY.rules)
    assert order_of(index, "active") == [1, 2]
    thread.apply(posted(5, to=2))
    assert order_of(index, "active") == [2, 1]
    thread.apply(deleted(6, 5))
    assert order_of(index, "active") == [1, 2]
    thread.apply(removed(7, 4))
    thread.apply(removed(8, 3))
    assert order_of(index, "active") == [2, 1]
    thread.apply(deleted(9, 2))
    assert order_of(index, "active") == [1]


def test_the_latest_words_go_one_after_the_other():
    """However they go, come back, or come home with an orphan, the latest that is left counts."""
    thread = fold([posted(1), *(posted(number, to=1) for number in range(2, 6)), posted(9, to=8), posted(10, to=9)])
    index = thread.index(POLICY.rules)
    for fact, last in (
        (removed(20, 5), 4), (removed(21, 3), 4), (removed(22, 4), 2), (restored(23, 3, cancels=[21]), 3),
        (posted(6, to=3), 6), (reacted(24, 6), 6), (held(25, 6), 3), (posted(8, to=2), 10), (held(26, 10), 9),
        (deleted(27, 9), 8), (restored(28, 4, cancels=[22]), 8), (deleted(29, 8), 4), (posted(7, held=True), 4),
        (deleted(30, 1), 4), (deleted(31, 4), 3), (deleted(32, 3), 2), (deleted(33, 2), None),
    ):  # fmt: skip
        thread.apply(fact)
        assert index.get(id_of(1)).active == ("" if last is None else id_of(last)), fact
        index.check()


def test_an_orphan_that_nobody_has_seen_comes_home():
    """What was said below a placeholder and is no longer seen leaves nothing behind when its parent comes."""
    thread = fold([posted(1), posted(9, to=5), posted(3, to=1)])
    index = thread.index(POLICY.rules)
    for fact, last in ((removed(20, 9), 3), (deleted(21, 3), 1), (posted(5, to=1), 5), (restored(22, 9, cancels=[20]), 9)):
        thread.apply(fact)
        assert index.get(id_of(1)).active == id_of(last)
        index.check()


def test_activity_comes_home():
    """What was said under a missing comment counts for the top-level comment that it turns out to be below."""
    thread = fold([posted(1), posted(2), posted(9, to=5), posted(7, to=6)])
    index = thread.index(POLICY.rules)
    assert order_of(index, "active") == [5, 6, 2, 1]
    thread.apply(posted(5, to=4))
    assert order_of(index, "active") == [4, 6, 2, 1]
    thread.apply(posted(4, to=1))
    assert order_of(index, "active") == [1, 6, 2]
    thread.apply(posted(6))
    assert order_of(index, "active") == [1, 6, 2]


# --- what it is made of -------------------------------------------------------------------------------------------------------


def test_what_waits():
    """Held and reported comments and reported corrections wait, since the oldest of these facts, unless they are gone."""
    index = indexed(
        posted(1, held=True), posted(2), reported(3, 2), suggested(4), reported(5, 4), posted(6, held=True),
        deleted(7, 6), posted(8),
        reported(9, 8), erased(10, 8), suggested(11), reported(12, 11), removed(13, 11),
    )  # fmt: skip
    assert {number_of(id): number_of(since) for id, since in index.waiting.items()} == {1: 1, 2: 3, 4: 5}


def test_which_corrections_there_are():
    """All that identified actors suggested, in order; none under a comment's id."""
    index = indexed(posted(1), suggested(5), suggested(2), suggested(4, by=None), suggested(1, by=BOB), removed(6, 2))
    assert below(index, CORRECTIONS) == [2, 5]
    assert below(index, TOP) == [1]
    assert flags_in(index.get(id_of(2)).flags) == ("removed",)


def test_names_are_those_in_use():
    """Each comment's author is known by the name that it bears, those of erased comments apart; a past has today's names."""
    thread = fold([posted(1), posted(2, by=BOB), posted(3, by=None), posted(4, by=CYD), erased(5, 2)])
    assert len(thread.index(POLICY.rules).names) == 2
    assert len(thread.as_of(moment(1)).index(POLICY.rules).names) == 2
    thread.apply(person_erased(6, CYD))
    assert len(thread.index(POLICY.rules).names) == 1


def test_a_past_is_outdated_when_today_changes():
    """What is derived of a past takes its texts from today's thread, and is made anew when that one changes."""
    today = fold([posted(1, "secret"), posted(2)])
    past = today.as_of(moment(1))
    index = past.index(POLICY.rules)
    assert past.index(POLICY.rules) is index
    assert index.today is not index
    assert not index.outdated
    today.apply(posted(2))
    assert not index.outdated
    today.apply(removed(3, 1))
    assert index.outdated
    assert past.counts(policy=POLICY) == Counts(hidden=1)
    assert not today.index(POLICY.rules).outdated
    assert today.index(POLICY.rules).today is today.index(POLICY.rules)


def test_a_past_does_not_keep_up():
    """What is applied to a past is in it, by an index that is made anew."""
    today = fold([posted(1), posted(2), posted(3)])
    past = today.as_of(moment(1))
    assert past.counts(policy=POLICY) == Counts(1, 0, 1)
    past.apply(posted(2))
    assert past.counts(policy=POLICY) == Counts(2, 0, 2)
    assert today.counts(policy=POLICY) == Counts(3, 0, 3)


def test_other_rules_make_another_index():
    """An index is for one set of rules; policies with equal rules share it."""
    thread = fold([posted(1), held(2, 1, by=EDITOR)])
    first = thread.index(POLICY.rules)
    assert thread.index(Policy(kinds=POLICY.kinds, exclusive=POLICY.exclusive, max_body=5).rules) is first
    assert thread.index(Policy(moderators={"editor"}).rules).tally.pending == 1
    assert thread.index(POLICY.rules) is not first


# --- large threads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
def test_a_deep_chain(backwards: bool):
    """A chain of replies takes no recursion, in whatever order it comes, with all orders kept up."""
    depth = 5_000
    facts = [posted(number, "w", to=number - 1 if number > 1 else None) for number in range(1, depth + 1)]
    thread = Thread(THREAD)
    index = thread.index(POLICY.rules)
    for fact in reversed(facts) if backwards else facts:
        thread.apply(fact)
        assert order_of(index, "active") != []
    assert thread.index(POLICY.rules) is index
    assert index.tally == Tally(total=depth, top=1, live=1)
    assert len(list(index.above(index.get(id_of(depth))))) == depth - 1
    index.check()
    for number in range(1, depth):
        thread.apply(deleted(depth + number, number))
    assert index.tally == Tally(total=1, hidden=depth - 1, live=1)
    thread.apply(deleted(2 * depth, depth))
    assert (index.tally, below(index, TOP)) == (Tally(hidden=depth), [])
    index.check()
