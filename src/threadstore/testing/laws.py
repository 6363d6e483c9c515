"""
The laws of a comment thread, each a function that any history must satisfy.

A law takes a `Case`: some events of one thread, a policy, and a source of chance for shuffling. It raises `AssertionError`
with a sentence when the history breaks it. `LAWS` lists them all, so that an application can run them over histories, rules
and readers of its own::

    for law in LAWS:
        law(Case(events, policy=my_policy, random=Random(7)))

What is compared is what a reader could tell: `ThreadReading` goes through a thread by its public face alone, page by page and
cursor by cursor, and `threadstore.testing.spec.Spec` says what it should have found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Final

import msgspec
from attrs import field, frozen
from msgspec.structs import replace

from threadstore.errors import CommentNotFound
from threadstore.model.codec import decode, encode
from threadstore.model.erasure import redact
from threadstore.model.events import (
    REGISTERS,
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentRestored,
    CommentUnpinned,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    Key,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
    ReportsResolved,
    Shape,
    SpoilerCleared,
    SpoilerMarked,
    ThreadDescribed,
    ThreadLocked,
    ThreadUnlocked,
)
from threadstore.model.ids import time_of
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS, Order
from threadstore.model.status import erasure_of
from threadstore.model.values import Actor
from threadstore.plans import run
from threadstore.testing.spec import Reader, Reveal, Spec
from threadstore.views.history import as_seen
from threadstore.views.thread import Thread, fold
from threadstore.views.types import CommentView, CorrectionView, Counts, QueueItem, ThreadView

__all__ = ["CONVERGENCE_LAWS", "LAWS", "Case", "Law", "ThreadReading", "is_unauthorised", "readers_of"]

_DEFAULT: Final = Policy()


def _tuple(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(events)


@frozen
class Case:
    """A history to hold against the laws. The *events* are of one thread, in any order, with or without repeats."""

    events: tuple[Event, ...] = field(converter=_tuple)
    policy: Policy = _DEFAULT
    random: Random = field(factory=lambda: Random(0))  # noqa: S311 - shuffling needs no cryptography

    def shuffled(self) -> list[Event]:
        """Return the events in another order."""
        events = list(self.events)
        self.random.shuffle(events)
        return events


Law = Callable[[Case], None]


# --- reading a thread as a page does ------------------------------------------------------------------------------------------


class ThreadReading:
    """
    A `threadstore.testing.reading.Reading` of a real thread, by its pages.

    Args:
        thread: The thread.
        policy: The application's rules.
        limit: How many comments a page asks for; small pages try the cursors hard.
        replies: How many replies a page shows with each comment.
        depth: How many levels of replies it shows.
        rows: How many rows it may have.
    """

    def __init__(
        self, thread: Thread, *, policy: Policy = _DEFAULT, limit: int = 2, replies: int = 1, depth: int = 2, rows: int = 5
    ) -> None:
        self.thread = thread
        self.policy = policy
        self._limit = limit
        self._shape = {"replies": replies, "depth": depth, "rows": rows}

    def counts(self) -> Counts:
        """Return the public's figures."""
        return self.thread.counts(policy=self.policy)

    def pages(
        self, order: Order, *, reader: Reader = None, reveal: Reveal = (), now: int | None = None, pinned: bool = False
    ) -> Iterator[ThreadView]:
        """Yield the pages of the top level, one after the other."""
        after = None
        left = None
        while True:
            page = self.thread.view(
                order=order,
                limit=self._limit,
                after=after,
                reader=reader,
                reveal=reveal,
                pinned=pinned,
                now=now,
                policy=self.policy,
                **self._shape,
            )
            _check(left is None or left == page.left + len(page.comments), "a page's `left` says how many follow")
            _check((page.next is None) == (page.left == 0), "a cursor is given just where something follows")
            yield page
            if page.next is None:
                return
            after, left = page.next, page.left

    def traversal(
        self,
        order: Order = "oldest",
        *,
        reader: Reader = None,
        reveal: Reveal = (),
        now: int | None = None,
        pinned: bool = False,
    ) -> list[tuple[int, CommentView]]:
        """Return the whole thread in preorder, gathered from its pages."""
        roots = [
            root for page in self.pages(order, reader=reader, reveal=reveal, now=now, pinned=pinned) for root in page.comments
        ]
        todo = list(reversed(roots))
        seen = []
        while todo:
            view = todo.pop()
            seen.append((view.depth, replace(view, replies=(), left=0, more=None)))
            todo.extend(reversed([*view.replies, *self._rest(view, reader, reveal)]))
        return seen

    def _rest(self, view: CommentView, reader: Reader, reveal: Reveal) -> Iterator[CommentView]:
        """Yield the replies that a page left out."""
        after, left = view.more, view.left
        _check((after is None) == (left == 0), "a cursor is given just where replies are left out")
        while after is not None:
            page = self.thread.replies(
                view.id,
                after=after,
                limit=self._limit,
                reader=reader,
                reveal=reveal,
                policy=self.policy,
                **self._shape,
            )
            _check(page.left + len(page.comments) == left, "`left` says how many replies follow")
            yield from page.comments
            after, left = page.next, page.left

    def comment(self, id: str, *, reader: Reader = None, reveal: Reveal = ()) -> CommentView:
        """Return one comment, without its replies."""
        view = self.thread.comment(id, reader=reader, reveal=reveal, policy=self.policy)
        return replace(view, replies=(), left=0, more=None)

    def corrections(self, *, reader: Reader = None) -> list[CorrectionView]:
        """Return all corrections, oldest first."""
        return list(self.thread.corrections(reader=reader, policy=self.policy))

    def queue(self) -> list[QueueItem]:
        """Return what waits for a moderator, gathered from its pages."""
        items: list[QueueItem] = []
        after = None
        while True:
            page = self.thread.queue(limit=self._limit, after=after, policy=self.policy)
            items += page.items
            if page.next is None:
                return [replace(item, comment=_alone(item.comment)) for item in items]
            after = page.next

    def title(self) -> str:
        """Return the article's title."""
        return self._page().title

    def url(self) -> str:
        """Return the article's address."""
        return self._page().url

    def locked(self) -> bool:
        """Return whether the conversation has ended."""
        return self._page().locked

    def _page(self) -> ThreadView:
        return self.thread.view(limit=1, rows=1, policy=self.policy)

    def as_of(self, moment: int) -> ThreadReading:
        """Return the thread as it stood at *moment*."""
        return ThreadReading(self.thread.as_of(moment), policy=self.policy, limit=self._limit, **self._shape)


