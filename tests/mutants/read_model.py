"""
Holds the rows of a store against a fold of the same events: what mutants of the read model are shown to.

    python tests/mutants/read_model.py [first] [end]     the seeds of the histories to try, by default 0 to 52

Each history is merged in some order, a few events at a time, so that facts come late and early. After some of the steps every page
of the thread, for several readers and in all orders, has to be byte for byte that of a `Thread` in memory, and each row what a
fold of the log makes of it. Ends with code 1 at the first that is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

import msgspec

import threadstore
from threadstore import (
    Actor,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentNotFound,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    Event,
    PersonErased,
    Policy,
    ReactionGiven,
    ReactionWithdrawn,
    StoredThread,
    Thread,
    ThreadLocked,
    ThreadStore,
    fold,
)
from threadstore.model.ids import make_id
from threadstore.model.ranking import ORDERS
from threadstore.readmodel import walks
from threadstore.store import rebuilding
from threadstore.store.verify import differences
from threadstore.testing.histories import random_history

NOW = 2_000_000_000_000
HOT = 1_700_000_500_000
READERS: tuple[Actor | str | None, ...] = (None, "ann", Actor("m", "Mo", "moderator"), "bob", "m")
POLICIES = (
    Policy(),
    Policy(kinds={"support", "up", "down", "love"}, exclusive=[{"up", "down"}]),
    Policy(moderators={"moderator"}),
    Policy(moderators={"moderator", "system", "editor"}, kinds={"love", "down"}),
)
#: More pages than any of these threads has.
_MOST_PAGES = 200
#: How many events come at once.
STEPS = (1, 4, 50)


#: Several have one name, and one name begins like another.
SPEAKERS = (Actor("ann", "Ann"), Actor("ann", "Ann Lee"), Actor("bob", "Ann"), Actor("bob", "Bo"), Actor("eve", "Ann Lee"), None)
MODERATOR = Actor("m", "Mo", "moderator")


def talk(seed: int) -> list[Event]:
    """Return a lively thread: few people with names alike who address one another, vote, edit, and are moderated."""
    chance, events, posts = Random(seed), list[Event](), list[CommentPosted]()

    def said(fact: type[Event], **fields: Any) -> None:
        number = len(events)
        id = make_id(HOT - 3_600_000 * (100 - number), 0, chance.getrandbits(60))
        events.append(fact(id=id, thread="talk", **fields))

    for number in range(14):
        words = (
            f"@{chance.choice(('Ann', 'Ann Lee', 'Bo', 'Mo'))}, and @{chance.choice(('Ann', 'Ann Lee', 'nobody'))} {len(events)}"
        )
        parent = chance.choice(posts).id if posts and chance.random() < 0.5 else None
        said(CommentPosted, actor=chance.choice(SPEAKERS[: 1 + number // 3]), parent=parent, body=words)
        posts.append(events[-1])
        for _ in range(chance.randrange(4)):
            post = chance.choice(posts)
            by, vote = Actor(chance.choice("abcdef")), chance.choice(("support", "support", "up", "down"))
            said(chance.choice((ReactionGiven, ReactionGiven, ReactionWithdrawn)), actor=by, comment=post.id, kind=vote)
        if number == 9:
            said(ThreadLocked, actor=MODERATOR)
        post, what = chance.choice(posts), chance.random()
        if what < 0.25:
            said(CommentEdited, actor=post.actor, comment=post.id, body=f"@Ann Lee @Bo, edited {len(events)}")
        elif what < 0.5:
            kind = chance.choice((CommentRemoved, CommentHeld, CommentPinned, CommentErased, CommentReported))
            said(kind, actor=MODERATOR, comment=post.id)
        elif what < 0.55:
            said(PersonErased, actor=MODERATOR, person=chance.choice(("ann", "bob")))
    return events


def distinct(events: Sequence[Event]) -> list[Event]:
    """Return those that a log takes: of several under one id the first."""
    return list({event.id: event for event in reversed(events)}.values())[::-1]


def pages(ask: Callable[..., Any], **how: Any) -> Iterator[bytes]:
    """Yield page after page as bytes, without the revision, which a thread in memory does not have."""
    after, now = None, HOT
    for _ in range(_MOST_PAGES):
        page = ask(after=after, now=now, **how)
        yield msgspec.json.encode(msgspec.structs.replace(page, revision=0))
        if page.next is None:
            return
        after, now = page.next, None
    raise AssertionError(f"there is no end to the pages of {how}")


def answer(ask: Callable[[], Any]) -> bytes | None:
    """Return an answer as bytes; None if there is no such comment."""
    try:
        found = ask()
    except CommentNotFound:
        return None
    return msgspec.json.encode(msgspec.structs.replace(found, revision=0) if hasattr(found, "revision") else found)


def same(what: object, ours: object, theirs: object) -> None:
    """
    Compare what the rows say with what a fold says.

    Raises:
        AssertionError: They differ.
    """
    if ours != theirs:
        raise AssertionError(f"{what}: the rows say {ours!r}, a fold {theirs!r}")


def check_rows(store: ThreadStore, key: str) -> None:
    """
    Compare each row with what the log makes of it.

    Raises:
        AssertionError: One differs.
    """
    with store.log.database.reading() as connection:
        wrong = list(differences(connection, key, store.policy.rules))
    if wrong:
        raise AssertionError(f"rows of {key}: {wrong[:3]}")


def check_pages(stored: StoredThread, thread: Thread, policy: Policy, reveal: Any, readers: Sequence[Actor | str | None]) -> None:
    """
    Compare all pages.

    Raises:
        AssertionError: One differs.
    """
    same("counts", stored.counts(), thread.counts(policy=policy))
    shape = {"replies": 2, "depth": 2, "rows": 6}
    for reader in readers:
        for order in ORDERS:
            how = {"order": order, "reader": reader, "reveal": reveal}
            for pinned in (False, True):
                mine = list(pages(stored.view, limit=2, pinned=pinned, **shape, **how))
                same(("view", pinned, how), mine, list(pages(thread.view, limit=2, pinned=pinned, policy=policy, **shape, **how)))
            same(("flat", how), list(pages(stored.flat, limit=3, **how)), list(pages(thread.flat, limit=3, policy=policy, **how)))
        same(("corrections", reader), stored.corrections(reader=reader), thread.corrections(reader=reader, policy=policy))
    same("queue", answer(stored.queue), answer(lambda: thread.queue(policy=policy)))


def check_comments(stored: StoredThread, thread: Thread, policy: Policy, ids: Sequence[str]) -> None:
    """
    Compare single comments and pages of replies.

    Raises:
        AssertionError: One differs.
    """
    for id in ids:
        for reader in READERS[:3]:
            mine = [answer(partial(stored.comment, id, context=1, reader=reader)), *replies(stored.replies, id, reader)]
            theirs = [
                answer(partial(thread.comment, id, context=1, reader=reader, policy=policy)),
                *replies(partial(thread.replies, policy=policy), id, reader),
            ]
            same(("comment and its replies", id, reader), mine, theirs)


def replies(ask: Callable[..., Any], id: str, reader: Actor | str | None) -> list[bytes | None]:
    """Return the pages of replies to a comment; None for one that is not there."""
    try:
        return list(pages(lambda now, **how: ask(id, **how), limit=1, reader=reader))  # replies know no moment
    except CommentNotFound:
        return [None]


def check(seed: int) -> None:
    """
    Compare what comes of one history.

    Raises:
        AssertionError: Something differs.
    """
    chance, policy, step = Random(seed), POLICIES[seed // 2 % len(POLICIES)], STEPS[seed % len(STEPS)]
    events = distinct(random_history(seed, 10 + seed % 30)) if seed % 2 else talk(seed)
    if chance.random() < 0.6:
        chance.shuffle(events)
    key = events[0].thread
    reveal: Any = "all" if seed % 3 else ()
    with threadstore.open(":memory:", policy=policy, now=lambda: NOW) as store:
        stored = store.thread(key)
        for start in range(0, len(events), step):
            store.merge(events[start : start + step])
            check_rows(store, key)
            is_last = start + step >= len(events)
            if is_last or start % 9 == 0:
                thread = fold(events[: start + step])
                check_pages(stored, thread, policy, reveal, READERS if is_last else [chance.choice(READERS)])
                check_comments(stored, thread, policy, [event.id for event in events if is_last][:12])
        check_again(store, key, events, policy, reveal)


def check_again(store: ThreadStore, key: str, events: Sequence[Event], policy: Policy, reveal: Any) -> None:
    """
    Compare rows and pages once more after they were made anew, at once and in portions.

    Raises:
        AssertionError: Something differs.
    """
    large, thread = rebuilding.LARGE, fold(events)
    for most_at_once in (large, 0):
        rebuilding.LARGE = most_at_once
        store.rebuild_thread(key)
        check_rows(store, key)
        check_pages(store.thread(key), thread, policy, reveal, READERS[:2])
    rebuilding.LARGE = large


def main() -> int:
    """Try the histories, and return 1 if one is not as it should be."""
    parser = argparse.ArgumentParser(description="Hold the rows of a store against a fold of the same events.")
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("end", type=int, nargs="?", default=52)
    given = parser.parse_args()
    rebuilding._PAUSE = rebuilding._NAP = 0
    walks._FEW = 2  # so that a small thread has more groups than are looked into at once
    for seed in range(given.first, given.end):
        try:
            check(seed)
        except Exception as broken:  # noqa: BLE001  # whatever a broken read model raises is a finding
            sys.stdout.write(f"seed {seed}: {type(broken).__name__}: {str(broken)[:2_000]}\n")
            return 1
    sys.stdout.write("holds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
