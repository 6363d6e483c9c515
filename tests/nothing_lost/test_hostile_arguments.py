"""
Every argument of every way to read, with values that no honest page sends: the answer, or an error that says what is wrong.

A web layer passes on what stands in an address. So each parameter in turn takes values of the wrong type, out of every range,
and from elsewhere; what comes back is an answer or one of the errors that the method names, in bounded time, and the same from
both logs. test_hostile_guards.py takes each guard out and names the test here that notices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import threadstore
from threadstore import Actor, CommentNotFound, InvalidCursor, Policy, Rejected, StoreError, TextQuote, ThreadStore, fold
from threadstore.model.ids import NIL
from threadstore.model.ranking import ORDERS
from threadstore.testing.given import ANN, BOB, MODERATOR, THREAD, held, id_of, moment, posted, reported, suggested

pytestmark = pytest.mark.usefixtures("guard")


class Sly(str):
    """A text by inheritance only."""

    __slots__ = ()


#: Each made anew for each call: some are used up.
VALUES: tuple[Callable[[], Any], ...] = (
    *(
        (lambda value=value: value)
        for value in (
            *(
                None,
                True,
                False,
                0,
                1,
                -1,
                1_001,
                2**31,
                2**53 + 1,
                2**63 - 1,
                2**63,
                2**64,
                2**70,
                -(2**63),
                -(2**70),
                1 << 10_000,
            ),
            *(0.0, 1.5, math.nan, math.inf, -math.inf, 1j),
            *("", "x", "0", "all", "oldest", "top'; DROP TABLE events;--", "\0", "\ud800", "a" * 100_000, "\u202e", NIL),
            *(b"", b"x", Sly("x")),
            *(id_of(1), id_of(2), id_of(3), id_of(99), id_of(1).upper(), "ann@news.example"),
            *(
                [],
                [None],
                [[]],
                ["x"],
                [id_of(1)],
                (),
                ("x",),
                {},
                {"a": 1},
                set(),
                {id_of(1)},
                frozenset(),
                range(3),
                range(10**12),
            ),
            *(object(), int, len, ..., Actor("m", "", "moderator"), TextQuote("x"), Policy(), ValueError("x")),
        )
    ),
    lambda: (x for x in ("x",)),
    lambda: iter([1]),
    lambda: map(len, [1]),
)


FIRST = id_of(1)


def ways(store: ThreadStore) -> dict[str, tuple[Callable[..., Any], tuple[str, ...]]]:
    """Return each way to read, with the parameters that a stranger might choose."""
    t = store.thread(THREAD)
    page = ("limit", "after", "reader", "reveal", "replies", "depth", "rows")
    return {
        "view": (t.view, ("order", "pinned", "now", *page)),
        "replies": (lambda comment=FIRST, **more: t.replies(comment, **more), ("comment", *page)),
        "comment": (lambda id=FIRST, **more: t.comment(id, **more), ("id", "context", *page[2:])),
        "flat": (t.flat, ("order", "now", *page[:4])),
        "counts": (store.counts, ("keys",)),
        "corrections": (t.corrections, ("text", "article_version", "reader")),
        "queue": (t.queue, ("limit", "after")),
        "history": (lambda **more: list(t.history(**more)), ("after", "reader", "reveal")),
        "changes": (lambda since=0, **more: t.changes(since, **more), ("since", "limit", "reader", "reveal")),
        "as_of": (lambda moment: t.as_of(moment).view(), ("moment",)),
        "as_known_at": (lambda position: t.as_known_at(position).view(), ("position",)),
        "thread": (lambda key: store.thread(key).view(), ("key",)),
        "queues": (store.queue, ("limit",)),
        "latest": (store.latest, ("limit", "before", "reader", "reveal")),
        "by_person": (lambda id="ann", **more: store.by_person(id, **more), ("id", "limit", "before", "reader", "reveal")),
        "export": (lambda after: list(store.export(after=after)), ("after",)),
        "subscribe": (lambda after: list(store.subscribe(after=after)), ("after",)),
        "export_person": (store.export_person, ("actor_id",)),
        "read": (lambda after: list(store.log.read(THREAD, after=after)), ("after",)),
        "read_all": (lambda **more: list(store.log.read_all(**more)), ("after", "limit")),
    }


ALL = [(name, parameter) for name, (_, parameters) in ways(threadstore.open(":memory:")).items() for parameter in parameters]
ALLOWED = (TypeError, ValueError, InvalidCursor, CommentNotFound)


@pytest.fixture
def stores(tmp_path) -> Iterator[list[ThreadStore]]:
    """Return a store on each log, with the same few facts."""
    with threadstore.open(":memory:") as one, threadstore.open(tmp_path / "one.db", durability="off") as other:
        for store in (one, other):
            store.merge([posted(1, by=ANN), posted(2, to=1, by=BOB), suggested(3), reported(4, 1), held(5, 2), posted(6, by=ANN)])
        yield [one, other]


def outcome(call: Callable[[], Any], *allowed: type[Exception]) -> str:
    try:
        call()
    except allowed as error:
        return "refused" if str(error) else "refused without a word"
    return "answered"


@pytest.mark.parametrize(("way", "parameter"), ALL)
def test_any_value_is_answered_or_refused(way: str, parameter: str, stores: list[ThreadStore]):
    """Whatever an argument is, there is an answer or an error that names what is wrong, and both logs give the same."""
    for value in VALUES:
        outcomes = {outcome(lambda: ways(store)[way][0](**{parameter: value()}), *ALLOWED) for store in stores}  # noqa: B023
        assert outcomes in ({"answered"}, {"refused"}), f"{way}({parameter}={value()!r:.80})"


WRITES: dict[str, tuple[str, ...]] = {
    "post": ("body", "by", "spoiler", "held", "meta", "id"),
    "reply": ("to", "body", "by", "spoiler", "held", "meta", "id"),
    "edit": ("comment", "body", "by", "seen", "id"),
    "delete": ("comment", "by", "id"),
    "react": ("comment", "kind", "by", "id"),
    "unreact": ("comment", "kind", "by", "id"),
    "mark_spoiler": ("comment", "by", "id"),
    "clear_spoiler": ("comment", "by", "cancels", "id"),
    "report": ("comment", "by", "reason", "seen", "id"),
    "resolve_reports": ("comment", "by", "cancels", "id"),
    "hold": ("comment", "by", "reason", "id"),
    "approve": ("comment", "by", "cancels", "seen", "id"),
    "remove": ("comment", "by", "reason", "id"),
    "restore": ("comment", "by", "cancels", "seen", "id"),
    "pin": ("comment", "by", "id"),
    "unpin": ("comment", "by", "cancels", "id"),
    "lock": ("by", "reason", "id"),
    "unlock": ("by", "cancels", "id"),
    "describe": ("by", "title", "url", "article_version", "id"),
    "suggest_correction": ("quote", "suggestion", "by", "note", "article_version", "id"),
    "decide_correction": ("correction", "outcome", "by", "note", "id"),
    "erase": ("comment", "by", "id"),
}
FITTING: dict[str, Any] = {
    "body": "words",
    "to": id_of(1),
    "comment": id_of(1),
    "correction": id_of(3),
    "outcome": "accepted",
    "by": MODERATOR,
    "quote": TextQuote("x"),
    "suggestion": "y",
}


@pytest.mark.parametrize("write", WRITES)
def test_any_value_is_written_or_refused(write: str):
    """Whatever is to be written, it is, or the error is a rejection, a store's, or says that the argument is misused."""
    for parameter in WRITES[write]:
        for value in VALUES:
            with threadstore.open(":memory:", now=lambda: moment(60)) as store:
                store.merge([posted(1), suggested(3), reported(4, 1), held(5, 1)])
                before = store.log.position()
                arguments = {name: FITTING[name] for name in WRITES[write] if name in FITTING} | {parameter: value()}
                method = getattr(store.thread(THREAD), write)
                how = outcome(lambda: method(**arguments), Rejected, StoreError, TypeError, ValueError)  # noqa: B023
                assert how in {"answered", "refused"}
                assert how == "answered" or store.log.position() == before
                for record in store.log.read_all():
                    assert record.event.thread == THREAD