def _alone(view: CommentView | None) -> CommentView | None:
    return None if view is None else replace(view, replies=(), left=0, more=None)


def _check(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


def readers_of(events: Iterable[Event]) -> list[Reader]:
    """Return readers worth trying: nobody in particular, each actor as a reader, and as themselves."""
    actors = {event.actor.id: event.actor for event in events if event.actor is not None}
    moderator = Actor("some-moderator", "", "moderator")
    return [None, "somebody-else", moderator, *sorted(actors), *(actors[id] for id in sorted(actors))]


def _told(case: Case, thread: Thread, reader: Reader = None) -> bytes:
    """Return all that one reader can get of a thread, as bytes to compare."""
    reading = ThreadReading(thread, policy=case.policy, limit=100, replies=100, depth=100, rows=1_000)
    return msgspec.json.encode(
        [
            reading.counts(),
            reading.traversal(reader=reader),
            reading.corrections(reader=reader),
            reading.queue(),
            [reading.title(), reading.url(), reading.locked()],
        ]
    )


def _all_told(case: Case, thread: Thread) -> list[bytes]:
    return [_told(case, thread), _told(case, thread, Actor("some-moderator", "", "moderator"))]


def _same(case: Case, one: Thread, other: Thread, sentence: str) -> None:
    _check(one.digest() == other.digest(), f"{sentence}: the digests differ")
    _check(_all_told(case, one) == _all_told(case, other), f"{sentence}: the views differ")


# --- the fold -----------------------------------------------------------------------------------------------------------------


def order_does_not_matter(case: Case) -> None:
    """The same facts in any order make the same thread."""
    _same(case, fold(case.events), fold(case.shuffled()), "another order makes another thread")


def repeats_do_not_matter(case: Case) -> None:
    """A fact that comes again changes nothing, and `apply` says so."""
    thread = fold(case.events)
    again = case.shuffled()
    _check(not any(list(map(thread.apply, again))), "a fact that came again was taken for news")
    _same(case, fold(case.events), thread, "repeats make another thread")


def merging_is_a_least_upper_bound(case: Case) -> None:
    """Merging is commutative, associative and idempotent, and gives what folding all gives."""
    events = case.shuffled()
    cuts = sorted(case.random.randrange(len(events) + 1) for _ in range(2))
    parts = [events[: cuts[0]], events[cuts[0] : cuts[1]], events[cuts[1] :]]
    overlap = case.random.choices(events, k=3) if events else []

    def part(number: int) -> Thread:
        return fold([*parts[number], *overlap])

    whole = fold(events)
    _same(case, part(0).merge(part(1)).merge(part(2)), whole, "merging is not folding")
    _same(case, part(0).merge(part(1).merge(part(2))), whole, "merging is not associative")
    _same(case, part(2).merge(part(0)).merge(part(1)), whole, "merging is not commutative")
    _same(case, fold(events).merge(whole), whole, "merging is not idempotent")


def _standing_under(thread: Thread, target: str, cell: str, key: Key) -> Event:
    if cell != "reaction":
        return thread.cells(target)[cell][key]
    return next(event for (comment, *by), event in thread.reactions() if (comment, *by) == (target, *key))


def cells_hold_the_extremes(case: Case) -> None:
    """
    Of several facts under one key a thread keeps the smallest or the largest id, as the table of registers says, and all
    flags.
    """
    thread = fold(case.shuffled())
    found: dict[tuple[str, str, Key], list[Event]] = {}
    shapes: dict[str, Shape] = {}
    for event in case.events:
        for cell, shape, key_of, when in REGISTERS[type(event)]:
            if when is None or when(event):
                found.setdefault((event.target, cell, key_of(event)), []).append(event)
                shapes[cell] = shape
    for (target, cell, key), facts in found.items():
        ids = [fact.id for fact in facts]
        expected = min(ids) if shapes[cell] is Shape.ONCE else max(ids)
        _equal(_standing_under(thread, target, cell, key).id, expected, f"{cell} of {target}")


def keeping_up_is_starting_anew(case: Case) -> None:
    """What is derived is the same whether it was kept up with every event or made at the end."""
    thread = Thread()
    now = 0
    for number, event in enumerate(case.shuffled()):
        thread.apply(event)
        outline = thread.index(case.policy.rules)
        if number % 3 == 0:
            for order in ORDERS:
                thread.view(order=order, now=now, pinned=bool(number % 2), policy=case.policy)
        outline.check()


def codec_keeps_every_fact(case: Case) -> None:
    """A fact survives its bytes, and equal facts have equal bytes."""
    for event in case.events:
        data = encode(event)
        _check(decode(data) == event, f"{event!r} does not survive its bytes")
        _check(encode(decode(data)) == data, f"{event!r} has two forms")


def digest_is_of_skeletons(case: Case) -> None:
    """The digest tells different states apart, and a thread from one whose texts are gone it does not."""
    thread = fold(case.events)
    _check(fold(map(redact, thread.standing_facts()), key=thread.key).digest() == thread.digest(), "the digest depends on texts")
    standing = {(fact.id, type(fact)): fact for fact in thread.standing_facts()}
    if standing:
        dropped = case.random.choice(sorted(standing, key=repr))
        rest = [fact for key, fact in standing.items() if key != dropped]
        _check(fold(rest, key=thread.key).digest() != thread.digest(), "the digest overlooks a fact")


# --- the views ----------------------------------------------------------------------------------------------------------------


def views_are_the_specification(case: Case) -> None:
    """Every page, for every reader and in every order, shows what the naive specification says."""
    spec = Spec(case.events, policy=case.policy)
    thread = fold(case.shuffled())
    reading = ThreadReading(thread, policy=case.policy)
    now = max((time_of(event.id) for event in case.events), default=0) + 1_000
    _equal(reading.counts(), spec.counts(), "counts")
    for reader in readers_of(case.events):
        reveal: Reveal = "all" if case.random.random() < 0.5 else [event.id for event in case.events[::2]]
        order = case.random.choice(ORDERS)
        pinned = case.random.random() < 0.5
        seen = reading.traversal(order, reader=reader, reveal=reveal, now=now, pinned=pinned)
        said = spec.traversal(order, reader=reader, reveal=reveal, now=now, pinned=pinned)
        _equal(seen, said, f"{order} for {reader}")
        _equal(reading.corrections(reader=reader), spec.corrections(reader=reader), f"corrections for {reader}")
    for order in ORDERS:
        ids = [view.id for _, view in reading.traversal(order, now=now)]
        _equal(ids, [view.id for _, view in spec.traversal(order, now=now)], order)
    _equal(reading.queue(), [replace(item, comment=_alone(item.comment)) for item in spec.queue()], "queue")
    _equal((reading.title(), reading.url(), reading.locked()), (spec.title(), spec.url(), spec.locked()), "description")


def _equal(seen: object, said: object, what: str) -> None:
    if seen != said:
        raise AssertionError(f"{what}:\n     saw {seen!r}\nexpected {said!r}")


def single_comments_are_the_specification(case: Case) -> None:
    """A link to any comment, hidden ones included, shows what the naive specification says."""
    spec = Spec(case.events, policy=case.policy)
    reading = ThreadReading(fold(case.events), policy=case.policy)
    readers = readers_of(case.events)
    for event in case.events:
        reader = case.random.choice(readers)
        try:
            said = spec.comment(event.target or event.id, reader=reader)
        except CommentNotFound:
            continue
        _equal(reading.comment(event.target or event.id, reader=reader), said, f"comment for {reader}")


def the_past_is_the_specification(case: Case) -> None:
    """The thread of an earlier moment has that moment's tree and reactions, and today's texts and concealment."""
    if not case.events:
        return
    moment = time_of(case.random.choice(case.events).id)
    spec = Spec(case.events, policy=case.policy).as_of(moment)
    reading = ThreadReading(fold(case.events), policy=case.policy).as_of(moment)
    _equal(reading.counts(), spec.counts(), "counts of the past")
    for reader in (None, Actor("some-moderator", "", "moderator")):
        _equal(reading.traversal(reader=reader), spec.traversal(reader=reader), f"the past for {reader}")


def pages_partition_the_thread(case: Case) -> None:
    """However small the pages are, each comment is on one of them, once, and in the same order."""
    thread = fold(case.events)
    whole = ThreadReading(thread, policy=case.policy, limit=100, replies=100, depth=100, rows=1_000)
    order = case.random.choice(ORDERS)
    pinned = case.random.random() < 0.5
    expected = whole.traversal(order, pinned=pinned)
    _check(len({view.id for _, view in expected}) == len(expected), "a comment is shown twice")
    limit, replies, depth, rows = (case.random.randint(least, 3) for least in (1, 0, 0, 1))
    pages = ThreadReading(thread, policy=case.policy, limit=limit, replies=replies, depth=depth, rows=rows)
    _equal(pages.traversal(order, pinned=pinned), expected, f"pages of {limit}, {replies}, {depth}, {rows}")


def counts_are_a_recount(case: Case) -> None:
    """The counts are what one finds by looking at every comment."""
    thread = fold(case.events)
    reading = ThreadReading(thread, policy=case.policy)
    seen = {"top_level": 0, "replies": 0, "pending": 0, "hidden": 0}
    for id in {event.id for event in case.events if isinstance(event, CommentPosted)}:
        view = reading.comment(id)
        if {"erased", "deleted", "removed"} & set(view.flags):
            seen["hidden"] += 1
        elif "held" in view.flags:
            seen["pending"] += 1
        else:
            seen["top_level" if view.parent is None else "replies"] += 1
    counts = Counts(total=seen["top_level"] + seen["replies"], **seen)
    _equal(reading.counts(), counts, "counts")


# --- authority and concealment ------------------------------------------------------------------------------------------------

_MODERATION: Final = (
    CommentErased,
    CommentRemoved,
    CommentRestored,
    CommentHeld,
    CommentApproved,
    ReportsResolved,
    CommentPinned,
    CommentUnpinned,
    ThreadLocked,
    ThreadUnlocked,
)


def is_unauthorised(event: Event, authors: dict[str, set[str | None]], policy: Policy) -> bool:
    """
    Return whether an event's maker plainly had no right to it.

    Args:
        event: The event.
        authors: The ids of those who posted each comment or correction.
        policy: Whose roles have effect.
    """
    rules, actor = policy.rules, event.actor
    own = actor is not None and actor.id in authors.get(event.target, set())
    if isinstance(event, _MODERATION):
        return not rules.moderates(actor)
    if isinstance(event, CommentEdited | SpoilerMarked | SpoilerCleared):
        return not rules.moderates(actor) and not own
    if isinstance(event, CommentDeleted):
        return not own
    if isinstance(event, PersonErased):
        return not rules.moderates(actor) and (actor is None or actor.id != event.person)
    if isinstance(event, ReactionGiven | ReactionWithdrawn | CorrectionSuggested):
        return actor is None
    if isinstance(event, CorrectionDecided):
        return not rules.edits_article(actor)
    return isinstance(event, ThreadDescribed) and not rules.describes(actor)


def _authors(events: Iterable[Event]) -> dict[str, set[str | None]]:
    authors: dict[str, set[str | None]] = {}
    for event in events:
        if isinstance(event, CommentPosted | CorrectionSuggested):
            authors.setdefault(event.id, set()).add(None if event.actor is None else event.actor.id)
    return authors


def the_unauthorised_do_not_interfere(case: Case) -> None:
    """Dropping what nobody had a right to changes nothing that anybody sees, in any view."""
    authors = _authors(case.events)
    allowed = [event for event in case.events if not is_unauthorised(event, authors, case.policy)]
    key = case.events[0].thread if case.events else ""
    with_them, without = fold(case.shuffled()), fold(allowed, key=key)
    _equal(_all_told(case, with_them), _all_told(case, without), "with and without unauthorised events")


def the_withheld_is_absent(case: Case) -> None:
    """A body that is concealed from a reader is in no view, page, list or history that they get."""
    thread = fold(case.events)
    spec = Spec(case.events, policy=case.policy)
    texts = [event for event in case.events if isinstance(event, CommentPosted | CommentEdited) and event.body]
    for reader in readers_of(case.events):
        open_texts = {view.text_id for _, view in spec.traversal(reader=reader) if view.body is not None}
        told = _told_withheld(case, thread, reader)
        views, history = told
        for event in texts:
            token = event.body.split()[0].encode()
            standing = _standing_or_none(spec, event.target, reader)
            if event.id not in open_texts and not _is_shared(token, event, texts):
                _check(token not in views, f"{token!r} is concealed from {reader} and stands in a view")
            if standing is not None and standing.concealed is not None and not _is_shared(token, event, texts):
                _check(token not in history, f"{token!r} is concealed from {reader} and stands in the history")


def _is_shared(token: bytes, event: Event, texts: Sequence[CommentPosted | CommentEdited]) -> bool:
    """Return whether another text says the same word, so that its presence proves nothing."""
    return any(token in other.body.encode() for other in texts if other is not event)


def _standing_or_none(spec: Spec, id: str, reader: Reader) -> CommentView | None:
    try:
        return spec.comment(id, reader=reader)
    except CommentNotFound:
        return None


def _told_withheld(case: Case, thread: Thread, reader: Reader) -> tuple[bytes, bytes]:
    reading = ThreadReading(thread, policy=case.policy)
    views = [view for _, view in reading.traversal(reader=reader)]
    views += [reading.comment(view.id, reader=reader) for view in views]
    flat = thread.flat(limit=1_000, reader=reader, policy=case.policy)
    seen = run(as_seen(thread.source(case.policy), case.events, reader=reader, reveal=()))
    history = msgspec.json.encode(seen)
    return msgspec.json.encode([views, flat]), history


def the_held_was_seen(case: Case) -> None:
    """No text by an author is public that no moderator saw, once the comment was held or removed."""
    thread = fold(case.events)
    moderates = case.policy.rules.moderates
    posts = {event.id: event for event in case.events if isinstance(event, CommentPosted)}
    for _, view in ThreadReading(thread, policy=case.policy).traversal(reveal="all"):
        if view.body is None or (view.edited_by is not None and moderates(view.edited_by)):
            continue
        about = [event for event in case.events if event.target == view.id]
        held = [event for event in about if isinstance(event, CommentHeld | CommentRemoved) and moderates(event.actor)]
        if not held and not posts[view.id].held:
            continue
        openings = [
            event
            for event in about
            if isinstance(event, CommentApproved | CommentRestored) and moderates(event.actor) and event.seen == view.text_id
        ]
        _check(bool(openings), f"the text {view.text_id} is public, and no moderator let it through")


def erasure_covers(case: Case) -> None:
    """A full and a redacted replica merge to no text, in either order, and have one digest."""
    erasures = [erasure for event in case.events if (erasure := erasure_of(event, case.policy.rules)) is not None]
    if not erasures:
        return
    gone = [event for event in case.events if any(erasure.covers(event) for erasure in erasures)]
    kept = {id(event) for event in gone}
    redacted = [redact(event) if id(event) in kept else event for event in case.events]
    full, bare = fold(case.events), fold(redacted)
    _check(full.digest() == bare.digest(), "redaction changes the digest")
    for merged in (fold(case.events).merge(bare), fold(redacted).merge(full)):
        _equal(_all_told(case, merged), _all_told(case, bare), "full and redacted replicas merged")
        _check(merged.digest() == bare.digest(), "merging a redacted replica changes the digest")


#: The laws that hold even where an id is used twice, which no honest writer does: replicas agree all the same.
CONVERGENCE_LAWS: Final[tuple[Law, ...]] = (
    order_does_not_matter,
    repeats_do_not_matter,
    merging_is_a_least_upper_bound,
    cells_hold_the_extremes,
    keeping_up_is_starting_anew,
    codec_keeps_every_fact,
    digest_is_of_skeletons,
    pages_partition_the_thread,
    counts_are_a_recount,
    erasure_covers,
)

LAWS: Final[tuple[Law, ...]] = (
    *CONVERGENCE_LAWS,
    views_are_the_specification,
    single_comments_are_the_specification,
    the_past_is_the_specification,
    the_unauthorised_do_not_interfere,
    the_withheld_is_absent,
    the_held_was_seen,
)
