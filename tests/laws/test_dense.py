"""A thread of columns is held against an ordinary one: whatever comes, in whatever portions, both say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from threadstore import Policy, fold
from threadstore.dense import DenseThread
from threadstore.heads import Heads, head
from threadstore.model.codec import encode, glance
from threadstore.model.events import (
    Actor,
    CommentDeleted,
    CommentEdited,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentRestored,
    Event,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
)
from threadstore.model.ids import make_id, time_of
from threadstore.model.ranking import ORDERS
from threadstore.testing.histories import EPOCH, random_history
from threadstore.testing.laws import readers_of
from threadstore.testing.strategies import POLICIES
from threadstore.views.thread import Thread


class Told:
    """The facts of a thread, numbered from 1, as a log has them."""

    def __init__(self, events: Sequence[Event], cut: int) -> None:
        self.events = list(events)
        self.cut = cut

    def fetch(self, revisions: Sequence[int]) -> dict[int, Event]:
        """Return the facts with these revisions."""
        return {revision: self.events[revision - 1] for revision in revisions}

    def glance(self, revisions: Sequence[int]) -> dict[int, list[Any]]:
        """Return the values of the records with these revisions."""
        return {revision: glance(encode(self.events[revision - 1])) for revision in revisions}

    def upto(self, revision: int) -> Iterator[Event]:
        """Yield the first facts."""
        return iter(self.events[:revision])

    def find(self, id: str, revision: int) -> Event | None:
        """Return a fact among the first."""
        return next((event for event in self.events[:revision] if event.id == id), None)

    def heads(self) -> Heads:
        """Return the heads of the facts that are there when the thread is read first."""
        return Heads(range(1, self.cut + 1), b"".join(map(head, self.events[: self.cut])))


def pages(thread: Thread, policy: Policy, **how: object) -> list[object]:
    """Return all pages of a listing, short ones."""
    found, after = [], None
    while True:
        page = thread.view(limit=2, replies=1, after=after, policy=policy, **how)  # type: ignore[arg-type]
        found.append(page)
        after = page.next
        if after is None:
            return found


def everything(thread: Thread, events: Sequence[Event], policy: Policy) -> list[object]:
    """Return whatever can be asked of a thread."""
    now = max((time_of(event.id) for event in events), default=0) + 7_200_000
    said: list[object] = [thread.counts(policy=policy), thread.queue(policy=policy), thread.digest()]
    ids = sorted({event.id for event in events if isinstance(event, CommentPosted)})
    for reader in readers_of(events):
        for order in ORDERS:
            for pinned in (False, True):
                said += [order, pinned, reader, pages(thread, policy, order=order, pinned=pinned, reader=reader, now=now)]
            said.append(thread.flat(order=order, limit=3, reader=reader, now=now, policy=policy))
            said.append(thread.flat(order=order, limit=100, reader=reader, reveal="all", now=now, policy=policy))
        said.append(thread.corrections(reader=reader, policy=policy))
        for id in ids:
            said.append(thread.comment(id, context=3, reader=reader, reveal="all", policy=policy))
            said.append(thread.replies(id, limit=1, reader=reader, policy=policy))
    said.append(
        [sorted(map(str, thread.outline(policy.rules).recent_posts(actor))) for actor in ("a", "b", "c", "m", None, "zz")]
    )
    said.append([thread.outline(policy.rules).is_seen(actor) for actor in ("a", "b", "c", "m", None, "zz")])
    return said


def agree(events: Sequence[Event], policy: Policy, *, cut: int, ahead: int = 0, look: int | None = None) -> None:
    """
    Hold the two forms against each other at the end and, to have all lists kept up from then on, after *look* facts; where the
    log had an even number of them, the thread was frozen and thawed.
    """
    thread = DenseThread(events[0].thread, policy.rules, Told(events, cut))
    thread.read()
    if cut and cut % 2 == 0:
        state = thread.freeze()
        assert state is not None
        thread = DenseThread(events[0].thread, policy.rules, Told(events, cut))
        assert thread.resume(cut, state)
        assert thread.freeze() == state
    for revision in range(cut + 1, len(events) + 1):
        if look is not None and revision - 1 == look:
            everything(thread, events[:look], policy)
        for event in events[revision - 1 : revision - 1 + ahead]:
            thread.apply(event)
        thread.admit(events[revision - 1], revision)
    plain = fold(events)
    plain.revision = len(events)
    for one, other in zip(everything(thread, events, policy), everything(plain, events, policy), strict=True):
        assert one == other


def lively(random: Random, size: int) -> list[Event]:
    """Return the facts of a lively thread: nearly all plain and in the order of their ids, as the log of one store has them."""
    people = [Actor("m", "Mo", "moderator"), *(Actor(f"p{number}", f"P {number % 3}") for number in range(5)), None]
    posts: list[str] = []
    events: list[Event] = []
    for number in range(1, size + 1):
        id, by = make_id(EPOCH + number * 1_000, 0, number), random.choice(people)
        about = random.choice(posts[-8:]) if posts else make_id(EPOCH + 500, 0, 1)
        odd = make_id(EPOCH + random.randrange(number) * 1_000 + 300, 0, number)  # of another replica, whose events come late
        told: dict[str, object] = {"id": odd if random.random() < 0.05 else id, "thread": "t", "actor": by}
        kind = random.choices(
            [CommentPosted, ReactionGiven, ReactionWithdrawn, CommentEdited, CommentRemoved, CommentRestored, CommentPinned,
             CommentHeld, CommentDeleted, PersonErased],
            [60, 40, 8, 8, 2, 2, 1, 1, 1, 0.3],
        )[0]  # fmt: skip
        if kind is CommentPosted:
            parent = random.choice([None, about, about, make_id(EPOCH + 777, 0, random.randrange(4))])
            body = random.choice(["hm", "@P 0, yes", "@Mo @P 1 no", "@P 2"])
            told |= {"parent": parent, "body": body, "spoiler": random.random() < 0.05, "held": random.random() < 0.05}
            posts.append(str(told["id"]))
        elif kind is PersonErased:
            told |= {"person": random.choice(["p1", "p2"])}
        else:
            told |= {"comment": about}
        if kind in (ReactionGiven, ReactionWithdrawn):
            told |= {"kind": random.choice(["support", "support", "up", "down", "odd"])}
        if kind is CommentEdited:
            told |= {"body": "better", "seen": about}
            author = next((event.actor for event in events if event.id == about), by)
            told["actor"] = random.choice([author, by])
        if kind is CommentRestored:
            told |= {"cancels": [event.id for event in events if isinstance(event, CommentRemoved) and event.comment == about]}
        events.append(kind(**told))
    return events


@pytest.mark.parametrize("seed", range(30))
def test_the_two_forms_agree_on_lively_threads(seed: int):
    """The same, where nearly all is plain."""
    random = Random(f"lively {seed}")
    events = lively(random, random.choice([30, 90]))
    cut = random.choice([0, len(events), random.randrange(len(events) + 1)])
    look = random.choice([None, cut, random.randrange(len(events) + 1)])
    agree(events, random.choice(POLICIES), cut=cut, ahead=random.choice([0, 0, 1, 3]), look=look)


@pytest.mark.parametrize("seed", range(60))
def test_the_two_forms_agree(seed: int):
    """Whatever was found in the log, came before the log had it, or came later; whoever had looked in between."""
    random = Random(f"dense {seed}")
    policy = POLICIES[seed % len(POLICIES)]
    events = list(
        {
            event.id: event
            for event in random_history(
                random.randrange(1 << 30), random.choice([8, 20, 40]), comments=random.choice([None, 4, 12])
            )
        }.values()
    )
    if not events:
        return
    cut = random.choice([0, len(events), random.randrange(len(events) + 1)])
    look = random.choice([None, cut, random.randrange(len(events) + 1)])
    agree(events, policy, cut=cut, ahead=random.choice([0, 0, 1, 3]), look=look)