@pytest.mark.parametrize("before", [3, 100_000, 2**31, 2**53])
def test_a_feed_begins_where_the_log_ends(before: int):
    """A page behind the end of the log is the last one: it is not looked for all the way down from there."""
    with threadstore.open(":memory:") as store:
        store.merge([posted(1), posted(2)])
        asked = []
        read_all = store.log.read_all
        store.log.read_all = lambda **place: asked.append(place) or read_all(**place)  # type: ignore[method-assign]
        assert [item.comment.id for item in store.latest(before=before)] == [id_of(2), id_of(1)]
        assert len(asked) <= 1


def test_an_order_is_kept_for_two_values():
    """What is kept for a listing does not grow with what `pinned` may be: it is true or false, and nothing else."""
    thread = fold([posted(1)])
    for pinned in (2, "yes", 1.0, None, ("x",), [1]):
        with pytest.raises(TypeError, match="pinned"):
            thread.view(pinned=pinned)  # type: ignore[arg-type]
    for order in ORDERS:
        for pinned in (True, False):
            thread.view(order=order, pinned=pinned)
    assert len(thread.index(Policy().rules)._orders) <= 2 * len(ORDERS)


def test_moments_are_not_kept():
    """The listings of "hot" are reckoned for one moment at a time, so a thousand moments take the room of one."""
    thread = fold(posted(n) for n in range(1, 30))
    for now in range(1_000):
        thread.view(order="hot", now=now)
        thread.flat(order="hot", now=now)
    index = thread.index(Policy().rules)
    assert len(index._flat) == 1
    assert len(index._orders) <= 1


def test_threads_that_nobody_wrote_in_are_not_kept_for_ever():
    """A page of a thread that has no event takes its room among those that are remembered, and leaves it again."""
    with threadstore.open(":memory:") as store:
        for number in range(2_000):
            store.thread(f"no such thread {number}").view()
        assert len(store._pages._pages) < 1_000
