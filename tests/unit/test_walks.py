"""The orders of the top level, walked in indexes: exact over pages, whatever was voted, and whatever is voted meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from msgspec.structs import replace

from threadstore import Actor, Event, Policy, StoredThread, Thread, ThreadStore, fold
from threadstore.log.sqlite import SqliteLog
from threadstore.model.ranking import ORDERS
from threadstore.testing.given import (
    EPOCH,
    MODERATOR,
    THREAD,
    deleted,
    id_of,
    moment,
    pinned,
    posted,
    reacted,
    removed,
    unreacted,
)
from threadstore.testing.places import Wall
from threadstore.testing.stored import rows_agree

POLICY = Policy(kinds={"up", "down", "support"}, exclusive=[{"up", "down"}])
COUNT = 120


def voted(*, against: bool) -> list[Event]:
    """Return a top level of a few hours, with votes for it and, if so wished, against."""
    random = Random(3)
    facts: list[Event] = [posted(60 * number) for number in range(1, COUNT + 1)]
    facts += [posted(60 * number + 1, to=60 * random.randrange(1, number + 1)) for number in range(1, COUNT + 1, 5)]
    number = 60 * COUNT + 10
    for _ in range(400):
        number += 1
        kind = random.choice(["up", "up", "down"]) if against else random.choice(["up", "support"])
        to = 60 * random.choice([random.randrange(1, COUNT + 1), random.randrange(1, 8)])
        facts.append(reacted(number, to, kind, by=Actor(f"u-{random.randrange(40)}")))
    facts += [removed(number + 1, 60 * 4), pinned(number + 2, 60 * 9), pinned(number + 3, 60 * 77), deleted(number + 4, 60 * 8)]
    return facts


@pytest.fixture(params=[False, True], ids=["votes for", "votes against"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[StoredThread, Thread]]:
    """Return a thread as a store has it, and folded."""
    facts = voted(against=request.param)
    with ThreadStore(SqliteLog.open(":memory:"), policy=POLICY, now=Wall(moment(100_000))) as store:
        store.merge(facts)
        yield store.thread(THREAD), fold(facts)


#: Moments at which all, some and none of the comments are of an age at which their heat differs.
MOMENTS = [EPOCH, moment(60), moment(60 * COUNT), moment(60 * COUNT + 86_400), moment(30 * 86_400), moment(20_000 * 86_400)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 7, 500])
@pytest.mark.parametrize("has_pins", [False, True], ids=["", "pinned"])
def test_an_order_is_exact_over_pages(order: str, limit: int, has_pins: bool, both: tuple[StoredThread, Thread]):
    """Page after page an order is what sorting the whole top level gives, and each page says how many follow."""
    stored, folded = both
    for now in MOMENTS if order == "hot" else MOMENTS[2:3]:
        shape = {"order": order, "replies": 0, "pinned": has_pins}
        whole = [view.id for view in folded.view(limit=500, now=now, policy=POLICY, **shape).comments]
        seen: list[str] = []
        after = None
        while True:
            page = stored.view(limit=limit, after=after, now=now if after is None else None, **shape)
            seen += [view.id for view in page.comments]
            assert page.left == len(whole) - len(seen)
            if page.next is None:
                break
            after = page.next
        assert seen == whole


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("has_pins", [False, True], ids=["", "pinned"])
def test_a_cursor_keeps_its_place_when_votes_change(order: str, has_pins: bool, both: tuple[StoredThread, Thread]):
    """What was in front of a cursor may move; behind it is what stands behind its key now, and is counted so, as in memory."""
    stored, folded = both
    random = Random(5)
    number = 90_000
    options = {"order": order, "limit": 9, "replies": 0, "pinned": has_pins}
    after = stored.view(now=moment(60 * COUNT), **options).next
    for _ in range(6):
        for _ in range(12):
            number += 1
            to = 60 * random.randrange(1, COUNT + 1)
            kind = random.choice(["up", "support", "down"])
            make = random.choice([reacted, reacted, unreacted])
            fact = make(number, to, kind, by=Actor(f"u-{random.randrange(40)}"))
            stored._store.merge([fact])
            folded.apply(fact)
        page = stored.view(after=after, **options)
        assert replace(page, revision=0) == folded.view(after=after, policy=POLICY, **options)
        after = page.next
        if after is None:
            break
    rows_agree(stored._store, THREAD)


@pytest.mark.parametrize("order", ORDERS)
def test_a_flat_list_is_exact_over_pages(order: str, both: tuple[StoredThread, Thread]):
    """The same holds for all comments without their tree."""
    stored, folded = both
    after = None
    while True:
        now = moment(60 * COUNT) if after is None else None
        page = stored.flat(order=order, limit=50, after=after, now=now)
        assert replace(page, revision=0) == folded.flat(order=order, limit=50, after=after, now=now, policy=POLICY)
        after = page.next
        if after is None:
            return


def test_comments_with_equal_votes_are_in_the_order_of_their_ids():
    """Several groups of votes that amount to one value are merged into one order."""
    facts: list[Event] = [posted(number) for number in range(1, 9)]
    number = 100
    for to, ups, downs in ((1, 2, 1), (2, 1, 0), (3, 3, 2), (4, 1, 0), (5, 0, 1), (6, 1, 2), (7, 2, 1)):
        for kind, count in (("up", ups), ("down", downs)):
            for _ in range(count):
                number += 1
                facts.append(reacted(number, to, kind, by=Actor(f"u-{number}")))
    with ThreadStore(SqliteLog.open(":memory:"), policy=POLICY, now=Wall(moment(1_000))) as store:
        store.merge(facts)
        for order in ("top", "best", "controversial"):
            whole = [view.id for view in fold(facts).view(order=order, policy=POLICY).comments]
            assert whole.index(id_of(1)) < whole.index(id_of(7)), "equal votes"
            for limit in (1, 2, 3, 8):
                seen: list[str] = []
                after = None
                while True:
                    page = store.thread(THREAD).view(order=order, limit=limit, after=after)
                    seen += [view.id for view in page.comments]
                    after = page.next
                    if after is None:
                        break
                assert seen == whole


def test_an_empty_top_level_is_empty_in_every_order():
    """A thread of which nothing is shown has no page in any order, and nothing is left of it."""
    with ThreadStore(SqliteLog.open(":memory:"), policy=POLICY, now=Wall(moment(1_000))) as store:
        store.merge([posted(1), removed(2, 1, by=MODERATOR)])
        for order in ORDERS:
            page = store.thread(THREAD).view(order=order, pinned=True)
            assert (page.comments, page.next, page.left) == ((), None, 0)


def test_a_cursor_whose_comment_has_other_votes_now():
    """Where there are only votes for, a cursor goes on behind the votes that its comment had."""
    facts: list[Event] = [posted(number) for number in range(1, 9)]
    facts += [
        reacted(10 * number + other, number, by=Actor(f"u-{other}")) for number in range(1, 9) for other in range(number % 4)
    ]
    with ThreadStore(SqliteLog.open(":memory:"), policy=POLICY, now=Wall(moment(1_000))) as store:
        store.merge(facts)
        after = store.thread(THREAD).view(order="top", limit=3).next
        more = [reacted(200, 6, by=Actor("u-7")), reacted(201, 2, by=Actor("u-7")), reacted(202, 3, by=Actor("u-7"))]
        more += [reacted(203, 7, by=Actor("u-7"))]
        store.merge(more)
        page = store.thread(THREAD).view(order="top", limit=3, after=after)
        expected = fold([*facts, *more]).view(order="top", limit=3, after=after, policy=POLICY)
        assert replace(page, revision=0) == expected
