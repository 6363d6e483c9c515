"""The orders of a dense thread's top level, which are found only as far as somebody looks, and are kept up from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random

import pytest

from threadstore import Policy, ThreadView, dense_orders, fold
from threadstore.dense import DenseThread
from threadstore.dense_orders import shelved
from threadstore.descent import Descent
from threadstore.log.memory import MemoryLog
from threadstore.model.events import Actor, Event
from threadstore.model.ranking import ORDERS, Order
from threadstore.streams import StreamOf
from threadstore.testing.given import (
    BOB,
    CYD,
    MODERATOR,
    THREAD,
    id_of,
    moment,
    pinned,
    posted,
    reacted,
    removed,
    unreacted,
)
from threadstore.views.thread import Thread

POLICY = Policy()


def read(events: Iterable[Event]) -> DenseThread:
    """Return the thread of these events, read from a log."""
    log = MemoryLog()
    log.append(THREAD, list(events))
    thread = DenseThread(THREAD, POLICY.rules, StreamOf(log, THREAD))
    thread.read()
    return thread


def follow(thread: DenseThread, events: Iterable[Event]) -> None:
    """Let the thread's log have some more events, and the thread follow it."""
    source = thread._source
    assert isinstance(source, StreamOf)
    for event in events:
        thread.admit(event, source._log.append(THREAD, [event]).revision)


def page(thread: Thread, order: Order, after: str | None = None, *, limit: int = 3, is_pinned: bool = False) -> ThreadView:
    """Return one short page."""
    return thread.view(order=order, after=after, limit=limit, pinned=is_pinned, now=None if after else moment(900), policy=POLICY)


def pages(thread: Thread, order: Order, *, limit: int = 3, is_pinned: bool = False) -> Iterator[ThreadView]:
    """Yield all pages of an order."""
    shown = page(thread, order, limit=limit, is_pinned=is_pinned)
    yield shown
    while shown.next is not None:
        shown = page(thread, order, shown.next, limit=limit, is_pinned=is_pinned)
        yield shown


def agree(thread: DenseThread, events: Sequence[Event]) -> None:
    """Assert that all pages of all orders are those of an ordinary thread of the same events."""
    plain = fold(events)
    plain.revision = thread.revision
    for order in ORDERS:
        for is_pinned in (False, True):
            assert list(pages(thread, order, is_pinned=is_pinned)) == list(pages(plain, order, is_pinned=is_pinned)), order


def crowd(seed: int, comments: int = 40) -> list[Event]:
    """Return a thread of plain comments, half of them at the top, of which some have votes."""
    random = Random(f"crowd {seed}")
    events: list[Event] = [
        posted(number, to=None if number < 3 or random.random() < 0.5 else random.randrange(1, number))
        for number in range(1, comments + 1)
    ]
    votes = [(random.randrange(1, comments // 2), voter) for voter in range(12) for _ in range(comments // 8)]
    for number, (comment, voter) in enumerate(sorted(set(votes)), comments + 1):
        events.append(reacted(number, comment, by=Actor(f"v-{voter}")))
    return events


@pytest.mark.parametrize("order", ORDERS)
def test_a_cursor_leads_on_wherever_it_is_taken(order: Order):
    """Whoever comes with a cursor gets the page behind it, whether this thread has given it or was just read."""
    events = crowd(1)
    plain = fold(events)
    plain.revision = len(events)
    known = read(events)
    for shown in [*pages(known, order)][::-1]:
        if shown.next is not None:
            wanted = page(plain, order, shown.next)
            assert page(known, order, shown.next) == wanted
            assert page(read(events), order, shown.next) == wanted


@pytest.mark.parametrize("looked_at", ORDERS)
def test_orders_are_kept_up_from_any_look_on(looked_at: Order):
    """Votes come and go, the last with the shelf; what is kept leaves the plain ones."""
    events = [posted(1), posted(2), posted(3, by=BOB), posted(4), reacted(5, 2), reacted(6, 1), reacted(7, 1, by=CYD)]
    more: list[Event] = [
        unreacted(11, 2),
        reacted(12, 4),
        reacted(13, 4, by=CYD),
        posted(14, to=3),
        posted(15),
        pinned(16, 3),
        removed(17, 14),
        posted(18, to=4),
        reacted(19, 15, by=CYD),
        removed(20, 2),
        posted(21, to=2),
    ]
    thread = read(events)
    page(thread, looked_at, limit=1)
    for number, event in enumerate(more, 1):
        follow(thread, [event])
        page(thread, looked_at, limit=1)
        agree(thread, [*events, *more[:number]])


def test_shelves_come_and_go_with_those_who_have_such_votes():
    """That of the many without votes is always there; those who lose their only vote go to it."""
    events = [posted(1), posted(2), posted(3), reacted(4, 2)]
    thread = read(events)
    page(thread, "top", limit=1)
    orders = thread.dense.orders
    assert orders._shelves is not None
    assert set(orders._shelves) == {(1, 0), (0, 0)}
    follow(thread, [reacted(5, 3), unreacted(6, 2), reacted(7, 1), reacted(8, 1, by=CYD)])
    assert set(orders._shelves) == {(2, 0), (1, 0), (0, 0)}
    assert [comment.id for comment in page(thread, "top").comments] == [id_of(1), id_of(3), id_of(2)]
    follow(thread, [unreacted(9, 3)])
    assert set(orders._shelves) == {(2, 0), (0, 0)}


@pytest.mark.parametrize("order", ORDERS)
def test_a_thread_that_thaws_has_its_shelves(order: Order):
    """They are what the columns make of the top level, without those that are kept; and they are kept up from there on."""
    events = [*crowd(5, comments=60), pinned(900, 4)]
    log = MemoryLog()
    log.append(THREAD, events)
    thread = DenseThread(THREAD, POLICY.rules, StreamOf(log, THREAD))
    thread.read()
    state = thread.freeze()
    assert state is not None
    again = DenseThread(THREAD, POLICY.rules, StreamOf(log, THREAD))
    assert again.resume(len(events), state)
    for each in (thread, again):
        shelves = each.dense.orders._shelves
        assert shelves is not None
        kept = set(each.dense.kept_ranks)
        wanted = {pair: [rank for rank in ranks if rank not in kept] for pair, ranks in shelved(each.columns).items()}
        assert kept
        assert {pair: list(ranks) for pair, ranks in shelves.items() if ranks} == {pair: x for pair, x in wanted.items() if x}
        page(each, order, limit=3)
    agree(again, events)


def test_active_looks_no_further_than_it_is_asked_for():
    """A first page begins at the end of the thread."""
    thread = read(crowd(2, comments=200))
    words = thread.dense._listening()
    page(thread, "active", limit=3)
    assert len(words.last) < 10
    agree(thread, crowd(2, comments=200))
    assert set(words.last) == set(thread.columns.tops)


def test_what_is_hot_is_remembered_for_whoever_goes_on(monkeypatch: pytest.MonkeyPatch):
    """The next page takes up where the last one ended, until something changes or it is too much."""
    events = crowd(3)
    thread, plain = read(events), fold(events)
    plain.revision = len(events)
    first = page(thread, "hot")
    flow = thread.dense.orders._flow
    assert page(thread, "hot", first.next) == page(plain, "hot", first.next)
    assert thread.dense.orders._flow is flow
    follow(thread, [posted(900)])
    agree(thread, [*events, posted(900)])
    monkeypatch.setattr(dense_orders, "_REMEMBERED", 2)
    assert list(pages(thread, "hot")) == list(pages(read([*events, posted(900)]), "hot"))


def test_a_cursor_may_name_what_is_not_there():
    """The place of an id that no comment has is between those that are."""
    thread = read([posted(number) for number in (1, 2, 5, 6)])
    gone = read([posted(number) for number in (1, 2, 3, 5, 6)])
    for order in ORDERS:
        after = page(gone, order).next
        plain = fold([posted(number) for number in (1, 2, 5, 6)])
        plain.revision = thread.revision
        assert page(thread, order, after) == page(plain, order, after)


def test_a_long_chain_is_climbed_once():
    """The depth of each of its comments is known then, and of what comes below."""
    events = [posted(1), *(posted(number, to=number - 1) for number in range(2, 300)), posted(300)]
    thread = read(events)
    descent = Descent(thread.columns)
    assert [descent.depth(rank) for rank in (298, 299, 0, 150)] == [298, 0, 0, 150]
    assert [descent.root(rank) for rank in (298, 299, 5)] == [0, 299, 0]
    assert descent.nbytes == 8 * 300
    follow(thread, [posted(301, to=299)])
    assert (descent.root(300), descent.depth(300)) == (0, 299)
    assert thread.comment(id_of(301), policy=POLICY).depth == 299


def test_a_branch_that_goes_home_is_further_down():
    """A comment that comes later than its replies takes them with it; they are as far down as it is, and one more."""
    events = [posted(1), posted(2, to=1), posted(4, to=3), posted(5, to=4)]
    thread = read(events)
    assert [thread.comment(id_of(number), policy=POLICY).depth for number in (2, 4, 5)] == [1, 1, 2]
    page(thread, "active")
    follow(thread, [posted(3, to=2)])
    assert [thread.comment(id_of(number), policy=POLICY).depth for number in (2, 3, 4, 5)] == [1, 2, 3, 4]
    follow(thread, [posted(6, to=5), removed(7, 6), posted(8, to=4)])
    agree(thread, [*events, posted(3, to=2), posted(6, to=5), removed(7, 6), posted(8, to=4)])


# --- names --------------------------------------------------------------------------------------------------------------------


def speakers(count: int) -> list[Event]:
    """Return a comment by each of so many people, and one that addresses the first two."""
    said: list[Event] = [posted(number, by=Actor(f"s-{number}", f"S. {number}")) for number in range(1, count + 1)]
    return [*said, posted(count + 1, "@S. 1 and @S. 2", by=MODERATOR)]


def test_only_the_names_that_a_body_may_mean_are_read():
    """Nobody else's, not even if somebody else is addressed later; new ones are known as they come."""
    events = speakers(99)
    thread = read(events)
    shown = thread.comment(id_of(100), policy=POLICY)
    assert [mention.actor for mention in shown.mentions] == ["s-1", "s-2"]
    assert len(thread.dense.names) == 2
    more = [posted(101, by=Actor("new", "Nora")), posted(102, "@Nora, not @S. 3")]
    follow(thread, more)
    assert [mention.actor for mention in thread.comment(id_of(102), policy=POLICY).mentions] == ["new", "s-3"]
    assert len(thread.dense.names) == 5
    agree(thread, [*events, *more])


def test_who_asks_for_much_has_all_names_read():
    """As many looks as there are speakers cost as much as to read them all."""
    events = [*speakers(5), posted(7, "@a @b @c @d @e, @f @g!")]
    thread = read(events)
    assert thread.comment(id_of(7), policy=POLICY).mentions == ()
    assert len(thread.dense.names) == 7
    agree(thread, events)
